"""Sound rows of the tables that checks judge, and fields that make them unsound. Expects nothing."""

from datetime import timedelta
from typing import Any

from tests.models.lost import Tables
from tests.models.workbench import DAY, at

TIMELINE = "marts.fct_agent_timeline"
BUCKETS = "intermediate.int_agent_buckets"
TRANSFERS = "marts.fct_transfers"
INTERVALS = "marts.fct_agent_intervals"
DAYS = "marts.agg_agent_days"
UNTIL = "intermediate.int_observed_until"
STAYS = "marts.fct_participation"
PERSONS = "marts.fct_person_timeline"
PERSON_DAYS = "marts.agg_person_days"
ADHERENCE = "marts.fct_adherence"
KEPT = "marts.fct_adherence_intervals"
BEYONDTRUST = "intermediate.int_beyondtrust"
KORE = "intermediate.int_kore_records"
FIGURES = "intermediate.int_cxengage_interval_figures"
RECONCILED = "ops.reconciliation"
WHO_IS = {"source": "cx", "agent_id": "ann"}
WHO = {**WHO_IS, "date": DAY}


def told(start: str, end: str, **fields: Any) -> dict[str, Any]:
    """A sound row of the timeline, and these fields."""
    sound = {
        "state": "available",
        "session_id": "s",
        "evidence": "reported",
        "state_started_at": at(start),
        "seconds": 1.0,
    }
    return {**WHO, **sound, "started_at": at(start), "ended_at": at(end), **fields}


def bucket(start: str = "08:00", **fields: Any) -> dict[str, Any]:
    """A full bucket of available time, and these fields."""
    names = ("handling_us", "wrap_up_us", "not_ready_us", "offline_us", "unobserved_us", "uncertainty_us")
    empty = dict.fromkeys(names, 0)
    return {**WHO, **empty, "interval_start": at(start), "available_us": 900_000_000, "work_item_us": 0,
            "most_work_items": 0, **fields}  # fmt: skip


def buckets(end: str) -> list[dict[str, Any]]:
    """Full buckets from midnight to a quarter of an hour."""
    count = (at(end) - at("00:00")) // timedelta(minutes=15)
    return [bucket(interval_start=at("00:00") + n * timedelta(minutes=15)) for n in range(count)]


def until(end: str) -> Tables:
    """A source that was observed until then."""
    return {UNTIL: [{"source": "cx", "date": DAY, "observed_until": at(end)}]}


def there(end: str) -> Tables:
    """The same, and an agent of it who was there from midnight on."""
    return {TIMELINE: [told("00:00", end)], **until(end)}


def seconds(**fields: Any) -> dict[str, Any]:
    """A quarter-hour or day of available time, and these fields."""
    names = (
        "handling",
        "wrap_up",
        "not_ready",
        "offline",
        "unobserved",
        "work_item",
        "load",
        "capacity",
        "uncertainty",
    )
    zeros = {f"{name}_seconds": 0.0 for name in names} | dict.fromkeys(("transfers_out", "transfers_in", "logins"), 0)
    return {**WHO, **zeros, "staffed_seconds": 900.0, "available_seconds": 900.0, "observed_seconds": 900.0, **fields}


def transfer(**fields: Any) -> dict[str, Any]:
    """A sound transfer, and these fields."""
    return {"source": "cx", "date": DAY, "transfer_id": "t", "to_kind": "agent", "kind": "unknown", "hop": 1,
            "started_at": at("08:00"), "completed_at": at("08:01"), **fields}  # fmt: skip


def session(**fields: Any) -> dict[str, Any]:
    """A sound session, and these fields."""
    return {"source": "cx", "session_id": "s", "ended_by": "derived", "logged_in_at": at("08:00"),
            "logged_out_at": at("09:00"), **fields}  # fmt: skip


def covered(start: str, end: str, **fields: Any) -> dict[str, Any]:
    """A sound stretch of coverage, and these fields."""
    return {"source": "cx", "feed": "agent_states", "date": DAY, "window_start": at(start), "window_end": at(end),
            "status": "observed", **fields}  # fmt: skip


def moment(**fields: Any) -> dict[str, Any]:
    """A sound record, and these fields."""
    return {**WHO, "started_at": at("08:00"), "ended_at": at("09:00"), "is_unmapped": False, **fields}


def activity(**fields: Any) -> dict[str, Any]:
    """A sound stretch of Kore.ai, and these fields."""
    return {**WHO, "source": "kore_in", "feed": "agent_activity", "started_at": at("08:00"),
            "window_start": at("08:00"), "uncertainty_us": 1_000_000, "is_derived": False, **fields}  # fmt: skip


def stay(**fields: Any) -> dict[str, Any]:
    """A sound participation, and these fields."""
    return {**WHO, "interaction_id": "i", "joined_at": at("08:00"), "left_at": at("09:00"), "role": "owner", **fields}


def theirs(**fields: Any) -> dict[str, Any]:
    """A sound figure of the vendor's own, and these fields."""
    return {**WHO, "figure": "handling_seconds", "interval_start": at("08:00"), "interval_end": at("08:15"),
            "seconds": 900.0, **fields}  # fmt: skip


def compared(**fields: Any) -> dict[str, Any]:
    """A sound comparison, and these fields."""
    return {**WHO, "feed": "agent_intervals", "figure": "handling_seconds", "interval_start": at("08:00"),
            "ours_seconds": 600.0, "theirs_seconds": 598.0, "difference_seconds": 2.0, "tolerance_seconds": 2.0,
            "is_judged": True, **fields}  # fmt: skip


def did(**fields: Any) -> dict[str, Any]:
    """A sound stretch of a plan, and these fields."""
    return {**WHO, "started_at": at("08:00"), "ended_at": at("08:15"), "seconds": 900.0, "activity": "phone",
            "is_work": True, "state": "available", "adherence": "in", "is_tolerated": False, "is_unmapped": False,
            **fields}  # fmt: skip


def kept(**fields: Any) -> dict[str, Any]:
    """The quarter of an hour of that stretch, and these fields."""
    return {**WHO, "interval_start": at("08:00"), "scheduled_seconds": 900.0, "scheduled_work_seconds": 900.0,
            "worked_seconds": 900.0, "adherent_seconds": 900.0, "out_of_adherence_seconds": 0.0, "neutral_seconds": 0.0,
            "observed_seconds": 900.0, **fields}  # fmt: skip


def human(start: str = "00:00", end: str = "24:00", **fields: Any) -> dict[str, Any]:
    """A sound row of a person's timeline, and these fields."""
    return {"person_id": "p1", "date": DAY, "started_at": at(start), "ended_at": at(end), "state": "available",
            "agents": 2, "staffed_agents": 1, **fields}  # fmt: skip


def lived(**fields: Any) -> dict[str, Any]:
    """The day of that person, and these fields."""
    return {"person_id": "p1", "date": DAY, "staffed_seconds": 86400.0, "overlap_seconds": 0.0,
            "observed_seconds": 86400.0, "unobserved_seconds": 0.0, **fields}  # fmt: skip


def volumes(**fields: Any) -> dict[str, Any]:
    """A day like those before, and these fields."""
    return {"source": "cx", "date": DAY, "is_whole": True, "is_recent": True, "agents": 10, "staffed_seconds": 3e5,
            "agents_before": 10.0, "staffed_seconds_before": 3e5, **fields}  # fmt: skip
