"""The simulated appliance's live feed over real sockets: lifetimes, limits, and load."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import timedelta

import aiohttp
import pytest

from simulator.beyondtrust import BeyondTrustServer
from simulator.centre import Centre
from simulator.clock import SimClock
from simulator.faults import Faults
from tests.contract.appliance import CALM, FIRST, NOON, Reader, at_noon, dialect, feed, live, token


@pytest.fixture(scope="module")
def running() -> Iterator[BeyondTrustServer]:
    """Serve one appliance to all tests of this file."""
    with BeyondTrustServer(Centre.simulate(5, 16, FIRST, 3), SimClock(NOON), dialect=CALM) as server:
        yield server


@pytest.fixture
def server(running: BeyondTrustServer) -> BeyondTrustServer:
    """Return the server as it is at noon with nothing wrong."""
    return at_noon(running)


# -- lifetimes, limits ----------------------------------------------------------------------


def test_a_restart_empties_the_model_and_gives_other_ids(server: BeyondTrustServer) -> None:
    """If this failed, row ids could be mistaken for lasting ones."""

    async def act(reader: Reader) -> None:
        await reader.enter()
        await reader.hear()
        before = {name: row["user_id"] for name, row in reader.tables["representative"].items()}
        server.restart()
        assert await reader.hear() == {"type": "truncate_model"}
        await reader.hear()
        after = {name: row["user_id"] for name, row in reader.tables["representative"].items()}
        assert sorted(before.values()) == sorted(after.values())
        assert set(after) == {str(number + 1) for number in range(len(after))}
        assert after != before
        queues = reader.tables["queue"]
        assert all(row["queue_id"] in queues for row in reader.tables["representative"].values())

    live(server, act)


def test_a_restart_can_close_the_connection_instead(server: BeyondTrustServer) -> None:
    """If this failed, a client could wait for a word that does not come."""
    server.set_dialect(dialect(restart="close"))

    async def act(reader: Reader) -> None:
        await reader.enter()
        await reader.hear()
        server.restart()
        assert await reader.hear() is None

    live(server, act)


def test_the_31st_integration_is_refused_until_one_leaves(server: BeyondTrustServer) -> None:
    """If this failed, a dashboard too many would never be met."""
    server.set_dialect(dialect(integrations=2, token_cap=100))

    async def run() -> list[object]:
        told = []
        async with AsyncExitStack() as stack:
            for _ in range(3):
                reader = await stack.enter_async_context(feed(server))
                told.append((await reader.enter(["queue"]) or {})["success"])
        return told

    assert asyncio.run(run()) == [True, True, False]
    # The server sees a reader go a moment later than the reader.
    assert any((live(server, Reader.enter) or {})["success"] for _ in range(50))


def test_a_reader_too_far_behind_is_cut_off() -> None:
    """If this failed, a client that stops reading would never learn of it."""
    slow = dialect(slow_seconds=0.3)
    with BeyondTrustServer(Centre.simulate(5, 16, FIRST, 3), SimClock(NOON), dialect=slow) as server:
        known = token(server)
        with socket.create_connection(("127.0.0.1", server.port)) as wire:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            wire.sendall(
                b"GET /nw HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                b"Sec-WebSocket-Protocol: ingredi state api\r\n\r\n"
            )
            for message in (
                {"type": "authenticate", "credentials": {"bearer_token": known}},
                {"type": "subscribe", "tables": "all"},
            ):
                text = json.dumps(message).encode() + b"\n"
                wire.sendall(bytes([0x81, 0x80 | 126, *len(text).to_bytes(2, "big"), 0, 0, 0, 0]) + text)
            server.churn(200_000)
            until = time.monotonic() + 20
            while server.stats()["cut_off"] == 0:
                assert time.monotonic() < until, "nobody was cut off"
                time.sleep(0.05)
    assert server.stats()["receiving"] == 0


def test_a_connection_can_end_with_its_token(server: BeyondTrustServer) -> None:
    """If this failed, the open question of expiry in mid-stream could not be played through."""
    for closes in (False, True):
        server.set_dialect(dialect(expiry_closes=closes))

        async def act(reader: Reader) -> object:
            await reader.enter(["presenter"])
            await reader.hear()
            server.clock.advance(timedelta(hours=1, seconds=1))
            try:
                return await asyncio.wait_for(reader.hear(), 0.5)
            except TimeoutError:
                return "goes on"

        assert live(server, act) == (None if closes else "goes on")


def test_all_connections_can_be_broken(server: BeyondTrustServer) -> None:
    """If this failed, gaps in the live feed would go untested."""

    async def act(reader: Reader) -> None:
        await reader.enter()
        await reader.hear()
        assert server.disconnect() == 1
        assert await reader.hear() is None

    live(server, act)


def test_the_upgrade_can_fail_like_any_request(server: BeyondTrustServer) -> None:
    """If this failed, reconnecting to an appliance that is down would go untested."""
    for faults in (Faults(error_rate=1), Faults(reset_rate=1)):
        server.set_faults(faults)
        with pytest.raises(aiohttp.ClientError):
            live(server, Reader.hear)


def test_five_hundred_updates_a_second_can_be_had(server: BeyondTrustServer) -> None:
    """If this failed, the recorder could not be tested under load."""

    async def act(reader: Reader) -> float:
        await reader.enter()
        await reader.hear()
        server.churn(500)
        began = time.monotonic()
        for _ in range(700):
            message = await reader.hear() or {}
            assert set(message) == {"type", "update"}
        return time.monotonic() - began

    # 1.4 s; a busy machine may take longer, but nothing may come faster than asked for.
    assert 1.2 < live(server, act) < 6
