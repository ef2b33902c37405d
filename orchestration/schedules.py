"""When runs start by themselves.

What they run is in ``definitions.py``; what a run asks a vendor for is worked out by the raw assets.
"""

from datetime import UTC, datetime, timedelta

import dagster as dg

_EVERY = "*/15 * * * *"
_LOOK_BACK = timedelta(days=1)

capture_and_build = dg.define_asset_job(
    "capture_and_build",
    selection=dg.AssetSelection.all(),
    description="Fetches what is missing or unsettled of some days and builds them.",
)


@dg.schedule(
    job=capture_and_build,
    cron_schedule=_EVERY,
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Protects the running day and the one before: what a vendor has is ours within a quarter of an hour.",
)
def every_quarter_hour(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """One run for yesterday and today, UTC."""
    now = context.scheduled_execution_time or datetime.now(UTC)
    first, last = (now - _LOOK_BACK).date(), now.date()
    return dg.RunRequest(
        run_key=now.isoformat(timespec="minutes"),
        tags={"dagster/asset_partition_range_start": str(first), "dagster/asset_partition_range_end": str(last)},
    )
