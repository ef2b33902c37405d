"""Rows of Kore.ai for the tests of its models: replies, staged updates, and the clock of its feed. Expects nothing."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from tests.models.workbench import Rows, Workbench, at, clock

KORE_STAGED = "staging.stg_kore__agent_activity"
KORE_RECORDS = "intermediate.int_kore_records"


def said(time: str) -> str:
    """A short time as the vendor writes it: hour unpadded, no zone."""
    moment = at(time)
    return f"{moment:%m/%d/%Y} {moment.hour}:{moment:%M:%S}"


def vendor_update(**fields: Any) -> dict[str, Any]:
    """An update in the vendor's words, and these fields."""
    return {"AgentId": "ann", "EventTime": said("08:00"), "Activity": "ready", "ReasonCode": "1", **fields}


def reply(*updates: Any) -> dict[str, Any]:
    """A reply of the vendor with these updates."""
    return {"accountId": "acc", "AgentUpdates": list(updates)}


def page(payload: bytes | Mapping[str, Any], sequence: int = 0, **fields: Any) -> dict[str, Any]:
    """A row of the raw segment: one reply."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return {
        "source": "kore_in",
        "feed": "agent_activity",
        "segment": "seg",
        "sequence": sequence,
        "window_start": at("08:00"),
        "window_end": at("09:00"),
        "received_at": at("09:02"),
        "status": 200,
        "payload": body,
        "payload_sha256": hashlib.sha256(body).hexdigest(),
        **fields,
    }


def stage(bench: Workbench, *payloads: bytes | Mapping[str, Any], **fields: Any) -> Rows:
    """What staging makes of these replies of one segment."""
    return bench.run(KORE_STAGED, kore_agent_activity=[page(p, n, **fields) for n, p in enumerate(payloads)])


def update(time: str, activity: str, reason: str | None = None, **fields: Any) -> dict[str, Any]:
    """A staged update of Ann, delivered with its UTC hour in a segment named for it, in the order of ``record``."""
    moment = at(time)
    window = moment.replace(minute=0, second=0, microsecond=0)
    return {
        "source": "kore_in",
        "segment": f"seg {window:%d %H}",
        "sequence": 0,
        "record": 1,
        "agent_id": "ann",
        "event_time": moment.replace(tzinfo=None),
        "activity": activity,
        "reason_code": reason,
        "window_start": window,
        "window_end": window + timedelta(hours=1),
        "received_at": window + timedelta(hours=1, minutes=2),
        "payload_sha256": "p",
        "touched_from": moment - timedelta(hours=14),
        "touched_until": moment + timedelta(hours=12),
        **{name: at(value) if name in _TIMES else value for name, value in fields.items()},
    }


def told(*steps: str, **fields: Any) -> list[dict[str, Any]]:
    """Updates of one reply in its order: ``"08:00 ready"``, ``"12:00 notready 1"``, …; of the first one's hour."""
    first = update(steps[0].split()[0], "")
    delivery = {name: first[name] for name in ("segment", "window_start", "window_end", "received_at")}
    return [
        {**update(step.split()[0], *step.split()[1:]), **delivery, "record": n, **fields}
        for n, step in enumerate(steps, 1)
    ]


def kore_clock(zone: str = "UTC", **fields: Any) -> dict[str, Any]:
    """The clock of Kore's feed, observed all day."""
    return clock(source="kore_in", vendor="kore", feed="agent_activity", event_timezone=zone, **fields)


def records(bench: Workbench, *updates: Iterable[Mapping[str, Any]], zone: str = "UTC", **inputs: Any) -> Rows:
    """What the day's model makes of staged updates."""
    staged = [row for some in updates for row in some]
    return bench.run(KORE_RECORDS, stg_kore__agent_activity=staged, feed_clock=[kore_clock(zone)], **inputs)


_TIMES = {"window_start", "window_end", "received_at"}
