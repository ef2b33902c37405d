"""Huawei's CC-FS exports as a site's folder gets them: one file after another, as time goes by.

What belongs here: when which file is there, under what name, whole or not.  What does
not: the records (`huawei_history.py`), and asking CC-FS for them (`huawei_files.py`).  How
often a site fetches its exports is the site's habit, not the vendor's word.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from simulator.clock import SimClock
from simulator.facts import DAY, MINUTE, SECOND
from simulator.faults import Faults, share
from simulator.huawei_files import export_name, zipped
from simulator.huawei_history import Reading

# An export of a stretch is made a little after its end, so that what ended in it is written down.
_MADE_AFTER: Final = 5 * MINUTE
_COPYING: Final = 2 * MINUTE
_AGAIN_AFTER: Final = 10 * MINUTE


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A file as it is in the folder from `at` (milliseconds UTC) on."""

    at: int
    name: str
    whole: bool = True


@dataclass(frozen=True, slots=True)
class _Export:
    """One stretch of time [start, end) (milliseconds UTC) whose records go into one file."""

    start: int
    end: int

    @property
    def made(self) -> int:
        """Return when the vendor makes the file."""
        return self.end + _MADE_AFTER

    def arrivals(self, faults: Faults, suffix: str) -> Iterator[_Arrival]:
        """Yield what the folder sees of the file: once and whole, unless the faults say otherwise."""
        at, number = self.made, self.start % DAY // (15 * MINUTE)
        name = export_name(self.made, number) + suffix
        if self._hit(faults, "late", faults.late_files):
            at += int(faults.late_seconds * SECOND)
        if self._hit(faults, "half", faults.half_files):
            yield _Arrival(at, name, whole=False)
            at += _COPYING
        yield _Arrival(at, name)
        if self._hit(faults, "twice", faults.files_twice):
            yield _Arrival(at + _AGAIN_AFTER, export_name(self.made, 500 + number) + suffix)

    def _hit(self, faults: Faults, what: str, rate: float) -> bool:
        return rate > 0 and share(f"{faults.seed}/{what}/{self.start}") < rate


class Exports:
    """A folder that gets an export for each stretch of the centre's time."""

    def __init__(self, folder: Path, clock: SimClock, begins: int) -> None:
        """Fill a folder with what happened from an instant (milliseconds UTC) on."""
        self._folder = folder
        self._clock = clock
        self._next = begins
        self._due: list[_Export] = []
        self._done: set[_Arrival] = set()
        self._lock = threading.Lock()

    def deliver(self, reading: Reading, faults: Faults) -> None:
        """Write what should be in the folder by now and was not yet; a file taken away does not come back.

        The files' times of change are simulated ones, like everything in them.
        """
        with self._lock:
            now = self._clock.now_ms()
            self._folder.mkdir(parents=True, exist_ok=True)
            length = reading.dialect.export_minutes * MINUTE
            while self._next + length <= now:
                self._due.append(_Export(self._next, self._next + length))
                self._next += length
            self._due = [export for export in self._due if not self._bring(export, now, reading, faults)]

    def _bring(self, export: _Export, now: int, reading: Reading, faults: Faults) -> bool:
        """Write what is due of one export; tell whether nothing more will come of it."""
        suffix = f".{reading.dialect.export_as}"
        coming = [one for one in export.arrivals(faults, suffix) if one not in self._done]
        fresh = [one for one in coming if one.at <= now]
        if fresh:
            text = reading.history.table(export.start, export.end, export.made)
            if suffix == ".zip":
                text = zipped(fresh[0].name.replace(suffix, ".csv"), text)
            for arrival in fresh:
                self._write(arrival, text)
        return len(fresh) == len(coming)

    def _write(self, arrival: _Arrival, content: bytes) -> None:
        # Not within the folder: who reads it would find a file that is none of the vendor's.
        part = self._folder.with_name(f".{self._folder.name}.part")
        part.write_bytes(content if arrival.whole else content[: len(content) // 2])
        os.utime(part, (arrival.at / SECOND, arrival.at / SECOND))
        part.replace(self._folder / arrival.name)
        self._done.add(arrival)
