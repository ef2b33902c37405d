"""Staging, whatever bytes a vendor sends: rows or rejects, never an exception, and nothing disappears."""

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.models.workbench import STAGED, Rows, Workbench, at

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8), st.sampled_from(
        ["2026-11-03T08:00:00Z", "2026-11-03T08:00:00.5Z", "infinity", "1e400", "0001-01-01", "\x00", "999999-01-01"]
    )
)  # fmt: skip
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
fields = st.sampled_from(
    ["eventId", "nextEventId", "sessionId", "agentId", "start", "end", "loginTimestamp", "durationSeconds", "capacity",
     "transfers", "presence", "reasonName", "agentName", "new"]
)  # fmt: skip
sound = st.fixed_dictionaries(
    {"eventId": st.text(min_size=1, max_size=4), "agentId": st.just("ann"), "start": st.just("2026-11-03T08:00:00Z")}
)
records = st.one_of(
    sound, st.builds(lambda one, odd: one | odd, sound, st.dictionaries(fields, values, max_size=4)), values
)
replies = st.lists(records, max_size=4)


def stage(bench: Workbench, payloads: list[bytes]) -> Rows:
    """What staging makes of these pages of one segment."""
    window = {"window_start": at("08:00"), "window_end": at("08:10"), "received_at": at("08:11")}
    return bench.run(
        STAGED,
        cxengage_agent_states=[
            {"source": "cx", "segment": "seg", "sequence": n, "payload": payload, "payload_sha256": str(n), **window}
            for n, payload in enumerate(payloads)
        ],
    )


@settings(max_examples=60)
@given(payloads=st.lists(st.binary(max_size=40), min_size=1, max_size=5))
@example(payloads=[b"", b"\x00", b"\xff\xfe", b"{", b"[]", b"null", b'{"results":[]}', b'{"results":[1,null,{}]}'])
def test_any_bytes_become_rejects_and_no_page_is_lost(bench: Workbench, payloads: list[bytes]) -> None:
    """If this fails, a broken reply stops the build or vanishes without a trace."""
    rows = stage(bench, payloads)
    seen = {row["sequence"] for row in rows}
    readable = {n for n, payload in enumerate(payloads) if _results(payload) == []}
    assert seen | readable == set(range(len(payloads)))
    assert all(row["reject_reason"] for row in rows)


@settings(max_examples=60)
@given(pages=st.lists(replies, min_size=1, max_size=4))
def test_each_record_of_each_reply_is_one_row_or_one_reject(bench: Workbench, pages: list[list[Any]]) -> None:
    """If this fails, records are lost or multiplied on their way from a reply to its rows."""
    rows = stage(bench, [json.dumps({"total": len(page), "results": page}).encode() for page in pages])
    for sequence, page in enumerate(pages):
        mine = sorted((row for row in rows if row["sequence"] == sequence), key=lambda row: row["record"])
        assert [row["record"] for row in mine] == list(range(1, len(page) + 1))
    rejects = bench.run("ops.rejects", stg_cxengage__agent_states=rows)
    assert len(rejects) == sum(row["reject_reason"] is not None for row in rows)
    assert all(row["payload"] for row in rejects)


@settings(max_examples=40)
@given(page=st.lists(sound, min_size=1, max_size=3), odd=values)
def test_a_sound_record_is_not_hurt_by_what_lies_beside_it(bench: Workbench, page: list[Any], odd: Any) -> None:
    """If this fails, one odd record takes others with it."""
    payload = json.dumps({"results": [odd, *page, odd]}).encode()
    kept = [row["event_id"] for row in stage(bench, [payload]) if row["reject_reason"] is None]
    assert [event for event in kept if event in {one["eventId"] for one in page}] == [one["eventId"] for one in page]


def _results(payload: bytes) -> Any:
    try:
        reply = json.loads(payload)
    except ValueError:
        return None
    return reply.get("results") if isinstance(reply, dict) else None
