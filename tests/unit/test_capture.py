"""Capture with a scripted vendor and a store in memory: what is landed, logged, told and raised, also in trouble."""

import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from assets.capture import CaptureError, CaptureResult, Fetched, Probe, capture
from assets.feeds import Feed
from assets.http import HttpError, PermanentError, TransientError
from assets.windows import Planned, Window, day_start
from orchestration.feed_clock import FeedClock
from orchestration.lake import Attempt, Page, Segment

FEED = Feed(
    name="states",
    client="",
    delay=timedelta(seconds=15),
    retention=timedelta(days=3),
    window=timedelta(minutes=10),
    recheck_after=timedelta(hours=1),
)
DAY = date(2026, 3, 4)
NOW = datetime(2026, 3, 4, 2, 0, 15, tzinfo=UTC)  # twelve whole windows of the day
DAY_ENDS = datetime(2026, 3, 4, 2, tzinfo=UTC)  # as far as anything is asked for
SILENCE = TransientError("cx: no answer")


@dataclass
class Vendor:
    """Answers each window with its start, unless told to fail."""

    now: datetime = NOW
    mute: HttpError | None = None
    failures: dict[int, Exception] = field(default_factory=dict)  # by minute of the day
    replies: dict[int, Fetched] = field(default_factory=dict)
    asked: list[Window] = field(default_factory=list)
    times_asked: int = 0
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def vendor_now(self) -> datetime:
        """The scripted time, or the scripted silence."""
        self.times_asked += 1
        if self.mute is not None:
            raise self.mute
        return self.now

    def fetch(self, window: Window) -> Fetched:
        """One page for each window."""
        with self.lock:
            self.asked.append(window)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            minute = window.start.hour * 60 + window.start.minute
            if minute in self.failures:
                raise self.failures[minute]
            return self.replies.get(minute) or fetched(str(window.start).encode(), self.now)
        finally:
            with self.lock:
                self.at_once -= 1

    def probe(self) -> Iterator[Probe]:
        """Not asked by capture."""
        return iter(())


def fetched(payload: bytes, vendor_time: datetime | None, **more: Any) -> Fetched:
    """A reply of one page."""
    page = Page(NOW, NOW, "GET /", 200, "application/json", payload)
    return replace(Fetched((page,), 1, vendor_time), **more)


@dataclass
class Memory:
    """A store that remembers the order of things."""

    events: list[str] = field(default_factory=list)
    segments: dict[str, Segment] = field(default_factory=dict)
    logged: list[Attempt] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    days_read: list[date] = field(default_factory=list)
    full: bool = False
    kept: timedelta | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def spared(self, segment: Segment, /) -> Segment:
        """Nobody is to be forgotten."""
        return segment

    def land(self, segment: Segment, /) -> bool:
        """Keep a segment, once."""
        if self.full:
            raise OSError(28, "No space left on device")
        with self.lock:
            new = segment.name not in self.segments
            self.segments[segment.name] = segment
            self.events.append(f"land {segment.name}")
        return new

    def log(self, vendor: str, attempts: Sequence[Attempt], delay: timedelta, /) -> None:
        """Keep attempts."""
        assert (vendor, delay) == ("acme", FEED.delay)
        self.batches.append(len(attempts))
        self.logged += attempts
        self.events += [f"log {attempt.segment}" for attempt in attempts]

    def attempts(self, vendor: str, source: str, feed: str, day: date, /) -> list[Attempt]:
        """What was logged of a day."""
        assert (vendor, source, feed) == ("acme", "cx", FEED.name)
        self.days_read.append(day)
        return [attempt for attempt in self.logged if attempt.window_start.date() == day]

    def note_kept(self, vendor: str, feed: str, source: str, kept: timedelta, /) -> None:
        """How far back the vendor has something."""
        assert (vendor, source, feed) == ("acme", "cx", FEED.name)
        self.kept = kept


def run(vendor: Vendor, memory: Memory, **more: Any) -> CaptureResult:
    """Capture the day."""
    arguments: dict[str, Any] = {"vendor": "acme", "source": "cx", "feed": FEED, "days": [DAY], "workers": 2} | more
    return capture(vendor, memory, **arguments)


@dataclass
class Telling(Vendor):
    """Says how far back it has something."""

    kept: timedelta | None = None

    def kept_since(self, now: datetime) -> datetime | None:
        """The scripted answer."""
        return now - self.kept if self.kept else None


@pytest.mark.parametrize(("kept", "planned"), [(timedelta(days=9), 144), (None, 0), (timedelta(hours=1), 0)])
def test_a_vendor_that_keeps_more_than_it_promises_is_asked_for_it(kept: timedelta | None, planned: int) -> None:
    """What can still be had would be given up."""
    memory = Memory()
    assert run(Telling(now=NOW + timedelta(days=4), kept=kept), memory).planned == planned
    assert memory.kept == kept


def test_a_first_capture_lands_and_logs_every_window() -> None:
    """Windows would be missing from the lake, or from the log that says what was observed."""
    memory = Memory()
    result = run(Vendor(), memory)
    assert (result.planned, result.landed, result.identical, result.failed) == (12, 12, 0, 0)
    assert result.touched_days == (DAY,)
    assert set(result.segments) == set(memory.segments) == {attempt.segment for attempt in memory.logged}
    first = min(memory.logged, key=lambda attempt: attempt.window_start)
    assert (first.source, first.feed, first.status, first.records, first.vendor_time) == ("cx", "states", "ok", 1, NOW)
    assert (first.window_start, first.window_end) == (
        datetime(2026, 3, 4, tzinfo=UTC),
        NOW.replace(hour=0, minute=10, second=0),
    )


def test_a_second_capture_asks_for_nothing() -> None:
    """Each run would fetch the whole day again."""
    memory, vendor = Memory(), Vendor()
    run(vendor, memory)
    again = run(Vendor(), memory)
    assert (again.planned, again.landed) == (0, 0)
    assert again == CaptureResult(0, 0, 0, 0)


def test_an_identical_reply_is_counted_apart() -> None:
    """A day would be rebuilt although nothing changed."""
    memory = Memory()
    run(Vendor(), memory)
    memory.logged.clear()
    result = run(Vendor(), memory)
    assert (result.landed, result.identical, result.touched_days, result.segments) == (0, 12, (), ())


def test_landing_comes_before_logging() -> None:
    """A killed run would leave a log that promises a segment that is not there."""
    memory = Memory()
    run(Vendor(), memory)
    for name in memory.segments:
        assert memory.events.index(f"land {name}") < memory.events.index(f"log {name}")


def test_attempts_are_logged_in_small_batches() -> None:
    """A killed backfill would begin anew, or each window cost a file of its own."""
    memory = Memory()
    run(Vendor(now=NOW + timedelta(hours=8)), memory)
    assert sum(memory.batches) == 60
    assert max(memory.batches) <= 17


def test_a_failed_window_does_not_stop_the_others() -> None:
    """One bad window would cost a whole day."""
    memory = Memory()
    refused = PermanentError("cx: refused 00:30", 400, NOW)
    result = run(Vendor(failures={30: refused, 50: SILENCE}), memory)
    assert (result.planned, result.landed, result.failed) == (12, 10, 2)
    assert set(result.errors) == {"cx: refused 00:30", "cx: no answer"}
    bad = {attempt.window_start.minute: attempt for attempt in memory.logged if attempt.status == "failed"}
    assert (bad[30].error, bad[30].vendor_time, bad[30].segment) == ("cx: refused 00:30", NOW, None)
    assert bad[50].vendor_time is None
    assert [window.start.minute for window in asked_again(memory)] == [30, 50]


def asked_again(memory: Memory) -> list[Window]:
    """What a later capture asks for."""
    vendor = Vendor()
    run(vendor, memory)
    return sorted(vendor.asked)


@pytest.mark.parametrize("status", ["unreadable", "failed"])
def test_a_reply_that_is_not_well_is_landed_and_asked_for_again(status: str) -> None:
    """The only copy of what a vendor sent would be thrown away, or pass for complete."""
    memory = Memory()
    odd = fetched(b"<html>", NOW, status=status, error="cx: not JSON", records=None)
    result = run(Vendor(replies={20: odd}), memory)
    assert (result.landed, result.failed, result.errors) == (12, 1, ("cx: not JSON",))
    kept = next(attempt for attempt in memory.logged if attempt.status == status)
    assert kept.segment in memory.segments
    assert [window.start.minute for window in asked_again(memory)] == [20]


def test_a_vendor_that_tells_no_time_is_observed_by_our_clock() -> None:
    """Nothing of a vendor without a Date would ever count as observed, and nothing of it be asked for again."""
    memory = Memory()
    torn = fetched(b"<html>", None, status="unreadable", error="cx: not JSON", records=None)
    timeless = {minute: fetched(str(minute).encode(), None) for minute in range(0, 110, 10)}
    run(Vendor(replies=timeless | {110: torn}), memory)
    *good, bad = sorted(memory.logged, key=lambda attempt: attempt.window_start)
    assert [attempt.vendor_time for attempt in good] == [attempt.attempted_at for attempt in good]
    assert bad.vendor_time is None
    assert FeedClock().after(memory.logged, FEED.delay).observed_until == good[-1].window_end


def test_open_and_closed_ids_reach_the_log() -> None:
    """A later plan would not know that a row may still change."""
    memory = Memory()
    run(Vendor(replies={20: fetched(b"x", NOW, open_ids=("a",), closed_ids=("b",))}), memory)
    ids = [(attempt.open_ids, attempt.closed_ids) for attempt in memory.logged if attempt.open_ids]
    assert ids == [(("a",), ("b",))]
    assert [window.start.minute for window in asked_again(memory)] == [20]


@pytest.mark.parametrize("status", [302, 401, 403, 404, None])
def test_a_refused_source_is_not_hammered(status: int | None) -> None:
    """A wrong password would be sent hundreds of times, until the account is locked."""
    memory = Memory()
    vendor = Vendor(failures=dict.fromkeys(range(0, 120, 10), PermanentError("cx: refused; check it", status)))
    with pytest.raises(CaptureError, match="check it") as caught:
        run(vendor, memory)
    assert len(vendor.asked) <= 4
    assert len(memory.logged) == len(vendor.asked) + 1
    assert max(attempt.window_end for attempt in memory.logged) == DAY_ENDS
    assert {attempt.status for attempt in memory.logged} == {"failed"}
    assert (caught.value.result.planned, caught.value.result.failed) == (12, 12)
    assert caught.value.result.errors == ("cx: refused; check it",)


def test_a_refusal_at_the_first_question_is_logged_and_raised() -> None:
    """A source with a wrong password would look as if nobody had tried."""
    memory, vendor = Memory(), Vendor(mute=PermanentError("cx: 401", 401))
    with pytest.raises(CaptureError, match="401"):
        run(vendor, memory, days=[datetime.now(UTC).date()])
    assert vendor.asked == []
    assert {attempt.error for attempt in memory.logged} <= {"cx: 401"}


def test_a_vendor_that_never_answers_gets_a_failed_attempt_a_day() -> None:
    """Coverage would not know that these windows were wanted and are missing, or each be a row in every run."""
    memory, vendor = Memory(), Vendor(mute=SILENCE)
    days = [datetime.now(UTC).date() - timedelta(days=n) for n in (2, 1)]
    result = run(vendor, memory, days=days, feed=replace(FEED, retention=timedelta(days=9)))
    assert (result.planned, result.failed, vendor.asked) == (288, 288, [])
    assert {(one.status, one.vendor_time, one.error) for one in memory.logged} == {("failed", None, "cx: no answer")}
    whole = [(day_start(day), day_start(day + timedelta(days=1))) for day in days]
    assert [(one.window_start, one.window_end) for one in memory.logged] == whole
    clock = FeedClock().after(memory.logged, FEED.delay)
    assert (clock.first_requested_at, clock.requested_until) == (whole[0][0], whole[-1][1])


def test_a_vendor_that_falls_silent_is_left_alone() -> None:
    """Each of hundreds of windows would wait for several time limits."""
    memory, vendor = Memory(), Vendor(failures=dict.fromkeys(range(0, 120, 10), SILENCE))

    def hang_up(item: Planned, attempt: Attempt) -> None:
        assert (item.window.start, attempt.status) == (attempt.window_start, "failed")
        vendor.mute = SILENCE

    result = run(vendor, memory, on_window=hang_up)
    assert len(vendor.asked) < 12
    assert (result.failed, len(memory.logged)) == (12, len(vendor.asked) + 1)
    assert max(attempt.window_end for attempt in memory.logged) == DAY_ENDS


def test_windows_that_a_living_vendor_chokes_on_do_not_stop_the_others() -> None:
    """The oldest windows, asked for first in each run, would keep all later ones from ever being fetched."""
    memory, vendor = Memory(), Vendor(failures=dict.fromkeys(range(0, 100, 10), SILENCE))
    result = run(vendor, memory)
    assert (result.landed, result.failed) == (2, 10)
    assert vendor.times_asked == 3


def test_no_more_windows_are_in_flight_than_workers() -> None:
    """A vendor would be asked for more at once than it was promised."""
    vendor = Vendor(now=NOW + timedelta(hours=4))
    run(vendor, Memory(), workers=3)
    assert 1 <= vendor.most_at_once <= 3


def test_a_full_disk_stops_the_run_but_not_the_log() -> None:
    """The run would go on fetching what it cannot keep, or end well with nothing kept."""
    memory = Memory(full=True)
    vendor = Vendor()
    with pytest.raises(OSError, match="No space"):
        run(vendor, memory)
    assert len(vendor.asked) < 12
    assert all(attempt.status != "ok" for attempt in memory.logged)


def test_what_was_done_before_a_crash_is_logged() -> None:
    """An error in one window would make the next run fetch all the others again."""
    memory = Memory()
    with pytest.raises(ZeroDivisionError):
        run(Vendor(failures={110: ZeroDivisionError()}), memory)
    assert len(memory.logged) >= 9


def test_days_before_are_read_as_far_as_the_vendor_keeps() -> None:
    """An open row of yesterday would be overlooked, or the log of a year be read in each run."""
    memory = Memory()
    run(Vendor(), memory, days=[DAY, DAY - timedelta(days=400)])
    assert memory.days_read == [DAY - timedelta(days=n) for n in (3, 2, 1, 0)]


def test_suspect_stretches_and_since_reach_the_plan() -> None:
    """Broken chains would stay broken, and days before the first wanted one be captured."""
    memory, vendor = Memory(), Vendor()
    run(vendor, memory, since=datetime(2026, 3, 4, 1, tzinfo=UTC))
    assert min(vendor.asked).start.hour == 1
    vendor.asked.clear()
    stretch = (datetime(2026, 3, 4, 1, 15, tzinfo=UTC), datetime(2026, 3, 4, 1, 16, tzinfo=UTC))
    run(vendor, memory, since=datetime(2026, 3, 4, 1, tzinfo=UTC), suspect=[stretch])
    assert [window.start.minute for window in vendor.asked] == [10]


def test_progress_and_failures_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """A person watching a backfill would see nothing until it is over."""
    seen: list[Planned] = []
    with caplog.at_level(logging.INFO):
        run(
            Vendor(failures={30: SILENCE}),
            Memory(),
            on_window=lambda item, _: seen.append(item),
            log=logging.getLogger("run"),
        )
    assert len(seen) == 12
    assert "cx: 12 windows of states to ask for" in caplog.text
    assert "cx: no answer" in caplog.text
