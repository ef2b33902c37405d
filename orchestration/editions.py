"""Editions of reports below ``exports``: written out of sight, put in place in one step, never changed afterwards.

``<report>/<day>`` holds the newest edition and, below ``editions/<n>``, every one (hard links of the same files). What
is in a report belongs in ``assets/reports``; when one is issued in ``reporting.py``.
"""

import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import msgspec
from assets.reports import about
from assets.reports.changes import changes, totals
from assets.reports.model import EXTENSIONS, Report, Table

from orchestration.files import exchange, sync

MANIFEST = "manifest.json"
FAILURE = "could_not_run.txt"
_DONE = ".done"
_LEFT_BEHIND_SECONDS = 86_400
_PER_TABLE = {"csv", "parquet"}
_MADE_BY = ("shiftbook", "duckdb", "pyarrow", "xlsxwriter")


class FileEntry(msgspec.Struct, frozen=True):
    """A file of an edition; ``table`` and ``rows`` where it holds one table."""

    name: str
    format: str
    bytes: int
    sha256: str
    table: str | None = None
    rows: int | None = None


class Edition(msgspec.Struct, frozen=True):
    """``manifest.json``.

    Attributes:
        report: Name of the report.
        kind: Which of the built-in reports it is.
        title: Its title.
        day: Calendar day in ``zone``.
        zone: IANA zone.
        period_start: First instant of the day.
        period_end: First instant after it.
        edition: 1, 2, …
        complete: Nothing more is expected for the day.
        issued_at: When, by our clock; the one thing here that the figures do not depend on.
        content: sha256 over all rows and all that is said of them: equal contents, equal reports.
        settings: The choice of teams, agents, sources and grain.
        facts: What is said around the tables, as (what, text).
        warnings: What is wrong with it.
        changes: What is not as in the edition before.
        totals: Rows and sums of each table.
        files: All files but this one.
        inputs: Build files that the warehouse listed for these days, by table.
        versions: Of the programs that made it.
    """

    report: str
    kind: str
    title: str
    day: date
    zone: str
    period_start: datetime
    period_end: datetime
    edition: int
    complete: bool
    issued_at: datetime
    content: str
    settings: dict[str, Any]
    facts: list[tuple[str, str]]
    warnings: list[str]
    changes: list[str]
    totals: dict[str, dict[str, float]]
    files: list[FileEntry]
    inputs: dict[str, list[str]]
    versions: dict[str, str]

    @property
    def formats(self) -> set[str]:
        """Formats in which it is there."""
        return {file.format for file in self.files} & EXTENSIONS.keys()


class Exports:
    """The reports below one folder.

    Args:
        root: ``$SHIFTBOOK_HOME/exports``.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, report: str, day: date) -> Path:
        """Where the newest edition of a day lies."""
        return self.root / report / day.isoformat()

    def days(self, report: str) -> list[date]:
        """Days of a report, the newest first."""
        names = [path.name for path in (self.root / report).glob("????-??-??")]
        return sorted(map(date.fromisoformat, names), reverse=True)

    def newest(self, report: str, day: date) -> Edition | None:
        """The newest edition of a day, if there is one."""
        try:
            return msgspec.json.decode((self.folder(report, day) / MANIFEST).read_bytes(), type=Edition)
        except FileNotFoundError:
            return None

    def is_issued(self, report: str, day: date, place: str | None) -> bool:
        """Whether the last issue of a day's report went well to its end, which is to be in that place, too, if any."""
        try:
            done = self._done(report, day).read_text(encoding="utf-8")
        except FileNotFoundError:
            return False
        return done == (place or "") and (self.folder(report, day) / MANIFEST).exists()

    def begin(self, report: str, day: date) -> None:
        """Let a day's report count as not issued until :meth:`finish`, also when the process is killed meanwhile."""
        self._done(report, day).unlink(missing_ok=True)

    def finish(self, report: str, day: date, place: str | None) -> None:
        """Note that a day's report is issued, and where it was copied to, if anywhere."""
        path = self._done(report, day)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(place or "", encoding="utf-8")

    def _done(self, report: str, day: date) -> Path:
        # Not in the day's folder, of which the manifest lists each file.
        return self.root / _DONE / report / day.isoformat()

    @contextmanager
    def workshop(self) -> Iterator[Path]:
        """A folder out of sight, on the same file system, that is gone afterwards; so are those of killed processes."""
        folder = self.root / ".tmp" / uuid.uuid4().hex
        folder.mkdir(parents=True)
        for other in folder.parent.iterdir():
            if other.stat().st_mtime < time.time() - _LEFT_BEHIND_SECONDS:
                shutil.rmtree(other, ignore_errors=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def publish(self, edition: Edition, written: Path) -> Path:
        """Put a written edition in its place; readers see the one before or this one, whole. Its folder."""
        target = self.folder(edition.report, edition.day)
        (written / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(edition), indent=2) + b"\n")
        files = sorted(written.iterdir())
        for older in sorted((target / "editions").glob("*")):
            _link(older.iterdir(), written / "editions" / older.name)
        _link(files, written / "editions" / str(edition.edition))
        for path in [*files, *(p for p in written.rglob("*") if p.is_dir()), written]:
            sync(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            exchange(written, target)
        else:
            written.rename(target)
        sync(target.parent)
        return target

    def note_failure(self, report: str, day: date, reason: str, now: datetime) -> Path:
        """Say in a day's folder that its report could not run; the next edition takes the note away. The note."""
        folder = self.folder(report, day)
        folder.mkdir(parents=True, exist_ok=True)
        text = f"{report} of {day} could not run at {now.isoformat(timespec='seconds')}.\n{reason}\n"
        if (folder / MANIFEST).exists():
            text += "The edition here is the one before.\n"
        temporary = folder / f".{uuid.uuid4().hex}"
        temporary.write_text(text, encoding="utf-8")
        return temporary.replace(folder / FAILURE)

    def clear_failure(self, report: str, day: date) -> None:
        """Take such a note away."""
        with suppress(FileNotFoundError):
            (self.folder(report, day) / FAILURE).unlink()


def following(report: Report, before: Edition | None) -> Report:
    """The report as the edition after another, with what changed."""
    if before is None:
        return report
    found = changes(report, before.facts, before.totals, was_complete=before.complete)
    return replace(report, edition=before.edition + 1, changes=found)


def content_of(report: Report, settings: Mapping[str, Any], rows: Path) -> str:
    """The sha256 over all that a report says: its rows, which lie in a folder, and the words around them."""
    said = [report.kind, report.day.isoformat(), report.zone, settings, report.complete, report.facts, report.warnings]
    digests = [(path.name, _sha256(path)) for path in sorted(rows.iterdir())]
    return hashlib.sha256(json.dumps([said, digests], ensure_ascii=True).encode()).hexdigest()


def write(report: Report, formats: Sequence[str], folder: Path) -> list[FileEntry]:
    """Render a report in some formats into an empty folder; the files, in a fixed order."""
    folder.mkdir(parents=True)
    stem = f"{report.name}_{report.day}"
    written = [_written(folder / f"{stem}_about.txt", "about", partial(about.render, report))]
    for name in formats:
        render = import_module(f"assets.reports.{name}").render
        if name in _PER_TABLE:
            for table in report.tables:
                path = folder / f"{stem}_{table.name}{EXTENSIONS[name]}"
                written.append(_written(path, name, partial(render, report, table), table))
        else:
            path = folder / f"{stem}{EXTENSIONS[name]}"
            written.append(_written(path, name, partial(render, report)))
    return written


def edition_of(
    report: Report, content: str, settings: Mapping[str, Any], files: list[FileEntry], inputs: dict[str, list[str]]
) -> Edition:
    """The manifest of a rendered report."""
    return Edition(
        report=report.name,
        kind=report.kind,
        title=report.title,
        day=report.day,
        zone=report.zone,
        period_start=report.period_start,
        period_end=report.period_end,
        edition=report.edition,
        complete=report.complete,
        issued_at=datetime.now(UTC),
        content=content,
        settings=dict(settings),
        facts=list(report.facts),
        warnings=list(report.warnings),
        changes=list(report.changes),
        totals={table.name: totals(table) for table in report.tables},
        files=files,
        inputs=inputs,
        versions={name: metadata.version(name) for name in _MADE_BY},
    )


def _written(path: Path, name: str, render: Callable[[Path], object], table: Table | None = None) -> FileEntry:
    render(path)
    held = (table.name, table.count) if table else (None, None)
    return FileEntry(path.name, name, path.stat().st_size, _sha256(path), *held)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _link(files: Iterable[Path], folder: Path) -> None:
    folder.mkdir(parents=True)
    for path in files:
        os.link(path, folder / path.name)
