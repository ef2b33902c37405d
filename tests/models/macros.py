"""Asks the product's table macros over rows that a test gives. No expectations here: those belong in the tests."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb

from orchestration.settings import sql_dir
from tests.models.workbench import Rows, Workbench, at

GIVES = ("available", "handling", "wrap_up", "load", "capacity", "participation", "transfers", "idle_flag")
# What tells of days on which an agent has no rows: here all days are the timeline's.
WITHOUT_ROWS = ("intermediate.int_agent_day_open", "intermediate.int_feed_gaps", "intermediate.int_observed_until")
QUARTER = timedelta(minutes=15)

Row = Mapping[str, Any]


def ask(
    bench: Workbench,
    call: str,
    timeline: Iterable[Row] = (),
    stays: Iterable[Row] = (),
    intervals: Iterable[Row] = (),
    lacks: Sequence[str] = (),
) -> Rows:
    """What a table macro returns when its tables hold exactly these rows, all of one source.

    Args:
        bench: Where to ask.
        call: The macro with its arguments.
        timeline: Rows of ``fct_agent_timeline``; whoever has one is an agent.
        stays: Rows of ``fct_participation``.
        intervals: Rows of ``fct_agent_intervals``.
        lacks: Signals that the source does not give.
    """
    timeline, stays, intervals = list(timeline), list(stays), list(intervals)
    agents = sorted({row["agent_id"] for row in [*timeline, *intervals]})
    bench.give("marts.fct_agent_timeline", timeline)
    bench.give("marts.fct_participation", stays)
    bench.give("marts.fct_agent_intervals", intervals)
    seen = {who: min((t["started_at"] for t in timeline if t["agent_id"] == who), default=None) for who in agents}
    bench.give(
        "marts.dim_agents",
        [{"source": "cx", "agent_id": who, "agent_name": who.title(), "first_seen_at": seen[who]} for who in agents],
    )
    for table in WITHOUT_ROWS:
        bench.give(table, [])
    bench.give("intermediate.int_source_signals", [{"source": "cx"} | {f"gives_{s}": s not in lacks for s in GIVES}])
    create_macros(bench)
    return bench.query(f"from {call}")


def create_macros(bench: Workbench) -> None:
    """Make the product's macros, unless they are there."""
    try:
        bench.query("select utc_day(null)")
    except duckdb.CatalogException:
        for path in sorted((sql_dir() / "macros").glob("*.sql")):
            text = path.read_text(encoding="utf-8")
            bench.connection.execute(text.replace("create macro", "create or replace macro"))


def stretch(start: datetime, end: datetime, state: str = "available", agent: str = "ann", **more: Any) -> Iterator[Row]:
    """A stretch of the timeline, cut at midnight UTC as the timeline is."""
    begins = start
    while begins < end:
        midnight = datetime(begins.year, begins.month, begins.day, tzinfo=UTC) + timedelta(days=1)
        yield {
            "date": begins.date(),
            "source": "cx",
            "agent_id": agent,
            "started_at": begins,
            "ended_at": min(end, midnight),
            "state": state,
            "vendor_state": state,
            "state_started_at": start,
            "uncertainty_seconds": 0.0,
            "evidence": "none" if state == "unobserved" else "reported" if begins == start else "carried",
            **more,
        }
        begins = midnight


def told(start: str, end: str, state: str = "available", agent: str = "ann", **fields: Any) -> list[Row]:
    """A stretch of the timeline between two short times."""
    return list(stretch(at(start), at(end), state, agent, **fields))


def stay(interaction: str, start: str, end: str | None = None, agent: str = "ann") -> Row:
    """Taking part in an interaction."""
    joined = at(start)
    left = at(end) if end else None
    who = {"source": "cx", "agent_id": agent, "interaction_id": interaction}
    return {"date": joined.date(), **who, "joined_at": joined, "left_at": left}


def quarters(rows: Iterable[Row]) -> list[Row]:
    """The quarter-hours of ``fct_agent_intervals`` that a timeline adds up to, state by state."""
    found: dict[tuple[str, datetime], dict[str, int]] = {}
    for row in rows:
        start = row["started_at"]
        while start < row["ended_at"]:
            bucket = datetime.fromtimestamp(start.timestamp() // 900 * 900, UTC)
            end = min(bucket + QUARTER, row["ended_at"])
            sums = found.setdefault((row["agent_id"], bucket), {})
            sums[row["state"]] = sums.get(row["state"], 0) + (end - start) // timedelta(microseconds=1)
            start = end
    return [quarter(bucket, agent, sums) for (agent, bucket), sums in found.items()]


def quarter(start: datetime, agent: str, sums: Mapping[str, int], **fields: Any) -> Row:
    """A quarter-hour with these microseconds per state."""
    staffed = sum(sums.get(state, 0) for state in ("available", "handling", "wrap_up", "not_ready"))
    states = ("available", "handling", "wrap_up", "not_ready", "offline", "unobserved")
    return {
        "date": start.date(),
        "source": "cx",
        "agent_id": agent,
        "interval_start": start,
        **{f"{state}_seconds": sums.get(state, 0) / 1e6 for state in states},
        "staffed_seconds": staffed / 1e6,
        "observed_seconds": (staffed + sums.get("offline", 0)) / 1e6,
        **dict.fromkeys(("transfers_out", "transfers_in", "logins"), 0),
        **fields,
    }
