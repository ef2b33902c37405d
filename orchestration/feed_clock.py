"""What all attempts at one feed say together: how far it was asked for and observed, and the vendor's clock.

Pure. Where a clock is kept, and when it is moved on, belongs in ``lake.py``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from orchestration.lake import Attempt


@dataclass(frozen=True, slots=True)
class FeedClock:
    """What all attempts of one feed say together: how far it was asked for, and how late it is at the vendor."""

    first_requested_at: datetime | None = None
    requested_until: datetime | None = None
    vendor_now: datetime | None = None
    drift_seconds: float | None = None
    observed_until: datetime | None = None
    kept_seconds: float | None = None  # how far back the vendor had something at the last look, where it tells

    def retention(self, promised: timedelta) -> timedelta:
        """How long the vendor keeps an event: as promised, or longer where it said so."""
        return max(promised, timedelta(seconds=self.kept_seconds or 0.0))

    def after(self, attempts: "Sequence[Attempt]", delay: timedelta, *, live: bool = False) -> Self:
        """This clock with more attempts taken in; the order of taking in does not matter.

        A live feed's windows, and the time of its attempts, are by our own clock: they say nothing about drift.
        """
        firsts = [a.window_start for a in attempts] + ([self.first_requested_at] if self.first_requested_at else [])
        lasts = [a.window_end for a in attempts] + ([self.requested_until] if self.requested_until else [])
        heard = [(a.vendor_time, a.attempted_at) for a in attempts if a.vendor_time is not None]
        now, drift = self.vendor_now, self.drift_seconds
        for vendor_time, attempted_at in heard:
            if now is None or vendor_time > now:
                now = vendor_time
                drift = drift if live else (vendor_time - attempted_at).total_seconds()
        seen = [
            min(a.window_end, a.vendor_time - delay)
            for a in attempts
            if a.status == "ok" and a.vendor_time is not None and a.vendor_time - delay > a.window_start
        ]
        until = max([*seen, *([self.observed_until] if self.observed_until else [])], default=None)
        return type(self)(min(firsts, default=None), max(lasts, default=None), now, drift, until, self.kept_seconds)
