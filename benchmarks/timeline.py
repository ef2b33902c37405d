"""Timeline and 15-minute intervals of a day of 2 million events, from the files that the product staged."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from benchmarks import data as made
from benchmarks import pipeline
from benchmarks.measure import Bar, Contender, Result, against, faster, race, show

_OURS, _DUCKDB = "Shiftbook", "DuckDB, one window"
_TIMELINE = [
    Contender(_OURS, "benchmarks.pipeline:timeline", "benchmarks.pipeline:prepare_day"),
    Contender(_DUCKDB, "benchmarks.contenders_duckdb:timeline"),
    Contender("DuckDB, row_number by event and lead", "benchmarks.contenders_duckdb:timeline_typical"),
    Contender("polars, lazy", "benchmarks.contenders_polars:timeline"),
    Contender("pandas", "benchmarks.contenders_pandas:timeline"),
]
_FLOOR = Contender(
    "floor: the same columns, ordered and written", "benchmarks.contenders_duckdb:sort_floor", answers=False
)
_INTERVALS = [
    Contender(_OURS, "benchmarks.pipeline:buckets", "benchmarks.pipeline:prepare_built"),
    Contender("DuckDB, generate_series", "benchmarks.contenders_duckdb:buckets_series"),
    Contender("DuckDB, head, tail and whole buckets", "benchmarks.contenders_duckdb:buckets_arithmetic"),
    Contender("polars, lazy", "benchmarks.contenders_polars:buckets"),
    Contender("pandas and numpy", "benchmarks.contenders_pandas:buckets"),
]
_ALL = [
    Contender(_OURS, "benchmarks.pipeline:end_to_end", "benchmarks.pipeline:prepare_centre"),
    Contender(_DUCKDB, "benchmarks.contenders_duckdb:end_to_end"),
]
_QUARTER = 900_000_000
_SECOND = Result(wall=[1.0])
_TIMES = """
select count(*), sum(epoch_us(ended_at) - epoch_us(started_at))::bigint,
    sum(epoch_us(ended_at) - epoch_us(started_at)) filter (state = 'handling')::bigint,
    sum((epoch_us(ended_at) - epoch_us(started_at)) * work_items)::bigint,
    bit_xor(hash(agent_id, epoch_us(started_at), epoch_us(ended_at), state, work_items::bigint, load::bigint))
from read_parquet('{path}', hive_partitioning = false)
"""
_CELLS = """
select count(*), sum(available_us + handling_us + wrap_up_us + not_ready_us + offline_us + unobserved_us)::bigint,
    max(available_us + handling_us + wrap_up_us + not_ready_us + offline_us + unobserved_us)::bigint,
    bit_xor(hash(agent_id, epoch_us(interval_start), available_us::bigint, handling_us::bigint, work_item_us::bigint,
        load_us::bigint, coalesce(capacity_us, 0)::bigint))
from read_parquet('{path}', hive_partitioning = false)
"""


def _facts(sql: str, table: str, file: str) -> Callable[[str, Path], tuple[object, ...]]:
    def facts(name: str, out: Path) -> tuple[object, ...]:
        path = pipeline.file_of(out, table) if name == _OURS else out / file
        with duckdb.connect() as connection:
            connection.execute("set timezone = 'UTC'")
            return tuple(connection.execute(sql.format(path=path)).fetchall()[0])

    return facts


def _adding_up(timeline: Path) -> Callable[[str, Path], tuple[object, ...]]:
    """Facts about cells, after a look whether they come to the microsecond to what the states do."""
    facts = _facts(_CELLS, made.BUCKETS, "buckets.parquet")
    sql = f"select sum(epoch_us(ended_at) - epoch_us(started_at))::bigint from read_parquet('{timeline}')"
    with duckdb.connect() as connection:
        states = connection.execute(sql).fetchall()[0][0]

    def checked(name: str, out: Path) -> tuple[object, ...]:
        found = facts(name, out)
        if found[1] != states or found[2] != _QUARTER:
            raise ValueError(f"{name}: cells of {found[1]} us, at most {found[2]}, for states of {states} us")
        return found

    return checked


def run_timeline(data: Path, rounds: int) -> list[Bar]:
    """Measure and print the timeline; bars T1 and T2."""
    facts = _facts(_TIMES, made.TIMELINE, "timeline.parquet")
    contenders = [c for c in _TIMELINE if rounds > 1 or c.name != "pandas"]
    results = race([*contenders, _FLOOR], data, rounds, facts)
    show("Timeline: a day of 10,000 agents, 2.04 million delivered records (--quick: a tenth)", results)
    ours, bare, typical, polars = (results[c.name] for c in _TIMELINE[:4])
    return [
        against("T1", "timeline / the same columns ordered and written", ours, results[_FLOOR.name], 1.3),
        faster("T2a", "times as fast as row_number by event and lead", ours, typical, 2.5),
        against("T2b", "memory / that of row_number by event and lead", ours, typical, 0.5, "rss"),
        against("A3", "timeline / polars' fastest form", ours, polars, 1),
        against("A3b", "timeline / DuckDB's fastest form", ours, bare, 1.3),
    ]


def run_intervals(data: Path, rounds: int) -> list[Bar]:
    """Measure and print the quarters of an hour; bar O1. Cells that do not add up to the states raise ValueError."""
    facts = _adding_up(data / "timeline.parquet")
    results = race(_INTERVALS, data, rounds, facts)
    show("Quarters of an hour: 2.01 million states to 960,000 cells (--quick: a tenth)", results)
    ours, series, _, polars, _ = (results[c.name] for c in _INTERVALS)
    return [
        against("O1", "quarters of an hour / plain generate_series, every cell equal", ours, series, 1.3),
        against("O1b", "quarters of an hour / polars' fastest form", ours, polars, 1),
    ]


def run_all(data: Path, rounds: int) -> list[Bar]:
    """Measure and print a smaller centre's day from its pages to its intervals."""
    facts = _facts(_CELLS, made.BUCKETS, "buckets.parquet")
    results = race(_ALL, data, rounds, facts)
    show("End to end: a day of 1,000 agents, 204,000 records, from pages to intervals", results)
    ours, bare = results.values()
    return [
        against("A1", "end to end / bare DuckDB", ours, bare, 1.3),
        against("A1c", "end to end / bare DuckDB, CPU", ours, bare, 1.3, "cpu"),
    ]


def run_many_days(data: Path, days: int) -> list[Bar]:
    """Measure and print day after day; bar T3, once: it is about memory."""
    one = Contender("one day", "benchmarks.pipeline:timeline", "benchmarks.pipeline:prepare_day")
    names = {"4GB": f"{days} days, 4 GB allowed", "2GB": f"{days} days, 2 GB allowed"}
    many = [
        Contender(name, f"benchmarks.pipeline:many_days_{limit.lower()}", "benchmarks.pipeline:prepare_many")
        for limit, name in names.items()
    ]
    results = race([one, *many], data, 1)
    show(f"Timelines of {days} such days, one after the other", results)
    single, free, tight = results.values()
    return [
        against("T3a", f"memory for {days} days / for one", free, single, 1.2, "rss"),
        against("T3b", f"{days} days in 2 GB / in 4 GB", tight, free, 1.5),
    ]


def run_overhead(rounds: int) -> list[Bar]:
    """Time a process that builds one partition of one row, from its start to its end; bar T4."""
    taken = Result()
    with TemporaryDirectory() as home:
        command = [sys.executable, "-c", f"from benchmarks.pipeline import smallest; smallest({home!r})"]
        subprocess.run(command, check=True)
        for _ in range(rounds):
            started = time.perf_counter()
            subprocess.run(command, check=True)
            taken.wall.append(time.perf_counter() - started)
    return [against("T4", "a process that builds one tiny partition / 1 s (dbt: not measured)", taken, _SECOND, 1)]
