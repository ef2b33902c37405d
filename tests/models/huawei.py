"""Rows of Huawei's feeds as tests write them: polls of gateway and CC-CMS, and operations. No expectations here."""

from collections.abc import Sequence
from typing import Any

from tests.models.workbench import Rows, Workbench, at, clock

STEP = 5.0
OPERATIONS = "intermediate.int_huawei_operations"
HISTORY = "intermediate.int_huawei_history"
RECORDS = "intermediate.int_huawei_records"


def feed_clock(feed: str) -> dict[str, Any]:
    """A configured feed of a Huawei source, polled every five seconds."""
    return {
        **clock(),
        "source": "hw",
        "vendor": "huawei",
        "feed": feed,
        "sample_seconds": STEP,
        "hold_seconds": 2 * STEP,
    }


def delivery(**fields: Any) -> dict[str, Any]:
    """Where a row came from."""
    row = {"source": "hw", "segment": "seg", "sequence": 0, "record": 1, "payload_sha256": "p", **fields}
    return {
        name: at(value) if name.startswith("window_") and isinstance(value, str) else value
        for name, value in row.items()
    }


def poll(moment: str, state: int | None = 4, agent: str = "101", **fields: Any) -> dict[str, Any]:
    """What the gateway answered about an agent; without a state, an error. The feed is watched all day and the next."""
    return delivery(
        **{
            "agent_id": agent,
            "status": 200,
            "retcode": "0" if state is not None else "100-006",
            "agent_state": state,
            "is_working": False if state is not None else None,
            "requested_at": at(moment),
            "received_at": at(moment),
            "window_start": "-2d 00:00",
            "window_end": "+3d 00:00",
            **fields,
        }
    )


def polls(first: str, last: str, state: int | None = 4, agent: str = "101", **fields: Any) -> list[dict[str, Any]]:
    """Polls every five seconds from one time to another, both included."""
    start, end = at(first), at(last)
    rows = [poll(first, state, agent, **fields)]
    while (moment := rows[-1]["received_at"] + (at("00:00:05") - at("00:00"))) <= end:
        rows.append({**rows[0], "requested_at": moment, "received_at": moment})
    assert rows[0]["received_at"] == start
    return rows


def cms(moment: str, state: int, since: int, agent: str = "101", **fields: Any) -> dict[str, Any]:
    """What CC-CMS said of an agent: a state, and for how many seconds."""
    return delivery(
        **{
            "agent_id": agent,
            "current_state": state,
            "current_state_seconds": since,
            "current_state_reason": 65535,
            "prev_state_seconds": 4294967295,
            "logon_ms": 1793692800000,
            "requested_at": at(moment),
            "received_at": at(moment),
            "window_start": "-2d 00:00",
            "window_end": "+3d 00:00",
            **fields,
        }
    )


def asked(start: str, end: str, agent: str | None = "101", **fields: Any) -> dict[str, Any]:
    """The reply to a request for an agent's operations, whatever rows it held."""
    window = {"window_start": start, "window_end": end, "touched_from": at(start), "touched_until": at(end)}
    return delivery(record=0, agent_id=agent, **{"received_at": at(end), **window, **fields})


def operation(start: str, end: str | None, kind: int, cause: str | None = None, **fields: Any) -> dict[str, Any]:
    """An operation, its id made of its start and kind."""
    return delivery(
        **{
            "agent_id": "101",
            "id": f"{start} {kind} {cause} {end}",
            "op_type": str(kind),
            "op_cause": cause,
            "begin_at": at(start),
            "end_at": at(end) if end else None,
            "received_at": at("+1d 02:00"),
            "window_start": "00:00",
            "window_end": "24:00",
            **fields,
        }
    )


def polled(bench: Workbench, rows: Sequence[dict[str, Any]]) -> Rows:
    """Stretches by the gateway."""
    return bench.run(
        "intermediate.int_huawei_polled", stg_huawei__agent_status=rows, feed_clock=[feed_clock("agent_status")]
    )


def cms_polled(bench: Workbench, rows: Sequence[dict[str, Any]]) -> Rows:
    """Stretches by CC-CMS."""
    return bench.run(
        "intermediate.int_huawei_cms_polled", stg_huawei__cms_status=rows, feed_clock=[feed_clock("cms_status")]
    )


def operations(bench: Workbench, rows: Sequence[dict[str, Any]]) -> Rows:
    """Operations, each once, of the day before, the day and the day after."""
    found = Rows()
    for days in (-1, 0, 1):
        day = at(f"{days:+d}d 00:00").date()
        found += [{**row, "date": day} for row in bench.run(OPERATIONS, day, stg_huawei__cms_history=rows)]
    return found


def history(bench: Workbench, rows: Sequence[dict[str, Any]]) -> Rows:
    """Stretches by operations."""
    return bench.run(HISTORY, stg_huawei__cms_history=rows, int_huawei_operations=operations(bench, rows))


def records(
    bench: Workbench,
    gateway: Sequence[dict[str, Any]] = (),
    present: Sequence[dict[str, Any]] = (),
    past: Sequence[dict[str, Any]] = (),
) -> Rows:
    """Records of the day by all feeds together."""
    return bench.run(
        RECORDS,
        int_huawei_polled=polled(bench, gateway),
        int_huawei_cms_polled=cms_polled(bench, present),
        int_huawei_history=history(bench, past),
    )
