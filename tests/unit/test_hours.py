"""Opening hours: read as written, and reckoned by the wall clock of their zone."""

from datetime import UTC, datetime, timedelta

import pytest
import pytz
from hypothesis import given
from hypothesis import strategies as st

from assets.hours import OpenHours, parse_hours

BERLIN = "Europe/Berlin"
WEEK = "Mon-Fri 07:00-21:00, Sat 08:00-14:00"


def at(text: str) -> datetime:
    """An instant, UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def hours(texts: str, start: str, end: str, zone: str = "UTC") -> float:
    """Open hours between two instants."""
    return parse_hours([texts]).within(at(start), at(end), zone) / timedelta(hours=1)


def test_nights_and_weekends_do_not_count() -> None:
    """If this fails, everybody is woken on Saturday night because nothing new came since noon."""
    assert hours(WEEK, "2026-11-20 12:00", "2026-11-20 13:30") == 1.5
    assert hours(WEEK, "2026-11-20 20:30", "2026-11-21 07:59") == 0.5
    assert hours(WEEK, "2026-11-20 20:30", "2026-11-23 07:15") == 0.5 + 6 + 0.25
    assert hours(WEEK, "2026-11-21 14:00", "2026-11-23 07:00") == 0
    assert hours("Sun 00:00-24:00", "2026-11-20 00:00", "2026-11-27 00:00") == 24


def test_hours_over_midnight_belong_to_the_day_they_begin_on() -> None:
    """If this fails, a night shift is closed after midnight, or open on the night after it."""
    assert hours("Fri-Fri 22:00-06:00", "2026-11-20 00:00", "2026-11-22 00:00") == 8
    assert hours("Fri 22:00-06:00", "2026-11-21 01:00", "2026-11-22 00:00") == 5
    assert hours("Sat-Mon 22:00-06:00", "2026-11-20 00:00", "2026-11-28 00:00") == 24


def test_the_wall_clock_of_the_zone_counts() -> None:
    """If this fails, hours are off by the zone, and by one more hour in half of the year."""
    assert hours("Fri 07:00-21:00", "2026-11-20 06:00", "2026-11-20 07:00", BERLIN) == 1
    assert hours("Fri 07:00-21:00", "2026-11-20 05:00", "2026-11-20 06:00", BERLIN) == 0
    # The night that clocks go back has an hour twice; the one that they go forward lacks one.
    assert hours("Sun 00:00-06:00", "2026-10-24 12:00", "2026-10-25 12:00", BERLIN) == 7
    assert hours("Sun 00:00-06:00", "2026-03-28 12:00", "2026-03-29 12:00", BERLIN) == 5
    assert hours("Sun 02:30-06:00", "2026-03-28 12:00", "2026-03-29 12:00", BERLIN) == 3.5


def test_ranges_that_overlap_count_once() -> None:
    """If this fails, a feed is called stale after half of its time."""
    assert hours("Mon-Sun 08:00-12:00; Fri 10:00-14:00", "2026-11-20 00:00", "2026-11-21 00:00") == 6
    assert parse_hours(["Fri 10:00-14:00", "Sat 1:00-2:00"]) == parse_hours(["Fri 10:00-14:00, sat 01:00-02:00"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "without the key it is always open"),
        ("07:00-21:00", "must be ranges such as"),
        ("Mon-Fri 7-21", "must be ranges such as"),
        ("Mon-Fri 07:00-21:00,", "must be ranges such as"),
        ("Mo-Fr 07:00-21:00", "must be ranges such as"),
        ("Mon-Fre 07:00-21:00", "unknown day of the week"),
        ("Mon 07:00-07:00", "must not end when it begins"),
        ("Mon 24:00-06:00", "must begin before 24:00"),
        ("Mon 07:61-09:00", "between 00:00 and 24:00"),
        ("Mon 07:00-24:30", "between 00:00 and 24:00"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, message: str) -> None:
    """If this fails, a slip of the pen silences alarms for good."""
    with pytest.raises(ValueError, match=message):
        parse_hours([text])


@given(st.integers(0, 14 * 96), st.integers(0, 3 * 96), st.integers(0, 3 * 96))
def test_parts_sum_up_and_agree_with_the_clock(start: int, first: int, second: int) -> None:
    """If this fails, being late depends on how often somebody looks."""
    zone, quarter = pytz.timezone(BERLIN), timedelta(minutes=15)
    begin = at("2026-10-19 00:00") + start * quarter
    middle, end = begin + first * quarter, begin + (first + second) * quarter
    found = parse_hours([WEEK])
    whole = found.within(begin, end, BERLIN)
    assert whole == found.within(begin, middle, BERLIN) + found.within(middle, end, BERLIN)

    def is_open(moment: datetime) -> bool:
        local = moment.astimezone(zone)
        day, hour = local.weekday(), local.hour
        return 7 <= hour < 21 if day < 5 else day == 5 and 8 <= hour < 14

    assert whole == sum((quarter for n in range(first + second) if is_open(begin + n * quarter)), timedelta(0))


def test_without_ranges_it_is_always_open() -> None:
    """If this fails, whoever declares nothing is told of nothing."""
    assert OpenHours().within(at("2026-11-20"), at("2026-11-23"), BERLIN) == timedelta(days=3)
    assert OpenHours().within(at("2026-11-23"), at("2026-11-20"), BERLIN) == timedelta(0)
