"""The timeline of watched feeds by brute force, from docs/metrics.md (Timeline): a second opinion on the SQL.

Slow, in plain Python, one agent at a time and over all days at once. Shares no code with the product.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise, zip_longest
from typing import Any

WORDS = {"available": "available", "busy": "not_ready", "logged_out": "offline", "unknown": "unobserved"}
ONE_DAY = timedelta(days=1)
Stretch = tuple[datetime, datetime]


@dataclass(frozen=True)
class Told:
    """A row of the timeline."""

    start: datetime
    end: datetime
    state: str
    session: str | None
    evidence: str
    is_open: bool


def midnight(day: date) -> datetime:
    """Its first instant in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def contiguous(watched: Iterable[Stretch]) -> list[Stretch]:
    """Stretches without the edges at which they only touch."""
    found: list[Stretch] = []
    for start, end in sorted(watched):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def names(records: Sequence[Mapping[str, Any]]) -> list[str | None]:
    """The session of each record of an agent in order: the vendor's sign-in, else the last one, else its start."""
    found: list[str | None] = []
    current = None
    for record in records:
        state = WORDS[record["vendor_state"]]
        login = record["logged_in_at"]
        if state == "offline":
            current = None
            found.append(None)
        elif login is None and state == "unobserved":
            found.append(None)
        else:
            if login is not None or current is None:
                since = login or record["started_at"]
                fraction = f".{since.microsecond:06}" if since.microsecond else ""
                current = f"{record['agent_id']}|{since:%Y-%m-%dT%H:%M:%S}{fraction}Z"
            found.append(current)
    return found


def timeline(
    records: Sequence[Mapping[str, Any]], watched: Iterable[Stretch], until: datetime, days: Sequence[date]
) -> dict[tuple[date, str], list[Told]]:
    """Every day on which an agent was seen, told from midnight to midnight or the observed-until time."""
    seen = contiguous(watched)
    found: dict[tuple[date, str], list[Told]] = {}
    for agent in sorted({record["agent_id"] for record in records}):
        own = sorted((r for r in records if r["agent_id"] == agent), key=lambda r: r["started_at"])
        for day in days:
            if rows := told_of_day(own, seen, midnight(day), min(midnight(day) + ONE_DAY, until)):
                found[day, agent] = rows
    return found


def told_of_day(
    own: Sequence[Mapping[str, Any]], seen: Sequence[Stretch], begin: datetime, end: datetime
) -> list[Told]:
    """One agent's day; empty where they were not seen."""
    # A day is built from what began before its end: it does not know tomorrow's records.
    known = [r for r in own if r["started_at"] < begin + ONE_DAY]
    if end <= begin or not known:
        return []
    sessions = names(known)
    rows = [Told(begin, known[0]["started_at"], "unobserved", None, "none", is_open=False)]
    is_seen = known[-1]["started_at"] >= begin
    for record, session, after in zip_longest(known, sessions, known[1:]):
        state = WORDS[record["vendor_state"]]
        stop, why = lasts_until(record, after, seen)
        is_seen |= after is None and stop > begin and state != "offline"
        is_open = record["ended_at"] is None and stop >= end and end < begin + ONE_DAY
        evidence = (
            "none" if state == "unobserved"
            else "derived" if record["is_derived"] or (why == "gap" and stop < end) or (why == "overlap" and stop < end)
            else "carried" if record["started_at"] < begin
            else "reported"
        )  # fmt: skip
        rows.append(Told(record["started_at"], stop, state, session, evidence, is_open=is_open))
        rows.append(Told(stop, after["started_at"] if after else end, "unobserved", None, "none", is_open=False))
    cut = [Told(max(r.start, begin), min(r.end, end), r.state, r.session, r.evidence, r.is_open) for r in rows]
    return [r for r in cut if r.end > r.start] if is_seen else []


def lasts_until(
    record: Mapping[str, Any], after: Mapping[str, Any] | None, seen: Sequence[Stretch]
) -> tuple[datetime, str]:
    """How long a record speaks, and what stops it: its own end, the next record, or a gap."""
    start, end = record["started_at"], record["ended_at"]
    if end is not None:
        stop, why = end, "end"
    else:
        stop, why = next((b for a, b in seen if a <= start < b), start), "gap"
    if after is not None and after["started_at"] <= stop:
        return after["started_at"], "overlap" if end is not None and after["started_at"] < end else "next"
    return stop, why


def tiles(rows: Sequence[Told], begin: datetime, end: datetime) -> bool:
    """Whether the rows cover this time without gap or overlap."""
    edges = [begin, *(edge for row in rows for edge in (row.start, row.end)), end]
    return all(a == b for a, b in zip(edges[::2], edges[1::2], strict=True)) and all(
        a.start < a.end <= b.start for a, b in pairwise(rows)
    )
