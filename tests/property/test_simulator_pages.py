"""Properties of the simulated feed that must hold for any seed, window, page and fault."""

from __future__ import annotations

import base64
import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.centre import Centre
from simulator.clock import SimClock
from simulator.cxengage import Account, CxEngageApi
from simulator.cxengage_json import NEVER, Dialect, Writer
from simulator.cxengage_rows import RowIndex, rows_of
from simulator.facts import HOUR, MINUTE, SECOND, iso, millis
from simulator.faults import Faults
from simulator.wire import Request

FIRST = date(2026, 3, 2)
BEGIN = millis(datetime(2026, 3, 2, tzinfo=UTC))
QUICK = settings(max_examples=60, deadline=None)
Row = dict[str, Any]

instants = st.integers(BEGIN, BEGIN + 46 * HOUR)
lengths = st.integers(0, 10 * MINUTE)
faults = st.builds(
    Faults,
    seed=st.integers(0, 1000),
    duplicate_rows=st.sampled_from([0.0, 0.2]),
    late_rows=st.sampled_from([0.0, 0.3]),
    late_seconds=st.floats(1, 900),
    shuffled=st.booleans(),
)
dialects = st.builds(
    Dialect,
    selection=st.sampled_from(["start", "overlap", "end"]),
    end_inclusive=st.booleans(),
    open_records=st.sampled_from(["redelivered", "hidden"]),
    missing=st.sampled_from(["absent", "null"]),
    offline_records=st.booleans(),
)


@cache
def centre(seed: int = 31) -> Centre:
    """Play a small centre once."""
    return Centre.simulate(seed, 12, FIRST, 2)


@cache
def index(dialect: Dialect) -> RowIndex:
    """Index that centre once per dialect."""
    return RowIndex(centre(), dialect, Faults())


@cache
def faulty_index() -> RowIndex:
    """Index that centre once more, for tests that set faults."""
    return RowIndex(centre(), Dialect(), Faults())


def rows(found: RowIndex, start: int, end: int, seen: int) -> list[Row]:
    """Return the records of a window as a client would read them."""
    return [json.loads(text) for text in found.texts(found.select(start, end, seen), seen)]


@QUICK
@given(start=instants, length=lengths, age=st.integers(0, 2 * HOUR), knobs=faults, limit=st.integers(1, 60))
def test_pages_of_any_size_make_the_whole(start: int, length: int, age: int, knobs: Faults, limit: int) -> None:
    """If this failed, some page size would lose or repeat records of a frozen window."""
    account = Account.of(31)
    clock = SimClock(datetime(2026, 3, 2, tzinfo=UTC) + timedelta(milliseconds=start + length + age - BEGIN))
    with patch("simulator.cxengage.RowIndex", return_value=faulty_index()):
        api = CxEngageApi(centre(), clock, account, knobs, Dialect())
    api.set_faults(knobs)
    secret = base64.b64encode(f"{account.username}:{account.password}".encode()).decode()

    def page(query: str) -> dict[str, Any]:
        path = f"/v1/tenants/{account.tenant_id}/wfm/rta"
        times = f"start={iso(start)}&end={iso(start + length)}"
        reply = api.answer(Request("GET", path, f"{times}{query}", {"authorization": f"Basic {secret}"}))
        assert reply.status == 200
        envelope: dict[str, Any] = json.loads(reply.body)
        return envelope

    whole = page("")
    paged: list[Row] = []
    for offset in range(0, whole["total"], limit):
        envelope = page(f"&limit={limit}&offset={offset}")
        assert envelope["total"] == whole["total"] == len(whole["results"])
        assert len(envelope["results"]) <= limit
        paged += envelope["results"]
    assert paged == whole["results"]


@QUICK
@given(start=instants, cuts=st.lists(st.integers(1, 10 * MINUTE), min_size=1, max_size=5))
def test_neighbouring_windows_partition_time(start: int, cuts: list[int]) -> None:
    """If this failed, half-open windows would share or lose records."""
    found = index(Dialect())
    edges = [start]
    for cut in cuts:
        edges.append(edges[-1] + cut)
    pieces = [i for a, b in pairwise(edges) for i in found.select(a, b, NEVER // 2)]
    assert pieces == found.select(edges[0], edges[-1], NEVER // 2)


@QUICK
@given(start=instants, length=lengths, seen=instants, dialect=dialects)
def test_selection_is_what_brute_force_says(start: int, length: int, seen: int, dialect: Dialect) -> None:
    """If this failed, the index would not serve what the dialect means."""
    end = start + length
    expected = []
    for number, row in enumerate(rows_of(centre(), dialect)):
        began, ended = row.change.at, row.end
        before_end = began < end or (dialect.end_inclusive and began == end)
        chosen = {
            "start": start <= began and before_end,
            "overlap": before_end and ended > start,
            "end": start <= ended and (ended < end or (dialect.end_inclusive and ended == end)),
        }[dialect.selection]
        needs_end = dialect.open_records == "hidden" or dialect.selection == "end"
        if chosen and began <= seen and (ended <= seen or not needs_end):
            expected.append(number)
    assert index(dialect).select(start, end, seen) == expected


@QUICK
@given(start=instants, length=lengths, first=instants, later=st.integers(0, 6 * HOUR))
def test_records_only_ever_gain_what_was_unknown(start: int, length: int, first: int, later: int) -> None:
    """If this failed, a record read once would later contradict itself."""
    found = index(Dialect())
    old = {row["eventId"]: row for row in rows(found, start, start + length, first)}
    new = {row["eventId"]: row for row in rows(found, start, start + length, first + later)}
    assert set(old) <= set(new)
    for event_id, row in old.items():
        for name in set(row) - {"transfers"}:
            assert new[event_id][name] == row[name]
        starts = [item["transferStartTimestamp"] for item in row.get("transfers", [])]
        assert starts == [item["transferStartTimestamp"] for item in new[event_id].get("transfers", [])][: len(starts)]


@QUICK
@given(start=instants, length=lengths, seen=instants)
def test_nothing_from_the_future_is_told(start: int, length: int, seen: int) -> None:
    """If this failed, the feed would know what has not happened."""
    for row in rows(index(Dialect()), start, start + length, seen):
        times = [row["start"], row.get("end"), row["loginTimestamp"]]
        for item in row.get("transfers", []):
            times += [item["transferStartTimestamp"], item.get("transferEndTimestamp")]
        assert all(text is None or text <= iso(seen) for text in times)


@QUICK
@given(start=instants, length=lengths, knobs=faults)
def test_faults_disturb_but_do_not_invent(start: int, length: int, knobs: Faults) -> None:
    """If this failed, faults would change what is true and not only how it is told."""
    found = faulty_index()
    found.set_faults(Faults())
    clean = found.select(start, start + length, NEVER // 2)
    found.set_faults(knobs)
    served = found.select(start, start + length, NEVER // 2)
    assert found.select(start, start + length, NEVER // 2) == served
    assert set(served) == set(clean)
    assert set(Counter(served).values()) <= ({1, 2} if knobs.duplicate_rows else {1})
    if not knobs.shuffled and not knobs.duplicate_rows:
        assert served == clean


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10_000), agents=st.integers(1, 15), hours=st.integers(1, 47))
def test_the_feed_tells_the_truth(seed: int, agents: int, hours: int) -> None:
    """If this failed, feed and truth would disagree on who was doing what."""
    played = Centre.simulate(seed, agents, FIRST, 2)
    seen = BEGIN + hours * HOUR + 7 * SECOND
    live: dict[str, list[tuple[int, int]]] = {}
    for part in played.participations:
        live.setdefault(part.agent.agent_id, []).append((part.joined, NEVER if part.left is None else part.left))
    for row in rows_of(played, Dialect()):
        if not row.change.at <= seen < row.end:
            continue
        agent = row.change.session.agent
        told = json.loads(Writer(played, Dialect()).write(row, seen))
        items = sum(sum(entry["channels"].values()) for entry in told["capacity"])
        assert items == sum(a <= seen < b for a, b in live.get(agent.agent_id, []))
        assert told["agentName"] == agent.name
        said = [fact for fact in played.presences[agent.number] if fact.at <= seen]
        assert (told["presence"] == "ready") == said[-1].ready
        assert told.get("reasonName") == (said[-1].reason.name if said[-1].reason else None)
