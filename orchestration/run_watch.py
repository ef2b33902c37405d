"""What Dagster's records say of its own work: runs that failed or stand still, and sensors and schedules that fail.

Only looks. Checks are judged in ``check_watch.py``; who is told, and when, is the affair of ``alarms.py``.
"""

import hashlib
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._core.scheduler.instigation import TickStatus

from orchestration.incidents import Incident
from orchestration.leftovers import LOST_TAG, PROCESS_TAG
from orchestration.sensors import UNDER_WAY
from orchestration.words import said

LONGEST = timedelta(hours=2)
"""A run of minutes that takes so long stands still; until it ends no other one of its kind begins."""

_REMEMBERED = timedelta(days=30)
_MOST = 100
_PAGE = 10
# Whatever runs by itself has run again by then: four runs of the schedule had their chance.
_MADE_UP_FOR = timedelta(hours=1)
# A tick that fails once, while code is loaded anew, is followed by one that does not.
_A_FEW_TICKS = timedelta(minutes=2)
_CUT_SHORT = "DagsterExecutionInterruptedError"
_EXCERPT = 300
_ENDED_TICK = [TickStatus.SUCCESS, TickStatus.SKIPPED, TickStatus.FAILURE]
_RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


def failed_runs(instance: dg.DagsterInstance, jobs: Collection[str], now: datetime) -> Iterator[Incident]:
    """What failed when it was last run, by job and selection of assets; over with a later success of all of it.

    A run that ended with Shiftbook itself is made up for by the next one, and told of only if none is.
    """
    filters = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=now - _REMEMBERED)
    failed = [r for r in instance.get_run_records(filters, limit=_MOST) if r.dagster_run.job_name in jobs]
    newest = {_name(record.dagster_run): record for record in sorted(failed, key=_ended_at)}
    for name, record in newest.items():
        if _is_made_up_for(instance, record):
            continue
        run = record.dagster_run
        why = _why(instance, run.run_id)
        yield Incident(
            key=f"run_failed:{name}",
            kind="run_failed",
            subject=_subject(run),
            cause=f"The last run of {_subject(run)} failed ({run.run_id}): {why}",
            next_step="Open the run in Dagster, mend what it names, and press 'Re-execute from failure'.",
            patience=_MADE_UP_FOR if LOST_TAG in run.tags or _CUT_SHORT in why else timedelta(0),
        )


def _name(run: dg.DagsterRun) -> str:
    """Runs of one job over different assets, such as all that are started by hand, say nothing of each other."""
    if not run.asset_selection:
        return run.job_name
    names = "\n".join(sorted(key.to_user_string() for key in run.asset_selection))
    return f"{run.job_name}:{hashlib.sha256(names.encode()).hexdigest()[:12]}"


def _subject(run: dg.DagsterRun) -> str:
    job = "a run by hand" if run.job_name.startswith("__") else run.job_name
    names = sorted(key.to_user_string() for key in run.asset_selection or ())
    if not names:
        return job
    return f"{job} of {names[0]}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def _ended_at(record: dg.RunRecord) -> float:
    return record.end_time or record.update_timestamp.timestamp()


def _is_made_up_for(instance: dg.DagsterInstance, failed: dg.RunRecord) -> bool:
    run, cursor = failed.dagster_run, None
    filters = dg.RunsFilter(
        job_name=run.job_name, statuses=[dg.DagsterRunStatus.SUCCESS], updated_after=failed.update_timestamp
    )
    while page := instance.get_run_records(filters, limit=_PAGE, cursor=cursor):
        if any(_ended_at(record) >= _ended_at(failed) and _covers(record.dagster_run, run) for record in page):
            return True
        cursor = page[-1].dagster_run.run_id
    return False


def _covers(success: dg.DagsterRun, failed: dg.DagsterRun) -> bool:
    """Whether a run did all that another one should have done, or is that one continued."""
    if failed.run_id in {success.root_run_id, success.parent_run_id}:
        return True
    wanted = failed.asset_selection
    if success.asset_selection and not (wanted and success.asset_selection >= wanted):
        return False
    if not failed.job_name.startswith("__"):
        return True  # what runs by itself goes on with other days
    first, last = _days(failed)
    from_, until = _days(success)
    return not first or (bool(from_) and from_ <= first and last <= until)


def _days(run: dg.DagsterRun) -> tuple[str, str]:
    one = run.tags.get("dagster/partition", "")
    return run.tags.get(_RANGE[0], one), run.tags.get(_RANGE[1], one)


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


def long_runs(instance: dg.DagsterInstance, now: datetime) -> Iterator[Incident]:
    """Runs that wait or go on for too long, those aside that somebody watches on the command line."""
    for record in instance.get_run_records(dg.RunsFilter(statuses=UNDER_WAY), limit=_MOST):
        run = record.dagster_run
        begun = datetime.fromtimestamp(record.start_time, UTC) if record.start_time else record.create_timestamp
        length = now - begun
        if PROCESS_TAG in run.tags or length < LONGEST:
            continue
        what = "goes on" if record.start_time else "waits to be started"
        yield Incident(
            key=f"run_too_long:{run.run_id}",
            kind="run_too_long",
            subject=_subject(run),
            cause=f"A run of {_subject(run)} {what} for {said(length)} ({run.run_id}); until it ends, no other one of "
            "its kind begins.",
            next_step="Open it in Dagster. If its last lines are old, terminate it there: the next run makes up for "
            "it. If it is at work on many days, let it be.",
        )


def failing_ticks(instance: dg.DagsterInstance, names: Collection[str]) -> Iterator[Incident]:
    """Our sensors and schedules whose last tick failed: whatever they protect against is not looked for."""
    for state in instance.all_instigator_state():
        if state.name not in names or not state.is_running:
            continue
        for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1, statuses=_ENDED_TICK):
            if tick.status is TickStatus.FAILURE:
                error = tick.error
                while error and error.cause:
                    error = error.cause
                yield Incident(
                    key=f"tick_failed:{state.name}",
                    kind="tick_failed",
                    subject=state.name,
                    cause=f"{state.name} fails: {_line(error.message) if error else 'it did not say why'}",
                    next_step="Dagster shows the whole error under Automation; mend what it names.",
                    patience=_A_FEW_TICKS,
                )
