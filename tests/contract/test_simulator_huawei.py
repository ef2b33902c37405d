"""The simulated CC-Gateway over real sockets: retcodes, GUIDs, sign-in and events as the vendor's facts have them."""

from __future__ import annotations

import http.client
import json
import time
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import requests

from simulator.centre import Centre
from simulator.clock import SimClock
from simulator.facts import VOICE, millis, moment_of
from simulator.faults import Faults
from simulator.huawei import HuaweiServer
from simulator.huawei_states import HuaweiDialect, StateBook
from tests.contract.served_huawei import FIRST, MIDNIGHT, NOON, QUICK, at_work, away, present, resource, status

# -- status ---------------------------------------------------------------------------------


def test_a_status_is_the_documented_one(aicc: HuaweiServer) -> None:
    """If this failed, a client written to the sample would not read the simulator."""
    answer = status(aicc, present(aicc), aicc.guids()[present(aicc)])
    assert list(answer) == ["message", "retcode", "result"]
    assert (answer["message"], answer["retcode"]) == ("", "0")
    assert set(answer["result"]) == {"agentState", "isWorking"}


def test_codes_are_the_gateways_own(aicc: HuaweiServer) -> None:
    """If this failed, talking and busy, 7 in either numbering, would be mixed up."""
    seen = set()
    for minutes in range(0, 600, 7):
        moment = MIDNIGHT + timedelta(hours=8, minutes=minutes)
        aicc.clock.set(moment)
        live = [p for p in aicc.centre.participations if p.left and p.joined <= millis(moment) < p.left]
        for number, guid in list(aicc.guids().items())[:3]:
            state, working = status(aicc, number, guid)["result"].values()
            agent = aicc.centre.agents[int(number) - 101]
            said = [fact for fact in aicc.centre.presences[agent.number] if fact.at <= millis(moment)][-1]
            name = said.reason.name if said.reason else ""
            idle = 4 if said.ready else {"After Call Work": 5, "Break": 8, "Lunch": 8}.get(name, 3)
            handles = any(part.agent is agent for part in live)
            assert (state, working) == ((7, True) if handles else (idle, False))
            seen.add(state)
    assert seen == {3, 4, 5, 7, 8}


def test_whoever_is_signed_out_has_no_status(aicc: HuaweiServer) -> None:
    """If this failed, absence could not be told from a state, in any of the ways it may be answered."""
    number = away(aicc)
    assert status(aicc, number, "any")["retcode"] == "100-006"
    aicc.set_dialect(HuaweiDialect(signed_out="000-003"))
    assert status(aicc, number, "any")["retcode"] == "000-003"
    aicc.set_dialect(HuaweiDialect(signed_out="state"))
    assert status(aicc, number, "any")["result"] == {"agentState": 2, "isWorking": False}
    assert status(aicc, "999999", "any")["retcode"] == "100-006"


def test_the_result_can_be_an_array(aicc: HuaweiServer) -> None:
    """If this failed, the type in the vendor's table could not be simulated."""
    aicc.set_dialect(HuaweiDialect(result="array"))
    assert isinstance(status(aicc, present(aicc), aicc.guids()[present(aicc)])["result"], list)


def test_working_can_mean_voice_alone(aicc: HuaweiServer) -> None:
    """If this failed, a talk in writing could not read 7 without isWorking."""
    voice = {p.agent.number: p for p in aicc.centre.participations if p.channel == VOICE}
    chat = next(
        p
        for p in aicc.centre.participations
        if p.channel != VOICE and p.left and p.left - p.joined > 10_000 and p.agent.number not in voice
    )
    aicc.clock.set(moment_of(chat.joined + 5_000))
    number = str(101 + chat.agent.number)
    assert status(aicc, number, aicc.guids()[number])["result"] == {"agentState": 7, "isWorking": True}
    aicc.set_dialect(HuaweiDialect(working="voice"))
    assert status(aicc, number, aicc.guids()[number])["result"] == {"agentState": 7, "isWorking": False}


def test_ringing_can_read_talking(aicc: HuaweiServer) -> None:
    """If this failed, an offered call, 7 without isWorking, would never be met."""
    book = StateBook(aicc.centre, aicc.centre.agents, QUICK)
    agent, session = at_work(aicc, NOON)[0]
    number = str(101 + agent.number)
    found = book.stretches(agent)
    talk = next(
        after
        for before, after in pairwise(found)
        if after.session is session and after.state == 7 and before.state == 4 and after.at - before.at > 3_000
    )
    aicc.clock.set(moment_of(talk.at - 1_000))
    assert status(aicc, number, aicc.guids()[number])["result"]["agentState"] == 4
    aicc.set_dialect(HuaweiDialect(ring_seconds=2))
    assert status(aicc, number, aicc.guids()[number])["result"] == {"agentState": 7, "isWorking": False}


# -- GUIDs ----------------------------------------------------------------------------------


def test_a_desktops_guid_changes_each_minute_and_lives_for_two(aicc: HuaweiServer) -> None:
    """If this failed, a client that keeps a GUID too long would not be caught."""
    number = present(aicc)
    guid = aicc.guids()[number]
    for seconds, valid in ((0, True), (59, True), (60, True), (119, True), (120, False)):
        aicc.clock.set(NOON + timedelta(seconds=seconds))
        assert (aicc.guids()[number] == guid) == (seconds < 60)
        assert status(aicc, number, guid)["retcode"] == ("0" if valid else "000-003")


def test_guids_can_last_as_long_as_the_session(aicc: HuaweiServer) -> None:
    """If this failed, AUTHMODE=1 could not be simulated."""
    aicc.set_dialect(HuaweiDialect(guid_rotation=False))
    number = next(n for n in aicc.guids() if n in aicc_later(aicc))
    guid = aicc.guids()[number]
    aicc.clock.set(NOON + timedelta(minutes=10))
    assert status(aicc, number, guid)["retcode"] == "0"


def aicc_later(aicc: HuaweiServer) -> set[str]:
    """Return the work numbers of those who are still in the same session ten minutes later."""
    stays = {stay.session_id for _, stay in at_work(aicc, NOON)}
    later = at_work(aicc, NOON + timedelta(minutes=10))
    return {aicc.agent_ids[agent.agent_id] for agent, stay in later if stay.session_id in stays}


def test_nobody_elses_guid_is_accepted(aicc: HuaweiServer) -> None:
    """If this failed, GUIDs that are mixed up would go unnoticed."""
    first, second = list(aicc.guids().values())[:2]
    assert status(aicc, present(aicc), second)["retcode"] == "000-003"
    assert status(aicc, present(aicc), "")["retcode"] == "000-003"
    aicc.set_dialect(HuaweiDialect(bad_guid="100-006"))
    assert status(aicc, present(aicc), second)["retcode"] == "100-006"
    assert status(aicc, present(aicc), first)["retcode"] == "0"


def test_the_guid_file_has_all_who_are_signed_in(aicc: HuaweiServer, tmp_path: Path) -> None:
    """If this failed, a client that reads the site's file would see nobody, or the wrong ones."""
    path = tmp_path / "guids.json"
    with HuaweiServer(aicc.centre, SimClock(NOON), guid_file=path) as site:
        held = json.loads(path.read_bytes())
        assert held == site.guids() == requests.get(f"{site.base_url}/_simulator/guids", timeout=10).json()
        assert set(held) == {site.agent_ids[agent.agent_id] for agent, _ in at_work(site, NOON)}
        site.clock.set(NOON + timedelta(minutes=5))
        until = time.monotonic() + 10
        while json.loads(path.read_bytes()) != site.guids() and time.monotonic() < until:
            time.sleep(0.02)
        assert json.loads(path.read_bytes()) == site.guids() != held
    assert list(tmp_path.iterdir()) == [path]


# -- refusals and faults --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "retcode"),
    [
        ("POST", "agentevent/101", "000-001"),
        ("GET", "agentevent/", "000-002"),
        ("GET", "onlineagent/7/agentstatus", "000-002"),
        ("GET", "onlineagent/one/agentstatus", "000-002"),
        ("POST", "onlineagent/101/agentstatus", "000-002"),
        ("DELETE", "onlineagent/101", "000-002"),
        ("DELETE", "onlineagent/101/forcelogoutwithreason", "000-002"),
    ],
)
def test_bad_addresses_get_a_retcode(aicc: HuaweiServer, method: str, path: str, retcode: str) -> None:
    """If this failed, a client's mistake would look like a signed-out agent."""
    reply = requests.request(method, resource(aicc, path), timeout=10)
    assert (reply.status_code, reply.json()["retcode"]) == (200, retcode)


def test_addresses_of_nobody_get_404(aicc: HuaweiServer) -> None:
    """If this failed, a wrong base address would look like a gateway."""
    for path in ("/", "/agentgateway/other", "/rest/cmsapp/v1/openapi/none", "/CCFS/resource/ccfs/none"):
        assert requests.get(f"{aicc.base_url}{path}", timeout=10).status_code == 404


def test_requests_are_refused_at_their_rate(aicc: HuaweiServer) -> None:
    """If this failed, errors that come with HTTP 200 would go untested."""
    number = present(aicc)
    guid = aicc.guids()[number]
    faults = Faults(seed=1, refused_rate=0.5)
    aicc.set_faults(faults)
    met = [status(aicc, number, guid)["retcode"] for _ in range(60)]
    assert set(met) == {"0", "000-003", "000-004", "000-007", "100-006"}
    aicc.set_faults(faults)
    assert [status(aicc, number, guid)["retcode"] for _ in range(60)] == met


def test_a_failover_refuses_everybody_for_a_while(aicc: HuaweiServer) -> None:
    """If this failed, agents being switched over would never be met."""
    number = present(aicc)
    stretch = (NOON + timedelta(seconds=10), NOON + timedelta(seconds=20))
    aicc.set_faults(Faults(dropped=(stretch,), dropped_mode="error"))
    for seconds, retcode in ((9, "0"), (10, "000-004"), (19, "000-004"), (20, "0")):
        aicc.clock.set(NOON + timedelta(seconds=seconds))
        assert status(aicc, number, aicc.guids()[number])["retcode"] == retcode


def test_a_centre_may_be_spread_over_vendors(aicc: HuaweiServer) -> None:
    """If this failed, agents of another vendor would turn up here, or work numbers would shift."""
    some = {agent.agent_id for agent in aicc.centre.agents[::2]}
    with HuaweiServer(aicc.centre, SimClock(NOON), agents=some) as part:
        assert part.agent_ids == {name: number for name, number in aicc.agent_ids.items() if name in some}
        assert set(part.guids()) == set(aicc.guids()) & set(part.agent_ids.values())
        assert status(part, "102", aicc.guids().get("102", ""))["retcode"] == "100-006"


def test_two_thousand_agents_can_be_asked_every_five_seconds() -> None:
    """If this failed, a recorder that keeps up with a vendor would be held up by the simulator."""
    centre = Centre.simulate(5, 60, FIRST, 1)
    with HuaweiServer(centre, SimClock(MIDNIGHT - timedelta(hours=12))) as site:
        held = list(site.guids().items())
        connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=10)
        used = []
        for _ in range(5):
            began = time.process_time()
            for number, guid in held * 5:
                connection.request(
                    "GET", f"/agentgateway/resource/onlineagent/{number}/agentstatus", headers={"Guid": guid}
                )
                assert b'"retcode":"0"' in connection.getresponse().read()
            used.append((time.process_time() - began) / (5 * len(held)))
        connection.close()
        # 400 requests a second, client and server together: half a core.
        assert min(used) < 0.5 / 400
