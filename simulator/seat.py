"""One agent's place on the floor: what is true of it now, and what was written down.

What belongs here: live state, room for work, and noting changes.  What does not: any
decision about what happens next, which is the floor's.
"""

from __future__ import annotations

from simulator.calls import Contact
from simulator.facts import (
    CHANNELS,
    VOICE,
    Agent,
    Change,
    ChangeKind,
    Counts,
    Direction,
    Participation,
    Presence,
    Reason,
    Session,
)
from simulator.plan import Shift


class Seat:
    """One agent at work: the live state and the facts written down so far."""

    def __init__(self, agent: Agent) -> None:
        """Start signed out."""
        self.agent = agent
        self.session: Session | None = None
        self.ready = False
        self.reason: Reason | None = None
        self.away = False
        self.leaving: Shift | None = None
        self.token = 0
        self.ordinal = 0
        self.promised = 0
        self.last_offer = 0
        self.used = [0] * len(agent.rule)
        self.bucket = [agent.bucket_of(channel) for channel in range(len(CHANNELS))]
        self.active: dict[str, tuple[Contact, Participation]] = {}
        self.changes: list[Change] = []
        self.presences: list[Presence] = []
        self.sessions: list[Session] = []

    def has_room(self, channel: int) -> bool:
        """Tell whether one more item of a channel fits."""
        bucket = self.bucket[channel]
        return bucket is not None and self.used[bucket] < self.agent.rule[bucket].capacity

    def reachable(self) -> bool:
        """Tell whether somebody sits here who is not about to leave."""
        return self.session is not None and not self.away and self.leaving is None

    def busy(self) -> bool:
        """Tell whether work is in hand or promised."""
        return bool(self.active) or self.promised > 0

    def occupy(self, channel: int, step: int) -> None:
        """Take (1) or free (-1) a place for a channel."""
        bucket = self.bucket[channel]
        if bucket is None:
            message = f"channel {channel} was routed to an agent without a place for it"
            raise ValueError(message)
        self.used[bucket] += step

    def note(self, now: int, kind: ChangeKind) -> None:
        """Write down the agent as of now; several changes in one instant are one."""
        if self.session is None:
            return
        change = Change(
            now, self.session, kind, self.ready, self.reason,
            self._counts(), self._direction(), self.ordinal,
        )  # fmt: skip
        last = self.changes[-1] if self.changes else None
        if last is not None and last.at == now and last.session is self.session:
            change.ordinal = last.ordinal
            change.kind = last.kind if kind == "capacity" else kind
            self.changes[-1] = change
            return
        self.ordinal += 1
        self.changes.append(change)

    def _counts(self) -> Counts:
        counts = [0, 0, 0, 0, 0]
        for contact, _ in self.active.values():
            counts[contact.channel] += 1
        return (counts[0], counts[1], counts[2], counts[3], counts[4])

    def _direction(self) -> Direction | None:
        for contact, _ in self.active.values():
            if contact.channel == VOICE:
                return contact.direction
        return None
