"""Whether the demo would notice a wrong figure in BeyondTrust's reports, or in what its Command API says."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pytest

from orchestration.demo_beyondtrust import Payroll, command, reports
from orchestration.demo_truth import SECOND, VIEWS, Stay, Stretch, Transfer, Truth

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
AT = int(NOON.timestamp()) * SECOND
DAYS = [NOON.date()]
TABLES = {
    "staging.stg_beyondtrust__sessions": "source varchar, kind varchar, lsid varchar, gsnumber varchar, "
    "representative_id varchar, seconds_involved bigint, received_at timestamptz, reject_reason varchar, "
    "event_type varchar, performed_by_type varchar, performed_by_gsnumber varchar, event_at timestamptz",
    "staging.stg_beyondtrust__command": "source varchar, segment varchar, sequence bigint, requested_at timestamptz, "
    "action varchar, element varchar, team_id varchar, id varchar, name varchar, text_value varchar, "
    "logged_in_since timestamptz, support_sessions bigint",
    "raw.beyondtrust_command": "source varchar, segment varchar, sequence bigint, requested_at timestamptz, "
    "received_at timestamptz, request varchar",
}
SIGNED_IN = NOON - timedelta(seconds=1)
PAYROLL = Payroll({"7": "Ann", "8": "Bob"}, {"7": [AT - SECOND + 1, AT + 200 * SECOND]}, [{("7", "Ann"), ("8", "Bob")}])
TRUTH = Truth(
    VIEWS["beyondtrust"],
    {"7": [Stretch("7", AT - SECOND, AT + 90 * SECOND, "handling", 1)]},
    [Transfer("7", "8", AT + SECOND // 2, AT + 5 * SECOND, "a")],
    [
        Stay("7", "a", AT, AT + 2_600_000),
        Stay("7", "a", AT + 5 * SECOND, AT + 6_700_000),
        Stay("8", "a", AT + 5 * SECOND, None),
        Stay("8", "b", AT + 86_400 * SECOND, AT + 86_401 * SECOND),
    ],
)


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse with nothing in it."""
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'; create schema staging; create schema raw")
        for table, columns in TABLES.items():
            connection.execute(f"create table {table} ({columns})")
        yield connection


def put(connection: duckdb.DuckDBPyConnection, table: str, *rows: dict[str, Any]) -> None:
    """Add rows of the one source."""
    for row in rows:
        whole = {"source": "bt", **row}
        marks = ", ".join("?" * len(whole))
        connection.execute(f"insert into {table} ({', '.join(whole)}) values ({marks})", list(whole.values()))


def told(connection: duckdb.DuckDBPyConnection, **changes: Any) -> None:
    """What reports say of session a, delivered while it went on and once more; some fields other than they were."""
    ann = {"kind": "representative", "lsid": "a", "gsnumber": "2", "representative_id": "7"}
    bob = {"kind": "representative", "lsid": "a", "gsnumber": "3", "representative_id": "8", "seconds_involved": 9}
    handed = {"kind": "event", "lsid": "a", "event_type": "Session Transferred to Queue", "event_at": NOON,
              "performed_by_type": "representative", "performed_by_gsnumber": "2"}  # fmt: skip
    rows = [
        {**ann, "seconds_involved": 1, "received_at": NOON},
        {**ann, "seconds_involved": 4, "received_at": NOON + timedelta(hours=1), **changes},
        {**bob, "received_at": NOON + timedelta(hours=1)},
    ]
    put(connection, "staging.stg_beyondtrust__sessions", *rows)
    if "lost" not in changes.values():
        put(connection, "staging.stg_beyondtrust__sessions", handed, handed)


def test_reports_that_say_what_happened_are_called_equal(connection: duckdb.DuckDBPyConnection) -> None:
    """If this fails, the demo doubts right figures: those of sessions that go on, or that it did not ask for."""
    told(connection)
    found = reports(connection, "bt", TRUTH, DAYS)
    assert (found.equal, found.differences) == (True, [])
    assert found.figures == {
        "agents": 1,
        "transfers": 1,
        "true transfers": 1,
        "participations": 1,
        "true participations": 1,
        "compared": "1 of 1 agents, 4 of 4 s",
    }


@pytest.mark.parametrize("changes", [{"seconds_involved": 5}, {"lsid": "c"}, {"reject_reason": "lost"}])
def test_a_wrong_report_is_noticed(connection: duckdb.DuckDBPyConnection, changes: dict[str, Any]) -> None:
    """If this fails, the demo calls wrong seconds, a strange session, or a lost transfer equal."""
    told(connection, **changes)
    found = reports(connection, "bt", TRUTH, DAYS)
    assert not found.equal
    assert found.differences


def said(connection: duckdb.DuckDBPyConnection, **changes: Any) -> None:
    """What the Command API says at noon, some fields other than they are."""
    reply = {"segment": "s", "sequence": 0, "requested_at": NOON}
    request = "GET /api/command?action=get_logged_in_reps"
    put(connection, "raw.beyondtrust_command",
        {**reply, "received_at": NOON + timedelta(seconds=1), "request": request})  # fmt: skip
    ann = {"action": "get_logged_in_reps", "element": "rep", "id": "7", "name": "Ann", "support_sessions": 1}
    known = {name: value for name, value in changes.items() if name in {"name", "support_sessions", "id"}}
    members = [{"element": "team_member", "team_id": "2", "id": "7", "name": "Ann"}]
    if "team" not in changes:
        members.append({"element": "team_member", "team_id": "2", "id": "8", "name": "Bob"})
    health = {"action": "check_health", "element": "success", "text_value": changes.get("health", "1")}
    for row in ({**ann, "logged_in_since": changes.get("since", SIGNED_IN), **known}, *members, health):
        put(connection, "staging.stg_beyondtrust__command", {**reply, **row})


def test_a_command_api_that_says_what_is_true_is_called_equal(connection: duckdb.DuckDBPyConnection) -> None:
    """If this fails, the demo doubts who is signed in, or in which team."""
    said(connection)
    found = command(connection, "bt", TRUTH, PAYROLL, NOON)
    assert (found.equal, found.differences) == (True, [])
    assert found.figures == {"agents": 1, "compared": "1 of 1 signed in, 1 of 1 teams, healthy"}


@pytest.mark.parametrize(
    "changes",
    [{"name": "Anne"}, {"support_sessions": 2}, {"since": NOON}, {"id": "8"}, {"team": "half"}, {"health": "0"}],
)
def test_a_wrong_word_of_the_command_api_is_noticed(
    connection: duckdb.DuckDBPyConnection, changes: dict[str, Any]
) -> None:
    """If this fails, the demo calls a wrong name, number, time, team or state of the appliance equal."""
    said(connection, **changes)
    found = command(connection, "bt", TRUTH, PAYROLL, NOON)
    assert not found.equal
    assert found.differences


def test_an_api_that_nobody_asked_is_not_equal(connection: duckdb.DuckDBPyConnection) -> None:
    """If this fails, the demo ends well without having asked."""
    assert not command(connection, "bt", TRUTH, PAYROLL, NOON).equal
    assert not reports(connection, "bt", Truth(VIEWS["beyondtrust"], {}, []), DAYS).equal
