"""Planning of windows, rule by rule: what is asked for, why, how far, and in which order."""

import dataclasses
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from assets.feeds import Feed
from assets.windows import Planned, Suspect, Window, frozen_end, grid, plan, retention_edge, settled
from orchestration.lake import Attempt

FEED = Feed(
    name="agent_states",
    client="",
    delay=timedelta(seconds=15),
    retention=timedelta(days=3),
    window=timedelta(minutes=10),
    recheck_after=timedelta(hours=1),
)
DAY = date(2026, 3, 4)
BEFORE = date(2026, 3, 3)
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


QUARTERS = replace(FEED, delay=timedelta(minutes=10), window=timedelta(hours=1), mark=timedelta(minutes=15))


def at(hour: int, minute: int = 0, second: float = 0, day: date = DAY) -> datetime:
    """A time of the day that is wanted."""
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC) + timedelta(seconds=second)


def ok(
    start: datetime,
    end: datetime,
    seen: datetime,
    *,
    opened: Sequence[str] = (),
    closed: Sequence[str] = (),
    status: str = "ok",
) -> Attempt:
    """A reply to a window, given at a time of the vendor's."""
    return Attempt(
        "cx", FEED.name, start, end, seen, status, vendor_time=seen, open_ids=tuple(opened), closed_ids=tuple(closed)
    )


def whole_day(seen: datetime, until: datetime, day: date = DAY) -> list[Attempt]:
    """A reply to each window of a day before some time, all given at one time of the vendor's."""
    windows = [window.cut(window.start, until) for window in grid(day, FEED)]
    return [ok(window.start, window.end, seen) for window in windows if window is not None]


def planned(
    now: datetime, attempts: Sequence[Attempt], suspect: Suspect = (), since: datetime | None = None
) -> list[Planned]:
    """What is planned for the day, given replies of any day."""
    by_day: dict[date, list[Attempt]] = {}
    for attempt in attempts:
        by_day.setdefault(attempt.window_start.date(), []).append(attempt)
    return plan(FEED, [DAY], now, by_day, suspect, since)


def test_the_grid_is_aligned_to_the_day() -> None:
    """Windows of two runs would not be the same ones, and coverage would not tile."""
    windows = list(grid(DAY, FEED))
    assert len(windows) == 144
    assert (windows[0].start, windows[-1].end) == (at(0), at(0) + timedelta(days=1))
    assert all(left.end == right.start for left, right in pairwise(windows))


def test_a_grid_that_does_not_divide_the_day_ends_with_it() -> None:
    """A window would belong to two days."""
    odd = Feed("x", "", FEED.delay, FEED.retention, timedelta(hours=7), FEED.recheck_after)
    assert [window.start.hour for window in grid(DAY, odd)] == [0, 7, 14, 21]
    assert list(grid(DAY, odd))[-1].end == at(0) + timedelta(days=1)


def test_nothing_young_is_asked_for() -> None:
    """Data that can still change would be taken for final."""
    now = at(0, 17, 20.7)
    assert frozen_end(FEED, now) == at(0, 17, 5)
    assert planned(now, []) == [
        Planned(Window(at(0), at(0, 10)), "missing"),
        Planned(Window(at(0, 10), at(0, 17, 5)), "missing"),
    ]


def test_windows_of_a_feed_with_marks_end_on_them() -> None:
    """A vendor that wants quarters of an hour would refuse the newest and the oldest window."""
    now = at(1, 39, 59.9)
    assert (frozen_end(QUARTERS, now), frozen_end(QUARTERS, at(1, 40))) == (at(1, 15), at(1, 30))
    assert retention_edge(QUARTERS, at(0, 14) + timedelta(days=3)) == at(0, 15)
    assert retention_edge(QUARTERS, at(0, 14, 0.5) + timedelta(days=3)) == at(0, 30)
    assert plan(QUARTERS, [DAY], now, {}) == [
        Planned(Window(at(0), at(1)), "missing"),
        Planned(Window(at(1), at(1, 15)), "missing"),
    ]


def test_a_day_in_the_future_is_not_asked_for() -> None:
    """The vendor would refuse each window of it."""
    assert planned(at(23, day=BEFORE), []) == []


def test_what_is_about_to_expire_is_asked_for_in_part() -> None:
    """The vendor would refuse a window that it has half forgotten, and the other half would be lost."""
    now = at(0, 14, 0.5) + timedelta(days=3)
    assert retention_edge(FEED, now) == at(0, 15, 1)
    first = planned(now, [])[0]
    assert first == Planned(Window(at(0, 15, 1), at(0, 20)), "missing")


def test_a_day_that_the_vendor_forgot_is_not_asked_for() -> None:
    """Every backfill of last month would fail a hundred times a day."""
    assert planned(NOON + timedelta(days=4), []) == []


def test_nothing_before_since_is_asked_for() -> None:
    """History that must not be captured would be."""
    windows = planned(at(1), [], since=at(0, 35))
    assert windows[0] == Planned(Window(at(0, 35), at(0, 40)), "missing")
    assert len(windows) == 3


def test_a_day_fetched_late_enough_is_left_alone() -> None:
    """The same windows would be asked for again and again."""
    seen = at(2) + timedelta(days=1)
    assert planned(seen, whole_day(seen, seen)) == []


@pytest.mark.parametrize("status", ["failed", "unreadable"])
def test_a_reply_that_cannot_be_read_does_not_count(status: str) -> None:
    """A window would pass for observed though nobody could read what came."""
    attempts = [ok(at(0), at(0, 10), at(0, 11), status=status, opened=["a"])]
    assert planned(at(0, 10, 15), attempts) == [Planned(Window(at(0), at(0, 10)), "missing")]


def test_a_window_that_grew_is_unsettled() -> None:
    """The newest window would stop at where the first run cut it."""
    attempts = [ok(at(0), at(0, 4), at(0, 4, 15))]
    assert planned(at(0, 4, 15), attempts) == []
    assert planned(at(0, 4, 30), attempts) == [Planned(Window(at(0), at(0, 4, 15)), "unsettled")]


def test_a_reply_given_too_early_is_unsettled() -> None:
    """Rows that the vendor still held back would never be fetched."""
    attempts = [ok(at(0), at(0, 10), at(0, 10, 14))]
    assert planned(at(0, 11), attempts)[-1] == Planned(Window(at(0), at(0, 10)), "unsettled")


def test_without_a_vendors_time_ours_counts() -> None:
    """A vendor that sends no Date would be asked for everything for ever."""
    attempt = Attempt("cx", FEED.name, at(0), at(0, 10), at(0, 10, 15), "ok")
    assert planned(at(0, 10, 15), [attempt]) == []


def test_short_windows_of_the_recorder_tile_a_window() -> None:
    """Assets would fetch again all that the recorder captured."""
    tiles = [ok(at(0, 0, n), at(0, 0, n + 15), at(0, 0, n + 30)) for n in range(0, 600, 15)]
    assert planned(at(0, 10, 15), tiles) == []
    assert planned(at(0, 10, 15), tiles[:20] + tiles[21:]) == [Planned(Window(at(0), at(0, 10)), "unsettled")]


def test_a_tile_across_the_grid_counts_on_both_sides() -> None:
    """A recorder that does not keep to the grid would leave gaps that are none."""
    attempts = [ok(at(0), at(0, 7), at(0, 8)), ok(at(0, 7), at(0, 14), at(0, 15)), ok(at(0, 14), at(0, 20), at(0, 21))]
    assert planned(at(0, 20, 15), attempts) == []


def test_each_window_gets_one_more_look_after_an_hour() -> None:
    """Rows that arrive late would never be found."""
    attempts = [ok(at(0), at(0, 10), at(0, 11))]
    due = at(1, 10)
    assert planned(due - timedelta(seconds=1), attempts + whole_day(due, due)[1:]) == []
    assert planned(due, attempts + whole_day(due, due)[1:]) == [Planned(Window(at(0), at(0, 10)), "recheck")]
    attempts.append(ok(at(0), at(0, 10), due))
    assert planned(due, attempts + whole_day(due, due)[1:]) == []


def test_a_broken_chain_is_fetched_again() -> None:
    """A lost row that the vendor still has would stay lost."""
    attempts = whole_day(at(6), at(5))
    now = at(5, 0, 15)
    suspect = [(at(1, 5), at(1, 25)), (at(3), at(3))]
    assert [item.window.start for item in planned(now, attempts, suspect)] == [at(1), at(1, 10), at(1, 20), at(3)]
    assert {item.reason for item in planned(now, attempts, suspect)} == {"broken_chain"}


def test_a_window_with_an_open_row_is_fetched_until_it_closes() -> None:
    """An agent's state would seem to last for ever."""
    attempts = whole_day(at(6), at(5))
    attempts[3] = ok(at(0, 30), at(0, 40), at(6), opened=["a"])
    assert planned(at(5, 0, 15), attempts) == [Planned(Window(at(0, 30), at(0, 40)), "open")]
    attempts.append(ok(at(0, 30), at(0, 40), at(7)))
    assert planned(at(5, 0, 15), attempts) == []


def test_a_row_closed_in_a_later_window_is_closed() -> None:
    """Windows would be fetched for three days although the row's end is known."""
    attempts = whole_day(at(6), at(5))
    attempts[3] = ok(at(0, 30), at(0, 40), at(6), opened=["a"])
    attempts[9] = ok(at(1, 30), at(1, 40), at(6), closed=["a"])
    assert planned(at(5, 0, 15), attempts) == []


def test_one_window_of_several_with_the_same_open_row_is_enough() -> None:
    """A state of eight hours would cost 48 requests in each run."""
    attempts = whole_day(at(6), at(5))
    for n in (3, 4, 5):
        attempts[n] = ok(attempts[n].window_start, attempts[n].window_end, at(6), opened=["a"])
    assert planned(at(5, 0, 15), attempts) == [Planned(Window(at(0, 50), at(1)), "open")]
    assert planned(at(5, 0, 15), attempts[::-1]) == [Planned(Window(at(0, 50), at(1)), "open")]


def test_an_older_reply_does_not_reopen_a_row() -> None:
    """The order in which attempts were logged would decide."""
    attempts = whole_day(at(6), at(5))
    attempts.append(ok(at(0, 32), at(0, 33), at(0, 34), opened=["a"]))
    assert planned(at(5, 0, 15), attempts) == []


def test_a_part_fetched_later_does_not_hide_an_open_row_elsewhere() -> None:
    """The recorder's later tile would make us forget a row that began before it."""
    attempts = whole_day(at(5, 0, 15), at(5))
    attempts[3] = ok(at(0, 30), at(0, 40), at(5, 0, 15), opened=["a"])
    attempts.append(ok(at(0, 39), at(0, 40), at(6)))
    assert planned(at(5, 0, 15), attempts) == [Planned(Window(at(0, 30), at(0, 40)), "open")]


def test_windows_of_the_day_before_are_planned_for_open_rows_only() -> None:
    """A state that began before midnight would never end, or the whole day before be fetched as well."""
    yesterday = [ok(at(23, 30, day=BEFORE), at(23, 40, day=BEFORE), at(0), opened=["night"])]
    windows = planned(at(0, 10, 15), yesterday)
    assert windows == [
        Planned(Window(at(0), at(0, 10)), "missing"),
        Planned(Window(at(23, 30, day=BEFORE), at(23, 40, day=BEFORE)), "open"),
    ]


def test_an_open_row_beyond_retention_is_let_go() -> None:
    """A vendor would be asked for ever for what it forgot."""
    attempts = [ok(at(0), at(0, 10), at(1), opened=["a"])]
    assert planned(at(0, 10) + timedelta(days=3), attempts, since=at(23, 50)) == [
        Planned(Window(at(23, 50), at(0) + timedelta(days=1)), "missing")
    ]


def test_an_open_row_in_a_later_day_is_that_days_affair() -> None:
    """A backfill of yesterday would fetch today's windows."""
    today = [ok(at(10), at(10, 10), at(11), opened=["a"])]
    windows = plan(FEED, [BEFORE], NOON, {DAY: today})
    assert {item.window.start.date() for item in windows} == {BEFORE}


def test_the_order_is_missing_then_others_then_open() -> None:
    """What is closest to being lost would be fetched last, or open rows be confirmed before the newest data."""
    attempts = whole_day(at(0, 40), at(0, 40))
    attempts[0] = ok(at(0), at(0, 10), at(0, 40), opened=["a"])
    attempts[1] = ok(at(0, 10), at(0, 20), at(0, 20))
    del attempts[2]
    reasons = [(item.window.start.minute, item.reason) for item in planned(at(0, 50, 15), attempts)]
    assert reasons == [(20, "missing"), (40, "missing"), (10, "unsettled"), (30, "unsettled"), (0, "open")]


def test_a_day_is_settled_when_it_is_over_and_nothing_is_left() -> None:
    """A day would be compacted or reported as final while rows still arrive."""
    late = at(2) + timedelta(days=1)
    complete = {DAY: whole_day(late, late)}
    assert settled(FEED, DAY, late, complete)
    assert not settled(FEED, DAY, late, {})
    assert not settled(FEED, DAY, at(23), {DAY: whole_day(late, at(22, 59))})
    assert not settled(FEED, DAY, late, complete, suspect=[(at(3), at(4))])


def test_an_open_row_of_the_day_before_does_not_unsettle_a_day() -> None:
    """A day would wait for another day's row."""
    late = at(2) + timedelta(days=1)
    attempts = {
        DAY: whole_day(late, late),
        BEFORE: [ok(at(23, day=BEFORE), at(23, 10, day=BEFORE), at(0), opened=["a"])],
    }
    assert settled(FEED, DAY, late, attempts)


LATE = dataclasses.replace(FEED, retention=timedelta(days=1), window=timedelta(hours=1), last_window=timedelta(hours=6))


def test_a_last_look_is_taken_shortly_before_the_vendor_forgets() -> None:
    """If this fails, a rest that was written when it ended, eight hours later, is never known."""
    attempts = {DAY: [ok(window.start, window.end, window.end + timedelta(hours=3)) for window in grid(DAY, LATE)]}
    next_day = DAY + timedelta(days=1)
    early = at(4, 58, 59, next_day)
    assert [item.window.start.hour for item in plan(LATE, [DAY], at(22, 58, 59), attempts)] == []
    assert plan(LATE, [DAY], at(23), attempts) == [Planned(Window(at(0), at(6)), "recheck")]
    # A run that comes late asks for what is left.
    assert plan(LATE, [DAY], at(0, 30, day=next_day), attempts) == [Planned(Window(at(0, 31), at(6)), "recheck")]
    attempts[DAY].append(ok(at(0), at(6), at(23)))
    assert plan(LATE, [DAY], at(23), attempts) == plan(LATE, [DAY], early, attempts) == []
    assert plan(LATE, [DAY], at(5, 0, 0, next_day), attempts) == [Planned(Window(at(6), at(12)), "recheck")]
    since = at(7)
    assert plan(LATE, [DAY], at(5, day=next_day), attempts, since=since)[0].window == Window(since, at(12))


def test_what_is_first_asked_for_late_needs_no_last_look_after_it() -> None:
    """If this fails, a first capture asks a vendor for its day twice, run after run."""
    now = at(0, day=DAY + timedelta(days=1))
    attempts = {DAY: [ok(window.start, window.end, now) for window in grid(DAY, LATE)]}
    assert plan(LATE, [DAY], now, attempts) == []
