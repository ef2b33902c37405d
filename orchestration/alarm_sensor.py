"""The sensor of alarms: what Dagster knows to be wrong, beside what the logs say, and whom to tell.

How feeds stand is judged in ``incidents.py``; what was told already stands in the book of ``alarms.py``.
"""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus as Status

from orchestration.alarms import Seen, ring
from orchestration.incidents import Incident, incidents_of
from orchestration.model_assets import key_of
from orchestration.resources import Engine
from orchestration.webhook import Webhook
from orchestration.words import said

_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
_EXCERPT = 300


@dg.sensor(
    minimum_interval_seconds=55,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Protects against silence: what is wrong is told to the log and the webhook, once, and its end, too.",
)
def alarms(context: dg.SensorEvaluationContext, engine: dg.ResourceParam[Engine]) -> dg.SkipReason:
    """Tell what began to be wrong and what is over; the reason of the tick is what goes on."""
    settings, now = engine.settings, datetime.now(UTC)
    failing, unknown = check_incidents(context.instance, engine)
    jobs = sorted(context.repository_def.job_names) if context.repository_def else []
    present = [
        *incidents_of(engine.watch.look(now), settings.home, settings.report_timezone),
        *run_incidents(context.instance, jobs),
        *failing,
    ]
    log = logging.Logger("alarms")  # noqa: LOG001 -- of this tick alone
    log.addHandler(_Telling(context))
    deliver = Webhook(settings.alarms, log).deliver if settings.alarms else None

    def undecided(going_on: Mapping[str, Seen]) -> Collection[str]:
        return unknown & going_on.keys()

    book = ring(engine.lake, settings.alarms_path, present, deliver, log, now, undecided)
    told = [
        f"{seen.incident.kind} {seen.incident.subject} for {said(now - seen.since)}"
        for seen in book.open.values()
        if seen.is_told
    ]
    waiting = f"; {len(book.outbox)} messages wait to be delivered" if book.outbox else ""
    return dg.SkipReason(("; ".join(told) or "all is well") + waiting)


class _Telling(logging.Handler):
    """Tells Dagster what is said, and asks for its log no sooner: that leaves a file, even if nothing is written."""

    def __init__(self, context: dg.SensorEvaluationContext) -> None:
        super().__init__()
        self._context = context

    def emit(self, record: logging.LogRecord) -> None:
        """Hand it on."""
        self._context.log.log(record.levelno, record.getMessage())


def run_incidents(instance: dg.DagsterInstance, jobs: Sequence[str]) -> Iterator[Incident]:
    """Jobs whose last run that ended failed; over with the next that succeeds."""
    for job in jobs:
        for record in instance.get_run_records(dg.RunsFilter(job_name=job, statuses=_ENDED), limit=1):
            run = record.dagster_run
            if run.status == dg.DagsterRunStatus.FAILURE:
                yield Incident(
                    key=f"run_failed:{job}",
                    kind="run_failed",
                    subject=job,
                    cause=f"The last run of {job} failed ({run.run_id}): {_why(instance, run.run_id)}",
                    next_step="Open the run in Dagster, mend what it names, and press 'Re-execute from failure'.",
                )


def _why(instance: dg.DagsterInstance, run_id: str) -> str:
    kinds = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE}
    for entry in instance.all_logs(run_id, of_type=kinds):
        event = entry.dagster_event
        if event and event.is_step_failure:
            error = event.step_failure_data.error
            while error and error.cause:
                error = error.cause
            return f"{event.step_key}: {_line(error.message if error else event.message or '')}"
        if event:
            return _line(event.message or "it did not say why")
    return "it did not say why"


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _EXCERPT else f"{line[:_EXCERPT]}…"


def check_incidents(instance: dg.DagsterInstance, engine: Engine) -> tuple[list[Incident], set[str]]:
    """Checks of severity ERROR that failed when last run, and keys of those that are being run."""
    keys = {
        dg.AssetCheckKey(key_of(check.table), check.name): f"check_failed:{check.table}:{check.name}"
        for checks in engine.checks.values()
        for check in checks
        if not check.warn
    }
    found, unknown = [], set()
    for key, record in instance.event_log_storage.get_latest_asset_check_execution_by_key(list(keys)).items():
        if record.status == Status.PLANNED:
            unknown.add(keys[key])
        elif record.status == Status.FAILED:
            found.append(_failed(keys[key], key, record.event.dagster_event if record.event else None))
    return found, unknown


def _failed(key: str, check: dg.AssetCheckKey, event: dg.DagsterEvent | None) -> Incident:
    asset = check.asset_key.to_user_string()
    said_ = event.asset_check_evaluation_data.description if event else None
    return Incident(
        key=key,
        kind="check_failed",
        subject=f"{asset}: {check.name}",
        cause=f"The check {check.name} of {asset} fails: {said_ or 'rows break it'}.",
        next_step="Open the asset's checks in Dagster, which show such rows; docs/operations.md says what each means.",
    )
