"""CxEngage's agent state records of a centre: which ones a request selects, and when.

What belongs here: turning a centre's changes into chained records, and finding them by
time, visibility and fault.  What does not: their text (`cxengage_json.py`), and HTTP,
parameters and errors (`cxengage.py`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from simulator.centre import Centre
from simulator.cxengage_json import NEVER, Dialect, Row, Writer
from simulator.facts import SECOND, Change, Transfer, millis
from simulator.faults import Faults, share

Indices = NDArray[np.int64]


def rows_of(centre: Centre, dialect: Dialect) -> list[Row]:
    """Return all records of a centre in order of their start."""
    sent: dict[int, list[Transfer]] = {}
    for transfer in centre.transfers:
        sent.setdefault(transfer.sender.number, []).append(transfer)
    rows: list[Row] = []
    for agent, changes in zip(centre.agents, centre.changes, strict=True):
        chain = list(_chain(changes, dialect))
        _attach(chain, sent.get(agent.number, []))
        rows += chain
    rows.sort(key=lambda row: (row.change.at, row.change.session.agent.number))
    return rows


def _chain(changes: tuple[Change, ...], dialect: Dialect) -> Iterator[Row]:
    for index, change in enumerate(changes):
        following = changes[index + 1] if index + 1 < len(changes) else None
        session = change.session
        if following is not None and following.session is session:
            yield Row(change, following.at, following.ordinal)
            continue
        ended = session.ended
        if ended is None:
            yield Row(change, NEVER, None)
            continue
        until = NEVER if following is None else following.at
        if not dialect.offline_records or until == ended:
            yield Row(change, ended, None)
        else:
            # The ordinal of a farewell must not meet those of the next session's records.
            farewell = 0x2000 | change.ordinal
            yield Row(change, ended, farewell)
            bye = replace(change, at=ended, kind="presence", ready=False, reason=None, ordinal=farewell)
            yield Row(bye, until, None, offline=True)


def _attach(chain: list[Row], transfers: list[Transfer]) -> None:
    """Give each record the transfers its agent had under way during it."""
    starts = [row.change.at for row in chain]
    for transfer in transfers:
        done = NEVER if transfer.completed is None else transfer.completed
        first = bisect_left(starts, transfer.started + 1) - 1
        for row in chain[max(first, 0) :]:
            if row.change.at > done:
                break
            if row.end > transfer.started:
                row.transfers = [*(row.transfers or ()), transfer]


class RowIndex:
    """All records of a centre in order, found by time, written when first asked for."""

    def __init__(self, centre: Centre, dialect: Dialect, faults: Faults) -> None:
        """Index a centre's records for one dialect and one set of faults."""
        self._dialect = dialect
        self._rows = rows_of(centre, dialect)
        self._writer = Writer(centre, dialect)
        self._texts: list[bytes | None] = [None] * len(self._rows)
        self._starts = np.array([row.change.at for row in self._rows], dtype=np.int64)
        self._ends = np.array([row.end for row in self._rows], dtype=np.int64)
        self._settled = np.array([row.settled for row in self._rows], dtype=np.int64)
        self._late = np.zeros(len(self._rows), dtype=np.int64)
        self._faults = faults
        self.set_faults(faults)

    def __len__(self) -> int:
        """Return how many records there are, open and hidden ones too."""
        return len(self._rows)

    def set_faults(self, faults: Faults) -> None:
        """Serve with other faults; the texts already written stay."""
        late = np.zeros(len(self._rows), dtype=np.int64)
        if faults.late_rows > 0:
            for index in range(len(self._rows)):
                if self._luck(faults, "late", index) < faults.late_rows:
                    by = self._luck(faults, "by", index) * faults.late_seconds
                    late[index] = int(by * SECOND) + 1
        self._late, self._faults = late, faults

    def warm(self) -> None:
        """Write every record's final text now instead of when first asked for."""
        for index in np.flatnonzero(self._settled < NEVER).tolist():
            self._final(index)

    def select(self, start: int, end: int, seen: int) -> list[int]:
        """Return the records of a window as known at `seen`, in the order of serving."""
        chosen = self._window(start, end)
        known = seen - self._late[chosen]
        visible = self._starts[chosen] <= known
        if self._dialect.open_records == "hidden" or self._dialect.selection == "end":
            visible &= self._ends[chosen] <= known
        for since, until in self._faults.dropped:
            if self._faults.dropped_mode == "empty":
                starts = self._starts[chosen]
                visible &= (starts < millis(since)) | (starts >= millis(until))
        return self._disturbed(chosen[visible].tolist(), f"{start}/{end}")

    def texts(self, indices: list[int], seen: int) -> list[bytes]:
        """Return the texts of records as known at `seen` (milliseconds UTC)."""
        texts = self._told(indices, seen)
        if not self._faults.spoilt:
            return texts
        gaps = [(millis(since), millis(until)) for since, until in self._faults.spoilt]
        return [
            text.replace(b',"start":"', b',"start":"about ', 1)
            if any(since <= self._rows[index].change.at < until for since, until in gaps)
            else text
            for index, text in zip(indices, texts, strict=True)
        ]

    def _told(self, indices: list[int], seen: int) -> list[bytes]:
        picked = np.array(indices, dtype=np.int64)
        known = seen - self._late[picked]
        if bool((self._settled[picked] <= known).all()):
            texts = self._texts
            return [texts[index] or self._final(index) for index in indices]
        return [
            self._final(index) if self._settled[index] <= moment else self._writer.write(self._rows[index], moment)
            for index, moment in zip(indices, known.tolist(), strict=True)
        ]

    def _window(self, start: int, end: int) -> Indices:
        upto = end + 1 if self._dialect.end_inclusive else end
        last = int(np.searchsorted(self._starts, upto))
        if self._dialect.selection == "start":
            return np.arange(int(np.searchsorted(self._starts, start)), last, dtype=np.int64)
        ends = self._ends[:last]
        hits = ends > start
        if self._dialect.selection == "end":
            hits = (ends >= start) & (ends < upto)
        return np.flatnonzero(hits).astype(np.int64)

    def _disturbed(self, indices: list[int], window: str) -> list[int]:
        faults = self._faults
        if faults.duplicate_rows > 0:
            copies = [i for i in indices if self._luck(faults, "twice", i) < faults.duplicate_rows]
            # Three records further on: copies side by side would be too easy to spot.
            places = [(n, i) for n, i in enumerate(indices)]
            place = {i: n for n, i in places}
            indices = [i for _, i in sorted(places + [(place[i] + 3, i) for i in copies])]
        if faults.shuffled:
            indices = sorted(indices, key=lambda i: (self._luck(faults, window, i), i))
        return indices

    def _luck(self, faults: Faults, what: str, index: int) -> float:
        change = self._rows[index].change
        return share(f"{faults.seed}/{what}/{change.session.agent.agent_id}/{change.at}")

    def _final(self, index: int) -> bytes:
        text = self._texts[index]
        if text is None:
            text = self._texts[index] = self._writer.write(self._rows[index], NEVER)
        return text
