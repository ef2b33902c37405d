"""Sockets of a simulated appliance: HTTP and the live feed's WebSocket on one event loop and port.

What belongs here: carrying requests, replies and frames, with the faults asked for.
What does not: what is answered; and the plain HTTP servers of other vendors (`wire.py`),
which cannot speak WebSocket.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from email.utils import format_datetime
from http import HTTPStatus
from typing import Any, Final, Protocol
from weakref import WeakSet

from aiohttp import WSMsgType, web

from simulator.beyondtrust_dialect import SUBPROTOCOL, Dialect
from simulator.beyondtrust_live import Connection, Feed, frames
from simulator.clock import SimClock
from simulator.faults import Dice, Faults, Throw
from simulator.wire import ADMIN_PREFIX, SIGN_IN_PAGE, Reply, Request, Stats, failure

_TICK: Final = 0.02
_START_SECONDS: Final = 10.0


class Api(Protocol):
    """What the wire asks of an appliance."""

    clock: SimClock
    seed: int

    @property
    def dialect(self) -> Dialect:
        """Return the dialect served."""
        ...

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        ...


class LiveWire:
    """A loopback server on an event loop in a thread of its own."""

    def __init__(self, api: Api, feed: Feed, admin: Callable[[Request], Reply], port: int = 0) -> None:
        """Bind to 127.0.0.1, on a free port when `port` is 0."""
        self._api = api
        self._feed = feed
        self._admin = admin
        self.stats = Stats()
        self.faults = Faults()
        self._dice = Dice(0)
        self._connections = 0
        self._used: WeakSet[asyncio.Transport] = WeakSet()
        self._live: set[asyncio.Transport] = set()
        self._socket = socket.create_server(("127.0.0.1", port), backlog=128)
        self.port: int = self._socket.getsockname()[1]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stop = asyncio.Event()

    def set_faults(self, faults: Faults) -> None:
        """Serve other faults from the next request on; their dice start afresh."""
        self._dice = Dice(faults.seed)
        self.faults = faults

    # -- the thread ---------------------------------------------------------------------

    def start(self) -> None:
        """Serve until closed."""
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True)
        self._thread.start()
        ready.wait(_START_SECONDS)

    async def _serve(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.SockSite(runner, self._socket).start()
        ready.set()
        await self._stop.wait()
        self._abort_all()
        await runner.cleanup()

    def close(self) -> None:
        """Stop serving and end all connections."""
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()
            self._thread = self._loop = None
        self._socket.close()

    def disconnect(self) -> int:
        """Break all live connections without a word; return how many there were."""
        count = len(self._live)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._abort_all)
        return count

    def _abort_all(self) -> None:
        for transport in list(self._live):
            transport.abort()

    # -- requests -----------------------------------------------------------------------

    async def _handle(self, asked: web.Request) -> web.StreamResponse:
        request = Request(
            asked.method,
            asked.path,
            asked.query_string,
            {name.lower(): value for name, value in asked.headers.items()},
            await asked.read(),
        )
        if request.path.startswith(ADMIN_PREFIX):
            # Writing the truth takes long; the live feed goes on meanwhile.
            return self._response(await asyncio.to_thread(self._admin, request))
        if request.path == "/nw":
            return await self._live_feed(asked)
        self.stats.begin()
        status: int | None = None
        sent = 0
        try:
            response = await self._answer(asked, request)
            status = None if response is None else response.status
            sent = 0 if response is None else response.content_length or 0
        finally:
            self.stats.finish(status, sent)
        return web.Response() if response is None else response

    async def _answer(self, asked: web.Request, request: Request) -> web.StreamResponse | None:
        """Answer a request, or break its connection and return nothing."""
        throw = self._dice.attempt(f"{request.path}?{request.query}{request.body.decode('latin-1')}")
        if throw.hits("hang", self.faults.hang_rate):
            await asyncio.sleep(self.faults.hang_seconds)
        if throw.hits("reset", self.faults.reset_rate) or self._again(asked):
            self._reset(asked)
            return None
        reply = failure(self.faults, throw) or self._api.answer(request)
        return await self._send(asked, reply, throw)

    def _again(self, asked: web.Request) -> bool:
        """Tell whether a connection was kept for a second call where that is not allowed."""
        transport = asked.transport
        if transport is None or self._api.dialect.connections != "enforced":
            return False
        known = transport in self._used
        self._used.add(transport)
        return known

    async def _send(self, asked: web.Request, reply: Reply, throw: Throw) -> web.StreamResponse:
        good = reply.status == HTTPStatus.OK
        if good and throw.hits("rubbish", self.faults.rubbish_rate):
            reply = Reply(reply.status, SIGN_IN_PAGE, "text/html; charset=utf-8")
        if good and throw.hits("truncated", self.faults.truncated_rate):
            reply = Reply(reply.status, reply.body[: len(reply.body) // 2], reply.content_type, reply.headers)
        response = self._response(reply)
        if self._api.dialect.connections == "closed":
            response.force_close()
        if not (good and throw.hits("short", self.faults.short_rate)):
            return response
        short = web.StreamResponse(status=reply.status, headers=response.headers)
        short.content_length = len(reply.body)
        await short.prepare(asked)
        await short.write(reply.body[: len(reply.body) // 2])
        if asked.transport is not None:
            asked.transport.close()
        return short

    def _response(self, reply: Reply) -> web.Response:
        date = format_datetime(self._api.clock.now(), usegmt=True)
        headers = {"Date": date, "Content-Type": reply.content_type, **dict(reply.headers)}
        return web.Response(status=reply.status, body=reply.body, headers=headers)

    def _reset(self, asked: web.Request) -> None:
        transport = asked.transport
        if transport is None:
            return
        # Lingering for zero seconds makes the close an RST, as a dying proxy would send.
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()

    # -- the live feed ------------------------------------------------------------------

    async def _live_feed(self, asked: web.Request) -> web.StreamResponse:
        dialect = self._api.dialect
        throw = self._dice.attempt("/nw")
        if throw.hits("reset", self.faults.reset_rate):
            self._reset(asked)
            return web.Response()
        broken = failure(self.faults, throw)
        if broken is not None:
            return self._response(broken)
        offered = [name.strip() for name in asked.headers.get("Sec-WebSocket-Protocol", "").split(",")]
        modern = dialect.handshake == "subprotocol"
        stranger = asked.headers.get("X-Ns-Company") != self._feed.tokens.account.company
        if (modern and SUBPROTOCOL not in offered) or (dialect.company_header and stranger):
            return web.Response(status=HTTPStatus.BAD_REQUEST)
        # Deflating would hide the frames from those who look at the wire.
        reader = web.WebSocketResponse(protocols=(SUBPROTOCOL,) if modern else (), compress=False)
        try:
            await reader.prepare(asked)
        except web.HTTPException as refusal:
            return web.Response(status=refusal.status)
        transport = asked.transport
        if transport is None:
            return reader
        self._live.add(transport)
        self._connections += 1
        session = _Reader(reader, transport, Connection(self._feed), self._feed, dialect, self._connections)
        try:
            await session.run()
        finally:
            self._live.discard(transport)
        return reader


class _Reader:
    """One WebSocket: hears on one task, tells on another."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        transport: asyncio.Transport,
        connection: Connection,
        feed: Feed,
        dialect: Dialect,
        number: int,
    ) -> None:
        self._socket = socket
        self._transport = transport
        self._connection = connection
        self._feed = feed
        self._dialect = dialect
        self._rng = random.Random(f"{feed.model.seed}/frames/{number}")

    async def run(self) -> None:
        """Serve the reader until either side has enough."""
        hearing = self._task(self._hear())
        telling = self._task(self._tell())
        await asyncio.wait({hearing, telling}, return_when=asyncio.FIRST_COMPLETED)
        self._connection.close()
        for task in (hearing, telling):
            task.cancel()
            with suppress(asyncio.CancelledError, ConnectionError):
                await task
        if not self._transport.is_closing():
            with suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(1):
                    await self._socket.close()

    @staticmethod
    def _task(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(work)

    async def _hear(self) -> None:
        async for message in self._socket:
            if message.type not in {WSMsgType.TEXT, WSMsgType.BINARY}:
                return
            data = message.data.encode() if isinstance(message.data, str) else message.data
            self._connection.hear(data)

    async def _tell(self) -> None:
        before = time.monotonic()
        while True:
            now = time.monotonic()
            messages = [*self._connection.due(), *self._connection.churn(now - before)]
            before = now
            self._feed.integrations.messages += len(messages)
            try:
                async with asyncio.timeout(self._dialect.slow_seconds):
                    for frame in frames(messages, self._dialect, self._rng):
                        await self._socket.send_bytes(frame)
            except TimeoutError:
                # Too far behind the stream: the documents promise a disconnect, not how.
                self._feed.integrations.cut_off += 1
                self._transport.abort()
                return
            if self._connection.phase == "over":
                return
            await asyncio.sleep(_TICK)
