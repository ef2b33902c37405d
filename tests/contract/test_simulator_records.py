"""What the simulated CxEngage says of agents: chained records, counts, transfers, as the vendor's facts have it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from simulator.cxengage import CxEngageServer
from simulator.cxengage_json import Dialect
from simulator.facts import CHANNELS, Transfer, iso, millis, moment_of, uuid_time
from tests.contract.served import NOON, Rows, chains, stretch, text, window

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
