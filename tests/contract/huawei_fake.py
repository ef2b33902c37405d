"""A tiny CC-Gateway and CC-CMS for tests of the clients: seats, GUIDs and scripted replies. No expectations here."""

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from assets.config import Origin
from assets.huawei.config import HuaweiConfig
from assets.live import LiveClient
from orchestration.lake import Page

GATEWAY = "/agentgateway/resource"
CMS = "/rest/cmsapp/v1/openapi"
ENVIRON = {"PASSWORD": "hunter2", "AK": "the-access-key", "SK": "the-secret-key"}
Reply = dict[str, Any] | web.Response


def state(code: int = 4, *, working: bool = False) -> dict[str, Any]:
    """A reply that tells a state."""
    return {"message": "", "retcode": "0", "result": {"agentState": code, "isWorking": working}}


def refusal(code: str) -> Reply:
    """A reply that does not."""
    return {"message": "no", "retcode": code}


@dataclass(slots=True)
class Asked:
    """A request as the vendor saw it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Vendor:
    """What the vendor answers, and what it was asked; replies are scripts by method and path, the last one repeats."""

    scripts: dict[str, list[Reply]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    respond: Callable[[Asked], Reply | None] = lambda _: None
    silent: str = "(nothing)"

    def paths(self, part: str = "") -> list[str]:
        """What was asked for, as ``GET /path``, where it contains a part."""
        return [text for one in self.asked if part in (text := f"{one.method} {one.path}")]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer by script."""
        asked = Asked(request.method, request.path, dict(request.headers), await request.read())
        self.asked.append(asked)
        if self.silent in asked.path:
            await asyncio.sleep(60)
        reply = self.respond(asked)
        if reply is None:
            script = self.scripts.get(f"{request.method} {request.path}", [web.Response(status=404)])
            reply = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(reply, web.Response):
            return web.Response(status=reply.status, body=reply.body, headers=reply.headers)
        headers = reply.pop("headers", {}) if "headers" in reply else {}
        return web.Response(text=json.dumps(reply), content_type="application/json", headers=headers)


@dataclass
class Notes:
    """A sink that remembers what it was told."""

    pages: list[Page] = field(default_factory=list)
    told: list[tuple[str, datetime]] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def watching(self, since: datetime, vendor_time: datetime | None = None) -> None:
        """A stretch begins."""
        assert vendor_time is not None
        self.told.append(("watching", since))

    async def take(self, page: Page) -> None:
        """Keep it."""
        self.pages.append(page)

    def alive(self, until: datetime, vendor_time: datetime | None = None) -> None:
        """The stretch goes on."""
        assert vendor_time is not None
        self.told.append(("alive", until))

    def lost(self, at: datetime, reason: str) -> None:
        """The stretch ended."""
        self.told.append(("lost", at))
        self.reasons.append(reason)

    def words(self) -> Iterator[str]:
        """What was told, repetitions left out."""
        newest = ""
        for word, _ in self.told:
            if word != newest:
                yield word
            newest = word


def config(url: str, **keys: object) -> HuaweiConfig:
    """A source at this address, polled quickly."""
    values = {"name": "aicc", "vendor": "huawei", "base_url": url, "poll_seconds": 0.05, **keys}
    return HuaweiConfig.model_validate(values, context=Origin(Path("/conf/sources.yaml"), "source aicc", ENVIRON))


def seats(*ids: str) -> list[dict[str, str]]:
    """Seats to sign in."""
    return [{"id": one, "password": "${PASSWORD}", "phone": "88" + one} for one in ids]


def cms(**keys: object) -> dict[str, object]:
    """How to ask CC-CMS."""
    return {"cc_id": 1, "vdn": 170, "access_key": "${AK}", "secret_key": "${SK}", **keys}


def play(
    vendor: Vendor,
    make: Callable[[str], LiveClient],
    enough: Callable[[Notes], bool],
    seconds: float = 10.0,
) -> Notes:
    """Run a client against the vendor until the notes are enough, then cancel it.

    Raises:
        LiveError: The client ended by itself.
    """

    async def main() -> Notes:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", vendor.handle)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.05)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        notes = Notes()
        running = asyncio.create_task(make(f"http://{host}:{port}").run(notes))
        try:
            async with asyncio.timeout(seconds):
                while not enough(notes) and not running.done():
                    await asyncio.wait([running], timeout=0.005)
            if running.done():
                running.result()
            return notes
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await runner.cleanup()

    return asyncio.run(main())
