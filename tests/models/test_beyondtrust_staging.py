"""Staging BeyondTrust: messages, archive files and XML become typed rows, or rejects that keep them as they came."""

import json
from typing import Any

import pytest

from tests.models.beyondtrust import (
    ARCHIVE,
    COMMAND,
    SESSIONS,
    STATE,
    archive_page,
    change,
    lines,
    listing,
    page,
    stage,
    unix,
)
from tests.models.workbench import Rows, Workbench, at


def rejected(bench: Workbench, table: str, rows: Rows) -> list[Any]:
    """What of staged rows ends in ``ops.rejects``."""
    given: dict[str, Any] = {table.split(".")[1]: rows}
    return bench.run("ops.rejects", **given).pick("feed", "sequence", "record", "reason", "payload")


def command(action: str, body: str, sequence: int = 0) -> dict[str, Any]:
    """A reply of the Command API."""
    return page(body.encode(), sequence=sequence, request=f"GET /api/command?action={action}", status=200)


def report(name: str, body: str, sequence: int = 0) -> dict[str, Any]:
    """A reply of the Reporting API."""
    request = f"GET /api/reporting?generate_report={name}&start_time=1&duration=1"
    return page(body.encode(), sequence=sequence, request=request, status=200)


@pytest.mark.parametrize("name", ["update_model", "model_update", None])
def test_a_message_becomes_a_row_per_change_in_the_order_of_applying(bench: Workbench, name: str | None) -> None:
    """Both names were seen; if this fails, an appliance that uses the other one tells us nothing."""
    message = {
        "type": name,
        "delete": {"support_session": ["31", 32]},
        "update": {"representative": {"12": {"routing_busy": 1}}},
        "insert": {"queue": {"7": {"name": "a", "x": None}}, "attendee": None, "presenter": {}},
    }
    rows = stage(bench, STATE, [page(message, "08:30")])
    assert sorted(rows.pick("record", "kind", "table_name", "row_id", "fields")) == [
        (1, "insert", "queue", "7", '{"name":"a","x":null}'),
        (2, "update", "representative", "12", '{"routing_busy":1}'),
        (3, "delete", "support_session", "31", None),
        (4, "delete", "support_session", "32", None),
    ]
    assert {*rows.pick("connected_at", "received_at", "touched_from")} == {("08:00", "08:30", "08:30")}


def test_truncations_and_replies_are_rows_of_their_own(bench: Workbench) -> None:
    """If this fails, a restart of the appliance goes unseen, or a refusal cannot be found."""
    messages: list[Any] = [{"type": "truncate_model"}, {"type": "subscribe", "success": False}, change(insert={})]
    rows = stage(bench, STATE, [page(m, sequence=n) for n, m in enumerate(messages)])
    assert sorted(rows.pick("sequence", "record", "kind", "success")) == [
        (0, 1, "truncate", None),
        (1, 1, "reply", "false"),
    ]


def test_half_a_character_in_a_name_costs_no_message(bench: Workbench) -> None:
    """If this fails, everybody whom a message tells of is lost with the one whose name was cut."""
    message = change(insert={"representative": {"12": {"public_display_name": "?"}, "13": {}}})
    rows = stage(bench, STATE, [page(json.dumps(message).encode().replace(b'"?"', rb'"Ann \ud83d"'))])
    assert rows.pick("row_id", "fields") == [("12", '{"public_display_name":"Ann \ufffd"}'), ("13", "{}")]


def test_the_unreadable_part_of_a_message_is_rejected_alone(bench: Workbench) -> None:
    """If this fails, one odd row takes a full copy with it."""
    message = change(insert={"queue": {"7": {}, "8": 5}, "x": [1]}, delete=["9"])
    rows = stage(bench, STATE, [page(message), page(b'{"type": "update_mo', sequence=1), page({"a": 1}, sequence=2)])
    assert rejected(bench, STATE, rows) == [
        ("state", 0, 2, "the row is no JSON object", "5"),
        ("state", 0, 3, 'the table\'s "insert" names no rows', "[1]"),
        ("state", 0, 4, 'the "delete" of the message is no JSON object', '["9"]'),
        ("state", 1, 0, _NO_MESSAGE, '{"type": "update_mo'),
        ("state", 2, 0, _NO_MESSAGE, '{"a": 1}\n'),
    ]
    assert rows.pick("row_id", "reject_reason").count(("7", None)) == 1


_NO_MESSAGE = "the message is no JSON object that changes or truncates the model, or replies"


def test_an_archived_copy_is_dated_by_the_listing(bench: Workbench) -> None:
    """A copy holds no time; if this fails, the state of agents is known, and nobody knows when."""
    copy = json.dumps({"queue": {"7": {"a": 1}}, "attendee": None}).encode()
    pages = [listing({1: "08:00", 2: "08:30"}, {1: "08:00"}), archive_page("state", copy, 2)]
    rows = stage(bench, ARCHIVE, pages)
    assert rows.pick("record", "kind", "table_name", "row_id", "fields", "happened_at", "archive_index") == [
        (1, "snapshot", None, None, None, "08:30", 2),
        (2, "insert", "queue", "7", '{"a":1}', "08:30", 2),
    ]


def test_a_listing_may_hold_all_files_in_one_element(bench: Workbench) -> None:
    """How a listing nests is not established; if this fails, one of two readings loses the whole archive."""
    body = (
        f'<archives><state_archive><time timestamp="{unix("08:00")}"/><index>1</index>'
        f"<time>{at('08:30').isoformat()}</time><index>2</index></state_archive></archives>"
    )
    request = "GET /api/reporting?generate_report=ArchiveListing&date=2026-11-03"
    copies = [archive_page("state", b"{}", n) for n in (1, 2)]
    rows = stage(bench, ARCHIVE, [page(body.encode(), request=request), *copies])
    assert sorted(rows.pick("archive_index", "happened_at")) == [(1, "08:00"), (2, "08:30")]


@pytest.mark.parametrize("key", ["timestamp", "time", "ts", "when", "event_time"])
@pytest.mark.parametrize(
    "value",
    [unix("08:05"), str(unix("08:05")), unix("08:05") * 1000, unix("08:05") * 10**6, "2026-11-03T09:05:00+01:00"],
)  # fmt: skip
def test_an_archived_event_may_tell_its_time_in_several_ways(bench: Workbench, key: str, value: Any) -> None:
    """Its key and form are not documented; if this fails, one of the likely ones is not understood."""
    event = json.dumps({key: value, **change(update={"queue": {"7": {"a": 2}}})}).encode()
    [row] = stage(bench, ARCHIVE, [archive_page("event", event)])
    assert (row["kind"], row["reject_reason"], row["happened_at"]) == ("update", None, at("08:05"))


def test_lines_of_an_event_file_are_read_one_by_one(bench: Workbench) -> None:
    """If this fails, one broken line loses ten minutes."""
    good = lines([("08:01", change(insert={"queue": {"1": {}}})), ("08:02", {"type": "truncate_model"})])
    timeless = json.dumps(change(insert={"queue": {"2": {}}})).encode()
    rows = stage(bench, ARCHIVE, [archive_page("event", b"{cut\r\n\r\n" + good + timeless)])
    assert sorted(rows.pick("record", "kind", "happened_at"), key=lambda row: row[0]) == [
        (1, None, None), (2, "insert", "08:01"), (3, "truncate", "08:02"), (4, None, None),
    ]  # fmt: skip
    assert rejected(bench, ARCHIVE, rows) == [
        ("archive", 1, 1, "the event has no time that can be read", "{cut\r"),
        ("archive", 1, 4, "the event has no time that can be read", timeless.decode()),
    ]


def test_files_of_the_archive_that_cannot_be_used_are_kept_whole(bench: Workbench) -> None:
    """If this fails, a damaged or undated file passes for an empty one."""
    cut = archive_page("state", b"{}", 1)
    pages = [
        listing({1: "08:00"}, {}),
        {**cut, "payload": cut["payload"][:-6]},
        archive_page("state", b"[]", 1, sequence=2),
        archive_page("state", b"{}", 9, sequence=3),
        page(b"x", sequence=4, request="GET /"),
    ]
    found = rejected(bench, ARCHIVE, stage(bench, ARCHIVE, pages))
    assert [(sequence, record, reason) for _, sequence, record, reason, _ in found] == [
        (1, 0, "the file cannot be unpacked to text"),
        (2, 0, "the copy is no JSON object"),
        (3, 0, "no listing in the segment says when the copy was taken"),
        (4, 0, "the request asks for no listing, copy or events"),
    ]


@pytest.mark.parametrize("packed", [True, False])
def test_that_nothing_was_found_is_no_reject(bench: Workbench, *, packed: bool) -> None:
    """It is said as an error, plain or packed, in any language; if this fails, each quiet day is an alarm."""
    words = b"<error xmlns='urn:x'>No archives found for the given search criteria.</error>"
    asked = archive_page("state", words)
    rows = stage(bench, ARCHIVE, [asked if packed else {**asked, "payload": words}])
    assert rows.pick("kind", "message", "reject_reason") == [
        ("error", "No archives found for the given search criteria.", None)
    ]
    empty = report("SupportSession", "<error>Aucune information correspondant à vos critères.</error>")
    assert stage(bench, SESSIONS, [empty]).pick("kind", "reject_reason") == [("error", None)]


@pytest.mark.parametrize("space", ["https://www.beyondtrust.com/namespaces/API/command", "urn:older"])
def test_signed_in_representatives(bench: Workbench, space: str) -> None:
    """If this fails, who is signed in depends on the age of the appliance."""
    body = (
        f'<logged_in_reps xmlns="{space}"><rep id="5"><display_name>A.</display_name>'
        f"<public_display_name>A.</public_display_name><private_display_name>Ann</private_display_name>"
        f'<type>Normal</type><logged_in_since ts="{unix("07:00")}">2026-11-03T07:00:00</logged_in_since>'
        f"<support_session_count>2</support_session_count><showing_on_rep_list>1</showing_on_rep_list></rep>"
        f"</logged_in_reps>"
    )
    rows = stage(bench, COMMAND, [command("get_logged_in_reps", body)])
    assert rows.pick("element", "id", "name", "rep_type", "support_sessions", "is_on_rep_list", "logged_in_since") == [
        ("rep", "5", "Ann", "Normal", 2, True, "07:00")
    ]
    assert stage(bench, COMMAND, [command("get_logged_in_reps", f'<logged_in_reps xmlns="{space}"/>')]) == []


def test_teams_and_their_members(bench: Workbench) -> None:
    """If this fails, a roster cannot say who is in which team."""
    body = (
        '<support_teams><support_team id="2"><name>First</name><members><representative id="5">Ann</representative>'
        '<representative id="6">Bob</representative></members></support_team>'
        '<support_team id="3"><name>Second</name></support_team></support_teams>'
    )
    rows = stage(bench, COMMAND, [command("get_support_teams", body)])
    assert sorted(rows.pick("record", "element", "team_id", "id", "name")) == [
        (1, "support_team", None, "2", "First"),
        (2, "team_member", "2", "5", "Ann"),
        (3, "team_member", "2", "6", "Bob"),
        (4, "support_team", None, "3", "Second"),
    ]


def test_other_commands_are_kept_element_by_element(bench: Workbench) -> None:
    """If this fails, what an account may do, or a sick appliance, cannot be asked."""
    info = "<api_information><api_version>1.22.2</api_version><timestamp>1762156800</timestamp></api_information>"
    health = "<health><success>0</success><error_message>disk</error_message></health>"
    clients = (
        '<connected_clients><connected_representative id="9"><hostname>h</hostname></connected_representative>'
        "</connected_clients>"
    )
    refused = "<x><error>no permission</error></x>"
    replies = [("get_api_info", info), ("check_health", health), ("get_connected_clients", clients), ("x", refused)]
    rows = stage(bench, COMMAND, [command(action, body, n) for n, (action, body) in enumerate(replies)])
    assert sorted(rows.pick("sequence", "action", "root", "element", "text_value"), key=str) == [
        (0, "get_api_info", "api_information", "api_version", "1.22.2"),
        (0, "get_api_info", "api_information", "timestamp", "1762156800"),
        (1, "check_health", "health", "error_message", "disk"),
        (1, "check_health", "health", "success", "0"),
        (2, "get_connected_clients", "connected_clients", "connected_representative", None),
        (3, "x", "x", "error", "no permission"),
    ]


@pytest.mark.parametrize("body", ["", "<a>", "Bad Gateway", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'])
def test_replies_that_are_no_plain_xml_are_rejected_whole(bench: Workbench, body: str) -> None:
    """If this fails, a gateway's page passes for nobody being signed in."""
    rows = stage(bench, COMMAND, [command("get_logged_in_reps", body)])
    assert rejected(bench, COMMAND, rows) == [("command", 0, 0, "the reply is no XML, or declares entities", body)]
    rows = stage(bench, SESSIONS, [report("SupportSession", body)])
    assert [row[1:3] + row[4:] for row in rejected(bench, SESSIONS, rows)] == [(0, 0, body)]


def test_a_reported_session_with_its_representatives_and_events(bench: Workbench) -> None:
    """If this fails, history older than the archive is lost, or laid to the wrong representative."""
    body = (
        f'<session_list><session lsid="l1"><session_type>support</session_type>'
        f'<start_time timestamp="{unix("08:00")}"/>'
        f'<end_time timestamp="{unix("08:15")}"/><primary_rep gsnumber="21" id="1">Admin</primary_rep><rep_list>'
        f'<representative gsnumber="21" id="1"><display_name>Adm</display_name><session_owner>1</session_owner>'
        f"<seconds_involved>901</seconds_involved></representative></rep_list><session_details>"
        f'<event timestamp="{unix("08:01")}" event_type="Conference Member Added">'
        f'<performed_by type="representative" gsnumber="21">Adm</performed_by>'
        f'<data><value name="user_id" value="1"/><value name="os" value="x"/></data></event>'
        f"</session_details></session>"
        f'<session lsid="l2"><start_time timestamp="{unix("08:05")}"/><end_time/></session><session/></session_list>'
    )
    rows = stage(bench, SESSIONS, [report("SupportSession", body)])
    columns = ("record", "kind", "lsid", "representative_id", "started_at", "ended_at", "event_type", "event_at")
    assert rows.pick(*columns) == [
        (1, "session", "l1", "1", "08:00", "08:15", None, None),
        (2, "representative", "l1", "1", "08:00", "08:15", None, None),
        (3, "event", "l1", None, "08:00", "08:15", "Conference Member Added", "08:01"),
        (4, "session", "l2", None, "08:05", None, None, None),
        (5, "session", None, None, None, None, None, None),
    ]  # fmt: skip
    assert rows.pick("is_owner", "seconds_involved", "gsnumber")[1] == (True, 901, "21")
    assert rows[2]["data"] == [{"name": "user_id", "value": "1"}, {"name": "os", "value": "x"}]
    assert rejected(bench, SESSIONS, rows) == [("sessions", 0, 5, "the session has no lsid", "{}")]


def test_reported_activity_of_a_team(bench: Workbench) -> None:
    """If this fails, who came to work before Shiftbook watched cannot be told."""
    body = (
        f'<team_activity_list><team_activity id="1" name="First"><events><event timestamp="{unix("08:00")}" '
        f'event_type="Conference Member Added"><performed_by type="representative">John</performed_by>'
        f'<data><value name="user_id" value="2"/></data></event></events></team_activity></team_activity_list>'
    )
    rows = stage(bench, SESSIONS, [report("SupportTeam", body)])
    assert rows.pick("kind", "team_id", "team_name", "event_type", "event_at", "performed_by") == [
        ("team_event", "1", "First", "Conference Member Added", "08:00", "John")
    ]
