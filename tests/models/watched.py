"""Records of vendors whose feeds are watched, as their day models give them, and days built from them.

Written as BeyondTrust's, whose words are ``available``, ``assignment_off``, ``logged_out`` and ``unknown``. No
expectations here.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from tests.models.workbench import DAY, Chain, Rows, Workbench, at, attempt, clock

TIMELINE = "marts.fct_agent_timeline"
SESSIONS = "marts.fct_agent_sessions"
WHOLE = (("00:00", "24:00"),)
NIGHT = (("00:00", "24:00"), ("+1d 00:00", "+2d 00:00"))
FEEDS = {"beyondtrust": "state", "kore": "agent_activity", "huawei": "agent_status"}
_TIMES = ("logged_in_at", "window_start", "received_at")


def said(start: str, word: str = "available", end: str | None = None, **fields: Any) -> dict[str, Any]:
    """A record of Ann at BeyondTrust, open without ``end``, and these fields."""
    began = at(start)
    vendor = fields.get("vendor", "beyondtrust")
    return {
        "source": "bt",
        "vendor": vendor,
        "feed": FEEDS[vendor],
        "agent_id": "ann",
        "record_id": f"ann|{start}",
        "started_at": began,
        "ended_at": at(end) if end else None,
        "vendor_state": word,
        "ends_session": False,
        "uncertainty_us": 1_000_000,
        "is_derived": False,
        "segment": "seg",
        "window_start": at("00:00"),
        "received_at": began,
        "payload_sha256": "p",
        "date": began.date(),
        **{name: at(value) if name in _TIMES and isinstance(value, str) else value for name, value in fields.items()},
    }


def feed_clock(until: str = "24:00", since: str = "00:00", **fields: Any) -> dict[str, Any]:
    """The clock of a watched feed without delay, its uncertainty 7 seconds where a record says none."""
    vendor = fields.get("vendor", "beyondtrust")
    watched = {
        "source": "bt",
        "vendor": vendor,
        "feed": FEEDS[vendor],
        "delay_seconds": 0.0,
        "uncertainty_seconds": 7.0,
    }
    return clock(until, since, **{**watched, **fields})


def looked(*spans: tuple[str, str], **fields: Any) -> list[dict[str, Any]]:
    """Attempts that watched these stretches whole."""
    return [attempt(start, end, end, **{"source": "bt", "feed": "state", **fields}) for start, end in spans]


def build(
    bench: Workbench,
    rows: Sequence[Mapping[str, Any]],
    spans: Sequence[tuple[str, str]] = WHOLE,
    last: str = TIMELINE,
    **inputs: Any,
) -> Chain:
    """All days that the records or the stretches watched lie on, up to this table."""
    start, end = min((s for s, _ in spans), key=at), max((e for _, e in spans), key=at)
    first = min([at(start).date(), *(row["date"] for row in rows)])
    days = [first + timedelta(days=n) for n in range(((at(end) - timedelta(microseconds=1)).date() - first).days + 1)]
    given: dict[str, list[Any]] = {f"int_{vendor}_records": [] for vendor in FEEDS}
    for row in rows:
        given[f"int_{row['vendor']}_records"].append(row)
    clocks = inputs.pop("clocks", [feed_clock(inputs.pop("until", end), start)])
    attempts = inputs.pop("attempts", looked(*spans))
    return bench.chain(days, last, clocks, attempts=attempts, **given, **inputs)


def of_day(chain: Chain, *names: str, day: int = 0, agent: str = "ann") -> list[Any]:
    """Starts, states and these columns of a day in order, closed by the end of the last row."""
    rows = chain.rows(TIMELINE, f"date = '{DAY + timedelta(days=day)}' and agent_id = '{agent}'")
    return [*rows.pick("started_at", "state", *names), *rows.pick("ended_at")[-1:]]


def sessions(
    bench: Workbench, rows: Sequence[Mapping[str, Any]], spans: Sequence[tuple[str, str]] = WHOLE, **inputs: Any
) -> Rows:
    """Sign-ins made of these records."""
    return build(bench, rows, spans, SESSIONS, **inputs).rows(SESSIONS)
