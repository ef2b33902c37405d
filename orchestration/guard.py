"""Captures first what a vendor will forget soonest: after a downtime, and what the schedule does not look back for.

Requests runs of raw assets alone; what they ask for is worked out by their planning, at the pace that the account's
limit allows. What is missing is seen in ``watch.py``; builds of what came are requested in ``sensors.py``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import msgspec

from orchestration.freshness import raw_key
from orchestration.inputs import DELIVERED_AFTER, midnight
from orchestration.resources import Engine
from orchestration.schedules import capture
from orchestration.sensors import UNDER_WAY
from orchestration.watch import FeedNow
from orchestration.words import said

PATIENCE = timedelta(hours=1)
"""How long something may be missing before the guard takes care of it: four runs of the schedule had their chance."""

URGENT = timedelta(hours=6)
"""What is lost so soon does not wait for a run of the schedule to end."""

AGAIN_AFTER = timedelta(minutes=30)
"""What could not be got is asked for again so much later; meanwhile others have their turn."""

DAYS = 7
"""The most days of one run, so that a long one of a feed that is kept long holds up nothing more urgent."""

capture_before_loss = dg.define_asset_job(
    "capture_before_loss",
    selection=dg.AssetSelection.key_prefixes("raw"),
    description="Fetches what a vendor will soon forget, oldest first; builds nothing.",
)


@dataclass(frozen=True, slots=True)
class Rescue:
    """What is to be captured next.

    Attributes:
        feed: The feed.
        first: The first UTC day.
        last: The last one.
        to_loss: How long until its oldest missing instant is lost.
    """

    feed: FeedNow
    first: date
    last: date
    to_loss: timedelta


@dg.sensor(
    job=capture_before_loss,
    minimum_interval_seconds=25,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Protects against loss: what a vendor will forget soonest is captured first, one run at a time.",
)
def retention_guard(context: dg.SensorEvaluationContext, engine: dg.ResourceParam[Engine]) -> dg.SensorResult:
    """Request a run of the raw asset whose oldest missing stretch is lost soonest; the cursor is who was asked when."""
    now = datetime.now(UTC)
    asked = msgspec.json.decode(context.cursor, type=dict[str, datetime]) if context.cursor else {}
    asked = {name: at for name, at in asked.items() if now - at < AGAIN_AFTER}
    found = rescues(engine.watch.look(now), now)
    ready = [rescue for rescue in found if rescue.feed.name not in asked]
    waits = _waits_for(context.instance, ready)
    requests = []
    if ready and not waits:
        asked[ready[0].feed.name] = now
        requests.append(rescue_request(ready[0], now))
    told = ", ".join(f"{rescue.feed.name} (lost in {said(rescue.to_loss)})" for rescue in found)
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None
        if requests
        else f"missing: {told}; {waits or 'asked for already'}"
        if told
        else "all is there",
        cursor=msgspec.json.encode(asked).decode(),
    )


def rescues(feeds: Sequence[FeedNow], now: datetime) -> list[Rescue]:
    """What is to be captured, what is lost soonest first.

    Days are those that Dagster has partitions for: the last five weeks. What the vendor still has and nobody asked for
    counts, too, so that a new source is captured as far back as that.

    Args:
        feeds: How they stand.
        now: Our clock.
    """
    earliest = midnight(now.date() - timedelta(days=DELIVERED_AFTER - 1))
    found = []
    for feed in feeds:
        old = [s for s in feed.unfetched if s.end > earliest and s.start <= feed.at - PATIENCE - feed.usual]
        if not old:
            continue
        start = max(old[0].start, earliest)
        # Windows before the stretch that were not yet old enough for their last look are looked at, too.
        first = max(start - feed.feed.recheck_after, earliest).date()
        last = min(old[-1].end.date(), first + timedelta(days=DAYS - 1), now.date())
        found.append(Rescue(feed, min(first, last), last, start + feed.feed.retention - feed.at))
    return sorted(found, key=lambda rescue: (rescue.to_loss, rescue.feed.name))


def rescue_request(rescue: Rescue, now: datetime) -> dg.RunRequest:
    """A run of one raw asset over some days; within it, the oldest windows are asked for first."""
    return dg.RunRequest(
        run_key=f"{rescue.feed.name} {now.isoformat(timespec='seconds')}",
        asset_selection=[raw_key(rescue.feed.source.name, rescue.feed.feed.name)],
        tags={
            "dagster/asset_partition_range_start": str(rescue.first),
            "dagster/asset_partition_range_end": str(rescue.last),
            "dagster/priority": "1",
        },
    )


def _waits_for(instance: dg.DagsterInstance, ready: Sequence[Rescue]) -> str | None:
    """Which run is to end first; none, or the guard's own alone where something is lost within hours."""
    jobs: Mapping[str, bool] = {
        capture_before_loss.name: True,
        capture.name: bool(ready) and ready[0].to_loss > URGENT,
    }
    for name, counts in jobs.items():
        if counts and instance.get_runs_count(dg.RunsFilter(job_name=name, statuses=UNDER_WAY)):
            return f"a run of {name} is under way"
    return None
