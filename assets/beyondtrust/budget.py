"""How fast an appliance is asked: the account's limits, shared by all processes on one home.

The present has a share of its own, so that no backfill makes it wait, or uses up its hour.

What is asked for, and by which lane, belongs in the modules of the feeds. Facts about the vendor are in the package's
docstring.
"""

import threading
from collections.abc import Mapping

from assets.beyondtrust.config import BeyondTrustConfig
from assets.config import MissingVariableError
from assets.http import Clock, Pacer, PermanentError, retry_after
from assets.pacing import Bucket, Lane, SharedBuckets, pace_file

TOO_MANY = 429
HOUR = 3600.0
PER_MINUTE = 480
"""Eight requests a second at most, all processes together: the account's 20 are for its other programs, too."""

LIVE_PER_MINUTE, LIVE_BURST = 30, 10
"""What the Command API is polled for takes three a minute; the rest is for tokens and the doctor."""

PAST_PER_HOUR, PAST_BURST = 9_000, 2_500
"""With that burst and the present's share, less than 15,000 in any hour. A first capture lies in the burst."""

RESERVE = 1_500
"""When fewer requests than these are left of the hour's 15,000, the rest is spread over an hour."""

KEPT = 300
"""So many of them are for the present alone."""

LONGEST_INTERVAL_SECONDS = 60.0
PAUSE_SECONDS = 10.0
"""How long nobody asks after a 429 that says nothing, as another client of these APIs does (Vulture)."""


class Budget:
    """The account's limits. Nothing is read or written, and no secret revealed, before the first request.

    Args:
        config: The source. What ``max_requests_per_minute`` states is obeyed, be it more: an appliance of one's own may
            be set to allow more.
        clock: The clock to measure and wait with.
    """

    def __init__(self, config: BeyondTrustConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._lock = threading.Lock()
        self._pacers: Mapping[Lane, SharedBuckets] = {}

    def lane(self, lane: Lane) -> Pacer:
        """What spaces the requests of a lane."""
        return _Lane(self, lane, self._clock)

    def wait(self, lane: Lane) -> None:
        """Wait for the lane's next free place.

        Raises:
            PermanentError: The variable of the account's id is not set.
        """
        self._shared()[lane].wait()

    def note(self, status: int, headers: Mapping[str, str]) -> None:
        """Learn from ``X-RateLimit-Remaining`` how fast to go on, and pause after a 429."""
        text = (headers.get("X-RateLimit-Remaining") or "").strip()
        left = int(text) if text.isascii() and text.isdigit() else None
        pause = 0.0
        if status == TOO_MANY:
            asked = retry_after(headers.get("Retry-After"), self._clock.now())
            pause = PAUSE_SECONDS if asked is None else min(asked, LONGEST_INTERVAL_SECONDS)
        for lane, pacer in self._shared().items():
            apart = None if left is None else _apart(left, lane)
            # Mostly there is nothing new.
            if pause or apart not in {None, pacer.apart}:
                pacer.slow(apart, pause)

    def _shared(self) -> Mapping[Lane, SharedBuckets]:
        with self._lock:
            if not self._pacers:
                try:
                    account = self._config.base_url, self._config.client_id.reveal()
                except MissingVariableError as error:
                    raise PermanentError(str(error)) from None
                self._pacers = {
                    lane: SharedBuckets(pace_file(self._config, lane, *account), buckets, self._clock)
                    for lane, buckets in limits(self._config.max_requests_per_minute).items()
                }
            return self._pacers


class _Lane(Pacer):
    def __init__(self, budget: Budget, lane: Lane, clock: Clock) -> None:
        super().__init__(None, clock)
        self._budget, self._of = budget, lane

    def wait(self) -> None:
        self._budget.wait(self._of)

    def note(self, status: int, headers: Mapping[str, str]) -> None:
        self._budget.note(status, headers)


def limits(stated: int | None) -> Mapping[Lane, tuple[Bucket, ...]]:
    """The buckets of each lane; of a limit that somebody states a fifth is for the present."""
    per_minute = stated or PER_MINUTE
    live = per_minute / 5 if stated else LIVE_PER_MINUTE
    past = Bucket(1, 60.0 / (per_minute - live))
    hour = () if stated else (Bucket(PAST_BURST, HOUR / PAST_PER_HOUR),)
    return {"live": (Bucket(max(1, min(LIVE_BURST, int(live))), 60.0 / live),), "past": (past, *hour)}


def _apart(left: int, lane: Lane) -> float:
    """Seconds between two requests of a lane when so many are left of the hour."""
    enough, own = (KEPT, left) if lane == "live" else (RESERVE, left - KEPT)
    return 0.0 if left >= enough else min(HOUR / max(own, 1), LONGEST_INTERVAL_SECONDS)
