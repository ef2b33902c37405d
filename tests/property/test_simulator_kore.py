"""Properties of the simulated agent activity that must hold for any centre, window, dialect and fault."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, date, datetime
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.centre import Centre
from simulator.facts import HOUR, MINUTE, millis
from simulator.faults import Faults
from simulator.kore_auth import RateLimit, claims_of
from simulator.kore_events import Event, EventIndex, KoreDialect, events_of

FIRST = date(2026, 3, 2)
BEGIN = millis(datetime(2026, 3, 2, tzinfo=UTC))
LATER = BEGIN + 400 * HOUR
QUICK = settings(max_examples=60, deadline=None)

instants = st.integers(BEGIN, BEGIN + 48 * HOUR)
faults = st.builds(
    Faults,
    seed=st.integers(0, 1000),
    duplicate_rows=st.sampled_from([0.0, 0.2]),
    late_rows=st.sampled_from([0.0, 0.3]),
    late_seconds=st.floats(1, 900),
    shuffled=st.booleans(),
)
dialects = st.builds(
    KoreDialect,
    event_zone=st.sampled_from(["UTC", "America/New_York", "Asia/Kathmandu"]),
    padded=st.booleans(),
    names=st.sampled_from(["pascal", "camel"]),
    empty=st.sampled_from(["list", "null", "absent"]),
    no_reason=st.sampled_from(["empty", "null", "absent"]),
    with_busy=st.booleans(),
)


@cache
def centre() -> Centre:
    """Play a small centre once."""
    return Centre.simulate(31, 12, FIRST, 2)


def index(dialect: KoreDialect) -> EventIndex:
    """Index that centre in a dialect."""
    names = {agent.agent_id: f"a-{agent.number}" for agent in centre().agents}
    return EventIndex(centre().agents, centre(), names, dialect)


@cache
def plain() -> EventIndex:
    """Index that centre as documented."""
    return index(KoreDialect())


@QUICK
@given(edges=st.lists(instants, min_size=2, max_size=6).map(sorted))
def test_neighbouring_windows_partition_time(edges: list[int]) -> None:
    """If this failed, half-open windows would share or lose updates."""
    pieces = [event for a, b in pairwise(edges) for event in plain().select(a, b, LATER, Faults())]
    assert pieces == plain().select(edges[0], edges[-1], LATER, Faults())


@QUICK
@given(start=instants, length=st.integers(0, 6 * HOUR), now=instants, later=st.integers(0, HOUR), knobs=faults)
def test_what_was_told_stays_told(start: int, length: int, now: int, later: int, knobs: Faults) -> None:
    """If this failed, an update read once would be gone when read again."""
    early = Counter(plain().select(start, start + length, now, knobs))
    late = Counter(plain().select(start, start + length, now + later, knobs))
    assert early <= late
    assert all(event.at < now for event in early)


@QUICK
@given(start=instants, length=st.integers(0, 6 * HOUR), knobs=faults)
def test_faults_disturb_but_do_not_invent(start: int, length: int, knobs: Faults) -> None:
    """If this failed, faults would change what is true and not only how it is told."""
    clean = plain().select(start, start + length, LATER, Faults())
    served = plain().select(start, start + length, LATER, knobs)
    assert served == plain().select(start, start + length, LATER, knobs)
    assert set(served) == set(clean)
    if not knobs.shuffled and knobs.duplicate_rows == 0:
        assert served == clean


@QUICK
@given(start=instants, length=st.integers(0, 3 * HOUR), dialect=dialects)
def test_every_dialect_tells_the_same(start: int, length: int, dialect: KoreDialect) -> None:
    """If this failed, some dialect would say something else, not only say it otherwise."""
    found = index(dialect)
    events = found.select(start, start + length, LATER, Faults())
    told = json.loads(found.page("account", events))
    rows = told.get("AgentUpdates" if dialect.names == "pascal" else "agentUpdates") or []
    assert len(rows) == len(events)
    pascal = [{name[0].upper() + name[1:]: value for name, value in row.items()} for row in rows]
    for row, event in zip(pascal, events, strict=True):
        local = datetime.strptime(row["EventTime"], "%m/%d/%Y %H:%M:%S").replace(tzinfo=ZoneInfo(dialect.event_zone))
        assert millis(local) == event.at // 1000 * 1000
        assert (row["AgentId"], row["Activity"]) == (f"a-{event.agent.number}", event.activity)
        assert (row.get("ReasonCode") or None) == event.code


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), agents=st.integers(1, 12), moment=instants)
def test_conversations_told_are_conversations_held(seed: int, agents: int, moment: int) -> None:
    """If this failed, an account that reports conversations would contradict the truth."""
    played = Centre.simulate(seed, agents, FIRST, 2)
    last: dict[int, Event] = {}
    for event in events_of(played.agents, played, KoreDialect(with_busy=True)):
        if event.at <= moment:
            last[event.agent.number] = event
    busy = {number for number, event in last.items() if event.activity == "busy"}
    live = [p for p in played.participations if p.joined <= moment and (p.left is None or p.left > moment)]
    assert busy == {part.agent.number for part in live}


@QUICK
@given(seed=st.integers(0, 10_000), agents=st.integers(1, 6))
def test_one_agent_never_repeats_a_state(seed: int, agents: int) -> None:
    """If this failed, changes would be told that are none."""
    played = Centre.simulate(seed, agents, FIRST, 1)
    for agent in played.agents:
        told = [(e.activity, e.code) for e in events_of((agent,), played, KoreDialect())]
        assert all(before != after for before, after in pairwise(told))


@QUICK
@given(gaps=st.lists(st.floats(0, 30), max_size=300), limit=st.integers(1, 60))
def test_no_minute_has_more_than_its_requests(gaps: list[float], limit: int) -> None:
    """If this failed, the vendor's limit would be laxer here than there."""
    now = 0.0
    meter = RateLimit(lambda: now)
    passed: list[float] = []
    for gap in gaps:
        now += gap
        if meter.allows(limit):
            passed.append(now)
        else:
            assert sum(now - 60 < then for then in passed) >= limit
        assert sum(now - 60 < then for then in passed) <= limit


@given(token=st.text() | st.from_regex(r"\A[\w-]{0,9}\.[\w-]{0,9}\.[\w-]{0,9}\Z"))
def test_no_made_up_token_is_believed(token: str) -> None:
    """If this failed, nonsense would be let in, or break the server."""
    assert claims_of(token, "secret", 0) is None


@QUICK
@given(event=instants, stack=st.sampled_from([0.0, 30.0, 60.0]))
def test_updates_are_told_within_a_stack(event: int, stack: float) -> None:
    """If this failed, a change would be seen before it was stacked, or later than one stack."""
    found = index(KoreDialect(stack_seconds=stack))
    for told in found.select(event, event + MINUTE, LATER, Faults()):
        step = int(stack * 1000)
        edge = told.at if step == 0 else told.at - told.at % step + step
        assert told not in found.select(event, event + MINUTE, edge - 1, Faults())
        assert told in found.select(event, event + MINUTE, edge, Faults())
