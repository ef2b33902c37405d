"""Freshness in Dagster, on a real instance: it follows the time of the data, whatever is materialised meanwhile."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions import freshness_evaluator
from dagster._core.definitions.asset_key import AssetCheckKey
from dagster._core.definitions.freshness import FreshnessState
from dagster._core.loader import LoadingContextForTest

from orchestration.freshness import CHECK, asset_key, freshness, freshness_asset, freshness_check, raw_key
from orchestration.resources import Engine
from orchestration.words import said
from tests.watching import CX, HOUR, MINUTE, home_with, recorded, watched

RAW, MARK = raw_key("cx", "agent_states"), asset_key("cx", "agent_states")


@pytest.fixture
def now() -> datetime:
    """This moment: sensors look at the clock themselves."""
    return datetime.now(UTC)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """A home without anything."""
    return home_with(tmp_path / "home")


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """Dagster's own storage on disk."""
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as made:
        yield made


def graph(engine: Engine) -> dg.Definitions:
    """The raw asset of the one feed, its check, and its freshness."""
    [feed] = engine.watch.look()
    return dg.Definitions(
        assets=[dg.AssetSpec(RAW), freshness_asset(feed.source, feed.feed)],
        asset_checks=[freshness_check(feed.source, feed.feed)],
        resources={"engine": engine},
    )


def tick(engine: Engine, instance: dg.DagsterInstance, cursor: str | None = None) -> dg.SensorResult:
    """Let the sensor look, and do with its events what the daemon does."""
    result = freshness(dg.build_sensor_context(instance, cursor=cursor, resources={"engine": engine}))
    assert isinstance(result, dg.SensorResult)
    for event in result.asset_events:
        instance.report_runless_asset_event(event)
    return result


def state(engine: Engine, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, minutes: float = 0) -> Any:
    """What Dagster's daemon says of the feed's freshness, so many minutes from now."""
    later = (datetime.now(UTC) + timedelta(minutes=minutes)).timestamp()
    monkeypatch.setattr(freshness_evaluator, "get_current_timestamp", lambda: later)
    node = graph(engine).resolve_asset_graph().get(MARK)
    judge = freshness_evaluator.TimeWindowFreshnessPolicyEvaluator()
    return asyncio.run(judge.evaluate_freshness(LoadingContextForTest(instance), node))


def checked(instance: dg.DagsterInstance) -> tuple[bool, str]:
    """The newest answer of the check."""
    key = AssetCheckKey(RAW, CHECK)
    record = instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key]
    assert record.event
    assert record.event.dagster_event
    evaluation = record.event.dagster_event.asset_check_evaluation_data
    return evaluation.passed, str(evaluation.description)


def test_dagsters_freshness_is_that_of_the_data(
    engine: Engine, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    """If this fails, the UI shows a feed as fresh that stands still, or as stale one that is well."""
    assert state(engine, instance, monkeypatch) == FreshnessState.UNKNOWN
    watched(engine, now - 5 * HOUR, now - MINUTE, heard=now)
    cursor = tick(engine, instance).cursor
    found = [state(engine, instance, monkeypatch, minutes) for minutes in (0, 9, 11, 54, 56)]
    assert found == [getattr(FreshnessState, name) for name in ("PASS", "PASS", "WARN", "WARN", "FAIL")]
    assert checked(instance)[0]
    assert tick(engine, instance, cursor).asset_events == []


def test_a_backfill_of_last_month_turns_nothing_green(
    engine: Engine, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    """If this fails, somebody who mends the past hides that the present is lost."""
    watched(engine, now - 5 * HOUR, now - 3 * HOUR)
    stale = tick(engine, instance)
    assert [type(event) for event in stale.asset_events] == [dg.AssetCheckEvaluation, dg.AssetObservation]
    last_month = now - timedelta(days=30)
    watched(engine, last_month, last_month + HOUR, heard=now)
    instance.report_runless_asset_event(dg.AssetMaterialization(RAW, partition=str(last_month.date())))
    tick(engine, instance)
    assert state(engine, instance, monkeypatch) == FreshnessState.UNKNOWN
    passed, text = checked(instance)
    assert not passed
    assert "2 h 59 min later than usual" in text
    recorded(engine, "cx/agent_states", now)
    tick(engine, instance)
    assert state(engine, instance, monkeypatch) == FreshnessState.PASS
    assert checked(instance)[0]


def test_a_change_is_told_at_once_and_the_same_answer_every_five_minutes(
    engine: Engine, instance: dg.DagsterInstance, now: datetime
) -> None:
    """If this fails, the UI is minutes behind, or Dagster's storage grows by a row a minute and feed."""
    watched(engine, now - 5 * HOUR, now - 20 * MINUTE)
    first = tick(engine, instance)
    assert len(first.asset_events) == 2
    assert tick(engine, instance, first.cursor).asset_events == []
    recorded(engine, "cx/agent_states", now)
    changed = tick(engine, instance, first.cursor)
    assert len(changed.asset_events) == 2
    assert changed.cursor
    old = changed.cursor.replace(str(now.year), str(now.year - 1))
    assert len(tick(engine, instance, old).asset_events) == 2


def test_the_lag_is_plotted_while_a_feed_stands_still(
    engine: Engine, instance: dg.DagsterInstance, now: datetime
) -> None:
    """If this fails, the plot of the lag has a hole just where somebody looks for it."""
    watched(engine, now - 5 * HOUR, now - 3 * HOUR)
    [seen] = [event for event in tick(engine, instance).asset_events if isinstance(event, dg.AssetObservation)]
    assert seen.metadata["lag_seconds"].value == pytest.approx(3 * 3600, abs=5)


@pytest.mark.parametrize(
    ("lag", "passed", "severity"),
    [(5, True, None), (30, False, dg.AssetCheckSeverity.WARN), (90, False, dg.AssetCheckSeverity.ERROR)],
)
def test_the_check_can_be_run_in_the_ui(
    engine: Engine,
    instance: dg.DagsterInstance,
    now: datetime,
    lag: int,
    *,
    passed: bool,
    severity: dg.AssetCheckSeverity | None,
) -> None:
    """If this fails, nobody can ask again after mending something, or a warning is an error."""
    watched(engine, now - 5 * HOUR, now - lag * MINUTE)
    job = graph(engine).resolve_implicit_global_asset_job_def()
    [found] = job.execute_in_process(instance=instance).get_asset_check_evaluations()
    assert found.passed is passed
    assert severity in {None, found.severity}
    assert ("'shiftbook record' runs" in str(found.description)) is not passed


def test_a_feed_that_was_never_captured_does_not_pass(engine: Engine, instance: dg.DagsterInstance) -> None:
    """If this fails, a source that never worked is green."""
    tick(engine, instance)
    passed, text = checked(instance)
    assert not passed
    assert text.startswith("cx/agent_states: nothing was observed yet; not asked for yet. Nobody records it")


def test_times_are_told_in_the_zone_of_reports(tmp_path: Path, instance: dg.DagsterInstance, now: datetime) -> None:
    """If this fails, a person reads a time that no clock around shows."""
    closed = CX | {"open_hours": "Mon-Sun 00:00-24:00"}
    engine = home_with(tmp_path / "home", closed, report_timezone="Asia/Kolkata")
    watched(engine, now - 5 * HOUR, now - 2 * HOUR, error="503")
    watched(engine, now - 6 * HOUR, now - 5 * HOUR)
    tick(engine, instance)
    _, text = checked(instance)
    assert " IST, 4 h 59 min later than usual in open hours. The last attempt failed: 503" in text


def test_lengths_of_time_are_short() -> None:
    """If this fails, texts tell of 90061 seconds."""
    lengths = [0, 59, 60, 61, 3600, 5400, 90_000, 172_800]
    assert [said(timedelta(seconds=n)) for n in lengths] == [
        *("0 s", "59 s", "1 min", "1 min 1 s", "1 h", "1 h 30 min", "1 d 1 h", "2 d"),
    ]
