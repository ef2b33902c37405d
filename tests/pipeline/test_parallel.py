"""Many write at once and many read meanwhile: no lock, no half row, no mixture of two moments."""

import itertools
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow.dataset as ds

from tests.pipeline.conftest import MakeSite
from tests.pipeline.site import Site, after, day
from tests.pipeline.watch import NAMED, agreeing, new_connection, onlookers

RANGES = [(0, 0), (0, 1), (1, 1), (0, 1), (0, 0), (1, 1), (0, 1), (1, 1)]
KEYS = ["date", "source", "agent_id", "started_at"]


def holding(home: Path) -> Callable[[], str | None]:
    """Asks one connection over and over, which must never change its answer, and takes a new one now and then."""
    path, numbers = home / "warehouse.duckdb", itertools.count()
    connections: list[duckdb.DuckDBPyConnection] = []
    answers: list[int] = []

    def look() -> str | None:
        if not path.exists():
            return None
        if not connections or len(answers) >= 20:
            for old in connections:
                old.close()
            # As another process would: in one process, all connections to one path share the oldest one's database.
            mine = home.parent / f"held-{next(numbers)}" / path.name
            mine.parent.mkdir()
            os.link(path, mine)
            connections[:], answers[:] = [duckdb.connect(str(mine), read_only=True)], []
        [count] = connections[0].execute("select count(*) from marts.fct_agent_timeline").fetchone() or [-1]
        answers.append(count)
        return agreeing(connections[0]) if len(set(answers)) == 1 else f"one connection, answers {answers}"

    return look


def tree(lake: Path, read: Callable[[Path], tuple[int, int]]) -> Callable[[], str | None]:
    """Reads the plain Hive tree; ``read`` counts rows and distinct rows."""
    folder = lake / "marts" / "fct_agent_timeline"

    def look() -> str | None:
        if not any(folder.glob("date=*/*.parquet")):
            return None
        rows, distinct = read(folder)
        return None if rows == distinct else f"{rows} rows, {distinct} distinct"

    return look


def with_polars(folder: Path) -> tuple[int, int]:
    """As polars sees it, which opens each file twice: where a build came in between it raises, and is asked again."""
    for _ in range(4):
        with suppress(pl.exceptions.ComputeError, pl.exceptions.PanicException):
            return _once_with_polars(folder)
    return _once_with_polars(folder)


def _once_with_polars(folder: Path) -> tuple[int, int]:
    frame = pl.read_parquet(folder / "**" / "*.parquet", hive_partitioning=True)
    return frame.height, frame.select(KEYS).n_unique()


def with_pandas(folder: Path) -> tuple[int, int]:
    """As pandas sees it, through pyarrow."""
    frame = pd.read_parquet(folder, columns=KEYS)
    return len(frame), len(frame.drop_duplicates())


def with_pyarrow(folder: Path) -> tuple[int, int]:
    """As pyarrow sees it."""
    table = ds.dataset(folder, partitioning="hive").to_table(columns=KEYS)
    return table.num_rows, table.group_by(KEYS).aggregate([]).num_rows


def test_eight_backfills_while_everyone_reads(make_site: MakeSite) -> None:
    """Locks between writers and readers are what people leave DuckDB files for; none may be met here."""
    site, calm = make_site(), make_site("calm")
    for one in (site, calm):
        one.server.clock.set(after(1))
    path, lake = site.home / "warehouse.duckdb", site.home / "lake"
    looks = [new_connection(path), holding(site.home)]
    looks += [tree(lake, with_polars), tree(lake, with_pandas), tree(lake, with_pyarrow)]
    with onlookers(*looks) as seen:
        started = [site.start("backfill", "--from", str(day(a)), "--to", str(day(b))) for a, b in RANGES]
        told = [(process.communicate()[0], process.returncode) for process in started]
    assert [(text[-2000:], code) for text, code in told if code != 0] == []
    assert not [text for text, _ in told if "locked" in text.lower()]
    assert [one.wrong[:2] for one in seen] == [[] for _ in seen]
    assert min(one.looks for one in seen) > 3

    with site.warehouse() as connection:
        assert connection.execute(NAMED).fetchall() == []
        assert agreeing(connection) is None
    calm.capture(after(1), [day(0), day(1)])
    calm.build([day(0), day(1)])
    ours, wanted = published(site), published(calm)
    assert not [table for table, rows in wanted.items() if rows != ours[table]]


def published(site: Site) -> dict[str, list[tuple[object, ...]]]:
    """The marts of the days that both captured whole."""
    with site.warehouse() as connection:
        tables = [m.table for m in site.engine.models.values() if m.schema == "marts" and m.kind == "day"]
        return {
            table: connection.execute(f"select * from {table} where date <= ? order by all", [day(1)]).fetchall()
            for table in tables
        }
