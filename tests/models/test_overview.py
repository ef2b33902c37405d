"""What the overview asks the warehouse, over rows that a test gives."""

from collections.abc import Sequence

import pytest

from assets.reports.board import Board, read_board
from orchestration.settings import sql_dir
from tests.models.macros import Row, ask, quarter, told
from tests.models.workbench import Workbench, at, clock

NOW = at("10:05")


def asked(bench: Workbench, intervals: Sequence[Row], lacks: tuple[str, ...] = (), seen: str = "10:00") -> Board:
    """The overview at 10:05 UTC in Berlin, when the source was seen up to a time."""
    timeline = told("08:00", "09:30") + told("09:30", seen, "handling")
    ask(bench, "current_state_age(timestamptz 'epoch')", timeline=timeline, intervals=intervals, lacks=lacks)
    bench.give("ops.feed_clock", [{**clock(), "observed_until": at(seen)}])
    return read_board(bench.connection, sql_dir() / "reports", ["cx"], "Europe/Berlin", NOW)


def worked(start: str, handling: int, available: int | None, **fields: int) -> Row:
    """A quarter of an hour of Ann's, in seconds."""
    row = {**quarter(at(start), "ann", {"handling": handling * 10**6, "available": (available or 0) * 10**6})}
    if available is None:
        row |= {"handling_seconds": None, "available_seconds": None}
    return {**row, "wrap_up_seconds": None, "uncertainty_seconds": 0.0, **fields}


def test_the_state_is_that_at_the_last_instant_seen(bench: Workbench) -> None:
    """An agent whose source lags by minutes would be missing from the wall."""
    made = asked(bench, [])
    [agent] = made.agents
    assert (agent.agent_id, agent.agent_name, agent.team, agent.state) == ("ann", "Ann", "(no team)", "handling")
    assert (agent.since, agent.seconds) == (at("09:30"), 1800.0)
    [source] = made.sources
    assert (source.observed_until, source.is_stale(NOW)) == (at("10:00"), False)
    assert source.told == {"available", "handling", "wrap_up"}


def test_a_source_that_is_no_longer_captured_has_no_present(bench: Workbench) -> None:
    """Every retired source would be called stale for ever."""
    asked(bench, [worked("09:00", 600, 300)])
    made = read_board(bench.connection, sql_dir() / "reports", [], "Europe/Berlin", NOW)
    assert (made.agents, made.sources, made.day) == ([], [], {})


def test_the_week_before_counts_up_to_the_same_time(bench: Workbench) -> None:
    """Half a day set beside a whole one always looks quiet."""
    rows = [
        worked("09:00", 600, 300, transfers_out=2),
        worked("10:00", 900, 0, transfers_out=5),  # not yet whole today
        worked("-7d 09:45", 300, 600, transfers_out=1),
        worked("-7d 10:00", 900, 0, transfers_out=9),  # later than now
        worked("-1d 22:45", 900, 0, transfers_out=7),  # 23:45 in Berlin the day before
        worked("-1d 23:00", 0, 900, transfers_out=1),  # midnight in Berlin
    ]
    made = asked(bench, rows, seen="10:14")
    today, before = made.part("today"), made.part("last_week")
    assert today
    assert before
    assert today.occupancy == pytest.approx(600 / 1800)
    assert before.occupancy == pytest.approx(300 / 900)
    assert (today.transfers, before.transfers) == (3, 1)
    assert made.part("today", "cx", "(no team)") == made.part("today", "cx") == today
    hour = made.part("today", hour=10)
    assert hour
    assert hour.occupancy == pytest.approx(600 / 900)


def test_a_weekday_is_the_one_of_the_report_zone(bench: Workbench) -> None:
    """A week before is the same hour of the clock there, wherever the servers are."""
    made = asked(bench, [worked("09:00", 600, 300), worked("-7d 09:00", 900, 0)])
    assert made.part("last_week", hour=10)
    assert not made.part("last_week", hour=9)


def test_a_source_that_does_not_tell_is_on_neither_side(bench: Workbench) -> None:
    """Its waiting time alone would push the occupancy of all towards zero."""
    untold: list[Row] = [{**worked("09:15", 0, None), "agent_id": "bob", "observed_seconds": 900.0}]
    made = asked(bench, [worked("09:00", 600, 300), *untold])
    today = made.part("today")
    assert today
    assert today.occupancy == pytest.approx(600 / 900)
    alone = asked(bench, untold).part("today")
    assert alone
    assert alone.occupancy is None
