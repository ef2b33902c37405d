"""The simulated Kore.ai over real sockets: what its documents say, and what goes wrong."""

from __future__ import annotations

import time
from datetime import timedelta
from itertools import pairwise

import jwt
import pytest
import requests

from simulator.clock import SimClock
from simulator.facts import millis
from simulator.faults import Faults
from simulator.kore import RATE_TEXT, KoreServer
from simulator.kore_auth import RateLimit
from simulator.kore_events import KoreDialect
from tests.contract.served_kore import MIDNIGHT, NOON, ask, get, instant, text, token, updates

# -- what is documented ---------------------------------------------------------------------


def test_the_reply_is_the_documented_one(kore: KoreServer) -> None:
    """If this failed, a client written to the sample would not read the simulator."""
    reply = ask(kore, MIDNIGHT, NOON).json()
    assert list(reply) == ["accountId", "AgentUpdates"]
    assert reply["accountId"] == kore.account_id
    assert {tuple(row) for row in reply["AgentUpdates"]} == {("AgentId", "EventTime", "Activity", "ReasonCode")}
    assert {row["AgentId"] for row in reply["AgentUpdates"]} <= set(kore.agent_ids.values())
    assert all(row["AgentId"].startswith("a-") for row in reply["AgentUpdates"])


def test_times_have_no_zone_and_an_unpadded_hour(kore: KoreServer) -> None:
    """If this failed, a parser that wants two digits would pass here and fail there."""
    assert all(row["EventTime"].startswith("3/3/2026 ") for row in updates(kore))
    early = [row["EventTime"] for row in updates(kore, MIDNIGHT + timedelta(hours=6), MIDNIGHT + timedelta(hours=10))]
    assert early
    assert all(len(moment.split(" ")[1]) == len("6:00:00") for moment in early)


def test_a_window_of_days_comes_whole_and_in_order(kore: KoreServer) -> None:
    """If this failed, the sample's window of four days would need paging that does not exist."""
    found = updates(kore, MIDNIGHT - timedelta(days=1), NOON)
    assert len(found) > 200
    assert [instant(row) for row in found] == sorted(instant(row) for row in found)


def test_neighbouring_windows_make_the_whole(kore: KoreServer) -> None:
    """If this failed, polling window by window would lose or repeat updates with nothing wrong."""
    edges = [MIDNIGHT + timedelta(hours=hours) for hours in range(13)]
    assert [row for a, b in pairwise(edges) for row in updates(kore, a, b)] == updates(kore)


def test_people_are_listed_with_their_names(kore: KoreServer) -> None:
    """If this failed, agents would remain numbers."""
    pages = [get(kore, {"offset": str(at), "limit": "8"}, path="agents").json() for at in (0, 8, 16, 24)]
    assert [len(page) for page in pages] == [8, 8, 4, 0]
    names = {row["agentId"]: f"{row['firstName']} {row['lastName']}" for page in pages for row in page}
    assert names == {kore.agent_ids[agent.agent_id]: agent.name for agent in kore.centre.agents}
    assert get(kore, {"offset": "x"}, path="agents").status_code == 400


def test_changes_are_seen_with_the_next_stack(kore: KoreServer) -> None:
    """If this failed, a client that reads too close to now would lose nothing here, but all there."""
    target = next(row for row in reversed(updates(kore)) if instant(row).second < 29)
    start = instant(target)
    edge = start.replace(second=0) + timedelta(seconds=30)
    for now, seen in ((edge - timedelta(milliseconds=1), False), (edge, True)):
        kore.clock.set(now)
        assert (target in updates(kore, start, start + timedelta(seconds=1))) == seen


def test_changes_can_be_seen_at_once(kore: KoreServer) -> None:
    """If this failed, the page's other statement, real-time, could not be simulated."""
    last = instant(updates(kore)[-1])
    kore.clock.set(last + timedelta(seconds=1))
    kore.set_dialect(KoreDialect(stack_seconds=0))
    assert instant(updates(kore)[-1]) == last


# -- what an account reports ----------------------------------------------------------------


def test_an_agents_day_begins_and_ends_with_its_own_words(kore: KoreServer) -> None:
    """If this failed, sign-ins and sign-outs could not be told from breaks."""
    kore.clock.set(MIDNIGHT + timedelta(days=2))
    for agent_id, name in kore.agent_ids.items():
        words = [row["Activity"] for row in updates(kore, MIDNIGHT - timedelta(days=1)) if row["AgentId"] == name]
        stays = [stay for stays in kore.centre.sessions for stay in stays if stay.agent.agent_id == agent_id]
        if words:
            assert words[0] == "login"
            assert words.count("login") == sum(stay.started < millis(NOON) for stay in stays)
            assert all(after == "login" for word, after in pairwise(words) if word == "logout")


def test_reasons_are_codes_of_the_accounts_dictionary(kore: KoreServer) -> None:
    """If this failed, reasons could not be compared with the truth."""
    given = {row["ReasonCode"] for row in updates(kore) if row["Activity"] == "notready"}
    assert given - {""} <= set(kore.reason_codes.values())
    assert len(given) > 3
    assert {row["ReasonCode"] for row in updates(kore) if row["Activity"] != "notready"} == {""}


def test_the_state_told_last_is_the_true_presence(kore: KoreServer) -> None:
    """If this failed, feed and truth would disagree on who was ready."""
    kore.set_dialect(KoreDialect(stack_seconds=0))
    told = {row["AgentId"]: (row["Activity"], row["ReasonCode"]) for row in updates(kore, MIDNIGHT - timedelta(days=1))}
    for agent, stays in zip(kore.centre.agents, kore.centre.sessions, strict=True):
        now = millis(NOON)
        live = [stay for stay in stays if stay.started < now and (stay.ended is None or stay.ended >= now)]
        activity, code = told.get(kore.agent_ids[agent.agent_id], ("logout", ""))
        if not live:
            assert activity == "logout"
            continue
        said = [fact for fact in kore.centre.presences[agent.number] if fact.at < now][-1]
        assert activity == ("ready" if said.ready else "notready")
        assert code == (kore.reason_codes[said.reason.name] if said.reason else "")


def test_several_updates_of_an_agent_share_a_second(kore: KoreServer) -> None:
    """If this failed, the collisions that a second's resolution brings would never be met."""
    rows = updates(kore, MIDNIGHT - timedelta(days=1))
    twins = [rows[n : n + 2] for n in range(len(rows) - 1)]
    assert any(a["AgentId"] == b["AgentId"] and a["EventTime"] == b["EventTime"] for a, b in twins)


def test_an_account_may_hold_some_of_the_agents(kore: KoreServer) -> None:
    """If this failed, a centre could not be spread over several vendors."""
    some = {agent.agent_id for agent in kore.centre.agents[:5]}
    with KoreServer(kore.centre, SimClock(NOON), agents=some) as part:
        assert set(part.agent_ids) == some
        assert part.agent_ids.items() <= kore.agent_ids.items()
        mine = set(part.agent_ids.values())
        assert updates(part) == [row for row in updates(kore) if row["AgentId"] in mine]
    with pytest.raises(ValueError, match="payroll"):
        KoreServer(kore.centre, agents=["nobody"])


# -- refusals -------------------------------------------------------------------------------


def test_a_token_of_another_secret_is_denied(kore: KoreServer) -> None:
    """If this failed, a wrong secret would go unnoticed."""
    good = {"fromTimeStamp": text(MIDNIGHT), "toTimeStamp": text(NOON)}
    bad = [
        "",
        "nonsense",
        "a.b.c",
        token(kore, "another-secret-of-the-same-length"),
        token(kore) + "x",
        token(kore, appId="cs-other"),
        token(kore, exp=int(NOON.timestamp()) - 60),
        jwt.encode({"appid": kore.app_id}, kore.client_secret, algorithm="HS256"),
        jwt.encode({"appId": kore.app_id}, kore.client_secret * 2, algorithm="HS512"),
        jwt.encode({"appId": kore.app_id}, "", algorithm="none"),
    ]
    for auth in bad:
        reply = get(kore, good, auth)
        assert reply.status_code == 401
        assert reply.json()["errors"][0]["code"] == 4002
    for clock in (time.time(), NOON.timestamp()):
        assert get(kore, good, token(kore, exp=int(clock) + 60)).status_code == 200


def test_an_app_without_the_scope_gets_403(kore: KoreServer) -> None:
    """If this failed, the commonest mistake, an unsaved scope, could not be told from a wrong secret."""
    auth = token(kore, appId=kore.account.unscoped_app_id)
    assert get(kore, {"fromTimeStamp": text(MIDNIGHT), "toTimeStamp": text(NOON)}, auth).status_code == 403


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"fromTimeStamp": "2026-03-03T00:00:00Z"},
        {"fromTimeStamp": "2026-03-03T00:00:00", "toTimeStamp": "2026-03-03T01:00:00Z"},
        {"fromTimeStamp": "3/3/2026 0:00:00", "toTimeStamp": "3/3/2026 1:00:00"},
        {"fromTimeStamp": "2026-13-03T00:00:00Z", "toTimeStamp": "2026-13-03T01:00:00Z"},
        {"fromTimeStamp": "2026-03-03T01:00:00Z", "toTimeStamp": "2026-03-03T00:00:00Z"},
    ],
)
def test_bad_windows_get_400(kore: KoreServer, query: dict[str, str]) -> None:
    """If this failed, a client's mistake would pass for an empty window."""
    assert get(kore, query).status_code == 400


def test_wrong_addresses_get_404(kore: KoreServer) -> None:
    """If this failed, a mistyped account would look like an empty one."""
    base = f"{kore.base_url}/agentassist/api/public/analytics/account"
    for url in (f"{kore.base_url}/", f"{base}/other/agentactivity", f"{base}/{kore.account_id}/agentactivities"):
        assert requests.get(url, headers={"auth": token(kore)}, timeout=10).status_code == 404
    url = f"{base}/{kore.account_id}/agentactivity"
    assert requests.post(url, headers={"auth": token(kore)}, timeout=10).status_code == 404


@pytest.mark.parametrize("status", [429, 200])
def test_the_61st_request_of_a_minute_is_refused(kore: KoreServer, status: int) -> None:
    """If this failed, a client that floods the vendor would not be caught, or not in all the ways it may be told."""
    kore.set_dialect(KoreDialect(rate_status=status))
    replies = [ask(kore, NOON, NOON) for _ in range(61)]
    assert {reply.status_code for reply in replies[:60]} == {200}
    assert replies[60].status_code == status
    assert replies[60].json()["errors"][0]["msg"] == RATE_TEXT


def test_a_minute_later_requests_pass_again() -> None:
    """If this failed, one refusal would be the end of a client."""
    now = 0.0
    limit = RateLimit(lambda: now)
    assert [limit.allows(2) for _ in range(3)] == [True, True, False]
    now = 59.9
    assert not limit.allows(2)
    now = 60.0
    assert [limit.allows(2) for _ in range(3)] == [True, True, False]


# -- faults ---------------------------------------------------------------------------------


def test_faults_disturb_but_do_not_invent(kore: KoreServer) -> None:
    """If this failed, faults would change what is true and not only how it is told."""
    clean = updates(kore)
    kore.set_faults(Faults(seed=1, shuffled=True))
    assert updates(kore) != clean
    assert sorted(map(str, updates(kore))) == sorted(map(str, clean))
    kore.set_faults(Faults(seed=2, duplicate_rows=0.3))
    assert len(updates(kore)) > len(clean)
    assert {str(row) for row in updates(kore)} == {str(row) for row in clean}


def test_late_updates_come_in_the_end(kore: KoreServer) -> None:
    """If this failed, a second look at a window would never find more."""
    window = (NOON - timedelta(hours=1), NOON - timedelta(minutes=1))
    clean = updates(kore, *window)
    kore.set_faults(Faults(seed=3, late_rows=0.5, late_seconds=3600))
    assert len(updates(kore, *window)) < len(clean)
    kore.clock.set(NOON + timedelta(hours=1))
    assert updates(kore, *window) == clean


def test_a_dropped_stretch_is_missing_or_fails(kore: KoreServer) -> None:
    """If this failed, gaps would go untested."""
    clean = updates(kore)
    since, until = MIDNIGHT + timedelta(hours=8), MIDNIGHT + timedelta(hours=9)
    kore.set_faults(Faults(dropped=((since, until),)))
    assert updates(kore) == [row for row in clean if not since <= instant(row) < until]
    kore.set_faults(Faults(dropped=((since, until),), dropped_mode="error"))
    assert ask(kore, since, until).status_code == 500
    assert ask(kore, until, NOON).status_code == 200


def test_a_strangers_page_can_come_instead(kore: KoreServer) -> None:
    """If this failed, a proxy's page with status 200 would never be met."""
    kore.set_faults(Faults(rubbish_rate=1))
    reply = ask(kore, MIDNIGHT, NOON)
    assert (reply.status_code, reply.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    with pytest.raises(requests.JSONDecodeError):
        reply.json()


def test_faults_and_dialect_can_be_set_from_outside(kore: KoreServer) -> None:
    """If this failed, a demo in another process could break nothing."""
    admin = f"{kore.base_url}/_simulator"
    assert requests.post(f"{admin}/faults", json={"error_rate": 1, "error_statuses": [503]}, timeout=10).ok
    assert ask(kore, MIDNIGHT, NOON).status_code == 503
    requests.post(f"{admin}/faults", json={}, timeout=10)
    told = requests.post(f"{admin}/dialect", json={"event_zone": "Europe/Berlin", "custom": {"Break": "x"}}, timeout=10)
    assert told.json()["event_zone"] == "Europe/Berlin"
    assert kore.dialect.custom == {"Break": "x"}
    assert requests.get(f"{admin}/dialect", timeout=10).json() == told.json()
    refused = requests.post(f"{admin}/dialect", json={"event_zone": "Mars/Olympus"}, timeout=10)
    assert refused.status_code == 400
    assert "Mars/Olympus" in refused.json()["error"]
    assert requests.get(f"{admin}/stats", timeout=10).json()["by_status"]["503"] >= 1
