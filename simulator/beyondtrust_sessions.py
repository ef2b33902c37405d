"""Support sessions as an appliance would know them: one per contact of the centre.

What belongs here: who of the appliance's representatives had which contact when, how
long it waited, and when it ended.  What does not: tables, XML, and any wire format.
All times are integer milliseconds UTC.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from simulator.calls import contacts
from simulator.centre import Centre
from simulator.facts import CHANNELS, MINUTE, VOICE, Agent, Participation, Transfer, uuid_time
from simulator.faults import share

CHAT: Final = CHANNELS.index("messaging")
# What was handed to nobody we know waits this long in the general queue, then gives up.
_GIVES_UP_AFTER: Final = 5 * MINUTE
_WITHOUT_CLIENT: Final = 0.15
_FIRST_USER_ID: Final = 2


@dataclass
class SupportSession:
    """One contact: waiting from `created`, in the hands of `parts`, over at `ended` (None: never seen to end)."""

    interaction_id: str
    created: int
    team: int
    channel: int
    ended: int | None = None
    parts: list[Participation] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)

    @property
    def lsid(self) -> str:
        """Return the session's public id, 32 hex digits."""
        return lsid_of(self.interaction_id)

    @property
    def has_client(self) -> bool:
        """Tell whether a customer client ever connects; a session may live without one."""
        return self.channel == CHAT or share(f"{self.interaction_id}/client") >= _WITHOUT_CLIENT

    @property
    def customer(self) -> str:
        """Return the customer's name."""
        return f"Customer {int(self.interaction_id[:8], 16) % 9_000 + 1_000}"

    def is_consult(self, hand: Transfer) -> bool:
        """Tell whether one of the site asked a colleague in, and then left the session to them."""
        present = {part.agent.agent_id for part in self.parts if part.joined <= hand.started}
        return hand.consult and {hand.sender.agent_id, hand.receiver_id} <= present

    def owned_from(self, part: Participation) -> int | None:
        """Return from when on the session was that person's: from joining, or since who had asked them in is gone."""
        for hand in self.transfers:
            if self.is_consult(hand) and (hand.receiver_id, hand.started) == (part.agent.agent_id, part.joined):
                return hand.completed
        return part.joined

    def parts_of(self, agent: Agent) -> list[Participation]:
        """Return one agent's stays in the session."""
        return [part for part in self.parts if part.agent.agent_id == agent.agent_id]


def lsid_of(interaction_id: str) -> str:
    """Return the session id that an interaction of the centre has on the appliance."""
    return interaction_id.replace("-", "")


def user_ids(agents: Collection[Agent]) -> dict[str, int]:
    """Return the appliance's lasting user ids by the centre's agent ids; 1 is the administrator's."""
    return {agent.agent_id: agent.number + _FIRST_USER_ID for agent in agents}


def sessions_of(centre: Centre, agents: Mapping[str, Agent]) -> list[SupportSession]:
    """Return all sessions that a site with these agents (by id) saw, by creation.

    Contacts that nobody took wait until the customer's patience ends.  Where only part of
    the centre is on the site, a contact begins when it first comes to one of the agents.
    """
    found: dict[str, SupportSession] = {}
    hands: dict[str, list[Transfer]] = {}
    for transfer in centre.transfers:
        hands.setdefault(transfer.interaction_id, []).append(transfer)
    first: dict[str, Participation] = {}
    for part in centre.participations:
        opener = first.setdefault(part.interaction_id, part)
        if part.agent.agent_id not in agents:
            continue
        session = found.get(part.interaction_id)
        if session is None:
            created = _created(part, opener, hands.get(part.interaction_id, []))
            session = SupportSession(part.interaction_id, created, part.agent.team, part.channel)
            session.transfers = [
                transfer
                for transfer in hands.get(part.interaction_id, [])
                if transfer.started >= created
                and (transfer.sender.agent_id in agents or transfer.receiver_id in agents)
            ]
            found[part.interaction_id] = session
        session.parts.append(part)
    for session in found.values():
        session.ended = _ended(session, agents)
    everything = [*found.values(), *_abandoned(centre, set(first), agents)]
    return sorted(everything, key=lambda session: (session.created, session.interaction_id))


def _created(part: Participation, opener: Participation, hands: list[Transfer]) -> int:
    if part is opener:
        # The id of a contact is a UUIDv1 of the instant at which it arrived.
        return min(uuid_time(part.interaction_id), part.joined)
    started = [hand.started for hand in hands if hand.completed == part.joined]
    return started[0] if started else part.joined


def _ended(session: SupportSession, agents: Mapping[str, Agent]) -> int | None:
    last = 0
    for part in session.parts:
        if part.left is None:
            return None
        last = max(last, part.left)
    for hand in session.transfers:
        if hand.receiver_id in agents:
            continue
        if hand.completed is None:
            return None
        if hand.completed >= last:
            return hand.completed + _GIVES_UP_AFTER
    return last


def _abandoned(centre: Centre, taken: set[str], agents: Mapping[str, Agent]) -> Iterator[SupportSession]:
    """Yield the contacts that nobody took, in proportion to the part of each team that is on the site."""
    teams: dict[int, list[Agent]] = {}
    for agent in centre.agents:
        teams.setdefault(agent.team, []).append(agent)
    for team, members in sorted(teams.items()):
        part = sum(member.agent_id in agents for member in members) / len(members)
        for number in range(centre.days):
            for contact in contacts(centre.seed, team, len(members), centre.first_day + timedelta(days=number)):
                name = contact.interaction_id
                if name not in taken and share(f"{name}/site") < part:
                    yield SupportSession(name, contact.at, team, contact.channel, contact.at + contact.patience)


def client_type(session: SupportSession) -> str:
    """Return the kind of a session's customer client."""
    if session.channel == CHAT:
        return "web_chat"
    return "desktop" if session.channel == VOICE else "mobile"
