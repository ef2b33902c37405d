"""Merges a closed day's many small files into one per feed: raw segments, what was staged of them, and the attempts.

No row changes, and nothing is rebuilt: what a build was made from is the set of segments, which a merged file names.
"""

import hashlib
import json
import logging
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from orchestration.builder import Builder
from orchestration.builds import Entry, Manifest, Part
from orchestration.feed_clock import FeedClock
from orchestration.files import concatenate, naming, sync
from orchestration.inputs import midnight
from orchestration.lake import Lake, segments_of, stamp
from orchestration.logs import merge_attempts
from orchestration.rawfile import raw_options
from orchestration.removed import feed_of
from orchestration.room import DiskFullError

LOGGER = logging.getLogger(__name__)


class CompactionError(Exception):
    """Some files could not be merged, and all others were; the message names them."""


def compact_closed_days(
    builder: Builder,
    feeds: Sequence[Mapping[str, Any]],
    done: Callable[[str], None] = lambda _: None,
    now: datetime | None = None,
) -> int:
    """Merge every day that the vendor can no longer change; returns how many raw partitions were merged.

    Args:
        builder: What stages the segments.
        feeds: The configured feeds.
        done: Told of each day.
        now: Our clock.

    Raises:
        CompactionError: Some could not be; raised when the others are done.
    """
    now = now or datetime.now(UTC)
    merged = 0
    errors: list[str] = []
    for feed in feeds:
        retention = timedelta(seconds=feed["retention_seconds"])
        for day, folder in closed_days(builder.lake, feed["vendor"], feed["feed"], feed["source"], retention, now):
            with _going_on(f"{feed['source']} {feed['feed']} {day}", errors):
                merged += merge_raw(builder.lake, folder, feed["source"], feed["feed"], day)
            with _going_on(f"attempts of {feed['source']} {feed['feed']} {day}", errors):
                merge_attempts(builder.lake, feed["vendor"], feed["feed"], feed["source"], day)
            done(f"{feed['source']} {day}")
    for model in builder.models.values():
        if model.kind == "segment":
            for day in builder.builds.days(model.table):
                with _going_on(f"{model.table} {day}", errors):
                    merge_staged(builder, model.table, day)
    if errors:
        raise CompactionError("\n".join([f"{len(errors)} could not be merged, all others are:", *errors]))
    return merged


def closed_days(
    lake: Lake, vendor: str, feed: str, source: str, retention: timedelta, now: datetime
) -> Iterator[tuple[date, Path]]:
    """A feed's days that the vendor can no longer change, and their raw partitions, oldest first."""
    limit = closed_before(lake.clock(vendor, feed, source), retention, now)
    base = lake.root / "raw" / vendor / feed / f"source={source}"
    for folder in sorted(base.glob("date=*")) if limit else ():
        day = date.fromisoformat(folder.name[5:])
        if limit and midnight(day + timedelta(days=1)) < limit:
            yield day, folder


@contextmanager
def _going_on(what: str, errors: list[str]) -> Iterator[None]:
    """Note what went wrong with one of many; a disk without room is wrong with all of them."""
    try:
        yield
    except DiskFullError:
        raise
    except Exception as error:
        LOGGER.exception("%s cannot be merged", what)
        errors.append(f"{what}: {error}")


def closed_before(clock: FeedClock, retention: timedelta, now: datetime) -> datetime | None:
    """The moment before which a feed's days must end for the vendor to be unable to change them; None when unknown.

    A day is closed when its end lies further back than the vendor keeps records, on the vendor's clock, and another
    day on top, so that no capture that is under way can still land in it. A source that is asked no more tells no time:
    what the vendor's clock shows is then known by ours and how far it was ahead.
    """
    if clock.vendor_now is None:
        return None
    present = max(clock.vendor_now, now + timedelta(seconds=clock.drift_seconds or 0.0))
    return present - clock.retention(retention) - timedelta(days=1)


def merge_raw(lake: Lake, folder: Path, source: str, feed: str, day: date) -> bool:
    """Merge a raw partition's segments; False when there is nothing to merge."""
    with lake.lock(f"raw-{source}-{feed}-{day}"):
        held = segments_of(folder)
        paths = sorted(set(held.values()))
        if len(paths) < 2:  # noqa: PLR2004 -- two files are the fewest that can become one
            _remove_passed_over(folder)  # a run that died while removing leaves them
            return False
        digest = hashlib.sha256("\n".join(sorted(held)).encode()).hexdigest()[:16]
        start, end = stamp(midnight(day)), stamp(midnight(day + timedelta(days=1)))
        target = folder / f"{source}-{feed}-{start}-{end}-{digest}-merged.parquet"
        metadata = {"segments": json.dumps(sorted(held))}
        footers = [_footer(path) for path in paths]
        pages = sum(footer.num_rows for footer in footers)
        size = sum(footer.row_group(n).total_byte_size for footer in footers for n in range(footer.num_row_groups))
        rows, options = raw_options(pages, size)
        lake.place(target, lambda path: concatenate(paths, path, rows, options, metadata))
        # From here on the merged file counts; a run that dies between leaves only files that are passed over.
        _remove_passed_over(folder)
        sync(folder)
    return True


def _footer(path: Path) -> pq.FileMetaData:
    with naming(path):
        return pq.read_metadata(path)


def _remove_passed_over(folder: Path) -> None:
    """Remove files of segments that a merged file holds; listed first, so that none landing meanwhile is among them."""
    for path in set(folder.glob("*.parquet")) - set(segments_of(folder).values()):
        path.unlink()


def merge_staged(builder: Builder, table: str, day: date) -> bool:
    """Merge a day's staged files once its raw segments are one file; False when there is nothing to merge."""
    builds = builder.builds
    with builder.lake.lock(f"{table}-{day}"):
        manifest = builds.manifest(table, day)
        folders = builder.lake.raw_dirs(*feed_of(builder.models[table]), day)
        raw = [set(segments_of(folder).values()) for folder in folders]
        files = sum(len(entry.shown) or 1 for entry in manifest.entries) if manifest else 0
        if manifest is None or files <= max(1, len(raw)) or any(len(paths) > 1 for paths in raw):
            return False
        parts: tuple[Part, ...] = tuple(part for entry in manifest.entries for part in entry.parts)
        waiting = builder.lake.root / ".tmp" / f"{uuid.uuid4().hex}.tmp"
        concatenate([builds.folder(table, day) / entry.file for entry in manifest.entries], waiting)
        size = waiting.stat().st_size
        name = f"{table.split('.')[1]}-{day}"
        file = builds.keep(waiting, table, day, prefix=f"{name}.")
        entry = Entry(file, f"{name}-merged.parquet", manifest.rows, size, manifest.content, parts)
        merged = Manifest(
            (entry,), manifest.inputs, datetime.now(UTC), manifest.seconds, manifest.same_day, manifest.columns
        )
        builds.put(table, day, merged)
    return True
