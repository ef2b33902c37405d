"""Seats that a client signs in at the simulated CC-Gateway: GUIDs, events and ways out."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from itertools import takewhile
from typing import Any

import pytest
import requests

from simulator.centre import Centre
from simulator.clock import SimClock
from simulator.facts import millis, moment_of
from simulator.huawei import HuaweiServer
from simulator.huawei_states import HuaweiDialect, StateBook
from tests.contract.served_huawei import FIRST, MIDNIGHT, NOON, QUICK, at_work, away, present, resource, status


def sign_in(aicc: HuaweiServer, number: str, action: str = "", /, **body: object) -> requests.Response:
    """Sign a seat in."""
    wish = {"password": aicc.passwords.get(number, ""), "phonenum": "8801"} | body
    return requests.put(resource(aicc, f"onlineagent/{number}{action}"), json=wish, timeout=10)


def guid_of(reply: requests.Response) -> str:
    """Return the GUID that a reply's header brings."""
    return reply.headers["Set-GUID"].removeprefix("JSESSIONID=")


def poll(aicc: HuaweiServer, number: str, guid: str) -> requests.Response:
    """Poll for the next event."""
    return requests.get(resource(aicc, f"agentevent/{number}"), headers={"guid": guid}, timeout=30)


def events(aicc: HuaweiServer, number: str, guid: str) -> list[dict[str, Any]]:
    """Poll until there is no event."""
    answers = iter(lambda: poll(aicc, number, guid).json(), None)
    return [answer["event"] for answer in takewhile(lambda answer: answer.get("event"), answers)]


def kinds(told: list[dict[str, Any]]) -> list[str]:
    """Return the types of events."""
    return [event["eventType"] for event in told]


def test_signing_in_answers_as_documented(aicc: HuaweiServer) -> None:
    """If this failed, a client would not find its GUID, or trip over numbers that are text."""
    number = away(aicc)
    reply = sign_in(aicc, number)
    assert reply.json()["result"] == {
        "vdnid": 1,
        "workno": number,
        "mediatype": "TTF",
        "loginTime": str(millis(NOON)),
        "isForceChange": "false",
        "serverName": "AgentGateway",
        "timeRemaining": "9",
    }
    assert reply.headers["Set-GUID"].startswith("JSESSIONID=")
    assert reply.headers["Set-GUID"].endswith(".AgentGateway0")
    assert status(aicc, number, guid_of(reply))["result"] == {"agentState": 4, "isWorking": False}


@pytest.mark.parametrize(
    ("body", "retcode"),
    [
        ({"password": "wrong"}, "100-004"),
        ({"phonenum": ""}, "100-001"),
        ({"phonenum": "8" * 25}, "100-011"),
        ({"status": 8}, "100-011"),
        ({"status": "x"}, "100-011"),
        ({"status": []}, "100-011"),
    ],
)
def test_a_bad_sign_in_is_refused(aicc: HuaweiServer, body: dict[str, object], retcode: str) -> None:
    """If this failed, a client's mistake would look like a seat."""
    number = away(aicc)
    assert sign_in(aicc, number, **body).json()["retcode"] == retcode
    assert status(aicc, number, "")["retcode"] == "100-006"


def test_whoever_is_signed_in_must_be_forced(aicc: HuaweiServer) -> None:
    """If this failed, a client could take a person's seat without meaning to."""
    number = present(aicc)
    desktop = aicc.guids()[number]
    assert sign_in(aicc, number).json()["retcode"] == "100-002"
    assert status(aicc, number, desktop)["retcode"] == "0"
    own = away(aicc)
    assert [sign_in(aicc, own).json()["retcode"] for _ in range(2)] == ["0", "100-002"]
    forced = sign_in(aicc, number, "/forcelogin")
    assert forced.json()["retcode"] == "0"
    assert status(aicc, number, guid_of(forced))["retcode"] == "0"
    assert status(aicc, number, desktop)["retcode"] == "000-003"


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        (3, ["AgentOther_InService", "AgentState_Ready", "AgentState_SetNotReady_Success"]),
        (4, ["AgentOther_InService", "AgentState_Ready"]),
        ("5", ["AgentOther_InService", "AgentState_Ready", "AgentState_Work"]),
    ],
)
def test_a_passing_ready_comes_first(aicc: HuaweiServer, wish: int | str, told: list[str]) -> None:
    """If this failed, a client that believes the first Ready would not be caught."""
    number = away(aicc)
    guid = guid_of(sign_in(aicc, number, status=wish))
    assert kinds(events(aicc, number, guid)) == told
    assert status(aicc, number, guid)["result"]["agentState"] == int(wish)


def test_each_poll_brings_one_event(aicc: HuaweiServer) -> None:
    """If this failed, a client would be tested against batches that do not exist."""
    number = away(aicc)
    guid = guid_of(sign_in(aicc, number))
    told = poll(aicc, number, guid).json()
    assert told == {
        "message": "",
        "retcode": "0",
        "event": {
            "eventType": "AgentOther_InService",
            "workNo": number,
            "content": None,
            "eventGenTime": millis(NOON),
        },
    }
    aicc.set_dialect(HuaweiDialect(event_gen_time=False, empty_poll="absent", poll_wait_seconds=0))
    assert "eventGenTime" not in poll(aicc, number, guid).json()["event"]
    assert poll(aicc, number, guid).json() == {"message": "", "retcode": "0"}
    aicc.set_dialect(QUICK)
    assert poll(aicc, number, guid).json() == {"message": "", "retcode": "0", "event": None}


def test_a_poll_waits_for_an_event(aicc: HuaweiServer) -> None:
    """If this failed, polling would be a busy loop here and a long poll there."""
    aicc.set_dialect(HuaweiDialect(poll_wait_seconds=0.3))
    number = away(aicc)
    guid = guid_of(sign_in(aicc, number))
    assert len(events(aicc, number, guid)) == 2
    began = time.monotonic()
    assert poll(aicc, number, guid).json()["event"] is None
    assert 0.3 <= time.monotonic() - began < 5


def test_an_event_ends_the_wait(aicc: HuaweiServer) -> None:
    """If this failed, events would be told late."""
    aicc.set_dialect(HuaweiDialect(poll_wait_seconds=20))
    agent, session = next((a, s) for a, s in at_work(aicc, NOON + timedelta(hours=9)) if s.started > millis(NOON))
    number = aicc.agent_ids[agent.agent_id]
    aicc.clock.set(moment_of(session.started) - timedelta(seconds=30))
    guid = guid_of(sign_in(aicc, number))
    assert kinds([poll(aicc, number, guid).json()["event"] for _ in range(2)])[1] == "AgentState_Ready"
    heard: list[dict[str, Any]] = []
    waiting = threading.Thread(target=lambda: heard.append(poll(aicc, number, guid).json()["event"]))
    waiting.start()
    aicc.clock.set(moment_of(session.started) + timedelta(seconds=30))
    waiting.join(10)
    assert kinds(heard) == ["AgentState_SetNotReady_Success"]


def test_the_days_events_tell_the_days_states(aicc: HuaweiServer) -> None:
    """If this failed, a recorder of events and a sampler of states would contradict each other here alone."""
    agent, session = next((a, s) for a, s in at_work(aicc, NOON) if s.ended and s.started > millis(MIDNIGHT))
    number = aicc.agent_ids[agent.agent_id]
    aicc.set_dialect(HuaweiDialect(poll_wait_seconds=0, silence_seconds=86_400, guid_rotation=False))
    aicc.clock.set(moment_of(session.started))
    guid = guid_of(sign_in(aicc, number, "/forcelogin", status=3))
    aicc.clock.set(moment_of((session.ended or 0) - 1))
    told = events(aicc, number, guid)[3:]
    told.sort(key=lambda event: event["eventGenTime"])
    names = {"AgentState_Work": 5, "AgentState_SetRest_Success": 8, "AgentState_SetNotReady_Success": 3}
    names |= {"AgentState_Busy": 7}
    heard = [
        (event["eventGenTime"], names.get(event["eventType"], 4))
        for event in told
        if event["eventType"].startswith("AgentState_")
    ]
    book = StateBook(aicc.centre, (agent,), aicc.dialect).stretches(agent)
    true = [(stretch.at, stretch.state) for stretch in book if stretch.session is session]
    assert heard == true[1:]
    assert {"AgentEvent_Talking", "AgentEvent_Call_Release", "AgentState_CancelRest_Success"} <= set(kinds(told))
    rests = [event["content"] for event in told if event["eventType"] == "AgentState_SetRest_Success"]
    assert {rest["reason"] for rest in rests} <= {"200", "201"}


def test_polling_renews_the_guid(aicc: HuaweiServer) -> None:
    """If this failed, a client that misses the header of a poll would not be caught."""
    number = away(aicc)
    first = guid_of(sign_in(aicc, number))
    for seconds in (30, 59):
        aicc.clock.set(NOON + timedelta(seconds=seconds))
        assert "Set-GUID" not in poll(aicc, number, first).headers
    aicc.clock.set(NOON + timedelta(seconds=60))
    second = guid_of(poll(aicc, number, first))
    assert second != first
    aicc.clock.set(NOON + timedelta(seconds=119))
    assert status(aicc, number, first)["retcode"] == status(aicc, number, second)["retcode"] == "0"
    aicc.clock.set(NOON + timedelta(seconds=120))
    assert status(aicc, number, first)["retcode"] == "000-003"
    assert poll(aicc, number, first).json()["retcode"] == "000-003"
    assert "Set-GUID" in poll(aicc, number, second).headers


def test_silence_signs_a_seat_out(aicc: HuaweiServer) -> None:
    """If this failed, a client that forgets to poll would not be caught."""
    aicc.set_dialect(HuaweiDialect(guid_rotation=False, poll_wait_seconds=0))
    number = away(aicc)
    guid = guid_of(sign_in(aicc, number))
    aicc.clock.set(NOON + timedelta(seconds=120))
    assert status(aicc, number, guid)["retcode"] == "0"
    assert poll(aicc, number, guid).json()["retcode"] == "0"
    aicc.clock.set(NOON + timedelta(seconds=240))
    assert status(aicc, number, guid)["retcode"] == "0"
    aicc.clock.set(NOON + timedelta(seconds=240, milliseconds=1))
    assert status(aicc, number, guid)["retcode"] == "100-006"
    assert poll(aicc, number, guid).json()["retcode"] == "100-006"


def sign_out(aicc: HuaweiServer, number: str, guid: str, action: str = "logout") -> dict[str, Any]:
    """Sign a seat out."""
    reply = requests.delete(resource(aicc, f"onlineagent/{number}/{action}"), headers={"guid": guid}, timeout=10)
    answer: dict[str, Any] = reply.json()
    return answer


@pytest.mark.parametrize("action", ["logout", "forcelogout", "forcelogoutwithreason/17"])
def test_ones_own_sign_out_is_not_told(aicc: HuaweiServer, action: str) -> None:
    """If this failed, a client that waits for the event would not be caught."""
    number = away(aicc)
    guid = guid_of(sign_in(aicc, number))
    assert sign_out(aicc, number, "other", action)["retcode"] == "000-003"
    assert sign_out(aicc, number, guid, action)["retcode"] == "0"
    assert poll(aicc, number, guid).json()["retcode"] == "100-006"
    assert sign_out(aicc, number, guid, action)["retcode"] == "100-006"


def test_ones_own_sign_out_can_be_told(aicc: HuaweiServer) -> None:
    """If this failed, the older text, where the event may come, could not be simulated."""
    aicc.set_dialect(HuaweiDialect(own_sign_out_event=True, poll_wait_seconds=0))
    number = away(aicc)
    guid = guid_of(sign_in(aicc, number))
    assert sign_out(aicc, number, guid)["retcode"] == "0"
    assert status(aicc, number, guid)["retcode"] == "100-006"
    assert poll(aicc, number, guid).json()["event"]["eventType"] == "AgentOther_ShutdownService"
    assert poll(aicc, number, guid).json()["retcode"] == "100-006"


def test_an_inspectors_sign_out_is_told(aicc: HuaweiServer) -> None:
    """If this failed, being thrown out would never be met."""
    number = away(aicc)
    guid = guid_of(sign_in(aicc, number))
    order = {"agent": number}
    assert requests.post(f"{aicc.base_url}/_simulator/dismiss", json=order, timeout=10).json() == {"dismissed": number}
    told = poll(aicc, number, guid).json()["event"]
    assert told["eventType"] == "AgentOther_ShutdownService"
    assert told["content"] == {"loginTime": str(millis(NOON))}
    assert poll(aicc, number, guid).json()["retcode"] == "100-006"
    assert requests.post(f"{aicc.base_url}/_simulator/dismiss", json=order, timeout=10).status_code == 400


def test_closing_answers_the_polls_that_wait() -> None:
    """If this failed, stopping the simulator would take as long as its longest poll."""
    centre = Centre.simulate(5, 2, FIRST, 1)
    site = HuaweiServer(centre, SimClock(MIDNIGHT), dialect=HuaweiDialect(poll_wait_seconds=60)).start()
    number = away(site, MIDNIGHT)
    guid = guid_of(sign_in(site, number))
    for _ in range(2):
        poll(site, number, guid)
    told: list[object] = []
    waiting = threading.Thread(target=lambda: told.append(poll(site, number, guid).json()["event"]))
    waiting.start()
    until = time.monotonic() + 10
    while site.stats()["in_flight"] != 1 and time.monotonic() < until:
        time.sleep(0.01)
    began = time.monotonic()
    site.api.gateway.closing.set()
    waiting.join(10)
    site.close()
    assert time.monotonic() - began < 5
    assert told == [None]


def test_a_cluster_knows_a_seat_by_its_cookie(aicc: HuaweiServer) -> None:
    """If this failed, a client that drops the balancer's cookie would work here and fail at a cluster."""
    aicc.set_dialect(HuaweiDialect(poll_wait_seconds=0, sticky=True))
    number, person = away(aicc), present(aicc)
    reply = sign_in(aicc, number)
    held = {"guid": guid_of(reply), "Cookie": reply.headers["Set-Cookie"].split(";")[0]}
    where = resource(aicc, f"onlineagent/{number}")
    assert (
        status(aicc, number, held["guid"])["retcode"] == poll(aicc, number, held["guid"]).json()["retcode"] == "000-003"
    )
    assert requests.get(f"{where}/agentstatus", headers=held, timeout=10).json()["retcode"] == "0"
    assert requests.get(resource(aicc, f"agentevent/{number}"), headers=held, timeout=10).json()["retcode"] == "0"
    assert requests.delete(f"{where}/logout", headers=held, timeout=10).json()["retcode"] == "0"
    assert status(aicc, person, aicc.guids()[person])["retcode"] == "0"
