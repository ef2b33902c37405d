"""How every configured feed is doing at this moment, whether anything was built of it or not.

The figures are those of ``ops.source_health``, by the same models, over the log of attempts as it is now; what the
recorder knows beyond that log, by ``standing.py``. Nothing is written.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb

from orchestration.duck import connect, parameters, show
from orchestration.inputs import Input
from orchestration.resources import Engine
from orchestration.standing import heard

# Gaps and rejects are told of the last seven days by the vendor's clock, which may be behind ours, or ahead.
_DAYS_BACK = 8
_NEVER = "never captured; start 'shiftbook record' or 'shiftbook up', or run 'shiftbook backfill'"
_COVERAGE = "source, feed, window_start, window_end, status, reason"


def feed_health(engine: Engine, now: datetime | None = None) -> list[dict[str, Any]]:
    """The columns of ``ops.source_health`` and ``is_recorded``, a row for each configured feed, by source and feed.

    Args:
        engine: The home.
        now: Our clock.
    """
    now = now or datetime.now(UTC)
    if not engine.feeds:
        return []
    with connect(engine.lake, 2, "1GB") as connection:
        _look(engine, connection, [now.date() + timedelta(days=n) for n in range(-_DAYS_BACK, 2)])
        result = connection.execute(engine.models["ops.source_health"].sql)
        names = [column[0] for column in result.description or []]
        rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    return [_with_recorder(engine, row, now) for row in rows]


def _look(engine: Engine, connection: duckdb.DuckDBPyConnection, days: Sequence[date]) -> None:
    """Show what the view reads: coverage of these days from the log, of earlier ones as it was built."""
    builder, types = engine.builder, engine.builder.types
    before = [path for day in builder.builds.days("ops.feed_coverage") if day < days[0]
              for path in builder.builds.paths("ops.feed_coverage", day)]  # fmt: skip
    show(connection, "built.feed_coverage", before, types["ops.feed_coverage"])
    connection.execute(f"create table coverage as select {_COVERAGE} from built.feed_coverage")
    attempts = [builder.constants.input("raw.capture_attempts", day) for day in days]
    for day, attempted in zip(days, attempts, strict=True):
        if attempted.paths:
            _cover(engine, connection, day, attempted)
    builder.show_input(connection, builder.constants.input("ops.feed_clock", None))
    paths = tuple(path for attempted in attempts for path in attempted.paths)
    builder.show_input(connection, Input("raw.capture_attempts", (), paths))
    _show_log(engine, connection)
    connection.execute("create schema if not exists ops; create view ops.feed_coverage as from coverage")
    rejects = tuple(path for day in days for path in builder.builds.paths("ops.rejects", day))
    builder.show_input(connection, Input("ops.rejects", (), rejects))


def _cover(engine: Engine, connection: duckdb.DuckDBPyConnection, day: date, attempted: Input) -> None:
    builder = engine.builder
    builder.show_input(connection, attempted)
    builder.show_input(connection, builder.constants.input("ops.feed_clock", day))
    broken = tuple(builder.builds.paths("ops.broken_chains", day))
    builder.show_input(connection, Input("ops.broken_chains", (), broken))
    _show_log(engine, connection)
    windows, coverage = (engine.models[table] for table in ("intermediate.int_feed_windows", "ops.feed_coverage"))
    connection.execute("create schema if not exists intermediate")
    connection.execute(f"create or replace table {windows.table} as {windows.sql}", parameters(windows, day))
    connection.execute(f"insert into coverage select {_COVERAGE} from ({coverage.sql})", parameters(coverage, day))


def _show_log(engine: Engine, connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(f"create or replace view ops.capture_log as {engine.models['ops.capture_log'].sql}")


def _with_recorder(engine: Engine, row: dict[str, Any], now: datetime) -> dict[str, Any]:
    """A row with what the recorder says, which is newer than the log."""
    standing = heard(engine.settings.spool_dir, f"{row['source']}/{row['feed']}", now)
    observed = [at for at in (row["observed_until"], standing and standing.observed_until) if at]
    until = max(observed, default=None)
    error = standing.trouble if standing else row["last_error"]
    if until is None and standing is None:
        error = error or _NEVER
    vendor_now = now + timedelta(seconds=row["clock_drift_seconds"] or 0.0)
    return {
        **row,
        "observed_until": until,
        "lag_seconds": (vendor_now - until).total_seconds() if until else None,
        "last_error": error,
        "is_recorded": standing is not None and standing.trouble is None,
    }
