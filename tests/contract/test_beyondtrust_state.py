"""The live state against a tiny appliance over real sockets: handshakes, copies, renewal, refusals, endings."""

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from assets.beyondtrust.state import StateClient, Timing
from assets.live import LiveError
from orchestration.lake import Page
from tests.contract.fake_appliance import COPY, DENIED, SECRET, FakeAppliance

BRISK = Timing(renewal=3600.0, overlap=0.1, copy=0.3, retry=0.05, ping=0.05, silence=60.0)
UPDATE = b'{"type":"model_update","update":{"representative":{"12":{"routing_busy":1}}}}\n'
TRUNCATE = b'{"type":"truncate_model"}\n'


class Heard:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.pages: list[Page] = []
        self.events: list[tuple[str, datetime, str]] = []
        self.first = asyncio.Event()
        self.pause = 0.0

    @property
    def lines(self) -> list[bytes]:
        """What was said, in order."""
        return [page.payload for page in self.pages]

    def watching(self, since: datetime, _vendor_time: datetime | None = None) -> None:
        """A stretch begins."""
        self.events.append(("watching", since, ""))

    async def take(self, page: Page) -> None:
        """A message."""
        await asyncio.sleep(self.pause)
        self.pages.append(page)
        self.events.append(("take", page.received_at, ""))
        self.first.set()

    def alive(self, until: datetime, _vendor_time: datetime | None = None) -> None:
        """Nothing was missed."""
        self.events.append(("alive", until, ""))

    def lost(self, at: datetime, reason: str) -> None:
        """A stretch ends."""
        self.events.append(("lost", at, reason))

    def names(self) -> list[str]:
        """The kinds of events but for signs of life."""
        return [name for name, _, _ in self.events if name != "alive"]


@pytest.fixture
def fake() -> Iterator[FakeAppliance]:
    """An appliance with nothing wrong."""
    with FakeAppliance() as running:
        yield running


def client(fake: FakeAppliance, timing: Timing = BRISK, now: Any = None, **changes: Any) -> StateClient:
    """A client of it."""
    appliance = fake.appliance(**changes)
    return StateClient(appliance.config, appliance, timing, now or (lambda: datetime.now(UTC)))


def listen(
    made: StateClient, until: Callable[[Heard], bool], *acts: Callable[[Heard], None], pause: float = 0.0
) -> Heard:
    """Run a client until a condition holds; each act is done once something new was heard since the last one."""

    async def run() -> Heard:
        heard = Heard()
        heard.pause = pause
        task = asyncio.ensure_future(made.run(heard))
        left, seen = list(acts), 0
        try:
            async with asyncio.timeout(10):
                while not until(heard) or left:
                    if left and len(heard.pages) > seen:
                        seen = len(heard.pages)
                        await asyncio.to_thread(left.pop(0), heard)
                    await asyncio.wait({task}, timeout=0.005)
                    if task.done():
                        task.result()
        finally:
            task.cancel()
            await asyncio.wait({task})
        return heard

    return asyncio.run(run())


def ended(made: StateClient, act: Callable[[], None] | None = None) -> tuple[LiveError, Heard]:
    """Run a client to its end, which the act brings about after the first message."""

    async def run() -> tuple[LiveError, Heard]:
        heard = Heard()
        task = asyncio.ensure_future(made.run(heard))
        if act is not None:
            await heard.first.wait()
            await asyncio.to_thread(act)
        with pytest.raises(LiveError) as caught:
            await asyncio.wait_for(task, 10)
        return caught.value, heard

    return asyncio.run(run())


def test_the_handshake_is_the_protocols(fake: FakeAppliance) -> None:
    """An appliance would not know what is wanted of it, or the token stand in a header that proxies log."""
    heard = listen(client(fake, company="acme"), lambda one: bool(one.pages))
    connection = fake.connections[0]
    assert connection.headers["Sec-WebSocket-Protocol"] == "ingredi state api"
    assert connection.headers["X-Ns-Company"] == "acme"
    assert "Authorization" not in connection.headers
    assert [json.loads(line) for line in connection.received] == [
        {"type": "authenticate", "credentials": {"bearer_token": "token-0"}},
        {"type": "subscribe", "tables": "all"},
    ]
    assert heard.names()[:2] == ["watching", "take"]
    assert heard.events[0][1] == heard.pages[0].received_at


def test_messages_are_kept_as_they_came_and_credentials_are_not(fake: FakeAppliance) -> None:
    """Raw would be an account of our own, or hold a token that opens the appliance."""
    heard = listen(
        client(fake),
        lambda one: len(one.pages) >= 3,
        lambda _: fake.say(UPDATE),
        lambda _: fake.say(b"  not JSON at all\xff \n"),
    )
    assert heard.lines == [COPY, UPDATE, b"  not JSON at all\xff \n"]
    assert {(page.request, page.status, page.content_type) for page in heard.pages} == {("GET /nw", 101, None)}
    assert len({page.requested_at for page in heard.pages}) == 1
    assert all(page.requested_at <= page.received_at for page in heard.pages)
    assert b"token-0" not in b"".join(heard.lines)


@pytest.mark.parametrize("as_text", [True, False])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_frames_may_be_cut_anywhere(fake: FakeAppliance, size: int, *, as_text: bool) -> None:
    """A message that came in two frames would be two unreadable ones."""
    fake.script.frames = lambda line: [line[at : at + size] for at in range(0, len(line), size)]
    fake.script.as_text = as_text
    fake.script.greeting = [COPY + UPDATE, TRUNCATE]
    assert listen(client(fake), lambda one: len(one.pages) >= 3).lines == [COPY, UPDATE, TRUNCATE]


def test_an_old_appliance_is_greeted_with_its_company(fake: FakeAppliance) -> None:
    """Appliances of before OAuth's time could not be listened to."""
    heard = listen(client(fake, handshake="ns01", company="acme"), lambda one: bool(one.pages))
    assert fake.connections[0].received[:2] == ["NS01acme", "ingredi state api"]
    assert "Sec-WebSocket-Protocol" not in fake.connections[0].headers
    assert heard.lines == [COPY]


def test_an_old_appliance_that_knows_no_such_company_is_told(fake: FakeAppliance) -> None:
    """A wrong company would be knocked with again and again."""
    fake.script.chosen = b"1 Unknown company\n"
    error, _ = ended(client(fake, handshake="ns01", company="acme"))
    assert error.lasting
    assert "Company API Name" in str(error)


def test_a_copy_that_comes_without_a_reply_is_not_lost(fake: FakeAppliance) -> None:
    """An appliance that answers a subscription with its state alone would never be heard."""
    fake.script.subscribe_reply = None
    assert listen(client(fake), lambda one: bool(one.pages)).lines == [COPY]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refused_nw_is_a_lasting_error_that_says_why_it_is_needed(fake: FakeAppliance, status: int) -> None:
    """The firewall's owner would see hammering at an endpoint known from attacks, and no reason."""
    fake.script.status = status
    error, heard = ended(client(fake))
    assert error.lasting
    assert "wss://HOST/nw" in str(error)
    assert str(status) in str(error)
    assert heard.events == []


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_trouble_of_nw_is_not_lasting(fake: FakeAppliance, status: int) -> None:
    """A restart of the appliance would silence us for hours."""
    fake.script.status = status
    error, _ = ended(client(fake))
    assert not error.lasting


def test_a_redirect_is_not_followed(fake: FakeAppliance) -> None:
    """The token would be told to whatever host the answer names."""
    with FakeAppliance() as other:
        fake.script.status, fake.script.location = 307, f"{other.base_url}/nw"
        error, _ = ended(client(fake))
        assert error.lasting
        assert "redirect" in str(error)
        assert other.connections == []


def test_a_token_that_died_is_renewed_once(fake: FakeAppliance) -> None:
    """A token ended by somebody else's thirty-first would end our listening."""
    made = client(fake)
    listen(made, lambda one: bool(one.pages))
    fake.revoke()
    assert listen(made, lambda one: bool(one.pages)).lines == [COPY]
    assert fake.tokens == ["token-0", "token-1"]


@pytest.mark.parametrize("key", ["auth_reply", "subscribe_reply"])
def test_an_account_without_the_permission_is_told_so(fake: FakeAppliance, key: str) -> None:
    """An administrator would not know which box to tick, and the appliance be asked without end."""
    setattr(fake.script, key, DENIED)
    error, heard = ended(client(fake))
    assert error.lasting
    assert "Real-Time State API" in str(error)
    assert "token-" not in str(error)
    assert heard.events == []
    assert len(fake.connections) == (2 if key == "auth_reply" else 1)


def test_wrong_credentials_are_lasting_and_not_shown(fake: FakeAppliance) -> None:
    """An account would be locked by trying, or the secret stand in a log."""
    error, _ = ended(client(fake, secret="wrong-one"))
    assert error.lasting
    assert "client_secret" in str(error)
    assert "wrong-one" not in str(error)
    assert SECRET not in str(error)


def test_nobody_there_is_passing() -> None:
    """An appliance that is being restarted would not be tried again soon."""
    with FakeAppliance() as fake:
        made = client(fake, timeout_seconds=1)
        listen(made, lambda one: bool(one.pages))
    error, _ = ended(made)
    assert not error.lasting
    assert "support_eu: state" in str(error)


def test_silence_after_the_subscription_is_no_coverage(fake: FakeAppliance) -> None:
    """A connection that never tells anything would count as having seen that nothing happened."""
    fake.script.greeting = []
    error, heard = ended(client(fake))
    assert "no state came" in str(error)
    assert heard.events == []


def test_a_connection_that_ends_is_told_with_what_was_cut(fake: FakeAppliance) -> None:
    """The beginning of a message would vanish without a trace."""
    fake.script.greeting = [COPY, b'{"type":"upd']
    error, heard = ended(client(fake), fake.drop)
    assert "code 1001" in str(error)
    assert heard.lines == [COPY, b'{"type":"upd']
    # What was cut proves nothing about the time since.
    assert heard.events[-1][0] == "lost"
    assert heard.events[-1][1] == heard.pages[-1].received_at <= datetime.now(UTC)
    assert heard.events[-1][2] == str(error)


def test_a_refusal_in_the_midst_is_kept_and_ends_the_connection(fake: FakeAppliance) -> None:
    """A token that ran out on the way would leave us listening to nothing."""
    fake.script.greeting = [COPY, DENIED]
    error, heard = ended(client(fake))
    assert heard.lines == [COPY, DENIED]
    assert "no" in str(error)
    assert not error.lasting


def test_an_appliance_that_says_our_token_back_does_not_make_us_log_it(fake: FakeAppliance) -> None:
    """The token would stand in the log, in `shiftbook sources`, and in the lake as the reason of a gap."""
    said = b'{"success":false,"error":"the token token-0 has run out"}\n'
    error, heard = ended(client(fake), lambda: fake.say(said))
    assert (fake.tokens, heard.lines[-1]) == (["token-0"], said)
    assert "the token *** has run out" in heard.events[-1][2] == str(error)


def test_a_pong_proves_watching_up_to_its_ping(fake: FakeAppliance) -> None:
    """A quiet night would count as unobserved, or a time be claimed that the answer says nothing of."""
    heard = listen(client(fake), lambda one: sum(name == "alive" for name, _, _ in one.events) >= 2)
    times = [at for name, at, _ in heard.events if name == "alive"]
    assert times == sorted(times)
    assert times[-1] <= datetime.now(UTC)
    assert fake.connections[0].pings >= 2


def test_an_appliance_that_answers_no_pings_is_still_listened_to(fake: FakeAppliance) -> None:
    """No heartbeat is documented: without pongs a good connection would be cut, or silence pass for watching."""
    fake.script.pongs = False
    heard = listen(client(fake), lambda _: bool(fake.connections) and fake.connections[0].pings >= 3)
    assert [name for name, _, _ in heard.events] == ["watching", "take"]


def test_a_connection_is_renewed_before_the_old_one_is_closed(fake: FakeAppliance) -> None:
    """A day could not be replayed from copies of its own, or a change fall between two connections."""
    quick = Timing(renewal=0.2, overlap=0.2, copy=1.0, retry=0.05, ping=5.0)

    def both(_: Heard) -> None:
        fake.say(UPDATE, 0)
        fake.say(UPDATE, 1)
        fake.connections[0].closed.wait(5)

    heard = listen(client(fake, quick), lambda one: len(one.pages) >= 4, lambda _: None, both)
    epochs = list(dict.fromkeys(page.requested_at for page in heard.pages))
    said = [[page.payload for page in heard.pages if page.requested_at == epoch] for epoch in epochs]
    assert said[:2] == [[COPY, UPDATE], [COPY, UPDATE]]
    assert "lost" not in heard.names()
    assert len(fake.tokens) == 1


def test_a_connection_is_renewed_at_midnight(fake: FakeAppliance) -> None:
    """The new day would hold changes of rows that it never saw whole."""
    start, real = datetime(2026, 3, 4, 23, 59, 59, 700_000, tzinfo=UTC), datetime.now(UTC)
    heard = listen(
        client(fake, BRISK, lambda: start + (datetime.now(UTC) - real)),
        lambda one: len(one.pages) >= 2,
    )
    midnight = datetime(2026, 3, 5, tzinfo=UTC)
    assert heard.pages[0].received_at < midnight <= heard.pages[1].received_at < midnight + timedelta(seconds=5)


def test_a_renewal_that_fails_keeps_the_old_connection(fake: FakeAppliance, caplog: pytest.LogCaptureFixture) -> None:
    """An appliance with thirty integrations, or a proxy's hiccup, would cost us a connection that works."""
    quick = Timing(renewal=0.1, overlap=0.05, copy=1.0, retry=0.05, ping=5.0)

    def refuse(_: Heard) -> None:
        fake.script.status = 503
        while "is kept" not in caplog.text:
            fake.connections[0].closed.wait(0.01)
        fake.say(UPDATE, 0)

    def allow(_: Heard) -> None:
        fake.script.status = 101

    with caplog.at_level(logging.WARNING):
        heard = listen(client(fake, quick), lambda one: one.lines.count(COPY) >= 2, refuse, allow)
    assert heard.lines[:2] == [COPY, UPDATE]
    assert "lost" not in heard.names()


def test_a_silent_connection_that_is_replaced_leaves_a_gap(fake: FakeAppliance) -> None:
    """A connection that was dead for an hour would pass for an hour in which nothing happened."""
    fake.script.pongs = False
    quick = Timing(renewal=0.3, overlap=0.05, copy=1.0, ping=5.0, silence=0.1)
    heard = listen(client(fake, quick), lambda one: one.lines.count(COPY) >= 2)
    assert heard.names()[:5] == ["watching", "take", "lost", "watching", "take"]
    _, lost_at, reason = heard.events[2]
    assert lost_at == heard.pages[0].received_at
    assert "no sign of life" in reason


def test_cancelling_closes_the_connection(fake: FakeAppliance) -> None:
    """A recorder that was stopped would still hold one of the thirty places."""
    listen(client(fake), lambda one: bool(one.pages))
    assert fake.connections[0].closed.wait(5)


def test_a_slow_sink_slows_the_appliance_and_loses_nothing(fake: FakeAppliance) -> None:
    """Memory would fill up with what the disk cannot take."""
    lines = [b'{"update":{"queue":{"1":{"n":%d}}}}\n' % number for number in range(500)]
    fake.script.greeting = [COPY, b"".join(lines)]
    heard = listen(client(fake), lambda one: len(one.pages) > len(lines), pause=0.0005)
    assert heard.lines == [COPY, *lines]


def info(permission: int) -> bytes:
    """Who am I, in one of the shapes that it may have."""
    text = f'<api_information><permissions><permission name="perm_real_time_state">{permission}</permission>'
    return f"{text}</permissions></api_information>".encode()


@pytest.mark.parametrize(
    ("permission", "status", "expected"),
    [
        (1, 101, [("permission", True), ("clock", True), ("real-time state", True)]),
        (1, 403, [("permission", True), ("clock", True), ("real-time state", False)]),
        (0, 101, [("permission", False)]),
    ],
)
def test_doctor_finds_what_stands_in_the_way(
    fake: FakeAppliance, permission: int, status: int, expected: list[tuple[str, bool]]
) -> None:
    """A person would look for the fault in the wrong place."""
    fake.script.answers[None] = lambda _: (200, info(permission), {})
    fake.script.status = status
    found = [(probe.name, probe.ok) for probe in client(fake).probe()]
    assert found == [("reachability", True), ("credentials", True), *expected]
