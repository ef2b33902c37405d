"""``shiftbook record``: captures the present of every enabled source, in one process on one event loop.

Which feeds, by whom, and until when stands here; how a feed is recorded in ``live_feed.py`` and ``pull_feed.py``.
No Dagster and no vendor: clients come from the registry.
"""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable, Collection, Mapping
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
from orchestration.standing import tell

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
        f"{source.name}/{feed.name}": Keeper(_feed(lake, spool, disk, source, feed, pace), lake, spool, disk, pace)
        for source in _chosen(settings, names)
        for feed in feeds_of(source)
        if feed.live or feed.cadence
    }
    if not keepers:
        raise RecorderError("no feed of these sources can be recorded; their past is captured by 'shiftbook backfill'")
    tasks = [asyncio.create_task(keeper.run(), name=name) for name, keeper in keepers.items()]
    feeds = [keeper.feed for keeper in keepers.values()]
    tasks.append(asyncio.create_task(_tidy(lake, spool, disk, pace, feeds)))
    tasks.append(asyncio.create_task(_tell(keepers, spool, disk, pace)))
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


async def _tell(keepers: "Mapping[str, Keeper]", spool: Path, disk: Disk, pace: Pace) -> None:
    """Let other processes know how the feeds stand that this one records."""
    while True:
        for name, keeper in keepers.items():
            if keeper.lease.is_held:
                await disk.write(partial(tell, spool, name, keeper.feed.standing()))
        await asyncio.sleep(pace.tell)


async def _tidy(lake: Lake, spool: Path, disk: Disk, pace: Pace, feeds: Collection[LiveFeed | PullFeed]) -> None:
    """Seal what recorders that were killed meanwhile left behind, or could not be sealed before; merge logs."""
    while True:
        await _recovered(lake, spool, disk)
        await _gathered(lake, disk, feeds)
        await asyncio.sleep(pace.tidy)


async def _gathered(lake: Lake, disk: Disk, feeds: Collection[LiveFeed | PullFeed]) -> None:
    today = utc_now().date()
    for feed in feeds:
        for day in (today - timedelta(days=1), today):
            try:
                await disk.seal(partial(gather_attempts, lake, feed.vendor, feed.feed.name, feed.source, day))
            except OSError as error:
                LOGGER.warning("%s: attempts cannot be merged yet: %s", feed.name, error)


async def _recovered(lake: Lake, folder: Path, disk: Disk) -> None:
    try:
        await disk.seal(partial(recover, lake, folder))
    # A full disk, or a file that nothing can be made of: both are told, and neither ends the recording.
    except Exception:
        LOGGER.exception("%s: what was left behind cannot be sealed yet", folder)


@dataclass(slots=True)
class Keeper:
    """Sees to it that one feed is recorded by this process, or by another one that took it over.

    A process that starts asks for the feed as soon as it is watching itself; the one before it then seals and stands
    by, to go on should the feed be let go of. For a moment both record: keys make records count once.
    """

    feed: LiveFeed | PullFeed
    lake: Lake
    spool: Path
    disk: Disk
    pace: Pace
    lease: Lease = field(init=False)
    stands_by: bool = False

    def __post_init__(self) -> None:
        self.lease = Lease(self.spool / _LEASES, f"{self.feed.source}-{self.feed.feed.name}")

    @property
    def trouble(self) -> str | None:
        """Why nothing is recorded just now; None when it is, be it by another process."""
        return None if self.stands_by else self.feed.trouble

    async def run(self) -> None:
        """Keep the feed recorded until cancelled."""
        self.lease.acquire()
        while True:
            try:
                await self._record()
            finally:
                self.lease.release()
            LOGGER.info("%s was taken over by another recorder; standing by", self.feed.name)
            self.stands_by = True
            await self._until(lambda: not self.lease.is_wanted() and self.lease.acquire())
            self.stands_by = False

    async def _record(self) -> None:
        """Record until another process asks for the feed."""
        recording = asyncio.create_task(self.feed.run(await self._since()))
        holding = asyncio.create_task(self._hold())
        try:
            await asyncio.wait({recording, holding}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            holding.cancel()
            recording.cancel()
            await asyncio.wait({recording, holding})
            if not recording.cancelled() and (error := recording.exception()):
                LOGGER.error("%s: recording ended", self.feed.name, exc_info=error)
                await asyncio.sleep(self.pace.base)

    async def _since(self) -> datetime | None:
        """Up to when the feed was recorded, as far as it is known: of one that another still records, it is not."""
        if isinstance(self.feed, LiveFeed) and not self.lease.is_held:
            return None
        if isinstance(self.feed, LiveFeed):
            await _recovered(self.lake, self.feed.folder, self.disk)
        clock = self.lake.clock(self.feed.vendor, self.feed.feed.name, self.feed.source)
        return clock.requested_until if isinstance(self.feed, LiveFeed) else clock.observed_until

    async def _hold(self) -> None:
        """Get hold of the feed once it is watched here, too, then until another process asks for it."""
        while not self.lease.acquire():
            if self.feed.is_watching:
                self.lease.ask()
            await asyncio.sleep(self.pace.look / 4)
        self.lease.withdraw()
        await self._until(self.lease.is_wanted)

    async def _until(self, holds: Callable[[], bool]) -> None:
        """Look now and then: other processes tell nothing but what their locks say."""
        while True:
            if holds():
                return
            await asyncio.sleep(self.pace.look)
