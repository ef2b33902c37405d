"""Immutable builds: which files a table consists of now, and how a new build takes an old one's place.

A partition's ``current.json`` names its build files and what they were built from; it is swapped by a rename.
The plain Hive tree beside it is made of hard links to the same files. Knows no SQL and no Dagster.
"""

import hashlib
import os
import shutil
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

import msgspec

from orchestration.files import UnreadableFileError, exchange, sync
from orchestration.lake import Lake


@dataclass(frozen=True, slots=True)
class Part:
    """What one raw segment came to in a staged file.

    ``content`` is the segment and the model's version, of which the rows are a pure function. ``low`` and ``high`` are
    the least and greatest event time that they touch.
    """

    segment: str
    content: str
    low: datetime | None = None
    high: datetime | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One immutable Parquet file of a build.

    ``content`` is the sha256 of its bytes, ``link`` its name in the plain tree. A staged file has a part per raw
    segment, and its own name. ``shown`` are earlier files that hold the same rows: one that was made of them does not
    take their place in the plain tree while its day is open, since readers have listed them.
    """

    file: str
    link: str
    rows: int
    bytes: int
    content: str
    parts: tuple[Part, ...] = ()
    shown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """A partition as a snapshot lists it: the names of its files, what their rows are, and which columns they have.

    Of a day of 5,760 segments a manifest names each, which is a megabyte; a year of them would be written each minute.
    """

    files: tuple[str, ...]
    content: str
    columns: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """The files a partition consists of, and a fingerprint of all that they were built from.

    ``same_day`` is the content of each parent's partition of the same day: tables of one day agree with each other
    where these are the parents' current contents. ``columns`` is a fingerprint of their names, empty where an earlier
    version did not note it.
    """

    entries: tuple[Entry, ...]
    inputs: str
    built_at: datetime
    seconds: float
    same_day: dict[str, str] = field(default_factory=dict)
    columns: str = ""

    @property
    def rows(self) -> int:
        """Rows in all files."""
        return sum(entry.rows for entry in self.entries)

    @property
    def bytes(self) -> int:
        """Bytes of all files."""
        return sum(entry.bytes for entry in self.entries)

    @property
    def content(self) -> str:
        """What the rows are: equal contents, equal rows."""
        return fingerprint([item.content for entry in self.entries for item in entry.parts or (entry,)])

    @property
    def listing(self) -> Listing:
        """What a snapshot keeps of it."""
        return Listing(tuple(entry.file for entry in self.entries), self.content, self.columns)


class Builds:
    """The current builds of all tables in one lake."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self._spans: dict[Path, tuple[int, int, tuple[datetime, datetime] | None]] = {}

    def folder(self, table: str, day: date | None) -> Path:
        """Where the build files of a partition (of a whole table: ``None``) lie."""
        # As one text: a publication asks for fifteen thousand folders a year, and a path joined thrice takes 30 us.
        base = f"{self.lake.root}/.builds/{table.replace('.', '/')}"
        return Path(f"{base}/date={day}" if day else base)

    def tree(self, table: str, day: date | None) -> Path:
        """The partition's folder in the plain Hive tree."""
        base = self.lake.root / Path(*table.split("."))
        return base / f"date={day}" if day else base

    def manifest(self, table: str, day: date | None) -> Manifest | None:
        """The current build of a partition, or None where it was never built.

        Raises:
            UnreadableFileError: Nobody can tell which files it consists of.
        """
        path = self.folder(table, day) / "current.json"
        try:
            return msgspec.json.decode(path.read_bytes(), type=Manifest)
        except FileNotFoundError:
            return None
        except (msgspec.MsgspecError, UnicodeError) as error:
            # Taken for a day that was never built, it would be left out of figures without a word.
            message = (
                f"{path} cannot be read ({error}); remove it, and 'shiftbook backfill' over its days builds it anew"
            )
            raise UnreadableFileError(message) from error

    def span(self, table: str, day: date | None) -> tuple[datetime, datetime] | None:
        """The least and greatest event time that a staged partition touches; None where it touches none.

        Found once for each build: a day of 5,760 segments takes 3 ms, and each table looks back 36 days.
        """
        path = self.folder(table, day) / "current.json"
        try:
            status = path.stat()
        except FileNotFoundError:
            return None
        inode, changed, span = self._spans.get(path, (0, 0, None))
        if (inode, changed) != (status.st_ino, status.st_mtime_ns):
            manifest = self.manifest(table, day)
            parts = [part for entry in (manifest.entries if manifest else ()) for part in entry.parts]
            times = [moment for part in parts for moment in (part.low, part.high) if moment]
            span = (min(times), max(times)) if times else None
            self._spans[path] = (status.st_ino, status.st_mtime_ns, span)
        return span

    def listing(self, table: str, day: date | None) -> Listing | None:
        """The files of a partition and what their rows are, or None where it was never built."""
        manifest = self.manifest(table, day)
        return manifest.listing if manifest else None

    def agree(self, tables: Iterable[str], day: date) -> bool:
        """Whether these tables of a day, their parents and so on are each made from the others as they are now."""
        found: dict[str, Manifest | None] = {}
        left = [*tables]
        while left:
            if (table := left.pop()) not in found:
                manifest = found[table] = self.manifest(table, day)
                left += manifest.same_day if manifest else ()
        return all(
            (now := found[parent]) is not None and now.content == content
            for manifest in found.values()
            if manifest
            for parent, content in manifest.same_day.items()
        )

    def days(self, table: str) -> list[date]:
        """The days that were built, oldest first."""
        base = self.folder(table, None)
        found = [path.name[5:] for path in base.glob("date=*") if (path / "current.json").exists()]
        return sorted(map(date.fromisoformat, found))

    def paths(self, table: str, day: date | None) -> list[Path]:
        """The current build files of a partition."""
        listing = self.listing(table, day)
        return [self.folder(table, day) / name for name in listing.files] if listing else []

    def is_whole(self, table: str, day: date | None) -> bool:
        """Whether each file of a partition is as long as it was made; a look at its rows would take longer."""
        manifest, folder = self.manifest(table, day), self.folder(table, day)
        files = {entry.file: entry.bytes for entry in (manifest.entries if manifest else ())}
        return all((folder / name).exists() and (folder / name).stat().st_size == size for name, size in files.items())

    def keep(self, temporary: Path, table: str, day: date | None, prefix: str = "") -> str:
        """Move a finished file into the partition under a name that was never used; returns the name.

        The file is fsynced first: a name always stands for whole contents.
        """
        folder = self.folder(table, day)
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{prefix}{uuid.uuid4().hex[:12]}.parquet"
        sync(temporary)
        temporary.replace(folder / name)
        sync(folder)
        return name

    def put(self, table: str, day: date | None, manifest: Manifest) -> None:
        """Make a manifest the current one and let the plain tree follow."""
        path = self.folder(table, day) / "current.json"
        self.lake.place(path, lambda temporary: temporary.write_bytes(msgspec.json.encode(manifest)))
        self.link(table, day, manifest)

    def link(self, table: str, day: date | None, manifest: Manifest) -> None:
        """Let the plain tree show exactly the manifest's rows; a reader never finds a row in two of its files."""
        tree = self.tree(table, day)
        tree.mkdir(parents=True, exist_ok=True)
        there = {entry.name: entry.inode() for entry in os.scandir(tree) if entry.name.endswith(".parquet")}
        builds = self.folder(table, day)
        wanted: dict[str, Path] = {}
        for entry in manifest.entries:
            apart = {name: tree / name if name in there else builds / name for name in entry.shown}
            whole = {entry.link: builds / entry.file}
            wanted |= apart if apart and all(path.exists() for path in apart.values()) else whole
        fresh = {name: path for name, path in wanted.items() if there.get(name) != path.stat().st_ino}
        stray = there.keys() - wanted.keys()
        waiting = self.lake.root / ".tmp" / f"{uuid.uuid4().hex}.links"
        waiting.mkdir(parents=True)
        if stray and fresh:  # rows change files: all of them at once
            for name, path in wanted.items():
                os.link(path, waiting / name)
            exchange(waiting, tree)
        else:
            for name, build in fresh.items():
                os.link(build, waiting / name)
                (waiting / name).replace(tree / name)
            for name in stray:
                (tree / name).unlink(missing_ok=True)
        shutil.rmtree(waiting)


def is_mixed(listed: Iterable[Listing]) -> bool:
    """Whether builds of a table have other columns than others, since some were made by an earlier version."""
    return len({one.columns for one in listed if one.columns}) > 1


def fingerprint(parts: Sequence[str]) -> str:
    """A short name for a set of parts; their order does not matter."""
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()[:32]


def digest(path: Path) -> str:
    """sha256 of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()[:32]
