"""Replies beside fewer staged rows than they hold: examples for the checks that nothing is lost. Expects nothing."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.models.workbench import DAY, at

Tables = Mapping[str, Sequence[Mapping[str, Any]]]

CX = "cxengage__agent_states"
CX_SUMS = "cxengage__agent_intervals"
KORE = "kore__agent_activity"
GATEWAY = "huawei__agent_status"
PRESENT = "huawei__cms_status"
HISTORY = "huawei__cms_history"
STATE = "beyondtrust__state"
ARCHIVE = "beyondtrust__archive"
COMMAND = "beyondtrust__command"
SESSIONS = "beyondtrust__sessions"
TWO = [{"a": 1}, {"a": 2}]
CHANGE = {"insert": {"queue": {"1": {}, "2": {}}}, "delete": {"team": ["1"]}}
LINE = json.dumps(CHANGE).encode()
EVENTS = {"archive_type": "event", "request": "POST /x generate_report=Archive&type=event&index=1"}


_STAGED = ("kind", "element", "archive_type", "row_id", "reject_reason", "reject_payload")


def lost(feed: str, payload: bytes | Any, *staged: int, **fields: Any) -> Tables:
    """A page, and the numbers of the records of it that were staged."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    place = {"source": "x", "segment": "seg", "sequence": 0, "window_start": at("08:00")}
    kept = {name: fields.pop(name) for name in _STAGED if name in fields}
    return {
        f"raw.{feed.replace('__', '_')}": [{**place, "payload": body, "status": 200, **fields}],
        f"staging.stg_{feed}": [{**place, "record": record, **kept} for record in staged],
    }


LOST: dict[str, list[Tables]] = {
    f"staging.stg_{CX}.holds_every_record": [
        lost(CX, {"results": TWO}, 1),
        lost(CX, {"results": TWO}, 1, 2, 3),
        lost(CX, {"results": TWO}),
        lost(CX, b"\xff"),
    ],
    f"staging.stg_{CX}.starts_once": [
        {f"staging.stg_{CX}": [{"source": "cx", "event_id": "e", "started_at": at(t)} for t in ("08:00", "08:01")]}
    ],
    f"staging.stg_{CX_SUMS}.holds_every_sum": [
        lost(CX_SUMS, {"results": TWO}, 1),
        lost(CX_SUMS, {"results": {"a": 1}}, 0),
        lost(CX_SUMS, {"results": 1}),
    ],
    f"staging.stg_{KORE}.holds_every_update": [
        lost(KORE, {"accountId": "a", "AgentUpdates": TWO}, 1),
        lost(KORE, {"accountId": "a", "agentUpdates": TWO}, 1, 2, 3),
        lost(KORE, {"error": "no"}),
        lost(KORE, b"\xff"),
    ],
    f"staging.stg_{GATEWAY}.holds_every_answer": [lost(GATEWAY, b"{}"), lost(GATEWAY, b"{}", 1, 2)],
    f"staging.stg_{PRESENT}.holds_every_agent": [
        lost(PRESENT, {"resultCode": "0100000", "resultDesc": TWO}, 1),
        lost(PRESENT, {"result": "0", "resultDatas": TWO}, 1, 2, 3),
        lost(PRESENT, {"resultCode": "99", "resultDesc": "no"}),
    ],
    f"staging.stg_{HISTORY}.holds_every_operation": [
        lost(HISTORY, {"resultCode": "0100000", "resultDesc": TWO}, 0, 1),
        lost(HISTORY, {"resultCode": "0100000", "resultDesc": TWO}, 1, 2),
        lost(HISTORY, b"id,developer_id,x\n1,2,3\n\n4,5,6", 0, 1, content_type="text/csv"),
    ],
    f"staging.stg_{STATE}.holds_every_change": [lost(STATE, CHANGE, 1, 2), lost(STATE, b"{")],
    f"staging.stg_{ARCHIVE}.holds_every_change": [
        lost(ARCHIVE, CHANGE, 1, 2, kind="insert", row_id="1", **EVENTS),
        lost(ARCHIVE, CHANGE, 1, 2, 3, 4, kind="insert", row_id="1", **EVENTS),
        lost(ARCHIVE, b"{}\n{\n{\n{", 1, 2, reject_reason="no object", reject_payload="{", **EVENTS),
        # One line of three changes is rejected, and the other is lost.
        lost(ARCHIVE, b"\n".join([LINE, LINE]), 1, reject_reason="no time", reject_payload=LINE.decode(), **EVENTS),
    ],
    f"staging.stg_{SESSIONS}.holds_every_session": [
        lost(SESSIONS, b'<session_list><session lsid="1"/><session></session></session_list>', 1, kind="session")
    ],
    f"staging.stg_{COMMAND}.holds_every_element": [
        lost(COMMAND, b'<logged_in_reps><rep id="5"/><rep id="6"></rep></logged_in_reps>', 1, element="rep"),
        lost(COMMAND, b"<support_teams><support_team><members><representative id='5'/></members></support_team>"
             b"</support_teams>", 1, element="support_team"),
        lost(COMMAND, b"<connected_clients><connected_representative/></connected_clients>"),
    ],
    "intermediate.int_agent_records.holds_every_staged_record": [
        {
            f"staging.stg_{CX}": [{"source": "cx", "agent_id": "ann", "started_at": at("08:00"), "date": DAY}],
            "intermediate.int_agent_records": [{"source": "cx", "agent_id": "ann", "started_at": at("08:01")}],
        }
    ],
    "intermediate.int_agents_seen.holds_every_polled_agent": [
        {f"staging.stg_{feed}": [{"source": "hw", "agent_id": "1", "received_at": at("08:00"), "agent_state": 4,
                                  "date": DAY} if feed == GATEWAY else
                                 {"source": "hw", "agent_id": "1", "received_at": at("08:00"), "date": DAY}]}
        for feed in (GATEWAY, PRESENT)
    ],
}  # fmt: skip
