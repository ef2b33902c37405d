"""Every trace of a text below a folder, packed or not: what somebody who wants to find it would do."""

import gzip
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def traces(folder: Path, *texts: str, without: tuple[str, ...] = ()) -> list[str]:
    """Files in which one of these texts stands; ``without`` are folders that are not looked into."""
    needles = {form.encode() for text in texts for form in (text, json.dumps(text)[1:-1])}
    found = []
    known: dict[int, bool] = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and inside.parts[0] not in without:
            # One file has several names, in the builds and in the plain tree.
            file = path.stat().st_ino
            if file not in known:
                known[file] = any(needle in piece for piece in _contents(path) for needle in needles)
            if known[file] or any(needle in str(inside).encode() for needle in needles):
                found.append(str(inside))
    return found


def _contents(path: Path) -> Iterator[bytes]:
    yield from _unpacked(path.read_bytes())
    if path.suffix == ".parquet":
        for column in pq.ParquetFile(path).read().columns:
            yield from _values(column)


def _values(column: pa.ChunkedArray) -> Iterator[bytes]:
    if pa.types.is_binary(column.type):
        for value in column.unique().to_pylist():
            yield from _unpacked(value or b"")
    elif pa.types.is_nested(column.type):
        yield from (text.encode() for text in map(str, column.to_pylist()))
    else:
        yield "\0".join(column.unique().cast(pa.string()).drop_null().to_pylist()).encode()


def _unpacked(data: bytes) -> Iterator[bytes]:
    yield data
    if data[:2] == b"\x1f\x8b":
        yield gzip.decompress(data)
    if data[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield from map(archive.read, archive.namelist())
