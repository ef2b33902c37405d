"""Raw segments that were removed on purpose (``retain_raw_days``): what was staged of them is all there is.

A ledger beside the log of attempts names them, so that nothing is ever computed as if they had never been. When they
are removed belongs in ``housekeeping.py``.
"""

import uuid
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from pathlib import Path

import duckdb
import msgspec

from orchestration.builds import Builds, Entry, fingerprint
from orchestration.files import select
from orchestration.lake import Lake
from orchestration.models import Model

_SOME = 3


class RawRemovedError(Exception):
    """A figure would have to be made from raw segments that are no longer there; the message says what to do."""


def ledger(lake: Lake, vendor: str, feed: str, source: str, day: date) -> Path:
    """The file that names a partition's removed segments."""
    return lake.capture_dir(vendor, feed, source) / "removed" / f"{day}.json"


def removed_segments(lake: Lake, vendor: str, feed: str, day: date) -> set[str]:
    """Names of the removed segments of a feed and day, of all sources."""
    paths = lake.root.glob(f".capture/{vendor}/{feed}/source=*/removed/{day}.json")
    return {name for path in paths for name in msgspec.json.decode(path.read_bytes(), type=list[str])}


def removed_days(lake: Lake, vendor: str, feed: str) -> set[date]:
    """Days of which segments were removed, of any source."""
    paths = lake.root.glob(f".capture/{vendor}/{feed}/source=*/removed/*.json")
    return {date.fromisoformat(path.stem) for path in paths}


def note(lake: Lake, vendor: str, feed: str, source: str, day: date, names: Iterable[str]) -> None:
    """Enter segments of a partition that are about to be removed; durable when it returns."""
    path = ledger(lake, vendor, feed, source, day)
    before = msgspec.json.decode(path.read_bytes(), type=list[str]) if path.exists() else []
    encoded = msgspec.json.encode(sorted({*before, *names}))
    lake.place(path, lambda temporary: temporary.write_bytes(encoded))


def refuse_missing(table: str, day: date, removed: Collection[str], staged: Collection[str]) -> None:
    """See to it that of every removed segment there are staged rows.

    Raises:
        RawRemovedError: Of some there are none.
    """
    if missing := sorted(set(removed) - set(staged)):
        more = f" and {len(missing) - _SOME} more" if len(missing) > _SOME else ""
        raise RawRemovedError(
            f"{table} {day}: raw segments {', '.join(missing[:_SOME])}{more} were removed by retain_raw_days, and what "
            "was staged of them is not there; no figure is made without them. Restore lake/.builds/staging, or the raw "
            "segments, from a backup, or leave this day as it is"
        )


def feed_of(model: Model) -> tuple[str, str]:
    """Vendor and feed whose raw segments a staging model parses."""
    vendor, feed = model.parents[0].removeprefix("raw.").split("_", 1)
    return vendor, feed


def already_staged(
    builds: Builds, model: Model, day: date, raw: Collection[str], types: Mapping[str, str]
) -> dict[str, Entry]:
    """The segments of a day that need not be parsed, and the files with their rows.

    Parsed by this version of the model, or removed since: of those what was staged counts for good.

    Args:
        builds: What was built; the partition's lock is held.
        model: The staging model.
        day: The UTC day.
        raw: Names of the segments that are there.
        types: Columns and types of the model as it is now.

    Raises:
        RawRemovedError: Rows of a removed segment are not there, or have other columns than the model.
    """
    removed = removed_segments(builds.lake, *feed_of(model), day) - set(raw)
    manifest = builds.manifest(model.table, day)
    found: dict[str, Entry] = {}
    for entry in manifest.entries if manifest else ():
        stale = {part.segment for part in entry.parts if not part.content.endswith(model.version)}
        if stale & removed:
            _confirm_columns(builds.folder(model.table, day) / entry.file, model, day, types)
        if stale <= removed:
            found |= {part.segment: entry for part in entry.parts}
        elif any(part.segment in removed for part in entry.parts):
            apart = _apart(builds, model.table, day, entry, removed)
            found |= {part.segment: apart for part in apart.parts}
    refuse_missing(model.table, day, removed, found)
    return found


def _confirm_columns(path: Path, model: Model, day: date, types: Mapping[str, str]) -> None:
    rows = duckdb.execute("describe from read_parquet(?, hive_partitioning = false)", [str(path)]).fetchall()
    wanted = {name: kind for name, kind in types.items() if name != "date"}
    if {name: kind for name, kind, *_ in rows} != wanted:
        raise RawRemovedError(
            f"{model.table} {day}: the model has other columns than when this day was staged, and raw segments of it "
            "were removed by retain_raw_days, so that they cannot be parsed anew. Restore them from a backup, or leave "
            "this day as it is"
        )


def _apart(builds: Builds, table: str, day: date, entry: Entry, removed: Collection[str]) -> Entry:
    """A file with just the rows of removed segments."""
    parts = tuple(part for part in entry.parts if part.segment in removed)
    waiting = builds.lake.root / ".tmp" / f"{uuid.uuid4().hex}.tmp"
    waiting.parent.mkdir(parents=True, exist_ok=True)
    rows = select(builds.folder(table, day) / entry.file, waiting, "segment", [part.segment for part in parts])
    size = waiting.stat().st_size
    file = builds.keep(waiting, table, day, prefix="kept.")
    return Entry(file, file, rows, size, fingerprint([part.content for part in parts]), parts)
