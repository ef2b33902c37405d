"""What the centre's planners wrote down beforehand: who is to do what and when, in round quarters of an hour.

What belongs here: the plan as a workforce management system would export it.  What does
not: what each agent intends on the day (`plan.py`), which is late, early and longer, and
what then happens (`floor.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from simulator.facts import MINUTE, Agent
from simulator.plan import Pause, shifts

WORK: Final = "On Queue"
_GRID: Final = 15 * MINUTE
_NAMELESS: Final = (None, "Personal")


@dataclass(frozen=True, slots=True)
class Planned:
    """A stretch of an agent's shift (instants in milliseconds UTC)."""

    agent: Agent
    starts: int
    ends: int
    activity: str


def planned(seed: int, agent: Agent, first: date, days: int) -> Iterator[Planned]:
    """Yield what is planned for an agent for the shifts that begin on some UTC days, in order, never overlapping."""
    done = 0
    for number in range(days):
        sessions = shifts(seed, agent, first + timedelta(days=number))
        if sessions:
            pauses = [pause for session in sessions for pause in session.pauses]
            for row in _shift(agent, max(_round(sessions[0].starts), done), _round(sessions[-1].ends), pauses):
                done = row.ends
                yield row


def _shift(agent: Agent, starts: int, ends: int, pauses: list[Pause]) -> Iterator[Planned]:
    at = starts
    for pause in sorted(pauses, key=lambda pause: pause.at):
        name = pause.reason.name if pause.reason else None
        begins = _round(pause.at)
        until = min(begins + max(_GRID, _round(pause.length)), ends)
        if name in _NAMELESS or not at <= begins < until:
            continue
        if begins > at:
            yield Planned(agent, at, begins, WORK)
        yield Planned(agent, begins, until, str(name))
        at = until
    if at < ends:
        yield Planned(agent, at, ends, WORK)


def _round(at: int) -> int:
    return (at + _GRID // 2) // _GRID * _GRID
