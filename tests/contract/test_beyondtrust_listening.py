"""The live clients of BeyondTrust and the doctor against the simulated appliance over real sockets."""

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from assets.beyondtrust import xml
from assets.beyondtrust.archive import ArchiveClient
from assets.beyondtrust.command import CommandClient
from assets.beyondtrust.sessions import SessionsClient
from assets.beyondtrust.state import StateClient, Timing
from assets.live import LiveClient, LiveError
from orchestration.lake import Page
from simulator.beyondtrust import BeyondTrustServer
from simulator.centre import Centre
from simulator.clock import SimClock
from tests.contract.appliance import FIRST, NOON, at_noon, dialect
from tests.contract.our_side import appliance, client

PERMISSIONS = ("perm_reporting_archive", "perm_reporting_support", "perm_command", "perm_real_time_state")


@pytest.fixture(scope="module")
def running() -> Iterator[BeyondTrustServer]:
    """Serve one appliance to all tests of this file."""
    with BeyondTrustServer(Centre.simulate(5, 16, FIRST, 3), SimClock(NOON), dialect=dialect()) as server:
        yield server


@pytest.fixture
def server(running: BeyondTrustServer) -> BeyondTrustServer:
    """The server at noon of the second day, with nothing wrong."""
    return at_noon(running)


class Heard:
    """A sink that remembers, and says when there is enough."""

    def __init__(self, enough: Callable[[list[Page]], bool]) -> None:
        self.pages: list[Page] = []
        self.lost_at: list[datetime] = []
        self._enough, self.full = enough, asyncio.Event()

    def watching(self, since: datetime, vendor_time: datetime | None = None) -> None:
        """Nothing."""

    async def take(self, page: Page) -> None:
        """A message."""
        self.pages.append(page)
        if self._enough(self.pages):
            self.full.set()

    def alive(self, until: datetime, vendor_time: datetime | None = None) -> None:
        """Nothing."""

    def lost(self, at: datetime, _reason: str) -> None:
        """The end of a stretch."""
        self.lost_at.append(at)

    @property
    def messages(self) -> list[dict[str, Any]]:
        """What was said."""
        return [json.loads(page.payload) for page in self.pages]


def heard(made: LiveClient, enough: Callable[[list[Page]], bool], act: Callable[[], object] | None = None) -> Heard:
    """Run a client until enough was said; the act is done after the first message.

    Raises:
        LiveError: It ended before.
    """

    async def run() -> Heard:
        sink, first = Heard(enough), Heard(bool)
        take = sink.take

        async def both(page: Page) -> None:
            await first.take(page)
            await take(page)

        sink.__dict__["take"] = both
        task = asyncio.ensure_future(made.run(sink))
        waits = [asyncio.ensure_future(one.full.wait()) for one in (first, sink)]
        await asyncio.wait({task, waits[0]}, timeout=20, return_when=asyncio.FIRST_COMPLETED)
        if act is not None and not task.done():
            await asyncio.to_thread(act)
        await asyncio.wait({task, waits[1]}, timeout=20, return_when=asyncio.FIRST_COMPLETED)
        for one in (*waits, task):
            one.cancel()
        await asyncio.wait({task, *waits})
        if not task.cancelled():
            task.result()
        return sink

    return asyncio.run(run())


# -- the live feeds -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "knobs",
    [
        {"framing": "split"},
        {"framing": "packed"},
        {"framing": "random"},
        {"update_type": "model_update", "update_rows": "whole"},
        {"reply_type": "absent", "foreign_keys": "integer", "delete_ids": "integer"},
    ],
    ids=str,
)
def test_every_dialect_of_the_state_is_heard(server: BeyondTrustServer, knobs: dict[str, Any]) -> None:
    """An appliance of another age would be silence."""
    server.set_dialect(dialect(**knobs))
    server.churn(200)
    sink = heard(client(StateClient, server), lambda pages: len(pages) >= 60)
    assert all(page.payload.endswith(b"\n") and page.payload.count(b"\n") == 1 for page in sink.pages)
    kinds = {key for message in sink.messages for key in ("insert", "update", "delete") if key in message}
    assert "insert" in kinds
    assert len(kinds) > 1


def test_an_old_appliance_is_heard(server: BeyondTrustServer) -> None:
    """Appliances that know no subprotocol could not be listened to."""
    server.set_dialect(dialect(handshake="ns01"))
    made = client(StateClient, server, handshake="ns01", company=server.company)
    assert "insert" in heard(made, bool).messages[0]


def test_a_site_that_wants_its_company_is_heard(server: BeyondTrustServer) -> None:
    """An appliance with several sites could not be listened to."""
    server.set_dialect(dialect(company_header=True))
    assert heard(client(StateClient, server, company=server.company), bool).pages


@pytest.mark.parametrize("restart", ["truncate", "close"])
def test_a_restart_is_heard_or_ends_the_connection(server: BeyondTrustServer, restart: Any) -> None:
    """Rows of before a restart would live on."""
    server.set_dialect(dialect(restart=restart))
    made = client(StateClient, server)

    def truncated(pages: list[Page]) -> bool:
        return any(b'"truncate_model"' in page.payload for page in pages)

    if restart == "truncate":
        assert truncated(heard(made, truncated, server.restart).pages)
        return
    with pytest.raises(LiveError) as caught:
        heard(made, truncated, server.restart)
    assert not caught.value.lasting
    assert heard(made, bool).pages


@pytest.mark.parametrize("refusal", ["reply", "close"])
def test_a_thirty_first_listener_is_told(server: BeyondTrustServer, refusal: Any) -> None:
    """A site whose places are taken would seem to be silent."""
    server.set_dialect(dialect(integrations=0, refusal=refusal))
    with pytest.raises(LiveError, match="support_eu: state"):
        heard(client(StateClient, server), bool)


@pytest.mark.parametrize("denial", ["error", "forbidden"])
def test_a_state_that_may_not_be_heard_is_a_lasting_error(server: BeyondTrustServer, denial: Any) -> None:
    """An account without the permission would knock all day."""
    server.set_dialect(dialect(denied=("perm_real_time_state",), denial=denial))
    with pytest.raises(LiveError) as caught:
        heard(client(StateClient, server), bool)
    assert caught.value.lasting


def test_a_renewed_connection_has_a_full_copy_of_its_own(server: BeyondTrustServer) -> None:
    """A day could not be replayed from what was heard on it."""
    ours = appliance(server)
    made = StateClient(ours.config, ours, Timing(renewal=0.3, overlap=0.1))
    epochs = heard(made, lambda pages: len({page.requested_at for page in pages}) >= 3).pages
    copies: dict[datetime, set[str]] = {}
    for page in epochs:
        for table in json.loads(page.payload).get("insert", {}):
            copies.setdefault(page.requested_at, set()).add(table)
    first, second, *_ = copies.values()
    assert first == second
    assert "representative" in first


def test_the_command_api_is_polled(server: BeyondTrustServer) -> None:
    """Who is signed in, teams and health would not be known."""
    pages = heard(client(CommandClient, server), lambda pages: len(pages) >= 5).pages
    said = {page.request.partition("action=")[2].partition("&")[0]: xml.read(page.payload) for page in pages}
    assert len(said) == 5
    assert {action for action, root in said.items() if xml.error(root)} == set()
    assert list(xml.every(said["get_logged_in_reps"], "rep"))
    assert list(xml.every(said["get_support_teams"], "representative"))


def test_a_command_api_that_is_withheld_is_a_lasting_error(server: BeyondTrustServer) -> None:
    """An account without the permission would be refused every few seconds."""
    for denial in ("error", "forbidden"):
        server.set_dialect(dialect(denied=("perm_command",), denial=denial))
        with pytest.raises(LiveError) as caught:
            heard(client(CommandClient, server), lambda pages: len(pages) >= 20)
        assert caught.value.lasting


# -- the doctor -----------------------------------------------------------------------------


def test_doctor_is_told_that_all_is_well(server: BeyondTrustServer) -> None:
    """A working source would be reported as broken."""
    for kind in (StateClient, ArchiveClient, CommandClient, SessionsClient):
        found = {probe.name: probe.ok for probe in client(kind, server).probe()}
        assert found.pop("clock") is False  # the simulated year is another
        assert all(found.values())
        assert len(found) >= 3


@pytest.mark.parametrize("denial", ["error", "forbidden"])
def test_doctor_names_what_is_withheld(server: BeyondTrustServer, denial: Any) -> None:
    """A person would not know which box to tick."""
    for permission, kind in zip(PERMISSIONS, (ArchiveClient, SessionsClient, CommandClient, StateClient), strict=True):
        server.set_dialect(dialect(denied=(permission,), denial=denial))
        assert [probe.name for probe in client(kind, server).probe() if not probe.ok][:1] == ["permission"]


def test_doctor_names_a_wrong_secret(server: BeyondTrustServer) -> None:
    """A person would look for the fault in the network."""
    found = list(client(SessionsClient, server, secret="wrong").probe())
    assert [(probe.name, probe.ok) for probe in found] == [("credentials", False)]
