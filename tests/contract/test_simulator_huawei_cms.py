"""The simulated CC-CMS and CC-FS over real sockets: signatures, states, operation records and exports."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from simulator.facts import millis, moment_of
from simulator.faults import Faults
from simulator.huawei import HuaweiServer
from simulator.huawei_cms import NEVER_SIGNED_IN
from simulator.huawei_signature import canonical
from simulator.huawei_states import HuaweiDialect, StateBook
from simulator.wire import Request
from tests.contract.served_huawei import MIDNIGHT, NOON, TOTAL, Rows, at_work, away, cms, present, rows, signed, status

STATES = "agentgroup/agentstatusinfobyagentids"
# Gateway code by CTI code: the same agent in the vendor's two numberings.
GATEWAY = {0: 2, 1: 4, 5: 7, 6: 5, 7: 3, 8: 8}


# -- signatures -----------------------------------------------------------------------------


def test_the_canonical_request_is_the_published_one() -> None:
    """If this failed, requests signed by the vendor's own library would be refused."""
    request = Request(
        "GET",
        "/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs",
        "limit=2&marker=13551d6b-755d-4757-b956-536f674975c0",
        {
            "content-type": "application/json",
            "host": "service.region.example.com",
            "x-sdk-date": "20191115T033655Z",
        },
    )
    text = canonical(request, ["content-type", "host", "x-sdk-date"])
    published = "b25362e603ee30f4f25e7858e8a7160fd36e803bb2dfe206278659d71a9bcd7a"
    assert hashlib.sha256(text.encode()).hexdigest() == published


def test_requests_without_a_good_signature_get_401(aicc: HuaweiServer) -> None:
    """If this failed, a wrong key or a changed body would go unnoticed."""
    where = {"ccId": 1, "vdn": 1}
    good = signed(aicc, TOTAL, where)
    assert good.status_code == 200
    assert signed(aicc, TOTAL, where, secret="another").status_code == 401
    stale = (datetime.now(UTC) - timedelta(minutes=16)).strftime("%Y%m%dT%H%M%SZ")
    assert signed(aicc, TOTAL, where, stamp=stale).status_code == 401
    assert signed(aicc, TOTAL, where, stamp="today").status_code == 401
    assert signed(aicc, TOTAL, where, stamp=NOON.strftime("%Y%m%dT%H%M%SZ")).status_code == 200
    headers = dict(good.request.headers)
    changed = json.dumps(where | {"vdn": 2})
    assert requests.post(aicc.base_url + TOTAL, data=changed, headers=headers, timeout=10).status_code == 401
    unsorted = headers | {"Authorization": headers["Authorization"].replace("content-type;host", "host;content-type")}
    assert requests.post(aicc.base_url + TOTAL, data=json.dumps(where), headers=unsorted, timeout=10).status_code == 401
    assert requests.post(aicc.base_url + TOTAL, json=where, timeout=10).status_code == 401


# -- states ---------------------------------------------------------------------------------


def test_data_come_twice_or_in_either_place(aicc: HuaweiServer) -> None:
    """If this failed, a client that reads only the legacy attribute would not be caught."""
    answer = cms(aicc, "vdn/totalagentstate")
    assert answer["result"] == "0"
    assert answer["resultDesc"] == answer["resultDatas"]
    assert len(answer["resultDesc"]) == len(aicc.agent_ids)
    aicc.set_dialect(HuaweiDialect(envelope="new"))
    assert "resultDatas" not in cms(aicc, "vdn/totalagentstate")
    aicc.set_dialect(HuaweiDialect(envelope="legacy"))
    assert "resultDesc" not in cms(aicc, "vdn/totalagentstate")


def test_states_have_the_other_numbering(aicc: HuaweiServer) -> None:
    """If this failed, 7, talking at the gateway and busy here, would not be told apart."""
    seen: set[int] = set()
    for minutes in range(0, 600, 25):
        aicc.clock.set(MIDNIGHT + timedelta(hours=8, minutes=minutes))
        states = {str(row["agentId"]): row["state"] for row in rows(aicc, "vdn/totalagentstate")}
        for number, guid in aicc.guids().items():
            assert status(aicc, number, guid)["result"]["agentState"] == GATEWAY[states[number]]
        assert {number for number, state in states.items() if state} == set(aicc.guids())
        seen |= set(states.values())
    assert seen == set(GATEWAY)


def test_a_state_comes_with_its_age_and_the_one_before(aicc: HuaweiServer) -> None:
    """If this failed, a change missed between two polls could not be recovered."""
    book = StateBook(aicc.centre, aicc.centre.agents, aicc.dialect)
    numbers = [int(number) for number in aicc.agent_ids.values()]
    for minutes in range(0, 240, 17):
        now = NOON + timedelta(minutes=minutes, milliseconds=777)
        aicc.clock.set(now)
        for row in rows(aicc, STATES, agentIds=numbers):
            agent = aicc.centre.agents[row["agentId"] - 101]
            place = book.place(agent, millis(now))
            found = book.stretches(agent)
            assert row["currentState"] == found[place].cti
            assert row["currentStateTime"] == (millis(now) - found[place].at) // 1000
            if place:
                assert row["prevState"] == found[place - 1].cti
                assert row["prevStateTime"] == (found[place].at - found[place - 1].at) // 1000
            assert (row["currentStateReason"] >= 200) == (row["currentState"] == 8)


def test_whoever_is_signed_out_signed_in_in_2106(aicc: HuaweiServer) -> None:
    """If this failed, the vendor's stand-in for no sign-in would never be met."""
    assert moment_of(NEVER_SIGNED_IN).isoformat() == "2106-02-07T06:28:15+00:00"
    agent, session = at_work(aicc, NOON)[0]
    numbers = [away(aicc), aicc.agent_ids[agent.agent_id]]
    assert [row["logonTime"] for row in rows(aicc, STATES, agentIds=numbers)] == [NEVER_SIGNED_IN, session.started]
    aicc.set_dialect(HuaweiDialect(stringly_epochs=True, numeric_ids=False))
    told = rows(aicc, STATES, agentIds=numbers)
    assert [row["logonTime"] for row in told] == [str(NEVER_SIGNED_IN), str(session.started)]
    assert [row["agentId"] for row in told] == numbers


def test_states_can_lag(aicc: HuaweiServer) -> None:
    """If this failed, a CMS that is behind the gateway could not be simulated."""
    before = rows(aicc, "vdn/totalagentstate")
    aicc.clock.set(NOON + timedelta(minutes=30))
    assert rows(aicc, "vdn/totalagentstate") != before
    aicc.set_dialect(HuaweiDialect(state_lag_seconds=1800))
    assert rows(aicc, "vdn/totalagentstate") == before


@pytest.mark.parametrize("limit", [1, 3, 20, 1000])
@pytest.mark.parametrize("path", ["vdn/totalagentdynamicinfo", "vdn/totalagentabstractex3"])
def test_pages_give_every_agent_once(aicc: HuaweiServer, path: str, limit: int) -> None:
    """If this failed, paging would lose or repeat agents."""
    found: Rows = []
    while True:
        page = cms(aicc, path, limit=limit, offset=len(found) // limit * limit)
        assert page["count"] == 20
        found += page["resultDatas"]
        if len(found) >= page["count"]:
            break
    assert [row["agentId"] for row in found] == [int(number) for number in aicc.agent_ids.values()]
    states = {row["agentId"]: row["state"] for row in rows(aicc, "vdn/totalagentstate")}
    assert {row["agentId"]: row.get("state", row.get("currentState")) for row in found} == states


def test_the_count_can_lie(aicc: HuaweiServer) -> None:
    """If this failed, a count could be trusted blindly."""
    aicc.set_faults(Faults(wrong_total=7))
    assert cms(aicc, "vdn/totalagentdynamicinfo", limit=10, offset=0)["count"] == 27


def test_one_agent_is_told_in_both_numberings(aicc: HuaweiServer) -> None:
    """If this failed, the page whose names differ from endpoint to endpoint could not be simulated."""
    number = present(aicc)
    (camel,) = rows(aicc, "agent/agentbyworkno", agentId=number)
    (lower,) = rows(aicc, "agentgroup/agentbyworkno", agentId=int(number))
    assert GATEWAY[camel["citStatus"]] == camel["status"]
    assert {name.lower(): value for name, value in camel.items()} == lower
    assert camel["workNo"] == lower["workno"] == number


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("vdn/totalagentstate", {"ccId": 2}),
        ("vdn/totalagentstate", {"vdn": None}),
        ("vdn/totalagentdynamicinfo", {"limit": 0, "offset": 0}),
        ("vdn/totalagentdynamicinfo", {"limit": 1001, "offset": 0}),
        ("vdn/totalagentdynamicinfo", {"limit": 10, "offset": 5}),
        (STATES, {"agentIds": []}),
        (STATES, {"agentIds": list(range(101, 6102))}),
        (STATES, {"agentIds": ["x"]}),
        ("agent/agentbyworkno", {"agentId": 999999}),
        ("agent/agentoprinfo", {"currentAgentId": 101, "beginTime": "", "endTime": ""}),
    ],
)
def test_bad_parameters_are_told_by_a_code(aicc: HuaweiServer, path: str, body: dict[str, Any]) -> None:
    """If this failed, a client's mistake would pass for an answer without rows."""
    answer = cms(aicc, path, **body)
    assert answer["resultCode"] != "0100000"
    assert answer["result"] != "0"


def test_release_36_tells_everybody_page_by_page_alone(aicc: HuaweiServer) -> None:
    """If this failed, the way that older platforms need would go untested."""
    everybody = rows(aicc, "vdn/totalagentstate")
    aicc.set_dialect(HuaweiDialect(cti_36=True))
    assert cms(aicc, "vdn/totalagentstate")["resultCode"] != "0100000"
    for path in ("vdn/totalagentdynamicinfo", "vdn/totalagentabstractex3"):
        pages = [rows(aicc, path, limit=7, offset=offset) for offset in range(0, len(everybody), 7)]
        assert [row["agentId"] for page in pages for row in page] == [row["agentId"] for row in everybody]


def test_somebody_can_join_the_list_while_it_is_paged(aicc: HuaweiServer) -> None:
    """If this failed, a client that takes pages for one snapshot would not be caught."""
    aicc.set_faults(Faults(unstable_pages=True))
    first, second = (rows(aicc, "vdn/totalagentdynamicinfo", limit=5, offset=offset) for offset in (0, 5))
    assert first[-1] == second[0]
    assert len(rows(aicc, "vdn/totalagentdynamicinfo", limit=1000, offset=0)) == len(aicc.agent_ids) - 1
