"""The people and teams of a simulated appliance: what never changes about them.

What belongs here: names, lasting ids, machines and addresses.  What does not: anything
that happens.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from simulator.beyondtrust_sessions import user_ids
from simulator.facts import Agent


@dataclass(frozen=True)
class Representative:
    """A user of the representative console."""

    user_id: int
    username: str
    name: str
    public_name: str
    hostname: str
    operating_system: str
    private_ip: str
    public_ip: str
    team: int


@dataclass(frozen=True)
class Team:
    """A support team."""

    team_id: int
    number: int
    name: str
    code_name: str


def representative_of(agent: Agent) -> Representative:
    """Return the console user that an agent of the centre is; every fourth sits behind IPv6."""
    number = agent.number
    ascii_name = unicodedata.normalize("NFKD", agent.name).encode("ascii", "ignore").decode()
    login = "".join(
        character for character in ascii_name.lower().replace(" ", ".") if character.isalnum() or character == "."
    )
    address = f"[2001:db8:1::{number + 1:x}]" if number % 4 == 0 else f"198.51.100.{number % 250 + 1}"
    return Representative(
        user_id=user_ids((agent,))[agent.agent_id],
        username=f"{login.strip('.') or 'user'}{number}",
        name=agent.name,
        public_name=agent.name.split(" ", 1)[0],
        hostname=f"DESK-{number:04d}",
        operating_system="Windows 11 Enterprise (64-bit)",
        private_ip=f"10.0.{number // 250}.{number % 250 + 1}:{50_000 + number}",
        public_ip=f"{address}:{50_000 + number}",
        team=agent.team,
    )


def team_of(number: int) -> Team:
    """Return a team of the centre as the appliance names it; ids begin at 2, as the general queue is 1's."""
    return Team(number + 2, number, f"Team {number + 1}", f"team_{number + 1}")
