"""What each agent intends to do on each day: when to sign in, pause, and leave.

What belongs here: shift plans, drawn from a generator seeded by (seed, agent, day), so
that a longer simulation only appends days.  What does not: what then really happens,
which depends on the work that arrives (`floor.py`).
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from simulator.facts import DAY, HOUR, MINUTE, SECOND, Agent, Reason, day_start
from simulator.people import (
    BREAK,
    COACHING,
    END_OF_SHIFT,
    LUNCH,
    MEETING,
    PERSONAL,
    TRAINING,
)

# Hours UTC of the earliest and latest planned start, and the length in hours.
_KINDS: Final = {
    "day": (6.0, 9.0, 8.5),
    "late": (12.0, 15.0, 8.5),
    "night": (21.5, 22.5, 8.0),
    "midnight": (0.0, 0.0, 6.0),
    "part": (8.0, 14.0, 4.5),
}
_DAYS_OFF_IN_SEVEN: Final = 2
_FORGETS: Final = 0.03
_FORGETS_WHILE_AWAY: Final = 0.6
_SIGNS_IN_TWICE: Final = 0.05
_SLOW_BOOT: Final = 0.05
# Pauses that not every shift has: chance, place in the shift (share), length in minutes.
_LEARNS: Final = (0.35, 0.12, 25)
_STEPS_OUT: Final = (0.5, 0.65, 6)
_SAYS_NOTHING: Final = (0.4, 0.9, 3)
_LONG_SHIFT: Final = 6 * HOUR


@dataclass(frozen=True, slots=True)
class Pause:
    """A planned stretch of not being ready (start and length in milliseconds)."""

    at: int
    length: int
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class Shift:
    """One planned session (instants and lengths in milliseconds).

    `forgets` says that the agent walks away signed in, ready or not; the platform then
    drops the session at `dropped_at`, or `cleared_before` the next sign-in.
    """

    starts: int
    ends: int
    boot: int
    settle: int
    pauses: tuple[Pause, ...]
    tidy: int
    off_reason: Reason | None
    forgets: Literal["ready", "away"] | None
    dropped_at: int
    cleared_before: int


def shifts(seed: int, agent: Agent, day: date) -> list[Shift]:
    """Return the sessions of the shift that begins on a UTC day, none on a day off."""
    if (agent.number * 3 + day.toordinal()) % 7 < _DAYS_OFF_IN_SEVEN:
        return []
    rng = random.Random(f"{seed}/shift/{agent.number}/{day.isoformat()}")
    first, last, hours = _KINDS[agent.shift_kind]
    # Planned starts are the agent's habit, not the day's whim.
    habit = first + (last - first) * (agent.node % 7) / 6
    starts = day_start(day) + int(habit * HOUR) + _lateness(rng, agent, day)
    ends = starts + int(hours * HOUR) + rng.randint(-10 * MINUTE, 10 * MINUTE)
    if rng.random() >= _SIGNS_IN_TWICE:
        return [_shift(rng, starts, ends, day)]
    middle = starts + (ends - starts) // 2 + rng.randint(-HOUR, HOUR)
    back = middle + rng.randint(20 * SECOND, 4 * MINUTE)
    before = _shift(rng, starts, middle, day, may_forget=False)
    return [before, _shift(rng, back, ends, day)]


def _lateness(rng: random.Random, agent: Agent, day: date) -> int:
    """Return milliseconds after the planned start; exact midnights are worth having."""
    drawn = rng.randint(0, 6 * MINUTE)
    if agent.shift_kind != "midnight":
        return drawn
    return 0 if day.toordinal() % 2 == 0 else drawn % SECOND


def _shift(rng: random.Random, starts: int, ends: int, day: date, *, may_forget: bool = True) -> Shift:
    forgets: Literal["ready", "away"] | None = None
    if rng.random() < _FORGETS and may_forget:
        forgets = "away" if rng.random() < _FORGETS_WHILE_AWAY else "ready"
    # Never before the day's own midnight: the day before has been played by then.
    cleared_before = min(rng.choice((0, 0, rng.randint(1, 5 * SECOND))), starts - day_start(day))
    return Shift(
        starts=starts,
        ends=ends,
        boot=rng.randint(400, SECOND) if rng.random() < _SLOW_BOOT else rng.randint(2, 400),
        settle=rng.randint(3 * SECOND, 90 * SECOND),
        pauses=_pauses(rng, starts, ends),
        tidy=rng.randint(300, 20 * SECOND),
        off_reason=rng.choice((END_OF_SHIFT, END_OF_SHIFT, None)),
        forgets=forgets,
        dropped_at=ends + rng.randint(9 * HOUR, DAY - 2 * HOUR),
        cleared_before=cleared_before,
    )


def _pauses(rng: random.Random, starts: int, ends: int) -> tuple[Pause, ...]:
    """Draw breaks in their own slots of the shift, none overlapping another."""
    length = ends - starts
    slots: list[tuple[float, Reason | None, int]] = [(0.25, BREAK, 15)]
    if length > _LONG_SHIFT:
        slots += [(0.48, LUNCH, 35), (0.78, BREAK, 15)]
    for (chance, place, minutes), reasons in (
        (_LEARNS, (TRAINING, COACHING, MEETING)),
        (_STEPS_OUT, (PERSONAL, None)),
        (_SAYS_NOTHING, (None,)),
    ):
        if rng.random() < chance:
            slots.append((place, rng.choice(reasons), minutes))
    drawn = [
        (
            starts + int(length * place) + rng.randint(0, 5 * MINUTE),
            int(minutes * MINUTE * rng.uniform(0.6, 1.1)),
            reason,
        )
        for place, reason, minutes in sorted(slots, key=lambda slot: slot[0])
    ]
    drawn.sort(key=lambda pause: pause[0])
    # In a short shift the slots lie close together: a pause ends before the next begins.
    limits = [at - MINUTE for at, _, _ in drawn[1:]] + [ends]
    return tuple(
        Pause(at, min(wanted, limit - at), reason)
        for (at, wanted, reason), limit in zip(drawn, limits, strict=True)
        if at < limit
    )
