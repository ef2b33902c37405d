"""A simulated appliance's people and sessions over time, put in order for its state model.

What belongs here: what the appliance has of the centre, and the sequence of all that
happens there, idle times included.  What does not: what any of it does to the model's
rows (`beyondtrust_facts.py`).
All times are integer milliseconds UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from simulator.beyondtrust_dialect import Dialect
from simulator.beyondtrust_facts import GENERAL, LEAVES_DESK, Entry, Fact, Ledger, queue_row, team_key
from simulator.beyondtrust_people import Representative, Team, representative_of, team_of
from simulator.beyondtrust_sessions import SupportSession, sessions_of
from simulator.centre import Centre, employed
from simulator.facts import SECOND, Participation, Presence, Session, day_start
from simulator.faults import share

_NEVER: Final = 2**62
_ELEVATES: Final = 0.2
_ELEVATES_AFTER: Final = 20 * SECOND
# What goes first at one instant.
_LEAVE, _SIGN_OUT, _SIGN_IN, _PRESENT, _CREATE, _TRANSFER, _JOIN, _END = range(8)


@dataclass(frozen=True)
class Site:
    """Everybody and everything on an appliance: the centre's facts about its representatives.

    `stays` and `said` are each person's sign-ins and presences, by the centre's agent id.
    """

    people: Mapping[str, Representative]
    teams: Sequence[Team]
    stays: Mapping[str, Sequence[Session]]
    said: Mapping[str, Sequence[Presence]]
    sessions: Sequence[SupportSession]
    opened: int

    @staticmethod
    def of(centre: Centre, agents: Collection[str] | None) -> Site:
        """Return the site of these agents of a centre (None: of all).

        Raises:
            ValueError: An agent is not on the centre's payroll.
        """
        chosen = {agent.agent_id: agent for agent in employed(centre, agents)}
        return Site(
            people={name: representative_of(agent) for name, agent in chosen.items()},
            teams=[team_of(number) for number in sorted({agent.team for agent in chosen.values()})],
            stays={name: centre.sessions[agent.number] for name, agent in chosen.items()},
            said={name: centre.presences[agent.number] for name, agent in chosen.items()},
            sessions=sessions_of(centre, chosen),
            opened=day_start(centre.first_day),
        )


def entries_of(site: Site, dialect: Dialect) -> list[Entry]:
    """Return all that happens to the model's rows, in order."""
    ledger = Ledger(dialect)
    agenda = _Agenda()
    agenda.put(site.opened, _CREATE, lambda: _open(ledger, site))
    for agent_id, stays in site.stays.items():
        for stay in stays:
            agenda.put(stay.started, _SIGN_IN, partial(ledger.sign_in, stay, site.people[agent_id]))
            agenda.put(stay.ended, _SIGN_OUT, partial(ledger.sign_out, stay))
        for presence in site.said[agent_id]:
            agenda.put(presence.at, _PRESENT, partial(ledger.present, presence))
    for session in site.sessions:
        agenda.session(ledger, session)
    for agent_id, since in _idle_times(site, dialect):
        agenda.put(since, _PRESENT, partial(ledger.idle, agent_id))
    return list(ledger.read(sorted(agenda.facts, key=lambda fact: fact[:3])))


def _open(ledger: Ledger, site: Site) -> None:
    now = site.opened // SECOND
    ledger.insert("queue", GENERAL, queue_row("General", "general", None, now, GENERAL))
    for team in site.teams:
        row = queue_row(team.name, "team", team.team_id, now, team.code_name)
        ledger.insert("queue", team_key(team.number), row)


class _Agenda:
    """Facts yet to be put in order."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []

    def put(self, at: int | None, rank: int, action: Callable[[], None]) -> None:
        """Note what happens at an instant, if it ever does."""
        if at is not None:
            self.facts.append((at, rank, len(self.facts), action))

    def session(self, ledger: Ledger, session: SupportSession) -> None:
        """Note all that happens in a session."""
        self.put(session.created, _CREATE, partial(ledger.create, session))
        for hand in session.transfers:
            if session.is_consult(hand):
                self.put(hand.completed, _TRANSFER, partial(ledger.take_over, hand))
            else:
                self.put(hand.started, _TRANSFER, partial(ledger.transfer, hand, hand.started))
        for part in session.parts:
            self.put(part.joined, _JOIN, partial(ledger.join, part, session))
            self.put(part.left, _LEAVE, partial(ledger.leave, part))
        if session.parts and share(f"{session.interaction_id}/elevates") < _ELEVATES:
            at = session.parts[0].joined + _ELEVATES_AFTER
            if session.ended is None or at < session.ended:
                self.put(at, _END, partial(ledger.elevate, session))
        self.put(session.ended, _END, partial(ledger.end, session))


def _idle_times(site: Site, dialect: Dialect) -> Iterator[tuple[str, int]]:
    """Yield each time that a representative was away from the desk, without a session, for the idle time."""
    parts: dict[str, list[Participation]] = {}
    for session in site.sessions:
        for part in session.parts:
            parts.setdefault(part.agent.agent_id, []).append(part)
    wait = int(dialect.idle_seconds * SECOND)
    for agent_id, said in site.said.items():
        for index, presence in enumerate(said):
            if presence.reason is None or presence.reason.name not in LEAVES_DESK:
                continue
            later = said[index + 1].at if index + 1 < len(said) else _NEVER
            until = min(later, _NEVER if presence.session.ended is None else presence.session.ended)
            free = presence.at
            for part in sorted(parts.get(agent_id, ()), key=lambda part: part.joined):
                if part.joined >= until:
                    break
                if free + wait < part.joined:
                    yield agent_id, free + wait
                free = max(free, _end(part))
            if free + wait < until:
                yield agent_id, free + wait


def _end(part: Participation) -> int:
    return _NEVER if part.left is None else part.left
