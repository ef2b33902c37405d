"""Parses raw segments into staged Parquet files by a staging model's SQL: each segment once, many by one statement.

Which segments are to be parsed, and the lock under which, belongs in ``builder.py``.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from orchestration.builds import Builds, Entry, Part, fingerprint
from orchestration.duck import copy_to, quote, show
from orchestration.files import concatenate, scratch
from orchestration.models import Model

# Read once and rarely again: small.
_STAGED = "(format parquet, compression zstd)"
_BOUNDS = """
select segment, min(touched_from), max(touched_until) from read_parquet('{}', hive_partitioning = false) group by all
"""
# Segments parsed by one statement: planning it takes 20 ms, as long as parsing 4,000 records. 0.8 MB are 10 MB of JSON.
# Each statement reads all of a merged file, which may hold a day of 5,760 windows.
_PORTION_SEGMENTS = 500
_PORTION_BYTES = 800_000
# With more small files than this they are made one: of a day's 144 windows each row is written three times more.
_SMALL_FILES = 3
_SMALL_ROWS = 8_000  # fewer than one statement parses


def parse(
    builds: Builds,
    model: Model,
    day: date,
    fresh: Mapping[str, Path],
    connect: Callable[[int], AbstractContextManager[duckdb.DuckDBPyConnection]],
    threads: int,
) -> dict[str, Entry]:
    """Parse segments, portion by portion, and keep what they come to.

    Several portions at once, of one thread each, take a fifth less time than one after the other with all threads:
    while one is planned, or writes its last rows, another is parsed.

    Args:
        builds: Where the files are kept.
        model: The staging model.
        day: The segments' UTC day.
        fresh: The segments, and the files that hold them.
        connect: Opens a DuckDB of so many threads, for the thread that asks.
        threads: How many there are in all.

    Returns:
        The entry of each segment; those of one portion share theirs.
    """
    portions = [*_portions(fresh)]
    at_once = max(1, min(threads, len(portions)))

    def one(portion: Mapping[str, Path]) -> Entry:
        with connect(threads // at_once) as connection:
            return _parse(builds, connection, model, day, portion)

    if at_once == 1:
        made = [one(portion) for portion in portions]
    else:
        with ThreadPoolExecutor(at_once, thread_name_prefix="stage") as pool:
            made = [*pool.map(one, portions)]
    return {name: entry for portion, entry in zip(portions, made, strict=True) for name in portion}


def _parse(
    builds: Builds, connection: duckdb.DuckDBPyConnection, model: Model, day: date, portion: Mapping[str, Path]
) -> Entry:
    """Parse segments by one statement into one file; planning it takes longer than one segment does."""
    named = ", ".join(map(quote, portion))
    show(connection, model.parents[0], sorted(set(portion.values())), {}, where=f"segment in ({named})")
    with scratch(builds.lake.root / ".tmp") as temporary:
        copy_to(connection, model.sql, {}, temporary, _STAGED)
        bounds = {segment: times for segment, *times in connection.execute(_BOUNDS.format(temporary)).fetchall()}
        rows, size = pq.read_metadata(temporary).num_rows, temporary.stat().st_size
        parts = tuple(Part(name, f"{name}@{model.version}", *bounds.get(name, ())) for name in portion)
        name = next(iter(portion)) if len(portion) == 1 else f"{next(iter(portion))}-and-{len(portion) - 1}-more"
        file = builds.keep(temporary, model.table, day, prefix=f"{name}.")
    return Entry(file, file, rows, size, fingerprint([part.content for part in parts]), parts)


def _portions(raw: Mapping[str, Path]) -> Iterator[dict[str, Path]]:
    """Segments, by name and file, in portions for one statement each."""
    portion: dict[str, Path] = {}
    size = 0.0
    sharing = Counter(raw.values())
    for name, path in raw.items():
        weight = path.stat().st_size / sharing[path]
        if portion and (len(portion) == _PORTION_SEGMENTS or size + weight > _PORTION_BYTES):
            yield portion
            portion, size = {}, 0.0
        portion[name] = path
        size += weight
    if portion:
        yield portion


def merge_small(builds: Builds, model: Model, day: date, entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Make one file of many small ones, so that the last refresh of a day opens about as many as the first.

    The plain tree goes on showing the files apart: what a reader has listed there must not vanish.
    """
    small = [entry for entry in entries if entry.rows < _SMALL_ROWS]
    if len(small) <= _SMALL_FILES:
        return tuple(entries)
    with scratch(builds.lake.root / ".tmp") as temporary:
        folder = builds.folder(model.table, day)
        concatenate([folder / entry.file for entry in small], temporary)
        size = temporary.stat().st_size
        file = builds.keep(temporary, model.table, day, prefix="small.")
    parts = tuple(part for entry in small for part in entry.parts)
    shown = tuple(name for entry in small for name in entry.shown or (entry.link,))
    content = fingerprint([part.content for part in parts])
    merged = Entry(file, file, sum(entry.rows for entry in small), size, content, parts, shown)
    return (merged, *(entry for entry in entries if entry.rows >= _SMALL_ROWS))
