"""Vendors that answer without end, too much, or too slowly: all our ways of asking, over real sockets."""

import asyncio
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from assets.beyondtrust import wire
from assets.beyondtrust.state import StateClient
from assets.http import Options, PermanentError, Retry, Session, TransientError
from assets.huawei.asking import LARGEST, NoAnswerError, ask, open_session
from assets.huawei.gateway import GatewayClient
from assets.live import LiveError
from tests.contract.fake_appliance import COPY, FakeAppliance
from tests.contract.huawei_fake import Notes, config
from tests.contract.sick import MEGABYTE, Talk, bomb, dripping, endless, sick
from tests.recording import until

ONCE = Options(timeout_seconds=0.5, retry=Retry(tries=1))
MOST = 4 * MEGABYTE
HUGE = [pytest.param(endless, id="endless"), pytest.param(bomb(200), id="bomb")]


@contextmanager
def little_memory(most: int) -> Iterator[None]:
    """See to it that no more memory is taken than that, in bytes."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


def asked(address: str, path: str = "/", largest: int = LARGEST) -> bytes:
    """What a live client gets of a server."""

    async def run() -> bytes:
        settings = config(address, guid_file="guids.json", timeout_seconds=0.5)
        async with open_session(settings, address) as session:
            return (await ask(session, "GET", path, {}, largest=largest)).body

    return asyncio.run(run())


@pytest.mark.parametrize("talk", HUGE)
def test_a_session_reads_no_more_than_an_answer_may_have(talk: Talk) -> None:
    """If this fails, one sick vendor takes the memory of the process that records all others."""
    told = r"cx_us: GET /rta answered 200 with more than 4 MiB after 1 try; .*check base_url"
    with sick(talk) as address, little_memory(4 * MOST), pytest.raises(PermanentError, match=told) as caught:
        Session("cx_us", address, options=ONCE).request("GET", "/rta", largest=MOST)
    # One window that is too large says nothing about others.
    assert not caught.value.source_wide


@pytest.mark.parametrize("talk", HUGE)
def test_a_live_client_reads_no_more_than_an_answer_may_have(talk: Talk) -> None:
    """If this fails, 64 requests in flight take the memory of the recorder."""
    with sick(talk) as address, little_memory(4 * MOST), pytest.raises(NoAnswerError, match="more than 1 MiB"):
        asked(address)


def test_of_an_error_as_much_is_read_as_is_shown() -> None:
    """If this fails, the status of an endless error page is lost, and with it what to do."""

    def failing(connection: object) -> None:
        connection.sendall(b"HTTP/1.1 403 No\r\n\r\n" + b"denied " * MEGABYTE)  # type: ignore[attr-defined]

    with sick(failing) as address, pytest.raises(PermanentError, match=r"answered 403 \(denied denied"):
        Session("cx_us", address, options=ONCE).get("/")


@pytest.mark.parametrize("headers", [False, True])
def test_an_answer_that_never_ends_is_hung_up_on(*, headers: bool) -> None:
    """If this fails, a vendor that sends a byte now and then holds a feed, or a run, for ever."""
    quick = Options(timeout_seconds=0.05, retry=Retry(tries=1))
    told = r"the answer was not whole after 0.25 s\) after 1 try|not whole after 0.25 s after 1 try"
    with sick(dripping(b"[" + b" " * 500, headers=headers)) as address, pytest.raises(TransientError, match=told):
        Session("cx_us", address, options=quick).get("/")


def test_a_live_client_hangs_up_too() -> None:
    """If this fails, such an answer keeps one of the places of requests in flight for ever."""
    with sick(dripping(b" " * 500)) as address, pytest.raises(NoAnswerError, match="Timeout"):
        asked(address)


def test_a_sound_answer_that_comes_slowly_is_whole() -> None:
    """If this fails, whatever is slower than one look at the connection is lost."""
    slow = Options(timeout_seconds=5.0, retry=Retry(tries=1))
    with sick(dripping(b"[1, 2]")) as address:
        assert Session("cx_us", address, options=slow).get("/").body == b"[1, 2]"
        assert asked(address) == b"[1, 2]"


def test_the_gateway_tells_whose_answers_are_too_large(tmp_path: Path) -> None:
    """If this fails, a recorder that records nothing gives no reason, or what it cannot read fills the spool."""
    (tmp_path / "guids.json").write_text('{"101": "guid"}')
    notes = Notes()

    async def run(address: str) -> None:
        client = GatewayClient(config(address, guid_file=str(tmp_path / "guids.json")))
        running = asyncio.create_task(client.run(notes))
        await until(lambda: notes.reasons)
        running.cancel()
        await asyncio.wait([running])

    with sick(endless) as address:
        asyncio.run(run(address))
    assert notes.pages == []
    assert "aicc: GET" in notes.reasons[0]
    assert "more than 1 MiB" in notes.reasons[0]
    assert "check base_url" in notes.reasons[0]


@pytest.mark.parametrize("size", [2 * MEGABYTE, 1000])
def test_a_message_of_the_live_state_is_bounded(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """If this fails, a message without an end, in one frame or in many, takes the memory of the recorder."""
    monkeypatch.setattr(wire, "LARGEST_MESSAGE", MEGABYTE)
    monkeypatch.setattr(Notes, "watching", lambda *_: None)  # this vendor's clock is not known yet
    notes = Notes()
    with FakeAppliance() as fake:
        fake.script.greeting = [COPY, b"x" * (2 * MEGABYTE)]
        fake.script.frames = lambda line: [line[at : at + size] for at in range(0, len(line), size)]
        appliance = fake.appliance()
        with pytest.raises(LiveError, match=r"MiB is not read; if base_url is right") as caught:
            asyncio.run(asyncio.wait_for(StateClient(appliance.config, appliance).run(notes), 10))
    assert not caught.value.lasting
    assert [page.payload for page in notes.pages] == [COPY]
