"""The sensor of alarms: it tells once, goes on when it cannot look at something, and knows what is built late."""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import NoReturn

import dagster as dg
import pytest

from orchestration import alarm_sensor
from orchestration.alarm_sensor import alarms, feed_incidents, late_builds
from orchestration.alarms import read_book
from orchestration.builds import Manifest
from orchestration.lake import FeedClock, Lake
from orchestration.model_assets import key_of
from orchestration.resources import Engine
from tests.pipeline.toy import engine_at
from tests.watching import BT, CX, HOUR, MINUTE, NOW, home_with, watched


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

    @dg.job(name="capture")
    def job() -> None:
        work()

    job.execute_in_process(instance=instance, raise_on_error=False)


def tick(engine: Engine, instance: dg.DagsterInstance, cursor: str | None = None) -> dg.SensorResult:
    """Let the sensor look."""

    @dg.job(name="capture")
    def job() -> None:
        pass

    repository = dg.Definitions(jobs=[job]).get_repository_def()
    context = dg.build_sensor_context(instance, cursor=cursor, resources={"engine": engine}, repository_def=repository)
    result = alarms(context)
    assert isinstance(result, dg.SensorResult)
    return result


def said(result: dg.SensorResult) -> str:
    """What the tick says goes on."""
    assert result.skip_reason
    return str(result.skip_reason.skip_message)


def test_the_sensor_tells_once_and_shows_what_goes_on(engine: Engine, instance: dg.DagsterInstance) -> None:
    """If this fails, nobody is told, or the UI does not show what is wrong."""
    run(instance, "no")
    hard = next(check for checks in engine.checks.values() for check in checks if not check.warn)
    soft = next(check for checks in engine.checks.values() for check in checks if check.warn)
    for check in (hard, soft):
        evaluation = dg.AssetCheckEvaluation(
            asset_key=key_of(check.table), check_name=check.name, passed=False, metadata={}
        )
        event = dg.DagsterEvent(dg.DagsterEventType.ASSET_CHECK_EVALUATION.value, "x", event_specific_data=evaluation)
        instance.report_dagster_event(event, instance.get_runs()[0].run_id)
    first = tick(engine, instance)
    assert "run_failed capture" in said(first)
    assert hard.name in said(first)
    assert soft.name not in said(first)
    book = engine.settings.alarms_path.read_text()
    assert said(tick(engine, instance, first.cursor)).startswith("run_failed capture")
    assert engine.settings.alarms_path.read_text() == book


def test_what_cannot_be_looked_at_silences_nothing_else(
    engine: Engine, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, one bad file or table of Dagster's takes all alarms with it, or ends those that go on."""
    run(instance, "no")
    tick(engine, instance)

    def broken(*_: object) -> NoReturn:
        raise ValueError("no such column")

    with monkeypatch.context() as patch:
        patch.setattr(alarm_sensor, "failed_runs", broken)
        tick(engine, instance)
    known = read_book(engine.settings.alarms_path, logging.getLogger()).open
    assert known["look_failed:failed runs"].incident.cause.endswith("ValueError: no such column")
    assert known["run_failed:capture"].well_since is None


def test_a_feed_that_cannot_be_looked_at_is_told_and_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, one feed's folder that cannot be read silences the alarms of all feeds."""
    engine = home_with(tmp_path / "two", CX, BT | {"feeds": ["state"]})
    whole = Lake.clock

    def clock(lake: Lake, vendor: str, feed: str, source: str) -> FeedClock:
        if source == "cx":
            raise PermissionError(13, "not yours", "clock.json")
        return whole(lake, vendor, feed, source)

    monkeypatch.setattr(Lake, "clock", clock)
    found = {incident.key: incident for incident in feed_incidents(engine, NOW)}
    assert "not yours" in found["not_watched:cx/agent_states"].cause
    assert "bt/state" in found["no_recorder"].cause


def test_builds_that_lag_behind_what_is_observed_are_told(tmp_path: Path) -> None:
    """If this fails, builds stop, capture goes on, all lights are green, and reports show yesterday."""
    engine = engine_at(tmp_path / "home")
    watched(engine, NOW - 5 * HOUR, NOW)
    [never] = late_builds(engine, engine.watch.look(NOW))
    assert never.cause.startswith("Nothing is built")
    assert never.patience > timedelta(0)

    def built(at: datetime) -> None:
        engine.builder.builds.put("ops.feed_coverage", NOW.date(), Manifest((), "", at, 0.0))

    built(NOW - HOUR + MINUTE)
    assert list(late_builds(engine, engine.watch.look(NOW))) == []
    built(NOW - 3 * HOUR)
    [late] = late_builds(engine, engine.watch.look(NOW))
    assert "3 h older" in late.cause
    watched(engine, NOW - 7 * HOUR, NOW - 6 * HOUR, heard=NOW)
    built(NOW - HOUR / 2)
    assert list(late_builds(engine, engine.watch.look(NOW + 5 * HOUR))) == []
