"""The simulated CxEngage over real sockets: as documented, and where that is silent as chosen."""

from __future__ import annotations

import http.client
import socket
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest
import requests

from simulator.cxengage import POWERLESS, CxEngageServer
from simulator.cxengage_json import Dialect
from tests.contract.served import NOON, Rows, ask, text, window

# -- the envelope ---------------------------------------------------------------------------


def test_the_envelope_is_the_documented_one(server: CxEngageServer) -> None:
    """If this failed, a client written to the documents would not read the simulator."""
    envelope = window(server, NOON - timedelta(hours=1), limit=5, offset=2)
    results = envelope.pop("results")
    assert envelope.pop("total") > 7
    assert len(results) == 5
    assert envelope == {
        "tenantId": server.tenant_id,
        "timezone": "UTC",
        "limit": 5,
        "offset": 2,
        "page": "0",
        "start": "2026-03-03T11:00:00.000Z",
        "end": "2026-03-03T11:10:00.000Z",
    }


def test_without_limit_everything_comes_at_once(server: CxEngageServer) -> None:
    """If this failed, the default would hide records."""
    envelope = window(server, NOON - timedelta(hours=1))
    assert envelope["limit"] is None
    assert len(envelope["results"]) == envelope["total"] > 0


def test_the_missing_limit_can_be_absent(server: CxEngageServer) -> None:
    """If this failed, a client could not be tested against the other reading."""
    server.set_dialect(Dialect(limit_missing="absent"))
    assert "limit" not in window(server, NOON - timedelta(hours=1))


def test_milliseconds_are_optional(server: CxEngageServer) -> None:
    """If this failed, the documented short form of times would be refused."""
    reply = ask(server, start="2026-03-03T11:00:00Z", end="2026-03-03T11:10:00Z")
    assert reply.json() == window(server, NOON - timedelta(hours=1))


def test_without_end_the_window_reaches_to_now(server: CxEngageServer) -> None:
    """If this failed, the documented shortcut for the present would not work."""
    reply = ask(server, start=text(NOON - timedelta(minutes=5)))
    assert reply.json()["end"] == text(NOON)
    assert reply.json()["total"] > 0


@pytest.mark.parametrize("limit", [1, 3, 7, 1000])
def test_pages_give_every_record_once(server: CxEngageServer, limit: int) -> None:
    """If this failed, paging would lose or repeat records with nothing wrong."""
    whole = window(server, NOON - timedelta(hours=1))
    paged: Rows = []
    while len(paged) < whole["total"]:
        page = window(server, NOON - timedelta(hours=1), limit=limit, offset=len(paged))
        assert page["total"] == whole["total"]
        paged += page["results"]
    assert paged == whole["results"]


def test_an_offset_beyond_the_end_gives_an_empty_page(server: CxEngageServer) -> None:
    """If this failed, the last page plus one would be an error."""
    page = window(server, NOON - timedelta(hours=1), limit=10, offset=100_000)
    assert page["results"] == []
    assert page["total"] > 0


# -- errors ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"end": "2026-03-03T11:10:00Z"},
        {"start": ""},
        {"start": "yesterday", "end": "2026-03-03T11:10:00Z"},
        {"start": "2026-03-03T11:00:00", "end": "2026-03-03T11:10:00Z"},
        {"start": "2026-03-03T11:00:00+00:00", "end": "2026-03-03T11:10:00Z"},
        {"start": "2026-13-03T11:00:00Z", "end": "2026-03-03T11:10:00Z"},
        {"start": "2026-03-03T11:00:00Z", "end": "2026-03-03T11:10:00:999Z"},
        {"start": "2026-03-03T11:00:00Z", "end": "2026-03-03T11:10:00.001Z"},
        {"start": "2026-03-03T11:10:00Z", "end": "2026-03-03T11:00:00Z"},
        {"start": "2026-03-03T11:49:59Z"},
        {"start": "2026-02-28T11:59:59Z", "end": "2026-02-28T12:05:00Z"},
        {"start": "2026-03-03T11:00:00Z", "end": "2026-03-03T11:10:00Z", "offset": "-1"},
        {"start": "2026-03-03T11:00:00Z", "end": "2026-03-03T11:10:00Z", "offset": "x"},
        {"start": "2026-03-03T11:00:00Z", "end": "2026-03-03T11:10:00Z", "limit": "-5"},
        {"start": "2026-03-03T11:00:00Z", "end": "2026-03-03T11:10:00Z", "limit": "0"},
        {"start": "2026-03-03T11:00:00Z", "end": "2026-03-03T11:10:00Z", "limit": "all"},
    ],
)
def test_bad_parameters_get_400(server: CxEngageServer, parameters: dict[str, str]) -> None:
    """If this failed, a client's mistake would pass for an empty window."""
    assert ask(server, **parameters).status_code == 400


def test_the_limits_themselves_are_allowed(server: CxEngageServer) -> None:
    """If this failed, exactly ten minutes or exactly three days would be refused."""
    oldest = NOON - timedelta(days=3)
    assert ask(server, start=text(oldest), end=text(oldest + timedelta(minutes=10))).status_code == 200
    assert ask(server, start=text(NOON - timedelta(minutes=10))).status_code == 200


def test_the_status_outside_limits_can_be_changed(server: CxEngageServer) -> None:
    """If this failed, a client could not be tested against another refusal."""
    server.set_dialect(Dialect(range_error_status=404))
    assert ask(server, start=text(NOON - timedelta(days=4)), end=text(NOON)).status_code == 404


def test_bad_credentials_get_401(server: CxEngageServer) -> None:
    """If this failed, a wrong password would go unnoticed."""
    url = f"{server.base_url}/v1/tenants/{server.tenant_id}/wfm/rta?start={text(NOON)}"
    for auth in (None, (server.username, "wrong"), ("nobody", server.password), ("", "")):
        reply = requests.get(url, auth=auth, timeout=10)
        assert reply.status_code == 401
        assert "Basic" in reply.headers["WWW-Authenticate"]
    for header in ("Basic !!!", "Basic", "Bearer abc", f"Token {server.password}"):
        assert requests.get(url, headers={"Authorization": header}, timeout=10).status_code == 401


def test_a_user_without_the_permission_gets_403(server: CxEngageServer) -> None:
    """If this failed, a missing role could not be told from a wrong password."""
    url = f"{server.base_url}/v1/tenants/{server.tenant_id}/wfm/rta?start={text(NOON)}"
    assert requests.get(url, auth=(POWERLESS, server.password), timeout=10).status_code == 403


@pytest.mark.parametrize("path", ["/", "/v1/tenants/other/wfm/rta", "/v1/wfm/rta", "/v1//tenants/x/wfm/rta"])
def test_wrong_addresses_get_404(server: CxEngageServer, path: str) -> None:
    """If this failed, a mistyped tenant would look like an empty one."""
    auth = (server.username, server.password)
    reply = requests.get(f"{server.base_url}{path}?start={text(NOON)}", auth=auth, timeout=10)
    assert reply.status_code == 404


def test_error_bodies_say_nothing(server: CxEngageServer) -> None:
    """If this failed, clients might come to rely on a body the vendor never described."""
    reply = ask(server)
    assert "json" not in reply.headers["Content-Type"]


# -- time -----------------------------------------------------------------------------------


def test_the_date_header_is_the_simulated_clock(server: CxEngageServer) -> None:
    """If this failed, clients would measure the drift of the wrong clock."""
    for moment in (NOON, NOON + timedelta(hours=7, seconds=13)):
        server.clock.set(moment)
        assert parsedate_to_datetime(ask(server).headers["Date"]) == moment


def test_nothing_younger_than_the_delay_is_seen(server: CxEngageServer) -> None:
    """If this failed, a client that reads too close to now would lose nothing here, but all there."""
    rows = window(server, NOON - timedelta(minutes=10))["results"]
    target = rows[-1]
    started = datetime.fromisoformat(target["start"])
    for age, seen in ((timedelta(seconds=14, milliseconds=999), False), (timedelta(seconds=15), True)):
        server.clock.set(started + age)
        ids = {row["eventId"] for row in window(server, started - timedelta(minutes=5))["results"]}
        assert (target["eventId"] in ids) == seen


def test_the_delay_can_be_changed(server: CxEngageServer) -> None:
    """If this failed, the page's other statement, available at once, could not be simulated."""
    before = window(server, NOON - timedelta(minutes=10))["total"]
    server.set_dialect(Dialect(delay_seconds=240))
    assert window(server, NOON - timedelta(minutes=10))["total"] < before


def test_an_open_record_is_delivered_again_when_it_closes(server: CxEngageServer) -> None:
    """If this failed, the key assumption about open records would not be simulated."""
    start = NOON - timedelta(minutes=10)
    opened = {row["eventId"]: row for row in window(server, start)["results"] if "end" not in row}
    assert opened
    for row in opened.values():
        assert not {"end", "durationSeconds", "nextEventId"} & set(row)
    server.clock.set(NOON + timedelta(days=1))
    later = {row["eventId"]: row for row in window(server, start)["results"]}
    assert set(opened) <= set(later)
    for event_id, row in opened.items():
        closed = later[event_id]
        assert closed["start"] == row["start"]
        lasted = datetime.fromisoformat(closed["end"]) - datetime.fromisoformat(closed["start"])
        assert closed["durationSeconds"] == lasted.total_seconds()


def test_a_record_closes_after_the_delay(server: CxEngageServer) -> None:
    """If this failed, ends would be known before they are old enough."""
    row = next(row for row in window(server, NOON - timedelta(hours=1))["results"] if row["durationSeconds"] > 60)
    start, end = (datetime.fromisoformat(row[name]) for name in ("start", "end"))
    for age, closed in ((14.999, False), (15, True)):
        server.clock.set(end + timedelta(seconds=age))
        again = next(r for r in window(server, start, 1)["results"] if r["eventId"] == row["eventId"])
        assert ("end" in again) == closed


def test_open_records_can_have_nulls(server: CxEngageServer) -> None:
    """If this failed, a client could not be tested against null instead of absent."""
    server.set_dialect(Dialect(missing="null"))
    rows = window(server, NOON - timedelta(minutes=10))["results"]
    opened = [row for row in rows if row["end"] is None]
    assert opened
    assert all(row["durationSeconds"] is None and row["nextEventId"] is None for row in opened)
    assert len({frozenset(set(row) - {"transfers"}) for row in rows}) == 1


def test_open_records_can_be_hidden(server: CxEngageServer) -> None:
    """If this failed, a vendor that serves only what has ended could not be simulated."""
    everything = window(server, NOON - timedelta(minutes=10))["results"]
    server.set_dialect(Dialect(open_records="hidden"))
    closed = window(server, NOON - timedelta(minutes=10))["results"]
    assert closed == [row for row in everything if "end" in row]


# -- the connection -------------------------------------------------------------------------


def test_connections_are_kept(server: CxEngageServer) -> None:
    """If this failed, each page would cost a handshake, and no client could show that it keeps its connections."""
    server.set_dialect(Dialect(max_range_seconds=86_400))
    server.api.index.warm()
    server.clock.set(NOON + timedelta(days=1))
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    headers = {"Authorization": requests.auth._basic_auth_str(server.username, server.password)}
    path = f"/v1/tenants/{server.tenant_id}/wfm/rta?start={text(NOON)}&end={text(NOON + timedelta(hours=8))}"
    size, sockets = 0, set()
    for _ in range(3):
        connection.request("GET", path, headers=headers)
        sockets.add(connection.sock)
        size = len(connection.getresponse().read())
    connection.close()
    assert len(sockets) == 1
    assert size > 500_000


def test_only_loopback_is_served(server: CxEngageServer) -> None:
    """If this failed, a simulator would be open to the network."""
    with socket.socket() as other, pytest.raises(OSError, match="refused"):
        other.connect(("127.0.0.2", server.port))
