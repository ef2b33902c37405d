"""Which reports are due: not issued though their hour has passed, not with their readers, or of other builds by now.

Only looks and compares. Whether another report would say anything new is found out when it is made.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import duckdb
import msgspec
from assets.reports.compose import period_of
from assets.reports.config import ReportConfig

from orchestration.editions import Edition, Exports
from orchestration.reporting import days_of, inputs_of, listed, snapshot, zone_of
from orchestration.settings import Settings

_MOST_RETENTION = timedelta(days=400)
_UNTIL_LOST = timedelta(days=2)
"""After its retention a gap is lost, and the day complete: in the first build after that."""

AGAIN_AFTER = timedelta(hours=1)
"""How soon one report of a day may be asked for again: the builds of a running UTC day change every few minutes.

Also how soon a report that was asked for in vain may be asked for again, of whichever day: what is wrong, a share that
is away say, is mostly wrong with all its days, and each run that fails stays in Dagster for a month.
"""


class Asked(msgspec.Struct, frozen=True):
    """The last time that one report of a day was asked for: the builds it was to be made from, and when."""

    builds: str
    at: datetime


class Requested(msgspec.Struct, frozen=True):
    """What the sensor remembers.

    Attributes:
        warehouse: When the warehouse was written that it last looked into, in ns.
        looked_at: When that was.
        asked: By report and day.
    """

    warehouse: int = 0
    looked_at: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    asked: dict[str, Asked] = {}

    @staticmethod
    def read(text: str | None) -> "Requested":
        """From a cursor; from none, nothing was asked for yet."""
        return msgspec.json.decode(text, type=Requested) if text else Requested()

    @property
    def text(self) -> str:
        """The cursor."""
        return msgspec.json.encode(self).decode()


@dataclass(frozen=True, slots=True)
class Due:
    """A report of a day that is to be issued from some builds."""

    report: str
    day: date
    builds: str
    at: datetime

    @property
    def name(self) -> str:
        """Report and day."""
        return f"{self.report} {self.day}"

    @property
    def key(self) -> str:
        """The same for the same builds in the same hour."""
        return f"{self.name} {self.builds} {self.at:%Y-%m-%dT%H}"


def yesterday(now: datetime, zone: str) -> date:
    """The last local day that has ended."""
    return now.astimezone(ZoneInfo(zone)).date() - timedelta(days=1)


def dues(settings: Settings, before: Requested, now: datetime, most: int) -> tuple[list[Due], Requested]:
    """At most so many reports that are due, the newest days first, and what is to be remembered."""
    try:
        written = settings.warehouse_path.stat().st_mtime_ns
    except FileNotFoundError:
        return [], before
    if written == before.warehouse and now - before.looked_at < AGAIN_AFTER:
        return [], before
    exports = Exports(settings.exports_dir)
    with snapshot(settings) as connection:
        files = listed(connection)
        kept = _retention(connection)
    found: list[Due] = []
    asked: dict[str, Asked] = {}
    in_vain: dict[str, list[Due]] = {}
    for config, day in [*_ended(settings, now), *_incomplete(settings, exports, kept, now)]:
        due = Due(config.name, day, _digest(inputs_of(files, days_of(period_of(day, zone_of(settings, config))))), now)
        last = before.asked.get(due.name)
        if last:
            asked[due.name] = last
        is_issued = exports.is_issued(config.name, day, config.folder)
        if due.builds and last and not is_issued:
            in_vain.setdefault(config.name, []).append(due)
        elif due.builds and (not is_issued or _has_changed(exports.newest(config.name, day), due, last)):
            found.append(due)
    for again in in_vain.values():
        times = [asked[due.name].at for due in again]
        if now - max(times) >= AGAIN_AFTER:
            found.append(again[times.index(min(times))])
    asked |= {due.name: Asked(due.builds, now) for due in found[:most]}
    # Where not all fitted, the next look is not put off until something is published.
    return found[:most], Requested(written if len(found) <= most else 0, now, asked)


def _ended(settings: Settings, now: datetime) -> Iterator[tuple[ReportConfig, date]]:
    """Reports and their days that may be issued, the newest days first."""
    for back in range(max((config.reissue_days for config in settings.reports), default=0)):
        for config in settings.reports:
            zone = zone_of(settings, config)
            day = yesterday(now, zone) - timedelta(days=back)
            held_until = period_of(day, zone)[1] + timedelta(minutes=config.hold_minutes)
            if config.enabled and back < config.reissue_days and now >= held_until:
                yield config, day


def _retention(connection: duckdb.DuckDBPyConnection) -> dict[str, timedelta]:
    """How long the vendor of each source keeps what it has."""
    query = "select source, max(retention_seconds) from ops.feed_clock group by source"
    seconds = timedelta(seconds=1)
    most = _MOST_RETENTION / seconds
    return {source: min(kept or 0.0, most) * seconds for source, kept in connection.execute(query).fetchall()}


def _incomplete(
    settings: Settings, exports: Exports, kept: Mapping[str, timedelta], now: datetime
) -> Iterator[tuple[ReportConfig, date]]:
    """Older days whose newest edition promises another one, as long as a vendor may still have what is missing."""
    for config in settings.reports:
        zone = zone_of(settings, config)
        last = yesterday(now, zone) - timedelta(days=config.reissue_days)
        longest = max((kept[source] for source in config.sources or kept if source in kept), default=timedelta(0))
        for day in exports.days(config.name) if config.enabled else ():
            if day <= last and now < period_of(day, zone)[1] + longest + _UNTIL_LOST:
                edition = exports.newest(config.name, day)
                if edition and not edition.complete:
                    yield config, day


def _has_changed(edition: Edition | None, due: Due, asked: Asked | None) -> bool:
    """Whether a report may say something else now. One that said the same is not issued anew, hence ``asked``."""
    if asked and (asked.builds == due.builds or due.at - asked.at < AGAIN_AFTER):
        return False
    return edition is None or _digest(edition.inputs) != due.builds


def _digest(inputs: Mapping[str, Sequence[str]]) -> str:
    """Of the builds of days alone: whole tables are built anew for any day. Empty where nothing was built."""
    by_day = {table: [file for file in files if "/" in file] for table, files in sorted(inputs.items())}
    named = json.dumps({table: files for table, files in by_day.items() if files})
    return hashlib.sha256(named.encode()).hexdigest()[:16] if any(by_day.values()) else ""
