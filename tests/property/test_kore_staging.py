"""Staging Kore.ai, whatever bytes it sends: rows or rejects, never an exception, as the client counted them."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from assets.http import Reply
from assets.kore.client import EnvelopeError, _updates
from tests.models.kore import page, said
from tests.models.workbench import Rows, Workbench

STAGED = "staging.stg_kore__agent_activity"
NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)

texts = st.sampled_from(
    [said("08:00"), "11/03/2026 8:00:00", "2/30/2026 8:00:00", "01/01/0001 0:00:00", "12/31/9999 23:59:59",
     "11/03/2026", "infinity", "\x00", "1e400", "11/03/-2026 8:00:00", "11/03/2026 8:00:00.5"]
)  # fmt: skip
# DuckDB reads Infinity, which is no JSON: the client then counts the window as unreadable and asks again.
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | numbers | st.text(max_size=8) | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
names = st.sampled_from(
    ["AgentId", "agentId", "EventTime", "eventTime", "Activity", "activity", "ReasonCode", "reasonCode", "new"]
)
sound = st.fixed_dictionaries(
    {"AgentId": st.text("abc", min_size=1), "EventTime": st.just(said("08:00")), "Activity": st.just("ready")}
)
updates = st.one_of(
    sound, st.builds(lambda one, odd: one | odd, sound, st.dictionaries(names, values, max_size=4)), values
)
lists = st.sampled_from(["AgentUpdates", "agentUpdates"])
envelopes = st.dictionaries(
    st.sampled_from(["accountId", "AgentUpdates", "agentUpdates", "msg", "errors", "x"]),
    st.one_of(values, st.lists(updates, max_size=4)),
    max_size=4,
)


def stage(bench: Workbench, *payloads: bytes) -> Rows:
    """What staging makes of these pages of one segment."""
    return bench.run(STAGED, kore_agent_activity=[page(payload, n) for n, payload in enumerate(payloads)])


def counted(payload: bytes) -> int | None:
    """How many updates the client counts in a reply; None when it cannot read it."""
    reply = Reply("GET /", 200, None, None, NOON, NOON, payload)
    try:
        return len(_updates(reply))
    except (msgspec.MsgspecError, EnvelopeError, UnicodeError, RecursionError):
        return None


@settings(max_examples=60)
@given(payloads=st.lists(st.binary(max_size=60), min_size=1, max_size=5))
@example(
    payloads=[b"", b"\x00", b"\xff\xfe", b"{", b"[]", b"null", b'{"AgentUpdates":[]}', b'{"AgentUpdates":[1,null,{}]}']
)
@example(payloads=[b'{"AgentUpdates":[' + b"[" * 5_000])
def test_any_bytes_become_rows_or_rejects_and_no_page_is_lost(bench: Workbench, payloads: list[bytes]) -> None:
    """If this fails, a broken reply stops the build or vanishes without a trace."""
    rows = stage(bench, *payloads)
    seen = {row["sequence"] for row in rows}
    silent = {n for n, payload in enumerate(payloads) if counted(payload) == 0}
    assert seen | silent == set(range(len(payloads)))
    assert all(row["reject_reason"] for row in rows)


@settings(max_examples=60)
@given(one=envelopes)
@example(one={"accountId": "a"})
@example(one={"accountId": None, "AgentUpdates": None, "agentUpdates": [{}]})
def test_client_and_staging_agree_on_what_is_a_reply(bench: Workbench, one: dict[str, Any]) -> None:
    """If this fails, a window counts as observed whose page is rejected, or the other way round."""
    payload = json.dumps(one).encode()
    rows, count = stage(bench, payload), counted(payload)
    assert (rows.pick("record") == [0]) is (count is None)
    assert count is None or sorted(rows.pick("record")) == list(range(1, count + 1))


@settings(max_examples=60)
@given(pages=st.lists(st.tuples(lists, st.lists(updates, max_size=4)), min_size=1, max_size=4))
def test_each_update_of_each_reply_is_one_row_or_one_reject(
    bench: Workbench, pages: list[tuple[str, list[Any]]]
) -> None:
    """If this fails, updates are lost or multiplied on their way from a reply to its rows."""
    rows = stage(bench, *(json.dumps({name: some}).encode() for name, some in pages))
    for sequence, (_, some) in enumerate(pages):
        mine = sorted(row["record"] for row in rows if row["sequence"] == sequence)
        assert mine == list(range(1, len(some) + 1))
    rejects = bench.run("ops.rejects", stg_kore__agent_activity=rows)
    assert len(rejects) == sum(row["reject_reason"] is not None for row in rows)
    assert all(row["payload"] for row in rejects)
    for row in rows:
        usable = row["reject_reason"] is None
        assert usable is (row["touched_from"] is not None) is (row["touched_until"] is not None)
        assert not usable or (row["agent_id"] and row["activity"] and row["event_time"])


@settings(max_examples=40)
@given(some=st.lists(sound, min_size=1, max_size=3), odd=values)
def test_a_sound_update_is_not_hurt_by_what_lies_beside_it(bench: Workbench, some: list[Any], odd: Any) -> None:
    """If this fails, one odd update takes others with it."""
    rows = stage(bench, json.dumps({"AgentUpdates": [odd, *some, odd]}).encode())
    kept = [row["agent_id"] for row in sorted(rows, key=lambda row: row["record"]) if row["reject_reason"] is None]
    assert kept == [one["AgentId"] for one in some]
