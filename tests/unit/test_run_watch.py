"""What Dagster's records say of its own work: runs that failed or stand still, each until it is made up for."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, TickData, TickStatus
from dagster_shared.error import SerializableErrorInfo

from orchestration.incidents import Incident
from orchestration.leftovers import PROCESS_TAG, end_lost_runs
from orchestration.run_watch import LONGEST, failed_runs, failing_ticks, long_runs

JOBS = ["capture", "capture_before_loss", "__ASSET_JOB", "never_run"]
FIRST, LAST = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """Dagster's own storage on disk."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as made:
        yield made


def run(instance: dg.DagsterInstance, error: str | None = None) -> None:
    """Run a job that fails if it is told to."""

    @dg.op
    def work() -> None:
        if error:
            raise ValueError(error)

    @dg.job(name="capture")
    def job() -> None:
        work()

    job.execute_in_process(instance=instance, raise_on_error=False)


def ended(instance: dg.DagsterInstance, *assets: str, ok: bool, job: str = "__ASSET_JOB", **more: str) -> dg.DagsterRun:
    """Let a run of some assets have ended; ``more`` are first and last day, and the run that it continues."""
    made = instance.add_run(
        dg.DagsterRun(
            job,
            asset_selection=frozenset(dg.AssetKey(name.split("/")) for name in assets),
            tags={FIRST: more["first"], LAST: more["last"]} if "first" in more else {},
            parent_run_id=more.get("parent"),
            root_run_id=more.get("parent"),
            status=dg.DagsterRunStatus.STARTED,
        )
    )
    if ok:
        instance.report_dagster_event(dg.DagsterEvent(dg.DagsterEventType.RUN_SUCCESS.value, job), made.run_id)
    else:
        instance.report_run_failed(made, "no")
    return made


def failed(instance: dg.DagsterInstance) -> list[Incident]:
    """What failed by now."""
    return list(failed_runs(instance, JOBS, datetime.now(UTC)))


def test_a_job_whose_last_run_failed_is_told_with_the_reason(instance: dg.DagsterInstance) -> None:
    """If this fails, captures fail all night in silence, or a failure that healed is told of for ever."""
    assert failed(instance) == []
    run(instance, "the vendor\nsent nonsense")
    [incident] = failed(instance)
    assert incident.key == "run_failed:capture"
    assert "work: ValueError: the vendor sent nonsense" in incident.cause
    assert incident.patience == timedelta(0)
    run(instance, "x" * 1000)
    [again] = failed(instance)
    assert again.key == incident.key
    assert len(again.cause) < 500
    run(instance)
    assert failed(instance) == []


def test_a_success_of_something_else_ends_nothing(instance: dg.DagsterInstance) -> None:
    """If this fails, whoever builds one table by hand ends the alarm about another."""
    ended(instance, "marts/a", "marts/b", ok=False)
    [incident] = failed(instance)
    assert "marts/a and 1 more" in incident.subject
    ended(instance, "marts/c", ok=True)
    ended(instance, "marts/a", ok=True)
    ended(instance, "marts/x", ok=False, job="capture_before_loss")
    assert len(failed(instance)) == 2
    ended(instance, "marts/a", "marts/b", "marts/c", ok=True)
    assert [one.subject for one in failed(instance)] == ["capture_before_loss of marts/x"]
    ended(instance, "marts/x", ok=True, job="capture_before_loss")
    assert failed(instance) == []


def test_a_success_of_other_days_ends_nothing_that_was_started_by_hand(instance: dg.DagsterInstance) -> None:
    """If this fails, materialising today ends the alarm about a day in June."""
    june = ended(instance, "marts/a", ok=False, first="2026-06-01", last="2026-06-02")
    ended(instance, "marts/a", ok=True, first="2026-11-01", last="2026-11-02")
    ended(instance, "marts/a", ok=True, first="2026-06-02", last="2026-06-03")
    assert len(failed(instance)) == 1
    ended(instance, "marts/a", ok=True, first="2026-06-01", last="2026-06-30")
    assert failed(instance) == []
    ended(instance, "marts/b", ok=False, first="2026-06-01", last="2026-06-02")
    ended(instance, "marts/b", ok=True, first="2026-06-01", last="2026-06-01", parent=june.run_id)
    assert len(failed(instance)) == 1


def test_a_run_that_was_continued_is_made_up_for(instance: dg.DagsterInstance) -> None:
    """If this fails, 're-execute from failure', which the alarm itself asks for, does not end it."""
    first = ended(instance, "marts/a", "marts/b", ok=False)
    ended(instance, "marts/b", ok=True, parent=first.run_id)
    assert failed(instance) == []


def test_a_run_that_ended_with_shiftbook_is_told_only_if_none_makes_up_for_it(instance: dg.DagsterInstance) -> None:
    """If this fails, each restart is an alarm about which nobody can do anything."""
    instance.add_run(dg.DagsterRun("capture", status=dg.DagsterRunStatus.STARTED, tags={PROCESS_TAG: "1 2 gone"}))
    assert len(list(end_lost_runs(instance))) == 1
    [incident] = failed(instance)
    assert incident.patience >= timedelta(minutes=30)


def test_a_run_that_hangs_is_told(instance: dg.DagsterInstance) -> None:
    """If this fails, one hung run stops all capture and building, and every check stays green."""
    now = datetime.now(UTC)
    for status in (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.NOT_STARTED):
        instance.add_run(dg.DagsterRun("capture", status=status))
    instance.add_run(dg.DagsterRun("capture", status=dg.DagsterRunStatus.STARTED, tags={PROCESS_TAG: "of a command"}))
    assert list(long_runs(instance, now + LONGEST / 2)) == []
    found = list(long_runs(instance, now + LONGEST + timedelta(minutes=1)))
    assert [(one.kind, one.subject) for one in found] == [("run_too_long", "capture")] * 2
    assert len({one.key for one in found}) == 2
    for each in instance.get_runs():
        instance.report_run_failed(each, "ended by hand")
    assert list(long_runs(instance, now + LONGEST * 2)) == []


def ticked(instance: dg.DagsterInstance, name: str, status: TickStatus, at: float) -> None:
    """Let a sensor have ticked."""
    origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("shiftbook"), "repo"), name)
    state = InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.DECLARED_IN_CODE)
    if not instance.get_instigator_state(state.instigator_origin_id, state.selector_id):
        instance.add_instigator_state(state)
    error = SerializableErrorInfo("no column\nx", [], "BinderError") if status is TickStatus.FAILURE else None
    instance.create_tick(
        TickData(
            state.instigator_origin_id,
            name,
            InstigatorType.SENSOR,
            status,
            at,
            run_ids=["a"] if status is TickStatus.SUCCESS else [],
            error=error,
            selector_id=state.selector_id,
        )
    )


def test_a_sensor_that_fails_is_told_until_it_works(instance: dg.DagsterInstance) -> None:
    """If this fails, what a sensor protects against happens, and nobody looks."""
    ticked(instance, "freshness", TickStatus.SKIPPED, 1.0)
    ticked(instance, "somebody_elses", TickStatus.FAILURE, 1.0)
    assert list(failing_ticks(instance, {"freshness"})) == []
    ticked(instance, "freshness", TickStatus.FAILURE, 2.0)
    ticked(instance, "freshness", TickStatus.STARTED, 3.0)
    [incident] = failing_ticks(instance, {"freshness"})
    assert (incident.key, incident.cause) == ("tick_failed:freshness", "freshness fails: no column x")
    ticked(instance, "freshness", TickStatus.SUCCESS, 4.0)
    assert list(failing_ticks(instance, {"freshness"})) == []
