"""Limits of requests that all who ask with one account share: a recorder, runs and commands, on one home.

Knows files and the clock. Which requests share a limit, and how large it is, belongs to the vendor's client; the folder
comes with the source's configuration.
"""

import fcntl
import hashlib
import logging
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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


class _Filed(Pacer, ABC):
    """A limit whose state, some numbers, is in a file.

    Each request takes its place under a file lock and then waits for it, so whoever came first goes first. The file
    holds times in seconds of the machine's monotonic clock, which all its processes share until it is started anew.
    Where it cannot be used, the limit holds for this process alone, and a warning says so.
    """

    def __init__(self, path: Path | None, clock: Clock | None = None) -> None:
        super().__init__(None, clock or Clock())
        self._path = path
        self._own: list[float] = []

    def wait(self) -> None:
        """Wait for the next free place."""
        if (wait := self.place()) > 0:
            self._clock.sleep(wait)

    def place(self) -> float:
        """Take the next free place; returns in how many seconds it is, which the caller has to wait."""
        with self._lock:
            now = self._clock.monotonic()
            return self._change(lambda held: self._give(held, now)) - now

    @abstractmethod
    def _give(self, held: list[float], now: float) -> tuple[list[float], float]:
        """What is held after the next place was given, and that place."""

    def _change(self, change: Callable[[list[float]], tuple[list[float], float]]) -> float:
        if self._path is not None:
            try:
                return _change_file(self._path, change)
            except OSError as error:
                LOGGER.warning("%s: %s; requests are counted for this process alone", self._path, error.strerror)
                self._path = None
        self._own, place = change(self._own)
        return place


def _change_file(path: Path, change: Callable[[list[float]], tuple[list[float], float]]) -> float:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "r+", encoding="ascii", errors="replace") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        boot, *texts = file.read().split() or [""]
        held, place = change(_numbers(texts) if boot == _this_boot() else [])
        file.seek(0)
        file.truncate()
        file.write("\n".join([_this_boot(), *map(repr, held)]))
    return place


class SharedPacer(_Filed):
    """Never more than so many requests in any so many seconds, across threads and processes.

    Ten may go at once, the others follow evenly: a few windows come without delay, and a backfill makes no peaks.

    Args:
        path: The file of the places last given; all who share the limit name the same. None: the limit holds for this
            object alone.
        many: The limit.
        clock: The clock to measure and wait with.
        seconds: The stretch that it is about.
    """

    def __init__(self, path: Path | None, many: int, clock: Clock | None = None, seconds: float = MINUTE) -> None:
        super().__init__(path, clock)
        self._many = many
        self._seconds = seconds

    def _give(self, held: list[float], now: float) -> tuple[list[float], float]:
        """The places given, the new one last: so many places before it lies the stretch, ten before it their share."""
        given = sorted(place for place in held if place <= now + FORGOTTEN)[-self._many :]
        place = max([now, *given[-1:]])
        for many in {self._many, min(BURST, self._many)}:
            if len(given) >= many:
                place = max(place, given[-many] + self._seconds * many / self._many)
        return [*given, place][-self._many :], place


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

    def __init__(self, path: Path | None, buckets: Sequence[Bucket], clock: Clock | None = None) -> None:
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
