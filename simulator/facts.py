"""The plain facts of a simulated centre: who worked, when, on what, handed to whom.

What belongs here: the vendor-neutral records that the floor writes and that the truth
and the vendor APIs read, and the small helpers for ids and times they share.  What does
not: any behaviour of the centre, and any vendor's vocabulary beyond channel names.
All times are integer milliseconds since the Unix epoch, UTC.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal

SECOND: Final = 1_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

CHANNELS: Final = ("voice", "messaging", "email", "sms", "workItem")
VOICE: Final = 0
WRAP_UP_REASON: Final = "After Call Work"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# UUIDv1 counts 100 ns ticks from the Gregorian reform, 1582-10-15.
_GREGORIAN_TICKS: Final = 0x01B21DD213814000

ChangeKind = Literal["session-start", "presence", "capacity"]
Direction = Literal["inbound", "outbound"]
Counts = tuple[int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an agent is not ready: a name out of a named list."""

    name: str
    list_name: str
    reason_id: str
    list_id: str


@dataclass(frozen=True, slots=True)
class Bucket:
    """One part of a capacity rule: these channels share this many places (items)."""

    channels: tuple[int, ...]
    capacity: int


@dataclass(frozen=True, slots=True)
class Agent:
    """One person on the payroll; `node` seeds the person's UUIDv1 identifiers."""

    number: int
    agent_id: str
    name: str
    platform_agent_id: int
    tenant_agent_id: int
    team: int
    shift_kind: str
    rule: tuple[Bucket, ...]
    node: int

    @property
    def capacity(self) -> int:
        """Return the items the agent can handle at once, over all buckets."""
        return sum(bucket.capacity for bucket in self.rule)

    def bucket_of(self, channel: int) -> int | None:
        """Return the index of the bucket that holds a channel, if one does."""
        for index, bucket in enumerate(self.rule):
            if channel in bucket.channels:
                return index
        return None


@dataclass(slots=True)
class Session:
    """One signed-in stretch of one agent (milliseconds UTC; open while `ended` is None)."""

    session_id: str
    agent: Agent
    started: int
    ended: int | None = None


@dataclass(slots=True)
class Change:
    """An instant at which the platform writes down an agent anew; holds until the next."""

    at: int
    session: Session
    kind: ChangeKind
    ready: bool
    reason: Reason | None
    counts: Counts
    direction: Direction | None
    ordinal: int


@dataclass(frozen=True, slots=True)
class Presence:
    """What the agent said about being ready, from `at` (milliseconds UTC) on."""

    at: int
    session: Session
    ready: bool
    reason: Reason | None


@dataclass(slots=True)
class Participation:
    """One agent's part in one interaction (milliseconds UTC; live while `left` is None)."""

    interaction_id: str
    agent: Agent
    channel: int
    joined: int
    left: int | None = None


@dataclass(slots=True)
class Transfer:
    """Work handed from one agent to another; in flight while `completed` is None.

    In a `consult` the receiver joins when it starts, and the sender leaves when it is complete.
    """

    interaction_id: str
    sender: Agent
    receiver_id: str
    started: int
    hop: int
    is_return: bool
    completed: int | None = None
    consult: bool = False


def time_uuid(at: int, node: int, sequence: int) -> str:
    """Return a UUIDv1 whose embedded time is `at` (milliseconds UTC)."""
    ticks = at * 10_000 + _GREGORIAN_TICKS
    return (
        f"{ticks & 0xFFFFFFFF:08x}-{(ticks >> 32) & 0xFFFF:04x}-"
        f"{0x1000 | (ticks >> 48):04x}-{0x8000 | (sequence & 0x3FFF):04x}-{node:012x}"
    )


def uuid_time(text: str) -> int:
    """Return the time embedded in a UUIDv1 (milliseconds UTC)."""
    return (uuid.UUID(text).time - _GREGORIAN_TICKS) // 10_000


def millis(moment: datetime) -> int:
    """Return an aware datetime as milliseconds UTC, rounded down."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def moment_of(at: int) -> datetime:
    """Return milliseconds UTC as an aware datetime."""
    return _EPOCH + timedelta(milliseconds=at)


def day_start(day: date) -> int:
    """Return the first instant of a UTC day (milliseconds UTC)."""
    return (day - _EPOCH.date()).days * DAY


def iso(at: int) -> str:
    """Return milliseconds UTC as ISO 8601 with three decimals and a Z."""
    days, rest = divmod(at, DAY)
    seconds, ms = divmod(rest, SECOND)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{_day_text(days)}T{hour:02d}:{minute:02d}:{second:02d}.{ms:03d}Z"


_DAY_TEXTS: dict[int, str] = {}


def _day_text(days: int) -> str:
    """Return the ISO date of a day number, remembered: rendering asks for few days often."""
    text = _DAY_TEXTS.get(days)
    if text is None:
        text = _DAY_TEXTS[days] = (_EPOCH + timedelta(days=days)).date().isoformat()
    return text
