"""The run every minute: it builds and publishes at once, and tells Dagster and the checks' verdicts now and then."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
import yaml

from orchestration import coming
from orchestration.alarm_sensor import overview_incidents
from orchestration.coming import build_what_came
from orchestration.model_assets import model_assets
from orchestration.resources import Engine
from tests.pipeline.site import day
from tests.pipeline.toy import engine_at, land, shift

TABLE = dg.AssetKey(["marts", "fct_agent_intervals"])
OVERVIEW = dg.AssetKey(["reports", "overview"])
TAGS = {"dagster/asset_partition_range_start": str(day(0)), "dagster/asset_partition_range_end": str(day(1))}


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """A home where two days have landed."""
    engine = engine_at(tmp_path / "home")
    for number in range(2):
        land(engine, day(number), shift("ann", day(number)) + shift("bob", day(number)))
    return engine


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """Dagster's storage."""
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def run(engine: Engine, instance: dg.DagsterInstance) -> list[dg.DagsterEventType]:
    """Run it over both days; what kinds of events came of it."""
    result = build_what_came.execute_in_process(instance=instance, resources={"engine": engine}, tags=TAGS)
    assert result.success
    return [event.event_type for event in result.all_events]


def test_it_builds_publishes_and_tells_seldom(
    engine: Engine, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, figures are late, Dagster does not know of them, or is told as much each minute as in an hour."""
    kinds = run(engine, instance)
    assert engine.warehouse.shows([day(0), day(1)])
    assert kinds.count(dg.DagsterEventType.ASSET_CHECK_EVALUATION) > 20
    assert instance.get_materialized_partitions(TABLE) == {str(day(0)), str(day(1))}

    monkeypatch.setattr(coming, "RECENT", timedelta(days=36_500))
    land(engine, day(1), shift("cat", day(1)), windows=3)
    kinds = run(engine, instance)
    assert engine.warehouse.shows([day(0), day(1)])
    assert dg.DagsterEventType.ASSET_MATERIALIZATION not in kinds
    assert dg.DagsterEventType.ASSET_CHECK_EVALUATION not in kinds

    monkeypatch.setattr(coming, "TELL_EVERY", timedelta(0))
    kinds = run(engine, instance)
    assert 0 < kinds.count(dg.DagsterEventType.ASSET_CHECK_EVALUATION) < 20
    told = instance.fetch_materializations(TABLE, limit=5).records
    assert told[0].partition_key == str(day(1))
    assert len(told) == 3


def test_an_overview_that_cannot_be_written_keeps_nothing_back(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    """If this fails, a key that is not set hides from Dagster what is built, or nobody hears of the key."""
    hidden = {"overview": {"pseudonymise": True, "pseudonym_key": "${NO_KEY}"}}
    (tmp_path / "reports.yaml").write_text(yaml.safe_dump(hidden))
    engine = engine_at(tmp_path / "home")
    land(engine, day(0), shift("ann", day(0)))
    kinds = run(engine, instance)
    assert kinds.count(dg.DagsterEventType.ASSET_CHECK_EVALUATION) > 20
    publish = model_assets(engine, dg.DailyPartitionsDefinition(str(day(0))), lineage=False)[-1]
    assert dg.materialize([publish], instance=instance, resources={"engine": engine}, tags=TAGS).success
    assert instance.get_latest_materialization_event(dg.AssetKey("warehouse"))
    assert not instance.get_latest_materialization_event(OVERVIEW)
    [incident] = overview_incidents(engine)
    assert "NO_KEY is not set" in incident.cause

    (tmp_path / "reports.yaml").unlink()
    engine = engine_at(tmp_path / "home")
    assert dg.materialize([publish], instance=instance, resources={"engine": engine}, tags=TAGS).success
    assert instance.get_latest_materialization_event(OVERVIEW)
    assert not list(overview_incidents(engine))
