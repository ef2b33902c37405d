"""When runs start by themselves.

What they run is in ``definitions.py``; what a run asks a vendor for is worked out by the raw assets.
"""

from datetime import UTC, datetime, timedelta

import dagster as dg

from orchestration.housekeeping import housekeep
from orchestration.resources import Engine
from orchestration.sensors import UNDER_WAY

_EVERY = "*/15 * * * *"
# Windows are settled within a day or two. What is missing for longer is asked for by the guard (``guard.py``), as far
# back as each vendor keeps it: a run over that would look at months of days every quarter of an hour.
LOOK_BACK = timedelta(days=3)

capture = dg.define_asset_job(
    "capture",
    selection=dg.AssetSelection.key_prefixes("raw"),
    description="Fetches what is missing or unsettled of some days; the sensor new_segments has them built.",
)


@dg.op(description="Does each chore by itself, and fails at the end if one could not be done.")
def do_chores(context: dg.OpExecutionContext, engine: dg.ResourceParam[Engine]) -> None:
    """What ``shiftbook housekeeping`` does."""
    done = list(housekeep(engine, context.instance))
    context.add_output_metadata({chore.chore: chore.error or chore.done for chore in done})
    failed = [f"{chore.chore}: {chore.error}" for chore in done if chore.error]
    for chore in done:
        context.log.info("%s: %s (%s s)", chore.chore, chore.error or chore.done, chore.seconds)
    if failed:
        raise dg.Failure("\n".join(failed))


@dg.job(description="Merges closed days and removes what is no longer needed, so that the home stays small.")
def housekeeping() -> None:
    """Asks no vendor. Publishes all days, with the whole tables, and stages a day whose raw segments are to go."""
    do_chores()


every_night = dg.ScheduleDefinition(
    name="every_night",
    job=housekeeping,
    cron_schedule="40 3 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Protects against a full disk: closed days are merged, superseded builds and old runs removed.",
)


@dg.schedule(
    job=capture,
    cron_schedule=_EVERY,
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Protects against loss: what a vendor has is ours within a quarter of an hour, after an outage too.",
)
def every_quarter_hour(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """One run for today and the days before it that can still change, UTC; none while one is under way.

    After a downtime Dagster makes up for several ticks at once: the first asks for all that the others would.
    """
    if context.instance.get_runs_count(dg.RunsFilter(job_name=capture.name, statuses=UNDER_WAY)):
        return dg.SkipReason("the run before is still under way; the next one does what this one would have done")
    now = context.scheduled_execution_time or datetime.now(UTC)
    first, last = (now - LOOK_BACK).date(), now.date()
    return dg.RunRequest(
        run_key=now.isoformat(timespec="minutes"),
        tags={"dagster/asset_partition_range_start": str(first), "dagster/asset_partition_range_end": str(last)},
    )
