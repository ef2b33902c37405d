"""Publishes ``warehouse.duckdb``: views over the builds of one moment, macros and comments, swapped in by a rename.

A connection to it is one consistent snapshot. Here is also what removes builds that no snapshot needs any more.
What the builds are belongs in ``builds.py`` and ``builder.py``.
"""

import logging
import os
import shutil
import time
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import duckdb
import msgspec

from orchestration.builder import Builder, Outcome
from orchestration.builds import Builds, Listing, fingerprint, is_mixed
from orchestration.duck import quote, show
from orchestration.files import UnreadableFileError
from orchestration.lake import Lake, segments_of
from orchestration.macros import read_macros
from orchestration.models import Model
from orchestration.unreadable import built, set_aside_raw

GRACE = timedelta(hours=1)
LOGGER = logging.getLogger(__name__)
_TICK_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class RawFolder:
    """The files of a raw folder that was last changed, itself or one of its files, at an instant, in ns."""

    changed: int
    files: tuple[str, ...]


@dataclass(slots=True)
class Snapshot:
    """What ``warehouse.duckdb`` lists: builds per UTC day, those of whole tables, and raw folders, by their path."""

    days: dict[date, dict[str, Listing]] = field(default_factory=dict)
    whole: dict[str, Listing] = field(default_factory=dict)
    raw: dict[str, RawFolder] = field(default_factory=dict)


def _without(snapshot: Snapshot, other: Snapshot) -> Snapshot:
    """What a snapshot has in another way than another one: of a year of days mostly today."""
    days = {day: tables for day, tables in snapshot.days.items() if other.days.get(day) != tables}
    return Snapshot(days, snapshot.whole)


class _Published(Builds):
    """The builds of a snapshot, for making whole tables from just what the snapshot's day tables show."""

    def __init__(self, lake: Lake, snapshot: Snapshot) -> None:
        super().__init__(lake)
        self._snapshot = snapshot

    def listing(self, table: str, day: date | None) -> Listing | None:
        return self._snapshot.days.get(day, {}).get(table) if day else self._snapshot.whole.get(table)

    def days(self, table: str) -> list[date]:
        return sorted(day for day, tables in self._snapshot.days.items() if table in tables)


class Warehouse:
    """The analyst's file.

    Args:
        path: Where it is published.
        builder: What builds the tables.
        macros: The folder of ``create macro`` statements.
    """

    def __init__(self, path: Path, builder: Builder, macros: Path) -> None:
        self.path = path
        self.builder = builder
        self.macros = macros
        self.lake = builder.lake
        self._record = self.lake.root / ".builds" / "published.json"

    def publish(self, days: Collection[date] | None = None) -> list[Outcome]:
        """Let new connections see the current builds of ``days`` (of all days: ``None``); builds whole tables, too.

        A day whose tables do not agree with each other, because another run is in the midst of building it, stays
        as it was published before.
        """
        with self.lake.lock("publish"):
            try:
                return self._publish(days)
            except duckdb.Error:
                # One bad file, of whatever day, must not keep all others from being seen.
                before = self._read() or Snapshot()
                listed = {*self._files(before), *self._files(self._snapshot(None, before))}
                mended = self.builder.mend(listed, whole=False) or self.builder.mend(listed)
                if not mended:
                    raise
            return self._publish(None if days is None else {*days, *(day for day in mended if day)})

    def _publish(self, days: Collection[date] | None) -> list[Outcome]:
        before = self._read()
        if before is None:
            LOGGER.warning("%s cannot be read; all days are published, and it is written anew", self._record)
            days = None
        before = before or Snapshot()
        snapshot = self._snapshot(days, before)
        outcomes = self._build_whole(snapshot)
        self._write(snapshot)
        self.lake.place(self._record, lambda path: path.write_bytes(msgspec.json.encode(snapshot)))
        self._retire(before, snapshot)
        return outcomes

    def _snapshot(self, days: Collection[date] | None, before: Snapshot) -> Snapshot:
        raw = {name: folder for name, folder in before.raw.items() if (self.lake.root / name).is_dir()}
        snapshot = Snapshot({} if days is None else dict(before.days), raw=raw)
        for day in self._all_days() if days is None else days:
            chosen = self._choose(day, before.days.get(day))
            if chosen:
                snapshot.days[day] = chosen
        return snapshot

    def shows(self, days: Collection[date]) -> bool:
        """Whether a new connection sees the current builds of these days."""
        listed = (self._read() or Snapshot()).days
        return self.path.exists() and all(
            day in listed
            and all(
                model.table in listed[day] and listed[day][model.table] == self.builder.builds.listing(model.table, day)
                for model in self._models("day", "segment")
            )
            for day in days
        )

    def clean(self, days: Collection[date] | None = None, grace: timedelta = GRACE) -> int:
        """Remove builds of ``days`` (of all days: ``None``) that no snapshot of the last ``grace`` lists.

        Also what killed processes left half-written out of sight an hour ago. Returns how many files went.
        """
        limit = time.time() - grace.total_seconds()
        with self.lake.lock("publish"):
            builds, listed = self.builder.builds, self._read()
            if listed is None:
                return 0  # nobody knows what is listed, until the next publication
            kept = set(self._files(listed))
            base = self.lake.root / ".builds"
            if days is None:
                found = set(base.rglob("*.parquet"))
                kept |= {path for table in self.builder.constants.types for path in self._raw(table, {})}
            else:
                found = {
                    p
                    for m in self.builder.every
                    for day in [None, *days]
                    for p in builds.folder(m, day).glob("*.parquet")
                }
            for table in self.builder.every:
                for day in [None, *(builds.days(table) if days is None else days)]:
                    kept.update(builds.paths(table, day))
            gone = [path for path in found - kept if _last_used(path) < limit]
            # Whatever the grace, others write here at this moment.
            half = [path for path in (self.lake.root / ".tmp").glob("*") if path.is_file()]
            gone += [path for path in half if _last_used(path) < time.time() - GRACE.total_seconds()]
            for path in gone:
                self._remove(path) if grace < GRACE else path.unlink(missing_ok=True)
        return len(gone)

    def _remove(self, path: Path) -> None:
        """Remove what is no current build, with its partition's lock: a build may be about to put it in place."""
        place = built(self.lake, path)
        with self.lake.lock(f"{place[0]}-{place[1]}") if place else nullcontext():
            if place is None or path not in self.builder.builds.paths(*place):
                path.unlink(missing_ok=True)

    def _read(self) -> Snapshot | None:
        """What was last published; None where that cannot be read."""
        try:
            return msgspec.json.decode(self._record.read_bytes(), type=Snapshot)
        except FileNotFoundError:
            return Snapshot()
        except (msgspec.MsgspecError, UnicodeError):
            return None

    def _models(self, *kinds: str) -> Iterator[Model]:
        return (model for model in self.builder.models.values() if model.kind in kinds)

    def _all_days(self) -> set[date]:
        return {day for model in self._models("day", "segment") for day in self.builder.builds.days(model.table)}

    def _choose(self, day: date, before: dict[str, Listing] | None) -> dict[str, Listing] | None:
        manifests = {
            model.table: manifest
            for model in self._models("day", "segment")
            if (manifest := self.builder.builds.manifest(model.table, day))
        }
        found = {table: manifest.listing for table, manifest in manifests.items()}
        # Parents of a vendor that is configured no more are built no more: nothing can disagree with them.
        agree = all(
            parent in found and found[parent].content == content
            for manifest in manifests.values()
            for parent, content in manifest.same_day.items()
            if parent in self.builder.models
        )
        whole = all(model.table in found for model in self._models("day"))
        return found if agree and whole else before

    def _build_whole(self, snapshot: Snapshot) -> list[Outcome]:
        published = _Published(self.lake, snapshot)
        outcomes = []
        for model in self._models("whole"):
            outcomes.append(self.builder.build(model, None, parents=published))
            listing = self.builder.builds.listing(model.table, None)
            if listing:
                snapshot.whole[model.table] = listing
        return outcomes

    def _files(self, snapshot: Snapshot) -> Iterator[Path]:
        builds = self.builder.builds
        for day, tables in snapshot.days.items():
            for table, listing in tables.items():
                yield from (builds.folder(table, day) / name for name in listing.files)
        for table, listing in snapshot.whole.items():
            yield from (builds.folder(table, None) / name for name in listing.files)

    def _retire(self, before: Snapshot, after: Snapshot) -> None:
        """Note on each file that is no longer listed when that was, so that its grace can be kept."""
        for path in set(self._files(_without(before, after))) - set(self._files(_without(after, before))):
            if path.exists():
                os.utime(path)

    def _write(self, snapshot: Snapshot) -> None:
        folder = self.lake.root / ".tmp" / uuid.uuid4().hex
        folder.mkdir(parents=True)
        # Views name their catalogue, which is the file's name without its ending.
        temporary = folder / self.path.name
        try:
            # Clients of DuckDB 1.x cannot open what 2.0 writes unless asked to.
            with duckdb.connect(str(temporary), config={"storage_compatibility_version": "v1.0.0"}) as connection:
                connection.execute("set autoinstall_known_extensions = false")
                connection.execute("set timezone = 'UTC'; set enable_progress_bar = false")
                # Each of a thousand comments by itself would be written to disk by itself.
                connection.begin()
                self._fill(connection, snapshot)
                connection.commit()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            temporary.replace(self.path)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _fill(self, connection: duckdb.DuckDBPyConnection, snapshot: Snapshot) -> None:
        published = _Published(self.lake, snapshot)
        for schema in ("raw", "staging", "intermediate", "marts", "ops"):
            connection.execute(f"create schema {schema}")
        for table, types in self.builder.constants.types.items():
            if table.startswith("raw.") and table != "raw.capture_attempts":
                show(connection, table, self._raw(table, snapshot.raw), types)
                describe(connection, table, f"Replies of {table[4:]}, byte for byte, as they were got.", RAW_COLUMNS)
        clock = self.builder.constants.input("ops.feed_clock", None)
        self.builder.show_input(connection, clock)
        describe(connection, clock.table, "Configured feeds, and how far each was observed.", CLOCK_COLUMNS)
        for model in self.builder.models.values():
            self._view(connection, model, published)
        for path in sorted(self.macros.glob("*.sql")):
            connection.execute(path.read_text(encoding="utf-8"))
        for macro in read_macros(self.macros):
            kind = "macro table" if macro.is_table else "macro"
            connection.execute(f"comment on {kind} {macro.name} is {quote(macro.description)}")

    def _view(self, connection: duckdb.DuckDBPyConnection, model: Model, published: Builds) -> None:
        columns = dict(model.columns)
        if model.kind == "view":
            connection.execute(f"create view {model.table} as {model.sql}")
        else:
            days: Sequence[date | None] = [None] if model.kind == "whole" else published.days(model.table)
            paths = [path for day in days for path in published.paths(model.table, day)]
            listed = [found for day in days if (found := published.listing(model.table, day))]
            show(connection, model.table, paths, self.builder.types[model.table], is_mixed=is_mixed(listed))
            if {one.columns for one in listed} - {fingerprint([*self.builder.types[model.table]])}:
                # Until it is built anew, a table may have the columns of an earlier version alone.
                there = {row[0] for row in connection.execute(f"describe {model.table}").fetchall()}
                columns = {name: text for name, text in columns.items() if name in there}
        if "date" in self.builder.types[model.table]:
            columns.setdefault("date", "UTC day of the partition")
        describe(connection, model.table, model.description, columns)

    def _raw(self, table: str, known: dict[str, RawFolder]) -> list[Path]:
        """Raw files by links of our own, so that a snapshot outlives the merging of a closed day's segments.

        Folders that are as they are ``known`` to be are not read: a merged file of a day takes 4 ms.
        """
        if not table.startswith("raw.") or table == "raw.capture_attempts":
            return []
        vendor, feed = table.removeprefix("raw.").split("_", 1)
        links = []
        for folder in sorted((self.lake.root / "raw" / vendor / feed).glob("source=*/date=*")):
            try:
                links += self._linked(folder, known)
            except FileNotFoundError:  # merged meanwhile
                links += self._linked(folder, known)
        return links

    def _linked(self, folder: Path, known: dict[str, RawFolder]) -> list[Path]:
        name = str(folder.relative_to(self.lake.root))
        there = self.lake.root / ".builds" / name
        there.mkdir(parents=True, exist_ok=True)
        linked = {entry.name for entry in os.scandir(there)}
        looked_at, changed = time.time_ns(), max(path.stat().st_mtime_ns for path in (folder, *folder.iterdir()))
        held = known.get(name)
        if held is None or held.changed != changed:
            held = RawFolder(changed, tuple(path.name for path in self._readable(folder)))
            # A folder that is changed twice within a tick of the file system's clock looks the same.
            if looked_at - changed > _TICK_NS:
                known[name] = held
        for file in held.files:
            if file not in linked:
                os.link(folder / file, there / file)
        return [there / file for file in held.files]

    def _readable(self, folder: Path) -> list[Path]:
        try:
            held = segments_of(folder)
        except UnreadableFileError:
            set_aside_raw(self.lake, folder)
            held = segments_of(folder)
        return sorted(set(held.values()))


RAW_COLUMNS = {
    "feed": "feed of the source",
    "segment": "name of the segment: one fetched window",
    "sequence": "page within the segment, from 0",
    "requested_at": "when the page was asked for, by our clock",
    "received_at": "when it was received, by our clock",
    "window_start": "start of the window that was asked for",
    "window_end": "end of the window that was asked for",
    "request": "method, path and parameters",
    "status": "HTTP status",
    "content_type": "content type of the reply",
    "payload": "the reply's body as received",
    "payload_sha256": "sha256 of the payload",
    "source": "name of the source in sources.yaml",
    "date": "UTC day of window_start",
}
CLOCK_COLUMNS = {
    "source": "name of the source in sources.yaml",
    "vendor": "vendor of the source",
    "feed": "feed of the source",
    "delay_seconds": "how long the vendor holds an event back, in seconds",
    "retention_seconds": "how long the vendor keeps an event, in seconds",
    "window_seconds": "the longest stretch that one request may ask for, in seconds",
    "state_bearing": "whether the feed says what agents do",
    "uncertainty_seconds": "how far a reported boundary may be from the true one, in seconds",
    "event_timezone": "zone of event times that carry none",
    "sample_seconds": "seconds between the samples of a polled feed; NULL for a feed that tells of changes",
    "hold_seconds": "how far apart samples may be for a state to hold, in seconds; NULL where there are none",
    "first_requested_at": "the first instant ever asked for",
    "requested_until": "the last instant ever asked for",
    "observed_until": "the latest instant observed",
    "lost_before": "what lies before this the vendor has forgotten",
    "drift_seconds": "the vendor's clock less ours, in seconds",
}


def describe(connection: duckdb.DuckDBPyConnection, table: str, description: str, columns: Mapping[str, str]) -> None:
    """Put comments on a view and its columns."""
    texts = [f'comment on column {table}."{name}" is {quote(comment)}' for name, comment in columns.items()]
    connection.execute("; ".join([f"comment on view {table} is {quote(description)}", *texts]))


def _last_used(path: Path) -> float:
    """When a file was written, linked, unlinked or taken out of a snapshot, whichever was last."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return float("inf")
    return max(status.st_mtime, status.st_ctime)
