"""Raw partitions with a person cut out: which segments hold them, and the same segments without.

Knows raw files. Who is cut out of a reply, and how, is for ``assets/erasure.py``.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from assets.bodies import BodyError, TooLargeError, gunzip
from assets.erasure import Person

from orchestration.files import sync
from orchestration.lake import RAW_SCHEMA, Lake, Page, Segment, cleaned, segment_table, segments_of
from orchestration.logs import rename_segments
from orchestration.rawfile import write_raw
from orchestration.tombstones import Cutting


@dataclass(frozen=True, slots=True)
class RawPartition:
    """The raw segments of one feed, source and UTC day."""

    folder: Path
    vendor: str
    source: str
    feed: str
    day: date

    def count(self, person: Person, texts: Sequence[str]) -> int:
        """How many replies name somebody; only those that hold one of these texts are looked at closely."""
        cutting = Cutting([person])
        for path in self._files():
            for row in _pages(path):
                if _may_hold(row, texts):
                    cutting(row["request"], row["payload"])
        return cutting.touched

    def rewrite(self, lake: Lake, cutting: Cutting, texts: Sequence[str]) -> int:
        """Put cut segments in the place of those that name somebody; returns how many files were written.

        A segment that was cut is named by what it is now, as one that lands without them, so that the same reply
        fetched again is known; the log of attempts names it so, too. The old files go last: who is killed between
        finds both, and nobody counts twice.
        """
        old: list[Path] = []
        names: dict[str, str] = {}
        written = 0
        with lake.lock(f"raw-{self.source}-{self.feed}-{self.day}"):
            for path in self._files():
                rows = list(_pages(path))
                if not any(_may_hold(row, texts) for row in rows):
                    continue
                before = cutting.touched
                parted = [(some[0]["segment"], self._segment(some)) for some in _by_segment(rows)]
                segments = [cleaned(segment, _sparing(cutting, texts)) for _, segment in parted]
                if cutting.touched == before:
                    continue
                if self._put(lake, path, segments) != path:
                    old.append(path)
                names |= {name: now.name for (name, _), now in zip(parted, segments, strict=True)}
                written += 1
            rename_segments(lake, lake.capture_dir(self.vendor, self.feed, self.source) / f"date={self.day}", names)
            for path in old:
                path.unlink()
            sync(self.folder)
        return written

    def _put(self, lake: Lake, path: Path, segments: Sequence[Segment]) -> Path:
        table = pa.concat_tables(segment_table(segment) for segment in segments)
        names = sorted(segment.name for segment in segments)
        if path.stem.endswith("-merged"):
            digest = hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
            target = path.with_name(f"{path.stem.removesuffix('-merged').rpartition('-')[0]}-{digest}-merged.parquet")
            metadata = {"segments": json.dumps(names)}
        else:
            target, metadata = path.with_name(f"{names[0]}.parquet"), {}
        lake.place(target, lambda temporary: write_raw(table, temporary, {**metadata, "forgotten": "1"}))
        return target

    def _segment(self, rows: Sequence[dict[str, Any]]) -> Segment:
        names = ("requested_at", "received_at", "request", "status", "content_type", "payload")
        pages = tuple(Page(*(row[name] for name in names)) for row in rows)
        return Segment(self.vendor, self.source, self.feed, rows[0]["window_start"], rows[0]["window_end"], pages)

    def _files(self) -> list[Path]:
        """Every file, also those that a merged one has taken the place of."""
        return sorted({*self.folder.glob("*.parquet"), *segments_of(self.folder).values()})


def partitions(root: Path, vendor: str, source: str) -> Iterator[RawPartition]:
    """The raw partitions of a source, oldest first."""
    for folder in sorted((root / "raw" / vendor).glob(f"*/source={source}/date=*"), key=lambda path: path.name):
        yield RawPartition(folder, vendor, source, folder.parts[-3], date.fromisoformat(folder.name[5:]))


def _pages(path: Path) -> Iterator[dict[str, Any]]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=64, columns=RAW_SCHEMA.names):
            yield from batch.to_pylist()


def _by_segment(rows: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    ordered = sorted(rows, key=lambda row: (row["segment"], row["sequence"]))
    return (list(some) for _, some in groupby(ordered, key=lambda row: row["segment"]))


def _may_hold(row: dict[str, Any], texts: Sequence[str]) -> bool:
    payload: bytes = row["payload"]
    if payload[:2] == b"PK":
        return True
    if payload[:2] == b"\x1f\x8b":
        try:
            payload = gunzip(payload)
        except TooLargeError:
            return True
        except BodyError:
            pass
    needles = {form for text in texts for form in (text.encode(), json.dumps(text)[1:-1].encode())}
    return any(needle in payload for needle in needles) or any(text in row["request"] for text in texts)


def _sparing(cutting: Cutting, texts: Sequence[str]) -> Callable[[str, bytes], bytes | None]:
    """The same cutting for those replies alone that may be concerned."""

    def cut(request: str, payload: bytes) -> bytes | None:
        concerned = _may_hold({"request": request, "payload": payload}, texts)
        return cutting(request, payload) if concerned else payload

    return cut
