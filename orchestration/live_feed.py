"""Records one live feed: keeps its client connected, spools what it says, and has spool files sealed.

What is on disk belongs in ``spool.py``, what a file comes to in ``stretches.py``; which process records a feed, and
when it stops, is the affair of ``recorder.py``.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from assets.feeds import Feed
from assets.live import LiveClient, LiveError

from orchestration.lake import Lake, Page
from orchestration.pace import Pace
from orchestration.room import full, is_full
from orchestration.sealing import seal
from orchestration.spool import Alive, Began, Ended, Event, Lost, Said, SpoolFile, Watching, frame
from orchestration.standing import Standing
from orchestration.stretches import NOT_YET

LOGGER = logging.getLogger(__name__)
ABSENT = "no recorder was running"
T = TypeVar("T")


def utc_now() -> datetime:
    """This machine's time, UTC."""
    return datetime.now(UTC)


def silence(name: str, seconds: float) -> str:
    """What is wrong with a vendor that has not answered for so long."""
    return f"{name}: no answer for {seconds:.0f} s; check base_url and the network if it stays so"


class Disk:
    """Threads that wait for the disk, so that the loop does not: some for small writes, one for sealing.

    A seal takes seconds; messages must not wait for it.
    """

    def __init__(self) -> None:
        self._writers = ThreadPoolExecutor(4, thread_name_prefix="spool")
        self._sealer = ThreadPoolExecutor(1, thread_name_prefix="seal")

    async def write(self, task: Callable[[], T]) -> T:
        """Do something short."""
        return await asyncio.get_running_loop().run_in_executor(self._writers, task)

    async def seal(self, task: Callable[[], T]) -> T:
        """Do something long, after what was asked for before."""
        return await asyncio.get_running_loop().run_in_executor(self._sealer, task)

    def close(self) -> None:
        """Let the threads end."""
        self._writers.shutdown()
        self._sealer.shutdown()


@dataclass(slots=True)
class _State:
    """What goes on: a stretch that was watched from ``at`` to ``until``, or a gap since ``at``."""

    at: datetime
    until: datetime
    watching: bool = False
    reason: str | None = None

    def take(self, event: Event) -> None:
        """Follow an event, as ``stretches.py`` does."""
        if isinstance(event, Said | Alive):
            seen = event.received_at if isinstance(event, Said) else event.until
            self.until = max(self.until, seen) if self.watching else self.until
        elif isinstance(event, Watching):
            self.at = self.until = max(event.since, self.at)
            self.watching, self.reason = True, None
        elif isinstance(event, Lost):
            self.at = self.until = max(event.at, self.at)
            self.watching, self.reason = False, event.reason

    def end(self, now: datetime) -> None:
        """Go on in another file from here."""
        self.at = self.until if self.watching else max(now, self.at)
        self.reason = None if self.watching else self.reason or NOT_YET


@dataclass(slots=True)
class LiveFeed:
    """One live feed while this process records it; the sink of its client.

    Attributes:
        vendor: The vendor's name in the lake.
        source: The source's name.
        feed: The feed.
        connect: Makes the client.
        lake: Where segments go.
        folder: Where its spool files lie.
        disk: Threads that write.
        pace: How fast.
        now: Our clock.
        is_watching: Whether what is said now is missed by nobody, and is on disk as such.
    """

    vendor: str
    source: str
    feed: Feed
    connect: Callable[[], LiveClient]
    lake: Lake
    folder: Path
    disk: Disk
    pace: Pace = field(default_factory=Pace)
    now: Callable[[], datetime] = utc_now
    is_watching: bool = False
    _client: LiveClient | None = None
    _state: _State = field(init=False)
    _file: SpoolFile = field(init=False)
    _opened: tuple[float, datetime] = field(init=False)
    _pending: bytearray = field(default_factory=bytearray)
    _alive: Alive | None = None
    _talk: "asyncio.Task[None] | None" = None
    _ahead: float = 0.0  # our clock minus the loop's
    _since: float | None = None  # when the client that runs began to watch, by the loop's clock
    _connecting_at: float | None = None  # when the client was last begun, by the loop's clock
    _is_told: bool = False  # whether it said itself that it lost what it watched
    _asked: bool = False  # whether a lost connection wants to be in the log soon
    _stopping: bool = False
    _blocked: str | None = None  # why nothing can be written just now
    _hurry: asyncio.Event = field(default_factory=asyncio.Event)
    _drained: asyncio.Event = field(default_factory=asyncio.Event)
    _sealing: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def name(self) -> str:
        """``source/feed``, for messages."""
        return f"{self.source}/{self.feed.name}"

    @property
    def trouble(self) -> str | None:
        """Why nothing is recorded just now; None when it is."""
        if self._blocked is not None:
            return f"{self.name}: the spool cannot be written: {self._blocked}"
        if self._connecting_at is None:
            return NOT_YET
        return None if self._state.watching else self._state.reason or NOT_YET

    def standing(self) -> Standing:
        """How it stands: also a vendor that lets us wait for its first word is a trouble."""
        if self._blocked is not None:
            return Standing(self.now(), trouble=self.trouble)
        if self._connecting_at is None:
            return Standing(self.now())
        if self._state.watching:
            return Standing(self.now(), self._state.until)
        trouble = None if self._state.reason in {None, ABSENT, NOT_YET} else self._state.reason
        waited = asyncio.get_running_loop().time() - self._connecting_at
        if trouble is None and waited >= self.pace.silent:
            trouble = silence(self.name, waited)
        return Standing(self.now(), trouble=trouble)

    async def run(self, since: datetime | None = None) -> None:
        """Record until cancelled; then what was received is in the lake.

        Args:
            since: Until when the feed was recorded before; what lies between is a gap. None when nobody is owed it.
        """
        now = self.now()
        owed = since is not None and since < now
        self._state = _State(since if owed and since else now, now, reason=ABSENT if owed else None)
        self._stopping = self._asked = self.is_watching = False
        self._talk, self._ahead = None, now.timestamp() - asyncio.get_running_loop().time()
        self._file = await self._open(self._began())
        listening, keeping = asyncio.create_task(self._listen()), asyncio.create_task(self._keep())
        try:
            await asyncio.wait({listening, keeping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            listening.cancel()
            await asyncio.wait({listening})
            self._stopping = True
            self._hurry.set()
            await keeping
            self.is_watching = False

    def watching(self, since: datetime, vendor_time: datetime | None = None) -> None:
        """See :meth:`assets.live.Sink.watching`."""
        if not self._state.watching:
            LOGGER.info("%s is watched", self.name)
            self._since = self._since or asyncio.get_running_loop().time()
            self._is_told = False
            self._note(Watching(since, vendor_time))

    async def take(self, page: Page) -> None:
        """See :meth:`assets.live.Sink.take`."""
        self._mind_the_clock()
        self._note(Said.of(page))
        while len(self._pending) >= self.pace.queue_bytes:
            try:
                await asyncio.wait_for(self._room(), self.pace.stall)
            except TimeoutError:
                # Whoever is kept waiting loses the vendor's words, or hears them late, which is worse: times are ours.
                why = self.trouble if self._blocked else f"{self.name}: the disk does not keep up"
                raise LiveError(str(why)) from None

    async def _room(self) -> None:
        """Wait until what was heard is on disk."""
        self._drained.clear()
        self._hurry.set()
        await self._drained.wait()

    def alive(self, until: datetime, vendor_time: datetime | None = None) -> None:
        """See :meth:`assets.live.Sink.alive`; written down with the next messages."""
        self._mind_the_clock()
        if self._state.watching:
            self._alive = Alive(until, vendor_time)
            self._state.take(self._alive)

    def lost(self, at: datetime, reason: str) -> None:
        """See :meth:`assets.live.Sink.lost`."""
        self._is_told = True
        if self._state.watching or self._state.reason != reason:
            LOGGER.warning("%s is not recorded: %s", self.name, reason)
            self._flush_alive()
            self._note(Lost(at, reason))
            self._asked = True

    def _note(self, event: Event) -> None:
        self._state.take(event)
        self._pending += frame(event)

    def _flush_alive(self) -> None:
        if self._alive is not None:
            self._pending += frame(self._alive)
            self._alive = None

    def _began(self) -> Began:
        state = self._state
        return Began(self.vendor, self.source, self.feed.name, state.at, state.watching, state.reason)

    async def _listen(self) -> None:
        """Have the client listen, again and again, the more patiently the more often it fails."""
        chance, failures, loop = random.Random(), 0, asyncio.get_running_loop()
        while True:
            while len(self._pending) >= self.pace.queue_bytes:
                await self._room()
            self._since, self._is_told, self._connecting_at = None, False, loop.time()
            error = await self._heard_out()
            steady = self._since is not None and loop.time() - self._since >= self.pace.steady
            if not self._is_told:
                self.lost(self._state.until if self._state.watching else self.now(), str(error))
            failures = 1 if steady else failures + 1
            await asyncio.sleep(self.pace.wait(failures, lasting=error.lasting, chance=chance))

    def _mind_the_clock(self) -> None:
        """Notice that the machine slept: what comes from a connection after that says nothing of the time between."""
        ahead = self.now().timestamp() - asyncio.get_running_loop().time()
        jumped = ahead - self._ahead
        self._ahead = ahead
        if abs(jumped) > self.pace.jump and self._talk is not None:
            self.lost(self._state.until, f"this machine slept, or its clock was set, by {jumped:.0f} s")
            self._talk.cancel()

    async def _heard_out(self) -> LiveError:
        try:
            self._client = self._client or self.connect()
            self._talk = asyncio.create_task(self._client.run(self))
            try:
                await asyncio.wait({self._talk})
            finally:
                await self._silenced(self._talk)
            if not self._talk.cancelled():
                self._talk.result()
        except LiveError as error:
            return error
        # A defect of one vendor's client must not end the recording of others.
        except Exception as error:
            LOGGER.exception("%s: the client failed", self.name)
            return LiveError(f"{self.name}: the client failed with {type(error).__name__}; see the log")
        return LiveError(f"{self.name}: the client ended by itself")

    async def _silenced(self, talk: "asyncio.Task[None]") -> None:
        """See to it that a client has ended, as far as it lets itself be told; once, for it may have to say goodbye."""
        if not talk.cancelling():
            talk.cancel()
        _, late = await asyncio.wait({talk}, timeout=self.pace.patience)
        if late:
            LOGGER.warning("%s: the client does not end", self.name)

    async def _keep(self) -> None:
        """Write what waits, and end files when it is time, until told to stop."""
        while not self._stopping:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), self.pace.commit)
            self._hurry.clear()
            self._mind_the_clock()
            await self._commit()
            if self._seal_is_due() and not self._stopping:
                ended = self._file
                with contextlib.suppress(OSError):  # told to stop while the disk is full: this file stays the last
                    self._file = await self._end(ended)
                    self._seal(ended)
        ended, data = self._file, self._drain() + frame(Ended(self.now()))
        await self._write(ended, data)
        self._seal(ended)
        await asyncio.gather(*self._sealing)

    def _drain(self) -> bytes:
        self._flush_alive()
        data, self._pending = bytes(self._pending), bytearray()
        return data

    async def _commit(self) -> None:
        watching, data = self._state.watching, self._drain()
        if data:
            await self._write(self._file, data)
        self.is_watching = watching
        self._drained.set()

    async def _write(self, file: SpoolFile, data: bytes) -> None:
        """Write until it is written: when the disk is full, the queue fills, and then the client is let go of."""
        try:
            await self._patiently(partial(file.append, data))
        except OSError:
            LOGGER.exception(
                "%s: %d bytes that were heard are lost; the time counts as not observed", self.name, len(data)
            )

    async def _open(self, began: Began) -> SpoolFile:
        file = await self._patiently(partial(SpoolFile, self.folder, began))
        self._opened = asyncio.get_running_loop().time(), self.now()
        return file

    async def _patiently(self, task: Callable[[], T]) -> T:
        """Try until it is done; when told to stop, not for long.

        Raises:
            OSError: Told to stop, and it cannot be done.
        """
        waited = 0.0
        while True:
            try:
                done = await self.disk.write(task)
            except OSError as error:
                if self._stopping and waited >= self.pace.patience:
                    raise
                problem = full(self.folder) if is_full(error) else error
                if self._blocked is None:
                    LOGGER.warning("%s: the spool cannot be written: %s", self.name, problem)
                self._blocked = str(problem)
                waited += self.pace.base if self._stopping else 0.0
                await asyncio.sleep(self.pace.base)
            else:
                self._blocked = None
                return done

    def _seal_is_due(self) -> bool:
        opened, moment = self._opened
        age = asyncio.get_running_loop().time() - opened
        return (
            age >= self.pace.seal
            or self._file.size >= self.pace.seal_bytes
            or self.now().date() != moment.date()
            or (self._asked and age >= self.pace.calm)
        )

    async def _end(self, file: SpoolFile) -> SpoolFile:
        """End a file; the next one goes on where it ends, with whatever came meanwhile."""
        now = self.now()
        data = self._drain() + frame(Ended(now))
        self._state.end(now)
        began, self._asked = self._began(), False
        await self._write(file, data)
        return await self._open(began)

    def _seal(self, file: SpoolFile) -> None:
        task = asyncio.create_task(self._sealed(file))
        self._sealing.add(task)
        task.add_done_callback(self._sealing.discard)

    async def _sealed(self, file: SpoolFile) -> None:
        """Seal a file; one that cannot be is let go of, and found as an orphan later."""
        try:
            await self.disk.seal(partial(seal, self.lake, file.path))
        # Whatever is wrong with one file, the recording goes on.
        except Exception:
            LOGGER.exception("%s: %s cannot be sealed yet", self.name, file.path)
        finally:
            file.close()
