"""How every configured feed is doing at this moment, whether anything was built of it or not.

The figures are those of ``ops.source_health``, by the same models, over the log of attempts as it is now; what the
recorder knows beyond that log, by ``standing.py``. Nothing is written; what cannot be read is set aside.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb

from orchestration.duck import connect, parameters, quote, show
from orchestration.inputs import Input
from orchestration.resources import Engine
from orchestration.settings import feeds_of
from orchestration.standing import heard
from orchestration.unreadable import set_aside_attempts

# Gaps and rejects are told of the last seven days.
_DAYS_BACK = 7
_NEVER = "never captured"
_MODELS = ("ops.capture_log", "intermediate.int_feed_windows", "ops.feed_coverage")
# What the view reads of the tables that are put together of built days and others.
_KEPT = {
    "ops.feed_coverage": "source, feed, window_start, window_end, status",
    "ops.capture_log": "source, feed, attempted_at, status, error",
}


def feed_health(engine: Engine, now: datetime | None = None) -> list[dict[str, Any]]:
    """The columns of ``ops.source_health``, and ``is_recorded``: whether a recorder has the feed, None where none can.

    A row for each configured feed, by source and feed.

    Args:
        engine: The home.
        now: Our clock.
    """
    now = now or datetime.now(UTC)
    if not engine.feeds:
        return []
    try:
        rows = _rows(engine, now)
    except duckdb.Error:
        logs = engine.lake.root.glob(".capture/*/*/source=*/date=*/*.parquet")
        if not set_aside_attempts(engine.lake, logs):
            raise
        rows = _rows(engine, now)
    recordable = {f"{s.name}/{f.name}" for s in engine.settings.sources for f in feeds_of(s) if f.live or f.cadence}
    return [_with_recorder(engine, row, now, recordable) for row in rows]


def _rows(engine: Engine, now: datetime) -> list[dict[str, Any]]:
    with connect(engine.lake, 2, "1GB") as connection:
        _look(engine, connection, _days(engine, now))
        # The view asks for the time, which is the caller's here.
        connection.execute(f"create macro now() as timestamptz {quote(now.isoformat())}")
        result = connection.execute(engine.models["ops.source_health"].sql)
        names = [column[0] for column in result.description or []]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _days(engine: Engine, now: datetime) -> list[date]:
    """Days whose coverage is worked out anew: the last ones by each vendor's clock, and all that were never built."""
    clock = engine.builder.constants.input("ops.feed_clock", None)
    drifts = {row["drift_seconds"] or 0.0 for row in clock.rows or ()}
    todays = {(now + timedelta(seconds=drift)).date() for drift in drifts}
    # One more than gaps are told of, since a clock is not known to the second.
    recent = {today + timedelta(days=n) for today in todays for n in range(-_DAYS_BACK, 2)}
    logged = {date.fromisoformat(path.name[5:]) for path in engine.lake.root.glob(".capture/*/*/source=*/date=*")}
    return sorted(logged & recent | logged - set(engine.builder.builds.days("ops.feed_coverage")))


def _look(engine: Engine, connection: duckdb.DuckDBPyConnection, days: Sequence[date]) -> None:
    """Show what the view reads: coverage and log of these days as they are now, of the others as they were built."""
    builder = engine.builder
    for table, columns in _KEPT.items():
        paths = [p for day in builder.builds.days(table) if day not in days for p in builder.builds.paths(table, day)]
        name = table.removeprefix("ops.")
        show(connection, f"built.{name}", paths, builder.types[table])
        connection.execute(f"create table {name} as select {columns} from built.{name}")
    for day in days:
        _cover(engine, connection, day)
    builder.show_input(connection, builder.constants.input("ops.feed_clock", None))
    _show_built(engine, connection, "ops.rejects", builder.builds.days("ops.rejects"))
    for table in _KEPT:
        connection.execute(f"create or replace view {table} as from main.{table.removeprefix('ops.')}")


def _cover(engine: Engine, connection: duckdb.DuckDBPyConnection, day: date) -> None:
    """Add a day's log and coverage."""
    builder = engine.builder
    for table in ("raw.capture_attempts", "ops.feed_clock"):
        builder.show_input(connection, builder.constants.input(table, day))
    _show_built(engine, connection, "ops.broken_chains", [day])
    log, windows, coverage = (engine.models[table] for table in _MODELS)
    connection.execute(f"create or replace view {log.table} as {log.sql}")
    connection.execute("create schema if not exists intermediate")
    connection.execute(f"create or replace table {windows.table} as {windows.sql}", parameters(windows, day))
    for model in (log, coverage):
        name, columns = model.table.removeprefix("ops."), _KEPT[model.table]
        connection.execute(f"insert into {name} select {columns} from ({model.sql})", parameters(model, day) or None)


def _show_built(engine: Engine, connection: duckdb.DuckDBPyConnection, table: str, days: Sequence[date]) -> None:
    paths = tuple(path for day in days for path in engine.builder.builds.paths(table, day))
    engine.builder.show_input(connection, Input(table, (), paths))


def _with_recorder(engine: Engine, row: dict[str, Any], now: datetime, recordable: Collection[str]) -> dict[str, Any]:
    """A row with what the recorder says, which is newer than the log."""
    name = f"{row['source']}/{row['feed']}"
    standing = heard(engine.settings.spool_dir, name, now)
    observed = [at for at in (row["observed_until"], standing and standing.observed_until) if at]
    until = max(observed, default=None)
    error = standing.trouble if standing else row["last_error"]
    if until is None and standing is None:
        error = error or _NEVER
    vendor_now = now + timedelta(seconds=row["clock_drift_seconds"] or 0.0)
    return {
        **row,
        "observed_until": until,
        # The vendor's clock is known to a second: what was heard just now is not from the future.
        "lag_seconds": max(0.0, (vendor_now - until).total_seconds()) if until else None,
        "last_error": error,
        "is_recorded": (standing is not None and standing.trouble is None) if name in recordable else None,
    }
