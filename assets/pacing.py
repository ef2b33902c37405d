"""Limits of requests that all who ask with one account share: a recorder, runs and commands, on one home.

Knows files and the clock. Which requests share a limit, and how large it is, belongs to the vendor's client; the folder
comes with the source's configuration.
"""

import fcntl
import hashlib
import logging
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from assets.config import SourceConfig
from assets.http import Clock, Pacer
from assets.windows import Window

LOGGER = logging.getLogger(__name__)

Lane = Literal["live", "past"]
LANES: tuple[Lane, ...] = ("live", "past")

LIVE = timedelta(minutes=5)
"""A window that ends so near to now is the present's: it does not wait behind a backfill."""

MINUTE = 60.0
BURST = 10
PRESENT = 10
"""Requests per minute that the present may need: two feeds every 15 seconds, and one more page now and then."""

MOST_PLACES = 600
"""Where a limit is greater its 60th is kept each second, which is stricter: each request writes all places anew.
The present has a fifth of it then, at least."""

FORGOTTEN = 3600.0
"""No place is given so far ahead: what says so was damaged."""

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def shared_pacer(
    config: SourceConfig, lane: Lane | None, *account: object, present: int = PRESENT, clock: Clock | None = None
) -> "SharedPacer | None":
    """What spaces the requests of an account, within ``max_requests_per_minute`` of its source; None without one.

    A share of the limit is kept for the present, so that no backfill makes it wait.

    Args:
        config: The source, which says how many requests per minute, and where limits are kept.
        lane: For whom; None where only one of both ever asks, and may have all of it.
        account: What tells the account from others of this vendor: address, tenant, client.
        present: Requests per minute that the present needs.
        clock: The clock to measure and wait with.
    """
    limit, seconds = config.max_requests_per_minute, MINUTE
    if limit is None:
        return None
    if limit > MOST_PLACES:
        limit, present, seconds = limit // 60, max(-(-present // 60), limit // 300), 1.0
    if lane is None or limit == 1:
        return SharedPacer(pace_file(config, "all", *account), limit, clock, seconds)
    return SharedPacer(pace_file(config, lane, *account), shares(limit, present)[lane], clock, seconds)


def pace_file(config: SourceConfig, lane: str, *account: object) -> Path | None:
    """Where the places of an account are kept; None where the configuration is of no home."""
    if config.pace_dir is None:
        return None
    digest = hashlib.sha256("\0".join(map(str, account)).encode()).hexdigest()[:16]
    return config.pace_dir / f"{config.vendor}-{digest}-{lane}"


def shares(limit: int, present: int = PRESENT) -> dict[Lane, int]:
    """How many requests of a limit the present and the past may have: what the present needs, at most half."""
    live = min(present, limit // 2)
    return {"live": live or 1, "past": limit - live}


def lane_of(window: Window, vendor_now: datetime) -> Lane:
    """Whose window it is."""
    return "live" if window.end > vendor_now - LIVE else "past"


class SharedPacer(Pacer):
    """Never more than so many requests in any so many seconds, across threads and processes.

    Ten may go at once, the others follow evenly: a few windows come without delay, and a backfill makes no peaks.

    Each request takes its place under a file lock and then waits for it, so whoever came first goes first. The file
    holds the places last given, in seconds of the machine's monotonic clock, which all its processes share until it is
    started anew. Where it cannot be used, the limit holds for this process alone, and a warning says so.

    Args:
        path: The file; all who share the limit name the same. None: the limit holds for this object alone.
        many: The limit.
        clock: The clock to measure and wait with.
        seconds: The stretch that it is about.
    """

    def __init__(self, path: Path | None, many: int, clock: Clock | None = None, seconds: float = MINUTE) -> None:
        super().__init__(None, clock or Clock())
        self._path = path
        self._many = many
        self._seconds = seconds
        self._own: list[float] | None = [] if path is None else None

    def wait(self) -> None:
        """Wait for the next free place."""
        if (wait := self.place()) > 0:
            self._clock.sleep(wait)

    def place(self) -> float:
        """Take the next free place; returns in how many seconds it is, which the caller has to wait."""
        with self._lock:
            now = self._clock.monotonic()
            return self._take(now) - now

    def _take(self, now: float) -> float:
        if self._path is not None and self._own is None:
            try:
                return self._take_from_file(self._path, now)
            except OSError as error:
                LOGGER.warning("%s: %s; requests are counted for this process alone", self._path, error.strerror)
                self._own = []
        self._own, place = self._give(self._own or [], now)
        return place

    def _take_from_file(self, path: Path, now: float) -> float:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "r+", encoding="ascii", errors="replace") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            boot, *places = file.read().split() or [""]
            given, place = self._give(_numbers(places) if boot == _this_boot() else [], now)
            file.seek(0)
            file.truncate()
            file.write("\n".join([_this_boot(), *map(repr, given)]))
        return place

    def _give(self, given: list[float], now: float) -> tuple[list[float], float]:
        """The places given, the new one last: so many places before it lies the stretch, ten before it their share."""
        given = sorted(place for place in given if place <= now + FORGOTTEN)[-self._many :]
        place = max([now, *given[-1:]])
        for many in {self._many, min(BURST, self._many)}:
            if len(given) >= many:
                place = max(place, given[-many] + self._seconds * many / self._many)
        return [*given, place][-self._many :], place


def _this_boot() -> str:
    """What tells this run of the machine from others: the monotonic clock begins anew with each."""
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


def _numbers(texts: list[str]) -> list[float]:
    """The places in a file; one that was damaged counts as empty."""
    try:
        return [float(text) for text in texts]
    except ValueError:
        return []
