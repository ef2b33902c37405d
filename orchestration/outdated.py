"""Which days do not show what is there now: a model, a map or a late segment came after they were built.

An asset check that a person can run at any time and that runs each night. Building them anew belongs in
``backfill.py``; what makes a day out of date in ``builder.py``.
"""

from collections.abc import Sequence
from datetime import date

import dagster as dg

from orchestration.resources import Engine

CHECK = dg.AssetCheckKey(dg.AssetKey("warehouse"), "nothing_is_out_of_date")
NOT_EACH_TIME = dg.AssetSelection.checks(CHECK)
"""Looks at every day there is: not for runs every few minutes."""
_NAMED = 60

look_for_outdated_days = dg.define_asset_job(
    "look_for_outdated_days",
    selection=NOT_EACH_TIME,
    description="Compares what each day was built from with what is there now; builds nothing.",
)

every_morning = dg.ScheduleDefinition(
    name="every_morning",
    job=look_for_outdated_days,
    cron_schedule="20 4 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Protects against figures by yesterday's definitions: names the days that were built otherwise.",
)


@dg.asset_check(
    asset=CHECK.asset_key,
    name=CHECK.name,
    description="Every built day was built from the segments, models and maps that are there now.",
)
def nothing_is_out_of_date(engine: dg.ResourceParam[Engine]) -> dg.AssetCheckResult:
    """Name the days that are not."""
    days = engine.out_of_date_days()
    return dg.AssetCheckResult(
        passed=not days,
        severity=dg.AssetCheckSeverity.WARN,
        description=told(days) if days else None,
        metadata={"out_of_date_days": len(days), "days": dg.MetadataValue.json([str(day) for day in days[:_NAMED]])},
    )


def told(days: Sequence[date]) -> str:
    """What is wrong and what to do about it."""
    return (
        f"{len(days)} days from {days[0]} to {days[-1]} were built before a model, a map or a segment of theirs "
        "changed: run 'shiftbook backfill --stale', or materialise these days"
    )
