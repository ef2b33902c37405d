"""Volumes of days beside the same weekday before: a feed that delivers a part is seen, a weekend is none."""

from collections.abc import Mapping
from datetime import date, timedelta

import pytest

from tests.models.workbench import DAY, Workbench, clock

TABLE = "ops.day_volumes"
WEEK = timedelta(days=7)


def volumes(
    bench: Workbench, agents: Mapping[date, int], watched: Mapping[date, float] | None = None, hours: float = 8
) -> list[date]:
    """The days that the check is about, when so many agents worked on each, who were watched for a share of the day."""
    share = {day: (watched or {}).get(day, 1.0) for day in agents}
    midnight = {day: clock()["observed_until"] + (day - DAY - timedelta(days=1)) for day in agents}
    days = [{"source": "cx", "agent_id": str(n), "date": day, "staffed_seconds": (hours if day == DAY else 8) * 3600.0}
            for day, count in agents.items() for n in range(count)]  # fmt: skip
    coverage = [{"source": "cx", "feed": "agent_states", "date": day, "window_start": start, "status": "observed",
                 "window_end": start + timedelta(days=share[day])} for day, start in midnight.items()]  # fmt: skip
    rows = bench.run(TABLE, None, agg_agent_days=days, feed_coverage=coverage)
    bench.give(TABLE, rows)
    [check] = [check for check in bench.models[TABLE].checks if check.name == "not_collapsed"]
    return bench.query(check.sql).pick("date")


def weeks(today: int, *before: int) -> dict[date, int]:
    """Agents today and on the same weekday of the weeks before, the latest first."""
    return {DAY - n * WEEK: count for n, count in enumerate([today, *before])}


@pytest.mark.parametrize(
    ("today", "before", "found"),
    [
        (40, (100, 98, 102, 100), True),
        (0, (100, 98), True),
        (60, (100, 98, 102, 100), False),
        # One odd week before does not matter, one week alone says nothing, and three agents are no measure.
        (40, (100, 5, 98, 100), True),
        (40, (100,), False),
        (0, (3, 3, 3, 3), False),
    ],
)
def test_a_day_with_less_than_half_the_agents_of_its_weekday_is_seen(
    bench: Workbench, today: int, before: tuple[int, ...], *, found: bool
) -> None:
    """If this fails, a feed that delivers a part looks like a quiet day, or a quiet day like a broken feed."""
    assert volumes(bench, weeks(today, *before)) == ([DAY] if found else [])


def test_a_weekend_is_compared_with_weekends(bench: Workbench) -> None:
    """If this fails, every Sunday is an alarm."""
    working = {DAY - timedelta(days=n): 100 for n in range(1, 28) if n % 7}
    assert volumes(bench, working | weeks(10, 10, 11, 10)) == []


def test_fewer_hours_of_as_many_agents_are_seen_too(bench: Workbench) -> None:
    """If this fails, a feed that stops at ten in the morning passes, since everybody had signed in by then."""
    assert volumes(bench, weeks(100, 100, 100), hours=2) == [DAY]


def test_days_that_were_not_watched_whole_are_compared_with_nothing(bench: Workbench) -> None:
    """If this fails, each open day is an alarm until evening, or a day of outage is the measure of others."""
    assert volumes(bench, weeks(40, 100, 100), {DAY: 0.5}) == []
    assert volumes(bench, weeks(40, 30, 30, 100, 100), {DAY - WEEK: 0.3, DAY - 2 * WEEK: 0.3}) == [DAY]


def test_what_was_long_ago_is_no_alarm_any_more(bench: Workbench) -> None:
    """If this fails, last summer's outage is on the list for ever."""
    assert volumes(bench, weeks(100, 20, 100, 100)) == []
