"""The gateway's client against a small fake over real sockets: whom it asks, how often, and what it gives on."""

import asyncio
import json
import os
import time
from collections import Counter
from pathlib import Path

import pytest
from aiohttp import web

from assets.huawei.gateway import GatewayClient
from assets.huawei.seats import Patience
from assets.live import LiveError
from tests.contract.huawei_fake import GATEWAY, Asked, Notes, Reply, Vendor, config, play, refusal, seats, state
from tests.recording import until

# Time enough between two polls for a machine that has other things to do: an answer may be twice as old.
CALM = 0.3
QUICK = Patience(between=0.01, again=0.02, taken=0.05)


def status_of(agent: str) -> str:
    """The request for one agent's state."""
    return f"GET {GATEWAY}/onlineagent/{agent}/agentstatus"


def guids(folder: Path, *named: str, **more: str) -> Path:
    """A file of GUIDs."""
    path = folder / "guids.json"
    path.write_text(json.dumps({**{agent: f"guid-{agent}" for agent in named}, **more}))
    return path


def listen(vendor: Vendor, path: Path, count: int, **keys: object) -> Notes:
    """Poll the seats of a file until so many answers were given on."""
    return play(
        vendor,
        lambda url: GatewayClient(config(url, guid_file=str(path), **keys)),
        lambda notes: len(notes.pages) >= count,
    )


def test_each_agent_is_asked_with_its_own_guid_and_answers_are_given_on_as_received(tmp_path: Path) -> None:
    """If this fails, an agent's state is asked for with another's admission, or changed on its way."""
    vendor = Vendor({status_of("101"): [state(4)], status_of("102"): [state(7, working=True)]})
    notes = listen(vendor, guids(tmp_path, "101", "102"), 4)
    assert {(one.path.split("/")[-2], one.headers["Guid"]) for one in vendor.asked} == {
        ("101", "guid-101"),
        ("102", "guid-102"),
    }
    page = next(page for page in notes.pages if page.request == status_of("102"))
    assert json.loads(page.payload) == state(7, working=True)
    assert (page.status, page.content_type) == (200, "application/json; charset=utf-8")
    assert page.requested_at <= page.received_at
    assert "guid-102" not in page.request


def test_agents_take_turns_evenly(tmp_path: Path) -> None:
    """If this fails, some agents are sampled more rarely than poll_seconds promises, or all at once."""
    names = [str(100 + n) for n in range(1, 21)]
    vendor = Vendor({status_of(name): [state()] for name in names})
    notes = listen(vendor, guids(tmp_path, *names), 100, poll_seconds=0.2)
    counts = Counter(page.request for page in notes.pages)
    assert max(counts.values()) - min(counts.values()) <= 1
    first = sorted(page.requested_at for page in notes.pages)[:20]
    assert (first[-1] - first[0]).total_seconds() > 0.1


def test_one_agent_that_does_not_answer_stops_no_other(tmp_path: Path) -> None:
    """If this fails, a hanging request makes all agents unobserved."""
    vendor = Vendor({status_of("101"): [state()]}, silent="/102/")
    notes = listen(vendor, guids(tmp_path, "101", "102"), 5, timeout_seconds=5, poll_seconds=CALM)
    assert list(notes.words())[:2] == ["watching", "alive"]
    assert "lost" not in list(notes.words())


def test_an_error_for_one_agent_is_given_on_and_does_not_end_coverage(tmp_path: Path) -> None:
    """If this fails, an agent whom nobody saw keeps the last state, or all agents become unobserved."""
    vendor = Vendor({status_of("101"): [state()], status_of("102"): [refusal("100-006")]})
    notes = listen(vendor, guids(tmp_path, "101", "102"), 8, poll_seconds=CALM)
    assert any(b"100-006" in page.payload for page in notes.pages)
    assert "lost" not in list(notes.words())


def test_the_feed_is_watched_for_as_long_as_a_state_holds(tmp_path: Path) -> None:
    """If this fails, hold_polls bridges a missed poll in the timeline, and the recorder tells a gap there."""
    vendor = Vendor({status_of("101"): [state(), refusal("100-007")]})
    notes = listen(vendor, guids(tmp_path, "101"), 12, hold_polls=2000)
    assert "lost" not in list(notes.words())


def test_a_refused_guid_is_asked_with_more_and_more_rarely(tmp_path: Path) -> None:
    """If this fails, a stale GUID is hammered with all day."""
    vendor = Vendor({status_of("101"): [state()], status_of("102"): [refusal("000-003")]})
    listen(vendor, guids(tmp_path, "101", "102"), 20)
    assert len(vendor.paths("/102/")) <= 2


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    """If this fails, a rotated GUID, a new agent or one that left is not noticed."""
    path = guids(tmp_path, "101", "102")
    vendor = Vendor({status_of(agent): [state()] for agent in ("101", "102", "103")})

    def rotate(asked: Asked) -> Reply | None:
        if len(vendor.asked) == 4:
            path.write_text(json.dumps({"101": "JSESSIONID=fresh", "103": "guid-103"}))
            os.utime(path, ns=(1, 1))
        assert asked.headers["Content-Type"].startswith("application/json")
        return None

    vendor.respond = rotate
    listen(vendor, path, 14)
    late = vendor.asked[-4:]
    assert {(one.path.split("/")[-2], one.headers["Guid"]) for one in late} == {("101", "fresh"), ("103", "guid-103")}


def test_a_file_written_by_half_keeps_the_seats_of_before(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """If this fails, the moment in which the file is written makes all agents unobserved."""
    path = guids(tmp_path, "101")
    vendor = Vendor({status_of("101"): [state()]})

    def spoil(_: Asked) -> None:
        if len(vendor.asked) == 2:
            path.write_text('{"101": "gui')

    vendor.respond = spoil
    listen(vendor, path, 6)
    assert vendor.asked[-1].headers["Guid"] == "guid-101"
    assert [record.message.count("guid_file") for record in caplog.records] == [1]


def test_cookies_and_new_guids_are_sent_back_by_the_seat_that_got_them(tmp_path: Path) -> None:
    """If this fails, a load balancer sends an agent's requests to a node that does not know it."""
    reply: Reply = {
        **state(),
        "headers": {"Set-Cookie": "NODE=7; Path=/; HttpOnly", "Set-GUID": "JSESSIONID=second.AgentGateway0"},
    }
    vendor = Vendor({status_of("101"): [reply, state()], status_of("102"): [state()]})
    listen(vendor, guids(tmp_path, "101", "102"), 6)
    seen = [(one.headers["Guid"], one.headers.get("Cookie")) for one in vendor.asked if "/101/" in one.path]
    assert seen[0] == ("guid-101", None)
    assert set(seen[1:]) == {("second.AgentGateway0", "NODE=7")}
    assert {one.headers.get("Cookie") for one in vendor.asked if "/102/" in one.path} == {None}


@pytest.mark.parametrize("status", [403, 429, 502])
def test_throttling_pauses_everybody_and_ends_the_stretch(tmp_path: Path, status: int) -> None:
    """If this fails, a gateway that is asked too often is asked as often as before, or the gap counts as observed."""
    answers: list[Reply] = [state()] * 3 + [web.Response(status=status)]
    vendor = Vendor({status_of("101"): answers})
    notes = play(
        vendor,
        lambda url: GatewayClient(config(url, guid_file=str(guids(tmp_path, "101")))),
        lambda notes: "lost" in notes.words(),
    )
    assert len(vendor.asked) <= 6
    assert str(status) in notes.reasons[0]
    lost = next(at for word, at in notes.told if word == "lost")
    good = [page.received_at for page in notes.pages if page.status == 200]
    assert lost == max(good)


def test_a_gateway_that_is_gone_is_left_alone_and_noticed_when_it_returns(tmp_path: Path) -> None:
    """If this fails, hundreds of connections a second hit a machine that starts, or recording never resumes."""
    gone = web.Response(status=503)
    vendor = Vendor({status_of("101"): [state(), gone, state()]})
    notes = play(
        vendor,
        lambda url: GatewayClient(config(url, guid_file=str(guids(tmp_path, "101")))),
        lambda notes: list(notes.words()).count("watching") == 2,
    )
    assert [word for word in notes.words() if word != "alive"] == ["watching", "lost", "watching"]


def test_a_seat_that_is_refused_is_told_of_and_asked_for_again_later(tmp_path: Path) -> None:
    """If this fails, a wrong address looks like a quiet night, or one refusal costs an agent's rest of the day."""
    path = guids(tmp_path, "101")
    vendor = Vendor({status_of("101"): [refusal("000-002"), state()]})
    notes = play(
        vendor,
        lambda url: GatewayClient(config(url, guid_file=str(path)), Patience(refused=0.4)),
        lambda notes: "watching" in notes.words(),
    )
    assert "000-002" in notes.reasons[0]
    assert "base_url" in notes.reasons[0]
    first, second = [page.requested_at for page in notes.pages][:2]
    assert (second - first).total_seconds() >= 0.4


@pytest.mark.parametrize("code", ["000-000", "104-001", "000-004"])
def test_a_fault_that_passes_costs_no_seat(tmp_path: Path, code: str) -> None:
    """If this fails, a second of trouble at the gateway ends the polling of all agents."""
    vendor = Vendor({status_of("101"): [state(), refusal(code), state()], status_of("102"): [refusal(code), state()]})

    def answered(notes: Notes, agent: str) -> bool:
        said = [page.payload for page in notes.pages if page.request == status_of(agent)]
        return any(code.encode() in one for one in said[:-1]) and b"isWorking" in said[-1]

    play(
        vendor,
        lambda url: GatewayClient(config(url, guid_file=str(guids(tmp_path, "101", "102")))),
        lambda notes: answered(notes, "101") and answered(notes, "102"),
    )
    assert len(vendor.asked) < 100


@pytest.mark.parametrize(("content", "said"), [(None, "cannot be read (FileNotFoundError"), ("{}", "names no agent")])
def test_a_file_without_seats_is_told_of_at_once(tmp_path: Path, content: str | None, said: str) -> None:
    """If this fails, `shiftbook sources` blames the network for a file that is missing."""
    path = tmp_path / "guids.json"
    if content is not None:
        path.write_text(content)
    notes = play(
        Vendor(),
        lambda url: GatewayClient(config(url, guid_file=str(path), poll_seconds=300)),
        lambda notes: bool(notes.reasons),
    )
    assert f"aicc: guid_file {path} {said}" in notes.reasons[0]


def own(url: str) -> GatewayClient:
    """A client that signs seat 101 in itself."""
    return GatewayClient(config(url, agents=seats("101")), QUICK)


def signing_in(*replies: Reply) -> Vendor:
    """A gateway that answers sign-ins so, and everything else well."""
    return Vendor(
        {
            f"PUT {GATEWAY}/onlineagent/101": list(replies),
            f"GET {GATEWAY}/agentevent/101": [{"retcode": "0", "event": None}],
            f"DELETE {GATEWAY}/onlineagent/101/logout": [{"retcode": "0"}],
            status_of("101"): [state(3)],
        }
    )


def admitted(guid: str = "first") -> Reply:
    """A sign-in that worked."""
    return {"retcode": "0", "result": {}, "headers": {"Set-GUID": f"JSESSIONID={guid}.AgentGateway0"}}


def test_an_own_seat_is_signed_in_not_ready_kept_alive_polled_and_signed_out() -> None:
    """If this fails, calls are routed to an empty seat, the gateway signs it out, or its licence stays used."""
    vendor = signing_in(admitted())
    notes = play(vendor, own, lambda notes: len(notes.pages) >= 3)
    assert json.loads(vendor.asked[0].body) == {"password": "hunter2", "phonenum": "88101", "status": "3"}
    assert vendor.paths("agentevent")
    assert vendor.asked[-1].method == "DELETE"
    assert {one.headers["Guid"] for one in vendor.asked[1:]} == {"first.AgentGateway0"}
    assert not any("hunter2" in page.request for page in notes.pages)


def test_a_guid_that_rotates_with_the_event_poll_is_used_for_states_too() -> None:
    """If this fails, polling stops two minutes after signing in."""
    vendor = signing_in(admitted())
    vendor.scripts[f"GET {GATEWAY}/agentevent/101"] = [
        {"retcode": "0", "event": None, "headers": {"Set-GUID": "JSESSIONID=next"}},
        {"retcode": "0", "event": None},
    ]
    play(vendor, own, lambda notes: len(notes.pages) >= 5)
    assert [one.headers["Guid"] for one in vendor.asked if "agentstatus" in one.path][-1] == "next"


def test_events_are_given_on_because_the_gateway_forgets_them() -> None:
    """If this fails, what the vendor said of our own seats is lost."""
    vendor = signing_in(admitted())
    event = {"eventType": "AgentState_Ready", "workNo": "101", "content": None}
    vendor.scripts[f"GET {GATEWAY}/agentevent/101"] = [
        {"retcode": "0", "event": event},
        {"retcode": "0", "event": None},
    ]
    notes = play(vendor, own, lambda notes: len(notes.pages) >= 4)
    assert [page.request for page in notes.pages].count(f"GET {GATEWAY}/agentevent/101") == 1


def test_a_seat_that_lost_its_session_is_signed_in_again() -> None:
    """If this fails, one failover ends the recording of our own seats."""
    vendor = signing_in(admitted("one"), admitted("two"))
    vendor.scripts[f"GET {GATEWAY}/agentevent/101"] = [
        {"retcode": "0", "event": None},
        refusal("100-006"),
        {"retcode": "0", "event": None},
    ]
    play(vendor, own, lambda _: len(vendor.paths("PUT")) == 2 and len(vendor.paths("agentevent")) >= 5)
    assert vendor.asked[-2].headers["Guid"] == "two.AgentGateway0"


def test_nobody_is_thrown_out_of_a_seat_in_use() -> None:
    """If this fails, a human is signed out in the midst of a call."""
    vendor = signing_in(refusal("100-002"))
    notes = play(vendor, own, lambda notes: bool(notes.reasons) and len(vendor.paths("PUT")) >= 2)
    assert "aicc: agent 101: retcode 100-002: somebody is signed in" in notes.reasons[0]
    assert len(vendor.paths("PUT")) <= 10
    assert not vendor.paths("force")
    assert not vendor.paths("DELETE")


def test_a_seat_in_use_is_tried_more_rarely_and_had_when_it_is_free() -> None:
    """If this fails, a seat that was in use when we came is not recorded for the rest of the day."""
    vendor = signing_in(*[refusal("100-002")] * 6, admitted())
    patience = Patience(between=0.01, again=0.02, taken=0.05, refused=0.2)
    notes = play(
        vendor,
        lambda url: GatewayClient(config(url, agents=seats("101")), patience),
        lambda notes: "watching" in notes.words(),
    )
    assert len(vendor.paths("PUT")) == 7
    assert any(b"isWorking" in page.payload for page in notes.pages)


@pytest.mark.parametrize(("code", "advice"), [("100-004", "password"), ("100-014", "phone")])
def test_a_refused_sign_in_is_told_of_and_repeated_rarely(code: str, advice: str) -> None:
    """If this fails, a wrong password locks the account, or a number that was mended waits for a restart."""
    vendor = signing_in(refusal(code))
    notes = play(vendor, own, lambda notes: bool(notes.reasons))
    assert advice in notes.reasons[0]
    assert len(vendor.paths("PUT")) == 1
    assert QUICK.after("100-014") == 300.0
    assert QUICK.after("100-004") == 3600.0


def test_a_late_refusal_of_an_old_guid_does_not_end_a_new_sign_in() -> None:
    """If this fails, a seat that has just signed in again does so twice, and is refused as in use by itself."""
    vendor = signing_in(admitted("one"), admitted("two"), refusal("100-002"))
    asking: list[str] = []

    def beat(asked: Asked) -> Reply | None:
        old = "agentevent" in asked.path and "one" in asked.headers["Guid"]
        return refusal("100-006") if old and asking else None

    async def handle(request: web.Request) -> web.StreamResponse:
        if "agentstatus" in request.path and "one" in request.headers["Guid"]:
            asking.append(request.path)
            await until(lambda: len(vendor.paths("PUT")) == 2 and "agentevent" in vendor.asked[-1].path)
            vendor.scripts[status_of("101")] = [refusal("100-006"), state(3)]
        return await whole(request)

    vendor.respond = beat
    whole = vendor.handle
    vendor.handle = handle  # type: ignore[method-assign]
    notes = play(vendor, own, lambda notes: sum(b"isWorking" in page.payload for page in notes.pages) >= 2)
    assert any(b"100-006" in page.payload for page in notes.pages)
    assert len(vendor.paths("PUT")) == 2


def test_events_and_states_share_the_limit_of_requests() -> None:
    """If this fails, seats of our own are asked for more often than max_requests_per_minute allows."""
    vendor = signing_in(admitted())
    began = time.monotonic()
    play(
        vendor,
        lambda url: GatewayClient(config(url, agents=seats("101"), max_requests_per_minute=1200), QUICK),
        lambda _: len(vendor.asked) >= 12,
    )
    assert len(vendor.asked) - 1 <= (time.monotonic() - began) / 0.05 + 2  # the last is the farewell
    assert vendor.paths("agentevent")
    assert vendor.paths("agentstatus")


def test_a_sign_in_that_fails_for_now_is_repeated() -> None:
    """If this fails, a gateway in the midst of a failover loses our seats for good."""
    vendor = signing_in(refusal("100-003"), admitted())
    notes = play(vendor, own, lambda notes: bool(notes.pages))
    assert len(vendor.paths("PUT")) == 2
    assert notes.pages


def test_a_missing_password_ends_listening_without_a_request() -> None:
    """If this fails, an empty password is tried."""
    client = GatewayClient(
        config("http://127.0.0.1:1", agents=[{"id": "101", "password": "${NOBODY}", "phone": "1"}]), QUICK
    )
    with pytest.raises(LiveError, match="NOBODY"):
        asyncio.run(client.run(Notes()))
