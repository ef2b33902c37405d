"""A limit of requests per minute that several processes of one machine share, as a recorder and a backfill do.

Knows files and the clock. Which requests share a limit, and how large it is, belongs to the vendor's client.
"""

import fcntl
import logging
import os
import tempfile
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


class SharedPacer(Pacer):
    """Never more than so many requests in any 60 seconds, across threads and processes.

    Ten may go at once, the others follow evenly: a few windows come without delay, and a backfill makes no peaks.

    Each request takes its place under a file lock and then waits for it, so whoever came first goes first. The file
    holds the places last given, in seconds of the machine's monotonic clock, which all its processes share. Where it
    cannot be used, the limit holds for this process alone, and a warning says so.

    Args:
        path: The file; all who share the limit name the same.
        per_minute: The limit.
        clock: The clock to measure and wait with.
    """

    def __init__(self, path: Path, per_minute: int, clock: Clock | None = None) -> None:
        super().__init__(per_minute, clock or Clock())
        self._path = path
        self._per_minute = per_minute
        self._own: list[float] | None = None

    def wait(self) -> None:
        """Wait for the next free place."""
        with self._lock:
            now = self._clock.monotonic()
            place = self._take(now)
        if place > now:
            self._clock.sleep(place - now)

    def _take(self, now: float) -> float:
        if self._own is None:
            try:
                return self._take_from_file(now)
            except OSError as error:
                LOGGER.warning("%s: %s; requests are counted for this process alone", self._path, error.strerror)
                self._own = []
        self._own, place = self._give(self._own, now)
        return place

    def _take_from_file(self, now: float) -> float:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # No link of somebody else's is followed: the folder for temporary files is everybody's.
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "r+", encoding="ascii", errors="replace") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            given, place = self._give(_places(file.read()), now)
            file.seek(0)
            file.truncate()
            file.write("\n".join(map(repr, given)))
        return place

    def _give(self, given: list[float], now: float) -> tuple[list[float], float]:
        """The places given, the new one last: so many places before it lies a minute, ten before it their share."""
        given = sorted(place for place in given if place <= now + FORGOTTEN)[-self._per_minute :]
        place = max([now, *given[-1:]])
        for many in {self._per_minute, min(BURST, self._per_minute)}:
            if len(given) >= many:
                place = max(place, given[-many] + MINUTE * many / self._per_minute)
        return [*given, place][-self._per_minute :], place


def _places(text: str) -> list[float]:
    """The places in a file; one that was damaged counts as empty."""
    try:
        return [float(line) for line in text.split()]
    except ValueError:
        return []
