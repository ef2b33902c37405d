"""The HTTP side of every simulated vendor: loopback sockets, faults, counters, admin.

What belongs here: carrying requests to a vendor's API and its replies back, fast and
with the faults asked for, and the `/_simulator/` endpoints that steer the simulation.
What does not: what any vendor answers.
"""

from __future__ import annotations

import socket
import struct
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import format_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, Protocol
from urllib.parse import urlsplit

from simulator.clock import SimClock
from simulator.faults import Dice, Faults, Throw

ADMIN_PREFIX: Final = "/_simulator/"
_IDLE_SECONDS: Final = 120
# What a proxy or a captive portal answers in a vendor's stead, with the best of statuses.
SIGN_IN_PAGE: Final = b"<!DOCTYPE html><html><title>Sign in</title><body>Please sign in.</body></html>"


@dataclass(frozen=True)
class Request:
    """What a client asked: method, path, raw query, lower-case headers, body."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True)
class Reply:
    """What to answer: status, body and further headers."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


class Api(Protocol):
    """A vendor's API: answers requests, whatever thread they come on."""

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        ...


@dataclass
class Stats:
    """Counts of API requests since the start; admin requests are not counted."""

    requests: int = 0
    in_flight: int = 0
    max_concurrency: int = 0
    resets: int = 0
    bytes_sent: int = 0
    by_status: Counter[int] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> None:
        """Count a request that starts."""
        with self.lock:
            self.requests += 1
            self.in_flight += 1
            self.max_concurrency = max(self.max_concurrency, self.in_flight)

    def finish(self, status: int | None, sent: int) -> None:
        """Count a request that ended, with no status if the connection was reset."""
        with self.lock:
            self.in_flight -= 1
            self.bytes_sent += sent
            if status is None:
                self.resets += 1
            else:
                self.by_status[status] += 1

    def snapshot(self) -> dict[str, object]:
        """Return the counts as plain values."""
        with self.lock:
            return {
                "requests": self.requests,
                "in_flight": self.in_flight,
                "max_concurrency": self.max_concurrency,
                "resets": self.resets,
                "bytes_sent": self.bytes_sent,
                "by_status": {str(status): n for status, n in sorted(self.by_status.items())},
            }


class Wire(ThreadingHTTPServer):
    """A loopback HTTP/1.1 server in front of one API and the admin endpoints."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, api: Api, admin: Callable[[Request], Reply], clock: SimClock, port: int = 0) -> None:
        """Bind to 127.0.0.1, on a free port when `port` is 0."""
        self.api = api
        self.admin = admin
        self.clock = clock
        self.stats = Stats()
        self.faults = Faults()
        self.dice = Dice(0)
        self._live: set[socket.socket] = set()
        self._thread: threading.Thread | None = None
        super().__init__(("127.0.0.1", port), _Handler)

    def set_faults(self, faults: Faults) -> None:
        """Serve other faults from the next request on; their dice start afresh."""
        self.dice = Dice(faults.seed)
        self.faults = faults

    @property
    def port(self) -> int:
        """Return the port bound to."""
        return self.server_port

    def start(self) -> None:
        """Serve on a thread of its own until closed."""
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving and end all connections."""
        if self._thread is not None:
            self.shutdown()
            self._thread.join()
            self._thread = None
        self.server_close()

    def opened(self, connection: socket.socket) -> None:
        """Remember a connection, to end it when the server closes."""
        self._live.add(connection)

    def closed(self, connection: socket.socket) -> None:
        """Forget a connection."""
        self._live.discard(connection)

    def handle_error(self, request: object, client_address: object) -> None:
        """Report what broke, but for clients that go away: they are part of the simulation."""
        error = sys.exception()
        if not isinstance(error, OSError):
            sys.stderr.write(f"simulator: {request} from {client_address}\n{traceback.format_exc()}")

    def server_close(self) -> None:
        """Close the listening socket and every kept-alive connection."""
        super().server_close()
        for connection in list(self._live):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """Reads requests off one connection and writes the replies."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = _IDLE_SECONDS
    server: Wire

    def setup(self) -> None:
        super().setup()
        self.server.opened(self.connection)

    def finish(self) -> None:
        self.server.closed(self.connection)
        with suppress(OSError):
            super().finish()

    def log_message(self, *args: object, **kwargs: object) -> None:
        """Keep quiet: the counters tell more than a log of every poll would."""

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        parts = urlsplit(self.path)
        request = Request(
            self.command,
            parts.path,
            parts.query,
            {name.lower(): value for name, value in self.headers.items()},
            self.rfile.read(length),
        )
        if request.path.startswith(ADMIN_PREFIX):
            self._send(self.server.admin(request))
            return
        stats = self.server.stats
        stats.begin()
        status: int | None = None
        sent = 0
        try:
            status, sent = self._serve_api(request)
        finally:
            stats.finish(status, sent)

    def _serve_api(self, request: Request) -> tuple[int | None, int]:
        faults = self.server.faults
        throw = self.server.dice.attempt(f"{request.path}?{request.query}")
        if throw.hits("hang", faults.hang_rate):
            time.sleep(faults.hang_seconds)
        if throw.hits("reset", faults.reset_rate):
            self._reset()
            return None, 0
        reply = failure(faults, throw) or self.server.api.answer(request)
        if reply.status == HTTPStatus.OK and throw.hits("rubbish", faults.rubbish_rate):
            reply = Reply(HTTPStatus.OK, SIGN_IN_PAGE, "text/html; charset=utf-8")
        if reply.status == HTTPStatus.OK and throw.hits("truncated", faults.truncated_rate):
            reply = Reply(reply.status, reply.body[: len(reply.body) // 2], reply.content_type)
        short = reply.status == HTTPStatus.OK and throw.hits("short", faults.short_rate)
        return reply.status, self._send(reply, short=short)

    def _send(self, reply: Reply, *, short: bool = False) -> int:
        """Write a reply at once, so that head and body do not wait for each other."""
        head = [
            f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}",
            f"Date: {format_datetime(self.server.clock.now(), usegmt=True)}",
            f"Content-Type: {reply.content_type}",
            f"Content-Length: {len(reply.body)}",
            *(f"{name}: {value}" for name, value in reply.headers),
        ]
        body = reply.body[: len(reply.body) // 2] if short else reply.body
        data = "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body
        self.wfile.write(data)
        self.close_connection = self.close_connection or short
        return len(data)

    def _reset(self) -> None:
        # Lingering for zero seconds makes the close an RST, as a dying proxy would send.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True


def failure(faults: Faults, throw: Throw) -> Reply | None:
    """Return the error to answer with instead of the data, if the throw says so."""
    status: int | None = None
    if throw.hits("throttle", faults.throttle_rate):
        status = HTTPStatus.TOO_MANY_REQUESTS
    elif throw.hits("error", faults.error_rate):
        status = throw.choose("status", faults.error_statuses)
    if status is None:
        return None
    headers = () if faults.retry_after is None else (("Retry-After", str(faults.retry_after)),)
    return opaque(status, headers)


def opaque(status: int, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    """Return an error whose body says nothing a client could rely on."""
    return Reply(status, b"request could not be served\n", "text/plain; charset=utf-8", headers)
