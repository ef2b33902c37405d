"""The simulated appliance's live feed over real sockets: phases, frames, restarts, limits, and what it tells."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from typing import Any

import aiohttp
import pytest

from simulator.beyondtrust import BeyondTrustServer
from simulator.beyondtrust_dialect import SUBPROTOCOL, Dialect
from simulator.centre import Centre
from simulator.clock import SimClock
from simulator.facts import SECOND
from tests.contract.appliance import FIRST, NOON, Reader, archive, feed, live, token

CALM = Dialect(requests_per_second=10_000)


def dialect(**knobs: Any) -> Dialect:
    """Return a dialect whose limits do not disturb the tests."""
    return Dialect(**{**vars(CALM), **knobs})


@pytest.fixture(scope="module")
def running() -> Iterator[BeyondTrustServer]:
    """Serve one appliance to all tests of this file."""
    with BeyondTrustServer(Centre.simulate(5, 16, FIRST, 3), SimClock(NOON), dialect=CALM) as server:
        yield server


@pytest.fixture
def server(running: BeyondTrustServer) -> BeyondTrustServer:
    """Return the server with its clock at noon of the second day, never restarted, and nothing wrong."""
    running.clock.set(NOON, running=False)
    running.api.restarts.clear()
    running.churn(0)
    running.set_dialect(CALM)
    return running


# -- phases ---------------------------------------------------------------------------------


def test_the_phases_lead_to_a_full_copy(server: BeyondTrustServer) -> None:
    """If this failed, a client written to the documents would receive nothing."""

    async def act(reader: Reader) -> None:
        assert reader.wire.protocol == SUBPROTOCOL
        assert await reader.enter() == {"type": "subscribe", "success": True}
        copy = await reader.hear() or {}
        assert copy["type"] == "update_model"
        assert set(copy) == {"type", "insert"}
        assert {"queue", "representative", "support_session", "representative_support_session"} <= set(copy["insert"])
        assert all(frame.endswith(b"\n") for frame in reader.frames)

    live(server, act)


def test_only_the_tables_asked_for_are_told(server: BeyondTrustServer) -> None:
    """If this failed, a subscription would not bound what comes."""

    async def act(reader: Reader) -> None:
        await reader.enter(["queue", "support_session"])
        await reader.hear()
        server.clock.advance(timedelta(minutes=5))
        for _ in range(20):
            await reader.hear()
        assert set(reader.tables) == {"queue", "support_session"}

    live(server, act)


@pytest.mark.parametrize(
    "message",
    [
        {"type": "authenticate", "credentials": {"bearer_token": "invented"}},
        {"type": "authenticate", "credentials": {"username": "shiftbook", "password": "guess"}},
        {"type": "authenticate"},
        {"type": "subscribe", "tables": "all"},
        "hello",
    ],
)
@pytest.mark.parametrize("refusal", ["reply", "close"])
def test_what_comes_out_of_turn_or_unknown_is_refused(server: BeyondTrustServer, message: object, refusal: str) -> None:
    """If this failed, a client with a bad token would wait for ever for its first row."""
    server.set_dialect(dialect(refusal=refusal))

    async def act(reader: Reader) -> None:
        await reader.say(message)
        if refusal == "reply":
            assert (await reader.hear() or {})["success"] is False
        assert await reader.hear() is None

    live(server, act)


def test_unknown_tables_are_refused(server: BeyondTrustServer) -> None:
    """If this failed, a misspelt table would be an empty one."""
    for tables in (["support_team"], [], None, "some"):
        assert (live(server, partial(Reader.enter, tables=tables)) or {})["success"] is False


def test_a_message_counts_once_its_newline_has_come(server: BeyondTrustServer) -> None:
    """If this failed, a client that forgets newlines, or cuts its messages, would not show."""

    async def act(reader: Reader) -> None:
        known = await asyncio.to_thread(token, server)
        text = json.dumps({"type": "authenticate", "credentials": {"bearer_token": known}})
        await reader.wire.send_bytes(text[:20].encode())
        await reader.wire.send_str(text[20:])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.wire.receive(), 0.2)
        await reader.wire.send_str('\n{"type":"subscribe","tables":["queue"]}\n')
        assert [(await reader.hear() or {}).get("success") for _ in range(3)] == [True, True, None]

    live(server, act)


def test_success_replies_may_have_no_type(server: BeyondTrustServer) -> None:
    """If this failed, a client could count on a type that nobody has seen."""
    server.set_dialect(dialect(reply_type="absent"))
    assert live(server, Reader.enter) == {"success": True}


def test_the_account_needs_the_permission(server: BeyondTrustServer) -> None:
    """If this failed, a missing right would look like an empty appliance."""
    server.set_dialect(dialect(denied=("perm_real_time_state",)))

    async def act(reader: Reader) -> None:
        known = await asyncio.to_thread(token, server)
        await reader.say({"type": "authenticate", "credentials": {"bearer_token": known}})
        assert (await reader.hear() or {})["success"] is False

    live(server, act)


@pytest.mark.parametrize("given", [{"protocols": ()}, {"protocols": ("chat",)}])
def test_without_the_subprotocol_there_is_no_upgrade(server: BeyondTrustServer, given: dict[str, Any]) -> None:
    """If this failed, a library that leaves out the subprotocol would pass here and fail there."""
    with pytest.raises(aiohttp.WSServerHandshakeError):
        live(server, Reader.hear, **given)


def test_the_company_can_be_demanded(server: BeyondTrustServer) -> None:
    """If this failed, the open question of the company header could not be played through."""
    server.set_dialect(dialect(company_header=True))
    with pytest.raises(aiohttp.WSServerHandshakeError):
        live(server, Reader.enter)
    assert (live(server, Reader.enter, headers={"X-Ns-Company": server.company}) or {})["success"] is True


def test_the_old_handshake_names_company_and_api_in_band(server: BeyondTrustServer) -> None:
    """If this failed, sites older than OAuth could not be simulated."""
    server.set_dialect(dialect(handshake="ns01"))

    async def act(reader: Reader) -> None:
        await reader.wire.send_str(f"NS01{server.company}\n{SUBPROTOCOL}\n")
        answer = await reader.wire.receive()
        assert (answer.type, answer.data) == (aiohttp.WSMsgType.BINARY, b"0 Application chosen\n")
        account = server.account
        credentials = {"username": account.username, "password": account.password}
        await reader.say({"type": "authenticate", "credentials": credentials})
        assert (await reader.hear() or {})["success"] is True

    live(server, act, protocols=())

    async def stranger(reader: Reader) -> None:
        await reader.wire.send_str(f"NS01nobody\n{SUBPROTOCOL}\n")
        assert await reader.hear() is None

    live(server, stranger, protocols=())


# -- updates --------------------------------------------------------------------------------


@pytest.mark.parametrize("framing", ["message", "packed", "split", "random"])
@pytest.mark.parametrize("rows", ["partial", "whole"])
def test_a_follower_ends_with_what_the_archive_holds(server: BeyondTrustServer, framing: str, rows: str) -> None:
    """If this failed, updates would not add up to the model, or feed and archive would disagree."""
    server.set_dialect(dialect(framing=framing, update_rows=rows))

    async def act(reader: Reader) -> Reader:
        await reader.enter()
        await reader.hear()
        begin = server.clock.now_ms()
        server.clock.advance(timedelta(minutes=30))
        for _ in range(sum(begin < at <= server.clock.now_ms() for at in server.api.model.times)):
            await reader.hear()
        return reader

    reader = live(server, act)
    server.clock.advance(timedelta(minutes=5))
    held = json.loads(archive(server, "state", NOON.date(), 26))
    hidden = {"hostname", "operating_system", "private_ip", "public_ip"}
    for table in held:
        told = {
            name: {key: value for key, value in row.items() if key not in hidden}
            for name, row in (held[table] or {}).items()
        }
        heard = {
            name: {key: value for key, value in row.items() if key not in hidden}
            for name, row in reader.tables.get(table, {}).items()
        }
        assert heard == told
    whole_frames = [frame for frame in reader.frames if frame.count(b"\n") == 1 and frame.endswith(b"\n")]
    assert (len(whole_frames) == len(reader.frames)) == (framing == "message")


def test_names_of_messages_and_types_of_ids_can_vary(server: BeyondTrustServer) -> None:
    """If this failed, a client could rely on one of two spellings seen."""
    knobs = {"update_type": "model_update", "foreign_keys": "integer", "delete_ids": "integer", "user_ids": "string"}
    server.set_dialect(dialect(**knobs))

    async def act(reader: Reader) -> None:
        await reader.enter()
        copy = await reader.hear() or {}
        assert copy["type"] == "model_update"
        row = next(iter(copy["insert"]["representative"].values()))
        assert isinstance(row["queue_id"], int)
        assert isinstance(row["user_id"], str)
        server.clock.advance(timedelta(minutes=10))
        while "delete" not in (message := await reader.hear() or {}):
            pass
        assert all(isinstance(name, int) for names in message["delete"].values() for name in names)

    live(server, act)


def test_latency_holds_updates_back_but_keeps_their_order(server: BeyondTrustServer) -> None:
    """If this failed, up to twenty seconds of lateness would not be met, or rows would run backwards."""
    server.set_dialect(dialect(latency_seconds=20))
    model = server.api.model
    lags = [told - at for told, at in zip(model.told, model.times, strict=True)]
    assert min(lags) >= 0
    assert 15 * SECOND < max(lags) <= 20 * SECOND
    assert model.told == sorted(model.told)

    async def act(reader: Reader) -> None:
        await reader.enter()
        await reader.hear()
        now = server.clock.now_ms()
        due = next(told for told in model.told if told > now)
        server.clock.set(NOON + timedelta(milliseconds=due - now - 1))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.wire.receive(), 0.2)
        server.clock.set(NOON + timedelta(milliseconds=due - now))
        assert await reader.hear() is not None

    live(server, act)


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


def test_five_hundred_updates_a_second_can_be_had(server: BeyondTrustServer) -> None:
    """If this failed, the recorder could not be tested under load."""

    async def act(reader: Reader) -> float:
        await reader.enter()
        await reader.hear()
        server.churn(500)
        began, count = time.monotonic(), 0
        while time.monotonic() < began + 1.5:
            message = await reader.hear() or {}
            assert set(message) == {"type", "update"}
            count += 1
        return count / 1.5

    assert 350 < live(server, act) < 650
