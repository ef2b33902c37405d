"""The simulated appliance's live feed over real sockets: phases, frames, and what it tells."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import aiohttp
import pytest

from simulator.beyondtrust import BeyondTrustServer
from simulator.beyondtrust_dialect import SUBPROTOCOL
from simulator.centre import Centre
from simulator.clock import SimClock
from simulator.facts import SECOND
from tests.contract.appliance import CALM, FIRST, NOON, Reader, archive, at_noon, dialect, live, token


@pytest.fixture(scope="module")
def running() -> Iterator[BeyondTrustServer]:
    """Serve one appliance to all tests of this file."""
    with BeyondTrustServer(Centre.simulate(5, 16, FIRST, 3), SimClock(NOON), dialect=CALM) as server:
        yield server


@pytest.fixture
def server(running: BeyondTrustServer) -> BeyondTrustServer:
    """Return the server as it is at noon with nothing wrong."""
    return at_noon(running)


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


def test_only_the_agents_of_the_appliance_are_on_it() -> None:
    """If this failed, a centre could not be shared out between vendors."""
    centre = Centre.simulate(5, 16, FIRST, 2)
    chosen = [agent.agent_id for agent in centre.agents[:5]]
    with BeyondTrustServer(centre, SimClock(NOON), agents=chosen) as server:
        assert set(server.agent_ids) == set(chosen)

        async def act(reader: Reader) -> set[str]:
            await reader.enter()
            await reader.hear()
            return {str(row["user_id"]) for row in reader.tables["representative"].values()}

        told = live(server, act)
        assert told
        assert told <= set(server.agent_ids.values())
