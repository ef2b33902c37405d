"""What becomes of files of the lake that cannot be read: they are set aside and never counted (``aside.py``).

A file appears whole or not at all, so this is the work of a broken disk, a copy that was cut short, or a foreign hand.
What it held counts as not fetched, so that it is fetched again while the vendor has it. Builds are made anew of what
they were made from: that belongs in ``builder.py``.
"""

import json
from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow.parquet as pq

from orchestration.aside import set_aside
from orchestration.builds import Builds, Manifest
from orchestration.files import UnreadableFileError, is_readable, naming
from orchestration.lake import Lake
from orchestration.logs import void_attempts

_RAW, _LOGGED, _BUILT = "raw", ".capture", ".builds"


def set_aside_raw(lake: Lake, folder: Path) -> list[Path]:
    """Set aside what cannot be read of a raw partition, after the log was told that its windows were not fetched."""
    sick = [path for path in sorted(folder.glob("*.parquet")) if not is_readable(path)]
    if sick:
        _, vendor, feed, source, day = folder.relative_to(lake.root).parts
        held = {name for path in set(folder.glob("*.parquet")) - set(sick) for name in _segments(path) or ()}
        gone = [_segments(path) for path in sick]
        # A merged file that does not say what it held held whatever is nowhere else.
        named = None if None in gone else {name for names in gone for name in names or ()} - held
        why = f"{', '.join(path.name for path in sick)} cannot be read and was set aside"
        where = lake.root / _LOGGED / vendor / feed / source / day
        void_attempts(lake, where, lambda name: name not in held if named is None else name in named, why)
    return [set_aside(lake.root, path) for path in sick]


def _segments(path: Path) -> Collection[str] | None:
    """The segments that a raw file holds; None where it does not say."""
    if not path.stem.endswith("-merged"):
        return {path.stem}
    try:
        with naming(path):
            return set(json.loads((pq.read_schema(path).metadata or {})[b"segments"]))
    except (UnreadableFileError, KeyError, ValueError):
        return None


def set_aside_attempts(lake: Lake, paths: Iterable[Path]) -> list[Path]:
    """Set aside those of these files that are logs of attempts and cannot be read: their windows are fetched again."""
    logs = (path for path in paths if path.relative_to(lake.root).parts[0] == _LOGGED)
    return [set_aside(lake.root, path) for path in logs if not is_readable(path)]


def drop_unreadable(builds: Builds, table: str, day: date | None, kept: Collection[str] = ()) -> bool:
    """Set aside what cannot be read of a build, so that it is made anew; False when there is nothing of that kind.

    What holds rows of ``kept`` segments, which cannot be parsed again, stays: no figure is made without them.
    """
    with builds.lake.lock(f"{table}-{day}"):
        manifest = builds.manifest(table, day)
        entries = manifest.entries if manifest else ()
        folder = builds.folder(table, day)
        sick = [
            entry
            for entry in entries
            if _is_broken(folder / entry.file) and not any(part.segment in kept for part in entry.parts)
        ]
        for entry in sick:
            set_aside(builds.lake.root, folder / entry.file)
        if sick:
            left = tuple(entry for entry in entries if entry not in sick)
            builds.put(table, day, Manifest(left, "", datetime.now(UTC), 0.0))
    return bool(sick)


def built(lake: Lake, path: Path) -> tuple[str, date | None] | None:
    """Table and day of a build's file; None for other files."""
    parts = path.relative_to(lake.root).parts
    if parts[0] != _BUILT or parts[1] == _RAW:
        return None
    day = parts[3].removeprefix("date=")
    return f"{parts[1]}.{parts[2]}", date.fromisoformat(day) if day != parts[3] else None


def tables_of(lake: Lake, paths: Iterable[Path], *, whole: bool = True) -> set[tuple[str, date | None]]:
    """Tables and days of those of these files that are builds and cannot be read."""
    return {found for path in paths if (found := built(lake, path)) and _is_broken(path, whole=whole)}


def _is_broken(path: Path, *, whole: bool = True) -> bool:
    return not path.exists() or not is_readable(path, whole=whole)
