"""A seeded contact centre, played for some days: the one source of every simulated API.

What belongs here: putting people, plans and arrivals together, and handing out the
facts.  What does not: the rules of the floor, the truth tables, any vendor's format.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from simulator import truth
from simulator.calls import contacts
from simulator.facts import (
    DAY,
    Agent,
    Change,
    Participation,
    Presence,
    Session,
    Transfer,
    day_start,
    millis,
)
from simulator.floor import Floor, Habits
from simulator.people import hire
from simulator.plan import shifts


@dataclass(frozen=True)
class Centre:
    """Everything that happened at a centre from `first_day` 00:00 UTC for `days` days.

    `changes` is what a platform writes down of each agent, in order; `presences`,
    `participations`, `sessions` and `transfers` are what people did: the truth comes
    from these four only.  All times are milliseconds UTC.
    """

    seed: int
    first_day: date
    days: int
    agents: tuple[Agent, ...]
    changes: tuple[tuple[Change, ...], ...]
    presences: tuple[tuple[Presence, ...], ...]
    sessions: tuple[tuple[Session, ...], ...]
    participations: tuple[Participation, ...]
    transfers: tuple[Transfer, ...]

    @staticmethod
    def simulate(seed: int, agents: int, first_day: date, days: int, habits: Habits | None = None) -> Centre:
        """Play a centre forward; more days only append to what fewer days give."""
        payroll = hire(seed, agents)
        floor = Floor(payroll, habits or Habits())
        team_sizes: dict[int, int] = {}
        for agent in payroll:
            team_sizes[agent.team] = team_sizes.get(agent.team, 0) + 1
        for number in range(days):
            day = first_day + timedelta(days=number)
            for seat in floor.seats:
                for shift in shifts(seed, seat.agent, day):
                    floor.expect_shift(seat, shift)
            for team, size in team_sizes.items():
                for contact in contacts(seed, team, size, day):
                    floor.expect_contact(contact)
            floor.play(day_start(day) + DAY)
        return Centre(
            seed=seed,
            first_day=first_day,
            days=days,
            agents=payroll,
            changes=tuple(tuple(seat.changes) for seat in floor.seats),
            presences=tuple(tuple(seat.presences) for seat in floor.seats),
            sessions=tuple(tuple(seat.sessions) for seat in floor.seats),
            participations=tuple(floor.participations),
            transfers=tuple(floor.transfers),
        )

    @property
    def ends(self) -> int:
        """Return the instant up to which the centre was played (milliseconds UTC)."""
        return day_start(self.first_day) + self.days * DAY

    def write_truth(self, folder: Path, until: datetime) -> None:
        """Write what really happened before `until` (aware) as five Parquet files."""
        moment = min(millis(until), self.ends)
        truth.write(
            folder,
            states=truth.agent_states(self.agents, self.sessions, self.presences, self.participations, moment),
            transfers=truth.transfers(self.transfers, moment),
            sessions=truth.sessions(self.sessions, moment),
            interactions=truth.interactions(self.participations, moment),
            agents=truth.agents(self.agents),
        )


def employed(centre: Centre, agents: Collection[str] | None) -> tuple[Agent, ...]:
    """Return the agents of a centre whose work this vendor sees: all, or those with these ids.

    Raises:
        ValueError: An id is not on the centre's payroll.
    """
    if agents is None:
        return centre.agents
    strangers = set(agents) - {agent.agent_id for agent in centre.agents}
    if strangers:
        message = f"not on the centre's payroll: {', '.join(sorted(strangers))}"
        raise ValueError(message)
    return tuple(agent for agent in centre.agents if agent.agent_id in agents)
