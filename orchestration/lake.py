"""Where everything lies: raw segments, the log of attempts, and how a file comes to be there whole or not at all.

Knows paths and Parquet. Knows no vendor, no SQL model and no Dagster; builds of SQL models are in ``builds.py``,
the merging of a closed day's files in ``compaction.py``.
"""

import fcntl
import hashlib
import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Self

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.files import is_still, sync
from orchestration.room import telling_of_full
from orchestration.tombstones import without

_UTC = pa.timestamp("us", tz="UTC")

RAW_SCHEMA = pa.schema(
    [
        ("feed", pa.string()),
        ("segment", pa.string()),
        ("sequence", pa.int64()),
        ("requested_at", _UTC),
        ("received_at", _UTC),
        ("window_start", _UTC),
        ("window_end", _UTC),
        ("request", pa.string()),
        ("status", pa.int64()),
        ("content_type", pa.string()),
        ("payload", pa.binary()),
        ("payload_sha256", pa.string()),
    ]
)

ATTEMPT_SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("feed", pa.string()),
        ("window_start", _UTC),
        ("window_end", _UTC),
        ("attempted_at", _UTC),
        ("status", pa.string()),
        ("records", pa.int64()),
        ("vendor_time", _UTC),
        ("error", pa.string()),
        ("segment", pa.string()),
        ("open_ids", pa.list_(pa.string())),
        ("closed_ids", pa.list_(pa.string())),
    ]
)

# DuckDB reads a Parquet file one row group a thread: pages of about a megabyte, eight to a group, parse as fast
# as the same pages in files of their own (0.45 s against 0.43 s for 100 MB), one group for all took 1.2 s.
PAGES_PER_ROW_GROUP = 8
_ROW_GROUP_BYTES = 8 << 20
_MOST_PER_ROW_GROUP = 122_880
# Live messages are small and repeat themselves: pages of fewer bytes than this on average are kept with dictionaries.
_SMALL_PAGE = 16 << 10
_REPEATED = ["feed", "segment", "window_start", "window_end", "request", "content_type", "payload", "payload_sha256"]


@dataclass(frozen=True, slots=True)
class Page:
    """One reply of a vendor, byte for byte, and how it was got. Times are UTC."""

    requested_at: datetime
    received_at: datetime
    request: str  # method, path and parameters; never a secret
    status: int
    content_type: str | None
    payload: bytes


@dataclass(frozen=True)
class Segment:
    """All pages of one fetched window ``[window_start, window_end)``, UTC."""

    vendor: str
    source: str
    feed: str
    window_start: datetime
    window_end: datetime
    pages: tuple[Page, ...]

    @cached_property
    def digests(self) -> tuple[str, ...]:
        """sha256 of each page; cached, and each distinct payload once, since hashing takes longer than writing."""
        known: dict[bytes, str] = {}
        for page in self.pages:
            if page.payload not in known:
                known[page.payload] = hashlib.sha256(page.payload).hexdigest()
        return tuple(known[page.payload] for page in self.pages)

    @cached_property
    def name(self) -> str:
        """``<source>-<feed>-<start>-<end>-<hash of payload>``: equal replies to equal windows have equal names."""
        digest = hashlib.sha256(b"".join(map(bytes.fromhex, self.digests))).hexdigest()
        return f"{self.source}-{self.feed}-{stamp(self.window_start)}-{stamp(self.window_end)}-{digest[:16]}"

    @property
    def day(self) -> date:
        """UTC day of the window's start: the raw partition."""
        return self.window_start.astimezone(UTC).date()


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to fetch one window, whatever came of it; a row of ``ops.capture_log``.

    ``status`` is ``ok``, ``unreadable`` (landed, but the envelope could not be read), or ``failed``; a failed one has
    a segment, too, where replies were got that do not agree with each other.
    ``open_ids`` are records still open in the reply, ``closed_ids`` closed ones that began before the window:
    with both, a later plan knows which windows may still change.
    """

    source: str
    feed: str
    window_start: datetime
    window_end: datetime
    attempted_at: datetime
    status: str
    records: int | None = None
    vendor_time: datetime | None = None
    error: str | None = None
    segment: str | None = None
    open_ids: tuple[str, ...] = ()
    closed_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FeedClock:
    """What all attempts of one feed say together: how far it was asked for, and how late it is at the vendor."""

    first_requested_at: datetime | None = None
    requested_until: datetime | None = None
    vendor_now: datetime | None = None
    drift_seconds: float | None = None
    observed_until: datetime | None = None

    def after(self, attempts: Sequence[Attempt], delay: timedelta, *, live: bool = False) -> Self:
        """This clock with more attempts taken in; the order of taking in does not matter.

        A live feed's windows, and the time of its attempts, are by our own clock: they say nothing about drift.
        """
        firsts = [a.window_start for a in attempts] + ([self.first_requested_at] if self.first_requested_at else [])
        lasts = [a.window_end for a in attempts] + ([self.requested_until] if self.requested_until else [])
        heard = [(a.vendor_time, a.attempted_at) for a in attempts if a.vendor_time is not None]
        now, drift = self.vendor_now, self.drift_seconds
        for vendor_time, attempted_at in heard:
            if now is None or vendor_time > now:
                now = vendor_time
                drift = drift if live else (vendor_time - attempted_at).total_seconds()
        seen = [
            min(a.window_end, a.vendor_time - delay)
            for a in attempts
            if a.status == "ok" and a.vendor_time is not None and a.vendor_time - delay > a.window_start
        ]
        until = max([*seen, *([self.observed_until] if self.observed_until else [])], default=None)
        return type(self)(min(firsts, default=None), max(lasts, default=None), now, drift, until)


def cleaned(segment: Segment, cutting: Callable[[str, bytes], bytes | None]) -> Segment:
    """A segment whose replies have passed through ``cutting``; those of which nothing is left are not in it."""
    found = [(page, cutting(page.request, page.payload)) for page in segment.pages]
    return replace(segment, pages=tuple(replace(page, payload=left) for page, left in found if left is not None))


def stamp(moment: datetime) -> str:
    """A UTC time as it stands in file names: ``20261120T120000Z``, with microseconds only where there are any."""
    utc = moment.astimezone(UTC)
    return utc.strftime("%Y%m%dT%H%M%S.%fZ" if utc.microsecond else "%Y%m%dT%H%M%SZ")


class Lake:
    """The files under ``$SHIFTBOOK_HOME/lake``. Any number of processes may hold one at once."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def cache_dir(self) -> Path:
        """Where answers are kept that can be found again."""
        return self.root / ".cache"

    def raw_dir(self, vendor: str, feed: str, source: str, day: date) -> Path:
        """The raw partition of one feed and UTC day."""
        return self.root / "raw" / vendor / feed / f"source={source}" / f"date={day}"

    def capture_dir(self, vendor: str, feed: str, source: str) -> Path:
        """Where the attempts of one feed are logged."""
        return self.root / ".capture" / vendor / feed / f"source={source}"

    def spared(self, segment: Segment) -> Segment:
        """A segment as it would land: without whom is to be forgotten, and named by what is left."""
        cutting = without(self.root, segment.source)
        return cleaned(segment, cutting) if cutting else segment

    def land(self, segment: Segment) -> bool:
        """Write a segment, whole and fsynced. False when the same reply to the same window lies there already.

        Who is to be forgotten is cut out before.
        """
        segment = self.spared(segment)
        folder = self.raw_dir(segment.vendor, segment.feed, segment.source, segment.day)
        name = segment.name
        if name in segments_of(folder):
            return False
        table = segment_table(segment)
        self.place(folder / f"{name}.parquet", lambda path: write_raw(table, path))
        return True

    def log(
        self, vendor: str, attempts: Sequence[Attempt], delay: timedelta = timedelta(0), *, live: bool = False
    ) -> None:
        """Add attempts to the log, durably, and move the feeds' clocks on; ``delay`` is the feed's own."""
        by_day: dict[tuple[str, str, date], list[Attempt]] = {}
        for attempt in attempts:
            day = attempt.window_start.astimezone(UTC).date()
            by_day.setdefault((attempt.feed, attempt.source, day), []).append(attempt)
        for (feed, source, day), rows in by_day.items():
            folder = self.capture_dir(vendor, feed, source)
            table = pa.Table.from_pylist([asdict(row) for row in rows], ATTEMPT_SCHEMA)
            name = f"{stamp(rows[0].attempted_at)}-{uuid.uuid4().hex[:8]}.parquet"
            self.place(folder / f"date={day}" / name, partial(pq.write_table, table))
            with self.lock(f"clock-{source}-{feed}"):
                encoded = msgspec.json.encode(self.clock(vendor, feed, source).after(rows, delay, live=live))
                self.place(folder / "clock.json", partial(Path.write_bytes, data=encoded))

    def note_drift(self, vendor: str, feed: str, source: str, seconds: float) -> None:
        """Note what a live feed told of the vendor's clock: that it is so many seconds ahead of ours."""
        with self.lock(f"clock-{source}-{feed}"):
            encoded = msgspec.json.encode(replace(self.clock(vendor, feed, source), drift_seconds=seconds))
            path = self.capture_dir(vendor, feed, source) / "clock.json"
            self.place(path, partial(Path.write_bytes, data=encoded))

    def request(self, vendor: str, feed: str, source: str, start: datetime) -> None:
        """Note that a feed is wanted from ``start`` on: what of it the vendor has forgotten already counts as lost."""
        with self.lock(f"clock-{source}-{feed}"):
            clock = self.clock(vendor, feed, source)
            if clock.first_requested_at is None or start < clock.first_requested_at:
                encoded = msgspec.json.encode(replace(clock, first_requested_at=start))
                path = self.capture_dir(vendor, feed, source) / "clock.json"
                self.place(path, partial(Path.write_bytes, data=encoded))

    def attempts(self, vendor: str, source: str, feed: str, day: date) -> list[Attempt]:
        """Every logged attempt at a window that starts on this UTC day, oldest first."""
        folder = self.capture_dir(vendor, feed, source) / f"date={day}"
        files = sorted(set(logs_in(folder).values()))
        rows = [row for path in files for row in pq.read_table(path, schema=ATTEMPT_SCHEMA).to_pylist()]
        found = [msgspec.convert(row, Attempt) for row in rows]
        return sorted(found, key=lambda attempt: attempt.attempted_at)

    def clock(self, vendor: str, feed: str, source: str) -> FeedClock:
        """The feed's clock as of the attempts logged so far."""
        path = self.capture_dir(vendor, feed, source) / "clock.json"
        try:
            return msgspec.json.decode(path.read_bytes(), type=FeedClock)
        except FileNotFoundError:
            return FeedClock()

    def days(self, vendor: str, feed: str) -> set[date]:
        """UTC days that hold or held raw segments of a feed, whatever the source."""
        held = (self.root / "raw" / vendor / feed).glob("source=*/date=*")
        removed = (self.root / ".capture" / vendor / feed).glob("source=*/removed/*.json")
        return {date.fromisoformat(path.stem.removeprefix("date=")) for path in (*held, *removed)}

    def place(self, path: Path, write: Callable[[Path], object]) -> None:
        """Let ``write`` fill a hidden file, fsync it, and rename it to ``path``: there whole or not at all.

        Raises:
            DiskFullError: There is no room; nothing changed.
        """
        waiting = self.root / ".tmp"
        temporary = waiting / f"{uuid.uuid4().hex}.tmp"
        with telling_of_full(self.root):
            waiting.mkdir(parents=True, exist_ok=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                write(temporary)
                sync(temporary)
                temporary.replace(path)
                sync(path.parent)
            finally:
                temporary.unlink(missing_ok=True)

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold a lock across processes. The system lets go of it when its holder dies, however it dies.

        What builds or publishes does so under one.

        Raises:
            DiskFullError: There is no room for what is written while it is held.
        """
        path = self.root / ".locks" / f"{name}.lock"
        with telling_of_full(self.root):
            path.parent.mkdir(parents=True, exist_ok=True)
            with self._locked(path):
                yield

    @contextmanager
    def _locked(self, path: Path) -> Iterator[None]:
        while True:
            with path.open("w") as handle:
                fcntl.flock(handle, fcntl.LOCK_EX)
                # Housekeeping removes locks that nobody has; another one may have been made in its place meanwhile.
                if is_still(handle.fileno(), path):
                    yield
                    return


def segment_table(segment: Segment) -> pa.Table:
    """A segment as it stands in a raw file."""
    pages, count = segment.pages, len(segment.pages)
    columns = {
        "feed": [segment.feed] * count,
        "segment": [segment.name] * count,
        "sequence": range(count),
        "requested_at": [page.requested_at for page in pages],
        "received_at": [page.received_at for page in pages],
        "window_start": [segment.window_start] * count,
        "window_end": [segment.window_end] * count,
        "request": [page.request for page in pages],
        "status": [page.status for page in pages],
        "content_type": [page.content_type for page in pages],
        "payload": [page.payload for page in pages],
        "payload_sha256": segment.digests,
    }
    return pa.table({field.name: pa.array(columns[field.name], field.type) for field in RAW_SCHEMA}, RAW_SCHEMA)


def write_raw(table: pa.Table, path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write raw pages with :func:`raw_options`."""
    schema = table.schema.with_metadata(metadata) if metadata else table.schema
    rows, options = raw_options(table.num_rows, table["payload"].nbytes)
    pq.write_table(table.cast(schema), path, row_group_size=rows, **options)


def raw_options(pages: int, size: int) -> tuple[int, dict[str, Any]]:
    """How to write so many raw pages of so many bytes of payload: pages to a row group, and options for Parquet.

    zstd level 3 without dictionaries: 11:1, at over 300 MB of JSON a second. Small pages go into groups of about 8 MB
    with dictionaries, since what is polled every few seconds mostly says the same again.
    """
    small = pages > PAGES_PER_ROW_GROUP and size < pages * _SMALL_PAGE
    rows = max(PAGES_PER_ROW_GROUP, min(_MOST_PER_ROW_GROUP, _ROW_GROUP_BYTES * pages // max(size, 1)))
    return rows, {
        "compression": "zstd",
        "compression_level": 3,
        "use_dictionary": _REPEATED if small else False,
        "write_statistics": False,
    }


def segments_of(folder: Path) -> dict[str, Path]:
    """Name of each raw segment in a partition, and the file that holds it; a merged file holds many.

    Where a merged file and a segment's own file are both there (the merging was cut short), the merged one counts.
    """
    return _held(folder, b"segments", ".parquet")


def logs_in(folder: Path) -> dict[str, Path]:
    """Name of each file that attempts of a day were logged in, and the file that holds them now, likewise."""
    return _held(folder, b"logs", "")


def _held(folder: Path, key: bytes, suffix: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    merged: list[tuple[list[str], Path]] = []
    for path in sorted(folder.glob("*.parquet")) if folder.is_dir() else []:
        if path.stem.endswith("-merged"):
            merged.append((json.loads((pq.read_schema(path).metadata or {})[key]), path))
        else:
            found[path.name.removesuffix(suffix)] = path
    # A later merging holds all that an earlier one held, and more.
    for names, path in sorted(merged, key=lambda item: len(item[0])):
        found |= dict.fromkeys(names, path)
    return found
