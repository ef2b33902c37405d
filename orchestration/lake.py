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
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.aside import FOLDER, set_aside
from orchestration.feed_clock import FeedClock
from orchestration.files import UnreadableFileError, is_readable, is_still, naming, sync
from orchestration.rawfile import payloads, write_raw
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

_LONGEST_DELAY = timedelta(hours=1)


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

    def raw_dirs(self, vendor: str, feed: str, day: date) -> list[Path]:
        """The raw partitions of a feed's UTC day, of all sources that have one."""
        return sorted(self.root.glob(f"raw/{vendor}/{feed}/source=*/date={day}"))

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
        path = folder / f"{name}.parquet"
        if path.exists() or any(name in names for names, _ in _merged(folder, b"segments")):
            return False
        table = segment_table(segment)
        self.place(path, lambda waiting: write_raw(table, waiting))
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
            self.heed(vendor, rows, delay, live=live)

    def log_again(
        self, vendor: str, attempts: Sequence[Attempt], delay: timedelta = timedelta(0), *, live: bool = False
    ) -> None:
        """Log what of some attempts at one feed is not logged yet: who logged them before was stopped in its midst."""
        one, days = attempts[0], {attempt.window_start.astimezone(UTC).date() for attempt in attempts}
        logged = (old for day in days for old in self.attempts(vendor, one.source, one.feed, day))
        known = {(old.window_start, old.attempted_at, old.segment) for old in logged}
        fresh = [new for new in attempts if (new.window_start, new.attempted_at, new.segment) not in known]
        self.log(vendor, fresh, delay, live=live)
        # The clock may not have heeded the others, and the next gap of a live feed would begin too early.
        self.heed(vendor, attempts, delay, live=live)

    def heed(self, vendor: str, attempts: Sequence[Attempt], delay: timedelta, *, live: bool = False) -> None:
        """Move a feed's clock on by attempts of its own that are logged, once or again."""
        one = attempts[0]
        self._set_clock(vendor, one.feed, one.source, lambda clock: clock.after(attempts, delay, live=live))

    def note_drift(self, vendor: str, feed: str, source: str, seconds: float) -> None:
        """Note what a live feed told of the vendor's clock: that it is so many seconds ahead of ours."""
        self._set_clock(vendor, feed, source, partial(replace, drift_seconds=seconds))

    def note_kept(self, vendor: str, feed: str, source: str, kept: timedelta) -> None:
        """Note how far back the vendor has something now, as it says itself."""
        self._set_clock(vendor, feed, source, partial(replace, kept_seconds=kept.total_seconds()))

    def request(self, vendor: str, feed: str, source: str, start: datetime) -> None:
        """Note that a feed is wanted from ``start`` on: what of it the vendor has forgotten already counts as lost."""

        def asked(clock: FeedClock) -> FeedClock:
            return replace(clock, first_requested_at=min(start, clock.first_requested_at or start))

        self._set_clock(vendor, feed, source, asked)

    def _set_clock(self, vendor: str, feed: str, source: str, change: Callable[[FeedClock], FeedClock]) -> None:
        with self.lock(f"clock-{source}-{feed}"):
            before = self.clock(vendor, feed, source)
            if (clock := change(before)) != before:
                self._write_clock(self.capture_dir(vendor, feed, source) / "clock.json", clock)

    def _write_clock(self, path: Path, clock: FeedClock) -> None:
        self.place(path, partial(Path.write_bytes, data=msgspec.json.encode(clock)))

    def attempts(self, vendor: str, source: str, feed: str, day: date) -> list[Attempt]:
        """Every logged attempt at a window that starts on this UTC day, oldest first; what cannot be read was none."""
        folder = self.capture_dir(vendor, feed, source) / f"date={day}"
        rows: list[Any] = []
        for path in sorted(set(self.logs(folder).values())):
            try:
                with naming(path):
                    rows += pq.read_table(path, schema=ATTEMPT_SCHEMA).to_pylist()
            except UnreadableFileError:
                set_aside(self.root, path)
        return sorted((msgspec.convert(row, Attempt) for row in rows), key=lambda attempt: attempt.attempted_at)

    def logs(self, folder: Path) -> dict[str, Path]:
        """:func:`logs_in`, after merged ones that do not say what they hold were set aside."""
        try:
            return logs_in(folder)
        except UnreadableFileError:
            for path in folder.glob("*-merged.parquet"):
                if not is_readable(path):
                    set_aside(self.root, path)
        return logs_in(folder)

    def clock(self, vendor: str, feed: str, source: str) -> FeedClock:
        """The feed's clock as of the attempts logged so far; one that cannot be read is made anew of them."""
        path = self.capture_dir(vendor, feed, source) / "clock.json"
        try:
            written = path.read_bytes()
            return msgspec.json.decode(written, type=FeedClock)
        except FileNotFoundError:
            return FeedClock()
        except msgspec.MsgspecError:
            self.place(self.root / FOLDER / path.relative_to(self.root), partial(Path.write_bytes, data=written))
            days = sorted(date.fromisoformat(folder.name[5:]) for folder in path.parent.glob("date=*"))
            every = [attempt for day in days for attempt in self.attempts(vendor, source, feed, day)]
            # The feed's delay is not known here: what is said to be observed must not be more than what was.
            clock = FeedClock().after(every, _LONGEST_DELAY, live=True)
            self._write_clock(path, clock)
            return clock

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
        "payload_sha256": segment.digests,
    }
    arrays = {name: pa.array(values, RAW_SCHEMA.field(name).type) for name, values in columns.items()}
    return pa.table({**arrays, "payload": payloads([page.payload for page in pages])}, RAW_SCHEMA)


def segments_of(folder: Path) -> dict[str, Path]:
    """Name of each raw segment in a partition, and the file that holds it; a merged file holds many.

    Where a merged file and a segment's own file are both there (the merging was cut short), the merged one counts.
    """
    return _held(folder, b"segments", ".parquet")


def logs_in(folder: Path) -> dict[str, Path]:
    """Name of each file that attempts of a day were logged in, and the file that holds them now, likewise."""
    return _held(folder, b"logs", "")


def _held(folder: Path, key: bytes, suffix: str) -> dict[str, Path]:
    found = {
        path.name.removesuffix(suffix): path
        for path in (sorted(folder.glob("*.parquet")) if folder.is_dir() else [])
        if not path.stem.endswith("-merged")
    }
    # A later merging holds all that an earlier one held, and more.
    for names, path in sorted(_merged(folder, key), key=lambda item: len(item[0])):
        found |= dict.fromkeys(names, path)
    return found


def _merged(folder: Path, key: bytes) -> Iterator[tuple[list[str], Path]]:
    """The merged files of a folder, each with the names of those that it holds."""
    for path in sorted(folder.glob("*-merged.parquet")) if folder.is_dir() else []:
        with naming(path):
            yield json.loads((pq.read_schema(path).metadata or {})[key]), path
