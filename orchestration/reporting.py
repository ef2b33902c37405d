"""Issues a report: one snapshot of the warehouse becomes an edition, unless the edition there says the same already.

For the command line, the demo and Dagster alike. What is in a report belongs in ``assets/reports``, how an edition
comes to be in its place in ``editions.py``.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from assets.reports.compose import Asked, compose, period_of
from assets.reports.config import Hiding, ReportConfig
from assets.reports.model import EXTENSIONS
from assets.reports.pseudonyms import open_pseudonymous

from orchestration.delivery import DeliveryError, deliver, deliver_failure
from orchestration.editions import Edition, Exports, content_of, edition_of, following, write
from orchestration.lake import Lake
from orchestration.settings import Settings, sql_dir

MEMORY = "1GB"
Files = Mapping[str, Sequence[tuple[date | None, str]]]
_CATALOGUE = "warehouse"  # the name of the file without its ending
_FILE = re.compile(r"/(date=(\d{4}-\d\d-\d\d)/)?([^/']+\.parquet)'")


class ReportError(Exception):
    """A report could not be made; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Issued:
    """What came of it.

    Attributes:
        edition: The newest edition of the day.
        folder: Where it lies.
        is_new: It was made now; else it said the same already, or was to be kept.
        delivered: Where it was copied to, if anywhere.
    """

    edition: Edition
    folder: Path
    is_new: bool
    delivered: str | None = None

    @property
    def paths(self) -> list[Path]:
        """Its files."""
        return [self.folder / file.name for file in self.edition.files]


def report_named(settings: Settings, name: str) -> ReportConfig:
    """A report as it is configured.

    Raises:
        ReportError: There is none of this name.
    """
    for config in settings.reports:
        if config.name == name:
            return config
    raise ReportError(f"there is no report {name}; there are: {', '.join(config.name for config in settings.reports)}")


def narrowed(config: ReportConfig, formats: Sequence[str], agents: Sequence[str]) -> ReportConfig:
    """A report in just some formats or of just some agents: of these it is another report, with its own folder."""
    changes: dict[str, Any] = {}
    if formats:
        changes["formats"] = tuple(name for name in EXTENSIONS if name in formats)
    if agents:
        named = json.dumps(sorted(agents))
        names = config.pseudonyms
        # No id: the name is that of a folder and of a lock, which outlive who is forgotten.
        whose = names.of("agents", "", named) if names else hashlib.sha256(named.encode()).hexdigest()[:16]
        # Who gets the whole report does not wait for one agent's.
        changes |= {"agents": tuple(agents), "name": f"{config.name}_{whose}", "folder": None}
    return config.model_copy(update=changes)


def zone_of(settings: Settings, config: ReportConfig) -> str:
    """The zone of a report's days."""
    return config.timezone or settings.report_timezone


def issue(settings: Settings, config: ReportConfig, day: date, *, patient: bool = False) -> Issued:
    """Make a report of a local calendar day, put it below ``exports`` and copy it to its readers.

    Args:
        settings: The configuration.
        config: Which report, of whom, in which formats.
        day: Calendar day in the report's zone.
        patient: A second edition waits until the day is complete.

    Raises:
        ReportError: It could not be made; a note in the day's folder says so, too, also where its readers look. Or
            the day has not begun.
        DeliveryError: It was made, but could not be copied.
    """
    exports = Exports(settings.exports_dir)
    zone = zone_of(settings, config)
    if period_of(day, zone)[0] > datetime.now(UTC):
        raise ReportError(f"{day} has not begun in {zone}; ask for a day that has")
    try:
        exports.begin(config.name, day)
        with Lake(settings.lake_dir).lock(f"report-{config.name}"):
            found = _issue(settings, exports, config, day, patient=patient)
            exports.clear_failure(config.name, day)
    except Exception as error:
        note = exports.note_failure(config.name, day, str(error), datetime.now(UTC))
        untold = _tell_readers(config, day, note)
        raise ReportError(f"{config.name} of {day} could not run: {error}{untold}") from error
    if config.folder:
        found = replace(found, delivered=deliver(config.folder, found.edition, found.folder))
    exports.finish(config.name, day, config.folder)
    return found


def _tell_readers(config: ReportConfig, day: date, note: Path) -> str:
    """Have the note where the report would be read; why it is not there, if so."""
    if config.folder:
        try:
            deliver_failure(config.folder, config.name, day, note)
        except DeliveryError as error:
            return f"; {error}"
    return ""


def _issue(settings: Settings, exports: Exports, config: ReportConfig, day: date, *, patient: bool) -> Issued:
    before = exports.newest(config.name, day)
    retired = [source.name for source in settings.sources if not source.enabled]
    asked = Asked(_hidden(settings, config), day, zone_of(settings, config), sql_dir() / "reports", retired)
    with exports.workshop() as work:
        rows = work / "rows"
        rows.mkdir()
        with snapshot(settings, config) as connection:
            report = compose(connection, asked, rows)
            inputs = inputs_of(listed(connection), [*days_of(asked.period), None])
        choice = asked.config.model_dump(mode="json", include={"teams", "agents", "sources", "grain_minutes"})
        content = content_of(report, choice, rows)
        # What an edition was once there in, it stays in.
        formats = [*config.formats, *sorted((before.formats if before else set()) - set(config.formats))]
        if before and (
            (before.content == content and before.formats >= set(formats))
            or (patient and not before.complete and not report.complete)
        ):
            return Issued(before, exports.folder(config.name, day), is_new=False)
        report = following(report, before)
        files = write(report, formats, work / "edition")
        edition = edition_of(report, content, choice, files, inputs)
        return Issued(edition, exports.publish(edition, work / "edition"), is_new=True)


@contextmanager
def snapshot(settings: Settings, config: Hiding | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse, read-only, in UTC, for a report or the overview; with pseudonyms in place of people if asked for.

    Raises:
        ReportError: There is none yet.
    """
    if not settings.warehouse_path.exists():
        raise ReportError(f"{settings.warehouse_path} is not there yet; run 'shiftbook backfill' first")
    names = config.pseudonyms if config else None
    path = settings.warehouse_path
    with (
        open_pseudonymous(path, sql_dir() / "macros", names) if names else duckdb.connect(str(path), read_only=True)
    ) as connection:
        connection.execute("set timezone = 'UTC'; set enable_progress_bar = false")
        connection.execute(f"set memory_limit = '{MEMORY}'")
        yield connection


def _hidden(settings: Settings, config: ReportConfig) -> ReportConfig:
    """The report with the pseudonyms of the agents that it names, of whatever source."""
    names = config.pseudonyms
    if names is None or config.agents is None:
        return config
    sources = [source.name for source in settings.sources]
    hidden = tuple(names.agent(source, agent) for agent in config.agents for source in sources)
    return config.model_copy(update={"agents": hidden})


def days_of(period: tuple[datetime, datetime]) -> list[date]:
    """The UTC days that a local day touches."""
    first, last = period[0].date(), (period[1] - timedelta(microseconds=1)).date()
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def listed(connection: duckdb.DuckDBPyConnection) -> Files:
    """The build files that a snapshot lists, by table: the UTC day of each, and its place in the table's folder."""
    rows: list[Any] = connection.execute(
        "select schema_name, view_name, sql from duckdb_views() "
        f"where database_name = '{_CATALOGUE}' and schema_name in ('marts', 'ops') order by all"
    ).fetchall()
    return {
        f"{schema}.{table}": [
            (date.fromisoformat(match[2]) if match[2] else None, f"{match[1] or ''}{match[3]}")
            for match in _FILE.finditer(sql)
        ]
        for schema, table, sql in rows
    }


def inputs_of(files: Files, days: Sequence[date | None]) -> dict[str, list[str]]:
    """Of the listed files those of some UTC days, and with None among them those of whole tables."""
    chosen = {table: sorted(file for day, file in found if day in days) for table, found in files.items()}
    return {table: found for table, found in chosen.items() if found}
