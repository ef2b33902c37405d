"""When runs start by themselves.

What they run is in ``definitions.py``; what a run asks a vendor for is worked out by the raw assets.
"""

from datetime import UTC, datetime, timedelta

import dagster as dg

_EVERY = "*/15 * * * *"
# The longest that any vendor keeps records: after an outage the first run fetches all that can still be had.
_LOOK_BACK = timedelta(days=3)

capture_and_build = dg.define_asset_job(
    "capture_and_build",
    selection=dg.AssetSelection.all() - dg.AssetSelection.key_prefixes("reports"),
    description="Fetches what is missing or unsettled of some days and builds them.",
)


@dg.schedule(
    job=capture_and_build,
    cron_schedule=_EVERY,
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Protects against loss: what a vendor has is ours within a quarter of an hour, after an outage too.",
)
def every_quarter_hour(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """One run for today and the days before it that a vendor may still have, UTC."""
    now = context.scheduled_execution_time or datetime.now(UTC)
    first, last = (now - _LOOK_BACK).date(), now.date()
    return dg.RunRequest(
        run_key=now.isoformat(timespec="minutes"),
        tags={"dagster/asset_partition_range_start": str(first), "dagster/asset_partition_range_end": str(last)},
    )
