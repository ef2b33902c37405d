"""``shiftbook record``: captures the present of every enabled source, in one process on one event loop.

Which feeds, by whom, and until when stands here; how a feed is recorded in ``live_feed.py`` and ``pull_feed.py``.
No Dagster and no vendor: clients come from the registry.
"""

import asyncio
import contextlib
import logging
import random
import signal
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from assets.config import SourceConfig
from assets.feeds import Feed
from assets.registry import connect, connect_live

from orchestration.inputs import midnight
from orchestration.lake import Lake
from orchestration.lease import Lease
from orchestration.live_feed import Disk, LiveFeed, utc_now
from orchestration.logs import gather_attempts
from orchestration.pace import Pace
from orchestration.pull_feed import PullFeed
from orchestration.sealing import recover
from orchestration.settings import Settings, feeds_of
from orchestration.standing import Standing, tell

LOGGER = logging.getLogger(__name__)
_LEASES = ".leases"


class RecorderError(Exception):
    """There is nothing to record; the message says what to write instead."""


async def record(
    settings: Settings, names: Collection[str] = (), seconds: float | None = None, pace: Pace | None = None
) -> dict[str, str | None]:
    """Record until SIGTERM, SIGINT, or so many seconds have passed; then everything received is in the lake.

    Args:
        settings: The configuration.
        names: Only these sources; all enabled ones unless given.
        seconds: How long; for ever unless given.
        pace: How fast.

    Returns:
        What is wrong with each feed, by ``source/feed``; None when it is recorded.

    Raises:
        RecorderError: A source is not configured, or none is.
    """
    pace, lake, disk = pace or Pace(), Lake(settings.lake_dir), Disk()
    spool = settings.spool_dir
    keepers = {
        f"{source.name}/{feed.name}": Keeper(
            _feed(lake, spool, disk, source, feed, pace), lake, spool, disk, pace, alone=source.listens_alone(feed.name)
        )
        for source in _chosen(settings, names)
        for feed in feeds_of(source)
        if feed.live or feed.cadence
    }
    if not keepers:
        raise RecorderError("no feed of these sources can be recorded; their past is captured by 'shiftbook backfill'")
    tasks = [asyncio.create_task(keeper.run(), name=name) for name, keeper in keepers.items()]
    feeds = [keeper.feed for keeper in keepers.values()]
    tasks.append(asyncio.create_task(_ever(partial(_tidy, lake, spool, disk, feeds), pace.tidy)))
    tasks.append(asyncio.create_task(_ever(partial(_tell, keepers, spool, disk), pace.tell)))
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(_told_to_stop(), seconds)
    found = {name: keeper.trouble for name, keeper in keepers.items()}
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    disk.close()
    return found


async def _told_to_stop() -> None:
    """Wait for a signal to stop; a second one ends the process as if there were no such thing as a recorder."""
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, told.set)
    try:
        await told.wait()
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def _chosen(settings: Settings, names: Collection[str]) -> list[SourceConfig]:
    enabled = {source.name: source for source in settings.sources if source.enabled}
    if unknown := sorted(set(names) - set(enabled)):
        raise RecorderError(
            f"no enabled source {', '.join(unknown)} in {settings.sources_file}; "
            f"there are: {', '.join(sorted(enabled)) or 'none'}"
        )
    if not enabled:
        raise RecorderError("no source is enabled; write one into sources.yaml (the one in the repository shows how)")
    return [source for name, source in enabled.items() if not names or name in names]


def _feed(lake: Lake, spool: Path, disk: Disk, source: SourceConfig, feed: Feed, pace: Pace) -> LiveFeed | PullFeed:
    if feed.live:
        folder = spool / source.vendor / feed.name / source.name
        client = partial(connect_live, source, feed)
        return LiveFeed(source.vendor, source.name, feed, client, lake, folder, disk, pace)
    since = midnight(source.since) if source.since else None
    return PullFeed(source.vendor, source.name, feed, partial(connect, source, feed), lake, disk, pace, since=since)


async def _ever(act: Callable[[], Awaitable[None]], seconds: float) -> None:
    """Do something every so many seconds; what goes wrong with it is told, and does not end it."""
    while True:
        try:
            await act()
        except Exception:
            LOGGER.exception("a chore of the recorder failed; it is done again in %.0f s", seconds)
        await asyncio.sleep(seconds)


async def _tell(keepers: "Mapping[str, Keeper]", spool: Path, disk: Disk) -> None:
    """Let other processes know how the feeds stand that this one records, or should and cannot."""
    for name, keeper in keepers.items():
        if standing := keeper.standing():
            await disk.write(partial(tell, spool, name, standing, yields=not keeper.has_it))


async def _tidy(lake: Lake, spool: Path, disk: Disk, feeds: Collection[LiveFeed | PullFeed]) -> None:
    """Seal what recorders that were killed meanwhile left behind, or could not be sealed before; merge logs."""
    await _recovered(lake, spool, disk)
    today = utc_now().date()
    for feed in feeds:
        for day in (today - timedelta(days=1), today):
            try:
                await disk.seal(partial(gather_attempts, lake, feed.vendor, feed.feed.name, feed.source, day))
            # A full disk, or a log that was damaged: other feeds' are merged nevertheless.
            except Exception:
                LOGGER.exception("%s: attempts of %s cannot be merged yet", feed.name, day)


async def _recovered(lake: Lake, folder: Path, disk: Disk) -> None:
    try:
        await disk.seal(partial(recover, lake, folder))
    # A full disk, a damaged log, or a file that nothing can be made of: each is told, and none ends the recording.
    except Exception:
        LOGGER.exception("%s: not all that was left behind can be sealed yet", folder)


@dataclass(slots=True)
class Keeper:
    """Sees to it that one feed is recorded by this process, or by another one that took it over.

    A process that starts asks for the feed as soon as it is watching itself; the one before it then seals and stands
    by, to go on should the feed be let go of. For a moment both record: keys make records count once. Where only one
    can listen at a time (``alone``), it asks at once, and listens when the other one has ended.

    Nothing that goes wrong ends it: it tells, waits, and begins again.
    """

    feed: LiveFeed | PullFeed
    lake: Lake
    spool: Path
    disk: Disk
    pace: Pace
    alone: bool = False
    lease: Lease = field(init=False)
    stands_by: bool = False
    _had_it: bool = False
    _wrong: str | None = None  # with the recorder itself
    _unlocked: str | None = None  # why it cannot be known whether another one records

    def __post_init__(self) -> None:
        self.lease = Lease(self.spool / _LEASES, f"{self.feed.source}-{self.feed.feed.name}")

    @property
    def has_it(self) -> bool:
        """Whether the feed is this process's, also between two tries to record it."""
        return self.lease.is_held or self._had_it

    @property
    def trouble(self) -> str | None:
        """Why nothing is recorded just now; None when it is, be it by another process."""
        return self._wrong or self._unlocked or (None if self.stands_by else self.feed.trouble)

    def standing(self) -> Standing | None:
        """How the feed stands; None while that is another process's affair."""
        if wrong := self._wrong or (None if self.lease.is_held else self._unlocked):
            return Standing(utc_now(), trouble=wrong)
        return self.feed.standing() if self.lease.is_held else None

    async def run(self) -> None:
        """Keep the feed recorded until cancelled."""
        loop, chance, failures = asyncio.get_running_loop(), random.Random(), 0
        while True:
            began = loop.time()
            try:
                await self._turn()
            except Exception as error:
                failures = 1 if loop.time() - began >= self.pace.steady else failures + 1
                wait = self.pace.wait(failures, lasting=False, chance=chance)
                self._wrong = f"{self.feed.name}: recording failed with {type(error).__name__}; see the log"
                LOGGER.exception("%s: recording failed; it begins again in %.1f s", self.feed.name, wait)
                await asyncio.sleep(wait)
                self._wrong = None

    async def _turn(self) -> None:
        """Record until another process asks for the feed; then stand by until it lets go of it."""
        if self.alone:
            await self._stand_by(self._take, self.pace.look / 4)
        else:
            self._locks(self.lease.acquire)
        try:
            await self._record()
        finally:
            self._had_it = self.has_it
            self.lease.release()
        self._had_it = False
        LOGGER.info("%s was taken over by another recorder; standing by", self.feed.name)
        await self._stand_by(lambda: not self.lease.is_wanted() and self.lease.acquire(), self.pace.look)

    def _take(self) -> bool:
        """Take the feed, if nobody has it; else ask for it, as soon as it is watched here, too, or cannot be before."""
        if not self.lease.acquire():
            if self.alone or self.feed.is_watching:
                self.lease.ask()
            return False
        self.lease.withdraw()
        return True

    async def _stand_by(self, holds: Callable[[], bool], seconds: float) -> None:
        self.stands_by = True
        try:
            await self._until(holds, seconds)
        finally:
            self.stands_by = False

    async def _record(self) -> None:
        """Record until another process asks for the feed.

        Raises:
            Exception: What ended it instead.
        """
        recording = asyncio.create_task(self.feed.run(await self._since()))
        holding = asyncio.create_task(self._hold())
        try:
            await asyncio.wait({recording, holding}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            holding.cancel()
            recording.cancel()
            await asyncio.wait({recording, holding})
        for task in (recording, holding):
            if not task.cancelled():
                task.result()

    async def _since(self) -> datetime | None:
        """Up to when the feed was recorded, as far as it is known: of one that another still records, it is not."""
        if isinstance(self.feed, LiveFeed) and not self.lease.is_held:
            return None
        if isinstance(self.feed, LiveFeed):
            await _recovered(self.lake, self.feed.folder, self.disk)
        try:
            clock = self.lake.clock(self.feed.vendor, self.feed.feed.name, self.feed.source)
        # What is said now can be had now alone; how long nobody listened is then not told, and missing all the same.
        except Exception:
            LOGGER.exception("%s: up to when it was recorded is not known", self.feed.name)
            return None
        return clock.requested_until if isinstance(self.feed, LiveFeed) else clock.observed_until

    async def _hold(self) -> None:
        """Get hold of the feed once it is watched here, too, then until another process asks for it."""
        await self._until(self._take, self.pace.look / 4)
        await self._until(self.lease.is_wanted, self.pace.look)

    async def _until(self, holds: Callable[[], bool], seconds: float) -> None:
        """Look every so many seconds: other processes tell nothing but what their locks say."""
        while True:
            if self._locks(holds):
                return
            await asyncio.sleep(seconds)

    def _locks(self, look: Callable[[], bool]) -> bool:
        """What the locks say; nothing while the system lets nobody look, which is no reason to stop recording."""
        try:
            said = look()
        except OSError as error:
            if self._unlocked is None:
                LOGGER.warning("%s: whether another recorder has it cannot be known: %s", self.feed.name, error)
            self._unlocked = f"{self.feed.name}: its lock below {self.spool / _LEASES} cannot be taken: {error}"
            return False
        self._unlocked = None
        return said
