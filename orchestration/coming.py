"""The run every half minute or so: builds and publishes the days that new segments touch, in one step.

One step, and not one per table: Dagster writes a dozen rows per step, partition and check, each of them to disk by
itself, which took three quarters of such a run. So its pages are told every few minutes what was built since. When it
runs belongs in ``sensors.py``, what Dagster is told in ``model_assets.py``.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from orchestration.model_assets import (
    FAILING_DAYS,
    JUDGED_DAYS,
    check_evaluation,
    days_said,
    key_of,
    ordered,
    partition_metadata,
)
from orchestration.models import Model
from orchestration.overview import refresh_overview
from orchestration.partitions import days_of_run
from orchestration.resources import Engine

TELL_EVERY = timedelta(minutes=5)
"""How far Dagster's pages, and the checks, may be behind the tables that runs of this job build."""

REPEAT_CHECKS = timedelta(hours=1)
"""A check that comes out as it did last time is not told of again before: a hundred of them are in each run."""

RECENT = timedelta(days=1)
"""Days that these runs come back to all the time; others are told of at once, since no later run may hold them."""

_WAREHOUSE = dg.AssetKey("warehouse")
_OVERVIEW = dg.AssetKey(["reports", "overview"])
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dg.op(description="Builds what is out of date of the run's days, publishes it, and every few minutes checks it.")
def build_days(context: dg.OpExecutionContext, engine: dg.ResourceParam[Engine]) -> None:
    """Build all models in their order; what is as it would be built is left alone."""
    days = days_of_run(context.run.tags) or [datetime.now(UTC).date()]
    ahead, _ = ordered(engine)
    for model in ahead:
        if model.kind == "whole":
            engine.builder.build(model, None)
        else:
            engine.build(model.table, days)
    engine.warehouse.publish(days)
    engine.warehouse.clean(days)
    has_overview = refresh_overview(engine.settings, engine.lake, context.log.warning)
    now, told = datetime.now(UTC), _last_told(context.instance)
    if now - told >= TELL_EVERY or days[0] < now.date() - RECENT:
        if has_overview:
            context.log_event(dg.AssetMaterialization(_OVERVIEW))
        _tell(context, engine, days, told)


build_what_came = dg.GraphDefinition("build_what_came", node_defs=[build_days]).to_job(
    description="Builds the days that new segments touch; asks no vendor.",
)


def _last_told(instance: dg.DagsterInstance) -> datetime:
    event = instance.get_latest_materialization_event(_WAREHOUSE)
    return datetime.fromtimestamp(event.timestamp, UTC) if event else _NEVER


def _tell(context: dg.OpExecutionContext, engine: Engine, days: Sequence[date], since: datetime) -> None:
    """Tell of all partitions that were built since, and run the checks on them."""
    built = {model.table: list(_built(engine, model, days, since)) for model in engine.models.values()}
    for table, found in built.items():
        for day in found:
            context.log_event(
                dg.AssetMaterialization(
                    key_of(table),
                    partition=str(day) if day else None,
                    metadata=partition_metadata(engine, table, day),
                )
            )
    context.log_event(dg.AssetMaterialization(_WAREHOUSE, metadata={"path": str(engine.settings.warehouse_path)}))
    fresh = {table for table, found in built.items() if found}
    checks = [check for each in engine.checks.values() for check in each if fresh & {check.table, *check.tables}]
    keys = [dg.AssetCheckKey(key_of(check.table), check.name) for check in checks]
    before = context.instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    for check, key in zip(checks, keys, strict=True):
        known = before.get(key)
        judged = days if engine.models[check.table].kind in {"day", "segment"} else []
        evaluation = check_evaluation(engine.builder.judge(check, judged), judged)
        if not (known and _says_the_same(known.event, evaluation)):
            context.log_event(evaluation)  # type: ignore[arg-type]  # it takes them, too


def _built(engine: Engine, model: Model, days: Sequence[date], since: datetime) -> Iterator[date | None]:
    """The partitions of a model whose rows changed since: those with the same rows have kept their files."""
    builds = engine.builder.builds
    for day in [] if model.kind == "view" else [None] if model.kind == "whole" else days:
        manifest = builds.manifest(model.table, day)
        files = [builds.folder(model.table, day) / entry.file for entry in (manifest.entries if manifest else ())]
        if any(path.stat().st_mtime > since.timestamp() for path in files):
            yield day


def _says_the_same(entry: dg.EventLogEntry | None, now: dg.AssetCheckEvaluation) -> bool:
    """Whether a check came out likewise a short while ago, with as many rows, over these days or more."""
    event = entry.dagster_event if entry else None
    if entry is None or event is None or event.event_type is not dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        return False
    before = event.asset_check_evaluation_data
    said = [[of.passed, of.metadata.get("failing_rows"), of.metadata.get(FAILING_DAYS)] for of in (before, now)]
    recent = datetime.now(UTC).timestamp() - entry.timestamp < REPEAT_CHECKS.total_seconds()
    return recent and said[0] == said[1] and days_said(now, JUDGED_DAYS) <= days_said(before, JUDGED_DAYS)
