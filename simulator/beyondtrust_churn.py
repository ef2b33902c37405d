"""Changes without meaning, as many as asked for: load for the readers of the live feed.

What belongs here: rewriting columns of live rows that say nothing about anybody's state.
What does not: anything that the archive, the reports or the truth would know of.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import count, cycle, islice
from typing import Final

from simulator.beyondtrust_facts import Entry, Row
from simulator.beyondtrust_model import Place, Rows, Teller

# The first of these tables that has rows is churned; a queue there is always.
_COLUMNS: Final = {
    "support_session": "estimated_pickup_timestamp",
    "representative": "skill_code_names",
    "queue": "code_name",
}


@dataclass
class Churn:
    """How many meaningless updates each reader gets per real second."""

    updates_per_second: float = 0.0
    _counter: Iterator[int] = field(default_factory=count)

    def changes(self, rows: Rows, teller: Teller, tables: Collection[str], number: int) -> Iterator[dict[str, object]]:
        """Yield so many update messages over the live rows of the tables subscribed to."""
        places = _places(rows, tables)
        for place in islice(cycle(places), number if places else 0):
            column = _COLUMNS[place[0]]
            value: object = next(self._counter)
            changed: Row = {column: value if column.endswith("_timestamp") else f"load_{value}"}
            entry = Entry(0, updates={place: changed}, after={place: {**rows[place], **changed}})
            yield teller.changes(entry)


def _places(rows: Rows, tables: Collection[str]) -> list[Place]:
    for table in _COLUMNS:
        places = [place for place in rows if place[0] == table and table in tables]
        if places:
            return places
    return []
