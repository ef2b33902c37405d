"""The table macros against plain Python: whatever agents did, whenever it is asked for, in whatever zone."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytz
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.models.macros import QUARTER, Row, ask, quarters, stretch
from tests.models.workbench import DAY, Workbench, at

MICROSECOND = timedelta(microseconds=1)
STATES = ("available", "handling", "wrap_up", "not_ready", "offline", "unobserved")
ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe",
    "America/St_Johns", "America/Santiago", "Pacific/Chatham", "Antarctica/Troll",
)  # fmt: skip
CHANGES = sorted(
    {
        change.replace(tzinfo=UTC)
        for zone in ZONES
        for change in getattr(pytz.timezone(zone), "_utc_transition_times", [])
        if change.year == DAY.year
    }
)

SPRING, AUTUMN = datetime(DAY.year, 3, 29, 1, tzinfo=UTC), datetime(DAY.year, 10, 25, 1, tzinfo=UTC)
"""When the clocks of Berlin go forward, and back."""
LONG = [(40 * 3600 * 10**6, "available", 1)]
"""Waiting through the night before, and the day after."""
lengths = st.integers(1, 9 * 3600 * 10**6) | st.sampled_from([1, 900 * 10**6, 3600 * 10**6])
steps = st.lists(st.tuples(lengths, st.sampled_from(STATES), st.integers(1, 3)), min_size=1, max_size=9)
moments = st.integers(-20 * 3600 * 10**6, 40 * 3600 * 10**6).map(lambda us: at("00:00") + us * MICROSECOND)
spans = st.floats(0.0, 40.0) | st.sampled_from([0.25, 8, 24])


def timeline(agents: Iterable[list[tuple[int, str, int]]], start: datetime) -> list[Row]:
    """What agents did one thing after another, from an instant on."""
    rows: list[Row] = []
    for name, told in zip(("ann", "bob"), agents, strict=True):
        begins = start
        for us, state, items in told:
            end = begins + us * MICROSECOND
            rows += stretch(begins, end, state, name, work_items=items if state == "handling" else 0)
            begins = end
    return rows


def overlap(row: Row, start: datetime, end: datetime) -> int:
    """Microseconds of a row between two instants."""
    shared: timedelta = min(row["ended_at"], end) - max(row["started_at"], start)
    return max(shared // MICROSECOND, 0)


def exact(seconds: float | None) -> int | None:
    """Microseconds of a figure in seconds."""
    return None if seconds is None else round(seconds * 1e6)


def literal(moment: datetime) -> str:
    """An instant as SQL."""
    return f"timestamptz '{moment.isoformat(sep=' ')}'"


def totals(rows: Iterable[Row], start: datetime, end: datetime, *names: str) -> dict[tuple[Any, ...], int]:
    """Microseconds between two instants by agent and these columns, where there are any."""
    sums: dict[tuple[Any, ...], int] = {}
    for row in rows:
        key = (row["agent_id"], *(row[name] for name in names))
        sums[key] = sums.get(key, 0) + overlap(row, start, end)
    return {key: us for key, us in sums.items() if us}


@settings(max_examples=20)
@given(agents=st.tuples(steps, steps), until=moments, hours=spans, least=st.integers(1, 3))
def test_time_is_what_lies_between_the_two_instants(
    bench: Workbench, agents: tuple[Any, Any], until: datetime, hours: float, least: int
) -> None:
    """If this fails, some state is counted twice, not at all, or outside of the hours asked for."""
    rows = timeline(agents, at("-1d 10:00"))
    start = until - round(hours * 3.6e9) * MICROSECOND
    observed = totals([row for row in rows if row["state"] != "unobserved"], start, until)
    busy = totals([row for row in rows if row["work_items"] >= least], start, until)
    found = ask(bench, f"time_in_state({hours!r}, {literal(until)})", rows)
    assert {(r["agent_id"], r["state"]): exact(r["seconds"]) for r in found} == totals(rows, start, until, "state")
    assert all(exact(r["observed_seconds"]) == observed.get((r["agent_id"],), 0) for r in found)
    found = bench.query(f"from time_with_sessions({least}, {hours!r}, {literal(until)})")
    assert {(r["agent_id"],): exact(r["seconds"]) for r in found if r["seconds"]} == busy
    assert {(r["agent_id"],): exact(r["observed_seconds"]) for r in found if r["observed_seconds"]} == observed
    assert len(found) == (2 if until > at("-1d 10:00") else 0)


@settings(max_examples=20)
@given(agents=st.tuples(steps, steps), until=moments)
def test_a_state_is_found_and_followed_back_to_where_it_began(
    bench: Workbench, agents: tuple[Any, Any], until: datetime
) -> None:
    """If this fails, an agent is shown in a state that they were not in, or in it for another time."""
    rows = timeline(agents, at("-1d 10:00"))
    covering = [row for row in rows if row["started_at"] <= until < row["ended_at"]]
    found = ask(bench, f"agent_state_at({literal(until)})", rows)
    assert [(r["agent_id"], r["state"], r["started_at"]) for r in found] == [
        (row["agent_id"], row["state"], row["state_started_at"]) for row in covering
    ]
    ages = {r["agent_id"]: r for r in bench.query(f"from current_state_age({literal(until)})")}
    for row in covering:
        since = row["started_at"]
        for earlier in reversed([r for r in rows if r["agent_id"] == row["agent_id"] and r["started_at"] < until]):
            if earlier["state"] != row["state"]:
                break
            since = earlier["started_at"]
        age = ages[row["agent_id"]]
        assert (age["state"], age["since"]) == (row["state"], since)
        assert exact(age["seconds"]) == (until - since) // MICROSECOND


@settings(max_examples=20)
@given(
    until=moments,
    hours=spans,
    least=st.integers(1, 3),
    told=st.lists(st.tuples(st.integers(-30, 30), st.integers(0, 600)), max_size=8),
)
def test_interactions_at_once_are_counted_at_every_instant(
    bench: Workbench, until: datetime, hours: float, least: int, told: list[tuple[int, int]]
) -> None:
    """If this fails, two calls one after the other count as two at once, or two at once as one."""
    stays: list[dict[str, Any]] = [
        {"date": (at("00:00") + timedelta(hours=hour)).date(), "source": "cx", "agent_id": "ann",
         "interaction_id": str(number), "joined_at": at("00:00") + timedelta(hours=hour),
         "left_at": at("00:00") + timedelta(hours=hour, minutes=minutes)}
        for number, (hour, minutes) in enumerate(told)
    ]  # fmt: skip
    start = until - round(hours * 3.6e9) * MICROSECOND
    edges = sorted({start, until, *(min(max(s[e], start), until) for s in stays for e in ("joined_at", "left_at"))})
    expected = sum(
        (end - begin) // MICROSECOND
        for begin, end in pairwise(edges)
        if sum(s["joined_at"] <= begin and s["left_at"] >= end for s in stays) >= least
    )
    rows = list(stretch(at("-9d 00:00"), at("-9d 01:00")))
    [found] = ask(bench, f"time_with_sessions({least}, {hours!r}, {literal(until)})", rows, stays, lacks=["load"])
    assert exact(found["seconds"]) == expected
    [found] = bench.query(f"from sessions_participated({hours!r}, {literal(until)})")
    assert found["sessions"] == sum(
        start <= s["joined_at"] < until or (s["joined_at"] < until and s["left_at"] > start) for s in stays
    )


@settings(max_examples=30)
@given(
    zone=st.sampled_from(ZONES),
    told=steps,
    start=st.sampled_from(CHANGES) | moments,
    grain=st.sampled_from([15, 30, 60, 1440]),
    cut=st.tuples(st.integers(-30, 30), st.integers(0, 40)),
)
@example(zone="Europe/Berlin", told=LONG, start=SPRING, grain=60, cut=(-8, 12))
@example(zone="Europe/Berlin", told=LONG, start=SPRING, grain=1440, cut=(-30, 40))
@example(zone="Europe/Berlin", told=LONG, start=AUTUMN, grain=15, cut=(-8, 12))
@example(zone="Europe/Berlin", told=LONG, start=AUTUMN, grain=1440, cut=(-30, 40))
def test_local_intervals_hold_what_the_clocks_of_the_zone_show(
    bench: Workbench, zone: str, told: Any, start: datetime, grain: int, cut: tuple[int, int]
) -> None:
    """If this fails, time is shown under another local hour or day than it passed in, or a day is not its intervals."""
    rows = timeline((told, []), start - timedelta(hours=12))
    begin = start + cut[0] * QUARTER
    end = begin + timedelta(hours=cut[1])
    expected: dict[tuple[datetime, str], int] = {}
    for row in rows:
        bucket = datetime.fromtimestamp(row["started_at"].timestamp() // 900 * 900, UTC)
        while bucket < row["ended_at"] and row["state"] == "available":
            first = first_quarter(bucket, zone, grain)
            if begin <= first < end and (us := overlap(row, bucket, bucket + QUARTER)):
                key = (first, first.astimezone(pytz.timezone(zone)).isoformat(timespec="minutes"))
                expected[key] = expected.get(key, 0) + us
            bucket += QUARTER
    call = f"agent_intervals({grain}, '{zone}', {literal(begin)}, {literal(end)})"
    found = ask(bench, call, intervals=quarters(rows))
    assert {
        (r["interval_start"], r["local_label"]): exact(r["available_seconds"]) for r in found if r["available_seconds"]
    } == expected
    for r in found:
        assert first_quarter(r["interval_end"] - QUARTER, zone, grain) == r["interval_start"]
        assert first_quarter(r["interval_end"], zone, grain) == r["interval_end"]


def first_quarter(bucket: datetime, zone: str, grain: int) -> datetime:
    """The start of the interval that a quarter-hour lies in: as far back as the clocks show the same interval."""

    def shown(quarter: datetime) -> tuple[Any, ...]:
        local = quarter.astimezone(pytz.timezone(zone))
        if grain == 1440:
            return (local.date(),)
        return (local.date(), (local.hour * 60 + local.minute) // grain, local.utcoffset())

    first = bucket
    while shown(first - QUARTER) == shown(bucket):
        first -= QUARTER
    return first
