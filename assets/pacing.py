"""Limits of requests that several processes of one machine share, as a recorder and a backfill do.

Knows files and the clock. Which requests share a limit, and how large it is, belongs to the vendor's client.
"""

import fcntl
import logging
import math
import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from assets.http import Clock, Pacer

LOGGER = logging.getLogger(__name__)
MINUTE = 60.0
BURST = 10
FORGOTTEN = 3600.0  # places further ahead are from before the machine was started anew


def pace_dir() -> Path:
    """Where this user's limits are kept on this machine: below the system's folder for temporary files.

    The limit is the account's with the vendor, so it is kept per machine, not per home.
    """
    return Path(tempfile.gettempdir()) / f"shiftbook-{os.getuid()}"


class _Filed(Pacer, ABC):
    """A limit whose state, some numbers, is in a file.

    Each request takes its place under a file lock and then waits for it, so whoever came first goes first. The file
    holds times in seconds of the machine's monotonic clock, which all its processes share. Where it cannot be used,
    the limit holds for this process alone, and a warning says so.
    """

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        super().__init__(None, clock or Clock())
        self._path = path
        self._own: list[float] | None = None

    def wait(self) -> None:
        """Wait for the next free place."""
        with self._lock:
            now = self._clock.monotonic()
            place = self._change(lambda held: self._give(held, now))
        if place > now:
            self._clock.sleep(place - now)

    @abstractmethod
    def _give(self, held: list[float], now: float) -> tuple[list[float], float]:
        """What is held after the next place was given, and that place."""

    def _change(self, change: Callable[[list[float]], tuple[list[float], float]]) -> float:
        if self._own is None:
            try:
                return self._change_file(change)
            except OSError as error:
                LOGGER.warning("%s: %s; requests are counted for this process alone", self._path, error.strerror)
                self._own = []
        self._own, place = change(self._own)
        return place

    def _change_file(self, change: Callable[[list[float]], tuple[list[float], float]]) -> float:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # No link of somebody else's is followed: the folder for temporary files is everybody's.
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "r+", encoding="ascii", errors="replace") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            held, place = change(_numbers(file.read()))
            file.seek(0)
            file.truncate()
            file.write("\n".join(map(repr, held)))
        return place


class SharedPacer(_Filed):
    """Never more than so many requests in any 60 seconds, across threads and processes.

    Ten may go at once, the others follow evenly: a few windows come without delay, and a backfill makes no peaks.

    Args:
        path: The file; all who share the limit name the same. It holds the places last given.
        per_minute: The limit.
        clock: The clock to measure and wait with.
    """

    def __init__(self, path: Path, per_minute: int, clock: Clock | None = None) -> None:
        super().__init__(path, clock)
        self._per_minute = per_minute

    def _give(self, held: list[float], now: float) -> tuple[list[float], float]:
        """The places given, the new one last: so many places before it lies a minute, ten before it their share."""
        given = sorted(place for place in held if place <= now + FORGOTTEN)[-self._per_minute :]
        place = max([now, *given[-1:]])
        for many in {self._per_minute, min(BURST, self._per_minute)}:
            if len(given) >= many:
                place = max(place, given[-many] + MINUTE * many / self._per_minute)
        return [*given, place][-self._per_minute :], place


@dataclass(frozen=True, slots=True)
class Bucket:
    """So many requests at once, then one every so many seconds: in any time ``burst + time / every``."""

    burst: int
    every: float


class SharedBuckets(_Filed):
    """Never more requests than each of some buckets lets through, across threads and processes.

    Args:
        path: The file; all who share the limits name the same. It holds until when all pause, how far apart requests
            are, when the last one was, and for each bucket when it is full again.
        buckets: The limits.
        clock: The clock to measure and wait with.

    Attributes:
        apart: How many seconds lay at least between two requests when this process last looked.
    """

    def __init__(self, path: Path, buckets: Sequence[Bucket], clock: Clock | None = None) -> None:
        super().__init__(path, clock)
        self._buckets = tuple(buckets)
        self.apart = 0.0

    def slow(self, apart: float | None, pause: float = 0.0) -> None:
        """Let everybody pause for so many seconds, and leave so many between two requests; None: as before."""

        def change(held: list[float]) -> tuple[list[float], float]:
            until, before, *times = self._state(held, now)
            self.apart = before if apart is None else apart
            return [max(until, now + pause), self.apart, *times], now

        with self._lock:
            now = self._clock.monotonic()
            self._change(change)

    def _give(self, held: list[float], now: float) -> tuple[list[float], float]:
        until, self.apart, last, *full = self._state(held, now)
        free = (at - (one.burst - 1) * one.every for one, at in zip(self._buckets, full, strict=True))
        place = max(now, until, last + self.apart, *free)
        after = (max(at, place) + one.every for one, at in zip(self._buckets, full, strict=True))
        return [until, self.apart, place, *after], place

    def _state(self, held: list[float], now: float) -> list[float]:
        """What is held; as if nobody had asked yet where that is damaged, or from before the machine was started."""
        sound = len(held) == 3 + len(self._buckets) and all(map(math.isfinite, held))
        if sound and max(held[0], *held[2:]) <= now + FORGOTTEN:
            return held
        return [now, 0.0, now, *(now for _ in self._buckets)]


def _numbers(text: str) -> list[float]:
    """The numbers in a file; one that was damaged counts as empty."""
    try:
        return [float(line) for line in text.split()]
    except ValueError:
        return []
