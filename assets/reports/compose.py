"""Makes a report of a warehouse and a choice: runs the queries once, into Parquet, and reads everything else from that.

What the queries are is in ``queries.py``, what is said around the tables in ``facts.py``, formats in the renderers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from assets.reports import parquet
from assets.reports.catalogue import REPORTS
from assets.reports.config import ReportConfig
from assets.reports.facts import found_in, told
from assets.reports.model import Report, Stretch, Table
from assets.reports.queries import SCOPE, Query, QueryError, bound, read_queries, read_query

_PICTURE = "picture"
_MOST_NAMES = 3  # in a title


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be reported on.

    Attributes:
        config: Which report, of whom, in which zone and formats.
        day: Calendar day in ``zone``.
        zone: IANA zone.
        queries: The folder ``sql/reports``.
        retired: Sources that are captured no more: nothing is expected of them.
    """

    config: ReportConfig
    day: date
    zone: str
    queries: Path
    retired: Sequence[str] = ()

    @property
    def period(self) -> tuple[datetime, datetime]:
        """The day's first instant and the one after its last, UTC: 23 to 25 hours."""
        return period_of(self.day, self.zone)

    @property
    def parameters(self) -> dict[str, Any]:
        """What queries may bind."""
        start, end = self.period
        choice = self.config
        return {
            "day": self.day.isoformat(),
            "from_time": start,
            "to_time": end,
            "zone": self.zone,
            "grain_minutes": choice.grain_minutes,
            **{n: list(v) if v else None for n, v in (("teams", choice.teams), ("agents", choice.agents))},
            "sources": list(choice.sources) if choice.sources else None,
        }


def period_of(day: date, zone: str) -> tuple[datetime, datetime]:
    """A local day's first instant and the one after its last, UTC. Where clocks skip midnight, when they do."""
    start, end = (datetime.combine(d, time(), ZoneInfo(zone)).astimezone(UTC) for d in (day, day + timedelta(days=1)))
    return start, end


def compose(connection: duckdb.DuckDBPyConnection, asked: Asked, folder: Path) -> Report:
    """Run a report's queries on one snapshot of the warehouse; first edition, without changes.

    Args:
        connection: The warehouse, read-only, in UTC, of its own: temporary tables are made in it.
        asked: What is to be reported on.
        folder: Where the rows are kept as Parquet while the report is rendered.

    Raises:
        QueryError: A query does not return the columns that its header describes.
        duckdb.Error: The warehouse lacks what a query needs.
    """
    kind = REPORTS[asked.config.report]
    for statement in (asked.queries / SCOPE).read_text(encoding="utf-8").split(";\n"):
        connection.execute(statement, bound(statement, asked.parameters))
    queries = read_queries(asked.queries, asked.config.report, kind.tables)
    tables = [_table(connection, asked, query, folder) for query in queries]
    picture = None
    if kind.picture:
        file = _table(connection, asked, read_query(asked.queries / f"{_PICTURE}__stretches.sql"), folder).file
        picture = partial(_stretches, file, asked.zone) if file else None
    start, end = (moment.astimezone(ZoneInfo(asked.zone)) for moment in asked.period)
    said = told(found_in(connection, asked.parameters, asked.retired), kind, asked.config, asked.zone, asked.period)
    return Report(
        name=asked.config.name,
        kind=asked.config.report,
        title=f"{kind.title}{_of_whom(connection, asked.config)} {asked.day}",
        day=asked.day,
        zone=asked.zone,
        period_start=start,
        period_end=end,
        tables=tables,
        facts=said.facts,
        warnings=said.warnings,
        complete=said.complete,
        ready=said.ready,
        timeline=picture,
    )


def _of_whom(connection: duckdb.DuckDBPyConnection, config: ReportConfig) -> str:
    """In the title of a report of some agents: whose it is."""
    if not config.agents:
        return ""
    query = "select distinct coalesce(agent_name, agent_id) from report_agents order by 1"
    names = [name for [name] in connection.execute(query).fetchall()] or list(config.agents)
    return f" of {', '.join(names) if len(names) <= _MOST_NAMES else f'{len(names)} agents'}"


def _table(connection: duckdb.DuckDBPyConnection, asked: Asked, query: Query, folder: Path) -> Table:
    file = folder / f"{query.report}__{query.table}.parquet"
    relation = connection.sql(query.sql, params=bound(query.sql, asked.parameters))
    described = [column.name for column in query.columns]
    if relation.columns != described:
        raise QueryError(f"{query.path}: returns {relation.columns}, its header describes {described}; make them agree")
    count = parquet.write(file, parquet.schema_of(query.columns), relation.to_arrow_reader(parquet.BATCH))
    rows = partial(parquet.rows, file, asked.zone)
    return Table(query.table, query.title, query.columns, rows, count, query.note, file)


def _stretches(file: Path, zone: str) -> Iterator[Stretch]:
    return (Stretch(*row) for row in parquet.rows(file, zone))
