"""The work that arrives at a simulated centre on each day, and how each item will go.

What belongs here: arrivals by hour, channel and team, with every length and transfer
wish drawn in advance from a generator seeded by (seed, team, day).  What does not: who
handles them, which the floor decides without any chance of its own.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from simulator.facts import HOUR, MINUTE, SECOND, VOICE, Direction, day_start, time_uuid
from simulator.faults import share
from simulator.people import random_uuid

# Share of the payroll on duty per UTC hour; arrivals follow it, as planners would have it.
_ON_DUTY: Final = (
    0.07, 0.07, 0.07, 0.07, 0.07, 0.07, 0.12, 0.24, 0.36, 0.42, 0.42, 0.42,
    0.46, 0.52, 0.56, 0.52, 0.40, 0.30, 0.27, 0.25, 0.24, 0.22, 0.16, 0.10,
)  # fmt: skip
# Per channel: arrivals per agent on duty and hour, mean handling and patience in seconds.
_VOLUME: Final = (
    (6.2, 215, 90),
    (2.4, 420, 300),
    (1.1, 480, 3_600),
    (0.7, 300, 900),
    (0.15, 600, 3_600),
)
_OUTBOUND: Final = 0.12
_MEAN_WRAP_UP: Final = 40
# Cumulative chances of the transfer wishes of a contact.
_WISHES: Final[tuple[tuple[float, tuple[str, ...]], ...]] = (
    (0.006, ("stranger",)),
    (0.026, ("agent", "back")),
    (0.038, ("agent", "agent", "agent")),
    (0.044, ("agent", "back", "agent")),
    (0.110, ("agent",)),
)


@dataclass(frozen=True, slots=True)
class Leg:
    """A wish to hand the contact on after `talk`, taking `handover` (milliseconds)."""

    to: Literal["agent", "back", "stranger"]
    talk: int
    handover: int
    stranger_id: str


@dataclass(frozen=True, slots=True)
class Contact:
    """One item of work and all that chance has to say about it (milliseconds)."""

    interaction_id: str
    at: int
    team: int
    channel: int
    direction: Direction | None
    legs: tuple[Leg, ...]
    talk: int
    wrap_up: int
    ring: int
    patience: int
    pick: int

    def consults(self, stage: int, rate: float) -> bool:
        """Tell whether the receiver of a leg is asked in before it is theirs; `rate` is the share of legs."""
        return share(f"{self.interaction_id}/{stage}/consults") < rate


def contacts(seed: int, team: int, size: int, day: date) -> Iterator[Contact]:
    """Yield the contacts that reach a team of `size` agents on a UTC day, unordered."""
    rng = random.Random(f"{seed}/calls/{team}/{day.isoformat()}")
    node = rng.getrandbits(48) | 1 << 40
    begin = day_start(day)
    number = 0
    for hour, on_duty in enumerate(_ON_DUTY):
        for channel, (volume, _, _) in enumerate(_VOLUME):
            rate = volume * on_duty * size / HOUR
            at = begin + hour * HOUR + rng.expovariate(rate)
            while at < begin + (hour + 1) * HOUR:
                number += 1
                yield _contact(rng, int(at), team, channel, time_uuid(int(at), node, number))
                at += rng.expovariate(rate)


def _contact(rng: random.Random, at: int, team: int, channel: int, name: str) -> Contact:
    _, handling, patience = _VOLUME[channel]
    direction: Direction | None = None
    if channel == VOICE:
        direction = "outbound" if rng.random() < _OUTBOUND else "inbound"
    return Contact(
        interaction_id=name,
        at=at,
        team=team,
        channel=channel,
        direction=direction,
        legs=_legs(rng, handling),
        talk=_length(rng, handling),
        wrap_up=_length(rng, _MEAN_WRAP_UP),
        ring=rng.randint(400, 4 * SECOND),
        patience=int(patience * SECOND * rng.uniform(0.3, 1.5)),
        pick=rng.getrandbits(30),
    )


def _legs(rng: random.Random, handling: int) -> tuple[Leg, ...]:
    chance = rng.random()
    for limit, wishes in _WISHES:
        if chance < limit:
            return tuple(
                Leg(
                    to="back" if wish == "back" else "stranger" if wish == "stranger" else "agent",
                    talk=_length(rng, handling // 3),
                    handover=rng.randint(3 * SECOND, 60 * SECOND),
                    stranger_id=random_uuid(rng),
                )
                for wish in wishes
            )
    return ()


def _length(rng: random.Random, mean_seconds: int) -> int:
    """Draw a length in milliseconds: skewed like real handling times, at most half an hour."""
    drawn = rng.gammavariate(2.2, mean_seconds / 2.2) * SECOND
    return min(max(int(drawn), 2 * SECOND), 30 * MINUTE)
