"""Analysts' questions with a week and with a year behind them: the examples and macros, over a lake of one day's rows.

A day of a hundred agents is built once and stands, moved in time, for each day before today; nothing is captured.
"""

import os
import re
import statistics
import time
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from pathlib import Path

import duckdb
import msgspec

from benchmarks import data as made
from benchmarks.measure import Bar
from orchestration.builder import Builder
from orchestration.builds import Entry, Manifest, digest
from orchestration.duck import quote
from orchestration.settings import sql_dir
from orchestration.warehouse import Warehouse

AGENTS = 100
# Who works in a month's or a year's figures asks for all of it.
_ASKED = {
    "agent_state_at": "from agent_state_at(now() - interval 30 hours)",
    "agent_intervals, a day": "from agent_intervals(30, 'Asia/Kathmandu', utc_day(now()) - 2, utc_day(now()) - 1)",
    "agent_intervals, 30 local days": "from agent_intervals(1440, 'Europe/Berlin', now() - interval 30 days, now())",
    "time_in_state": "from time_in_state(8, utc_day(now()))",
    "idle_time": "from idle_time(8, utc_day(now()))",
    "time_with_sessions": "from time_with_sessions(2, 8, utc_day(now()))",
    "sessions_participated": "from sessions_participated(8, utc_day(now()))",
    "current_state_age": "from current_state_age(utc_day(now()))",
    "occupancy by month, all history": "select date_trunc('month', date), occupancy(sum(handling_seconds), "
    "sum(wrap_up_seconds), sum(available_seconds)) from marts.agg_agent_days group by all",
    "hours by agent, all history": "select agent_id, sum(staffed_seconds) from marts.fct_agent_intervals group by all",
}


def make_template(folder: Path) -> None:
    """The day, with all tables built."""
    made.make_day(folder, AGENTS)
    builder = made.open_builder(folder)
    for table, model in builder.models.items():
        if model.kind == "day":
            builder.build_days(table, [made.DAY])


def make_year(template: Path, folder: Path, days: int) -> None:
    """A home with so many days, the last of them yesterday."""
    source = made.open_builder(template)
    builder = made.open_builder(folder)
    builder.build(builder.models["intermediate.int_source_signals"], None)
    today = datetime.now(UTC).date()
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        for table, model in builder.models.items():
            if model.kind in {"day", "segment"}:
                for back in range(1, days + 1):
                    _move(connection, source, builder, table, today - timedelta(days=back))
    Warehouse(folder / "warehouse.duckdb", builder, sql_dir() / "macros").publish()


def _move(connection: duckdb.DuckDBPyConnection, source: Builder, builder: Builder, table: str, day: date) -> None:
    """Let a day of a table hold the template's rows of that table, moved to it."""
    manifest = source.builds.manifest(table, made.DAY)
    # What was staged is not asked for here.
    if manifest is None or table.startswith("staging."):
        return
    target = builder.builds.folder(table, day)
    target.mkdir(parents=True, exist_ok=True)
    path = target / "moved.parquet"
    [origin] = source.builds.paths(table, made.DAY)
    if manifest.rows == 0:
        os.link(origin, path)
    else:
        kinds = builder.types[table]
        moved = [
            f'"{name}" + to_days({(day - made.DAY).days}) as "{name}"'
            for name, kind in kinds.items()
            if kind == "TIMESTAMP WITH TIME ZONE"
        ]
        replaced = f" replace ({', '.join(moved)})" if moved else ""
        files = f"read_parquet({quote(str(origin))}, hive_partitioning = false)"
        connection.execute(
            f"copy (select *{replaced} from {files}) to {quote(str(path))} (format parquet, compression zstd)"
        )
    entry = Entry(path.name, "data.parquet", manifest.rows, path.stat().st_size, digest(path))
    whole = Manifest((entry,), "moved", datetime.now(UTC), 0.0)
    (target / "current.json").write_bytes(msgspec.json.encode(whole))


def run(data: Path, rounds: int) -> list[Bar]:
    """Ask all questions of both homes in turn; print seconds and files, return how they compare."""
    names = ("week", "year")
    folder = Path(__file__).parents[1] / "examples"
    asked = {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.sql"))} | _ASKED
    found: dict[str, dict[str, list[float]]] = {name: {question: [] for question in asked} for name in names}
    opened = {name: _files_opened(data / name, asked) for name in names}
    for _ in range(rounds):
        for name in names:
            for question, seconds in _seconds(data / name, asked).items():
                found[name][question].append(seconds)
    print(f"\n{'question':44} {'week s':>8} {'year s':>8} {'files':>6} {'files':>6}")
    for question in asked:
        times = " ".join(f"{statistics.median(found[name][question]):8.3f}" for name in names)
        print(f"{question:44} {times} {opened['week'][question]:6} {opened['year'][question]:6}")
    recent = [question for question in asked if "all history" not in question]
    ratios = [
        reckon(list(chain(found["year"][q]))) / reckon(list(chain(found["week"][q])))
        for q in recent
        for reckon in (statistics.median, min)
    ]
    slowest = [max(reckon(found["year"][q]) for q in asked) for reckon in (statistics.median, min)]
    return [
        Bar(
            "Y1",
            "a question about days or hours, a year over a week behind it (median of all)",
            statistics.median(ratios[::2]),
            statistics.median(ratios[1::2]),
            3.0,
        ),
        Bar("Y2", "seconds of the slowest question over a year of a hundred agents", slowest[0], slowest[1], 1.0),
    ]


def _seconds(home: Path, asked: dict[str, str]) -> dict[str, float]:
    with _opened(home) as connection:
        found = {}
        for question, sql in asked.items():
            started = time.perf_counter()
            connection.execute(sql).fetchall()
            found[question] = time.perf_counter() - started
        return found


def _files_opened(home: Path, asked: dict[str, str]) -> dict[str, int]:
    with _opened(home) as connection:
        plans = {
            q: connection.execute(f"explain (analyze, format json) {sql}").fetchall()[0][1] for q, sql in asked.items()
        }
    return {q: sum(map(int, re.findall(r'"Total Files Read": "(\d+)"', plan))) for q, plan in plans.items()}


def _opened(home: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(str(home / "warehouse.duckdb"), read_only=True)
    connection.execute("set timezone = 'UTC'")
    return connection
