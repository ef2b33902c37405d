"""How feeds stand now: by logs alone, as ``shiftbook sources`` says, and without reading anything twice."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.health import feed_health
from orchestration.inputs import midnight
from orchestration.logs import merge_attempts
from orchestration.resources import Engine
from orchestration.watch import Stretch, Watch, gaps, joined, usual_lag
from tests.pipeline.toy import engine_at
from tests.watching import BT, CX, HOUR, MINUTE, NOW, home_with, look, recorded, watched

DAY = timedelta(days=1)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """A home without anything."""
    return home_with(tmp_path / "home")


def test_a_feed_is_fresh_late_and_stale_by_the_time_of_its_data(engine: Engine) -> None:
    """If this fails, a feed that stands still looks well, or one that is well does not."""
    watched(engine, NOW - 5 * HOUR, NOW)
    levels = [look(engine, NOW + n * MINUTE).level for n in (1, 15, 16, 60, 61)]
    assert levels == ["fresh", "fresh", "late", "late", "stale"]
    recorded(engine, "cx/agent_states", NOW + 3 * HOUR)
    again = look(engine, NOW + 3 * HOUR)
    assert (again.level, again.observed_until, again.recorder) == ("fresh", NOW + 3 * HOUR, "recording")


def test_a_backfill_of_the_past_makes_nothing_fresh(engine: Engine) -> None:
    """If this fails, fetching last week hides that today stands still."""
    watched(engine, NOW - 5 * HOUR, NOW - 3 * HOUR)
    watched(engine, NOW - 2 * DAY, NOW - 5 * HOUR, heard=NOW)
    assert look(engine).level == "stale"


def test_closed_hours_do_not_count(tmp_path: Path) -> None:
    """If this fails, a centre that opens on Monday has a stale feed each Sunday."""
    engine = home_with(tmp_path / "home", CX | {"open_hours": "Mon-Fri 07:00-21:00"}, report_timezone="Europe/Berlin")
    watched(engine, NOW, NOW + 8 * HOUR)  # 21:00 in Berlin
    assert look(engine, NOW + 2 * DAY).late < HOUR
    monday = NOW + 2 * DAY + 18 * HOUR  # 07:00 in Berlin
    assert look(engine, monday + 10 * MINUTE).level == "fresh"
    assert look(engine, monday + 62 * MINUTE).level == "stale"


def test_limits_are_the_sources_own(tmp_path: Path) -> None:
    """If this fails, what is written in sources.yaml changes nothing."""
    engine = home_with(tmp_path / "home", CX | {"freshness": {"warn_minutes": 2, "fail_minutes": 5}})
    watched(engine, NOW - HOUR, NOW)
    assert [look(engine, NOW + n * MINUTE).level for n in (2, 3, 6)] == ["fresh", "late", "stale"]


def test_each_feed_has_its_own_usual_lag(tmp_path: Path) -> None:
    """If this fails, feeds that are settled late are always late, or live ones never."""
    engine = home_with(tmp_path / "home", CX, BT)
    usual = {feed.name: usual_lag(feed.feed) for feed in engine.watch.look(NOW)}
    assert usual["cx/agent_states"] == timedelta(seconds=30)
    assert usual["bt/state"] == timedelta(0)
    assert usual["bt/archive"] == 40 * MINUTE


def test_what_was_never_captured_is_late_from_the_first_attempt_on(engine: Engine) -> None:
    """If this fails, a new source whose password is wrong is never told of, or at once."""
    first = look(engine)
    assert (first.level, first.observed_until, first.asked_since, first.missing) == ("fresh", None, None, ())
    watched(engine, NOW - HOUR, NOW, heard=NOW, error="401")
    assert look(engine, NOW + 10 * MINUTE).level == "fresh"
    later = look(engine, NOW + 2 * HOUR)
    assert (later.level, later.error) == ("stale", "401")
    watched(engine, NOW - HOUR, NOW, heard=NOW + HOUR)
    assert look(engine, NOW + 2 * HOUR).error is None


def test_holes_are_missing_while_the_vendor_has_them_and_lost_afterwards(engine: Engine) -> None:
    """If this fails, what can be saved is given up, or what is gone is promised."""
    watched(engine, NOW - 10 * HOUR, NOW - 9 * HOUR)
    watched(engine, NOW - 5 * HOUR, NOW)
    hole = Stretch(NOW - 9 * HOUR, NOW - 5 * HOUR)
    now = look(engine, NOW + MINUTE)
    assert now.missing[0] == hole
    assert now.to_loss is not None
    assert now.to_loss == 63 * HOUR - MINUTE
    assert now.lost == ()
    recorded(engine, "cx/agent_states", NOW + 65 * HOUR)
    half = look(engine, NOW + 65 * HOUR)
    assert half.lost == (Stretch(hole.start, NOW - 7 * HOUR + MINUTE),)
    assert half.missing[0] == Stretch(NOW - 7 * HOUR + MINUTE, hole.end)
    assert look(engine, NOW + 80 * HOUR).lost[0] == hole
    assert hole not in look(engine, NOW + 8 * DAY).lost


def test_what_the_vendor_said_that_it_keeps_longer_is_not_lost_yet(engine: Engine) -> None:
    """If this fails, days are given up that a vendor still has, because it was switched off for a while."""
    watched(engine, NOW - 10 * HOUR, NOW - 9 * HOUR)
    watched(engine, NOW - 5 * HOUR, NOW)
    engine.lake.note_kept("cxengage", "agent_states", "cx", 5 * DAY)
    later = look(engine, NOW + 80 * HOUR)
    assert later.lost == ()
    assert later.missing[0] == Stretch(NOW - 9 * HOUR, NOW - 5 * HOUR)
    assert later.to_loss == (5 * 24 - 89) * HOUR
    watched(engine, NOW, NOW + HOUR)
    engine.lake.note_kept("cxengage", "agent_states", "cx", HOUR)
    assert look(engine, NOW + 80 * HOUR).lost


def test_what_was_gone_before_anybody_asked_is_no_loss(engine: Engine) -> None:
    """If this fails, each new source begins with an alarm about days that nobody could have had."""
    engine.lake.request("cxengage", "agent_states", "cx", NOW - 20 * DAY)
    watched(engine, NOW - HOUR, NOW, heard=NOW)
    assert look(engine).lost == ()
    assert look(engine).missing[0].start == NOW - 3 * DAY + MINUTE
    [lost] = look(engine, NOW + HOUR).lost
    assert lost == Stretch(NOW - 3 * DAY + MINUTE, NOW - 3 * DAY + HOUR + MINUTE)


def test_gaps_of_a_live_feed_are_lost_at_once(tmp_path: Path) -> None:
    """If this fails, somebody waits for what nobody can fetch; or a connection that is awaited is called a loss."""
    engine = home_with(tmp_path / "home", BT)
    for start in (NOW - 5 * HOUR, NOW - 2 * HOUR):
        watched(engine, start, start + HOUR, heard=start + HOUR, name="bt/state")
    state = look(engine, name="bt/state")
    assert (state.lost, state.missing, state.unfetched) == ((Stretch(NOW - 4 * HOUR, NOW - 2 * HOUR),), (), ())


def test_what_the_vendor_has_from_before_is_fetched_too(engine: Engine) -> None:
    """If this fails, a new source is captured back to where the schedule looks, not to where the vendor does."""
    assert look(engine).unfetched == ()
    watched(engine, NOW - HOUR, NOW)
    assert look(engine).unfetched[0] == Stretch(NOW - 3 * DAY + MINUTE, NOW - HOUR)


def test_figures_are_those_of_the_sources_command(tmp_path: Path) -> None:
    """If this fails, alarms and ``shiftbook sources`` contradict each other."""
    engine, today = engine_at(tmp_path / "home"), midnight(NOW.date())
    edges = [(-30, -20, None), (-19, -12, None), (-12, -11, "503"), (-10, -3, None), (-3, -2, "hangs")]
    for start, end, error in edges:
        watched(engine, today + start * HOUR, today + end * HOUR, heard=today + end * HOUR + MINUTE, error=error)
    at = today - HOUR
    [told] = feed_health(engine, at)
    now = look(engine, at)
    assert now.observed_until == told["observed_until"]
    assert now.error == told["last_error"] == "hangs"
    missing = joined([*now.lost, *gaps((), now.missing[0].start, now.missing[0].end), *now.missing])
    asked = today - 2 * HOUR  # coverage ends with what was asked for
    seconds = sum((min(s.end, asked) - s.start).total_seconds() for s in missing if s.start < asked)
    assert seconds == told["gap_seconds_7d"]
    assert now.missing[0].start == today - 20 * HOUR


def test_nothing_is_read_twice(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, looking every minute costs as much as all that was ever logged."""
    read: list[Any] = []
    whole = pq.read_table

    def counting(path: Any, **options: Any) -> Any:
        read.append(path)
        return whole(path, **options)

    monkeypatch.setattr("orchestration.watch.pq.read_table", counting)
    for n in range(5):
        watched(engine, NOW + n * MINUTE, NOW + (n + 1) * MINUTE)
    before = look(engine)
    look(engine)
    assert len(read) == 5
    watched(engine, NOW + 5 * MINUTE, NOW + 6 * MINUTE)
    look(engine)
    assert len(read) == 6
    assert merge_attempts(engine.lake, "cxengage", "agent_states", "cx", NOW.date())
    assert look(engine).observed_until == NOW + 6 * MINUTE
    assert len(read) == 7
    fresh = Watch(engine.settings, engine.lake).look(NOW)[0]
    assert (fresh.missing, fresh.lost) == (look(engine).missing, look(engine).lost)
    assert before.observed_until == NOW + 5 * MINUTE


def test_sources_that_are_switched_off_are_not_watched(tmp_path: Path) -> None:
    """If this fails, a platform that was given up raises alarms for ever."""
    assert home_with(tmp_path / "home", CX | {"enabled": False}).watch.look(NOW) == []


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 10)), max_size=8), st.integers(0, 15), st.integers(0, 30))
def test_covered_and_uncovered_are_the_whole(parts: list[tuple[int, int]], start: int, length: int) -> None:
    """If this fails, time is neither observed nor missing, or both."""
    end = start + length
    covered = joined(Stretch(NOW + a * MINUTE, NOW + (a + b) * MINUTE) for a, b in parts)
    open_ = list(gaps(covered, NOW + start * MINUTE, NOW + end * MINUTE))

    def minutes(stretches: list[Stretch]) -> list[int]:
        return [n for s in stretches for n in range((s.start - NOW) // MINUTE, (s.end - NOW) // MINUTE)]

    held = {n for a, b in parts for n in range(a, a + b)}
    assert minutes(covered) == sorted(held)
    assert minutes(open_) == [n for n in range(start, end) if n not in held]
