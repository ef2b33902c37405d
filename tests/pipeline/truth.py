"""What really happened, by brute force in Python over the simulator's truth: no SQL of the product, nor like it.

Times are whole microseconds since 1970. Figures that cannot be known to a reader of the API are not offered.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from orchestration.inputs import midnight
from simulator.centre import Centre

DAY = 86_400_000_000
Sums = dict[tuple[date, str, str], tuple[int, int, int]]


@dataclass(frozen=True)
class Truth:
    """The simulator's four tables as lists of dictionaries."""

    states: list[dict[str, Any]]
    transfers: list[dict[str, Any]]
    sessions: list[dict[str, Any]]


def truth(centre: Centre, folder: Path, until: datetime) -> Truth:
    """Everything that happened before an instant."""
    centre.write_truth(folder, until)
    return Truth(*(pq.read_table(folder / f"{name}.parquet").to_pylist() for name in _TABLES))


_TABLES = ("agent_states", "transfers", "sessions")


def micros(moment: datetime) -> int:
    """Whole microseconds since 1970."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def state_sums(rows: Iterable[Mapping[str, Any]]) -> Sums:
    """Per UTC day, agent and state: microseconds, and these times work items and load; offline left out.

    ``rows`` have agent_id, started_at, ended_at, state, work_items and load.
    """
    sums: defaultdict[tuple[date, str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for row in rows:
        if row["state"] == "offline":
            continue
        at, end = micros(row["started_at"]), micros(row["ended_at"])
        while at < end:
            upto = min(end, (at // DAY + 1) * DAY)
            day = date(1970, 1, 1) + timedelta(days=at // DAY)
            one = sums[day, row["agent_id"], row["state"]]
            one[0] += upto - at
            one[1] += (upto - at) * (row["work_items"] or 0)
            one[2] += (upto - at) * (row["load"] or 0)
            at = upto
    return {key: (one[0], one[1], one[2]) for key, one in sums.items()}


def hourly_sums(rows: Iterable[Mapping[str, Any]], start: datetime, end: datetime) -> dict[tuple[str, str], int]:
    """Per agent and state: microseconds between two instants; offline left out."""
    first, last = micros(start), micros(end)
    sums: defaultdict[tuple[str, str], int] = defaultdict(int)
    for row in rows:
        inside = min(micros(row["ended_at"]), last) - max(micros(row["started_at"]), first)
        if inside > 0 and row["state"] != "offline":
            sums[row["agent_id"], row["state"]] += inside
    return dict(sums)


def transfer_keys(rows: Iterable[Mapping[str, Any]], receiver: str = "to_agent_id") -> list[tuple[Any, ...]]:
    """Each transfer as a tuple, in order."""
    names = ("interaction_id", "from_agent_id", receiver, "started_at", "completed_at", "hop", "is_return")
    return sorted((tuple(row[name] for name in names) for row in rows), key=str)


def begin(day: date) -> datetime:
    """The instant at which a UTC day begins."""
    return midnight(day)


def differences(ours: Mapping[Any, object], real: Mapping[Any, object]) -> list[tuple[object, object, object]]:
    """A few keys with unequal values, ours and the true ones; a report of all of them would take minutes to print."""
    keys = [key for key in {**ours, **real} if ours.get(key) != real.get(key)]
    return [(key, ours.get(key), real.get(key)) for key in keys[:10]]
