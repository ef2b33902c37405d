"""Files: Parquet ones joined and parted, folders swapped in one step, what is on disk. Knows no path of the lake."""

import ctypes
import os
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

_ROWS = 122_880
_TABLE: Mapping[str, Any] = MappingProxyType({"compression": "zstd", "compression_level": 3})
_EXCHANGE = 2  # RENAME_EXCHANGE of linux/fs.h


def concatenate(
    paths: Sequence[Path],
    target: Path,
    rows: int = _ROWS,
    options: Mapping[str, Any] = _TABLE,
    metadata: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Write the rows of all files, in order, in row groups of so many."""
    target.parent.mkdir(parents=True, exist_ok=True)
    schema = pq.read_schema(paths[0]).with_metadata(dict(metadata))
    waiting: list[pa.RecordBatch] = []
    with pq.ParquetWriter(target, schema, **options) as writer:
        for path in paths:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(batch_size=rows):
                    waiting.append(batch.cast(schema))
                    # A small row group for each small file would keep what merging is to save.
                    if sum(len(part) for part in waiting) >= rows:
                        writer.write_table(pa.Table.from_batches(waiting), row_group_size=rows)
                        waiting.clear()
        if waiting:
            writer.write_table(pa.Table.from_batches(waiting), row_group_size=rows)


def select(path: Path, target: Path, column: str, values: Sequence[str]) -> int:
    """Write the rows with one of these values in a column; returns how many there are."""
    table = pq.read_table(path, filters=[(column, "in", list(values))], partitioning=None)
    pq.write_table(table, target, row_group_size=_ROWS, **_TABLE)
    return int(table.num_rows)


def exchange(one: Path, other: Path) -> None:
    """Let two folders change places in one step; where the system cannot, in two, between which one is absent."""
    library = ctypes.CDLL(None, use_errno=True)
    here = -100  # AT_FDCWD
    rename = getattr(library, "renameat2", None)
    if rename is None or rename(here, os.fsencode(one), here, os.fsencode(other), _EXCHANGE) != 0:
        aside = one.with_name(uuid.uuid4().hex)
        other.rename(aside)
        one.rename(other)
        aside.rename(one)


def is_still(handle: int, path: Path) -> bool:
    """Whether an open file is what its path leads to."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def sync(path: Path) -> None:
    """Have the system write a file, or a directory's entries, to disk before going on."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
