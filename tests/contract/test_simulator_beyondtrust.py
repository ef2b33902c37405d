"""The simulated BeyondTrust appliance over HTTP: tokens, limits, commands, errors and steering."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import pyarrow.parquet as pq
import pytest
import requests

from simulator.beyondtrust import BeyondTrustServer
from simulator.beyondtrust_dialect import NAMESPACES, Dialect
from simulator.centre import Centre
from simulator.clock import SimClock
from simulator.faults import Faults
from tests.contract.appliance import CALM, FIRST, NOON, ask, ask_token, at_noon, bare, command, dialect, token


@pytest.fixture(scope="module")
def running() -> Iterator[BeyondTrustServer]:
    """Serve one appliance to all tests of this file."""
    with BeyondTrustServer(Centre.simulate(5, 16, FIRST, 3), SimClock(NOON), dialect=CALM) as server:
        yield server


@pytest.fixture
def server(running: BeyondTrustServer) -> BeyondTrustServer:
    """Return the server as it is at noon with nothing wrong."""
    return at_noon(running)


# -- tokens ---------------------------------------------------------------------------------


def test_a_token_comes_as_documented(server: BeyondTrustServer) -> None:
    """If this failed, a client written to the documents would not get in."""
    told = ask_token(server).json()
    assert (told["token_type"], told["expires_in"]) == ("Bearer", 3600)
    assert ask(server, "command", told["access_token"], action="get_api_info").status_code == 200


@pytest.mark.parametrize(
    "more",
    [
        {"data": {"grant_type": "client_credentials"}},
        {"data": None, "json": {"grant_type": "client_credentials"}},
        {"data": None, "params": {"grant_type": "client_credentials"}},
    ],
)
def test_the_grant_comes_in_any_of_the_ways_seen(server: BeyondTrustServer, more: dict[str, Any]) -> None:
    """If this failed, one of the clients in the wild would be refused."""
    assert ask_token(server, **more).status_code == 200


def test_bad_secrets_and_grants_are_refused_with_oauths_words(server: BeyondTrustServer) -> None:
    """If this failed, a wrong secret could not be told from a broken appliance."""
    wrong = ask_token(server, auth=(server.client_id, "wrong"))
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
    bad = ask_token(server, data={"grant_type": "password"})
    assert (bad.status_code, bad.json()["error"]) == (400, "unsupported_grant_type")
    assert requests.get(f"{server.base_url}/oauth2/token", timeout=10).status_code == 405


def test_type_and_life_of_a_token_can_be_the_ones_of_the_mocks(server: BeyondTrustServer) -> None:
    """If this failed, a client could compare the type by its case, or assume an hour."""
    server.set_dialect(Dialect(bearer_word="bearer", token_seconds=1799))
    told = ask_token(server).json()
    assert (told["token_type"], told["expires_in"]) == ("bearer", 1799)


def test_without_a_valid_token_there_is_no_answer(server: BeyondTrustServer) -> None:
    """If this failed, an expired token would go unnoticed."""
    held = token(server)
    server.clock.advance(timedelta(hours=1))
    for bearer in (held, "invented"):
        reply = ask(server, "command", bearer, action="get_api_info")
        assert reply.status_code == 401
        assert reply.json()["error"] == "access_denied"
    bare_call = requests.get(f"{server.base_url}/api/reporting", timeout=10)
    assert bare_call.status_code == 401


# -- limits ---------------------------------------------------------------------------------


def test_replies_tell_the_hours_budget(server: BeyondTrustServer) -> None:
    """If this failed, a client could not see its budget go."""
    first = ask(server, "command", action="get_api_info").headers
    second = ask(server, "reporting", generate_report="Nothing").headers
    assert first["X-RateLimit-Limit"] == "15000"
    assert int(first["X-RateLimit-Remaining"]) - int(second["X-RateLimit-Remaining"]) == 1


def test_too_many_requests_get_429(server: BeyondTrustServer) -> None:
    """If this failed, a client without a throttle would pass."""
    held = token(server)
    left = int(ask(server, "command", held, action="get_api_info").headers["X-RateLimit-Remaining"])
    server.set_dialect(dialect(requests_per_hour=15_000 - left + 2))
    replies = [ask(server, "command", held, action="get_api_info") for _ in range(4)]
    assert [reply.status_code for reply in replies] == [200, 200, 429, 429]
    assert [reply.headers["X-RateLimit-Remaining"] for reply in replies] == ["1", "0", "0", "0"]


@pytest.mark.parametrize(("connections", "lives"), [("kept", [200, 200]), ("closed", [200, 200]), ("enforced", [200])])
def test_kept_connections_are_borne_ended_or_cut(server: BeyondTrustServer, connections: str, lives: list[int]) -> None:
    """If this failed, it would not show whether a client closes after each call, as it must."""
    held = token(server)
    server.set_dialect(dialect(connections=connections))
    statuses = []
    with requests.Session() as session:
        url = f"{server.base_url}/api/command?action=get_api_info"
        for _ in range(2):
            try:
                reply = session.get(url, headers={"Authorization": f"Bearer {held}"}, timeout=10)
            except requests.ConnectionError:
                break
            statuses.append(reply.status_code)
            assert (reply.headers.get("Connection") == "close") == (connections == "closed")
    assert statuses == lives


# -- commands -------------------------------------------------------------------------------


@pytest.mark.parametrize("namespace", ["beyondtrust", "bomgar", "sra"])
def test_every_namespace_seen_can_be_served(server: BeyondTrustServer, namespace: str) -> None:
    """If this failed, a client bound to one namespace would seem to fit all sites."""
    server.set_dialect(dialect(namespace=namespace))
    text = ask(server, "command", action="get_api_info").text
    assert f'xmlns="{NAMESPACES[namespace]}command"' in text


def test_api_info_tells_time_company_and_permissions(server: BeyondTrustServer) -> None:
    """If this failed, a client could neither measure drift nor say which right it lacks."""
    server.set_dialect(dialect(denied=("perm_reporting_archive",)))
    info = command(server, "get_api_info")
    assert info.tag == "api_information"
    assert info.findtext("timestamp") == str(int(NOON.timestamp()))
    assert info.findtext("company_name") == server.company
    permissions = {element.get("name"): element.text for element in info.iter("permission")}
    assert permissions["perm_command"] == "full_access"
    assert (permissions["perm_real_time_state"], permissions["perm_reporting_archive"]) == ("1", "0")


def test_logged_in_reps_are_those_signed_in(server: BeyondTrustServer) -> None:
    """If this failed, the list would not be the truth of the moment."""
    at = server.clock.now_ms()
    stays = {
        server.agent_ids[stay.agent.agent_id]: stay.started // 1000
        for sessions in server.centre.sessions
        for stay in sessions
        if stay.started <= at and (stay.ended is None or stay.ended > at)
    }
    root = command(server, "get_logged_in_reps")
    told = {rep.get("id"): rep.find("logged_in_since") for rep in root}
    assert {name: int(since.get("ts", "0")) for name, since in told.items() if since is not None} == stays
    assert len(stays) > 3
    names = {server.agent_ids[agent.agent_id]: agent.name for agent in server.centre.agents}
    assert all(rep.findtext("private_display_name") == names[rep.get("id", "")] for rep in root)
    live = sum(part.joined <= at and (part.left is None or part.left > at) for part in server.centre.participations)
    assert sum(int(rep.findtext("support_session_count") or 0) for rep in root) == live > 0


def test_nobody_signed_in_is_an_empty_list(server: BeyondTrustServer) -> None:
    """If this failed, an empty office would look like an error."""
    server.clock.set(datetime.fromisoformat("2026-03-02T00:00:00+00:00") - timedelta(hours=1))
    root = command(server, "get_logged_in_reps")
    assert (root.tag, len(root)) == ("logged_in_reps", 0)


def test_teams_name_their_members_when_asked(server: BeyondTrustServer) -> None:
    """If this failed, a client could not tell who is in which team."""
    assert command(server, "get_support_teams").find(".//members") is None
    root = command(server, "get_support_teams", showmembers=1)
    members = [member.get("id") for member in root.iter("representative")]
    assert sorted(members, key=str) == sorted(server.agent_ids.values())


def test_connected_clients_are_listed_counted_and_described(server: BeyondTrustServer) -> None:
    """If this failed, list and detail of the clients would not fit together."""
    root = command(server, "get_connected_client_list", type="representative")
    ids = [client.get("id", "") for client in root.iter("connected_client")]
    counted = {count.get("type"): count.text for count in root.iter("count")}
    assert counted == {"representative": str(len(ids))}
    told = command(server, "get_connected_clients", type="representative", id=",".join(ids[:2]), include_connections=1)
    assert [client.get("id") for client in told] == ids[:2]
    assert all(client.find("event_log") is not None for client in told)
    assert command(server, "get_connected_client_list", summary_only=1).find("connected_client") is None
    assert command(server, "get_connected_clients", id=",".join(["1"] * 101)).tag == "error"
    assert command(server, "get_connected_client_list", type="fax").tag == "error"


def test_health_is_told_twice(server: BeyondTrustServer) -> None:
    """If this failed, neither monitor nor client could tell that the box lives."""
    assert command(server, "check_health").findtext("success") == "1"
    assert requests.get(f"{server.base_url}/check_health", timeout=10).status_code == 200


def test_mistakes_get_an_error_document_at_200(server: BeyondTrustServer) -> None:
    """If this failed, a client could rely on HTTP statuses alone."""
    for reply in (ask(server, "command", action="dance"), ask(server, "command"), ask(server, "reporting")):
        assert reply.status_code == 200
        assert bare(reply.content).tag == "error"


def test_an_error_can_be_inside_the_usual_root(server: BeyondTrustServer) -> None:
    """If this failed, a client that looks at the root alone would take a refusal for an empty office."""
    server.set_dialect(dialect(denied=("perm_command",), command_errors="inside"))
    refused = command(server, "get_logged_in_reps")
    assert (refused.tag, [child.tag for child in refused]) == ("logged_in_reps", ["error"])
    assert command(server, "nothing").tag == "error"


@pytest.mark.parametrize(("denial", "status"), [("error", 200), ("forbidden", 403)])
def test_apis_can_be_withheld_one_by_one(server: BeyondTrustServer, denial: str, status: int) -> None:
    """If this failed, a missing permission would never be met."""
    server.set_dialect(dialect(denied=("perm_command",), denial=denial))
    assert ask(server, "command", action="get_logged_in_reps").status_code == status
    report = {"generate_report": "SupportSession", "start_date": "2026-03-03"}
    assert bare(ask(server, "reporting", **report).content).tag == "session_list"
    server.set_dialect(dialect(denied=("perm_reporting_support",), denial=denial))
    refused = ask(server, "reporting", **report)
    assert refused.status_code == status
    assert status == 403 or bare(refused.content).tag == "error"


def test_forms_are_read_and_other_bodies_are_not(server: BeyondTrustServer) -> None:
    """If this failed, multipart would seem to be supported."""
    url, headers = f"{server.base_url}/api/command", {"Authorization": f"Bearer {token(server)}"}
    form = requests.post(url, data={"action": "get_api_info"}, headers=headers, timeout=10)
    parts = requests.post(url, files={"action": (None, "get_api_info")}, headers=headers, timeout=10)
    assert (bare(form.content).tag, bare(parts.content).tag) == ("api_information", "error")


def test_the_date_header_is_the_simulated_clock(server: BeyondTrustServer) -> None:
    """If this failed, clients would measure the drift of the wrong clock."""
    assert parsedate_to_datetime(ask(server, "command", action="get_api_info").headers["Date"]) == NOON


# -- faults and steering --------------------------------------------------------------------


def steer(server: BeyondTrustServer, name: str, order: object = None) -> requests.Response:
    """Send an admin request: a question, or an order as JSON."""
    url = f"{server.base_url}/_simulator/{name}"
    return requests.get(url, timeout=10) if order is None else requests.post(url, json=order, timeout=10)


def test_http_faults_are_served(server: BeyondTrustServer) -> None:
    """If this failed, retries of the client would go untested."""
    held = token(server)
    server.set_faults(Faults(error_rate=1, error_statuses=(503,), retry_after=7))
    reply = ask(server, "command", held, action="get_api_info")
    assert (reply.status_code, reply.headers["Retry-After"]) == (503, "7")
    for faults in (Faults(reset_rate=1), Faults(short_rate=1)):
        server.set_faults(faults)
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            ask(server, "command", held, action="get_api_info")
    server.set_faults(Faults(truncated_rate=1))
    with pytest.raises(ParseError):
        bare(ask(server, "command", held, action="get_api_info").content)
    server.set_faults(Faults(rubbish_rate=1))
    assert b"Sign in" in ask(server, "command", held, action="get_api_info").content
    server.set_faults(Faults(hang_rate=1, hang_seconds=0.2))
    began = time.monotonic()
    ask(server, "command", held, action="get_api_info")
    assert time.monotonic() - began >= 0.2


def test_everything_can_be_steered_from_outside(server: BeyondTrustServer, tmp_path: Path) -> None:
    """If this failed, a demo in another process could break nothing."""
    assert steer(server, "clock", {"now": "2026-03-03T15:00:00Z"}).json()["now"] == "2026-03-03T15:00:00Z"
    assert steer(server, "faults", {"error_rate": 0.5}).json()["error_rate"] == 0.5
    assert steer(server, "faults", {}).status_code == 200
    dialect = {"requests_per_second": 10_000, "namespace": "sra", "inactive_days": ["2026-03-02"]}
    assert steer(server, "dialect", dialect).json() == steer(server, "dialect").json()
    assert server.dialect.inactive_days == (FIRST,)
    assert steer(server, "churn", {"updates_per_second": 0}).json() == {"updates_per_second": 0}
    assert steer(server, "disconnect", {}).json() == {"disconnected": 0}
    old = server.client_secret
    assert steer(server, "secret", {}).json()["client_secret"] == server.client_secret != old
    assert steer(server, "truth", {"folder": str(tmp_path)}).status_code == 200
    assert pq.read_table(tmp_path / "agent_states.parquet").num_rows > 0
    for name, order in (("dialect", {"framing": "ragged"}), ("churn", {"per_minute": 3}), ("faults", {"no": 1})):
        assert steer(server, name, order).status_code == 400
    assert steer(server, "nothing").status_code == 404


def test_requests_are_counted(server: BeyondTrustServer) -> None:
    """If this failed, tests could not tell how often a client asked."""
    held = token(server)
    before = steer(server, "stats").json()
    ask(server, "command", held, action="get_api_info")
    after = steer(server, "stats").json()
    assert after["requests"] - before["requests"] == 1
    assert after["tokens_issued"] == before["tokens_issued"]


def test_closing_ends_the_server() -> None:
    """If this failed, a stopped vendor would go on answering."""
    server = BeyondTrustServer(Centre.simulate(8, 2, FIRST, 1), SimClock(NOON)).start()
    assert steer(server, "stats").status_code == 200
    server.close()
    with pytest.raises(requests.ConnectionError):
        steer(server, "stats")
