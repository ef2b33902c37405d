"""The simulated Kore.ai where its documents are silent or contradict themselves: each way its dialect can go."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from simulator.facts import iso, millis
from simulator.kore import KoreServer
from simulator.kore_events import KoreDialect
from tests.contract.served_kore import MIDNIGHT, NOON, ask, get, instant, text, token, updates


def test_attributes_can_be_camel_case(kore: KoreServer) -> None:
    """If this failed, the newer page's field table could not be simulated."""
    pascal = updates(kore)
    kore.set_dialect(KoreDialect(names="camel"))
    camel = ask(kore, MIDNIGHT, NOON).json()["agentUpdates"]
    assert [tuple(row.values()) for row in camel] == [tuple(row.values()) for row in pascal]
    assert set(camel[0]) == {"agentId", "eventTime", "activity", "reasonCode"}


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata"])
def test_times_can_be_of_any_zone(kore: KoreServer, zone: str) -> None:
    """If this failed, an account that tells local times could not be simulated."""
    true = [instant(row) for row in updates(kore)]
    kore.set_dialect(KoreDialect(event_zone=zone))
    told = [instant(row).replace(tzinfo=None) for row in updates(kore)]
    assert told == [moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for moment in true]


def test_times_can_be_padded(kore: KoreServer) -> None:
    """If this failed, the format as stated, not as sampled, could not be simulated."""
    kore.set_dialect(KoreDialect(padded=True))
    assert {len(row["EventTime"]) for row in updates(kore)} == {len("03/03/2026 06:00:00")}


@pytest.mark.parametrize(
    ("empty", "status", "body"),
    [
        ("list", 200, {"accountId": "", "AgentUpdates": []}),
        ("null", 200, {"accountId": "", "AgentUpdates": None}),
        ("absent", 200, {"accountId": ""}),
        ("no_content", 204, None),
    ],
)
def test_a_reply_without_updates_can_have_several_shapes(
    kore: KoreServer, empty: Any, status: int, body: dict[str, object] | None
) -> None:
    """If this failed, the shape of nothing could not be varied."""
    kore.set_dialect(KoreDialect(empty=empty))
    reply = ask(kore, NOON, NOON)
    assert reply.status_code == status
    assert (reply.json() | {"accountId": ""} if reply.content else None) == body


def test_a_missing_reason_can_have_several_shapes(kore: KoreServer) -> None:
    """If this failed, a client could not be tested against null or absent codes."""
    kore.set_dialect(KoreDialect(no_reason="null"))
    assert {row["ReasonCode"] for row in updates(kore) if row["Activity"] == "ready"} == {None}
    kore.set_dialect(KoreDialect(no_reason="absent"))
    assert not any("ReasonCode" in row for row in updates(kore) if row["Activity"] == "ready")


def test_the_windows_end_can_belong_to_it(kore: KoreServer) -> None:
    """If this failed, a vendor that serves an event in two neighbouring windows could not be simulated."""
    session = next(stay for stays in kore.centre.sessions for stay in stays if stay.started < millis(NOON))
    window = {"fromTimeStamp": iso(session.started - 1), "toTimeStamp": iso(session.started)}
    assert get(kore, window).json()["AgentUpdates"] == []
    kore.set_dialect(KoreDialect(end_inclusive=True))
    assert [row["Activity"] for row in get(kore, window).json()["AgentUpdates"]] == ["login"]


def test_the_stream_can_be_required(kore: KoreServer) -> None:
    """If this failed, the header of the newer page would never be checked."""
    assert ask(kore, MIDNIGHT, NOON).status_code == 200
    kore.set_dialect(KoreDialect(stream_id_required=True))
    assert ask(kore, MIDNIGHT, NOON).status_code == 400
    assert ask(kore, MIDNIGHT, NOON, iId="st-other").status_code == 400
    assert ask(kore, MIDNIGHT, NOON, iId=kore.stream_id).status_code == 200


def test_windows_can_have_limits(kore: KoreServer) -> None:
    """If this failed, a retention that nobody documented could not be simulated."""
    assert ask(kore, NOON - timedelta(days=400), NOON).status_code == 200
    kore.set_dialect(KoreDialect(max_range_seconds=3600, retention_days=1, window_status=422))
    assert ask(kore, NOON - timedelta(hours=1), NOON).status_code == 200
    assert ask(kore, NOON - timedelta(hours=1, seconds=1), NOON).status_code == 422
    assert ask(kore, NOON - timedelta(days=2), NOON - timedelta(days=2)).status_code == 422


def test_the_subject_can_be_required(kore: KoreServer) -> None:
    """If this failed, an app that enforces `sub` could not be simulated."""
    kore.set_dialect(KoreDialect(subject_required=True, denied_status=400))
    good = {"fromTimeStamp": text(MIDNIGHT), "toTimeStamp": text(NOON)}
    assert get(kore, good).status_code == 400
    assert get(kore, good, token(kore, sub="1234567890")).status_code == 200


def test_conversations_can_be_an_activity(kore: KoreServer) -> None:
    """If this failed, accounts that map conversations to an activity could not be simulated."""
    assert "busy" not in {row["Activity"] for row in updates(kore)}
    kore.set_dialect(KoreDialect(with_busy=True, busy="oncontact"))
    words = [row["Activity"] for row in updates(kore)]
    parts = [part for part in kore.centre.participations if millis(MIDNIGHT) <= part.joined < millis(NOON)]
    assert 0 < words.count("oncontact") <= len(parts)


def test_statuses_can_be_activities_of_their_own(kore: KoreServer) -> None:
    """If this failed, an activity that nobody knows would never be met."""
    kore.set_dialect(KoreDialect(custom={"Break": "Login Prep"}))
    found = {(row["Activity"], row["ReasonCode"]) for row in updates(kore)}
    assert ("Login Prep", kore.reason_codes["Break"]) in found
    assert ("notready", kore.reason_codes["Break"]) not in found


def test_busy_can_mean_having_no_room_left(kore: KoreServer) -> None:
    """If this failed, an account whose Busy is the console's, at full capacity, would be taken for one that is not."""
    told = {}
    for level in ("any", "full"):
        kore.set_dialect(KoreDialect(with_busy=True, busy_at="any" if level == "any" else "full"))
        told[level] = {(row["AgentId"], row["EventTime"]) for row in updates(kore) if row["Activity"] == "busy"}
    roomy = {kore.agent_ids[agent.agent_id] for agent in kore.centre.agents if agent.capacity > 1}
    assert 0 < len(told["full"]) < len(told["any"])
    assert {row for row in told["full"] if row[0] not in roomy} == {row for row in told["any"] if row[0] not in roomy}
