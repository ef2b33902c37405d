"""Rosters, plans and what models make of them, for tests of persons and adherence. No expectations here."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from orchestration.csv_tables import Schedule, Who, read_adherence_map
from orchestration.settings import sql_dir
from tests.models.workbench import DAY, Rows, Workbench, at

PERSONS = "marts.fct_person_timeline"
DAYS = "marts.agg_person_days"
STATES = "intermediate.int_scheduled_states"
ADHERENCE = "marts.fct_adherence"
INTERVALS = "marts.fct_adherence_intervals"
BUILT_IN = sql_dir() / "seeds" / "adherence_map.csv"
ANN: Who = ("cx", "ann", None)
PERSON: Who = (None, None, "p1")


def told(start: str, end: str, state: str = "available", **fields: Any) -> dict[str, Any]:
    """A row of an agent's timeline."""
    return {"source": "cx", "agent_id": "ann", "started_at": at(start), "ended_at": at(end), "state": state, **fields}


def tiled(*steps: str, end: str = "24:00", **fields: Any) -> list[dict[str, Any]]:
    """A day of an agent: ``"00:00 offline"``, ``"09:00 not_ready Lunch"``, …, the last until ``end``."""
    parts = [step.split(" ", 2) for step in steps]
    edges = [*(part[0] for part in parts), end]
    return [
        told(edges[n], edges[n + 1], part[1], reason=part[2] if len(part) > 2 else None, **fields)
        for n, part in enumerate(parts)
    ]


def member(person: str | None, source: str = "cx", agent: str = "ann", **fields: Any) -> dict[str, Any]:
    """A row of the roster, as a day is given it."""
    return {"source": source, "agent_id": agent, "person_id": person, **fields}


def plan(who: Who, *steps: tuple[str, str, str]) -> list[Any]:
    """What a day is given of a schedule with these stretches: start, end, activity."""
    names = dict(zip(("source", "agent_id", "person_id"), who, strict=True))
    rows = [{**names, "started_at": at(s), "ended_at": at(e), "activity": a} for s, e, a in steps]
    return Schedule({DAY: {who: rows}}).on(DAY)


def watched(source: str = "cx", until: str = "24:00") -> list[dict[str, Any]]:
    """Five weeks without a gap, the last day up to ``until``."""
    days = [DAY - timedelta(days=n) for n in range(36)]
    edge = {"gap_start": at("00:00"), "gap_end": at("00:00")}
    whole = [{"source": source, **{k: v - n * timedelta(days=1) for k, v in edge.items()}, "date": day}
             for n, day in enumerate(days)]  # fmt: skip
    return [*whole, {"source": source, "gap_start": at(until), "gap_end": at("24:00"), "date": DAY}]


def signed_out(when: str, **fields: Any) -> dict[str, Any]:
    """An agent whose session ended at ``when``, on an earlier day."""
    return {"source": "cx", "agent_id": "ann", "started_at": at(when) - timedelta(hours=1), "ended_at": at(when),
            "ends_session": True, "state": "available", "is_watched": False, **fields}  # fmt: skip


def judged(
    bench: Workbench,
    schedule: Sequence[Mapping[str, Any]],
    maps: Sequence[Path] = (),
    threshold: float = 0.0,
    **inputs: Iterable[Mapping[str, Any]],
) -> Rows:
    """The stretches of adherence made of a schedule and what ``int_scheduled_states`` reads."""
    states = bench.run(STATES, DAY, schedule=schedule, **inputs)
    rows = read_adherence_map([BUILT_IN, *maps], threshold)
    return bench.run(ADHERENCE, schedule=schedule, int_scheduled_states=states, adherence_map=rows)


def quarters(bench: Workbench, stretches: Rows) -> Rows:
    """The quarters of an hour made of them."""
    return bench.run(INTERVALS, fct_adherence=stretches)


def total(rows: Rows) -> dict[str, float]:
    """Minutes of each figure, all rows together."""
    names = [name for name in rows[0] if name.endswith("_seconds")] if rows else []
    return {name.removesuffix("_seconds"): round(sum(row[name] for row in rows) / 60, 9) for name in names}
