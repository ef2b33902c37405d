"""One connection to the Real-Time State API: the WebSocket, lines out of frames, and the handshake up to subscribing.

When connections are opened and renewed, and where messages go, belongs in ``state.py``.
"""

import asyncio
import json
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from assets.beyondtrust.config import BeyondTrustConfig
from assets.bodies import MEGABYTE
from assets.live import LiveError
from assets.redaction import Redactor

SUBPROTOCOL = "ingredi state api"
CHOSEN = b"0 Application chosen\n"
LARGEST_MESSAGE = 64 * MEGABYTE
"""A full copy may come as one message, and is some hundred bytes a row. More is not held in memory."""

TOO_LARGE = f"a message of more than {LARGEST_MESSAGE // MEGABYTE} MiB is not read; if base_url is right, report it"

PATIENCE_SECONDS = 60.0
"""How long an appliance that is known to answer pings may give no sign: four pings unanswered."""

CLOSE_SECONDS = 2.0
EXCERPT_BYTES, EXCERPT_CHARACTERS = 8_000, 200
BUSY = frozenset({408, 425, 429})
CLIENT_ERRORS = range(300, 500)
WHY = (
    "Shiftbook listens to the Real-Time State API at wss://HOST/nw, the only place that tells when representatives "
    "become idle or busy; let this machine through to /nw in whatever firewall or proxy stands before the appliance"
)
GRANT = (
    "give the API account 'Real-Time State API' (/login > Management > API Configuration) and see that fewer than 30 "
    "integrations are connected"
)
ENDED = frozenset({aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED})


class TokenRefusedError(LiveError):
    """The appliance refuses the token; a new one may do."""


class Lines:
    """Puts messages together again: each ends with a newline, wherever frames were cut (protocol page)."""

    def __init__(self) -> None:
        self._kept: list[bytes] = []
        self.size = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Take in the bytes of a frame; the messages that are whole now, each with its newline."""
        *whole, rest = data.split(b"\n")
        lines = [line + b"\n" for line in whole]
        if lines:
            lines[0] = b"".join([*self._kept, lines[0]])
            self._kept, self.size = [], 0
        if rest:
            self._kept.append(rest)
            self.size += len(rest)
        return lines

    @property
    def rest(self) -> bytes:
        """What came after the last newline."""
        return b"".join(self._kept)


class Socket:
    """An open WebSocket that is read line by line.

    Args:
        ws: The WebSocket, which must not answer pings by itself.
        place: Source and feed, for messages.
        opened_at: When the connection was opened, UTC.
    """

    def __init__(self, ws: aiohttp.ClientWebSocketResponse, place: str, opened_at: datetime) -> None:
        self.opened_at = opened_at
        self.on_pong: Callable[[bytes], None] = lambda _: None
        self._ws = ws
        self._place = place
        self._lines = Lines()
        self._ready: deque[bytes] = deque()
        self._answers_pings = False
        self._redact = Redactor(())

    def hide(self, token: str) -> None:
        """Keep what we are about to send out of all excerpts."""
        self._redact = Redactor((token,))

    def excerpt(self, line: bytes) -> str:
        """A message for people: short, and without our token, which an appliance may say back."""
        return repr(self._redact(line[:EXCERPT_BYTES].decode("utf-8", "replace")).strip()[:EXCERPT_CHARACTERS])

    @property
    def torn(self) -> bytes:
        """The beginning of a message whose end has not come."""
        return self._lines.rest

    async def send(self, text: str) -> None:
        """Send one message; its newline is added.

        Raises:
            LiveError: The connection has ended.
        """
        try:
            await self._ws.send_str(text + "\n")
        except (aiohttp.ClientError, OSError) as error:
            raise self.over(str(error)) from None

    async def ping(self, payload: bytes) -> None:
        """Ask for a sign of life, if the connection still stands; the reader finds out if it does not."""
        if not self._ws.closed:
            try:
                await self._ws.ping(payload)
            except (aiohttp.ClientError, OSError):
                return

    async def line(self) -> bytes:
        """The next message, with its newline.

        Raises:
            LiveError: The connection ended, or an appliance that used to answer pings has fallen silent.
        """
        while not self._ready:
            self._ready.extend(self._lines.feed(await self._data()))
            if self._lines.size > LARGEST_MESSAGE:
                self._lines = Lines()  # nobody could read what came of it
                raise self.over(TOO_LARGE)
        return self._ready.popleft()

    async def _data(self) -> bytes:
        """The next bytes of the stream; pings and pongs are dealt with on the way."""
        while True:
            try:
                message = await self._ws.receive(PATIENCE_SECONDS if self._answers_pings else None)
            except TimeoutError:
                raise self.over(f"no sign of life for {PATIENCE_SECONDS:.0f} s") from None
            if message.type is aiohttp.WSMsgType.BINARY:
                return bytes(message.data)
            if message.type is aiohttp.WSMsgType.TEXT:
                return str(message.data).encode()
            if message.type is aiohttp.WSMsgType.PING:
                await self._ws.pong(message.data)
            elif message.type is aiohttp.WSMsgType.PONG:
                self._answers_pings = True
                self.on_pong(bytes(message.data))
            elif message.type in ENDED:
                raise self.over(f"closed, code {self._ws.close_code}")
            else:
                error = self._ws.exception() or message.data
                too_large = getattr(error, "code", None) == aiohttp.WSCloseCode.MESSAGE_TOO_BIG
                raise self.over(TOO_LARGE if too_large else str(error))

    async def close(self) -> None:
        """Close, waiting no longer than two seconds for the other side."""
        await self._ws.close()

    def over(self, what: str) -> LiveError:
        """The error that says why this connection is no longer listened to."""
        return LiveError(f"{self._place}: the connection to /nw ended ({what}); it is opened again")


async def connect(
    http: aiohttp.ClientSession, config: BeyondTrustConfig, place: str, now: Callable[[], datetime]
) -> Socket:
    """Open the WebSocket; nothing is said yet.

    Args:
        http: What connections are opened with.
        config: The source.
        place: What errors begin with.
        now: Our clock, UTC, by which it was opened.

    Raises:
        LiveError: There is no connection; lasting when the appliance, or what stands before it, refuses ``/nw``.
    """
    url = "ws" + config.base_url.removeprefix("http") + "/nw"
    modern = config.handshake == "subprotocol"
    try:
        # The context is read anew each time, so that a ca_bundle that was mended is seen.
        ws = await http.ws_connect(
            url,
            protocols=(SUBPROTOCOL,) if modern else (),
            headers={"X-Ns-Company": config.company} if modern and config.company else {},
            autoping=False,
            max_msg_size=LARGEST_MESSAGE,
            timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS),
            proxy=_proxy(url),
            ssl=_tls(config),
        )
    except aiohttp.ClientConnectorCertificateError as error:
        advice = "name your authority's PEM file in ca_bundle"
        raise LiveError(f"{place}: the certificate is not trusted ({error}); {advice}", lasting=True) from None
    except aiohttp.WSServerHandshakeError as error:
        refused = error.status in CLIENT_ERRORS and error.status not in BUSY
        raise LiveError(f"{place}: /nw answered {error.status} ({error.message}); {WHY}", lasting=refused) from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise LiveError(f"{place}: no connection to /nw ({type(error).__name__}: {error}); {WHY}") from None
    return Socket(ws, place, now())


def session(place: str) -> aiohttp.ClientSession:
    """What connections are opened with. Redirects are refused: the token would go to whom they name."""

    async def refuse(_session: aiohttp.ClientSession, _context: SimpleNamespace, _params: Any) -> None:
        await asyncio.sleep(0)
        raise LiveError(f"{place}: /nw redirects; base_url must be the address that answers itself", lasting=True)

    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(refuse)
    return aiohttp.ClientSession(trace_configs=[trace], cookie_jar=aiohttp.DummyCookieJar())


async def shake_hands(socket: Socket, config: BeyondTrustConfig, place: str, token: str) -> bytes | None:
    """Go through the serial phases of the protocol: connection, authentication, model subscriptions.

    What we send and what the appliance answers to it is not kept: it holds the token, and no state.

    Returns:
        The first message of the model, where it came instead of an answer to the subscription; else None.

    Raises:
        TokenRefusedError: The token is refused.
        LiveError: Another phase is refused (lasting), or the connection ended.
    """
    socket.hide(token)
    if config.handshake == "ns01":
        await socket.send(f"NS01{config.company}\n{SUBPROTOCOL}")
        chosen = await socket.line()
        if chosen != CHOSEN:
            advice = "check company (Status > Information > Company API Name), or leave out handshake: ns01"
            raise LiveError(f"{place}: /nw answered NS01 with {socket.excerpt(chosen)}; {advice}", lasting=True)
    await socket.send(json.dumps({"type": "authenticate", "credentials": {"bearer_token": token}}))
    said = await _answer(socket)
    if _fields(said).get("success") is not True:
        raise TokenRefusedError(f"{place}: the token was refused with {socket.excerpt(said)}; {GRANT}", lasting=True)
    await socket.send(json.dumps({"type": "subscribe", "tables": "all"}))
    said = await _answer(socket)
    if refused(said):
        raise LiveError(f"{place}: the subscription was refused with {socket.excerpt(said)}; {GRANT}", lasting=True)
    return said if is_model(said) else None


async def _answer(socket: Socket) -> bytes:
    """The next message that answers us, or belongs to the model; others are no news that we know of."""
    while True:
        line = await socket.line()
        if is_model(line) or isinstance(_fields(line).get("success"), bool):
            return line


def refused(line: bytes) -> bool:
    """Whether a message says that something of ours failed, which is all that is known of such messages."""
    return b'"success"' in line and _fields(line).get("success") is False and not is_model(line)


def is_model(line: bytes) -> bool:
    """Whether a message changes the model: both names of updates were seen, so what it holds decides."""
    fields = _fields(line)
    return fields.get("type") == "truncate_model" or not fields.keys().isdisjoint({"insert", "update", "delete"})


def _fields(line: bytes) -> Mapping[str, Any]:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _proxy(url: str) -> str | None:
    """The machine's proxy for an address. aiohttp's own look at it would send what a ``.netrc`` holds, too."""
    address = urlsplit(url)
    if proxy_bypass(address.hostname or ""):
        return None
    return getproxies().get("https" if address.scheme == "wss" else "http")


def _tls(config: BeyondTrustConfig) -> ssl.SSLContext | bool:
    if not config.verify_tls:
        return False
    return ssl.create_default_context(cafile=config.ca_bundle) if config.ca_bundle else True
