"""The retention guard: what is lost soonest comes first, one run at a time, and nothing waits for what fails."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from orchestration.guard import AGAIN_AFTER, capture_before_loss, rescue_request, rescues, retention_guard
from orchestration.resources import Engine
from orchestration.schedules import capture, every_quarter_hour
from tests.watching import BT, CX, HOUR, MINUTE, NOW, home_with, watched

DAY = timedelta(days=1)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """Two sources: agents' states that are kept for three days, archives for seven, and reports for ninety."""
    since = str((datetime.now(UTC) - 30 * DAY).date())
    return home_with(tmp_path / "home", CX | {"since": since}, BT | {"since": since})


def whole(engine: Engine, until: datetime, *names: str) -> None:
    """Let feeds have been captured as far back as anybody keeps them."""
    for name in names or ("cx/agent_states", "bt/archive", "bt/sessions"):
        watched(engine, until - 40 * DAY, until, heard=until, name=name)


def wanted(engine: Engine, now: datetime = NOW) -> list[tuple[str, str, str]]:
    """Feeds and days, in order."""
    return [(r.feed.name, str(r.first), str(r.last)) for r in rescues(engine.watch.look(now), now)]


def test_nothing_is_asked_for_while_all_is_well(tmp_path: Path) -> None:
    """If this fails, runs start every half hour for nothing."""
    engine = home_with(tmp_path / "home", CX, BT)
    whole(engine, NOW)
    assert wanted(engine, NOW + MINUTE) == []
    # What is younger than an hour is left to the recorder and the schedule.
    assert wanted(engine, NOW + 59 * MINUTE) == []
    assert wanted(engine, NOW + 61 * MINUTE) == [("cx/agent_states", "2026-11-20", "2026-11-20")]


def test_what_is_lost_soonest_comes_first(tmp_path: Path) -> None:
    """If this fails, what could have been saved is lost while something else is fetched that is kept for months."""
    engine = home_with(tmp_path / "home", CX, BT)
    whole(engine, NOW)
    now = NOW + 60 * HOUR
    assert wanted(engine, now) == [
        ("cx/agent_states", "2026-11-20", "2026-11-22"),
        ("bt/archive", "2026-11-20", "2026-11-22"),
        ("bt/sessions", "2026-11-19", "2026-11-22"),  # reports of the day before may have grown
    ]
    assert [round(r.to_loss / HOUR) for r in rescues(engine.watch.look(now), now)] == [12, 108, 2100]


def test_a_run_is_of_a_week_at_most_and_within_the_partitions(tmp_path: Path) -> None:
    """If this fails, ninety days of one feed hold up what is lost tomorrow, or a run is refused for a day too old."""
    engine = home_with(tmp_path / "home", BT)
    watched(engine, NOW - HOUR, NOW, heard=NOW, name="bt/sessions")
    [(_, first, last)] = wanted(engine)
    assert (first, last) == ("2026-10-17", "2026-10-23")


def test_what_the_vendor_has_forgotten_is_not_asked_for(tmp_path: Path) -> None:
    """If this fails, the guard asks for ever for what nobody has."""
    engine = home_with(tmp_path / "home")
    whole(engine, NOW - 10 * DAY, "cx/agent_states")
    watched(engine, NOW - 3 * DAY, NOW)
    assert wanted(engine) == []


def test_a_vendor_that_never_answered_is_left_to_the_schedule(tmp_path: Path) -> None:
    """If this fails, a source whose password is wrong has runs of its own all day."""
    engine = home_with(tmp_path / "home")
    watched(engine, NOW - 5 * HOUR, NOW, error="401")
    assert wanted(engine) == []


def tick(engine: Engine, instance: dg.DagsterInstance, cursor: str | None = None) -> dg.SensorResult:
    """Let the sensor look."""
    context = dg.build_sensor_context(instance, cursor=cursor, resources={"engine": engine})
    result = retention_guard(context)
    assert isinstance(result, dg.SensorResult)
    return result


def asked(result: dg.SensorResult) -> list[str]:
    """Feeds that runs were requested for."""
    return [key.to_user_string() for r in result.run_requests or [] for key in r.asset_selection or []]


def test_one_run_at_a_time_and_others_have_their_turn(engine: Engine) -> None:
    """If this fails, runs of one vendor pile up, or one that is down keeps all others from being saved."""
    now = datetime.now(UTC)
    whole(engine, now - 50 * HOUR)
    with dg.DagsterInstance.ephemeral() as instance:
        first = tick(engine, instance)
        assert asked(first) == ["raw/cx/agent_states"]
        run = instance.add_run(dg.DagsterRun(capture_before_loss.name, status=dg.DagsterRunStatus.STARTED))
        busy = tick(engine, instance, first.cursor)
        assert asked(busy) == []
        assert "capture_before_loss is under way" in str(busy.skip_reason)
        instance.delete_run(run.run_id)
        second = tick(engine, instance, busy.cursor)
        third = tick(engine, instance, second.cursor)
        assert (asked(second), asked(third)) == (["raw/bt/archive"], ["raw/bt/sessions"])
        last = tick(engine, instance, third.cursor)
        assert asked(last) == []
        assert "asked for already" in str(last.skip_reason)
        long_ago = (now - AGAIN_AFTER - MINUTE).isoformat()
        assert asked(tick(engine, instance, f'{{"cx/agent_states": "{long_ago}"}}')) == ["raw/cx/agent_states"]


def test_only_what_is_urgent_goes_beside_a_run_of_the_schedule(engine: Engine) -> None:
    """If this fails, the same is asked for twice, or what is lost in an hour waits for figures to be built."""
    now = datetime.now(UTC)
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_run(dg.DagsterRun(capture.name, status=dg.DagsterRunStatus.STARTED))
        whole(engine, now - 50 * HOUR, "bt/archive")
        assert asked(tick(engine, instance)) == []
        whole(engine, now - 70 * HOUR, "cx/agent_states")
        assert asked(tick(engine, instance)) == ["raw/cx/agent_states"]


def test_the_run_is_of_the_feed_and_its_days(engine: Engine) -> None:
    """If this fails, a rescue captures everything, or other days."""
    now = datetime.now(UTC)
    whole(engine, now - 50 * HOUR, "cx/agent_states")
    [rescue] = rescues(engine.watch.look(now), now)
    request = rescue_request(rescue, now)
    assert request.tags["dagster/asset_partition_range_start"] == str((now - 51 * HOUR).date())
    assert request.tags["dagster/asset_partition_range_end"] == str(now.date())


def test_the_schedule_does_not_pile_up_after_a_downtime(tmp_path: Path) -> None:
    """If this fails, ticks that were missed make five runs of the same, and the live day waits for all of them."""
    with (
        dg.DagsterInstance.local_temp(str(tmp_path)) as instance,
        dg.build_schedule_context(instance, scheduled_execution_time=NOW) as context,
    ):
        request = every_quarter_hour(context)
        assert isinstance(request, dg.RunRequest)
        assert request.tags["dagster/asset_partition_range_start"] == "2026-11-17"
        instance.add_run(dg.DagsterRun(capture.name, status=dg.DagsterRunStatus.STARTED))
        assert isinstance(every_quarter_hour(context), dg.SkipReason)
