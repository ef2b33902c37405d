"""A tiny BeyondTrust appliance for the tests of our clients: tokens, scripted answers, and ``/nw`` on loopback.

It knows just enough of the protocol to be wrong in every way that a test needs; the simulated contact centre is
elsewhere.
"""

import asyncio
import base64
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiohttp import WSMsgType, web

from assets.beyondtrust.appliance import Appliance
from assets.beyondtrust.config import BeyondTrustConfig
from assets.config import Origin

CLIENT_ID, SECRET = "api-account", "s3cr&t/wörd"
SUBPROTOCOL = "ingredi state api"
COPY = b'{"type":"update_model","insert":{"queue":{"1":{"type":"team","name":"Helpdesk"}}}}\n'
GRANTED = b'{"type":"reply","success":true}\n'
DENIED = b'{"type":"reply","success":false,"error":"no"}\n'

Answer = tuple[int, bytes, Mapping[str, str]]


def answer(body: bytes, status: int = 200, **headers: str) -> Answer:
    """An answer of the Command or Reporting API."""
    return (
        status,
        body,
        {"Content-Type": "text/xml", **{name.replace("_", "-"): text for name, text in headers.items()}},
    )


@dataclass
class Asked:
    """A request as it came."""

    path: str
    params: dict[str, str]
    headers: Mapping[str, str]


@dataclass
class Script:
    """How the appliance behaves.

    Attributes:
        answers: What an action or report is answered with, by its name; ``None`` in it is for any other.
        token_reply: In place of a token.
        ttl: What ``expires_in`` says.
        greeting: Sent in place of the full copy after the subscription.
        frames: How the bytes of a message are cut into frames.
        as_text: Whether frames are text.
        auth_reply: What authentication is answered with, when the token is good.
        subscribe_reply: What the subscription is answered with; None answers nothing, and sends the copy.
        chosen: What ``NS01`` is answered with.
        pongs: Whether pings are answered.
        status: What the upgrade is answered with, if not 101.
    """

    answers: dict[str | None, Callable[[Asked], Answer]] = field(default_factory=dict)
    token_reply: Answer | None = None
    ttl: object = 3600
    greeting: list[bytes] = field(default_factory=lambda: [COPY])
    frames: Callable[[bytes], list[bytes]] = lambda line: [line]
    as_text: bool = False
    auth_reply: bytes = GRANTED
    subscribe_reply: bytes | None = GRANTED
    chosen: bytes = b"0 Application chosen\n"
    pongs: bool = True
    status: int = 101
    location: str = ""


class Connection:
    """One client of ``/nw``, as the appliance sees it."""

    def __init__(self, ws: web.WebSocketResponse, script: Script, headers: Mapping[str, str]) -> None:
        self.ws, self.script, self.headers = ws, script, headers
        self.received: list[str] = []
        self.subscribed = threading.Event()
        self.closed = threading.Event()
        self.pings = 0

    async def say(self, line: bytes) -> None:
        """Send a message in frames."""
        for frame in self.script.frames(line):
            if self.script.as_text:
                await self.ws.send_str(frame.decode())
            else:
                await self.ws.send_bytes(frame)


class FakeAppliance:
    """Runs in a thread of its own while it is entered."""

    def __init__(self, script: Script | None = None) -> None:
        self.script = script or Script()
        self.asked: list[Asked] = []
        self.tokens: list[str] = []
        self.valid: set[str] = set()
        self.connections: list[Connection] = []
        self.port = 0
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    @property
    def base_url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def config(self, **changes: Any) -> BeyondTrustConfig:
        """The source as a user would write it."""
        environ = {"BT_ID": CLIENT_ID, "BT_SECRET": changes.pop("secret", SECRET)}
        keys = {
            "name": "support_eu",
            "vendor": "beyondtrust",
            "base_url": self.base_url,
            "client_id": "${BT_ID}",
            "client_secret": "${BT_SECRET}",
            "timeout_seconds": 5,
        }
        return BeyondTrustConfig.model_validate(keys | changes, context=Origin(environ=environ))

    def appliance(self, **changes: Any) -> Appliance:
        """Our side of it, shared with no other test."""
        return Appliance(self.config(**changes))

    def revoke(self) -> None:
        """End all tokens, as a new client secret does."""
        self.valid.clear()

    def say(self, line: bytes, number: int = -1) -> None:
        """Send a message over one connection."""
        self._do(self.connections[number].say(line))

    def drop(self, number: int = -1) -> None:
        """Close one connection."""
        self._do(self.connections[number].ws.close(code=1001))

    def _do(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(5)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        app = web.Application()
        app.router.add_post("/oauth2/token", self._token)
        app.router.add_get("/nw", self._nw)
        app.router.add_route("*", "/api/{name}", self._api)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        self.port = runner.addresses[0][1]
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        self.asked.append(Asked(request.path, {k: str(v) for k, v in form.items()}, request.headers))
        if self.script.token_reply:
            status, body, headers = self.script.token_reply
            return web.Response(status=status, body=body, headers=headers)
        wanted = "Basic " + base64.b64encode(f"{CLIENT_ID}:{SECRET}".encode()).decode()
        if request.headers.get("Authorization") != wanted:
            return web.json_response({"error": "invalid_client"}, status=401)
        token = f"token-{len(self.tokens)}"
        self.tokens.append(token)
        self.valid.add(token)
        return web.json_response({"access_token": token, "token_type": "bearer", "expires_in": self.script.ttl})

    async def _api(self, request: web.Request) -> web.Response:
        asked = Asked(request.path, dict(request.query), request.headers)
        self.asked.append(asked)
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.valid:
            return web.json_response({"error": "access_denied"}, status=401)
        name = asked.params.get("action") or asked.params.get("generate_report")
        given = self.script.answers.get(name) or self.script.answers.get(None)
        status, body, headers = given(asked) if given else answer(b"<error>unknown</error>")
        return web.Response(status=status, body=body, headers=headers)

    async def _nw(self, request: web.Request) -> web.StreamResponse:
        script = self.script
        if script.status != 101:
            headers = {"Location": script.location} if script.location else {}
            return web.Response(status=script.status, headers=headers)
        ws = web.WebSocketResponse(protocols=(SUBPROTOCOL,), autoping=False)
        await ws.prepare(request)
        connection = Connection(ws, script, request.headers)
        self.connections.append(connection)
        heard = b""
        async for message in ws:
            if message.type is WSMsgType.PING:
                connection.pings += 1
                if script.pongs:
                    await ws.pong(message.data)
                continue
            data = message.data
            heard += data.encode() if isinstance(data, str) else data
            while b"\n" in heard:
                line, heard = heard.split(b"\n", 1)
                await self._hear(connection, line)
        connection.closed.set()
        return ws

    async def _hear(self, connection: Connection, line: bytes) -> None:
        connection.received.append(line.decode())
        script = connection.script
        if not line.startswith(b"{"):
            if not line.startswith(b"NS01"):
                await connection.say(script.chosen)
            return
        said = json.loads(line)
        if said["type"] == "authenticate":
            good = said["credentials"].get("bearer_token") in self.valid
            await connection.say(script.auth_reply if good else DENIED)
        elif said["type"] == "subscribe":
            if script.subscribe_reply is not None:
                await connection.say(script.subscribe_reply)
            for copy in script.greeting:
                await connection.say(copy)
            connection.subscribed.set()
