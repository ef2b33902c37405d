"""The timeline by brute force, written from docs/metrics.md (Timeline) alone: a second opinion on the SQL.

Slow, in plain Python, over one agent at a time and all days at once. Shares no code with the product.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import zip_longest
from typing import Any

DELAY = timedelta(seconds=15)
DAY = timedelta(days=1)
WORDS = {"ready": "available", "not-ready": "not_ready", "offline": "offline"}


@dataclass(frozen=True)
class Span:
    """A stretch of one agent's time; ``session`` is NULL when nobody is signed in."""

    start: datetime
    end: datetime
    state: str
    session: str | None


def observed_spans(attempts: Iterable[Mapping[str, Any]]) -> list[tuple[datetime, datetime]]:
    """What was looked at, as contiguous stretches: windows as far as the vendor's clock less its delay."""
    seen = sorted(
        (a["window_start"], min(a["window_end"], a["vendor_time"] - DELAY)) for a in attempts if a["status"] == "ok"
    )
    merged: list[tuple[datetime, datetime]] = []
    for start, end in seen:
        if end <= start:
            continue
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def best_copies(copies: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Rule 2: a closed copy, then the later receipt, then the greater hash.

    A record of no length gives way to any other of its instant: it says nothing about time, but may end a session.
    """
    by_id: dict[str, list[Mapping[str, Any]]] = {}
    for copy in copies:
        by_id.setdefault(copy["event_id"], []).append(copy)
    best = [
        max(same, key=lambda c: (c["ended_at"] is not None, c["received_at"], c["payload_sha256"]))
        for same in by_id.values()
    ]
    by_start: dict[datetime, Mapping[str, Any]] = {}
    for record in sorted(best, key=lambda b: (b["ended_at"] != b["started_at"], b["event_id"])):
        by_start[record["started_at"]] = record
    return [by_start[start] for start in sorted(by_start)]


def spans_of(
    records: Sequence[Mapping[str, Any]], attempts: Sequence[Mapping[str, Any]], until: datetime
) -> list[Span]:
    """Rules 2 to 7 for one agent: states, sign-outs, and what nobody knows, from the first record on."""
    seen = observed_spans(attempts)

    def reach(moment: datetime) -> datetime:
        return next((end for start, end in seen if start <= moment < end), moment)

    found: list[Span] = []
    for record, after in zip_longest(records, records[1:]):
        start, end = record["started_at"], record["ended_at"]
        if start >= until:
            break
        stop = min(after["started_at"] if after else until, until)
        same_session = after is not None and after["session_id"] == record["session_id"]
        login = (after["logged_in_at"] or after["started_at"]) if after else until
        state_end = offline_end = start
        if end is not None:
            state_end = min(end, stop)
            is_last = record["next_event_id"] is None and not same_session
            offline_end = min(stop, reach(end), login) if is_last and end < stop else state_end
        elif same_session:
            state_end = min(stop, reach(start))
        else:
            open_until = [start, *(a["vendor_time"] - DELAY for a in attempts if _shows(a, record))]
            state_end = min(stop, reach(start), max(login, start), max(open_until))
        state = WORDS.get(record["presence"], "unobserved")
        found.append(Span(start, state_end, state, record["session_id"]))
        known = max(state_end, offline_end)
        found.append(Span(state_end, known, "offline", None))
        found.append(Span(known, stop, "unobserved", None))
    return [span for span in found if span.end > span.start]


def _shows(attempt: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    return attempt["status"] == "ok" and attempt.get("segment") == record["segment"] and bool(attempt.get("open_ids"))


def timeline(
    copies: Sequence[Mapping[str, Any]], attempts: Sequence[Mapping[str, Any]], until: datetime, days: Sequence[date]
) -> dict[tuple[date, str], list[Span]]:
    """Rule 1: each day on which an agent was seen is tiled from midnight to midnight or the observed-until time."""
    tiled: dict[tuple[date, str], list[Span]] = {}
    for agent in {copy["agent_id"] for copy in copies}:
        records = best_copies(copy for copy in copies if copy["agent_id"] == agent)
        for day in days:
            begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
            end = min(begin + DAY, until)
            # A day is built from what began before its end: it does not know tomorrow's records.
            spans = spans_of([r for r in records if r["started_at"] < begin + DAY], attempts, until)
            starts_here = any(begin <= r["started_at"] < begin + DAY for r in records)
            carried = any(s.start < begin < s.end and s.state != "offline" and s.session is not None for s in spans)
            if end > begin and (starts_here or carried):
                first = spans[0].start if spans else end
                whole = [Span(begin, first, "unobserved", None), *spans]
                cut = [Span(max(s.start, begin), min(s.end, end), s.state, s.session) for s in whole]
                tiled[day, agent] = merged(s for s in cut if s.end > s.start)
    return tiled


def merged(spans: Iterable[Span]) -> list[Span]:
    """Neighbours of one state and session as one."""
    found: list[Span] = []
    for span in spans:
        last = found[-1] if found else None
        if last and (last.end, last.state, last.session) == (span.start, span.state, span.session):
            found[-1] = Span(last.start, span.end, span.state, span.session)
        else:
            found.append(span)
    return found
