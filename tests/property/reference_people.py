"""Persons and adherence by brute force, written from docs/people.md alone: a second opinion on the SQL.

Slow, in plain Python, instant by instant. Shares no code with the product.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, pairwise

ORDER = ("handling", "wrap_up", "not_ready", "available", "unobserved", "offline")
STAFFED = ORDER[:4]
WORKED = ("handling", "wrap_up", "available")
QUARTER = timedelta(minutes=15)


@dataclass(frozen=True)
class Span:
    """A stretch of time in which one thing was so."""

    start: datetime
    end: datetime
    what: str


def during(spans: Sequence[Span], start: datetime, end: datetime) -> str | None:
    """What was so all the time between two neighbouring edges; None when nothing is said."""
    return next((span.what for span in spans if span.start <= start and end <= span.end), None)


def edges_of(*lists: Sequence[Span]) -> list[tuple[datetime, datetime]]:
    """Stretches between all edges of all of them."""
    return list(pairwise(sorted({moment for spans in lists for s in spans for moment in (s.start, s.end)})))


def person(agents: Sequence[Sequence[Span]]) -> list[tuple[datetime, datetime, str, int]]:
    """Start, end, state and number of staffed agents of one human who is all of these agents."""
    found = []
    for start, end in edges_of(*agents):
        states = [during(spans, start, end) or "unobserved" for spans in agents if spans]
        found.append((start, end, min(states, key=ORDER.index), sum(state in STAFFED for state in states)))
    merged = []
    for (state, staffed), same in groupby(found, key=lambda row: row[2:]):
        rows = list(same)
        merged.append((rows[0][0], rows[-1][1], state, staffed))
    return merged


def adherence(
    plan: Sequence[Span],
    states: Sequence[Span],
    rules: Mapping[tuple[str | None, str], str],
    threshold: timedelta,
) -> dict[datetime, dict[str, timedelta]]:
    """Time by quarter of an hour: scheduled, work, worked, in, out, neutral, observed."""
    cells = []
    for start, end in edges_of(plan, states):
        state, activity = during(states, start, end), during(plan, start, end)
        if state:
            cells.append((start, end, activity, state, rules.get((activity, state), "neutral")))
    found: dict[datetime, dict[str, timedelta]] = {}
    for verdict, same in groupby(cells, key=lambda cell: cell[4]):
        run = list(same)
        forgiven = verdict == "out" and run[-1][1] - run[0][0] < threshold
        for start, end, activity, state, _ in run:
            kinds = {"in" if forgiven else verdict}
            kinds |= {"scheduled"} if activity else set()
            kinds |= {"worked"} if state in WORKED else set()
            kinds |= {"staffed"} if state in STAFFED else set()
            if state != "unobserved":
                kinds |= {"observed"} | ({"work"} if rules.get((activity, "handling")) == "in" else set())
            _add(found, start, end, kinds)
    return {quarter: sums for quarter, sums in found.items() if sums.keys() & {"scheduled", "staffed"}}


def _add(found: dict[datetime, dict[str, timedelta]], start: datetime, end: datetime, kinds: set[str]) -> None:
    while start < end:
        quarter = start - timedelta(minutes=start.minute % 15, seconds=start.second, microseconds=start.microsecond)
        until = min(end, quarter + QUARTER)
        sums = found.setdefault(quarter, {})
        for kind in kinds:
            sums[kind] = sums.get(kind, timedelta(0)) + until - start
        start = until
