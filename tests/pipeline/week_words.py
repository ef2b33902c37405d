"""In which words each platform tells of a row of the truth: state, reason, the vendor's word and the reason's code.

No times and no knowledge of what was looked at; those are in ``week_truth.py``.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from simulator import people
from simulator.facts import Reason
from simulator.huawei_states import REASON_CAUSES, HuaweiDialect
from simulator.kore_events import REASON_CODES

AFTER_CALL_WORK = "After Call Work"
LEAVES_DESK = {"Break", "Lunch", "Personal"}
RESTS = HuaweiDialect().rest_reasons
OPERATIONS = {"offline": "0", "available": "2", "handling": "4", "wrap_up": "27"}
SIGNED_OUT = "258"
"""Huawei's cause of a sign-out that the agent wanted."""
REASON_IDS = {reason.name: reason.reason_id for reason in vars(people).values() if isinstance(reason, Reason)}
FLAGS = {"assignment_off": "Assignment off", "idle": "Idle", "busy": "At capacity"}
Row = dict[str, Any]


class Told(NamedTuple):
    """What a platform says of a stretch."""

    state: str
    says: str | None = None
    word: str | None = None
    code: str | None = None


Say = Callable[[Row], Told]


def by_cxengage(row: Row) -> Told:
    """Whether ready for more is a word of its own, whatever the agent handles."""
    word = "ready" if row["is_ready"] else "not-ready"
    code = None if row["reason"] is None else REASON_IDS[row["reason"]]
    return Told(row["state"], row["reason"], None if row["state"] == "offline" else word, code)


def by_kore(row: Row) -> Told:
    """Presence alone: who works is ready, unless they have said otherwise meanwhile."""
    if row["state"] == "offline":
        return Told("offline", word="logout")
    if row["is_ready"]:
        return Told("available", word="ready")
    code = None if row["reason"] is None else REASON_CODES[row["reason"]]
    return Told("wrap_up" if row["reason"] == AFTER_CALL_WORK else "not_ready", code, "notready", code)


def by_beyondtrust(row: Row) -> Told:
    """Flags: after-contact work is one of several ways of not wanting sessions, and who is away is idle at once."""
    if row["state"] == "offline":
        return Told("offline", word="logged_out")
    away = not row["is_ready"] and row["reason"] in LEAVES_DESK
    raised = {
        "assignment_off": not row["is_ready"] and not away,
        "idle": away and not row["work_items"],
        "busy": row["work_items"] >= max(row["capacity"], 1),
    }
    word = next((flag for flag, is_raised in raised.items() if is_raised), "available")
    flags = [{"busy": "at_capacity"}.get(flag, flag) for flag, is_raised in raised.items() if is_raised]
    state = "not_ready" if row["state"] == "wrap_up" else row["state"]
    return Told(state, FLAGS.get(word), word, "+".join(flags) or None)


def by_huawei(row: Row) -> Told:
    """Types of operations and causes; some causes make it a rest."""
    if row["state"] == "not_ready":
        cause = str(REASON_CAUSES.get(row["reason"], 0))
        return Told("not_ready", cause, "26" if row["reason"] in RESTS else "3", cause)
    other = {"wrap_up": "0", "offline": SIGNED_OUT}.get(row["state"])
    return Told(row["state"], other, OPERATIONS[row["state"]], other)
