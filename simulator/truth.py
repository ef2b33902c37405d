"""What really happened, as Parquet: the answer sheet for anything that reads the APIs.

What belongs here: turning what people did (sessions, presence, participation,
transfers) into canonical states and five tables.  What does not: the rows a vendor
serves; deriving the truth from those would only prove that they agree with themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from simulator.facts import (
    CHANNELS,
    WRAP_UP_REASON,
    Agent,
    Participation,
    Presence,
    Reason,
    Session,
    Transfer,
)

Row = tuple[object, ...]
_TIME: Final = pa.timestamp("us", tz="UTC")

STATES: Final = pa.schema(
    [
        ("agent_id", pa.string()),
        ("agent_name", pa.string()),
        ("started_at", _TIME),
        ("ended_at", _TIME),
        ("state", pa.string()),
        ("reason", pa.string()),
        ("session_id", pa.string()),
        ("work_items", pa.int32()),
        ("load", pa.int32()),
        ("capacity", pa.int32()),
        ("is_ready", pa.bool_()),
    ]
)
TRANSFERS: Final = pa.schema(
    [
        ("interaction_id", pa.string()),
        ("from_agent_id", pa.string()),
        ("to_agent_id", pa.string()),
        ("started_at", _TIME),
        ("completed_at", _TIME),
        ("hop", pa.int32()),
        ("is_return", pa.bool_()),
        ("kind", pa.string()),
    ]
)
SESSIONS: Final = pa.schema(
    [
        ("session_id", pa.string()),
        ("agent_id", pa.string()),
        ("logged_in_at", _TIME),
        ("logged_out_at", _TIME),
    ]
)
INTERACTIONS: Final = pa.schema(
    [
        ("interaction_id", pa.string()),
        ("agent_id", pa.string()),
        ("channel", pa.string()),
        ("joined_at", _TIME),
        ("left_at", _TIME),
    ]
)

AGENTS: Final = pa.schema([("agent_id", pa.string()), ("agent_name", pa.string()), ("team", pa.int32())])

# What happens first at one instant: work ends before a sign-out, a sign-in before presence.
_LEAVE, _SIGN_OUT, _SIGN_IN, _PRESENCE, _JOIN = range(5)


@dataclass(slots=True)
class _Live:
    """What is true of one agent at the instant the sweep has reached."""

    agent: Agent
    session: Session | None = None
    ready: bool = False
    reason: Reason | None = None
    items: int = 0

    def apply(self, kind: int, fact: Session | Presence | Participation) -> None:
        if kind == _JOIN:
            self.items += 1
        elif kind == _LEAVE:
            self.items -= 1
        elif kind == _SIGN_OUT:
            self.session, self.ready, self.reason = None, False, None
        elif isinstance(fact, Session):
            self.session = fact
        elif isinstance(fact, Presence):
            self.ready, self.reason = fact.ready, fact.reason

    def words(self) -> Row:
        """Return state, reason, session, work items, load, capacity and whether ready for more."""
        if self.session is None:
            return ("offline", None, None, 0, 0, 0, False)
        name = None if self.reason is None else self.reason.name
        if self.items > 0:
            state = "handling"
        elif self.ready:
            state = "available"
        else:
            state = "wrap_up" if name == WRAP_UP_REASON else "not_ready"
        items = self.items
        return (state, name, self.session.session_id, items, items, self.agent.capacity, self.ready)


def agent_states(
    agents: Iterable[Agent],
    sessions: Iterable[tuple[Session, ...]],
    presences: Iterable[tuple[Presence, ...]],
    participations: Iterable[Participation],
    until: int,
) -> Iterator[Row]:
    """Yield each agent's states from the first sign-in up to `until` (milliseconds UTC)."""
    parts: dict[int, list[Participation]] = {}
    for part in participations:
        parts.setdefault(part.agent.number, []).append(part)
    for agent, stays, said in zip(agents, sessions, presences, strict=True):
        events: list[tuple[int, int, int, Session | Presence | Participation]] = []

        def put(
            at: int | None,
            kind: int,
            fact: Session | Presence | Participation,
            events: list[tuple[int, int, int, Session | Presence | Participation]] = events,
        ) -> None:
            if at is not None and at < until:
                events.append((at, kind, len(events), fact))

        for stay in stays:
            put(stay.started, _SIGN_IN, stay)
            put(stay.ended, _SIGN_OUT, stay)
        for presence in said:
            put(presence.at, _PRESENCE, presence)
        for part in parts.get(agent.number, ()):
            put(part.joined, _JOIN, part)
            put(part.left, _LEAVE, part)
        events.sort(key=lambda event: event[:3])
        yield from _sweep(agent, events, until)


def _sweep(
    agent: Agent,
    events: list[tuple[int, int, int, Session | Presence | Participation]],
    until: int,
) -> Iterator[Row]:
    """Yield one row per stretch in which nothing about the agent changed."""
    live = _Live(agent)
    since = 0
    current: Row | None = None
    for index, (at, kind, _, fact) in enumerate(events):
        live.apply(kind, fact)
        if index + 1 < len(events) and events[index + 1][0] == at:
            continue
        words = live.words()
        if words == current:
            continue
        if current is not None:
            yield (agent.agent_id, agent.name, since, at, *current)
        since, current = at, words
    if current is not None:
        yield (agent.agent_id, agent.name, since, until, *current)


def transfers(facts: Iterable[Transfer], until: int) -> Iterator[Row]:
    """Yield the transfers initiated before `until`; later completions are not known yet."""
    for fact in facts:
        if fact.started < until:
            yield (
                fact.interaction_id,
                fact.sender.agent_id,
                fact.receiver_id,
                fact.started,
                _known(fact.completed, until),
                fact.hop,
                fact.is_return,
                "consult" if fact.consult else "blind",
            )


def sessions(facts: Iterable[tuple[Session, ...]], until: int) -> Iterator[Row]:
    """Yield the sessions begun before `until`."""
    for stays in facts:
        for stay in stays:
            if stay.started < until:
                ended = _known(stay.ended, until)
                yield (stay.session_id, stay.agent.agent_id, stay.started, ended)


def interactions(facts: Iterable[Participation], until: int) -> Iterator[Row]:
    """Yield who took part in what, joined before `until`."""
    for fact in facts:
        if fact.joined < until:
            yield (
                fact.interaction_id,
                fact.agent.agent_id,
                CHANNELS[fact.channel],
                fact.joined,
                _known(fact.left, until),
            )


def agents(facts: Iterable[Agent]) -> Iterator[Row]:
    """Yield who is on the payroll, and in which team."""
    for fact in facts:
        yield (fact.agent_id, fact.name, fact.team)


def _known(at: int | None, until: int) -> int | None:
    return at if at is not None and at <= until else None


def write(
    folder: Path,
    *,
    states: Iterable[Row],
    transfers: Iterable[Row],
    sessions: Iterable[Row],
    interactions: Iterable[Row],
    agents: Iterable[Row],
) -> None:
    """Write the five tables of the truth into a folder, made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "agent_states.parquet", STATES, states)
    _write(folder / "transfers.parquet", TRANSFERS, transfers)
    _write(folder / "sessions.parquet", SESSIONS, sessions)
    _write(folder / "interactions.parquet", INTERACTIONS, interactions)
    _write(folder / "agents.parquet", AGENTS, agents)


def _write(path: Path, schema: pa.Schema, rows: Iterable[Row]) -> None:
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [_column(field, column) for field, column in zip(schema, columns, strict=True)]
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), path)


def _column(field: pa.Field, values: tuple[object, ...]) -> pa.Array:
    """Build a column; instants come in milliseconds and are kept in microseconds."""
    if field.type != _TIME:
        return pa.array(values, field.type)
    return pa.array(values, pa.timestamp("ms", tz="UTC")).cast(_TIME)
