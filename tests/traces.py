"""Every trace of a text below a folder, packed or not: what somebody who wants to find it would do."""

import gzip
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import duckdb


def traces(folder: Path, *texts: str, without: tuple[str, ...] = ()) -> list[str]:
    """Files in which one of these texts stands; ``without`` are folders that are not looked into."""
    needles = {form.encode() for text in texts for form in (text, json.dumps(text)[1:-1])}
    found = []
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and inside.parts[0] not in without:
            data = [str(inside).encode(), *_contents(path)]
            if any(needle in piece for needle in needles for piece in data):
                found.append(str(inside))
    return found


def _contents(path: Path) -> Iterator[bytes]:
    yield from _unpacked(path.read_bytes())
    if path.suffix == ".parquet":
        table = duckdb.read_parquet(str(path), hive_partitioning=False)
        kinds = dict(zip(table.columns, map(str, table.types), strict=True))
        for name, kind in kinds.items():
            shown = f'"{name}"' if kind == "BLOB" else f'"{name}"::varchar'
            for [value] in table.project(shown).distinct().fetchall():
                yield from _unpacked(value.encode() if isinstance(value, str) else value or b"")


def _unpacked(data: bytes) -> Iterator[bytes]:
    yield data
    if data[:2] == b"\x1f\x8b":
        yield gzip.decompress(data)
    if data[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield from map(archive.read, archive.namelist())
