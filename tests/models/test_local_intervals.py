"""Intervals in local time: any IANA zone, days on which the clocks change, and sums that stay whole."""

from datetime import datetime, timedelta
from typing import Any

import duckdb
import pytest

from tests.models.macros import Row, ask, quarters, stretch, told
from tests.models.workbench import Rows, Workbench, at

MINUTE = timedelta(minutes=1)


def local(
    bench: Workbench, grain: int, zone: str, start: str, end: str, timeline: list[Row] | None = None, **fields: Any
) -> Rows:
    """The intervals that start between two instants, when an agent was available all the time around them."""
    rows = timeline or list(stretch(moment(start) - timedelta(days=2), moment(end) + timedelta(days=2)))
    call = f"agent_intervals({grain}, '{zone}', timestamptz '{start}', timestamptz '{end}')"
    return ask(bench, call, intervals=[{**row, **fields} for row in quarters(rows)])


def moment(text: str) -> datetime:
    """An instant with its offset."""
    return datetime.fromisoformat(text)


def test_half_hours_of_a_state_are_split_at_their_edges(bench: Workbench) -> None:
    """05:23 to 06:15 in half hours is 7, 30 and 15 minutes; if this fails, greater grains count time twice or not."""
    rows = local(bench, 30, "UTC", "2026-11-03 00:00:00+00", "2026-11-04 00:00:00+00", told("05:23", "06:15"))
    assert rows.pick("interval_start", "available_seconds") == [("05:00", 420), ("05:30", 1800), ("06:00", 900)]


@pytest.mark.parametrize(
    ("zone", "start", "end", "count"),
    [
        ("Europe/Berlin", "2026-03-29 00:00:00+01:00", "2026-03-30 00:00:00+02:00", 92),
        ("Europe/Berlin", "2026-03-30 00:00:00+02:00", "2026-03-31 00:00:00+02:00", 96),
        ("Europe/Berlin", "2026-10-25 00:00:00+02:00", "2026-10-26 00:00:00+01:00", 100),
        ("America/New_York", "2026-11-01 00:00:00-04:00", "2026-11-02 00:00:00-05:00", 100),
        ("America/New_York", "2026-03-08 00:00:00-05:00", "2026-03-09 00:00:00-04:00", 92),
        ("Australia/Lord_Howe", "2026-04-05 00:00:00+11:00", "2026-04-06 00:00:00+10:30", 98),
        ("Australia/Lord_Howe", "2026-10-04 00:00:00+10:30", "2026-10-05 00:00:00+11:00", 94),
        ("Asia/Kathmandu", "2026-10-25 00:00:00+05:45", "2026-10-26 00:00:00+05:45", 96),
        # Clocks that change at midnight: the day begins at 01:00, or ends with an hour shown twice.
        ("America/Santiago", "2026-09-06 01:00:00-03:00", "2026-09-07 00:00:00-03:00", 92),
        ("America/Santiago", "2026-04-04 00:00:00-03:00", "2026-04-05 00:00:00-04:00", 100),
    ],
)
def test_a_local_day_has_as_many_quarters_as_its_clocks_show(
    bench: Workbench, zone: str, start: str, end: str, count: int
) -> None:
    """A day of 23 or 25 hours taken for 24 shifts every later figure by an hour."""
    [day] = local(bench, 1440, zone, start, end)
    assert (day["interval_start"], day["interval_end"]) == (moment(start), moment(end))
    assert day["available_seconds"] == day["observed_seconds"] == count * 900
    rows = local(bench, 15, zone, start, end)
    assert len(rows) == len(set(rows.pick("local_label"))) == count
    assert sum(rows.pick("available_seconds")) == day["available_seconds"]


def test_both_hours_that_the_clocks_show_twice_are_told_apart(bench: Workbench) -> None:
    """Two hours under one label would be added up to an hour of two hours."""
    rows = local(bench, 60, "Europe/Berlin", "2026-10-25 01:00:00+02:00", "2026-10-25 03:00:00+01:00")
    assert rows.pick("local_label") == ["2026-10-25T01:00+02:00", "2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00"]
    assert rows.pick("available_seconds") == [3600, 3600, 3600]


@pytest.mark.parametrize(
    ("zone", "label", "grain", "starts"),
    [
        ("Asia/Kolkata", "+05:30", 60, ["00:30", "01:30"]),
        ("Asia/Kathmandu", "+05:45", 60, ["00:15", "01:15"]),
        ("Asia/Kathmandu", "+05:45", 30, ["00:15", "00:45", "01:15", "01:45"]),
        ("America/St_Johns", "-03:30", 60, ["00:30", "01:30"]),
        ("UTC", "+00:00", 60, ["00:00", "01:00"]),
    ],
)
def test_hours_begin_when_the_local_clock_shows_a_full_one(
    bench: Workbench, zone: str, label: str, grain: int, starts: list[str]
) -> None:
    """A zone off by half or three quarters of an hour must not show hours from 02:15 to 03:15."""
    rows = local(bench, grain, zone, "2026-11-03 00:00:00+00", "2026-11-03 02:00:00+00")
    assert rows.pick("interval_start") == starts
    assert {row["interval_end"] - row["interval_start"] for row in rows} == {grain * MINUTE}
    assert {row["local_label"][-6:] for row in rows} == {label}
    assert {int(row["local_label"][14:16]) % grain for row in rows} == {0}


def test_a_change_amid_an_hour_parts_it(bench: Workbench) -> None:
    """Where clocks change by half an hour, an hour of 30 or 90 minutes would look like any other."""
    autumn = local(bench, 60, "Australia/Lord_Howe", "2026-04-05 01:00:00+11:00", "2026-04-05 03:00:00+10:30")
    spring = local(bench, 60, "Australia/Lord_Howe", "2026-10-04 01:00:00+10:30", "2026-10-04 04:00:00+11:00")
    assert [(row["local_label"][11:], row["available_seconds"]) for row in [*autumn, *spring]] == [
        ("01:00+11:00", 3600),
        ("01:30+10:30", 1800),
        ("02:00+10:30", 3600),
        ("01:00+10:30", 3600),
        ("02:30+11:00", 1800),
        ("03:00+11:00", 3600),
    ]


def test_intervals_are_shown_whole_and_by_consecutive_calls_once(bench: Workbench) -> None:
    """A first or last interval that is cut off looks like an agent who did little."""
    early = local(bench, 60, "UTC", "2026-11-03 00:10:00+00", "2026-11-03 02:00:00.000001+00")
    late = local(bench, 60, "UTC", "2026-11-03 02:00:00.000001+00", "2026-11-03 03:30:00+00")
    assert [rows.pick("interval_start") for rows in (early, late)] == [["01:00", "02:00"], ["03:00"]]
    assert {row["available_seconds"] for row in [*early, *late]} == {3600}


def test_a_sum_with_an_unknown_part_is_unknown(bench: Workbench) -> None:
    """A signal that is missing for a quarter would make the hour's figure too small, and look like less work."""
    timeline = told("08:00", "09:30", "handling")
    rows = [
        {**row, "wrap_up_seconds": None, "load_seconds": None if row["interval_start"] == at("08:15") else 900.0,
         "transfers_out": 1, "logins": 2} for row in quarters(timeline)
    ]  # fmt: skip
    call = "agent_intervals(60, 'UTC', timestamptz '2026-11-03 00:00:00+00', timestamptz '2026-11-04 00:00:00+00')"
    hours = ask(bench, call, intervals=rows)
    names = ("interval_start", "agent_name", "wrap_up_seconds", "load_seconds", "transfers_out", "logins")
    assert hours.pick(*names) == [("08:00", "Ann", None, None, 4, 8), ("09:00", "Ann", None, 1800.0, 2, 4)]


def test_figures_end_where_the_source_was_last_observed(bench: Workbench) -> None:
    """An hour that is still going on must not be padded with time that nobody saw."""
    rows = local(bench, 60, "UTC", "2026-11-03 08:00:00+00", "2026-11-03 10:00:00+00", told("08:00", "09:10:00.5"))
    assert rows.pick("interval_end", "observed_seconds") == [("09:00", 3600), ("10:00", 600.5)]


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kathmandu"])
def test_the_zone_of_the_session_changes_nothing(bench: Workbench, zone: str) -> None:
    """An analyst's machine in another zone would show other days."""
    span = ("2026-10-24 00:00:00+00", "2026-10-27 00:00:00+00")
    expected = local(bench, 1440, "Europe/Berlin", *span)
    bench.connection.execute(f"set timezone = '{zone}'")
    try:
        rows = local(bench, 1440, "Europe/Berlin", *span)
    finally:
        bench.connection.execute("set timezone = 'UTC'")
    names = ("interval_start", "interval_end", "local_label", "available_seconds")
    assert rows.pick(*names) == expected.pick(*names)
    assert len(rows) == 3


@pytest.mark.parametrize(
    ("grain", "zone", "message"),
    [
        ("45", "'UTC'", "grain_minutes is 15, 30, 60 or, for local days, 1440, not 45"),
        ("null", "'UTC'", "not NULL"),
        ("15", "null", "zone is NULL"),
        ("15", "'Nowhere/Land'", "Nowhere/Land"),
        ("15", "'GMT+01:07'", "GMT\\+01:07"),
    ],
)
def test_what_cannot_be_answered_is_an_error(bench: Workbench, grain: str, zone: str, message: str) -> None:
    """An empty or wrong answer would be taken for nobody at work."""
    start, end = "timestamptz '2026-11-03 00:00:00+00'", "timestamptz '2026-11-04 00:00:00+00'"
    with pytest.raises(duckdb.Error, match=message):
        ask(bench, f"agent_intervals({grain}, {zone}, {start}, {end})", intervals=quarters(told("08:00", "09:00")))


@pytest.mark.parametrize(("bound", "word"), [("timestamptz '-infinity'", "-infinity"), ("null", "NULL")])
@pytest.mark.parametrize("name", ["from_time", "to_time"])
def test_bounds_that_are_no_instants_are_an_error(bench: Workbench, name: str, bound: str, word: str) -> None:
    """If this fails, all of time has no intervals, and nobody says why."""
    sound = {"from_time": "timestamptz '2026-11-03 00:00:00+00'", "to_time": "timestamptz '2026-11-04 00:00:00+00'"}
    bounds = ", ".join({**sound, name: bound}.values())
    with pytest.raises(duckdb.Error, match=f"{name} is an instant, not {word}"):
        ask(bench, f"agent_intervals(15, 'UTC', {bounds})", intervals=quarters(told("08:00", "09:00")))
