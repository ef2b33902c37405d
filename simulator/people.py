"""The payroll of a simulated centre: names, teams, shift kinds, capacity rules, reasons.

What belongs here: who the agents are, which never changes during a simulation.  What
does not: what anybody does on a given day, which is `plan.py` and `floor.py`.
"""

from __future__ import annotations

import random
import uuid
from typing import Final

from simulator.facts import WRAP_UP_REASON, Agent, Bucket, Reason

_NAMES: Final = (
    "Ana", "Björn", "Chloé", "Dmitri", "Eun-ji", "Fátima", "George", "Hà", "Ines", "José",
    "Kwame", "Łukasz", "Mei", "Noor", "Oisín", "Priya", "Renée", "Søren", "Tomás", "Uma",
    "Víctor", "William", "Ximena", "Yūki", "Zoë", "愛子", "Миша", "سارة",
)  # fmt: skip
_SURNAMES: Final = (
    "Abebe", "Brown", "Çelik", "Dvořák", "Eriksson", "Fernández", "Gupta", "Hughes", "Ito",
    "Jensen", "Kowalski", "Lefèvre", "Müller", "Nguyễn", "O'Brien", "Park", "Quispe", "Rossi",
    "Smith", "Tan", "Usman", "van der Berg", "Wang", "Ștefan", "Zhou",
)  # fmt: skip

# Repeated over the payroll, so that even a small centre has late, night and part-time staff.
_SHIFT_KINDS: Final = (
    "day", "day", "late", "day", "part", "day", "late", "night", "day", "late",
    "day", "day", "late", "day", "part", "day", "late", "midnight", "day", "late",
)  # fmt: skip

_ALL: Final = (0, 1, 2, 3, 4)
_TWO_BUCKETS: Final = (Bucket((0,), 1), Bucket((1, 2, 3), 3))
_THREE_BUCKETS: Final = (Bucket((0, 4), 1), Bucket((1, 3), 2), Bucket((2,), 2))
_ONE_AT_A_TIME: Final = (Bucket(_ALL, 1),)
_WRITERS: Final = (Bucket((1, 2, 3, 4), 4),)
_RULES: Final = (
    _TWO_BUCKETS, _TWO_BUCKETS, _ONE_AT_A_TIME, _TWO_BUCKETS, _THREE_BUCKETS,
    _TWO_BUCKETS, _WRITERS, _TWO_BUCKETS, _ONE_AT_A_TIME, _TWO_BUCKETS, _THREE_BUCKETS,
)  # fmt: skip

_AGENTS_PER_TEAM: Final = 12
_REASONS: Final = uuid.UUID("6a1c2f0e-52a4-5d0e-9f39-0f6f6f1d7a11")


def _reason(name: str, list_name: str) -> Reason:
    return Reason(
        name,
        list_name,
        str(uuid.uuid5(_REASONS, f"{list_name}/{name}")),
        str(uuid.uuid5(_REASONS, list_name)),
    )


LOGGED_IN: Final = _reason("Logged in", "System Presence Reasons")
AFTER_CALL_WORK: Final = _reason(WRAP_UP_REASON, "Wrap-Up Reasons")
BREAK: Final = _reason("Break", "Away Reasons")
LUNCH: Final = _reason("Lunch", "Away Reasons")
PERSONAL: Final = _reason("Personal", "Away Reasons")
END_OF_SHIFT: Final = _reason("End of Shift", "Away Reasons")
TRAINING: Final = _reason("Training", "Training Reasons")
COACHING: Final = _reason("Coaching", "Training Reasons")
MEETING: Final = _reason("Team Meeting", "Training Reasons")


def hire(seed: int, agents: int) -> tuple[Agent, ...]:
    """Return the payroll: `agents` people, the same for the same seed."""
    teams = max(1, agents // _AGENTS_PER_TEAM)
    return tuple(_agent(seed, number, teams) for number in range(agents))


def _agent(seed: int, number: int, teams: int) -> Agent:
    rng = random.Random(f"{seed}/agent/{number}")
    return Agent(
        number=number,
        agent_id=random_uuid(rng),
        name=f"{rng.choice(_NAMES)} {rng.choice(_SURNAMES)}",
        platform_agent_id=15_000 + number,
        tenant_agent_id=9_000 + number,
        # Blocks of whole shift patterns would leave teams without a night shift: interleave.
        team=number % teams,
        shift_kind=_SHIFT_KINDS[number % len(_SHIFT_KINDS)],
        rule=_RULES[number % len(_RULES)],
        # The multicast bit marks a node that is not a network card (RFC 4122).
        node=rng.getrandbits(48) | 1 << 40,
    )


def random_uuid(rng: random.Random) -> str:
    """Return a UUIDv4 out of a seeded generator."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))
