"""The floor of a simulated centre: plays plans and arrivals forward, event by event.

What belongs here: routing, transfers, wrap-up, sign-in and sign-out, and writing down
the facts.  What does not: chance (all drawn in `plan.py` and `calls.py`), the truth
tables, and vendor APIs.  Because the floor has no chance of its own and only looks
forward, playing more days never changes the days already played.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from simulator.calls import Contact
from simulator.facts import (
    CHANNELS,
    MINUTE,
    VOICE,
    Agent,
    ChangeKind,
    Participation,
    Presence,
    Reason,
    Session,
    Transfer,
    time_uuid,
)
from simulator.people import AFTER_CALL_WORK, LOGGED_IN
from simulator.plan import Pause, Shift
from simulator.seat import Seat

_RETRY: Final = MINUTE


@dataclass(frozen=True, slots=True)
class Habits:
    """What the tenant's agents and clients do that the vendor facts do not settle.

    wrap_up: agents go not ready for after-call work when a voice contact ends.
    logged_in: a client goes not ready with reason "Logged in" right after the session starts.
    consults: share of transfers to colleagues in which both talk before the sender leaves.
    """

    wrap_up: bool = True
    logged_in: bool = True
    consults: float = 0.0


@dataclass(slots=True)
class Case:
    """A contact in somebody's hands: how many wishes were used, and who had it."""

    contact: Contact
    stage: int = 0
    hops: int = 0
    holders: list[str] = field(default_factory=list)


class Floor:
    """All seats and queues of a centre, and the agenda of what happens next."""

    def __init__(self, agents: tuple[Agent, ...], habits: Habits) -> None:
        """Open the doors with nobody signed in."""
        self.habits = habits
        self.seats = [Seat(agent) for agent in agents]
        self.participations: list[Participation] = []
        self.transfers: list[Transfer] = []
        self._teams: dict[int, list[Seat]] = {}
        for seat in self.seats:
            self._teams.setdefault(seat.agent.team, []).append(seat)
        self._queues: dict[tuple[int, int], deque[Contact]] = {
            (team, channel): deque() for team in self._teams for channel in range(len(CHANNELS))
        }
        self._agenda: list[tuple[int, int, Callable[[int], None]]] = []
        self._entries = 0

    # -- the agenda ---------------------------------------------------------------------

    def expect_shift(self, seat: Seat, shift: Shift) -> None:
        """Put a planned session on the agenda."""
        self._at(shift.starts - shift.cleared_before, lambda now: self._clear(now, seat))
        self._at(shift.starts, lambda now: self._sign_in(now, seat, shift))

    def expect_contact(self, contact: Contact) -> None:
        """Put an arrival on the agenda."""
        self._at(contact.at, lambda now: self._arrive(now, contact))

    def play(self, until: int) -> None:
        """Play everything that happens before an instant (milliseconds UTC)."""
        while self._agenda and self._agenda[0][0] < until:
            now, _, action = heapq.heappop(self._agenda)
            action(now)

    def _at(self, when: int, action: Callable[[int], None]) -> None:
        self._entries += 1
        heapq.heappush(self._agenda, (when, self._entries, action))

    # -- presence -----------------------------------------------------------------------

    def _sign_in(self, now: int, seat: Seat, shift: Shift) -> None:
        if seat.session is not None:
            if now + _RETRY < shift.ends:
                self._at(now + _RETRY, lambda later: self._sign_in(later, seat, shift))
            return
        agent = seat.agent
        # The second node keeps a session's id apart from its first event's at the same instant.
        session_id = time_uuid(now, agent.node ^ 0xFFFF, len(seat.sessions))
        session = Session(session_id, agent, now)
        seat.session = session
        seat.sessions.append(session)
        seat.away, seat.leaving = False, None
        self._present(now, seat, None, kind="session-start")
        if self.habits.logged_in:
            self._at(now + shift.boot, lambda at: self._settle(at, seat, session))
        self._at(
            now + shift.boot + shift.settle,
            lambda at: self._turn_ready(at, seat, session),
        )
        for pause in shift.pauses:
            self._expect_pause(now, seat, session, pause)
        self._at(shift.ends, lambda at: self._end_shift(at, seat, session, shift))

    def _settle(self, now: int, seat: Seat, session: Session) -> None:
        self._turn_away(now, seat, session, LOGGED_IN)

    def _expect_pause(self, now: int, seat: Seat, session: Session, pause: Pause) -> None:
        if pause.at <= now + 3 * MINUTE:
            return

        def begin(at: int) -> None:
            if self._turn_away(at, seat, session, pause.reason):
                self._back_after(at, seat, session, pause.length)

        self._at(pause.at, begin)

    def _back_after(self, now: int, seat: Seat, session: Session, length: int) -> None:
        """Turn ready again later, unless the agent said something else meanwhile."""
        token = seat.token

        def back(at: int) -> None:
            if seat.token == token:
                self._turn_ready(at, seat, session)

        self._at(now + length, back)

    def _turn_away(self, now: int, seat: Seat, session: Session, reason: Reason | None) -> bool:
        if seat.session is not session or not (seat.reachable() or seat.leaving is not None):
            return False
        seat.ready = False
        self._present(now, seat, reason)
        return True

    def _turn_ready(self, now: int, seat: Seat, session: Session) -> None:
        if seat.session is not session or seat.leaving is not None:
            return
        seat.ready = True
        self._present(now, seat, None)
        self._pull(now, seat)

    def _present(self, now: int, seat: Seat, reason: Reason | None, kind: ChangeKind = "presence") -> None:
        if seat.session is None:
            return
        seat.token += 1
        seat.reason = reason
        seat.presences.append(Presence(now, seat.session, seat.ready, reason))
        seat.note(now, kind)

    def _end_shift(self, now: int, seat: Seat, session: Session, shift: Shift) -> None:
        if seat.session is not session:
            return
        if shift.forgets is not None:
            if shift.forgets == "away":
                self._turn_away(now, seat, session, shift.off_reason)
            seat.away = True
            self._at(shift.dropped_at, lambda at: self._drop(at, seat, session))
            return
        seat.leaving = shift
        self._turn_away(now, seat, session, shift.off_reason)
        self._at(now + shift.tidy, lambda at: self._sign_out(at, seat, session))

    def _drop(self, now: int, seat: Seat, session: Session) -> None:
        if seat.session is session:
            self._clear(now, seat)

    def _clear(self, now: int, seat: Seat) -> None:
        """End a session that nobody ended; one still at work ends by itself."""
        if seat.session is not None and seat.away:
            self._sign_out(now, seat, seat.session)

    def _sign_out(self, now: int, seat: Seat, session: Session) -> None:
        if seat.session is not session or seat.busy():
            return
        if seat.changes[-1].at >= now:
            # A row that ends where it starts would say nothing: leave a moment later.
            self._at(now + 1, lambda at: self._sign_out(at, seat, session))
            return
        session.ended = now
        seat.session = None
        seat.ready = False
        seat.reason = None

    # -- work ---------------------------------------------------------------------------

    def _arrive(self, now: int, contact: Contact) -> None:
        open_seats = [
            seat
            for seat in self._teams[contact.team]
            if seat.ready and seat.has_room(contact.channel) and seat.reachable()
        ]
        if not open_seats:
            self._queues[contact.team, contact.channel].append(contact)
            return
        longest_idle = min(open_seats, key=lambda seat: (seat.last_offer, seat.agent.number))
        self._offer(now, longest_idle, Case(contact))

    def _pull(self, now: int, seat: Seat) -> None:
        """Give an agent with room what has waited longest."""
        queues = [self._queues[seat.agent.team, channel] for channel in range(len(CHANNELS))]
        while seat.ready and seat.reachable():
            best: deque[Contact] | None = None
            for channel, queue in enumerate(queues):
                while queue and queue[0].at + queue[0].patience < now:
                    queue.popleft()
                if queue and seat.has_room(channel) and (best is None or queue[0].at < best[0].at):
                    best = queue
            if best is None:
                return
            self._offer(now, seat, Case(best.popleft()))

    def _offer(self, now: int, seat: Seat, case: Case) -> None:
        self._promise(now, seat, case)
        self._at(now + case.contact.ring, lambda at: self._take(at, seat, case))

    def _promise(self, now: int, seat: Seat, case: Case) -> None:
        """Keep a place free until the work is there, so that capacity is never exceeded."""
        seat.last_offer = now
        seat.promised += 1
        seat.occupy(case.contact.channel, 1)

    def _take(self, now: int, seat: Seat, case: Case) -> None:
        self._join(now, seat, case)
        self._go_on(now, seat, case)

    def _join(self, now: int, seat: Seat, case: Case) -> None:
        contact = case.contact
        seat.promised -= 1
        part = Participation(contact.interaction_id, seat.agent, contact.channel, now)
        self.participations.append(part)
        seat.active[contact.interaction_id] = (contact, part)
        case.holders.append(seat.agent.agent_id)
        seat.note(now, "capacity")

    def _go_on(self, now: int, seat: Seat, case: Case) -> None:
        """Let whoever has the contact alone finish it, or hand it on."""
        contact = case.contact
        if case.stage < len(contact.legs):
            talk = contact.legs[case.stage].talk
            self._at(now + talk, lambda at: self._hand_on(at, seat, case))
        else:
            self._at(now + contact.talk, lambda at: self._part(at, seat, contact))

    def _part(self, now: int, seat: Seat, contact: Contact) -> None:
        _, part = seat.active.pop(contact.interaction_id)
        part.left = now
        seat.occupy(contact.channel, -1)
        seat.note(now, "capacity")
        session = seat.session
        if session is None:
            return
        if contact.channel == VOICE and self.habits.wrap_up and seat.ready and seat.reachable():
            if self._turn_away(now, seat, session, AFTER_CALL_WORK):
                self._back_after(now, seat, session, contact.wrap_up)
        elif seat.leaving is not None:
            self._at(now + seat.leaving.tidy, lambda at: self._sign_out(at, seat, session))
        else:
            self._pull(now, seat)

    # -- transfers ----------------------------------------------------------------------

    def _hand_on(self, now: int, seat: Seat, case: Case) -> None:
        contact = case.contact
        leg = contact.legs[case.stage]
        case.stage += 1
        receiver = None if leg.to == "stranger" else self._receiver(seat, case)
        if receiver is None and leg.to != "stranger":
            # Nobody free: the agent keeps the contact and finishes it.
            case.stage = len(contact.legs)
            self._at(now + contact.talk, lambda at: self._part(at, seat, contact))
            return
        receiver_id = leg.stranger_id if receiver is None else receiver.agent.agent_id
        case.hops += 1
        transfer = Transfer(
            contact.interaction_id, seat.agent, receiver_id, now,
            case.hops, receiver_id in case.holders,
            consult=receiver is not None and contact.consults(case.stage, self.habits.consults),
        )  # fmt: skip
        self.transfers.append(transfer)
        if receiver is not None:
            self._promise(now, receiver, case)
            if transfer.consult:
                self._join(now, receiver, case)

        def complete(at: int) -> None:
            transfer.completed = at
            self._part(at, seat, contact)
            if receiver is not None and transfer.consult:
                self._go_on(at, receiver, case)
            elif receiver is not None:
                self._take(at, receiver, case)

        self._at(now + leg.handover, complete)

    def _receiver(self, sender: Seat, case: Case) -> Seat | None:
        """Choose who gets a transfer: the one it came from, or somebody who is ready."""
        channel = case.contact.channel
        if case.contact.legs[case.stage - 1].to == "back" and len(case.holders) > 1:
            for seat in self.seats:
                if seat.agent.agent_id == case.holders[-2]:
                    if seat.reachable() and seat.has_room(channel):
                        return seat
                    break
        first = case.contact.pick % len(self.seats)
        for seat in self.seats[first:] + self.seats[:first]:
            if seat is not sender and seat.ready and seat.has_room(channel) and seat.reachable():
                return seat
        return None
