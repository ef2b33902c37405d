"""The sensor of new segments: everything that landed is reported once, and builds are requested seldom and in time."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import msgspec
import pytest

from orchestration import sensors
from orchestration.coming import build_what_came
from orchestration.compaction import merge_raw
from orchestration.lake import Attempt, Lake, Page, Segment
from orchestration.logs import merge_attempts
from orchestration.resources import Engine
from orchestration.sensors import Seen, build_request, new_segments
from tests.pipeline.toy import engine_at

TODAY = datetime.now(UTC).date()


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """A home without anything."""
    return engine_at(tmp_path / "home")


def land(engine: Engine, day: date = TODAY, minute: int = 0, *, log: bool = True) -> None:
    """Land a segment of a day, and log it."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(minutes=minute)
    end = start + timedelta(minutes=1)
    page = Page(end, end, "GET /x", 200, None, b"{}")
    engine.lake.land(Segment("cxengage", "cx", "agent_states", start, end, (page,)))
    if log:
        engine.lake.log("cxengage", [Attempt("cx", "agent_states", start, end, end, "ok", vendor_time=end)])


def tick(engine: Engine, cursor: str | None, instance: dg.DagsterInstance | None = None) -> dg.SensorResult:
    """Let the sensor look."""
    instance = instance or dg.DagsterInstance.ephemeral()
    context = dg.build_sensor_context(instance, cursor=cursor, resources={"engine": engine})
    result = new_segments(context)
    assert isinstance(result, dg.SensorResult)
    return result


def overdue(cursor: str | None, by: timedelta = timedelta(days=90)) -> str:
    """The cursor as if all that it tells of had been so long ago."""
    assert cursor
    seen = msgspec.json.decode(cursor, type=Seen)
    earlier = {name: getattr(seen, name) - by for name in ("requested_at", "told_at")}
    return msgspec.json.encode(msgspec.structs.replace(seen, **earlier)).decode()


def reported(result: dg.SensorResult) -> list[tuple[str, str | None, object]]:
    """Asset, partition and number of new segments of each event."""
    events = [event for event in result.asset_events if isinstance(event, dg.AssetMaterialization)]
    return [(e.asset_key.to_user_string(), e.partition, e.metadata["new_segments"].value) for e in events]


def test_new_segments_are_materialisations_of_their_day(engine: Engine) -> None:
    """If this fails, Dagster does not know of what was recorded, or hears of it again and again."""
    first = tick(engine, None)
    assert reported(first) == []
    for minute in range(3):
        land(engine, minute=minute)
    land(engine, TODAY - timedelta(days=1))
    second = tick(engine, first.cursor)
    yesterday = str(TODAY - timedelta(days=1))
    assert sorted(reported(second), key=str) == [
        ("raw/cx/agent_states", yesterday, 1),
        ("raw/cx/agent_states", str(TODAY), 3),
    ]
    assert reported(tick(engine, second.cursor)) == []


def test_at_first_only_the_last_days_are_built(engine: Engine) -> None:
    """If this fails, the first start of Dagster rebuilds all history, or leaves what was recorded before it."""
    for day in (TODAY, TODAY - timedelta(days=3), TODAY - timedelta(days=9)):
        land(engine, day)
    result = tick(engine, None)
    assert result.run_requests == []
    [request] = tick(engine, overdue(result.cursor)).run_requests or []
    assert request.tags["dagster/asset_partition_range_start"] == str(TODAY - timedelta(days=4))


def test_models_that_changed_are_built_for_the_last_days(engine: Engine) -> None:
    """If this fails, figures by yesterday's definition stand beside today's until something lands."""
    land(engine)
    cursor = settled(engine, tick(engine, None).cursor)
    assert tick(engine, overdue(cursor)).run_requests == []
    before = msgspec.structs.replace(msgspec.json.decode(cursor, type=Seen), models="others")
    assert len(tick(engine, overdue(msgspec.json.encode(before).decode())).run_requests or []) == 1


def test_a_look_that_was_not_kept_is_looked_again(engine: Engine) -> None:
    """If this fails, a tick that is cut short hides for ever what it saw."""
    cursor = settled(engine, tick(engine, None).cursor)
    land(engine)
    assert reported(tick(engine, overdue(cursor)))
    assert reported(tick(engine, overdue(cursor)))


def settled(engine: Engine, cursor: str | None) -> str:
    """The cursor after a build of what was there went well."""
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_run(dg.DagsterRun(build_what_came.name, status=dg.DagsterRunStatus.SUCCESS))
        cursor = tick(engine, overdue(cursor), instance).cursor
        return str(tick(engine, overdue(cursor), instance).cursor)


def test_one_build_every_few_minutes_for_all_days_that_came(engine: Engine) -> None:
    """If this fails, each poll starts a run of Dagster's, or figures stay stale."""
    cursor = tick(engine, None).cursor
    land(engine)
    soon = tick(engine, cursor)
    assert soon.run_requests == []
    land(engine, TODAY - timedelta(days=2))
    late = tick(engine, overdue(soon.cursor))
    [request] = late.run_requests or []
    assert request.tags["dagster/asset_partition_range_start"] == str(TODAY - timedelta(days=3))
    assert request.tags["dagster/asset_partition_range_end"] == str(TODAY)
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_run(dg.DagsterRun(build_what_came.name, status=dg.DagsterRunStatus.SUCCESS))
        assert tick(engine, overdue(late.cursor), instance).run_requests == []


def test_days_of_a_build_that_failed_are_requested_anew(engine: Engine) -> None:
    """If this fails, a build that a full disk stopped leaves older days stale until somebody notices."""
    cursor = tick(engine, None).cursor
    land(engine, TODAY - timedelta(days=9))
    first = tick(engine, overdue(cursor))
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_run(dg.DagsterRun(build_what_came.name, status=dg.DagsterRunStatus.FAILURE))
        soon = tick(engine, first.cursor, instance)
        assert soon.run_requests == []
        [again] = tick(engine, overdue(soon.cursor), instance).run_requests or []
    assert again.tags == (first.run_requests or [again])[0].tags


def test_a_gap_alone_is_built_too(engine: Engine) -> None:
    """If this fails, an outage is not in the coverage until something else comes."""
    cursor = tick(engine, None).cursor
    now = datetime.now(UTC)
    engine.lake.log("cxengage", [Attempt("cx", "agent_states", now, now, now, "failed", error="gone")])
    result = tick(engine, overdue(cursor))
    assert reported(result) == []
    assert len(result.run_requests or []) == 1


def test_no_build_is_requested_while_one_is_under_way(engine: Engine) -> None:
    """If this fails, runs pile up when building is slower than the vendor."""
    cursor = tick(engine, None).cursor
    land(engine)
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_run(dg.DagsterRun(build_what_came.name, status=dg.DagsterRunStatus.STARTED))
        busy = tick(engine, overdue(cursor), instance)
        assert busy.run_requests == []
        assert reported(busy)
    assert len(tick(engine, overdue(busy.cursor)).run_requests or []) == 1


def test_tidying_up_is_nothing_new(engine: Engine) -> None:
    """If this fails, compaction makes days look new, or hides what lands afterwards."""
    cursor = tick(engine, None).cursor
    for minute in range(3):
        land(engine, minute=minute)
    cursor = tick(engine, cursor).cursor
    [feed] = engine.feeds
    folder = engine.lake.raw_dir("cxengage", "agent_states", "cx", TODAY)
    assert merge_raw(engine.lake, folder, "cx", "agent_states", TODAY)
    assert merge_attempts(engine.lake, feed["vendor"], feed["feed"], feed["source"], TODAY)
    merged = tick(engine, cursor)
    assert reported(merged) == []
    land(engine, minute=7)
    assert reported(tick(engine, overdue(merged.cursor))) == [("raw/cx/agent_states", str(TODAY), 1)]


def test_days_that_nothing_can_touch_any_more_are_not_looked_at(engine: Engine) -> None:
    """If this fails, the cursor grows for ever."""
    land(engine, TODAY - timedelta(days=100))
    assert sensors.look(engine, TODAY, {}) == {}


def test_a_build_takes_in_the_day_before_and_all_days_since() -> None:
    """If this fails, a record that began before midnight, or a state carried over it, stays as it was."""
    now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    request = build_request({date(2026, 11, 20)}, now)
    assert request.tags["dagster/asset_partition_range_start"] == "2026-11-19"
    assert request.tags["dagster/asset_partition_range_end"] == "2026-11-22"


def test_lake_is_only_looked_at(engine: Engine) -> None:
    """If this fails, looking creates folders on a home that was never captured."""
    tick(engine, None)
    assert not Lake(engine.settings.lake_dir).root.exists()


def test_what_a_vendor_forgot_is_built_within_the_hour(engine: Engine) -> None:
    """If this fails, what can no longer be fetched goes on being called missing, and people go on trying."""
    old = datetime(TODAY.year, TODAY.month, TODAY.day, tzinfo=UTC) - timedelta(days=3)
    now = datetime.now(UTC)
    attempts = [Attempt("cx", "agent_states", old, old + timedelta(minutes=10), now, "failed")]
    attempts += [Attempt("cx", "agent_states", now - timedelta(minutes=1), now, now, "ok", vendor_time=now)]
    engine.lake.log("cxengage", attempts)
    cursor = settled(engine, tick(engine, None).cursor)
    assert tick(engine, overdue(cursor)).run_requests == []
    seen = msgspec.json.decode(cursor, type=Seen)
    an_hour_on = msgspec.structs.replace(seen, lost_at=seen.lost_at - timedelta(hours=1))
    [request] = tick(engine, overdue(msgspec.json.encode(an_hour_on).decode())).run_requests or []
    assert request.tags["dagster/asset_partition_range_start"] == str(old.date() - timedelta(days=1))
