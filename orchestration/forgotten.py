"""What a vendor has forgotten of a day, as far as that makes a difference to the day: only where something is missing.

So a day that was fetched whole stays as it was built when its vendor forgets it. How a feed's clock is told belongs in
``lake.py``; what SQL gets of it in ``constants.py``.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from orchestration.builds import Builds
from orchestration.feed_clock import FeedClock
from orchestration.inputs import midnight
from orchestration.lake import Lake
from orchestration.watch import gaps, log_of, merged

HOUR = timedelta(hours=1)
# Time that was fetched and proves nothing all the same: the rows of a day say of what.
_DOUBTS = ("ops.broken_chains", "ops.rejects")


def lost_before(feed: Mapping[str, Any], clock: FeedClock) -> datetime | None:
    """What lies before this the vendor has forgotten; None of a feed that was never asked for.

    Of a vendor that never told its time by ours, in whole hours, so that not every look builds that day anew.
    """
    retention = clock.retention(timedelta(seconds=feed["retention_seconds"]))
    if clock.vendor_now or not clock.first_requested_at:
        return clock.vendor_now - retention if clock.vendor_now else None
    ours = datetime.now(UTC) + timedelta(seconds=clock.drift_seconds or 0.0)
    return _hour(ours) - retention


class Forgotten:
    """Looks at the logs of one lake; each is read once. ``feed`` is always a row of ``settings.feed_rows``."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._builds = Builds(lake)
        self._known: dict[tuple[Any, ...], bool] = {}

    def before(self, feed: Mapping[str, Any], clock: FeedClock, day: date | None) -> datetime | None:
        """The same as it matters to a day: its midnight where nothing of it is missing, and else in whole hours.

        What is lost as soon as it is missed is so at once: its day is built all the time.
        """
        lost = lost_before(feed, clock)
        if lost is None or day is None:
            return lost
        start, end = midnight(day), midnight(day + timedelta(days=1))
        if lost > start and feed["retention_seconds"]:
            lost = _hour(lost) if self._is_incomplete(feed, clock, day) else start
        return min(max(lost, start), end)

    def days(self, feeds: Sequence[Mapping[str, Any]], since: timedelta) -> Iterator[date]:
        """Days of which something became lost in the last so much time; not of feeds whose present alone can be had."""
        for feed in feeds:
            clock = self._lake.clock(feed["vendor"], feed["feed"], feed["source"])
            lost = lost_before(feed, clock)
            if lost is None or not feed["retention_seconds"]:
                continue
            first = (lost - since).date()
            for ahead in range((lost.date() - first).days + 1):
                day = first + timedelta(days=ahead)
                if self._is_incomplete(feed, clock, day):
                    yield day

    def _is_incomplete(self, feed: Mapping[str, Any], clock: FeedClock, day: date) -> bool:
        """Whether the day was not observed whole, as far as it was ever asked for."""
        manifests = [self._builds.manifest(table, day) for table in _DOUBTS]
        if any(manifest and manifest.rows for manifest in manifests):
            return True
        asked = [moment for moment in (clock.requested_until, clock.observed_until) if moment]
        if clock.first_requested_at is None or not asked:
            return False
        start = max(clock.first_requested_at, midnight(day))
        end = min(max(asked), midnight(day + timedelta(days=1)))
        folder = self._lake.capture_dir(feed["vendor"], feed["feed"], feed["source"]) / f"date={day}"
        logs = self._lake.logs(folder)
        key = (folder, start, end, *logs)
        if key not in self._known:
            delay = timedelta(seconds=feed["delay_seconds"])
            log = merged(log_of(self._lake, path, delay) for path in set(logs.values()))
            self._known[key] = any(gaps(log.covered, start, end))
        return self._known[key]


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
