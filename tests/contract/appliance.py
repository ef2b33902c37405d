"""How the tests of the simulated BeyondTrust appliance ask it: tokens, commands, reports, and the live feed."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any, TypeVar
from xml.etree.ElementTree import Element

import aiohttp
import requests
from defusedxml import ElementTree

from simulator.beyondtrust import BeyondTrustServer
from simulator.beyondtrust_dialect import SUBPROTOCOL, Dialect
from simulator.faults import Faults

FIRST = date(2026, 3, 2)
NOON = datetime(2026, 3, 3, 12, 0, 0, tzinfo=UTC)
# Tests ask faster than a client may.
CALM = Dialect(requests_per_second=10_000)
Message = dict[str, Any]
Tables = dict[str, dict[str, dict[str, Any]]]
Told = TypeVar("Told")


def dialect(**knobs: Any) -> Dialect:
    """Return a dialect whose limits do not disturb the tests."""
    return Dialect(**{**vars(CALM), **knobs})


def at_noon(server: BeyondTrustServer) -> BeyondTrustServer:
    """Return a server with its clock at noon of the second day, never restarted, and nothing wrong."""
    server.clock.set(NOON, running=False)
    server.api.restarts.clear()
    server.churn(0)
    server.set_faults(Faults())
    if server.dialect != CALM:
        server.set_dialect(CALM)
    return server


def ask_token(server: BeyondTrustServer, **more: Any) -> requests.Response:
    """Ask for a token as the documents say."""
    auth = more.pop("auth", (server.client_id, server.client_secret))
    given = {"data": {"grant_type": "client_credentials"}} | more
    return requests.post(f"{server.base_url}/oauth2/token", auth=auth, timeout=10, **given)


def token(server: BeyondTrustServer) -> str:
    """Return a fresh token."""
    return str(ask_token(server).json()["access_token"])


def ask(server: BeyondTrustServer, api: str, bearer: str | None = None, /, **given: object) -> requests.Response:
    """Make one call of an API."""
    return requests.get(
        f"{server.base_url}/api/{api}",
        params={name: str(value) for name, value in given.items()},
        headers={"Authorization": f"Bearer {token(server) if bearer is None else bearer}"},
        timeout=10,
    )


def command(server: BeyondTrustServer, action: str, /, **given: object) -> Element:
    """Return the root of a command's answer, with the namespaces taken off."""
    return bare(ask(server, "command", action=action, **given).content)


def report(server: BeyondTrustServer, name: str, /, **given: object) -> Element:
    """Return the root of a report, with the namespaces taken off."""
    return bare(ask(server, "reporting", generate_report=name, **given).content)


def bare(text: bytes) -> Element:
    """Parse XML and take the namespaces off."""
    root: Element = ElementTree.fromstring(text)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def archive(server: BeyondTrustServer, kind: str, day: date, index: int) -> bytes:
    """Return an archive's content."""
    reply = ask(server, "reporting", generate_report="Archive", type=kind, date=day, index=index)
    assert reply.status_code == 200
    return gzip.decompress(reply.content)


class Reader:
    """A reader of the live feed that puts frames together and follows the model."""

    def __init__(self, server: BeyondTrustServer, wire: aiohttp.ClientWebSocketResponse) -> None:
        """Begin with an open socket."""
        self.server = server
        self.wire = wire
        self.frames: list[bytes] = []
        self.tables: Tables = {}
        self.epochs = 0
        self._rest = b""

    async def say(self, message: object) -> None:
        """Send a message."""
        await self.wire.send_str(json.dumps(message) + "\n")

    async def hear(self) -> Message | None:
        """Return the next message, none when the connection has ended."""
        async with asyncio.timeout(10):
            while b"\n" not in self._rest:
                frame = await self.wire.receive()
                if frame.type != aiohttp.WSMsgType.BINARY:
                    return None
                self.frames.append(frame.data)
                self._rest += frame.data
        line, _, self._rest = self._rest.partition(b"\n")
        message: Message = json.loads(line)
        self.follow(message)
        return message

    def follow(self, message: Message) -> None:
        """Carry a message out on the tables."""
        if message.get("type") == "truncate_model":
            self.tables, self.epochs = {}, self.epochs + 1
        follow(self.tables, message)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Read on until something holds."""
        while not holds():
            assert await self.hear() is not None, "the feed ended"

    async def enter(self, tables: object = "all", bearer: str | None = None) -> Message | None:
        """Authenticate and subscribe; return the reply to the latter."""
        known = bearer or await asyncio.to_thread(token, self.server)
        await self.say({"type": "authenticate", "credentials": {"bearer_token": known}})
        assert (await self.hear() or {})["success"] is True
        await self.say({"type": "subscribe", "tables": tables})
        return await self.hear()


def follow(tables: Tables, message: Message) -> None:
    """Merge an update into tables: insert, update by column, delete."""
    for table, rows in message.get("insert", {}).items():
        tables.setdefault(table, {}).update(rows)
    for table, rows in message.get("update", {}).items():
        for name, columns in rows.items():
            tables[table][name] = tables[table][name] | columns
    for table, names in message.get("delete", {}).items():
        for name in names:
            del tables[table][str(name)]


@asynccontextmanager
async def feed(server: BeyondTrustServer, **more: Any) -> AsyncIterator[Reader]:
    """Open the live feed."""
    given: dict[str, Any] = {"protocols": (SUBPROTOCOL,)} | more
    async with aiohttp.ClientSession() as session, session.ws_connect(server.ws_url, **given) as wire:
        yield Reader(server, wire)


def live(server: BeyondTrustServer, act: Callable[[Reader], Awaitable[Told]], **more: Any) -> Told:
    """Run one reader of the live feed to its end."""

    async def run() -> Told:
        async with feed(server, **more) as reader:
            return await act(reader)

    return asyncio.run(run())
