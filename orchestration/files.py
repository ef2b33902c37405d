"""Files: Parquet ones joined and parted, folders swapped in one step, what is on disk. Knows no path of the lake."""

import ctypes
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

_ROWS = 122_880
_TABLE: Mapping[str, Any] = MappingProxyType({"compression": "zstd", "compression_level": 3})
_EXCHANGE = 2  # RENAME_EXCHANGE of linux/fs.h


class UnreadableFileError(ValueError):
    """A file is there and is no Parquet file, or not a whole one; the message names it."""


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name the file that cannot be understood; what the system has against reading one is raised as it is.

    Raises:
        UnreadableFileError: Instead of what Arrow raised within.
    """
    try:
        yield
    except (pa.ArrowInvalid, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise UnreadableFileError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error


def is_readable(path: Path, *, whole: bool = True) -> bool:
    """Whether a Parquet file can be read to its end, or at least its footer; one that is gone is no concern."""
    try:
        with naming(path), pq.ParquetFile(path) as file:
            for _ in file.iter_batches() if whole else ():
                pass
    except UnreadableFileError:
        return False
    except FileNotFoundError:
        return True
    return True


def concatenate(
    paths: Sequence[Path],
    target: Path,
    rows: int = _ROWS,
    options: Mapping[str, Any] = _TABLE,
    metadata: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Write the rows of all files, in order, in row groups of so many.

    Raises:
        UnreadableFileError: One of them is no Parquet file.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with naming(paths[0]):
        schema = pq.read_schema(paths[0]).with_metadata(dict(metadata))
    waiting: list[pa.RecordBatch] = []
    with pq.ParquetWriter(target, schema, **options) as writer:
        for path in paths:
            with naming(path), pq.ParquetFile(path) as file:
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


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """A path for a file or folder that nobody needs afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{uuid.uuid4().hex}.tmp"
    try:
        yield path
    finally:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


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
