"""How every enabled feed stands at this moment, by the logs of the lake and the recorder's word, without any build.

For what looks every minute: a log file is read once and remembered. The same figures with broken chains and rejects
are in ``health.py``; what is told of them belongs in ``freshness.py``, ``guard.py`` and ``incidents.py``.
"""

import logging
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from assets.config import SourceConfig
from assets.feeds import Feed
from assets.windows import frozen_end, retention_edge

from orchestration.aside import set_aside
from orchestration.feed_clock import FeedClock
from orchestration.files import UnreadableFileError, naming
from orchestration.inputs import midnight
from orchestration.lake import Lake
from orchestration.settings import Settings, feeds_of
from orchestration.standing import Standing, heard

LOGGER = logging.getLogger(__name__)
Level = Literal["fresh", "late", "stale"]
Recorder = Literal["recording", "in trouble", "absent"]
LOST_DAYS = 7
"""Losses of so many days are told of."""

# A hole is followed back to where it begins so much further, so that it keeps its name while it grows old.
_FURTHER = timedelta(days=35)
# A feed that nobody records is fetched by the schedule, every quarter of an hour, by a run of minutes.
_BY_RUNS = timedelta(minutes=20)
_TIMES = ("window_start", "window_end", "attempted_at", "vendor_time")
_COLUMNS = [*_TIMES, "status", "error"]
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, order=True)
class Stretch:
    """A stretch of a vendor's time ``[start, end)``, UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Log:
    """What some attempts at a feed come to.

    Attributes:
        covered: What was observed, in order, without overlap.
        first: When the first was made, by the vendor's clock where it told its time.
        worked: When the last that succeeded was made.
        failed: When the last that failed was made, and why.
    """

    covered: tuple[Stretch, ...] = ()
    first: datetime | None = None
    worked: datetime | None = None
    failed: tuple[datetime, str] | None = None


@dataclass(frozen=True, slots=True)
class FeedNow:
    """How a feed stands at one moment of the vendor's clock.

    Attributes:
        source: The source.
        feed: The feed, as this source has it.
        at: That moment, UTC.
        observed_until: The latest instant observed; None when it never was.
        late: How much of the open hours lies between then and now, beyond what is usual for the feed.
        missing: What can still be fetched and was not, oldest first; of a pull feed alone.
        unfetched: The same, and what the vendor has from before anything was asked for; none of a vendor that never
            answered.
        lost: What can never be fetched, and could have been when the feed was first asked for; of the last days.
        asked_since: When it was first asked for; None when it never was.
        error: Why nothing is got at present; None when something is, or nobody has tried.
        recorder: What a recorder says of it; None where none can record it.
    """

    source: SourceConfig
    feed: Feed
    at: datetime
    observed_until: datetime | None
    late: timedelta
    missing: tuple[Stretch, ...]
    unfetched: tuple[Stretch, ...]
    lost: tuple[Stretch, ...]
    asked_since: datetime | None
    error: str | None
    recorder: Recorder | None

    @property
    def name(self) -> str:
        """``source/feed``."""
        return f"{self.source.name}/{self.feed.name}"

    @property
    def level(self) -> Level:
        """Whether it is fresh, by the thresholds of its source."""
        minutes = self.late / timedelta(minutes=1)
        if minutes >= self.source.freshness.fail_minutes:
            return "stale"
        return "late" if minutes >= self.source.freshness.warn_minutes else "fresh"

    @property
    def usual(self) -> timedelta:
        """How far behind the vendor's clock the feed is when all is well."""
        return usual_lag(self.feed)

    @property
    def to_loss(self) -> timedelta | None:
        """How long until the vendor forgets the oldest that is missing; None when nothing is."""
        return self.missing[0].start + self.feed.retention - self.at if self.missing else None


def usual_lag(feed: Feed) -> timedelta:
    """How far behind the vendor's clock a feed is when all is well: its delay, the marks it waits for, its rhythm."""
    rhythm = timedelta(0) if feed.live else feed.cadence or _BY_RUNS
    return feed.delay + rhythm + (feed.mark if feed.mark > timedelta(minutes=1) else timedelta(0))


@dataclass(slots=True)
class Watch:
    """Looks at the logs of one home, again and again.

    Attributes:
        settings: The configuration.
        lake: Where attempts are logged.
        failed: Feeds that could not be looked at the last time, and why.
    """

    settings: Settings
    lake: Lake
    failed: dict[str, str] = field(default_factory=dict)
    _read: dict[Path, Log] = field(default_factory=dict)
    _folded: dict[Path, tuple[int, Log]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def look(self, now: datetime | None = None) -> list[FeedNow]:
        """How each feed of each enabled source stands, in the order of the configuration.

        A feed that cannot be looked at is in ``failed`` and hides no other one.

        Args:
            now: Our clock.
        """
        now = now or datetime.now(UTC)
        found: list[FeedNow] = []
        # Dagster looks from several threads of one process.
        with self._lock:
            self.failed.clear()
            for source in self.settings.sources:
                for feed in feeds_of(source) if source.enabled else ():
                    try:
                        found.append(self._look(source, feed, now))
                    except Exception as error:
                        LOGGER.exception("%s/%s cannot be looked at", source.name, feed.name)
                        self.failed[f"{source.name}/{feed.name}"] = f"{type(error).__name__}: {error}"
        return found

    def _look(self, source: SourceConfig, feed: Feed, now: datetime) -> FeedNow:
        clock = self.lake.clock(source.vendor, feed.name, source.name)
        at = now + timedelta(seconds=clock.drift_seconds or 0.0)
        feed = replace(feed, retention=clock.retention(feed.retention))
        horizon = at - max(feed.retention, timedelta(days=LOST_DAYS)) - _FURTHER
        log = self._log(source, feed, horizon)
        standing = heard(self.settings.spool_dir, f"{source.name}/{feed.name}", now)
        told = standing.observed_until if standing else None
        until = max([moment for moment in (clock.observed_until, told) if moment], default=None)
        failing = log.failed if log.failed and (log.worked is None or log.failed[0] > log.worked) else None
        missing, lost = holes(feed, clock, log, at, horizon)
        since = until or log.first
        zone = self.settings.report_timezone
        behind = source.open_hours.within(since, at, zone) if since else timedelta(0)
        return FeedNow(
            source=source,
            feed=feed,
            at=at,
            observed_until=until,
            late=max(behind - usual_lag(feed), timedelta(0)),
            missing=missing,
            unfetched=tuple(_unfetched(source, feed, log, at)) if clock.vendor_now and not feed.live else (),
            lost=lost,
            asked_since=log.first,
            error=standing.trouble if standing else failing[1] if failing else None,
            recorder=_recorder(standing) if feed.live or feed.cadence else None,
        )

    def _log(self, source: SourceConfig, feed: Feed, since: datetime) -> Log:
        base = self.lake.capture_dir(source.vendor, feed.name, source.name)
        days = sorted(path for path in base.glob("date=*") if path.name[5:] >= str(since.date()))
        return merged(self._day(path, feed.delay) for path in days)

    def _day(self, folder: Path, delay: timedelta) -> Log:
        # The time is taken before the folder is listed: what lands in between changes it again.
        changed = folder.stat().st_mtime_ns
        known = self._folded.get(folder)
        if known is None or known[0] != changed:
            paths = set(self.lake.logs(folder).values())
            held = {path: self._read.get(path) or log_of(self.lake, path, delay) for path in paths}
            self._read = {path: log for path, log in self._read.items() if path.parent != folder} | held
            known = self._folded[folder] = changed, merged(held.values())
        return known[1]


def _unfetched(source: SourceConfig, feed: Feed, log: Log, at: datetime) -> Iterator[Stretch]:
    start = retention_edge(feed, at)
    if source.since:
        start = max(start, midnight(source.since))
    return gaps(log.covered, start, frozen_end(feed, at))


def _recorder(standing: Standing | None) -> Recorder:
    if standing is None:
        return "absent"
    return "in trouble" if standing.trouble else "recording"


def log_of(lake: Lake, path: Path, delay: timedelta) -> Log:
    """What the attempts in one file come to; of one that cannot be read, which is set aside, nothing."""
    try:
        with naming(path):
            return _read_log(path, delay)
    except UnreadableFileError:
        LOGGER.warning("%s cannot be read and is set aside: what it told counts as not fetched", path)
        set_aside(lake.root, path)
        return Log()


def _read_log(path: Path, delay: timedelta) -> Log:
    # A day that is recorded has thousands of rows, and there are weeks of days: as numbers they take a tenth of the
    # time that they take as rows.
    table = pq.read_table(path, columns=_COLUMNS)
    start, end, asked, told = (table[name].cast(pa.int64()).to_pylist() for name in _TIMES)
    status, error = table["status"].to_pylist(), table["error"].to_pylist()
    late = delay // _MICROSECOND
    good = [n for n, word in enumerate(status) if word == "ok"]
    bad = [(asked[n], error[n] or word) for n, word in enumerate(status) if word != "ok"]
    seen = spans((start[n], min(end[n], told[n] - late)) for n in good if told[n] is not None)
    first = min((t or a for t, a in zip(told, asked, strict=True)), default=None)
    failed = max(bad, default=None)
    return Log(
        tuple(Stretch(_moment(a), _moment(b)) for a, b in seen),
        None if first is None else _moment(first),
        _moment(max(asked[n] for n in good)) if good else None,
        (_moment(failed[0]), failed[1]) if failed else None,
    )


def _moment(microseconds: int) -> datetime:
    return _EPOCH + microseconds * _MICROSECOND


def merged(logs: Iterable[Log]) -> Log:
    """What several come to together."""
    every = list(logs)
    return Log(
        tuple(joined(stretch for log in every for stretch in log.covered)),
        min((log.first for log in every if log.first), default=None),
        max((log.worked for log in every if log.worked), default=None),
        max((log.failed for log in every if log.failed), default=None),
    )


def joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Stretches in order, without overlap; those that touch are one, and those of no length are left out."""
    return [Stretch(start, end) for start, end in spans((s.start, s.end) for s in stretches)]


def spans(pairs: Iterable[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """The same for starts and ends of any kind that can be compared."""
    found: list[tuple[Any, Any]] = []
    for start, end in sorted(pair for pair in pairs if pair[1] > pair[0]):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((start, end))
    return found


def gaps(covered: Sequence[Stretch], start: datetime, end: datetime) -> Iterator[Stretch]:
    """What of ``[start, end)`` is not covered, in order; ``covered`` is in order and without overlap."""
    for stretch in covered:
        if stretch.start >= end:
            break
        if stretch.start > start:
            yield Stretch(start, stretch.start)
        start = max(start, stretch.end)
    if start < end:
        yield Stretch(start, end)


def holes(
    feed: Feed, clock: FeedClock, log: Log, at: datetime, horizon: datetime
) -> tuple[tuple[Stretch, ...], tuple[Stretch, ...]]:
    """What was not observed, since the feed was first asked for: what can still be fetched, and what is lost.

    The newest stretch, which was not asked for yet, can still be fetched of a pull feed; a live feed owes it to nobody
    before its recorder has said that it was not there. What the vendor had forgotten before the feed was first asked
    for is no loss.

    Args:
        feed: The feed.
        clock: Its clock.
        log: The attempts since ``horizon``.
        at: The vendor's clock.
        horizon: Nothing earlier is told of.
    """
    if clock.first_requested_at is None or log.first is None:
        return (), ()
    start = max(clock.first_requested_at, horizon)
    asked = max([moment for moment in (clock.requested_until, clock.observed_until) if moment], default=start)
    end = asked if feed.live else max(asked, frozen_end(feed, at))
    open_ = list(gaps(log.covered, start, end))
    # What lies so near to the vendor's retention that it is not asked for any more counts as lost.
    edge = at if feed.live else retention_edge(feed, at)
    owed = log.first if feed.live else retention_edge(feed, log.first)
    lost = [Stretch(max(gap.start, owed), min(gap.end, edge)) for gap in open_]
    recent = at - timedelta(days=LOST_DAYS)
    return (
        tuple(Stretch(max(gap.start, edge), gap.end) for gap in open_ if not feed.live and gap.end > edge),
        tuple(stretch for stretch in lost if stretch.end > stretch.start and stretch.end > recent),
    )
