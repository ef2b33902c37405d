"""What the overview shows: who does what now, and the day so far beside the same weekday a week before.

Reads the queries ``sql/reports/overview__*.sql``; how it looks belongs in ``overview.py``.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import duckdb

from assets.reports.queries import bound, read_query

# The recorder seals every five minutes and a build comes at most every five: twelve minutes are nothing unusual.
STALE_AFTER = timedelta(minutes=15)

Period = Literal["today", "last_week"]


@dataclass(frozen=True, slots=True)
class SourceNow:
    """How far a source was observed, and which of the states available, handling and wrap-up it tells."""

    source: str
    observed_until: datetime | None
    told: frozenset[str]

    def is_stale(self, now: datetime) -> bool:
        """Whether what it last told says nothing of now."""
        return self.observed_until is None or now - self.observed_until > STALE_AFTER


@dataclass(frozen=True, slots=True)
class AgentNow:
    """The state of an agent at the last instant their source was observed."""

    source: str
    team: str
    agent_id: str
    agent_name: str | None
    state: str
    vendor_state: str | None
    since: datetime
    seconds: float


@dataclass(frozen=True, slots=True)
class DayPart:
    """Figures of a part of the day so far, or of the same hours a week before; ratios from 0 to 1, None: not known."""

    occupancy: float | None
    low: float | None
    high: float | None
    coverage: float | None
    transfers: int | None


@dataclass(frozen=True, slots=True)
class Board:
    """All that the overview shows.

    Attributes:
        made_at: When it was read, in ``zone``.
        zone: IANA zone of the day.
        sources: By name.
        agents: Of these sources.
        day: By (period, source, team, hour), each None where it is added up.
    """

    made_at: datetime
    zone: str
    sources: Sequence[SourceNow]
    agents: Sequence[AgentNow]
    day: dict[tuple[str, str | None, str | None, int | None], DayPart]

    def part(
        self, period: Period, source: str | None = None, team: str | None = None, hour: int | None = None
    ) -> DayPart | None:
        """The figures of all, or of a source, a team in it, or an hour; None where there is nothing."""
        return self.day.get((period, source, team, hour))


def read_board(
    connection: duckdb.DuckDBPyConnection, queries: Path, sources: Collection[str], zone: str, now: datetime
) -> Board:
    """Ask one snapshot of the warehouse.

    Args:
        connection: The warehouse, read-only, in UTC.
        queries: The folder ``sql/reports``.
        sources: Those that are captured; others have no present.
        zone: IANA zone in which the day began.
        now: The present, aware.

    Raises:
        QueryError: A query is missing or its header breaks a rule.
        duckdb.Error: The warehouse lacks what a query needs.
    """
    made_at = now.astimezone(ZoneInfo(zone))
    parameters = {"as_of": now, "zone": zone, "day": made_at.date().isoformat(), "sources": sorted(sources)}

    def ask(table: str) -> list[Any]:
        sql = read_query(queries / f"overview__{table}.sql").sql
        return connection.execute(sql, bound(sql, parameters) or None).fetchall()

    seen = [_source(row) for row in ask("sources") if row[0] in sources]
    agents = [AgentNow(*row) for row in ask("agents") if row[0] in sources]
    day = {(row[1], row[2], row[3], row[4]): DayPart(*row[5:]) for row in ask("day")}
    return Board(made_at, zone, seen, agents, day)


def _source(row: Sequence[Any]) -> SourceNow:
    source, observed_until, *gives = row
    told = (state for state, given in zip(("available", "handling", "wrap_up"), gives, strict=True) if given == "yes")
    return SourceNow(source, observed_until, frozenset(told))
