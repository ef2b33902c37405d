"""The simulated vendors' clock: an instant that stands still, or one that runs.

What belongs here: telling and setting the simulated time.  What does not: anything
that waits; a simulator that sleeps would make every test as slow as the real world.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

from simulator.facts import millis


class SimClock:
    """A settable clock, safe to share between threads.

    It stands at `now` (aware), or runs on from it at `speed` simulated seconds per second.
    """

    def __init__(self, now: datetime | None = None, *, running: bool = False, speed: float = 1.0) -> None:
        """Start at `now`, by default the real time."""
        self._lock = threading.Lock()
        self._base = datetime.now(UTC) if now is None else _aware(now)
        self._mark = time.monotonic()
        self._running = running
        self._speed = speed

    @property
    def running(self) -> bool:
        """Tell whether the clock runs."""
        return self._running

    @property
    def speed(self) -> float:
        """Return simulated seconds per real second while running."""
        return self._speed

    def now(self) -> datetime:
        """Return the simulated instant, UTC."""
        with self._lock:
            return self._read()

    def now_ms(self) -> int:
        """Return the simulated instant (milliseconds UTC)."""
        return millis(self.now())

    def set(
        self,
        now: datetime | None = None,
        *,
        running: bool | None = None,
        speed: float | None = None,
    ) -> None:
        """Move, start or stop the clock; what is not given stays as it is."""
        with self._lock:
            self._base = self._read() if now is None else _aware(now)
            self._mark = time.monotonic()
            self._running = self._running if running is None else running
            self._speed = self._speed if speed is None else speed

    def advance(self, step: timedelta) -> None:
        """Move the clock by a step, standing or running."""
        with self._lock:
            self._base += step

    def _read(self) -> datetime:
        if not self._running:
            return self._base
        return self._base + timedelta(seconds=(time.monotonic() - self._mark) * self._speed)


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        message = "a simulated instant needs a zone"
        raise ValueError(message)
    return moment.astimezone(UTC)
