"""A table as typed Parquet, and back: what every other format is made from, and a format of its own.

Text stands as the vendor sent it, since nothing runs it here. Times are UTC instants.
"""

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from assets.reports.model import Column, Kind, Report, Row, Table

BATCH = 20_000
"""Rows that are in memory at once."""

_TYPES: Mapping[Kind, pa.DataType] = {
    "text": pa.string(),
    "number": pa.float64(),
    "seconds": pa.float64(),
    "ratio": pa.float64(),
    "count": pa.int64(),
    "time": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
}


def render(_report: Report, table: Table, path: Path) -> None:
    """Write a table; what is not known is NULL. Each column has its meaning in its metadata."""
    if table.file is not None:
        shutil.copyfile(table.file, path)
        return
    schema = schema_of(table.columns)
    rows = table.rows()
    write(path, schema, (_batch(schema, chunk) for chunk in iter(lambda: list(islice(rows, BATCH)), [])))


def schema_of(columns: Sequence[Column]) -> pa.Schema:
    """The Arrow schema of a table's columns."""
    return pa.schema(
        [pa.field(column.name, _TYPES[column.kind], metadata={"comment": column.description}) for column in columns]
    )


def write(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    """Write batches, cast to the schema; the same rows make the same bytes, however they were cut. How many there are.

    Raises:
        pa.ArrowInvalid: A column is of another type than the schema says.
    """
    total = 0
    with pq.ParquetWriter(path, schema, compression="zstd", compression_level=3) as writer:
        waiting: list[pa.RecordBatch] = []
        for batch in batches:
            waiting.append(batch.cast(schema))
            total += batch.num_rows
            table = pa.Table.from_batches(waiting, schema)
            whole = table.num_rows - table.num_rows % BATCH
            if whole:
                writer.write_table(table.slice(0, whole).combine_chunks(), row_group_size=BATCH)
                waiting = table.slice(whole).to_batches()
        writer.write_table(pa.Table.from_batches(waiting, schema).combine_chunks(), row_group_size=BATCH)
    return total


def rows(path: Path, zone: str) -> Iterator[Row]:
    """The rows of a file that was written here, with times in a zone."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=BATCH):
            yield from zip(*(_values(column, zone) for column in batch.columns), strict=True)


def _values(column: pa.Array, zone: str) -> list[Any]:
    if not pa.types.is_timestamp(column.type):
        plain: list[Any] = column.to_pylist()
        return plain
    # The same times come again and again, and each costs a look at the zone's changes.
    encoded = column.cast(pa.timestamp("us", tz=zone)).dictionary_encode()
    times = encoded.dictionary.to_pylist()
    return [None if index is None else times[index] for index in encoded.indices.to_pylist()]


def _batch(schema: pa.Schema, chunk: Sequence[Row]) -> pa.RecordBatch:
    columns = zip(*chunk, strict=True)
    return pa.record_batch([pa.array(c, field.type) for c, field in zip(columns, schema, strict=True)], schema=schema)
