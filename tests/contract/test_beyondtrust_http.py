"""How a BeyondTrust appliance is asked over real sockets: tokens, refusals, limits, closed connections, the doctor."""

import asyncio
import gzip
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from assets.beyondtrust.appliance import COMMAND_PATH, Appliance, shared
from assets.beyondtrust.archive import ArchiveClient
from assets.beyondtrust.command import CommandClient, Poll
from assets.beyondtrust.sessions import SessionsClient
from assets.beyondtrust.state import StateClient
from assets.capture import Probe
from assets.http import HttpError, PermanentError
from assets.live import LiveError
from assets.threads import aside
from assets.windows import Window
from orchestration.lake import Page
from tests.contract.fake_appliance import SECRET, Answer, Asked, FakeAppliance, answer

INFO = {"action": "get_api_info"}
KNOWN = b'<get_api_info xmlns="urn:x"><company_name>acme</company_name></get_api_info>'
WINDOW = Window(datetime(2026, 3, 4, 11, tzinfo=UTC), datetime(2026, 3, 4, 11, 30, tzinfo=UTC))


@pytest.fixture
def fake() -> Iterator[FakeAppliance]:
    """An appliance that answers who we are."""
    with FakeAppliance() as running:
        running.script.answers[None] = lambda _: answer(KNOWN)
        yield running


def test_a_token_is_asked_for_once_and_shown_with_each_call(fake: FakeAppliance) -> None:
    """Thirty calls would end the tokens of everybody else who uses the account."""
    appliance = fake.appliance()
    replies = [appliance.get(COMMAND_PATH, INFO) for _ in range(3)]
    assert {reply.body for reply in replies} == {KNOWN}
    assert [asked.path for asked in fake.asked] == ["/oauth2/token", *["/api/command"] * 3]
    assert fake.asked[0].params == {"grant_type": "client_credentials"}
    assert {asked.headers["Authorization"] for asked in fake.asked[1:]} == {"Bearer token-0"}
    assert all(asked.headers["Connection"].lower() == "close" for asked in fake.asked)
    assert replies[0].request == "GET /api/command?action=get_api_info"


def test_all_feeds_of_a_source_share_a_token(fake: FakeAppliance) -> None:
    """Four feeds would need four of an account's thirty tokens in each process."""
    config = fake.config()
    clients = [kind(config) for kind in (StateClient, ArchiveClient, CommandClient, SessionsClient)]
    assert len({id(client._appliance) for client in clients}) == 1
    assert shared(fake.config(max_requests_per_minute=7)) is not shared(config)
    assert fake.asked == []


def test_a_token_that_was_ended_is_renewed_once_by_all_threads_together(fake: FakeAppliance) -> None:
    """A new client secret would stop capture, or each thread take a token of its own."""
    appliance = fake.appliance()
    appliance.get(COMMAND_PATH, INFO)
    fake.revoke()
    with ThreadPoolExecutor(4) as pool:
        bodies = list(pool.map(lambda _: appliance.get(COMMAND_PATH, INFO).body, range(4)))
    assert bodies == [KNOWN] * 4
    assert fake.tokens == ["token-0", "token-1"]


def test_a_new_token_that_is_refused_is_an_error(fake: FakeAppliance) -> None:
    """The token endpoint would be asked without end."""
    appliance = fake.appliance()
    fake.script.answers[None] = lambda _: (401, b'{"error":"access_denied"}', {})
    with pytest.raises(PermanentError, match="although it is new") as caught:
        appliance.get(COMMAND_PATH, INFO)
    assert caught.value.status == 401
    assert len(fake.tokens) == 2


@pytest.mark.parametrize(("ttl", "tokens"), [(3600, 1), ("1799", 1), (None, 1), ("soon", 1), (-1, 1), (0.0001, 3)])
def test_a_token_lasts_as_long_as_the_appliance_says(fake: FakeAppliance, ttl: object, tokens: int) -> None:
    """A token would be used after its end, or a new one be asked for with each call."""
    fake.script.ttl = ttl
    appliance = fake.appliance()
    for _ in range(3):
        appliance.get(COMMAND_PATH, INFO)
    assert len(fake.tokens) == tokens


@pytest.mark.parametrize(
    "body", [b"<html>login</html>", b"{}", b"[]", b'{"access_token": 7}', b"{", b'{"access_token":"a\\nb"}']
)
def test_a_reply_without_a_token_is_told_and_not_shown(fake: FakeAppliance, body: bytes) -> None:
    """A login page would end in a traceback, or a token of an unknown shape stand in a log."""
    fake.script.token_reply = (200, body, {})
    with pytest.raises(PermanentError, match="without an access_token; check base_url") as caught:
        fake.appliance().token()
    assert body.decode() not in str(caught.value)


def test_wrong_credentials_name_the_keys_and_not_the_secret(fake: FakeAppliance) -> None:
    """A person would not know what to mend, or the secret stand in a log."""
    with pytest.raises(PermanentError, match="client_id and client_secret") as caught:
        fake.appliance(secret="wrong-one").token()
    assert caught.value.status == 401
    assert "wrong-one" not in str(caught.value)


def test_a_secret_that_is_not_set_is_told(fake: FakeAppliance) -> None:
    """The first use of a secret would end in a traceback."""
    with pytest.raises(PermanentError, match="client_secret: environment variable BT_SECRET is not set"):
        fake.appliance(secret="").get(COMMAND_PATH, INFO)
    assert fake.asked == []


def test_secrets_stay_out_of_errors(fake: FakeAppliance) -> None:
    """An appliance that repeats what it was sent would put the token into our log."""
    fake.script.answers[None] = lambda asked: (400, f"{asked.headers['Authorization']} {SECRET}".encode(), {})
    with pytest.raises(PermanentError) as caught:
        fake.appliance().get(COMMAND_PATH, INFO)
    assert "token-0" not in str(caught.value)
    assert SECRET not in str(caught.value)


def test_an_archive_is_kept_compressed(fake: FakeAppliance) -> None:
    """Raw would not be what the appliance sent."""
    packed = gzip.compress(b'{"queue":null}')
    fake.script.answers["Archive"] = lambda _: (200, packed, {"Content-Type": "application/gzip"})
    reply = fake.appliance().get("/api/reporting", {"generate_report": "Archive"})
    assert reply.body == packed
    assert fake.asked[-1].headers["Accept-Encoding"] == "identity"


def test_the_limit_of_the_account_is_noted(fake: FakeAppliance) -> None:
    """The hour's requests would be used up in minutes, and live feeds be refused for the rest of it."""
    fake.script.answers[None] = lambda _: answer(KNOWN, X_RateLimit_Remaining="100")
    appliance = fake.appliance()
    appliance.get(COMMAND_PATH, INFO)
    assert {lane: pacer.apart for lane, pacer in appliance.budget._shared().items()} == {"live": 36.0, "past": 60.0}


def test_a_missing_permission_stops_one_feed_and_says_which(fake: FakeAppliance) -> None:
    """An administrator would not know which box to tick."""
    fake.script.answers["ArchiveListing"] = lambda _: answer(b"", 403)
    with pytest.raises(PermanentError, match="Allow Access to Archive Reports") as caught:
        ArchiveClient(fake.config(), fake.appliance()).fetch(WINDOW)
    assert caught.value.source_wide


class Heard:
    """A sink that remembers, and says when there is enough."""

    def __init__(self, enough: int) -> None:
        self.pages: list[Page] = []
        self.began: list[datetime | None] = []
        self._enough, self.full = enough, asyncio.Event()

    def watching(self, since: datetime, vendor_time: datetime | None = None) -> None:
        """A stretch begins, or goes on."""
        assert since.tzinfo is UTC
        self.began.append(vendor_time)

    async def take(self, page: Page) -> None:
        """An answer."""
        assert self.began
        self.pages.append(page)
        if len(self.pages) >= self._enough:
            self.full.set()

    def alive(self, until: datetime, vendor_time: datetime | None = None) -> None:
        """Nothing."""

    def lost(self, at: datetime, reason: str) -> None:
        """Nothing."""


def polled(client: CommandClient, enough: int) -> Heard:
    """Run a client until there are so many answers."""

    async def run() -> Heard:
        heard = Heard(enough)
        task = asyncio.ensure_future(client.run(heard))
        full = asyncio.ensure_future(heard.full.wait())
        await asyncio.wait({task, full}, timeout=10, return_when=asyncio.FIRST_COMPLETED)
        full.cancel()
        task.cancel()
        await asyncio.wait({task, full})
        if not task.cancelled():
            task.result()
        return heard

    return asyncio.run(run())


def test_the_command_api_is_polled_and_answers_are_kept(fake: FakeAppliance) -> None:
    """Teams, health and who is signed in would not be known."""
    heard = polled(CommandClient(fake.config(), fake.appliance()), 5)
    assert [page.request.removeprefix("GET /api/command?action=") for page in heard.pages] == [
        "get_api_info",
        "get_logged_in_reps",
        "check_health",
        "get_support_teams&showmembers=1",
        "get_connected_clients&type=representative",
    ]
    assert heard.began[0] is not None
    assert {page.payload for page in heard.pages} == {KNOWN}


def test_calls_come_at_their_own_pace(fake: FakeAppliance) -> None:
    """Lists that slow the appliance down would be asked for as often as its health."""
    polls = (Poll("often", 0.2), Poll("seldom", 60.0))
    heard = polled(CommandClient(fake.config(), fake.appliance(), polls), 4)
    assert [page.request.rpartition("=")[2] for page in heard.pages] == ["often", "seldom", "often", "often"]


@pytest.mark.parametrize("refusal", [answer(b"", 403), answer(b'<error xmlns="urn:x">Permission denied.</error>')])
def test_one_refused_call_does_not_end_the_others(
    fake: FakeAppliance, refusal: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    """An account without one right would have none."""
    fake.script.answers["a"] = lambda _: refusal
    heard = polled(CommandClient(fake.config(), fake.appliance(), (Poll("a", 0.1), Poll("b", 0.1))), 5)
    assert KNOWN in {page.payload for page in heard.pages}
    assert len([record for record in caplog.records if "came to nothing" in record.message]) == 1


def test_a_command_api_that_refuses_everything_is_left_alone(fake: FakeAppliance) -> None:
    """An account without the Command API would be refused every few seconds."""
    fake.script.answers[None] = lambda _: answer(b"", 403)
    with pytest.raises(LiveError, match=r"every call is refused.*Command API read-only") as caught:
        polled(CommandClient(fake.config(), fake.appliance()), 1)
    assert caught.value.lasting


@pytest.mark.parametrize(("status", "lasting"), [(404, True), (302, True)])
def test_a_wrong_address_ends_polling(fake: FakeAppliance, status: int, *, lasting: bool) -> None:
    """A site without the API would be asked for ever."""
    fake.script.answers[None] = lambda _: answer(b"", status)
    with pytest.raises(LiveError, match="support_eu: command") as caught:
        polled(CommandClient(fake.config(), fake.appliance()), 1)
    assert caught.value.lasting is lasting
    assert len(fake.asked) == 2


def test_blocking_work_does_not_hold_up_the_end() -> None:
    """A vendor that hangs would keep the recorder from stopping."""
    hanging = threading.Event()

    async def run() -> str:
        slow = asyncio.ensure_future(aside(hanging.wait))
        quick = await aside(lambda: "quick")
        slow.cancel()
        await asyncio.wait({slow})
        return quick

    began = time.monotonic()
    assert asyncio.run(run()) == "quick"
    assert time.monotonic() - began < 5
    hanging.set()


def test_errors_of_blocking_work_are_raised_where_it_is_awaited() -> None:
    """A failed call would be waited for without end."""

    def fail() -> None:
        raise HttpError("no")

    with pytest.raises(HttpError, match="no"):
        asyncio.run(aside(fail))


def permissions(**held: object) -> bytes:
    """Who am I, with these permissions."""
    text = "".join(f'<permission name="{name}">{value}</permission>' for name, value in held.items())
    return f"<api_information><permissions>{text}</permissions></api_information>".encode()


def found(probes: Iterator[Probe]) -> dict[str, bool]:
    """What the doctor is told."""
    return {probe.name: probe.ok for probe in probes}


def listing(_: Asked) -> Answer:
    """A listing with one file of now."""
    stamp = int((datetime.now(UTC) - timedelta(minutes=20)).timestamp())
    event = f'<event_archive><start_time timestamp="{stamp}"/><index>1</index></event_archive>'
    return answer(f"<archives>{event}</archives>".encode())


def test_doctor_is_told_that_all_is_well(fake: FakeAppliance) -> None:
    """A working source would be reported as broken."""
    known = permissions(perm_command="read_only", perm_reporting_archive=1, perm_reporting_support=1)
    fake.script.answers |= {"get_api_info": lambda _: answer(known), "ArchiveListing": listing}
    well = {"reachability": True, "credentials": True, "permission": True, "clock": True}
    made, appliance = fake.config(), fake.appliance()
    assert found(ArchiveClient(made, appliance).probe()) == well | {"archive": True}
    assert found(SessionsClient(made, appliance).probe()) == well | {"report": True}
    assert found(CommandClient(made, appliance).probe()) == well


def test_doctor_names_a_permission_that_is_missing(fake: FakeAppliance) -> None:
    """A person would learn of it from an empty report."""
    known = permissions(perm_command="deny", perm_reporting_archive=0, perm_reporting_support=0)
    fake.script.answers["get_api_info"] = lambda _: answer(known)
    made, appliance = fake.config(), fake.appliance()
    for client in (ArchiveClient(made, appliance), SessionsClient(made, appliance), CommandClient(made, appliance)):
        assert found(client.probe()) == {"reachability": True, "credentials": True, "permission": False}


@pytest.mark.parametrize(("command", "expected"), [(answer(b"", 403), False), (answer(b"<error>no</error>"), False)])
def test_doctor_needs_the_command_api_only_for_its_own_feed(
    fake: FakeAppliance, command: Answer, *, expected: bool
) -> None:
    """An account that may read reports alone would be called broken."""
    fake.script.answers |= {"get_api_info": lambda _: command, "ArchiveListing": listing}
    made, appliance = fake.config(), fake.appliance()
    assert all(found(ArchiveClient(made, appliance).probe()).values())
    assert found(CommandClient(made, appliance).probe())["permission"] is expected


def test_doctor_tells_of_an_archive_that_is_switched_off(fake: FakeAppliance) -> None:
    """A site without archives would look as if nothing had happened there."""
    fake.script.answers["ArchiveListing"] = lambda _: answer(b"<error>No archives found.</error>")
    probes = list(ArchiveClient(fake.config(), fake.appliance()).probe())
    assert (probes[-1].name, probes[-1].ok) == ("archive", False)
    assert "Enable Archive API" in probes[-1].message


@pytest.mark.parametrize(("changes", "name"), [({"secret": "wrong"}, "credentials"), ({"secret": ""}, "credentials")])
def test_doctor_stops_at_wrong_credentials(fake: FakeAppliance, changes: dict[str, str], name: str) -> None:
    """A person would be told of faults that follow from another."""
    appliance: Appliance = fake.appliance(**changes)
    probes = list(appliance.examine("perm_command", "Command API"))
    assert [(probe.name, probe.ok) for probe in probes] == [(name, False)]
    assert json.dumps(probes[0].message)
