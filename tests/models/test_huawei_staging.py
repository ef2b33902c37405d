"""Staging of Huawei's answers: typed rows, errors that say something, and rejects with what was received."""

import json
from typing import Any

import pytest

from tests.models.workbench import DAY, Rows, Workbench, at

SEEN = {"requested_at": at("08:10"), "received_at": at("08:10:00.1"), "status": 200}
WINDOW = {"window_start": at("08:00"), "window_end": at("09:00")}
POLL = "GET /agentgateway/resource/onlineagent/101/agentstatus"
EVENT = "GET /agentgateway/resource/agentevent/101"
OPERATIONS = 'POST /rest/cmsapp/v1/openapi/agent/agentoprinfo {"currentAgentId":101,"beginTime":"2026-11-03 08:00:00"}'

# As the vendor's own page shows it (queryagentstatus, an agent who is signed out).
SAMPLE = {
    "prevState": 1, "agentId": 1031, "logonTime": 4294967295000, "agentRelease": 0, "locationId": 65535,
    "currentPrivateCallNum": 0, "currentStateTime": 2224439, "currentStateReason": 65535,
    "prevStateTime": 4294967295, "currentState": 0,
}  # fmt: skip


def stage(bench: Workbench, feed: str, *payloads: bytes, request: str = POLL, **fields: Any) -> Rows:
    """What staging makes of these answers of one segment."""
    pages = [
        {"source": "hw", "segment": "seg", "sequence": n, "payload": payload, "payload_sha256": "p", "request": request}
        for n, payload in enumerate(payloads)
    ]
    given = {f"huawei_{feed}": [{**SEEN, **WINDOW, **page, **fields} for page in pages]}
    return bench.run(f"staging.stg_huawei__{feed}", DAY, **given)


def reply(*rows: Any, **fields: Any) -> bytes:
    """A reply of CC-CMS."""
    return json.dumps({"result": "0", "resultCode": "0100000", "resultDesc": list(rows), **fields}).encode()


@pytest.mark.parametrize(
    "payload",
    [
        b'{"message":"","retcode":"0","result":{"agentState":4,"isWorking":true}}',
        b'{"retcode":0,"result":{"agentState":"4","isWorking":"true"}}',
        b'{"retcode":"0","result":[{"agentState":4,"isWorking":true}],"new":{}}',
    ],
)
def test_a_state_is_read_however_it_is_wrapped(bench: Workbench, payload: bytes) -> None:
    """The vendor's table and sample disagree; if this fails, one of the two is rejected."""
    [row] = stage(bench, "agent_status", payload)
    assert (row["agent_id"], row["agent_state"], row["is_working"], row["reject_reason"]) == ("101", 4, True, None)
    assert (row["touched_from"], row["touched_until"]) == (at("08:00:00.1"), at("08:20:00.1"))


@pytest.mark.parametrize(
    ("payload", "status", "retcode"),
    [(b'{"message":"no","retcode":"100-006"}', 200, "100-006"), (b"<html>busy</html>", 502, None), (b"", 429, None)],
)
def test_an_error_says_that_this_agent_was_not_observed(
    bench: Workbench, payload: bytes, status: int, retcode: str | None
) -> None:
    """If this fails, an error is rejected, and the agent keeps the state of before."""
    [row] = stage(bench, "agent_status", payload, status=status)
    assert (row["agent_id"], row["retcode"], row["agent_state"]) == ("101", retcode, None)
    assert (row["record"], row["reject_reason"]) == (1, None)


def test_an_event_is_no_poll(bench: Workbench) -> None:
    """If this fails, an event counts as a sample without a state."""
    event = {"eventType": "AgentState_Ready", "workNo": "101", "content": {"a": 1}, "eventGenTime": 1793692800500}
    payload = json.dumps({"message": "", "retcode": "0", "event": event}).encode()
    [row] = stage(bench, "agent_status", payload, request=EVENT)
    assert (row["event_type"], row["event_content"], row["agent_id"]) == ("AgentState_Ready", '{"a":1}', "101")
    assert row["event_at"] == at("08:00:00.5")
    without = json.dumps({"retcode": "0", "event": {**event, "eventGenTime": None}}).encode()
    assert stage(bench, "agent_status", without, request=EVENT).pick("event_at", "reject_reason") == [(None, None)]


@pytest.mark.parametrize(
    ("payload", "reason", "record"),
    [
        (b"", "the reply is not a JSON object with a retcode", 0),
        (b"\xff{}", "the reply is not a JSON object with a retcode", 0),
        (b'["retcode"]', "the reply is not a JSON object with a retcode", 0),
        (b'{"retcode":"0","result":{"agentState":"idle"}}', "agentState is missing or no number", 1),
        (b'{"retcode":"0"}', "agentState is missing or no number", 1),
    ],
)
def test_an_answer_that_says_nothing_is_rejected(bench: Workbench, payload: bytes, reason: str, record: int) -> None:
    """If this fails, an answer that nobody understands disappears."""
    [row] = stage(bench, "agent_status", payload)
    assert (row["reject_reason"], row["record"], row["touched_from"]) == (reason, record, None)
    [reject] = bench.run("ops.rejects", stg_huawei__agent_status=[row])
    assert (reject["feed"], reject["reason"]) == ("agent_status", reason)
    assert reject["payload"] == (payload.decode() if payload.isascii() else "\\xFF{}")


def test_the_vendors_sample_of_agents_presence_is_read(bench: Workbench) -> None:
    """If this fails, the reply on the vendor's own page cannot be used."""
    [row] = stage(bench, "cms_status", reply(SAMPLE, resultDatas=[SAMPLE]))
    assert row["agent_id"] == "1031"
    assert (row["current_state"], row["current_state_seconds"], row["prev_state"]) == (0, 2224439, 1)
    assert (row["logon_ms"], row["prev_state_seconds"]) == (4294967295000, 4294967295)
    assert row["reject_reason"] is None


def test_rows_that_stand_in_the_old_place_alone_are_read(bench: Workbench) -> None:
    """If this fails, an older CC-CMS tells nothing."""
    old = json.dumps({"result": "0", "resultDatas": [{"agentId": "5", "currentState": "1"}]}).encode()
    assert stage(bench, "cms_status", old).pick("agent_id", "current_state", "reject_reason") == [("5", 1, None)]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"<html>", "the page is not a JSON object with a resultCode"),
        (b'{"resultCode":"0300001"}', "resultCode is 0300001"),
        (b'{"resultCode":"0100000","resultDesc":"none"}', "the page has no list resultDesc or resultDatas"),
    ],
)
def test_a_reply_of_cms_that_failed_is_rejected_with_its_code(bench: Workbench, payload: bytes, reason: str) -> None:
    """If this fails, an error of CC-CMS looks like a call centre without agents."""
    assert stage(bench, "cms_status", payload).pick("record", "reject_reason", "reject_payload") == [
        (0, reason, payload.decode())
    ]


def test_one_odd_agent_hurts_no_other(bench: Workbench) -> None:
    """If this fails, one odd row loses a whole reply."""
    rows = stage(bench, "cms_status", reply(SAMPLE, 3, {**SAMPLE, "currentState": "away"}, SAMPLE))
    assert rows.pick("record", "reject_reason") == [
        (1, None),
        (2, "agentId is missing"),
        (3, "currentState is missing or no number"),
        (4, None),
    ]
    assert rows[1]["reject_payload"] == "3"


@pytest.mark.parametrize(
    "row",
    [
        {"id": "9", "agentId": 102, "opType": 4, "opCause": 0, "callId": "1-2", "beginTime": "2026-11-03 08:00:01"},
        {
            "id": "9",
            "agent_id": "102",
            "op_type": "4",
            "op_cause": "0",
            "call_id": "1-2",
            "begin_time": "1793692801000",
        },
        {
            "id": "9",
            "agentId": "102",
            "operateType": 4,
            "operateReason": "0",
            "callId": "1-2",
            "beginTime": 1793692801000,
        },
    ],
)
def test_an_operation_is_read_in_every_spelling(bench: Workbench, row: dict[str, Any]) -> None:
    """The names of the reply's fields were never seen; if this fails, one of the likely ones is rejected."""
    rows = stage(bench, "cms_history", reply(row), request=OPERATIONS)
    found = rows.pick("record", "agent_id", "op_type", "op_cause", "call_id", "begin_at", "end_at", "reject_reason")
    assert found[1] == (1, "102", "4", "0", "1-2", "08:00:01", None, None)


def test_a_reply_without_operations_still_says_who_was_asked_for(bench: Workbench) -> None:
    """If this fails, a quiet hour looks like one that nobody asked about."""
    for payload in (reply(), b'{"resultCode":"0100000"}', b'{"resultCode":"0100000","resultDesc":null}'):
        [row] = stage(bench, "cms_history", payload, request=OPERATIONS)
        assert (row["record"], row["agent_id"], row["op_type"], row["reject_reason"]) == (0, "101", None, None)
        assert (row["touched_from"], row["touched_until"]) == (at("08:00"), at("09:00"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"opType": None}, "op_type is missing or no number"),
        ({"beginTime": "soon"}, "begin_time is missing or no time"),
        ({"beginTime": "infinity"}, "begin_time is missing or no time"),
        ({"endTime": "soon"}, "end_time is no time"),
        ({"endTime": "2026-11-03 07:00:00"}, "end_time lies before begin_time"),
    ],
)
def test_an_operation_that_cannot_be_placed_is_rejected(bench: Workbench, change: dict[str, Any], reason: str) -> None:
    """If this fails, an operation moves to another time, or disappears."""
    row = {"id": "9", "agentId": 101, "opType": 4, "beginTime": "2026-11-03 08:00:00", "endTime": "", **change}
    rows = stage(bench, "cms_history", reply(row), request=OPERATIONS)
    assert rows.pick("record", "reject_reason") == [(0, None), (1, reason)]
    assert json.loads(rows[1]["reject_payload"]) == row


def test_a_history_reply_that_failed_was_not_asked(bench: Workbench) -> None:
    """If this fails, an hour of which CC-CMS told nothing counts as known."""
    rows = stage(bench, "cms_history", b'{"resultCode":"0300001"}', b"\x00", request=OPERATIONS)
    assert rows.pick("record", "reject_reason", "touched_from") == [
        (0, "resultCode is 0300001", None),
        (0, "the page is not a JSON object with a resultCode", None),
    ]
