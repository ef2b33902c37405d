"""Sums hold what the timeline says, and the bounds of occupancy what agents truly did, however a poll saw it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.models.huawei import feed_clock, poll
from tests.models.workbench import DAY, Rows, Workbench, at, attempt

BUCKETS = "intermediate.int_agent_buckets"
INTERVALS = "marts.fct_agent_intervals"
BEGIN, END = at("08:00"), at("08:40")
QUARTER = timedelta(minutes=15)
SECOND = timedelta(seconds=1)
MICROSECOND = timedelta(microseconds=1)
WORKING, WAITING, SIGNED_OUT = (5, 7), 4, 2


class Truth(NamedTuple):
    """What an agent did from ``start`` on, in the gateway's codes."""

    start: datetime
    state: int


class Agent(NamedTuple):
    """What an agent truly did, and when the gateway was asked; ``None`` of an answer is an error."""

    did: list[Truth]
    polled: list[tuple[datetime, bool]]

    def doing(self, moment: datetime) -> int:
        """The state at an instant."""
        return max(truth for truth in self.did if truth.start <= moment).state

    def spent(self, start: datetime, end: datetime, *states: int) -> float:
        """Seconds between two instants in these states."""
        starts = [truth.start for truth in self.did]
        spans = zip(self.did, [*starts[1:], END], strict=True)
        cut = [(max(t.start, start), min(until, end)) for t, until in spans if t.state in states]
        return sum(((b - a).total_seconds() for a, b in cut if b > a), 0.0)


# No state is shorter than two polls are apart: one that is, nobody can see (docs/metrics.md, Bounds).
lives = st.lists(
    st.tuples(st.integers(12, 60) | st.integers(12, 900), st.sampled_from([4, 7, 5, 3, 2])), min_size=1, max_size=15
)


def lived(life: Sequence[tuple[int, int]], chance: Random) -> list[Truth]:
    """What an agent does for so many seconds each, and then on. Nothing changes after the last poll."""
    did, now = [Truth(at("00:00"), SIGNED_OUT)], BEGIN + chance.uniform(0, 20) * SECOND
    for seconds, state in life:
        if now > END - 20 * SECOND:
            break
        if state != did[-1].state:
            did.append(Truth(now, state))
        now += (seconds + chance.random()) * SECOND
    return did


def asked(chance: Random) -> list[tuple[datetime, bool]]:
    """Polls every five seconds or so, some of them late, lost or answered with an error."""
    now, polled = BEGIN - chance.uniform(1, 6) * SECOND, []
    while now < END - SECOND:
        polled.append((now, chance.random() > 0.02))
        now += (70 if chance.random() < 0.01 else chance.choice([5.0, 5.0, 5.0, chance.uniform(4, 9.9)])) * SECOND
    return [*polled, (END - SECOND, True), (END, True)]


def agent_of(life: Sequence[tuple[int, int]], seed: int) -> Agent:
    """An agent, and when the gateway was asked about them."""
    chance = Random(seed)
    return Agent(lived(life, chance), asked(chance))


agents = st.builds(agent_of, lives, st.integers(0, 999))


def seen(agent: Agent, name: str) -> list[dict[str, Any]]:
    """The gateway's answers."""
    answers = ((moment, agent.doing(moment) if fine else None) for moment, fine in agent.polled)
    return [
        {**poll("08:00", state, name), "requested_at": moment, "received_at": moment, "date": DAY}
        for moment, state in answers
    ]


def intervals(bench: Workbench, found: Sequence[Agent]) -> Rows:
    """What is made of the answers about these agents, who are called by their numbers."""
    clock = {**feed_clock("agent_status"), "observed_until": END, "requested_until": END, "uncertainty_seconds": 5.0}
    watched = {**attempt("00:00", "08:40", "08:41"), "source": "hw", "feed": "agent_status"}
    rows = [row for number, agent in enumerate(found) for row in seen(agent, str(number))]
    chain = bench.chain([DAY], INTERVALS, [clock], stg_huawei__agent_status=rows, attempts=[watched])
    return chain.rows(INTERVALS, "interval_start >= '2026-11-03 07:45:00+00'")


def bounds(rows: Sequence[dict[str, Any]]) -> tuple[float, float] | None:
    """``occupancy_low`` and ``occupancy_high`` of the sum of these rows; none without any time in them."""
    worked, waited, unobserved, doubt = (
        sum((row[f"{name}_seconds"] for row in rows for name in names), 0.0)
        for names in (("handling", "wrap_up"), ("available",), ("unobserved",), ("uncertainty",))
    )
    whole = worked + waited + unobserved
    return (max(worked - doubt, 0) / whole, min(worked + unobserved + doubt, whole) / whole) if whole else None


def true_occupancy(found: Sequence[Agent], rows: Sequence[dict[str, Any]]) -> float | None:
    """What the occupancy of these buckets of agents really was."""
    worked = waited = 0.0
    for row in rows:
        agent, start = found[int(row["agent_id"])], row["interval_start"]
        worked += agent.spent(start, start + QUARTER, *WORKING)
        waited += agent.spent(start, start + QUARTER, WAITING)
    return worked / (worked + waited) if worked + waited else None


STATES = ("available", "handling", "wrap_up", "not_ready", "offline", "unobserved")
tilings = st.lists(
    st.tuples(st.integers(1, 4_000_000_000), st.sampled_from(STATES), st.integers(0, 3)), min_size=1, max_size=8
)


@settings(max_examples=15)
@given(tiling=tilings, data=st.data())
def test_buckets_hold_each_microsecond_once_however_the_timeline_is_cut_and_ordered(
    bench: Workbench, tiling: list[tuple[int, str, int]], data: st.DataObject
) -> None:
    """If this fails, time is lost or counted twice at some edge, or depends on how records were delivered."""
    whole, pieces, now = [], [], BEGIN
    for length, state, items in tiling:
        end = now + length * MICROSECOND
        cut = now + data.draw(st.integers(0, length)) * MICROSECOND
        row = {"source": "cx", "agent_id": "ann", "state": state, "work_items": items, "uncertainty_seconds": 0.0}
        whole.append({**row, "started_at": now, "ended_at": end})
        pieces += [{**row, "started_at": a, "ended_at": b} for a, b in ((now, cut), (cut, end)) if b > a]
        now = end
    rows = bench.run(BUCKETS, fct_agent_timeline=whole)
    for state in STATES:
        assert sum(row[f"{state}_us"] for row in rows) == sum(length for length, name, _ in tiling if name == state)
    assert sum(row["work_item_us"] for row in rows) == sum(length * items for length, _, items in tiling)
    lengths = [sum(row[f"{state}_us"] for state in STATES) for row in rows]
    assert lengths[1:-1] == [900_000_000] * len(lengths[1:-1])
    assert bench.run(BUCKETS, fct_agent_timeline=data.draw(st.permutations(pieces))) == rows


@settings(max_examples=5)
@given(found=st.lists(agents, min_size=1, max_size=6), data=st.data())
def test_the_true_occupancy_of_any_sum_of_buckets_lies_in_its_bounds(
    bench: Workbench, found: list[Agent], data: st.DataObject
) -> None:
    """If this fails, the bounds promise more than a polled feed can know."""
    rows = intervals(bench, found)
    some = data.draw(st.lists(st.sampled_from(rows), unique_by=lambda row: (row["agent_id"], row["interval_start"])))
    by_agent = [[row for row in rows if row["agent_id"] == str(number)] for number in range(len(found))]
    for picked in (*([row] for row in rows), *by_agent, some, rows):
        edges, true = bounds(picked), true_occupancy(found, picked)
        if edges and true is not None:
            assert edges[0] - 1e-9 <= true <= edges[1] + 1e-9
    assert any(row["uncertainty_seconds"] for row in rows) or not any(agent.did[1:] for agent in found)
