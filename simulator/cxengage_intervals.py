"""CxEngage's figures of agents in quarters of an hour: what they are, and the open questions about them.

What belongs here: the sums of each agent and quarter out of what people did, by an
arithmetic of their own, and how one row of them is written.  What does not: the state
records, which these figures are a second opinion on, and the endpoint (`cxengage_wfm.py`).
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Final, Literal

from simulator import truth
from simulator.centre import Centre
from simulator.facts import MINUTE, SECOND, Agent, iso

QUARTER: Final = 15 * MINUTE
# The documents' sample of an interval's id is a UUIDv5: made of a name, so the same whenever one asks.
_NAMES: Final = uuid.UUID("3f0d7f3e-5a55-5d0c-8b0a-6f2b1c9d4e77")


@dataclass(frozen=True)
class IntervalDialect:
    """How to read what the vendor's documents leave open about intervals; the defaults are our best guess.

    permitted: whether the account's role has the permission WFM_HISTORICAL; without it, 403.
    delay_seconds, max_range_seconds: documented as 10 minutes and 7 days.
    range_error_status: what a request outside those limits gets.
    default_limit, max_limit: rows of a page if none were asked for, and at most; the sample says 1000.
    span: a row is of a 'quarter' of an hour, as the text says, or of the whole 'range'
        asked for, as the sample shows.
    results: an 'array', or the bare 'object' when there is but one row, as the sample shows.
    working_times: busyTime and idleTime are 'given', or 'null' as in the sample (of queues), or 'absent'.
    attribution: conversation and wrap-up count where they 'elapsed', or whole where they 'ended'.
    unit: of all times; other endpoints of the platform give seconds with decimals.
    absent_agents: who was not signed in for a moment of the interval is 'omitted', or has 'zero' figures.
    """

    permitted: bool = True
    delay_seconds: float = 600.0
    max_range_seconds: float = 7 * 86_400.0
    range_error_status: int = 400
    default_limit: int = 1000
    max_limit: int = 1000
    span: Literal["quarter", "range"] = "quarter"
    results: Literal["array", "object"] = "array"
    working_times: Literal["given", "null", "absent"] = "given"
    attribution: Literal["elapsed", "ended"] = "elapsed"
    unit: Literal["seconds", "milliseconds"] = "seconds"
    absent_agents: Literal["omitted", "zero"] = "omitted"


@dataclass(slots=True)
class Figures:
    """Sums of one agent in one interval (times in milliseconds).

    busy: with any work in hand.  idle: ready, with none.  wrap_up: not ready for work after
    a call, with none in hand.  conversation: over all pieces of work, however many at once.
    wrapped_up, conversed: the same, whole where they ended.  answered, handled: pieces of
    work begun and ended.
    """

    signed_in: int = 0
    busy: int = 0
    idle: int = 0
    wrap_up: int = 0
    conversation: int = 0
    wrapped_up: int = 0
    conversed: int = 0
    answered: int = 0
    handled: int = 0

    def add(self, other: Figures) -> None:
        """Add another interval's sums."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


@dataclass(frozen=True, slots=True)
class Interval:
    """One row: an agent's figures from `start` up to `end` (milliseconds UTC)."""

    agent: Agent
    start: int
    end: int
    figures: Figures

    @property
    def name(self) -> str:
        """Return what tells this row from all others."""
        return f"{self.agent.agent_id}/{self.start}/{self.end}"


class IntervalIndex:
    """All quarters of a centre's agents, summed when first asked for."""

    def __init__(self, centre: Centre) -> None:
        """Sum a centre's work, later."""
        self._centre = centre
        self._quarters: dict[tuple[int, int], Figures] | None = None
        self._lock = threading.Lock()

    def quarters(self, start: int, end: int, *, everybody: bool) -> list[Interval]:
        """Return the rows from one quarter-hour mark up to another, by time and agent.

        Who was not signed in within a quarter has a row of zeros in it if `everybody` is asked for.
        """
        sums = self._sums()
        rows = []
        for quarter in range(start, end, QUARTER):
            for agent in self._centre.agents:
                figures = sums.get((quarter, agent.number), Figures())
                if everybody or figures.signed_in > 0:
                    rows.append(Interval(agent, quarter, quarter + QUARTER, figures))
        return rows

    def whole(self, start: int, end: int, *, everybody: bool) -> list[Interval]:
        """Return one row for each agent, of everything from one quarter-hour mark up to another."""
        rows: dict[int, Interval] = {}
        for quarter in self.quarters(start, end, everybody=everybody):
            row = rows.setdefault(quarter.agent.number, Interval(quarter.agent, start, end, Figures()))
            row.figures.add(quarter.figures)
        return [rows[number] for number in sorted(rows)]

    def _sums(self) -> dict[tuple[int, int], Figures]:
        with self._lock:
            if self._quarters is None:
                self._quarters = _summed(self._centre)
            return self._quarters


def _summed(centre: Centre) -> dict[tuple[int, int], Figures]:
    numbers = {agent.agent_id: agent.number for agent in centre.agents}
    sums: dict[tuple[int, int], Figures] = {}

    def of(at: int, number: int) -> Figures:
        return sums.setdefault((at - at % QUARTER, number), Figures())

    states = truth.agent_states(centre.agents, centre.sessions, centre.presences, centre.participations, centre.ends)
    for number, begun, ended, state in _stretches(states, numbers):
        for at, length in _split(begun, ended):
            figures = of(at, number)
            figures.signed_in += length
            figures.busy += length if state == "handling" else 0
            figures.idle += length if state == "available" else 0
            figures.wrap_up += length if state == "wrap_up" else 0
        if state == "wrap_up":
            of(ended - 1, number).wrapped_up += ended - begun
    for part in centre.participations:
        number = part.agent.number
        of(part.joined, number).answered += 1
        for at, length in _split(part.joined, centre.ends if part.left is None else part.left):
            of(at, number).conversation += length
        if part.left is not None:
            last = of(part.left - 1, number)
            last.handled += 1
            last.conversed += part.left - part.joined
    return sums


def _stretches(states: Iterable[truth.Row], numbers: dict[str, int]) -> Iterator[tuple[int, int, int, str]]:
    """Yield number, begin, end and state of each signed-in stretch, out of the rows of the truth."""
    for row in states:
        agent_id, _, begun, ended, state = row[:5]
        if state != "offline" and isinstance(begun, int) and isinstance(ended, int):
            yield numbers[str(agent_id)], begun, ended, str(state)


def _split(begun: int, ended: int) -> Iterator[tuple[int, int]]:
    """Yield where a stretch begins in each quarter it touches, and how long it lasts there."""
    while begun < ended:
        upto = min(ended, begun - begun % QUARTER + QUARTER)
        yield begun, upto - begun
        begun = upto


def row_of(interval: Interval, tenant_id: str, dialect: IntervalDialect, altered: int = 0) -> dict[str, object]:
    """Return a row as the API writes it; `altered` milliseconds of idleness pass for work.

    The documents name the fields for queues; those of agents are named alike here.  What a
    centre does not write down, as how long it rang, is left out.
    """
    agent, figures = interval.agent, interval.figures
    whole = dialect.attribution == "ended"
    wrap_up = figures.wrapped_up if whole else figures.wrap_up
    conversation = (figures.conversed if whole else figures.conversation) + altered
    average = (conversation + wrap_up) / figures.handled if figures.handled else 0

    def time(value: float) -> float:
        return round(value) if dialect.unit == "milliseconds" else round(value / SECOND, 3)

    row: dict[str, object] = {
        "tenantId": tenant_id,
        "agentIntervalId": str(uuid.uuid5(_NAMES, interval.name)),
        "agentId": agent.agent_id,
        "platformAgentId": agent.platform_agent_id,
        "agentName": agent.name,
        "startTimestamp": iso(interval.start),
        "endTimestamp": iso(interval.end),
        "offeredCallCount": figures.answered,
        "answeredCallCount": figures.answered,
        "handledCallCount": figures.handled,
        "conversationTime": time(conversation),
        "wrapUpTime": time(wrap_up),
        "agentWrapUpTime": time(wrap_up),
        "avgHandleTime": time(average),
    }
    if dialect.working_times == "given":
        row |= {"busyTime": time(figures.busy + altered), "idleTime": time(max(0, figures.idle - altered))}
    elif dialect.working_times == "null":
        row |= {"busyTime": None, "idleTime": None}
    return row
