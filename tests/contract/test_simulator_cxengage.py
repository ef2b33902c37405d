"""The simulated CxEngage over real sockets: as documented, and where that is silent as chosen."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import pairwise
from typing import Any

import pytest
import requests

from simulator.centre import Centre
from simulator.clock import SimClock
from simulator.cxengage import POWERLESS, CxEngageServer
from simulator.cxengage_json import Dialect
from simulator.facts import CHANNELS, Transfer, iso, millis, moment_of, uuid_time
from simulator.faults import Faults

FIRST = date(2026, 3, 2)
NOON = datetime(2026, 3, 3, 12, 0, 0, tzinfo=UTC)
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def running() -> Iterator[CxEngageServer]:
    """Serve one centre to all tests of this file."""
    centre = Centre.simulate(5, 20, FIRST, 5)
    with CxEngageServer(centre, SimClock(NOON)) as server:
        yield server


@pytest.fixture
def server(running: CxEngageServer) -> CxEngageServer:
    """Return the server with its clock at noon of the second day and nothing wrong."""
    running.clock.set(NOON, running=False)
    running.set_faults(Faults())
    if running.api.dialect != Dialect():
        running.set_dialect(Dialect())
    return running


def text(moment: datetime) -> str:
    """Return an instant as the API takes it."""
    return iso(millis(moment))


def ask(server: CxEngageServer, /, **parameters: object) -> requests.Response:
    """Make one request with the good credentials."""
    return requests.get(
        f"{server.base_url}/v1/tenants/{server.tenant_id}/wfm/rta",
        params={name: str(value) for name, value in parameters.items()},
        auth=(server.username, server.password),
        timeout=10,
    )


def window(server: CxEngageServer, start: datetime, minutes: float = 10, /, **more: object) -> dict[str, Any]:
    """Return the envelope of one window."""
    reply = ask(server, start=text(start), end=text(start + timedelta(minutes=minutes)), **more)
    assert reply.status_code == 200
    envelope: dict[str, Any] = reply.json()
    return envelope


def stretch(server: CxEngageServer, start: datetime, end: datetime) -> Rows:
    """Return all records of a stretch, window by window."""
    rows: Rows = []
    while start < end:
        rows += window(server, start)["results"]
        start += timedelta(minutes=10)
    return rows


def chains(rows: Rows) -> dict[str, Rows]:
    """Return records by session, in their order."""
    sessions: dict[str, Rows] = {}
    for row in rows:
        sessions.setdefault(row["sessionId"], []).append(row)
    return sessions


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


# -- records --------------------------------------------------------------------------------


def test_records_of_a_session_form_a_chain(server: CxEngageServer) -> None:
    """If this failed, a broken chain would not mean a lost record."""
    server.clock.set(NOON + timedelta(days=1))
    rows = stretch(server, datetime(2026, 3, 3, 0, tzinfo=UTC), datetime(2026, 3, 4, 11, tzinfo=UTC))
    assert len({row["eventId"] for row in rows}) == len(rows)
    ended = 0
    for chain in chains(rows).values():
        for before, after in pairwise(chain):
            assert before["end"] == after["start"]
            assert before["nextEventId"] == after["eventId"]
        ended += "end" in chain[-1] and "nextEventId" not in chain[-1]
    assert ended > 5


def test_identifiers_are_uuids_of_their_time(server: CxEngageServer) -> None:
    """If this failed, the ids would not look like the vendor's."""
    for row in window(server, NOON - timedelta(hours=1))["results"]:
        assert iso(uuid_time(row["eventId"])) == row["start"]
        assert iso(uuid_time(row["sessionId"])) == row["loginTimestamp"]
        if "nextEventId" in row:
            assert iso(uuid_time(row["nextEventId"])) == row["end"]


def test_sessions_start_as_the_client_does(server: CxEngageServer) -> None:
    """If this failed, a session's first records would not be the vendor's."""
    rows = stretch(server, datetime(2026, 3, 3, 6, tzinfo=UTC), datetime(2026, 3, 3, 9, tzinfo=UTC))
    firsts = [chain for chain in chains(rows).values() if chain[0]["start"] == chain[0]["loginTimestamp"]]
    assert firsts
    for start, logged_in, *_ in firsts:
        assert start["eventType"] == "agent-session-start"
        assert (start["presence"], start["state"]) == ("not-ready", "away")
        assert "reasonName" not in start
        assert (logged_in["eventType"], logged_in["reasonName"]) == ("agent-not-ready", "Logged in")
        assert logged_in["reasonListName"] == "System Presence Reasons"


def test_records_come_in_order_of_start(server: CxEngageServer) -> None:
    """If this failed, the documented sorting would not hold."""
    starts = [row["start"] for row in window(server, NOON - timedelta(hours=1))["results"]]
    assert starts == sorted(starts)


def test_a_window_is_half_open(server: CxEngageServer) -> None:
    """If this failed, neighbouring windows would share or lose a record."""
    start = NOON - timedelta(hours=1)
    whole = window(server, start)["results"]
    edge = datetime.fromisoformat(whole[len(whole) // 2]["start"])
    minutes = (edge - start) / timedelta(minutes=1)
    before, after = window(server, start, minutes)["results"], window(server, edge, 10 - minutes)["results"]
    assert before + after == whole
    server.set_dialect(Dialect(end_inclusive=True))
    assert len(window(server, start, minutes)["results"]) > len(before)


def test_selection_can_be_by_overlap_or_end(server: CxEngageServer) -> None:
    """If this failed, the open question of what a window selects would be settled silently."""
    start, end = NOON - timedelta(hours=1), NOON - timedelta(minutes=50)
    by_start = {row["eventId"] for row in window(server, start)["results"]}
    server.set_dialect(Dialect(selection="overlap"))
    overlapping = window(server, start)["results"]
    assert by_start < {row["eventId"] for row in overlapping}
    for row in overlapping:
        assert row["start"] < text(end)
        assert row.get("end", "9") > text(start)
    server.set_dialect(Dialect(selection="end"))
    ending = window(server, start)["results"]
    assert ending
    assert all(text(start) <= row["end"] < text(end) for row in ending)


def test_load_and_allocation_follow_the_counts(server: CxEngageServer) -> None:
    """If this failed, items could not be recovered from the ratio the API gives."""
    words = set()
    for row in stretch(server, NOON - timedelta(hours=3), NOON - timedelta(hours=1)):
        counts = [sum(entry["channels"].values()) for entry in row["capacity"]]
        for entry, active in zip(row["capacity"], counts, strict=True):
            assert set(entry["channels"]) == set(CHANNELS)
            assert round(entry["load"] * entry["capacity"]) == active
            assert (entry["allocation"] == "fully-allocated") == (active == entry["capacity"])
            assert (entry["allocation"] == "not-allocated") == (active == 0)
        assert (row["allocation"] == "not-allocated") == (sum(counts) == 0)
        assert ("direction" in row) == any(entry["channels"]["voice"] for entry in row["capacity"])
        words.add(row["allocation"])
    assert words == {"not-allocated", "allocated", "fully-allocated"}


def test_state_is_idle_or_away_unless_asked_for_busy(server: CxEngageServer) -> None:
    """If this failed, the realtime vocabulary could not be served, or could not be avoided."""
    start = NOON - timedelta(hours=1)
    assert {row["state"] for row in window(server, start)["results"]} == {"idle", "away"}
    server.set_dialect(Dialect(busy_state=True))
    for row in window(server, start)["results"]:
        assert (row["state"] == "busy") == (row["allocation"] != "not-allocated")


def test_capacity_can_be_one_entry_or_count_everywhere(server: CxEngageServer) -> None:
    """If this failed, the open question about capacity entries would be settled silently."""
    start = NOON - timedelta(hours=1)
    items = [
        sum(sum(entry["channels"].values()) for entry in row["capacity"]) for row in window(server, start)["results"]
    ]
    server.set_dialect(Dialect(entries="single"))
    single = window(server, start)["results"]
    assert {len(row["capacity"]) for row in single} == {1}
    assert [sum(row["capacity"][0]["channels"].values()) for row in single] == items
    server.set_dialect(Dialect(entry_channels="all", allocation="highest"))
    for row, count in zip(window(server, start)["results"], items, strict=True):
        greatest = [max(entry["channels"][name] for entry in row["capacity"]) for name in CHANNELS]
        assert sum(greatest) == count
        shares = [entry["load"] for entry in row["capacity"]]
        assert (row["allocation"] == "fully-allocated") == (max(shares) == 1)


def test_successors_can_be_left_out(server: CxEngageServer) -> None:
    """If this failed, a client could not be tested without chains."""
    server.set_dialect(Dialect(chained=False))
    assert not any("nextEventId" in row for row in window(server, NOON - timedelta(hours=1))["results"])


def test_sessions_can_end_in_an_offline_record(server: CxEngageServer) -> None:
    """If this failed, the inferred presence 'offline' could not be served."""
    server.clock.set(NOON + timedelta(days=1))
    server.set_dialect(Dialect(offline_records=True))
    rows = stretch(server, datetime(2026, 3, 3, 12, tzinfo=UTC), datetime(2026, 3, 4, 0, tzinfo=UTC))
    assert len({row["eventId"] for row in rows}) == len(rows)
    offline = {row["eventId"]: row for row in rows if row["presence"] == "offline"}
    before = {row.get("nextEventId"): row for row in rows}
    assert offline
    for event_id, row in offline.items():
        assert row["state"] == "offline"
        assert before[event_id]["end"] == row["start"]


def a_long_transfer(server: CxEngageServer) -> Transfer:
    """Return a transfer during which its sender's record changes."""
    for transfer in server.centre.transfers:
        if transfer.completed is None or transfer.started < millis(NOON - timedelta(days=1)):
            continue
        changes = server.centre.changes[transfer.sender.number]
        if any(transfer.started < change.at < transfer.completed for change in changes):
            return transfer
    pytest.fail("no such transfer")


def told(server: CxEngageServer, transfer: Transfer) -> Rows:
    """Return the sender's records that tell of a transfer, as of the simulated clock."""
    session = max(
        (stay for stay in server.centre.sessions[transfer.sender.number] if stay.started <= transfer.started),
        key=lambda stay: stay.started,
    )
    rows = stretch(server, moment_of(session.started), moment_of(transfer.started) + timedelta(minutes=10))
    return [
        row
        for row in rows
        if row["sessionId"] == session.session_id
        and any(item["interactionId"] == transfer.interaction_id for item in row.get("transfers", []))
    ]


def test_a_transfer_is_repeated_in_each_of_the_senders_records(server: CxEngageServer) -> None:
    """If this failed, repeats of one transfer would never need to be recognised."""
    transfer = a_long_transfer(server)
    assert transfer.completed is not None
    server.clock.set(moment_of(transfer.completed) + timedelta(hours=2))
    rows = told(server, transfer)
    assert len(rows) >= 3
    for row in rows:
        items = [item for item in row["transfers"] if item["transferStartTimestamp"] == iso(transfer.started)]
        assert items == [
            {
                "interactionId": transfer.interaction_id,
                "toAgentId": transfer.receiver_id,
                "transferStartTimestamp": iso(transfer.started),
                "transferEndTimestamp": iso(transfer.completed),
            }
        ]
        assert row["start"] <= iso(transfer.completed)
        assert row.get("end", "9") > iso(transfer.started)


def test_a_transfer_in_flight_has_no_end(server: CxEngageServer) -> None:
    """If this failed, transfers would be complete before they are."""
    transfer = a_long_transfer(server)
    assert transfer.completed is not None
    server.clock.set(moment_of(transfer.started) + timedelta(seconds=15))
    items = [item for row in told(server, transfer) for item in row["transfers"]]
    mine = [item for item in items if item["transferStartTimestamp"] == iso(transfer.started)]
    assert mine
    assert not any("transferEndTimestamp" in item for item in mine)


def test_a_transfer_not_yet_begun_is_not_told(server: CxEngageServer) -> None:
    """If this failed, an open record would know what its agent will do."""
    transfer = a_long_transfer(server)
    server.clock.set(moment_of(transfer.started) + timedelta(seconds=14))
    items = [item for row in told(server, transfer) for item in row["transfers"]]
    assert not [item for item in items if item["transferStartTimestamp"] == iso(transfer.started)]


# -- the connection -------------------------------------------------------------------------


def test_connections_are_kept_and_pages_are_fast(server: CxEngageServer) -> None:
    """If this failed, measured capture times would be the simulator's own."""
    server.set_dialect(Dialect(max_range_seconds=86_400))
    server.api.index.warm()
    server.clock.set(NOON + timedelta(days=1))
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    headers = {"Authorization": requests.auth._basic_auth_str(server.username, server.password)}
    path = f"/v1/tenants/{server.tenant_id}/wfm/rta?start={text(NOON)}&end={text(NOON + timedelta(hours=8))}"
    best, size, sockets = 0.0, 0, set()
    for _ in range(8):
        began = time.perf_counter()
        connection.request("GET", path, headers=headers)
        sockets.add(connection.sock)
        size = len(connection.getresponse().read())
        best = max(best, size / (time.perf_counter() - began))
    connection.close()
    assert len(sockets) == 1
    assert size > 500_000
    assert best > 40e6


def test_only_loopback_is_served(server: CxEngageServer) -> None:
    """If this failed, a simulator would be open to the network."""
    assert server._wire.server_address[0] == "127.0.0.1"
