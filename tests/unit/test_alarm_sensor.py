"""The sensor of alarms: it tells once, goes on when it cannot look at something, and knows what is built late."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from orchestration.alarm_sensor import alarms, late_builds
from orchestration.alarms import read_book
from orchestration.builds import Manifest
from orchestration.resources import Engine
from orchestration.watch import Watch
from tests.pipeline.toy import engine_at



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
        assert isinstance(result, dg.SensorResult)
        assert result.skip_reason
        return str(result.skip_reason.skip_message)

    assert "run_failed capture_and_build" in tick()
    first = engine.settings.alarms_path.read_text()
    assert tick().startswith("run_failed capture_and_build")
    assert engine.settings.alarms_path.read_text() == first
