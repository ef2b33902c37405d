"""The simulated CxEngage's intervals over real sockets: as documented, and where that is silent as chosen."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests

from simulator import truth
from simulator.cxengage import POWERLESS, CxEngageServer
from simulator.cxengage_intervals import IntervalDialect
from simulator.cxengage_json import Dialect
from simulator.facts import millis
from simulator.faults import Faults
from tests.contract.served import NOON, Rows, stretch, text

TEN = NOON - timedelta(hours=2)
QUARTER = timedelta(minutes=15)


def ask(server: CxEngageServer, /, **parameters: object) -> requests.Response:
    """Make one request with the good credentials."""
    return requests.get(
        f"{server.base_url}/v1/tenants/{server.tenant_id}/wfm/intervals/agent",
        params={name: str(value) for name, value in parameters.items()},
        auth=(server.username, server.password),
        timeout=10,
    )


def intervals(server: CxEngageServer, start: datetime = TEN, hours: float = 1, /, **more: object) -> dict[str, Any]:
    """Return the envelope of a range."""
    reply = ask(server, start=text(start), end=text(start + timedelta(hours=hours)), **more)
    assert reply.status_code == 200
    envelope: dict[str, Any] = reply.json()
    return envelope


def read(server: CxEngageServer, dialect: IntervalDialect) -> dict[str, Any]:
    """Return the envelope of one hour in a dialect."""
    server.set_dialect(replace(Dialect(), intervals=dialect))
    return intervals(server)


def overlap(row: dict[str, Any], begun: datetime, ended: datetime) -> float:
    """Return the seconds that a stretch has in common with a row's interval."""
    start, end = (datetime.fromisoformat(row[name]) for name in ("startTimestamp", "endTimestamp"))
    return max(0.0, (min(end, ended) - max(start, begun)).total_seconds())


def test_the_envelope_is_the_documented_one(server: CxEngageServer) -> None:
    """If this failed, a client written to the documents would not read the simulator."""
    envelope = intervals(server)
    results = envelope.pop("results")
    assert envelope.pop("total") == len(results) > 20
    assert envelope == {
        "tenantId": server.tenant_id,
        "limit": 1000,
        "offset": 0,
        "start": "2026-03-03T10:00:00.000Z",
        "type": "agent",
        "page": 0,
        "end": "2026-03-03T11:00:00.000Z",
    }


def test_the_sums_are_those_of_the_state_records(server: CxEngageServer) -> None:
    """If this failed, a reconciliation would find differences where there are none."""
    records = [row for row in stretch(server, TEN - timedelta(hours=9), NOON) if "end" in row]
    rows = [row for row in intervals(server)["results"] if row["busyTime"] + row["idleTime"] > 0]
    assert len(rows) > 20
    for row in rows:
        busy = idle = items = 0.0
        for record in (record for record in records if record["agentId"] == row["agentId"]):
            seconds = overlap(row, datetime.fromisoformat(record["start"]), datetime.fromisoformat(record["end"]))
            active = sum(sum(entry["channels"].values()) for entry in record["capacity"])
            busy += seconds if active else 0
            idle += seconds if not active and record["presence"] == "ready" else 0
            items += seconds * active
        assert row["busyTime"] == pytest.approx(busy, abs=0.002)
        assert row["idleTime"] == pytest.approx(idle, abs=0.002)
        assert row["conversationTime"] == pytest.approx(items, abs=0.002)


def test_wrap_up_and_counts_are_those_of_the_truth(server: CxEngageServer) -> None:
    """If this failed, after-call work or the number of calls would be somebody else's."""
    centre = server.centre
    states = [
        row
        for row in truth.agent_states(
            centre.agents, centre.sessions, centre.presences, centre.participations, centre.ends
        )
        if row[4] == "wrap_up"
    ]
    seen = 0
    for row in intervals(server)["results"]:
        start, end = (millis(datetime.fromisoformat(row[name])) for name in ("startTimestamp", "endTimestamp"))
        spans = [(int(str(s[2])), int(str(s[3]))) for s in states if s[0] == row["agentId"]]
        wrap_up = sum(max(0, min(end, b) - max(start, a)) for a, b in spans)
        parts = [part for part in centre.participations if part.agent.agent_id == row["agentId"]]
        assert row["wrapUpTime"] == row["agentWrapUpTime"] == wrap_up / 1000
        assert row["answeredCallCount"] == sum(start <= part.joined < end for part in parts)
        assert row["handledCallCount"] == sum(part.left is not None and start < part.left <= end for part in parts)
        seen += wrap_up
    assert seen > 0


def test_quarters_follow_one_another_and_keep_their_names(server: CxEngageServer) -> None:
    """If this failed, an agent's row could be of another length, or have another id when asked for again."""
    rows = intervals(server)["results"]
    for row in rows:
        start, end = (datetime.fromisoformat(row[name]) for name in ("startTimestamp", "endTimestamp"))
        assert end - start == QUARTER
        assert row["busyTime"] + row["idleTime"] + row["wrapUpTime"] <= 900.001
    assert len({row["agentIntervalId"] for row in rows}) == len(rows)
    assert intervals(server, TEN, 0.25)["results"] == [row for row in rows if row["startTimestamp"] == text(TEN)]


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_pages_give_every_row_once(server: CxEngageServer, limit: int) -> None:
    """If this failed, paging by offset or by page would lose or repeat rows."""
    whole = intervals(server)
    count = -(-whole["total"] // limit)
    by_page: Rows = []
    by_offset: Rows = []
    for number in range(count):
        by_page += intervals(server, TEN, 1, limit=limit, page=number)["results"]
        by_offset += intervals(server, TEN, 1, limit=limit, offset=number * limit)["results"]
    assert by_page == by_offset == whole["results"]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-03-03T10:00:00Z", "2026-03-03T10:20:00Z"),
        ("2026-03-03T10:00:01Z", "2026-03-03T10:15:00Z"),
        ("2026-03-03T10:15:00Z", "2026-03-03T10:00:00Z"),
        ("2026-03-03T10:00", "2026-03-03T10:15:00Z"),
        ("2026-02-24T10:00:00Z", "2026-03-03T10:15:00Z"),
        ("2026-03-03T11:45:00Z", "2026-03-03T12:00:00Z"),
        ("2026-03-03T13:00:00Z", "2026-03-03T13:15:00Z"),
    ],
)
def test_a_range_outside_the_rules_gets_400(server: CxEngageServer, start: str, end: str) -> None:
    """If this failed, a client could ask for what the vendor refuses and never find out."""
    assert ask(server, start=start, end=end).status_code == 400


def test_the_limits_themselves_are_allowed(server: CxEngageServer) -> None:
    """If this failed, exactly seven days, or an end exactly ten minutes ago, would be refused."""
    end = NOON - QUARTER
    assert ask(server, start=text(end - timedelta(days=7)), end=text(end)).status_code == 200
    assert ask(server, start=text(TEN)).json()["end"] == text(end)
    server.clock.set(NOON - timedelta(minutes=5))
    assert ask(server, start=text(TEN), end=text(end)).status_code == 200


def test_the_permission_is_one_of_its_own(server: CxEngageServer) -> None:
    """If this failed, a role that may read states alone could not be tested."""
    url = f"{server.base_url}/v1/tenants/{server.tenant_id}/wfm/intervals/agent?start={text(TEN)}"
    assert requests.get(url, auth=(POWERLESS, server.password), timeout=10).status_code == 403
    assert requests.get(url, auth=(server.username, "wrong"), timeout=10).status_code == 401
    server.set_dialect(Dialect(intervals=IntervalDialect(permitted=False)))
    assert ask(server, start=text(TEN)).status_code == 403
    assert stretch(server, TEN, TEN + timedelta(minutes=10))


def test_what_is_not_served_is_not_found(server: CxEngageServer) -> None:
    """If this failed, a client would take an empty answer for an empty queue."""
    for kind in ("queue", "agent-queue", "agents"):
        url = f"{server.base_url}/v1/tenants/{server.tenant_id}/wfm/intervals/{kind}?start={text(TEN)}"
        assert requests.get(url, auth=(server.username, server.password), timeout=10).status_code == 404


def test_other_readings_of_the_documents_can_be_served(server: CxEngageServer) -> None:
    """If this failed, a client could only be tested against one guess."""
    plain = intervals(server)["results"]
    unit = read(server, IntervalDialect(unit="milliseconds"))["results"]
    assert [row["busyTime"] for row in unit] == [round(row["busyTime"] * 1000) for row in plain]
    assert all(row["idleTime"] is None for row in read(server, IntervalDialect(working_times="null"))["results"])
    assert all("idleTime" not in row for row in read(server, IntervalDialect(working_times="absent"))["results"])
    everybody = read(server, IntervalDialect(absent_agents="zero"))["results"]
    assert len(everybody) == 4 * len(server.centre.agents) > len(plain)
    server.set_dialect(Dialect(intervals=IntervalDialect(results="object")))
    lone = intervals(server, TEN, 1, limit=1)
    assert (lone["results"], lone["total"]) == (plain[0], len(plain))
    assert read(server, IntervalDialect(max_limit=3))["limit"] == 3


def test_a_row_can_be_of_the_whole_range(server: CxEngageServer) -> None:
    """If this failed, the sample's reading, one row from the start to the end asked for, could not be tested."""
    plain = intervals(server)["results"]
    whole = read(server, IntervalDialect(span="range"))["results"]
    assert len({row["agentId"] for row in plain}) == len(whole)
    for row in whole:
        quarters = [quarter for quarter in plain if quarter["agentId"] == row["agentId"]]
        assert (row["startTimestamp"], row["endTimestamp"]) == (text(TEN), text(TEN + timedelta(hours=1)))
        assert row["busyTime"] == pytest.approx(sum(quarter["busyTime"] for quarter in quarters), abs=0.003)


def test_conversations_can_count_where_they_ended(server: CxEngageServer) -> None:
    """If this failed, the other usual attribution could not be tested."""
    rows = read(server, IntervalDialect(attribution="ended"))["results"]
    for row in rows:
        start, end = (millis(datetime.fromisoformat(row[name])) for name in ("startTimestamp", "endTimestamp"))
        lengths = [
            part.left - part.joined
            for part in server.centre.participations
            if part.agent.agent_id == row["agentId"] and part.left is not None and start < part.left <= end
        ]
        assert row["conversationTime"] == pytest.approx(sum(lengths) / 1000)
        assert row["handledCallCount"] == len(lengths)


def test_altered_figures_differ_by_what_was_asked_for(server: CxEngageServer) -> None:
    """If this failed, a reconciliation could not be shown to notice."""
    plain = intervals(server)["results"]
    server.set_faults(Faults(altered_figures=0.2, altered_seconds=45))
    now = intervals(server)["results"]
    changed = [
        (before, after) for before, after in zip(plain, now, strict=True) if before["busyTime"] != after["busyTime"]
    ]
    assert 0 < len(changed) < len(plain) / 2
    for before, after in changed:
        assert after["busyTime"] - before["busyTime"] == pytest.approx(45)
        assert after["idleTime"] == pytest.approx(max(0, before["idleTime"] - 45))
    assert intervals(server)["results"] == now


def test_missing_and_repeated_rows_can_be_served(server: CxEngageServer) -> None:
    """If this failed, the faults of other feeds would pass this one by."""
    plain = intervals(server)
    server.set_faults(Faults(dropped=((TEN, TEN + timedelta(minutes=20)),)))
    assert {row["startTimestamp"] for row in intervals(server)["results"]} == {
        text(TEN + 2 * QUARTER),
        text(TEN + 3 * QUARTER),
    }
    server.set_faults(Faults(dropped=((TEN, TEN + timedelta(minutes=20)),), dropped_mode="error"))
    assert ask(server, start=text(TEN), end=text(TEN + QUARTER)).status_code == 500
    assert ask(server, start=text(TEN + 2 * QUARTER), end=text(TEN + 3 * QUARTER)).status_code == 200
    server.set_faults(Faults(duplicate_rows=0.3, shuffled=True, wrong_total=2, stringly_limit=True))
    messy = intervals(server)
    assert messy["limit"] == "1000"
    assert messy["total"] == len(messy["results"]) + 2 > plain["total"] + 2
    assert {row["agentIntervalId"] for row in messy["results"]} == {row["agentIntervalId"] for row in plain["results"]}
