"""The state model of a simulated appliance over time: entries, snapshots, lifetimes, row ids.

What belongs here: what the model's rows were at any instant, and under which ids since
the last restart.  What does not: where the changes come from (`beyondtrust_facts.py`)
and how they are told (`beyondtrust_live.py`, `beyondtrust_archive.py`).
All times are integer milliseconds UTC.
"""

from __future__ import annotations

import threading
from bisect import bisect_right, insort
from collections.abc import Collection, Mapping
from itertools import accumulate
from typing import Final

from simulator.beyondtrust_dialect import TABLES, Dialect
from simulator.beyondtrust_facts import Entry, Ref, Row
from simulator.beyondtrust_site import Site, entries_of
from simulator.facts import SECOND
from simulator.faults import share

Place = tuple[str, str]
Rows = Mapping[Place, Row]
# When the appliance's processes began, and the how manieth start in that instant it was.
Lifetime = tuple[int, int]

_CHECKPOINT: Final = 1_000
# Seen in archives alone; whether the live tables have them is not known.
_ARCHIVE_ONLY: Final = {
    "representative": frozenset({"hostname", "operating_system", "private_ip", "public_ip"}),
    "customer_client": frozenset({"private_ip", "public_ip"}),
}


class Restarts:
    """When the appliance's processes started anew, safe to share between threads."""

    def __init__(self, opened: int) -> None:
        """Begin with the first start."""
        self._lock = threading.Lock()
        self._starts: list[Lifetime] = [(opened, 0)]

    def add(self, at: int) -> Lifetime:
        """Restart at an instant (milliseconds UTC)."""
        with self._lock:
            begun = (at, sum(start == at for start, _ in self._starts) + 1)
            insort(self._starts, begun)
            return begun

    def clear(self) -> None:
        """Forget all restarts but the first start."""
        with self._lock:
            del self._starts[1:]

    def at(self, now: int) -> Lifetime:
        """Return the lifetime an instant falls into: the last that had begun."""
        with self._lock:
            return self._starts[max(bisect_right(self._starts, (now, 2**31)) - 1, 0)]

    def after(self, lifetime: Lifetime, until: int) -> Lifetime | None:
        """Return the next lifetime begun by an instant, if there is one."""
        with self._lock:
            index = bisect_right(self._starts, lifetime)
            found = self._starts[index] if index < len(self._starts) else None
            return found if found is not None and found[0] <= until else None


class Model:
    """An appliance's rows from its opening on, under one dialect."""

    def __init__(self, site: Site, dialect: Dialect, seed: int, before: Model | None = None) -> None:
        """Read the site's facts; where the dialect has no say in them, those of the model before will do."""
        self.seed = seed
        self.dialect = dialect
        known = before is not None and _reading(before.dialect) == _reading(dialect)
        self.entries: list[Entry] = before.entries if before is not None and known else entries_of(site, dialect)
        self.times = [entry.at for entry in self.entries]
        self.told = self._told()
        self._lock = threading.Lock()
        self._checkpoints: list[dict[Place, Row]] = [{}]
        self._numbers: dict[Lifetime, dict[Place, int]] = {}

    def _told(self) -> list[int]:
        """Return when each entry reaches the readers of the live feed: late at most by the latency, in order."""
        most = self.dialect.latency_seconds * SECOND
        late = [
            entry.at + int(share(f"{self.seed}/latency/{index}") * most) for index, entry in enumerate(self.entries)
        ]
        return list(accumulate(late, max))

    def rows(self, position: int) -> dict[Place, Row]:
        """Return the rows after the first so many entries."""
        whole = position // _CHECKPOINT
        with self._lock:
            while len(self._checkpoints) <= whole:
                rows = dict(self._checkpoints[-1])
                done = (len(self._checkpoints) - 1) * _CHECKPOINT
                for entry in self.entries[done : done + _CHECKPOINT]:
                    apply(rows, entry)
                self._checkpoints.append(rows)
            rows = dict(self._checkpoints[whole])
        for entry in self.entries[whole * _CHECKPOINT : position]:
            apply(rows, entry)
        return rows

    def rows_at(self, now: int) -> dict[Place, Row]:
        """Return the rows as of an instant, whatever the live feed has told."""
        return self.rows(bisect_right(self.times, now))

    def numbers(self, lifetime: Lifetime) -> Mapping[Place, int]:
        """Return the row ids of one lifetime: counted by table from 1, so that every restart reuses them."""
        known = self._numbers.get(lifetime)
        if known is None:
            known = self._numbers[lifetime] = self._number(lifetime)
        return known

    def _number(self, lifetime: Lifetime) -> dict[Place, int]:
        begun = bisect_right(self.times, lifetime[0])
        alive = sorted(self.rows(begun), key=lambda place: share(f"{self.seed}/{lifetime}/{place}"))
        counts = dict.fromkeys(TABLES, 0)
        numbers: dict[Place, int] = {}
        for place in (*alive, *(place for entry in self.entries[begun:] for place in entry.inserts)):
            counts[place[0]] += 1
            numbers[place] = counts[place[0]]
        return numbers


def _reading(dialect: Dialect) -> tuple[object, ...]:
    """Return the knobs that decide what happens to the rows, not how it is told."""
    return dialect.idle_seconds, dialect.held_queue


def apply(rows: dict[Place, Row], entry: Entry) -> None:
    """Carry out one entry."""
    rows.update(entry.inserts)
    rows.update(entry.after)
    for place in entry.deletes:
        rows.pop(place, None)


class Teller:
    """Puts rows into the vendor's JSON under the ids of one lifetime."""

    def __init__(self, model: Model, lifetime: Lifetime, tables: Collection[str] = TABLES, *, archive: bool) -> None:
        """Tell of these tables; archives show a few columns more."""
        self._dialect = model.dialect
        self._numbers = model.numbers(lifetime)
        self._tables = frozenset(tables)
        self._archive = archive

    def copy(self, rows: Rows) -> dict[str, dict[str, Row]]:
        """Return rows by table and id."""
        told: dict[str, dict[str, Row]] = {}
        for place, row in rows.items():
            if place[0] in self._tables:
                told.setdefault(place[0], {})[str(self._numbers[place])] = self.row(place[0], row)
        return told

    def row(self, table: str, row: Row) -> Row:
        """Return a row's columns as JSON values."""
        hidden = frozenset[str]() if self._archive else _ARCHIVE_ONLY.get(table, frozenset())
        return {name: self._value(name, value) for name, value in row.items() if name not in hidden}

    def _value(self, name: str, value: object) -> object:
        if isinstance(value, Ref):
            number = self._numbers.get((value.table, value.key))
            return str(number) if number is not None and self._dialect.foreign_keys == "string" else number
        if name == "user_id" and self._dialect.user_ids == "string":
            return str(value)
        return value

    def changes(self, entry: Entry) -> dict[str, object]:
        """Return the message of one entry without a newline, empty when it is of other tables."""
        updates = entry.after if self._dialect.update_rows == "whole" else entry.updates
        deleted: dict[str, list[object]] = {}
        for place in entry.deletes:
            if place[0] in self._tables:
                number = self._numbers[place]
                deleted.setdefault(place[0], []).append(str(number) if self._dialect.delete_ids == "string" else number)
        parts: dict[str, object] = {
            "insert": self.copy(entry.inserts),
            "update": self.copy(updates),
            "delete": deleted,
        }
        told = {name: part for name, part in parts.items() if part}
        return {"type": self._dialect.update_type, **told} if told else {}

    def inserts(self, rows: Rows) -> dict[str, object]:
        """Return a full copy as one message of inserts."""
        return {"type": self._dialect.update_type, "insert": self.copy(rows)}
