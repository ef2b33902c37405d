"""Planning, whatever was tried before: nothing is forgotten, nothing is asked for twice, and every row ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from assets.feeds import Feed
from assets.windows import Planned, Window, frozen_end, grid, plan, retention_edge
from orchestration.lake import Attempt

FEED = Feed(
    name="agent_states",
    client="",
    delay=timedelta(seconds=15),
    retention=timedelta(hours=20),
    window=timedelta(minutes=60),
    recheck_after=timedelta(hours=3),
)
FIRST = date(2026, 3, 3)
DAYS = [FIRST, FIRST + timedelta(days=1)]
BEGIN = datetime(2026, 3, 3, tzinfo=UTC)
MINUTES = 48 * 60

unhurried = settings(deadline=None)  # a busy machine is no failure

minutes = st.integers(0, MINUTES)
moments = st.builds(lambda n, ms: BEGIN + timedelta(minutes=n, milliseconds=ms), minutes, st.integers(0, 59_999))


@st.composite
def attempts(draw: st.DrawFn) -> list[Attempt]:
    """Tries at windows of any length and place, readable or not, early or late."""
    tried = []
    for _ in range(draw(st.integers(0, 30))):
        start = BEGIN + timedelta(minutes=draw(minutes))
        end = start + timedelta(seconds=draw(st.sampled_from([15, 300, 3600])))
        seen = end + timedelta(seconds=draw(st.sampled_from([0, 14, 15, 60, 3600, 3 * 3600, 5 * 3600])))
        status = draw(st.sampled_from(["ok", "ok", "ok", "failed", "unreadable"]))
        tried.append(Attempt("cx", FEED.name, start, end, seen, status, vendor_time=seen))
    return tried


def by_day(tried: Sequence[Attempt]) -> dict[date, list[Attempt]]:
    """Attempts as the lake files them."""
    filed: dict[date, list[Attempt]] = {}
    for attempt in tried:
        filed.setdefault(attempt.window_start.date(), []).append(attempt)
    return filed


def answered(planned: Sequence[Planned], now: datetime) -> list[Attempt]:
    """Every planned window, fetched."""
    return [
        Attempt("cx", FEED.name, item.window.start, item.window.end, now, "ok", vendor_time=now) for item in planned
    ]


@unhurried
@given(tried=attempts(), now=moments)
def test_planned_windows_are_within_reach_and_apart(tried: list[Attempt], now: datetime) -> None:
    """The vendor would refuse a window, or send the same rows twice in one run."""
    windows = sorted(item.window for item in plan(FEED, DAYS, now, by_day(tried)))
    cells = [cell for day in DAYS for cell in grid(day, FEED)]
    for window in windows:
        assert retention_edge(FEED, now) <= window.start < window.end <= frozen_end(FEED, now)
        assert any(cell.contains(window) for cell in cells)
    assert all(left.end <= right.start for left, right in pairwise(windows))


@unhurried
@given(tried=attempts(), now=moments)
def test_every_instant_is_planned_or_was_seen_settled(tried: list[Attempt], now: datetime) -> None:
    """Some combination of tiles, cuts and failures would leave a gap for ever."""
    windows = [item.window for item in plan(FEED, DAYS, now, by_day(tried))]
    instant = max(BEGIN, retention_edge(FEED, now))
    while instant < min(frozen_end(FEED, now), BEGIN + timedelta(minutes=MINUTES)):
        seen = any(
            one.status == "ok"
            and one.window_start <= instant < one.window_end
            and one.vendor_time is not None
            and one.vendor_time >= instant + FEED.delay
            for one in tried
        )
        assert seen or any(window.start <= instant < window.end for window in windows)
        instant += timedelta(minutes=7)


@unhurried
@given(tried=attempts(), now=moments)
def test_a_plan_that_was_carried_out_leaves_nothing(tried: list[Attempt], now: datetime) -> None:
    """Windows would be fetched in every run although nothing about them can change."""
    done = tried + answered(plan(FEED, DAYS, now, by_day(tried)), now)
    assert plan(FEED, DAYS, now, by_day(done)) == []


@unhurried
@given(tried=attempts(), now=moments, order=st.randoms(use_true_random=False))
def test_the_order_of_the_log_does_not_matter(tried: list[Attempt], now: datetime, order: Random) -> None:
    """Two machines with the same log would fetch different windows."""
    shuffled = sorted(tried, key=lambda _: order.random())
    assert plan(FEED, DAYS, now, by_day(shuffled)) == plan(FEED, DAYS, now, by_day(tried))


@dataclass(frozen=True)
class Row:
    """A record of a vendor: from when until when, and its id."""

    row: str
    start: datetime
    end: datetime


def reply(rows: Sequence[Row], window: Window, now: datetime, *, overlap: bool) -> Attempt:
    """What a vendor shows of a window that picks rows by their start, or all that overlap it."""
    seen = now - FEED.delay
    shown = [
        row
        for row in rows
        if row.start < window.end
        and row.start <= seen
        and (row.start >= window.start or (overlap and row.end > window.start))
    ]
    opened = tuple(row.row for row in shown if row.end > seen)
    closed = tuple(row.row for row in shown if row.end <= seen and row.start < window.start)
    return Attempt(
        "cx", FEED.name, window.start, window.end, now, "ok", vendor_time=now, open_ids=opened, closed_ids=closed
    )


@settings(unhurried, max_examples=60)
@given(
    spans=st.lists(st.tuples(st.integers(0, 20 * 60), st.integers(1, 15 * 60)), min_size=1, max_size=8),
    steps=st.lists(st.integers(5, 9 * 60), min_size=1, max_size=8),
    overlap=st.booleans(),
)
def test_every_row_is_seen_closed_in_the_end(spans: list[tuple[int, int]], steps: list[int], *, overlap: bool) -> None:
    """A state would stay open in the lake although the vendor knows when it ended."""
    rows = [
        Row(f"row{n}", BEGIN + timedelta(minutes=start), BEGIN + timedelta(minutes=start + length))
        for n, (start, length) in enumerate(spans)
    ]
    tried: list[Attempt] = []
    closed: set[str] = set()
    now = BEGIN
    for step in [*steps, 30 * 60]:
        now = min(now + timedelta(minutes=step), BEGIN + timedelta(minutes=35 * 60))
        reachable = [row for row in rows if row.start >= retention_edge(FEED, now)]
        for item in plan(FEED, DAYS, now, by_day(tried)):
            tried.append(reply(rows, item.window, now, overlap=overlap))
            closed.update(
                row.row
                for row in rows
                if row.end <= now - FEED.delay and item.window.start <= row.start < item.window.end
            )
            closed.update(tried[-1].closed_ids)
    assert {row.row for row in reachable if row.end <= now - FEED.delay} <= closed


@given(seed=st.integers(1, 15 * 60))
def test_open_rows_are_asked_for_in_later_days_too(seed: int) -> None:
    """A state that ran over midnight would never be closed when only the next day is captured."""
    start = BEGIN + timedelta(hours=23)
    row = Row("night", start, start + timedelta(minutes=seed))
    first = reply([row], Window(start, start + FEED.window), start + timedelta(minutes=60, seconds=15), overlap=False)
    now = start + timedelta(hours=17)
    planned = plan(FEED, DAYS[1:], now, by_day([first]))
    expected = seed > 60
    assert any(item.window.start == start and item.reason == "open" for item in planned) == expected
