"""Captures the past of a pull feed: plans windows, fetches them side by side, lands each, and logs every attempt.

Knows no vendor, no HTTP beyond its errors, no Dagster and no path; parses nothing. What a vendor's client and the lake
must offer stands here as protocols.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Literal, Protocol, runtime_checkable

from assets.feeds import Feed
from assets.http import HttpError, PermanentError
from assets.windows import Planned, Suspect, Window, plan, retention_edge
from orchestration.lake import Attempt, Page, Segment

LOGGER = logging.getLogger(__name__)
LOG_WINDOWS = 16
LOG_SECONDS = 2.0
"""After so many windows or seconds attempts are written: what a killed run loses from the log is asked for again."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """All replies to one window.

    Attributes:
        pages: The replies in order, at least one.
        records: How many records they hold; None when that could not be read.
        vendor_time: The vendor's clock in the first reply, UTC: what came later was not yet seen by all pages. None
            when it does not tell.
        status: ``ok``; ``unreadable``, an envelope could not be read; ``failed``, the pages do not agree with each
            other. Pages are kept in each case, since the vendor forgets them.
        error: What was wrong, unless ok.
        open_ids: Records without an end.
        closed_ids: Records with an end that began before the window.
    """

    pages: tuple[Page, ...]
    records: int | None
    vendor_time: datetime | None
    status: Literal["ok", "unreadable", "failed"] = "ok"
    error: str | None = None
    open_ids: tuple[str, ...] = ()
    closed_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Probe:
    """One finding about a source, for ``shiftbook doctor``: what was looked at, whether it is well, and what to do."""

    name: str
    ok: bool
    message: str


class PullClient(Protocol):
    """A vendor that is asked for windows of its past."""

    def vendor_now(self) -> datetime:
        """Ask for the vendor's time, UTC.

        Raises:
            HttpError: No answer, or one that says that this source cannot be asked.
        """
        ...

    def fetch(self, window: Window) -> Fetched:
        """Fetch one window whole; called from several threads at once.

        Raises:
            HttpError: Nothing could be had.
        """
        ...

    def probe(self) -> Iterator[Probe]:
        """Look whether the source can be captured; never raises for what it finds."""
        ...


@runtime_checkable
class Reaching(Protocol):
    """A vendor that tells how far back it has something, which may be further than it promises."""

    def kept_since(self, now: datetime, /) -> datetime | None:
        """Since when it has something, UTC; None when it does not say."""
        ...


class Store(Protocol):
    """What capture needs of the lake."""

    def spared(self, segment: Segment, /) -> Segment:
        """A segment as it would land, by the name that it would have."""
        ...

    def land(self, segment: Segment, /) -> bool:
        """Keep a segment durably; False when the same one is there. Called from several threads at once."""
        ...

    def log(self, vendor: str, attempts: Sequence[Attempt], delay: timedelta, /) -> None:
        """Keep attempts durably; ``delay`` is the feed's."""
        ...

    def attempts(self, vendor: str, source: str, feed: str, day: date, /) -> list[Attempt]:
        """The attempts at windows of a UTC day."""
        ...

    def note_kept(self, vendor: str, feed: str, source: str, kept: timedelta, /) -> None:
        """Note how far back the vendor has something now."""
        ...


@dataclass(frozen=True, slots=True)
class CaptureResult:
    """What came of one capture.

    Attributes:
        planned: Windows that were to be asked for.
        landed: Windows whose reply was new.
        identical: Windows whose reply was in the lake already.
        failed: Windows without a readable reply; they stay planned for the next time.
        errors: What was wrong with them, in the order of happening.
        touched_days: UTC days with a new segment.
        segments: Names of the new segments.
    """

    planned: int
    landed: int
    identical: int
    failed: int
    errors: tuple[str, ...] = ()
    touched_days: tuple[date, ...] = ()
    segments: tuple[str, ...] = ()

    def plus(self, other: "CaptureResult") -> "CaptureResult":
        """What came of both."""
        return CaptureResult(
            self.planned + other.planned,
            self.landed + other.landed,
            self.identical + other.identical,
            self.failed + other.failed,
            self.errors + other.errors,
            tuple(sorted({*self.touched_days, *other.touched_days})),
            tuple(sorted({*self.segments, *other.segments})),
        )


class CaptureError(Exception):
    """The source cannot be asked at all: its credentials, permission or address are wrong.

    Attributes:
        result: What came of the capture before that, and the failed windows.
    """

    def __init__(self, message: str, result: CaptureResult) -> None:
        super().__init__(message)
        self.result = result


# Each argument is a thing of its own to the callers; a bundle would only rename them.
def capture(  # noqa: PLR0913
    client: PullClient,
    store: Store,
    *,
    vendor: str,
    source: str,
    feed: Feed,
    days: Sequence[date],
    suspect: Suspect = (),
    since: datetime | None = None,
    workers: int = 8,
    on_window: Callable[[Planned, Attempt], None] | None = None,
    log: logging.Logger = LOGGER,
) -> CaptureResult:
    """Fetch what is missing, unsettled or still open of some UTC days, and of the days before as far as it is open.

    Each window is landed as soon as it is whole and logged shortly after, so a run that dies loses nothing that the
    next one would not notice. A window that fails is logged and the others go on. When the source refuses us or no
    longer answers, the remaining windows have failed without being asked for, and one row for each UTC day says so.

    Args:
        client: The vendor.
        store: The lake.
        vendor: The vendor's name in the lake.
        source: The source's name.
        feed: The feed.
        days: UTC days that are wanted.
        suspect: Stretches of broken chains, see :func:`assets.windows.plan`.
        since: Nothing before this is asked for.
        workers: How many windows are in flight.
        on_window: Told of each window when it is done, in the calling thread.
        log: Where progress is told.

    Raises:
        CaptureError: Credentials, permission or address are wrong; raised after everything is logged.
    """
    refusal: HttpError | None = None
    try:
        now = client.vendor_now()
    except HttpError as error:
        now, refusal = datetime.now(UTC), error
    since_when = client.kept_since(now) if refusal is None and isinstance(client, Reaching) else None
    if since_when is not None:
        store.note_kept(vendor, feed.name, source, now - since_when)
        feed = replace(feed, retention=max(feed.retention, now - since_when))
    known = _days_within_reach(feed, now)
    attempts = {day: store.attempts(vendor, source, feed.name, day) for day in known}
    planned = plan(feed, days, now, attempts, suspect, since)
    log.info("%s: %d windows of %s to ask for", source, len(planned), feed.name)
    run = _Run(client, store, vendor, source, feed, workers, on_window, log)
    if refusal is None:
        run.fetch(planned)
    else:
        run.refuse(planned, refusal)
    result = run.result(len(planned))
    if isinstance(run.stopped_by, PermanentError):
        raise CaptureError(str(run.stopped_by), result)
    return result


def _days_within_reach(feed: Feed, now: datetime) -> list[date]:
    """The UTC days of which the vendor still has something: attempts at older ones cannot change a plan."""
    first = retention_edge(feed, now).date()
    return [first + timedelta(days=n) for n in range((now.date() - first).days + 1)]


@dataclass(frozen=True, slots=True)
class Done:
    """What came of asking for one window: the attempt to log, whether its reply was new, and what went wrong."""

    attempt: Attempt
    landed: bool = False
    error: HttpError | None = None


def keep(store: Store, vendor: str, source: str, feed: str, window: Window, asked_at: datetime, got: Fetched) -> Done:
    """Land what was fetched of a window that was asked for at ``asked_at``, by our clock.

    A reply that is well and carries no vendor's time counts as of then: it was made no earlier. One that is not well is
    asked for again anyhow.
    """
    segment = store.spared(Segment(vendor, source, feed, window.start, window.end, got.pages))
    landed = store.land(segment)
    attempt = Attempt(
        source=source,
        feed=feed,
        window_start=window.start,
        window_end=window.end,
        attempted_at=asked_at,
        status=got.status,
        records=got.records,
        vendor_time=got.vendor_time or (asked_at if got.status == "ok" else None),
        error=got.error,
        segment=segment.name,
        open_ids=got.open_ids,
        closed_ids=got.closed_ids,
    )
    return Done(attempt, landed)


def refused(source: str, feed: str, window: Window, asked_at: datetime, error: HttpError) -> Done:
    """Nothing was got of a window."""
    attempt = Attempt(
        source=source,
        feed=feed,
        window_start=window.start,
        window_end=window.end,
        attempted_at=asked_at,
        status="failed",
        vendor_time=error.vendor_time,
        error=str(error),
    )
    return Done(attempt, error=error)


@dataclass(slots=True)
class _Run:
    """One capture under way. Only fetching and landing happen in threads; all else in the calling one."""

    client: PullClient
    store: Store
    vendor: str
    source: str
    feed: Feed
    workers: int
    on_window: Callable[[Planned, Attempt], None] | None
    log: logging.Logger
    stopped_by: HttpError | None = None
    done: list[Done] = field(default_factory=list)
    unlogged: list[Attempt] = field(default_factory=list)
    logged_at: float = field(default_factory=time.monotonic)
    silent: int = 0

    def fetch(self, planned: Sequence[Planned]) -> None:
        """Ask for all windows, so many at a time, in order."""
        waiting = deque(planned)
        pending: dict[Future[Done], Planned] = {}
        with ThreadPoolExecutor(self.workers, thread_name_prefix=f"capture-{self.source}") as pool:
            try:
                while waiting or pending:
                    while waiting and len(pending) < self.workers:
                        item = waiting.popleft()
                        pending[pool.submit(self._ask, item.window)] = item
                    finished, _ = wait(pending, LOG_SECONDS, FIRST_COMPLETED)
                    for future in finished:
                        self.unlogged.append(future.result().attempt)
                        self._note(pending.pop(future), future.result())
                    self._check_source()
                    if self.stopped_by is not None:
                        self.refuse(waiting, self.stopped_by)
                        waiting.clear()
                    if len(self.unlogged) >= LOG_WINDOWS or time.monotonic() - self.logged_at >= LOG_SECONDS:
                        self._write_log()
            finally:
                self._write_log()

    def refuse(self, planned: Sequence[Planned], error: HttpError) -> None:
        """Give up windows that it would be of no use to ask for.

        One attempt for each UTC day is logged, from the first of them to the last: a row for each, in every run while
        an outage lasts, would be tens of thousands a day that say the same.
        """
        self.stopped_by = error
        now, days = datetime.now(UTC), dict[date, Window]()
        for item in planned:
            window, day = item.window, item.window.start.date()
            so_far = days.get(day, window)
            days[day] = Window(min(so_far.start, window.start), max(so_far.end, window.end))
            self._note(item, refused(self.source, self.feed.name, window, now, error))
        self.unlogged += (refused(self.source, self.feed.name, one, now, error).attempt for one in days.values())
        self._write_log()

    def result(self, planned: int) -> CaptureResult:
        """Sum up."""
        new = [one.attempt for one in self.done if one.landed]
        bad = [one.attempt for one in self.done if one.attempt.status != "ok"]
        kept = sum(one.attempt.segment is not None for one in self.done)
        errors = [attempt.error or attempt.status for attempt in bad]
        if isinstance(self.stopped_by, PermanentError):  # told also when no window was to be asked for
            errors.append(str(self.stopped_by))
        return CaptureResult(
            planned=planned,
            landed=len(new),
            identical=kept - len(new),
            failed=len(bad),
            errors=tuple(dict.fromkeys(errors)),
            touched_days=tuple(sorted({attempt.window_start.date() for attempt in new})),
            segments=tuple(sorted(attempt.segment for attempt in new if attempt.segment)),
        )

    def _ask(self, window: Window) -> Done:
        asked_at = datetime.now(UTC)
        try:
            got = self.client.fetch(window)
        except HttpError as error:
            return refused(self.source, self.feed.name, window, asked_at, error)
        return keep(self.store, self.vendor, self.source, self.feed.name, window, asked_at, got)

    def _note(self, item: Planned, done: Done) -> None:
        self.done.append(done)
        unanswered = done.error is not None and done.error.transient and done.error.status is None
        self.silent = self.silent + 1 if unanswered else 0
        if isinstance(done.error, PermanentError) and done.error.source_wide:
            self.stopped_by = self.stopped_by or done.error
        if done.attempt.error and self.stopped_by is None:
            self.log.warning("%s", done.attempt.error)
        if self.on_window is not None:
            self.on_window(item, done.attempt)

    def _check_source(self) -> None:
        """After two rounds of silence ask for the time: windows may be what it chokes on, or it may be gone.

        A vendor that hangs would otherwise hold each window for several time limits, and a day of them for hours.
        """
        if self.stopped_by is not None or self.silent < 2 * self.workers:
            return
        self.silent = 0
        try:
            self.client.vendor_now()
        except HttpError as error:
            self.stopped_by = error

    def _write_log(self) -> None:
        self.logged_at = time.monotonic()
        if self.unlogged:
            batch, self.unlogged = self.unlogged, []
            self.store.log(self.vendor, batch, self.feed.delay)
