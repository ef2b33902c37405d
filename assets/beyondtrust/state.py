"""Listens to the Real-Time State API without a break, and hands each message on as it came.

A connection is followed from its full copy on and renewed each hour and at each UTC midnight: a second one is opened,
and the first closed some seconds after the second one's copy began. So each day can be replayed from full copies of its
own. What messages mean is found out in SQL; how to speak to the appliance belongs in ``wire.py``.
"""

import asyncio
import itertools
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

import aiohttp

from assets.beyondtrust.appliance import Appliance, shared
from assets.beyondtrust.config import BeyondTrustConfig
from assets.beyondtrust.wire import Socket, TokenRefusedError, connect, refused, session, shake_hands
from assets.capture import Probe
from assets.http import HttpError
from assets.live import LiveError, Sink
from assets.threads import aside
from orchestration.lake import Page

LOGGER = logging.getLogger(__name__)
REQUEST = "GET /nw"
SWITCHING_PROTOCOLS = 101


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things last, in seconds.

    Attributes:
        renewal: Age at which a connection is replaced.
        overlap: How long the old connection stays after the new one's copy began: as late as an update may be.
        copy: How long to wait for the full copy. Every site has queues, so there is always something to copy.
        retry: Pause after a renewal that failed, while the old connection still works.
        ping: Pause between pings.
        silence: After so long without a sign from the old connection, its end is not known to be seen.
    """

    renewal: float = 3600.0
    overlap: float = 20.0
    copy: float = 60.0
    retry: float = 60.0
    ping: float = 15.0
    silence: float = 60.0


class StateClient:
    """The live state of one appliance. Nothing is asked, and no secret read, before it is run.

    Args:
        config: The source.
        appliance: How to get tokens; by default shared with the source's other feeds.
        timing: How long things last.
        now: Our clock, UTC.
    """

    def __init__(
        self,
        config: BeyondTrustConfig,
        appliance: Appliance | None = None,
        timing: Timing | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._config = config
        self._appliance = appliance or shared(config)
        self._timing = timing or Timing()
        self._now = now
        self._place = f"{config.name}: state"

    async def run(self, sink: Sink) -> None:
        """Listen until cancelled; coverage begins with the first message after the subscription.

        From that message on nothing is missed: the copy comes first, then each change, on the same connection. A
        message proves that nothing was missed before it; a pong proves it up to when its ping was sent.

        Raises:
            LiveError: The connection ended or could not be had; lasting when credentials, permission, ``/nw`` itself
                or the handshake are refused.
        """
        async with session(self._place) as http:
            watch = await self._begin(http, sink, None)
            due = self._due(self._now())
            try:
                while True:
                    await self._until(due, watch)
                    watch, due = await self._renewed(http, sink, watch)
            except LiveError as error:
                sink.lost(watch.heard_at, str(error))
                raise
            finally:
                await watch.close()

    def probe(self) -> Iterator[Probe]:
        """Look at reachability, credentials, permission and clock, then open ``/nw`` and subscribe."""
        well = True
        for found in self._appliance.examine("perm_real_time_state", "Real-Time State API"):
            well = well and (found.ok or found.name == "clock")
            yield found
        if not well:
            return
        try:
            asyncio.run(self._look())
        except LiveError as error:
            yield Probe("real-time state", ok=False, message=str(error))
        else:
            yield Probe("real-time state", ok=True, message="/nw accepts us and sends its state")

    async def _look(self) -> None:
        async with session(self._place) as http:
            socket, _ = await self._open(http)
            await socket.close()

    def _due(self, opened_at: datetime) -> datetime:
        """When a connection is to be replaced: after an hour, and when a UTC day begins."""
        midnight = datetime.combine(opened_at.date() + timedelta(days=1), time(), UTC)
        return min(opened_at + timedelta(seconds=self._timing.renewal), midnight)

    async def _until(self, due: datetime, watch: "_Watch") -> None:
        """Wait for a time of our clock, which may be set meanwhile.

        Raises:
            LiveError: The connection ended before.
        """
        while (left := (due - self._now()).total_seconds()) > 0:
            await asyncio.wait({watch.task}, timeout=min(left, 30.0))
            if watch.task.done():
                watch.task.result()

    async def _renewed(self, http: aiohttp.ClientSession, sink: Sink, old: "_Watch") -> tuple["_Watch", datetime]:
        """Replace a connection once the other's copy is in; the old one stays where that fails."""
        began = self._now()
        try:
            new = await self._begin(http, sink, old)
        except LiveError as error:
            if old.task.done():
                raise
            LOGGER.warning("%s; the connection of %s is kept", error, f"{old.socket.opened_at:%H:%M:%S}")
            return old, began + timedelta(seconds=self._timing.retry)
        try:
            await asyncio.wait({new.task}, timeout=self._timing.overlap)
        except BaseException:
            await new.close()
            raise
        if new.task.done() and not old.task.done():
            await new.close()
            return old, began + timedelta(seconds=self._timing.retry)
        await old.close()
        return new, self._due(began)

    async def _begin(self, http: aiohttp.ClientSession, sink: Sink, old: "_Watch | None") -> "_Watch":
        """Open a connection and follow it, until its copy begins to arrive."""
        socket, first = await self._open(http)

        def begun(at: datetime) -> None:
            if old is not None and (what := old.unwatched(at, self._timing.silence)):
                sink.lost(old.heard_at, f"{self._place}: {what}")
            known = self._appliance.drift_seconds is not None
            sink.watching(at, self._appliance.vendor_now() if known else None)

        watch = _Watch(socket, sink, begun, first, self._timing.ping, self._now)
        try:
            await self._copied(watch)
        except BaseException:
            await watch.close()
            raise
        return watch

    async def _copied(self, watch: "_Watch") -> None:
        """Wait until the copy begins to arrive."""
        copying = asyncio.ensure_future(watch.begun.wait())
        try:
            await asyncio.wait({watch.task, copying}, timeout=self._timing.copy, return_when=asyncio.FIRST_COMPLETED)
        finally:
            copying.cancel()
        if watch.task.done():
            watch.task.result()
        if not watch.begun.is_set():
            raise LiveError(f"{self._place}: subscribed, but no state came in {self._timing.copy:.0f} s")

    async def _open(self, http: aiohttp.ClientSession) -> tuple[Socket, bytes | None]:
        """A connection that is subscribed; a token that is refused is renewed once."""
        try:
            token = await aside(self._appliance.token)
            try:
                return await self._subscribed(http, token)
            except TokenRefusedError:
                fresh = await aside(lambda: self._appliance.token(token))
                return await self._subscribed(http, fresh)
        except HttpError as error:
            raise LiveError(str(error), lasting=not error.transient) from None

    async def _subscribed(self, http: aiohttp.ClientSession, token: str) -> tuple[Socket, bytes | None]:
        seconds = self._config.timeout_seconds
        try:
            async with asyncio.timeout(seconds):
                socket = await connect(http, self._config, self._place, self._now)
                try:
                    return socket, await shake_hands(socket, self._config, self._place, token)
                except BaseException:
                    await socket.close()
                    raise
        except TimeoutError:
            raise LiveError(f"{self._place}: /nw did not finish its handshake in {seconds:.0f} s") from None


class _Watch:
    """One connection whose messages go to the sink.

    Attributes:
        socket: The connection.
        task: Follows it; ends with a LiveError.
        begun: Set when the copy has begun to arrive.
        heard_at: The last moment up to which nothing was missed.
    """

    def __init__(
        self,
        socket: Socket,
        sink: Sink,
        on_begun: Callable[[datetime], None],
        first: bytes | None,
        ping_seconds: float,
        now: Callable[[], datetime],
    ) -> None:
        self.socket = socket
        self.begun = asyncio.Event()
        self.heard_at = socket.opened_at
        self._sink = sink
        self._on_begun = on_begun
        self._now = now
        self._pinged: dict[bytes, datetime] = {}
        socket.on_pong = self._pong
        self.task = asyncio.ensure_future(self._follow(first))
        self._pinging = asyncio.ensure_future(self._ping(ping_seconds))

    def unwatched(self, at: datetime, silence: float) -> str | None:
        """Why it is not sure that this connection missed nothing up to ``at``; None when it is."""
        if self.task.done():
            error = None if self.task.cancelled() else self.task.exception()
            return str(error or "the connection to /nw was closed")
        quiet = (at - self.heard_at).total_seconds()
        return f"/nw gave no sign of life for {quiet:.0f} s; the connection was replaced" if quiet > silence else None

    async def close(self) -> None:
        """Stop following, and close the connection."""
        tasks = (self._pinging, self.task)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled():
                task.exception()  # it was told where it mattered
        await self.socket.close()

    async def _follow(self, first: bytes | None) -> None:
        if first is not None:
            await self._take(first)
        try:
            await self._read()
        except LiveError:
            # What was cut off in the middle is kept, too, and shown among the rejects. It proves nothing about the time
            # since, in which the connection may have been dead.
            if self.socket.torn:
                await self._keep(self.socket.torn, self.heard_at)
            raise

    async def _read(self) -> None:
        while True:
            line = await self.socket.line()
            await self._take(line)
            if refused(line):
                raise self.socket.over(f"the appliance said {self.socket.excerpt(line)}")

    async def _take(self, line: bytes) -> None:
        received_at = self._now()
        self.heard_at = received_at
        if not self.begun.is_set():
            self.begun.set()
            self._on_begun(received_at)
        await self._keep(line, received_at)

    async def _keep(self, line: bytes, received_at: datetime) -> None:
        opened_at = self.socket.opened_at
        await self._sink.take(Page(opened_at, received_at, REQUEST, SWITCHING_PROTOCOLS, None, line))

    async def _ping(self, seconds: float) -> None:
        for number in itertools.count():
            await asyncio.sleep(seconds)
            payload = b"%d" % number
            self._pinged = {payload: self._now()}
            await self.socket.ping(payload)

    def _pong(self, payload: bytes) -> None:
        sent_at = self._pinged.pop(payload, None)
        if sent_at is not None and self.begun.is_set():
            self.heard_at = max(self.heard_at, sent_at)
            self._sink.alive(self.heard_at)
