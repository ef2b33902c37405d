"""Capture: pages of JSON to raw segments and staged Parquet, against other ways from the same pages to Parquet."""

from pathlib import Path

import duckdb

from benchmarks import data as made
from benchmarks.measure import Bar, Contender, Result, against, faster, race, show
from orchestration.builds import Builds
from orchestration.lake import Lake

OURS = "Shiftbook: raw segments and staged Parquet"
STAGED_ONLY = "Shiftbook: staged Parquet from raw segments"
TENFOLD = "Shiftbook, ten times the pages"
BARE = "DuckDB read_json, typed, records=true"
COLUMNS = "orjson, columns by hand, pyarrow"
ROWS = "orjson, Table.from_pylist"
DLT = "dlt, records (a rate: 40 pages)"
DLT_ARROW = "dlt, Arrow tables (a rate: 40 pages)"

_CONTENDERS = [
    Contender(OURS, "benchmarks.pipeline:captured", "benchmarks.pipeline:prepare_empty"),
    Contender(STAGED_ONLY, "benchmarks.pipeline:staged", "benchmarks.pipeline:prepare_landed"),
    Contender(BARE, "benchmarks.contenders_duckdb:read_json"),
    Contender(COLUMNS, "benchmarks.contenders_json:by_columns"),
    Contender(ROWS, "benchmarks.contenders_json:by_rows"),
    Contender(DLT, "benchmarks.contenders_dlt:records", work=0.4),
    Contender(DLT_ARROW, "benchmarks.contenders_dlt:arrow", work=0.4),
]
_TENFOLD = [Contender(TENFOLD, "benchmarks.pipeline:captured_tenfold", "benchmarks.pipeline:prepare_empty")]

_FACTS = """
select count(*), sum({duration}), sum(len(capacity)), coalesce(sum(len(transfers)), 0),
    min("{start}")::varchar, max("{start}")::varchar
from read_parquet({files}, hive_partitioning = false)
"""


def facts(name: str, out: Path) -> tuple[object, ...]:
    """Rows, length of all states, entries of capacity, transfers, first and last start."""
    if name in {OURS, STAGED_ONLY}:
        files = [str(path) for path in Builds(Lake(out / "lake")).paths(made.STAGING, made.DAY)]
        sql = _FACTS.format(duration="duration_seconds", start="started_at", files=files)
    else:
        files = [str(out / "events.parquet")]
        sql = _FACTS.format(duration='"durationSeconds"', start="start", files=files)
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        rows, seconds, *rest = connection.execute(sql).fetchall()[0]
    return (rows, round(seconds, 3), *rest)


def run(data: Path, rounds: int) -> list[Bar]:
    """Measure and print; the bars I1 to I4."""
    results = race(_CONTENDERS, data, rounds, facts)
    big = race(_TENFOLD, data, 1)[TENFOLD]
    show("Capture: 100 pages of 1,000 records", results | {TENFOLD: big})
    ours = results[OURS]
    limit = Result(rss=[300.0])
    return [
        against("I1", "raw and staged / DuckDB read_json to Parquet", ours, results[BARE], 1.5),
        against("I1b", "staged alone / DuckDB read_json to Parquet", results[STAGED_ONLY], results[BARE], 1.5),
        faster("I2a", "times the rate of orjson with columns by hand", ours, results[COLUMNS], 2.5),
        faster("I2b", "times the rate of orjson with from_pylist", ours, results[ROWS], 3),
        faster("I3a", "times the rate of dlt fed with records (our own aim is 20)", ours, results[DLT], 15),
        faster("I3b", "times the rate of dlt fed with Arrow tables", ours, results[DLT_ARROW], 3),
        against("I4a", "memory for 100,000 records / 300 MB", ours, limit, 1, "rss"),
        against("I4b", "memory for ten times the pages / for 100 pages", big, ours, 1.3, "rss"),
    ]
