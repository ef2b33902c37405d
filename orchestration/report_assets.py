"""Reports in Dagster: an asset and a schedule for each, and a sensor that has them issued again when a day changes.

What is in a report, and whether there is anything new to say, is found out by ``reporting.py``.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime

import dagster as dg
from assets.reports.catalogue import REPORTS
from assets.reports.config import ReportConfig
from assets.reports.queries import read_queries

from orchestration.model_assets import OWNERS
from orchestration.partitions import LOCAL_DAYS
from orchestration.report_dues import Requested, dues, yesterday
from orchestration.reporting import Issued, issue, zone_of
from orchestration.resources import Engine
from orchestration.settings import sql_dir

GROUP = "reports"
_LOOK_SECONDS = 300
_MOST_RUNS = 5  # of one look: each takes seconds to start
# A disk or share that is away for a moment is no reason to be without a report for a day.
_AGAIN = dg.RetryPolicy(max_retries=3, delay=120)


def report_definitions(engine: Engine, first_day: date) -> dg.Definitions:
    """Assets, jobs, schedules and the sensor of all configured reports."""
    reports = engine.settings.reports
    made = [_asset(engine, config, first_day) for config in reports]
    jobs = [
        dg.define_asset_job(
            _job(config),
            selection=dg.AssetSelection.assets([GROUP, config.name]),
            description=f"Issues the report {config.name} of some days.",
        )
        for config in reports
        if config.enabled
    ]
    schedules = [_schedule(engine, config) for config in reports if config.enabled]
    return dg.Definitions(assets=made, jobs=jobs, schedules=schedules, sensors=[_sensor()])


def _asset(engine: Engine, config: ReportConfig, first_day: date) -> dg.AssetsDefinition:
    kind = REPORTS[config.report]
    zone = zone_of(engine.settings, config)
    held = f"{config.hold_minutes} minutes after the day ends"

    @dg.asset(
        key=[GROUP, config.name],
        group_name=GROUP,
        description=f"{kind.description} Days of {zone}; issued {held}, and again when a day completes or changes.",
        owners=OWNERS,
        kinds={"duckdb", *config.formats[:2]},
        deps=["warehouse"],
        tags=dict([LOCAL_DAYS]),
        partitions_def=dg.DailyPartitionsDefinition(start_date=first_day.isoformat(), timezone=zone),
        metadata={
            "dagster/column_schema": _columns(config, kind.tables),
            "tables": ", ".join(kind.tables),
            "formats": ", ".join(config.formats),
            "folder": dg.MetadataValue.path(str(engine.settings.exports_dir / config.name)),
        },
        retry_policy=_AGAIN,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def report(context: dg.AssetExecutionContext, engine: dg.ResourceParam[Engine]) -> dg.MaterializeResult[None]:
        for day in context.partition_keys:
            issued = issue(engine.settings, config, date.fromisoformat(day), patient=True)
            context.add_asset_metadata(_metadata(issued), partition_key=day)
        return dg.MaterializeResult()

    return report


def _columns(config: ReportConfig, tables: Sequence[str]) -> dg.TableSchema:
    """The columns of all tables of a report, each with the table's name before its own."""
    return dg.TableSchema(
        [
            dg.TableColumn(f"{query.table}.{column.name}", column.kind, column.description)
            for query in read_queries(sql_dir() / "reports", config.report, tables)
            for column in query.columns
        ]
    )


def _job(config: ReportConfig) -> str:
    return f"report_{config.name}"


def _schedule(engine: Engine, config: ReportConfig) -> dg.ScheduleDefinition:
    zone = zone_of(engine.settings, config)
    hour, minute = divmod(config.hold_minutes, 60)

    @dg.schedule(
        name=f"issue_{config.name}",
        job_name=_job(config),
        cron_schedule=f"{minute} {hour} * * *",
        execution_timezone=zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Protects readers from waiting: yesterday's report is there at {hour:02}:{minute:02}, {zone}.",
    )
    def of_yesterday(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        day = yesterday(context.scheduled_execution_time or datetime.now(UTC), zone)
        return dg.RunRequest(run_key=f"{config.name} {day}", partition_key=day.isoformat())

    return of_yesterday


def _sensor() -> dg.SensorDefinition:
    @dg.sensor(
        name="changed_reports",
        asset_selection=dg.AssetSelection.tag(*LOCAL_DAYS),
        minimum_interval_seconds=_LOOK_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Protects against stale reports: one whose day has completed or changed is issued again, and one "
        "that is missing because nothing ran when it was due.",
    )
    def changed_reports(
        context: dg.SensorEvaluationContext, engine: dg.ResourceParam[Engine]
    ) -> dg.SensorResult | dg.SkipReason:
        before = Requested.read(context.cursor)
        found, after = dues(engine.settings, before, datetime.now(UTC), most=_MOST_RUNS)
        requests = [
            dg.RunRequest(
                run_key=due.key, asset_selection=[dg.AssetKey([GROUP, due.report])], partition_key=due.day.isoformat()
            )
            for due in found
        ]
        return dg.SensorResult(run_requests=requests, cursor=after.text)

    return changed_reports


def _metadata(issued: Issued) -> dict[str, dg.MetadataValue | int | str | bool]:
    edition = issued.edition
    return {
        "edition": edition.edition,
        "complete": edition.complete,
        "result": "issued" if issued.is_new else "as it was",
        "dagster/row_count": sum(int(table["rows"]) for table in edition.totals.values()),
        "bytes": sum(file.bytes for file in edition.files),
        "folder": dg.MetadataValue.path(str(issued.folder)),
        "files": dg.MetadataValue.md("\n".join(_links(issued))),
        **({"warnings": dg.MetadataValue.md("\n\n".join(edition.warnings))} if edition.warnings else {}),
        **({"changes": dg.MetadataValue.md("\n\n".join(edition.changes))} if edition.changes else {}),
        **({"delivered": issued.delivered} if issued.delivered else {}),
    }


def _links(issued: Issued) -> Iterator[str]:
    return (f"- [{path.name}]({path.absolute().as_uri()})" for path in issued.paths)
