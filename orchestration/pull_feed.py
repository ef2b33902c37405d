"""Records the present of one pull feed: asks for its newest stretch as often as the vendor wants to be asked.

The past, also what a long outage leaves, is fetched by the raw assets, whose planning sees what was logged here.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from assets.capture import Done, PullClient, keep, refused
from assets.feeds import Feed
from assets.http import HttpError, PermanentError
from assets.threads import aside, held_back
from assets.windows import Window, day_start, frozen_end, retention_edge

from orchestration.lake import Attempt, Lake
from orchestration.live_feed import Disk, silence, utc_now
from orchestration.pace import Pace
from orchestration.room import full, is_full
from orchestration.standing import Standing

LOGGER = logging.getLogger(__name__)
_NOT_ASKED = "not asked yet"


@dataclass(frozen=True, slots=True)
class _Step:
    """What came of one look: nothing to ask for yet, a window too quiet to keep, or a window that was asked for."""

    done: Done | None = None
    is_quiet: bool = False
    drift: timedelta | None = None
    is_behind: bool = False


@dataclass(slots=True)
class PullFeed:
    """One pull feed while this process records it.

    Attributes:
        vendor: The vendor's name in the lake.
        source: The source's name.
        feed: The feed; it has a cadence.
        connect: Makes the client.
        lake: Where segments go.
        disk: Threads that write.
        pace: How fast.
        now: Our clock.
        since: Nothing before this is asked for.
        is_watching: Always; there is no connection to be made first.
        trouble: Why nothing is recorded just now; None when it is.
    """

    vendor: str
    source: str
    feed: Feed
    connect: Callable[[], PullClient]
    lake: Lake
    disk: Disk
    pace: Pace = field(default_factory=Pace)
    now: Callable[[], datetime] = utc_now
    since: datetime | None = None
    is_watching: bool = True
    trouble: str | None = _NOT_ASKED
    _client: PullClient | None = None
    _reached: datetime | None = None
    _drift: timedelta | None = None
    _ahead: float | None = None  # our clock less the loop's, in seconds
    _unlogged: list[Attempt] = field(default_factory=list)
    _is_half_logged: bool = False  # some of them may stand in the log already
    _logged_at: float = 0.0
    _told_at: float = float("-inf")
    _asked_at: float | None = None  # by the loop's clock, while the vendor is being asked and not held back by us

    @property
    def name(self) -> str:
        """``source/feed``, for messages."""
        return f"{self.source}/{self.feed.name}"

    def standing(self) -> Standing:
        """How it stands: also a vendor that has been asked and does not answer is a trouble."""
        trouble = None if self.trouble == _NOT_ASKED else self.trouble
        asked_at = self._asked_at
        waited = 0.0 if asked_at is None else asyncio.get_running_loop().time() - asked_at
        if trouble is None and waited >= self.pace.silent:
            trouble = silence(self.name, waited)
        return Standing(self.now(), self._reached, trouble)

    async def run(self, since: datetime | None = None) -> None:
        """Record until cancelled.

        Args:
            since: Up to when it was observed before. From there on is asked for, at most one window back.
        """
        loop, chance, failures = asyncio.get_running_loop(), random.Random(), 0
        self._reached, self._logged_at = since, loop.time()
        cadence = (self.feed.cadence or self.feed.window).total_seconds()
        try:
            while True:
                began = loop.time()
                error, is_lasting, is_behind = await self._look()
                failures = failures + 1 if error else 0
                await self._tell(error)
                if error:
                    wait = self.pace.wait(failures, lasting=is_lasting, chance=chance)
                else:
                    wait = 0.0 if is_behind else cadence - (loop.time() - began)
                await asyncio.sleep(max(0.0, wait))
        finally:
            await self._log()

    async def _look(self) -> tuple[str | None, bool, bool]:
        """Ask once: what went wrong, whether that will last, and whether there is more to ask for at once."""
        self._mind_the_clock()
        clock = asyncio.get_running_loop().time
        self._asked_at = clock()
        try:
            step = await aside(partial(self._step, clock))
        # A defect of one vendor's client, or a full disk, must not end the recording of others.
        except Exception as error:
            if is_full(error):
                return (
                    f"{self.name}: {full(self.lake.root)}",
                    False,
                    False,
                )
            LOGGER.exception("%s: the client failed", self.name)
            named = f"{self.name}: the client failed with {type(error).__name__}; see the log"
            return named, False, False
        finally:
            self._asked_at = None
        # An answer without the vendor's time says nothing new about its clock.
        self._drift = self._drift if step.drift is None else step.drift
        if step.done is None:
            return None, False, step.is_behind
        attempt = step.done.attempt
        if attempt.status == "ok":
            heard = attempt.vendor_time or attempt.attempted_at
            self._reached = max(self._reached or attempt.window_start, min(attempt.window_end, heard - self.feed.delay))
            self._unlogged.append(attempt)
            return None, False, step.is_behind
        said = attempt.error or attempt.status
        again = asyncio.get_running_loop().time() - self._told_at >= self.pace.tidy
        # One row when something goes wrong, and one now and then while it stays so; not one per try.
        if said != self.trouble or again or attempt.segment is not None:
            self._unlogged.append(attempt)
            self._told_at = asyncio.get_running_loop().time()
        return said, isinstance(step.done.error, PermanentError), False

    def _mind_the_clock(self) -> None:
        """Forget how far the vendor's clock is from ours when ours was set: set back, nothing would be asked for."""
        ahead = self.now().timestamp() - asyncio.get_running_loop().time()
        if self._ahead is not None and abs(ahead - self._ahead) > self.pace.jump:
            self._drift = None
        self._ahead = ahead

    def _step(self, clock: Callable[[], float]) -> _Step:
        """Ask for the newest stretch, in a thread of its own: a vendor may be silent for minutes."""

        @contextmanager
        def hold() -> Iterator[None]:
            self._asked_at = None
            yield
            self._asked_at = clock()

        held_back.set(hold)
        client = self._client = self._client or self.connect()
        asked_at = self.now()
        try:
            vendor_now = client.vendor_now() if self._drift is None else asked_at + self._drift
        except HttpError as error:
            window, _ = self._window(asked_at)
            return _Step(refused(self.source, self.feed.name, window, asked_at, error) if window else None)
        drift = vendor_now - asked_at
        window, is_behind = self._window(vendor_now)
        if window is None:
            return _Step(drift=drift)
        try:
            got = client.fetch(window)
        except HttpError as error:
            drift = drift if error.vendor_time is None else error.vendor_time - self.now()
            return _Step(refused(self.source, self.feed.name, window, asked_at, error), drift=drift)
        # The vendor's clock minus ours at the reply, as Session reckons it: never taken for later than it is.
        measured = got.vendor_time - got.pages[0].received_at if got.vendor_time and got.pages else None
        is_short = (window.end - window.start).total_seconds() < self.pace.quiet
        if got.status == "ok" and got.records == 0 and is_short and not is_behind and self.trouble is None:
            return _Step(is_quiet=True, drift=measured)
        done = keep(self.lake, self.vendor, self.source, self.feed.name, window, asked_at, got)
        return _Step(done, drift=measured, is_behind=is_behind)

    def _window(self, vendor_now: datetime) -> tuple[Window | None, bool]:
        """The stretch from what was observed to what the vendor shows, and whether there is more behind it.

        It lies within one UTC day, as the planning of coverage wants, and within what the vendor still has.
        """
        end = frozen_end(self.feed, vendor_now)
        reached = self._reached or end - (self.feed.cadence or self.feed.window)
        bounds = [reached, end - self.feed.window, retention_edge(self.feed, vendor_now)]
        start = max([*bounds, self.since] if self.since else bounds)
        midnight = day_start(start.date() + timedelta(days=1))
        return (Window(start, min(end, midnight)) if start < end else None), midnight < end

    async def _tell(self, error: str | None) -> None:
        """Say what changed, and log it at once; else log now and then."""
        changed = error != self.trouble
        if changed and error:
            LOGGER.warning("%s is not recorded: %s", self.name, error)
        elif changed:
            LOGGER.info("%s is recorded", self.name)
        self.trouble = error
        if changed or error or asyncio.get_running_loop().time() - self._logged_at >= self.pace.log:
            await self._log()

    async def _log(self) -> None:
        batch, self._unlogged = self._unlogged, []
        self._logged_at = asyncio.get_running_loop().time()
        if not batch:
            return
        log = self.lake.log_again if self._is_half_logged else self.lake.log
        writing = asyncio.ensure_future(self.disk.write(partial(log, self.vendor, batch, self.feed.delay)))
        self._is_half_logged = True
        try:
            await asyncio.shield(writing)
            self._is_half_logged = False
        except asyncio.CancelledError:
            # Asked to end meanwhile: what is being written is waited for, what could not be is written at the end.
            await asyncio.wait([writing])
            if not writing.cancelled() and writing.exception():
                self._unlogged = batch + self._unlogged
            raise
        except OSError as error:
            self._unlogged = batch + self._unlogged
            LOGGER.warning("%s: attempts cannot be logged yet: %s", self.name, error)
