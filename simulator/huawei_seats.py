"""Who is signed in at Huawei's CC-Gateway, with which GUID, and the events that are told them.

What belongs here: the desktops of the centre's own people, seats that a client signs in,
GUIDs and event queues.  What does not: addresses, bodies and retcodes (`huawei_gateway.py`).
"""

from __future__ import annotations

import hashlib
import uuid
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

from simulator.facts import SECOND, Agent, Session
from simulator.huawei_states import (
    BUSY,
    IDLE,
    PRE_REST,
    REST,
    TALKING,
    WORKING,
    HuaweiDialect,
    StateBook,
    Stretch,
)

_READY_AFTER = {
    BUSY: "AgentState_CancelNotReady_Success",
    REST: "AgentState_CancelRest_Success",
    WORKING: "AgentState_CancelWork_Success",
}
_AFTER_SIGN_IN = {BUSY: ("AgentState_SetNotReady_Success",), IDLE: (), WORKING: ("AgentState_Work",)}


@dataclass(frozen=True, slots=True)
class Told:
    """One event: when it was generated (milliseconds UTC), its type, and its content."""

    at: int
    kind: str
    content: dict[str, str] | None = None


@dataclass(slots=True)
class Seat:
    """An agent's place that a client of ours signed in; `status` is what it asked to be.

    While the person is at work, the seat shows that work, as if done from it; before and after, its status.
    """

    agent: Agent
    signed_in: int
    status: int
    guids: list[tuple[str, int]]
    heard: int
    events: deque[Told] = field(default_factory=deque)
    ends: bool = False


def desktop_guid(seed: int, session: Session, now: int, dialect: HuaweiDialect) -> str:
    """Return the GUID that the desktop of a session holds now: a new one every interval, by the clock."""
    return _guid(seed, session.session_id, _turn(now, dialect))


def desktop_accepts(seed: int, session: Session, guid: str, now: int, dialect: HuaweiDialect) -> bool:
    """Tell whether a GUID is one of a session's desktop, and not older than its time-out."""
    turn = _turn(now, dialect)
    if guid == _guid(seed, session.session_id, turn):
        return True
    if not dialect.guid_rotation:
        return False
    interval, timeout = dialect.guid_interval_seconds * SECOND, dialect.guid_timeout_seconds * SECOND
    older = turn - 1
    while now - older * interval < timeout:
        if guid == _guid(seed, session.session_id, older):
            return True
        older -= 1
    return False


def _turn(now: int, dialect: HuaweiDialect) -> int:
    return now // (dialect.guid_interval_seconds * SECOND) if dialect.guid_rotation else 0


@lru_cache(maxsize=20_000)
def _guid(seed: int, holder: str, turn: int) -> str:
    digest = hashlib.blake2b(f"{seed}/{holder}/{turn}".encode(), digest_size=16).digest()
    return f"{uuid.UUID(bytes=digest)}.AgentGateway0"


class Seats:
    """The seats that clients of ours signed in; not safe to share between threads without a lock."""

    def __init__(self, seed: int) -> None:
        """Start with nobody signed in."""
        self._seed = seed
        self._seats: dict[int, Seat] = {}
        self._issued = 0

    def take(self, agent: Agent, status: int, now: int, book: StateBook) -> Seat:
        """Sign an agent in, in place of whoever was; the seat's events are all that will be."""
        seat = Seat(agent, now, status, [], now)
        self._issue(seat, now)
        seat.events.extend(_events(seat, book))
        self._seats[agent.number] = seat
        return seat

    def find(self, agent: Agent, now: int, dialect: HuaweiDialect) -> Seat | None:
        """Return an agent's seat; one that has been silent for too long is signed out."""
        seat = self._seats.get(agent.number)
        if seat is not None and now - seat.heard > dialect.silence_seconds * SECOND:
            self.leave(agent)
            return None
        return seat

    def leave(self, agent: Agent) -> None:
        """Sign a seat out without a word."""
        self._seats.pop(agent.number, None)

    def shut(self, seat: Seat, now: int) -> None:
        """Sign a seat out and tell it so: its next poll brings that last event, and no later one any."""
        content = {"loginTime": str(seat.signed_in)}
        seat.events = deque([Told(now, "AgentOther_ShutdownService", content)])
        seat.ends = True

    def accepts(self, seat: Seat, guid: str, now: int, dialect: HuaweiDialect) -> bool:
        """Tell whether a GUID is one of the seat's and not older than its time-out."""
        timeout = dialect.guid_timeout_seconds * SECOND
        return any(
            guid == known and (not dialect.guid_rotation or now - issued < timeout) for known, issued in seat.guids
        )

    def renew(self, seat: Seat, now: int, dialect: HuaweiDialect) -> str | None:
        """Return a new GUID for a seat when its newest is as old as the interval, else None."""
        if not dialect.guid_rotation or now - seat.guids[-1][1] < dialect.guid_interval_seconds * SECOND:
            return None
        return self._issue(seat, now)

    def _issue(self, seat: Seat, now: int) -> str:
        self._issued += 1
        guid = _guid(self._seed, f"seat/{seat.agent.number}", self._issued)
        # Two are enough: whatever is older than the one before the newest has timed out.
        seat.guids = [*seat.guids[-1:], (guid, now)]
        return guid


def _events(seat: Seat, book: StateBook) -> Iterator[Told]:
    """Yield all events of a seat: signing in, always with a passing Ready, then what its agent does."""
    start = seat.signed_in
    yield Told(start, "AgentOther_InService")
    yield Told(start, "AgentState_Ready")
    for kind in _AFTER_SIGN_IN[seat.status]:
        yield Told(start, kind, {"reason": "0"} if seat.status == BUSY else None)
    asked = Stretch(start, None, seat.status)
    seen = [asked]
    for stretch in book.stretches(seat.agent)[book.place(seat.agent, start) :]:
        at = max(stretch.at, start)
        shown = asked if stretch.session is None else stretch
        seen.append(Stretch(at, None, shown.state, shown.working, shown.cause))
    for before, after in pairwise(seen):
        if (before.state, before.working, before.cause) != (after.state, after.working, after.cause):
            yield from _told(before, after)


def _told(before: Stretch, after: Stretch) -> Iterator[Told]:
    """Yield the events of one change of state; what is asked for during a talk is told after it."""
    at, was_talking = after.at, before.state in {TALKING, PRE_REST}
    if after.state in {TALKING, PRE_REST}:
        if not was_talking:
            yield Told(at, "AgentState_Busy")
        if after.working != before.working or not was_talking:
            yield Told(at, "AgentEvent_Talking" if after.working else "AgentEvent_Ringing")
        return
    if was_talking:
        yield Told(at, "AgentEvent_Call_Release")
    if after.state == IDLE:
        yield Told(at, _READY_AFTER.get(before.state, "AgentState_Ready"))
    elif after.state == WORKING:
        yield Told(at, "AgentState_Work" if was_talking else "AgentState_SetWork_Success")
    else:
        kind = "AgentState_SetRest_Success" if after.state == REST else "AgentState_SetNotReady_Success"
        yield Told(at, kind, {"reason": str(after.cause)})
