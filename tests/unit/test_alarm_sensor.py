"""What Dagster knows to be wrong: runs that failed and checks that fail, each until the next that does not."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from orchestration.alarm_sensor import alarms, check_incidents, run_incidents
from orchestration.model_assets import key_of
from orchestration.resources import Engine
from tests.pipeline.toy import engine_at

BROKEN = dg.AssetKey(["marts", "broken"])


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """Dagster's own storage on disk."""
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as made:
        yield made


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """A home without anything."""
    return engine_at(tmp_path / "home")


def run(instance: dg.DagsterInstance, error: str | None = None) -> None:
    """Run a job that fails if it is told to."""

    @dg.op
    def work() -> None:
        if error:
            raise ValueError(error)

    @dg.job(name="capture_and_build")
    def job() -> None:
        work()

    job.execute_in_process(instance=instance, raise_on_error=False)


def test_a_job_whose_last_run_failed_is_told_with_the_reason(instance: dg.DagsterInstance) -> None:
    """If this fails, captures fail all night in silence, or a failure that healed is told of for ever."""
    jobs = ["capture_and_build", "never_run"]
    assert list(run_incidents(instance, jobs)) == []
    run(instance, "the vendor\nsent nonsense")
    [incident] = run_incidents(instance, jobs)
    assert incident.key == "run_failed:capture_and_build"
    assert "work: ValueError: the vendor sent nonsense" in incident.cause
    run(instance, "x" * 1000)
    [again] = run_incidents(instance, jobs)
    assert again.key == incident.key
    assert len(again.cause) < 500
    run(instance)
    assert list(run_incidents(instance, jobs)) == []


def report(instance: dg.DagsterInstance, table: str, check: str, *, passed: bool) -> None:
    """Let a check have been run."""
    instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(
            asset_key=key_of(table),
            check_name=check,
            passed=passed,
            description=None if passed else "3 rows break this",
        )
    )


def test_a_check_that_fails_is_told_and_a_warning_is_not(engine: Engine, instance: dg.DagsterInstance) -> None:
    """If this fails, wrong figures are published in silence, or each warning is an alarm."""
    every = [check for checks in engine.checks.values() for check in checks]
    hard = next(check for check in every if not check.warn)
    soft = next(check for check in every if check.warn)
    assert check_incidents(instance, engine) == ([], set())
    for check in (hard, soft):
        report(instance, check.table, check.name, passed=False)
    [incident], unknown = check_incidents(instance, engine)
    assert incident.key == f"check_failed:{hard.table}:{hard.name}"
    assert "3 rows break this" in incident.cause
    assert unknown == set()
    report(instance, hard.table, hard.name, passed=True)
    assert check_incidents(instance, engine) == ([], set())


def test_the_sensor_tells_once_and_shows_what_goes_on(engine: Engine, instance: dg.DagsterInstance) -> None:
    """If this fails, nobody is told, or the UI does not show what is wrong."""

    @dg.job(name="capture_and_build")
    def job() -> None:
        pass

    run(instance, "no")
    repository = dg.Definitions(jobs=[job]).get_repository_def()

    def tick() -> str:
        context = dg.build_sensor_context(instance, resources={"engine": engine}, repository_def=repository)
        result = alarms(context)
        assert isinstance(result, dg.SkipReason)
        return str(result.skip_message)

    assert "run_failed capture_and_build" in tick()
    first = engine.settings.alarms_path.read_text()
    assert tick().startswith("run_failed capture_and_build")
    assert engine.settings.alarms_path.read_text() == first
