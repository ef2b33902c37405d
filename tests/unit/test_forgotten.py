"""What a vendor forgot matters to a day only where something of it is missing, and then in whole hours."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from orchestration.builds import Entry, Manifest
from orchestration.resources import Engine
from orchestration.settings import feed_rows
from tests.pipeline.site import day
from tests.pipeline.toy import filled, later
from tests.watching import BT, HOUR, MINUTE, NOW, home_with, watched

MIDNIGHT = NOW - 12 * HOUR


def before(engine: Engine) -> datetime | None:
    """What lies before this is lost, as it matters to the day."""
    [feed] = [row for row in feed_rows(engine.settings) if row["feed"] == "agent_states"]
    return engine.forgotten.before(feed, engine.lake.clock("cxengage", "agent_states", "cx"), NOW.date())


@pytest.mark.parametrize("hours", [36.5, 80.5, 300.0])
def test_a_day_that_was_fetched_whole_does_not_change_when_it_is_forgotten(tmp_path: Path, hours: float) -> None:
    """If this fails, each day is out of date three days later, and whoever looks each morning stops looking."""
    engine = home_with(tmp_path / "home")
    watched(engine, MIDNIGHT, MIDNIGHT + 24 * HOUR)
    assert before(engine) == MIDNIGHT
    end = MIDNIGHT + hours * HOUR
    watched(engine, end - MINUTE, end)
    assert before(engine) == MIDNIGHT


def test_of_a_day_with_a_gap_it_is_told_in_whole_hours(tmp_path: Path) -> None:
    """If this fails, what is lost goes on being called missing, or each minute builds the day anew."""
    engine = home_with(tmp_path / "home")
    watched(engine, MIDNIGHT, NOW)
    watched(engine, NOW + HOUR, MIDNIGHT + 24 * HOUR)
    told = []
    for hours in (60.0, 84.4, 84.9, 85.9, 200.0):
        end = MIDNIGHT + hours * HOUR
        watched(engine, end - MINUTE, end)
        told.append(before(engine))
    assert told == [MIDNIGHT, NOW, NOW, NOW + HOUR, MIDNIGHT + 24 * HOUR]


def test_what_only_exists_now_is_lost_at_once(tmp_path: Path) -> None:
    """If this fails, a gap in what was heard is said to be still there to be fetched."""
    engine = home_with(tmp_path / "home", BT, environ={"BT_ID": "x", "BT_SECRET": "y"})
    watched(engine, MIDNIGHT, NOW - 40 * MINUTE, name="bt/state")
    watched(engine, NOW - 10 * MINUTE, NOW - 5 * MINUTE, name="bt/state")
    [feed] = [row for row in feed_rows(engine.settings) if row["feed"] == "state"]
    clock = engine.lake.clock("beyondtrust", "state", "bt")
    assert engine.forgotten.before(feed, clock, NOW.date()) == NOW - 4 * MINUTE
    assert list(engine.forgotten.days([feed], 300 * HOUR)) == []


@pytest.mark.parametrize("table", ["ops.broken_chains", "ops.rejects"])
def test_what_was_fetched_and_proves_nothing_is_lost_likewise(tmp_path: Path, table: str) -> None:
    """If this fails, what a broken chain hides is called missing for ever."""
    engine = home_with(tmp_path / "home")
    watched(engine, MIDNIGHT, MIDNIGHT + 24 * HOUR)
    end = MIDNIGHT + 84.5 * HOUR
    watched(engine, end - MINUTE, end)
    assert before(engine) == MIDNIGHT
    folder = engine.builder.builds.folder(table, NOW.date())
    folder.mkdir(parents=True)
    (folder / "a").write_bytes(b"a row")
    engine.builder.builds.put(table, NOW.date(), Manifest((Entry("a", "a", 1, 1, "a"),), "", NOW, 0.0))
    assert before(engine) == NOW


def test_days_are_told_in_which_something_became_lost(tmp_path: Path) -> None:
    """If this fails, a loss is published only when something else of that day changes."""
    engine = home_with(tmp_path / "home")
    watched(engine, MIDNIGHT, NOW)
    watched(engine, NOW + HOUR, MIDNIGHT + 48 * HOUR)
    end = MIDNIGHT + timedelta(days=4, hours=2)
    watched(engine, end - MINUTE, end)
    feeds = feed_rows(engine.settings)
    assert list(engine.forgotten.days(feeds, HOUR)) == []
    assert list(engine.forgotten.days(feeds, 3 * HOUR)) == [NOW.date()]


def test_days_of_last_week_are_not_out_of_date(tmp_path: Path) -> None:
    """If this fails, the check that names days by an earlier definition names all that there are."""
    engine = filled(tmp_path / "home")
    assert engine.out_of_date_days() == []
    later(engine)
    assert set(engine.out_of_date_days()).isdisjoint({day(0), day(1)})
