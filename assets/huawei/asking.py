"""How the live clients ask over one aiohttp session: limits, certificates, and when to ask more slowly.

Knows HTTP. What is asked for, and what an answer means, belongs in ``gateway.py``, ``seats.py`` and ``cms_live.py``.
"""

import asyncio
import random
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import aiohttp

from assets.bodies import ACCEPTED, CHUNK, MEGABYTE, Body, BodyError, TooLargeError
from assets.capture import Probe
from assets.config import SourceConfig
from assets.http import http_date, retry_after
from assets.live import LiveError, Sink
from assets.pacing import SharedPacer
from assets.threads import aside
from orchestration.lake import Page

OK = 200
REFUSED = frozenset({401, 404})
CONNECT_SECONDS = 10.0
IN_FLIGHT = 64
"""Requests under way at once: 2,000 agents every 5 s need this many only when an answer takes 160 ms."""

LARGEST = MEGABYTE
"""Of an answer, in bytes, unpacked: one agent's state is a hundred. So many may be in memory as are in flight."""

LARGEST_DRIFT = 5.0
RETELL_SECONDS = 60.0
"""How soon after one reason for a feed being lost another one is told."""


class NoAnswerError(Exception):
    """No answer came: no connection, a time limit, one that broke off, or one that is too large to be read."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it came; times are UTC."""

    requested_at: datetime
    received_at: datetime
    status: int
    content_type: str | None
    headers: Mapping[str, str] = field(repr=False)
    cookies: tuple[str, ...] = field(repr=False)
    body: bytes = field(repr=False)

    def page(self, request: str) -> Page:
        """The answer as it is kept."""
        return Page(self.requested_at, self.received_at, request, self.status, self.content_type, self.body)

    @property
    def vendor_time(self) -> datetime | None:
        """The vendor's clock when it answered, if it said so."""
        return http_date(self.headers.get("Date"))

    @property
    def asks_to_wait(self) -> float | None:
        """Seconds that the vendor wants to be left alone."""
        return retry_after(self.headers.get("Retry-After"), self.vendor_time or self.received_at)


def open_session(config: SourceConfig, base_url: str) -> aiohttp.ClientSession:
    """A session for one address, without a jar: whose cookies they are, the callers know."""
    timeout = aiohttp.ClientTimeout(total=config.timeout_seconds, connect=min(CONNECT_SECONDS, config.timeout_seconds))
    return aiohttp.ClientSession(
        base_url,
        connector=aiohttp.TCPConnector(limit=0, ssl=_ssl(config, base_url)),
        timeout=timeout,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": ACCEPTED},
        auto_decompress=False,  # it would unpack whatever comes
        trust_env=False,
    )


def _ssl(config: SourceConfig, base_url: str) -> ssl.SSLContext | bool:
    if urlsplit(base_url).scheme == "http":
        return True
    if not config.verify_tls:
        return False
    return ssl.create_default_context(cafile=str(config.ca_bundle) if config.ca_bundle else None)


async def ask(
    session: aiohttp.ClientSession,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes | None = None,
    *,
    largest: int = LARGEST,
) -> Answer:
    """Ask once; redirects are answers. ``largest`` is how many bytes an answer may have; of an error so many are read.

    Raises:
        NoAnswerError: None came.
        LiveError: The certificate is not trusted, which asking again does not mend.
    """
    requested_at = datetime.now(UTC)
    try:
        async with session.request(method, path, headers=headers, data=body, allow_redirects=False) as response:
            content = await _read(response, largest)
            return Answer(
                requested_at,
                datetime.now(UTC),
                response.status,
                response.headers.get("Content-Type"),
                response.headers,
                tuple(response.headers.getall("Set-Cookie", ())),
                content,
            )
    except aiohttp.ClientConnectorCertificateError as error:
        raise LiveError(
            f"{path}: the certificate is not trusted ({error.certificate_error}); name your authority's PEM file in "
            "ca_bundle of this source",
            lasting=True,
        ) from None
    except TooLargeError as error:
        raise NoAnswerError(f"it answers with {error}, which is not read, since no such answer is so large") from None
    except (TimeoutError, aiohttp.ClientError, OSError, BodyError) as error:
        raise NoAnswerError(f"{type(error).__name__}: {error}"[:200]) from None


async def _read(response: aiohttp.ClientResponse, largest: int) -> bytes:
    body = Body(response.headers.get("Content-Encoding"), largest)
    try:
        async for piece in response.content.iter_chunked(CHUNK):
            body.feed(piece)
    except TooLargeError as error:
        if response.status == OK:
            raise
        return error.head
    return body.whole()


async def take_place(pacer: SharedPacer | None) -> None:
    """Wait for the next free place of a shared limit; its file may be held up, the loop may not."""
    if pacer is not None:
        await asyncio.sleep(await aside(pacer.place))


class Backoff:
    """Waits twice as long after each failure, evenly random in the upper half, until something succeeds.

    Failures of requests that were under way when a wait began are part of its cause and do not lengthen it.

    Args:
        first: The first wait, in seconds.
        longest: No wait is longer, in seconds, but one that the vendor asks for.
    """

    def __init__(self, first: float = 1.0, longest: float = 60.0) -> None:
        self._first = first
        self._longest = longest
        self._failures = 0
        self._since = 0.0
        self.until = 0.0

    @property
    def is_waiting(self) -> bool:
        """Whether nothing may be asked yet."""
        return time.monotonic() < self.until

    def failed(self, began: float, asked: float | None = None) -> None:
        """Note a failure of a request that began at this monotonic time; ``asked`` is what the vendor wants."""
        if began < self._since:
            return
        wait = min(self._longest, self._first * 2.0**self._failures)
        wait = max(random.uniform(wait / 2, wait), min(asked or 0.0, 10 * self._longest))
        self._failures = min(self._failures + 1, 30)
        self._since = time.monotonic()
        self.until = self._since + wait

    def pause(self, seconds: float) -> None:
        """Let nothing be asked for so long, in seconds."""
        self.until = max(self.until, time.monotonic() + seconds)

    def succeeded(self) -> None:
        """Note a success: the next wait is a short one again."""
        self._failures = 0

    async def wait(self) -> None:
        """Wait until something may be asked."""
        await asyncio.sleep(max(0.0, self.until - time.monotonic()))


class Coverage:
    """Tells a sink what was observed of a polled feed: it is lost when no answer was good for so long.

    Args:
        sink: Whom to tell.
        patience: How old the newest good answer may be.
    """

    def __init__(self, sink: Sink, patience: timedelta) -> None:
        self._sink = sink
        self._patience = patience
        self._watching = False
        self._newest: Answer | None = None
        self._wrong = ""
        self._told = ""
        self._told_at = float("-inf")

    def good(self, answer: Answer) -> None:
        """An answer told a state."""
        if not self._watching:
            self._sink.watching(answer.received_at, answer.vendor_time)
            self._watching = True
        if self._newest is None or answer.received_at > self._newest.received_at:
            self._newest = answer

    def wrong(self, reason: str) -> None:
        """Something was wrong; the newest reason is told when the feed is lost."""
        self._wrong = reason

    async def tell_every(self, seconds: float) -> None:
        """Tell it so often, until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            self.tell()

    def tell(self) -> None:
        """Say how far it is observed, or that it is not any more, and why."""
        newest = self._newest
        if self._watching and newest is not None:
            if datetime.now(UTC) - newest.received_at <= self._patience:
                self._sink.alive(newest.received_at, newest.vendor_time)
                return
            self._watching = False
            self._lost(newest.received_at, self._wrong or "no answer in time")
        # Each agent's answer is wrong in its own words: another reason is told, but not each.
        elif self._wrong not in {"", self._told} and time.monotonic() - self._told_at >= RETELL_SECONDS:
            self._lost(datetime.now(UTC), self._wrong)

    def _lost(self, at: datetime, reason: str) -> None:
        self._told, self._told_at = reason, time.monotonic()
        self._sink.lost(at, reason)


def clock_probe(drift: float | None) -> Probe:
    """What the vendor's ``Date`` says about its clock."""
    if drift is None:
        return Probe("clock", ok=True, message="the vendor's answers carry no Date; our own clock is used")
    advice = "" if abs(drift) <= LARGEST_DRIFT else "; set up NTP on both machines, or history and polls will not join"
    return Probe("clock", ok=not advice, message=f"the vendor's clock minus ours is {drift:+.0f} s{advice}")
