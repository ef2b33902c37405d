"""Staging BeyondTrust, whatever bytes it sends: rows or rejects, never an exception, and no page disappears."""

import gzip
import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.models.beyondtrust import ARCHIVE, COMMAND, SESSIONS, STATE, listing, page, stage
from tests.models.workbench import Workbench

REQUESTS = {
    STATE: ["GET /nw"],
    COMMAND: ["POST /api/command action=get_logged_in_reps", "GET /"],
    SESSIONS: ["POST /api/reporting generate_report=SupportSession", "POST /api/reporting generate_report=SupportTeam"],
    ARCHIVE: [
        "POST /api/reporting generate_report=ArchiveListing&date=2026-11-03",
        "POST /api/reporting generate_report=Archive&type=state&date=2026-11-03&index=1",
        "GET /api/reporting?generate_report=Archive&type=event&date=2026-11-03&index=1",
        "GET /api/reporting?generate_report=Archive&type=event&date=2026-99-03&index=99999999999999999999",
        "GET /",
    ],
}


def _element(name: str, attrs: dict[str, str], inner: list[str]) -> str:
    written = "".join(f' {key}="{value}"' for key, value in attrs.items())
    return f"<{name}{written}>{''.join(inner)}</{name}>"


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=6),
    st.sampled_from(["12", 12, "\x00", 1762156800, 1e300, -1e300, "infinity", "2026-11-03T08:00:00Z", [], {}]),
)  # fmt: skip
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)
tables = st.dictionaries(
    st.sampled_from(["representative", "queue", "x", ""]),
    st.dictionaries(st.text(max_size=3), st.dictionaries(st.text(max_size=3), values) | values) | values,
    max_size=3,
)  # fmt: skip
messages = st.one_of(
    values,
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["update_model", "model_update", "truncate_model", "other", 5, None]),
            "success": values,
            "timestamp": scalars,
            "insert": tables | values,
            "update": tables | values,
            "delete": st.dictionaries(st.text(max_size=3), st.lists(scalars, max_size=3) | values, max_size=2) | values,
        },
    ),
)

names = st.sampled_from(
    ["rep", "session", "error", "support_team", "members", "representative", "event", "data", "value", "rep_list",
     "session_details", "team_activity", "events", "start_time", "logged_in_since", "state_archive", "time", "index"]
)  # fmt: skip
attributes = st.dictionaries(
    st.sampled_from(["id", "lsid", "timestamp", "ts", "event_type", "name", "value", "gsnumber"]),
    st.sampled_from(["1", "", "1e999", "-5", "infinity", "99999999999999999", "x"]),
    max_size=3,
)
texts = st.sampled_from(["", "7", "inf"])
elements = st.recursive(
    st.builds(lambda name, attrs, text: _element(name, attrs, [text]), names, attributes, texts),
    lambda inner: st.builds(_element, names, attributes, st.lists(inner, max_size=3)),
    max_leaves=8,
)  # fmt: skip
roots = st.sampled_from(["session_list", "team_activity_list", "support_teams", "logged_in_reps", "archives", "error"])
documents = st.builds(lambda name, inner: _element(name, {}, inner).encode(), roots, st.lists(elements, max_size=3))


payloads = st.one_of(
    st.binary(max_size=40),
    messages.map(lambda message: json.dumps(message).encode()),
    st.lists(messages, max_size=3).map(lambda lines: b"\n".join(json.dumps(line).encode() for line in lines)),
    documents,
)
packed = st.one_of(payloads, payloads.map(lambda payload: gzip.compress(payload, mtime=0)))


@pytest.mark.parametrize("table", [STATE, ARCHIVE, COMMAND, SESSIONS])
@settings(max_examples=40)
@given(data=st.data())
def test_any_page_becomes_rows_or_rejects(bench: Workbench, table: str, data: st.DataObject) -> None:
    """If this fails, one odd reply stops the build, or passes as if it had been read."""
    bodies = data.draw(st.lists(packed if table == ARCHIVE else payloads, min_size=1, max_size=4))
    requests = [data.draw(st.sampled_from(REQUESTS[table])) for _ in bodies]
    pages = [page(body, sequence=n, request=r) for n, (body, r) in enumerate(zip(bodies, requests, strict=True), 1)]
    if table == ARCHIVE:
        pages.append(listing({1: "08:00"}, {}))
    rows = stage(bench, table, pages)
    rejects = [row for row in rows if row["reject_reason"] is not None]
    assert all(row["reject_payload"] is not None and row["touched_from"] is None for row in rejects)
    assert all(row["reject_payload"] is None for row in rows if row["reject_reason"] is None)
    keys = [(row["sequence"], row["record"]) for row in rows]
    assert len(keys) == len(set(keys))
    seen = {row["sequence"] for row in rows}
    for one in pages:
        if one["sequence"] not in seen:
            assert _says_nothing(table, one["payload"])


@settings(max_examples=40)
@given(garbage=st.lists(st.binary(max_size=30), min_size=1, max_size=3))
@example(garbage=[b"\xff", b"{", b"null", b'{"insert":{"q":{"1":{},"1":{}}}}'])
def test_a_sound_message_is_not_hurt_by_what_lies_beside_it(bench: Workbench, garbage: list[bytes]) -> None:
    """If this fails, one broken message takes its neighbours with it."""
    sound = {"type": "update_model", "insert": {"queue": {"7": {"name": "x"}}}}
    pages = [page(body, sequence=n) for n, body in enumerate(garbage, 1)]
    rows = stage(bench, STATE, [page(sound), *pages])
    assert [(row["row_id"], row["fields"]) for row in rows if row["sequence"] == 0] == [("7", '{"name":"x"}')]


@settings(max_examples=30)
@given(
    rows=st.dictionaries(
        st.text(min_size=1, max_size=3), st.dictionaries(st.text(max_size=3), scalars, max_size=3), max_size=4
    )
)
def test_each_row_of_a_copy_is_one_row_as_sent(bench: Workbench, rows: dict[str, Any]) -> None:
    """If this fails, rows of a full copy are lost, doubled or changed on their way."""
    staged = stage(bench, STATE, [page({"type": "update_model", "insert": {"t": rows}})])
    assert {row["row_id"]: json.loads(row["fields"]) for row in staged} == rows
    assert len(staged) == len(rows)


def _says_nothing(table: str, payload: bytes) -> bool:
    """Whether a page may end without a row: a change of nothing, an empty file, a list of nothing."""
    text = gzip.decompress(payload) if payload.startswith(b"\x1f\x8b") else payload
    if table == STATE:
        message = json.loads(text)
        changes = [message.get(name) for name in ("insert", "update", "delete")]
        return all(not change or not any(change.values()) for change in changes)
    return text.strip().startswith(b"<") or not text.strip() or _is_empty(text)


def _is_empty(text: bytes) -> bool:
    """Whether each line of an event file changes nothing."""
    lines = [json.loads(line) for line in text.splitlines() if line.strip()]
    return all(
        not (line.get(name) and any(line[name].values())) for line in lines for name in ("insert", "update", "delete")
    )
