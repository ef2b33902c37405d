"""One pull feed followed: windows join without holes, attempts are as capture logs them, and trouble is told once."""

import asyncio
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import pytest

from assets.http import PermanentError, TransientError
from assets.registry import VENDORS
from assets.threads import held_back
from assets.windows import day_start, plan
from orchestration.lake import Lake
from orchestration.pace import Pace
from orchestration.pull_feed import PullFeed
from tests.recording import EVENTS, FAST, Vendor, attempts, ended, now, payloads, pull_feed, until


async def followed(feed: PullFeed, vendor: Vendor, windows: int = 3, since: datetime | None = None) -> None:
    """Record until so many windows were asked for, and all came of it that comes of it; then stop."""
    whole = PullFeed._look

    async def look(one: PullFeed) -> tuple[str | None, bool, bool]:
        # One that is stopped while it asks leaves a reply without its attempt, which is another test's matter.
        return await (whole(one) if len(vendor.asked) < windows else asyncio.Future())

    with patch.object(PullFeed, "_look", look):
        task = asyncio.create_task(feed.run(since))
        await until(lambda: len(vendor.asked) >= windows and feed._asked_at is None)
        await feed.disk.write(lambda: None)
        await ended(task)
    feed.disk.close()


def test_windows_join_and_are_logged_as_capture_does(tmp_path: Path) -> None:
    """If this fails, the recorder leaves holes, or asks for what it has got."""
    vendor = Vendor(drift=timedelta(hours=-5))
    asyncio.run(followed(pull_feed(tmp_path, vendor), vendor, 3))
    found = [one for one in attempts(tmp_path, "events") if one.status == "ok"]
    assert len(found) >= 2
    assert all(before.window_end == after.window_start for before, after in pairwise(found))
    assert {one.records for one in found} == {1}
    assert all(one.segment and one.vendor_time for one in found)
    assert len(payloads(tmp_path, "events")) == len(found)
    clock = Lake(tmp_path / "lake").clock("toy", "events", "one")
    assert clock.observed_until == found[-1].window_end
    assert clock.drift_seconds == pytest.approx(-5 * 3600, abs=1)
    # On the vendor's clock, as far as it shows anything.
    assert abs(found[-1].window_end - (now() - timedelta(hours=5) - EVENTS.delay)) < timedelta(seconds=3)


def test_what_is_landed_counts_as_observed_at_once() -> None:
    """If this fails, what a vendor told lies on disk and is in no figure until the attempt is logged."""
    offers = [feed for offer in VENDORS.values() for feed in offer.feeds]
    cadences = [feed.cadence.total_seconds() for feed in offers if feed.cadence]
    assert len(cadences) >= 2
    assert Pace().log < min(cadences)


def test_what_was_recorded_is_not_planned_again(tmp_path: Path) -> None:
    """If this fails, each backfill asks again for all that the recorder has got."""
    vendor = Vendor()
    began = now() - timedelta(minutes=5)
    asyncio.run(followed(pull_feed(tmp_path, vendor), vendor, 1, since=began))
    lake, today = Lake(tmp_path / "lake"), now().date()
    reached = lake.clock("toy", "events", "one").observed_until
    assert reached
    kept = {day: lake.attempts("toy", "one", "events", day) for day in (began.date(), today)}
    left = plan(EVENTS, sorted(kept), reached + EVENTS.delay, kept, since=began)
    assert left == []


def test_it_goes_on_from_what_was_observed_at_most_a_window_back(tmp_path: Path) -> None:
    """If this fails, a restart leaves a hole, or a long outage keeps the recorder from the present."""
    vendor = Vendor()
    minutes_ago = now().replace(microsecond=0) - timedelta(minutes=3)
    asyncio.run(followed(pull_feed(tmp_path, vendor), vendor, 1, since=minutes_ago))
    assert vendor.asked[0].start in {minutes_ago, day_start(now().date())}
    vendor = Vendor()
    asyncio.run(followed(pull_feed(tmp_path / "b", vendor), vendor, 1, since=minutes_ago - timedelta(days=2)))
    assert vendor.asked[0].end - vendor.asked[0].start <= EVENTS.window


def test_nothing_before_the_first_day_is_asked_for(tmp_path: Path) -> None:
    """If this fails, `since:` of a source is not kept."""
    since = now().replace(microsecond=0) - timedelta(seconds=40)
    vendor = Vendor()
    feed = pull_feed(tmp_path, vendor, since=since)
    asyncio.run(followed(feed, vendor, 1, since=since - timedelta(minutes=5)))
    assert vendor.asked[0].start == since


def test_a_window_ends_at_midnight_and_the_next_follows_at_once(tmp_path: Path) -> None:
    """If this fails, the first minutes of each day count as not fetched."""
    clock = datetime(2026, 11, 4, 0, 0, 40, tzinfo=UTC)
    vendor = Vendor()
    vendor.clock = vendor.ours = lambda: clock
    slow = replace(EVENTS, cadence=timedelta(hours=1))
    feed = pull_feed(tmp_path, vendor, feed=slow)
    feed.now = lambda: clock
    asyncio.run(followed(feed, vendor, 2, since=clock - timedelta(minutes=2)))
    midnight = day_start(clock.date())
    assert [(w.start, w.end) for w in vendor.asked[:2]] == [
        (clock - timedelta(minutes=2), midnight),
        (midnight, clock - EVENTS.delay),
    ]


def test_a_quiet_stretch_is_one_window(tmp_path: Path) -> None:
    """If this fails, a quiet night is thousands of empty segments."""
    vendor = Vendor(records=0)
    asyncio.run(followed(pull_feed(tmp_path, vendor), vendor, 4))
    assert {window.start for window in vendor.asked[1:]} == {vendor.asked[0].end}
    assert len(payloads(tmp_path, "events")) == 1
    # Not for ever: what was observed must not lag behind for long.
    vendor = Vendor(records=0)
    hurried = replace(FAST, quiet=0.0)
    asyncio.run(followed(pull_feed(tmp_path / "b", vendor, hurried), vendor, 3))
    assert len(payloads(tmp_path / "b", "events")) >= 2


def test_trouble_is_told_once_and_its_end_at_once(tmp_path: Path) -> None:
    """If this fails, an outage is a row per try, or a mended feed is shown as sick."""
    vendor = Vendor()
    vendor.errors = [TransientError("one: no answer")] * 4 + [PermanentError("one: refused", 500)]
    feed = pull_feed(tmp_path, vendor, replace(FAST, lasting=0.01))
    asyncio.run(followed(feed, vendor, 6))
    told = sorted(attempts(tmp_path, "events"), key=lambda one: one.attempted_at)
    assert [one.error for one in told[:3]] == ["one: no answer", "one: refused", None]
    assert [one.status for one in told[:3]] == ["failed", "failed", "ok"]
    assert told[2].window_start == told[0].window_start
    assert feed.trouble is None


@pytest.mark.parametrize("hours", [-1, 1])
def test_when_our_clock_is_set_the_vendors_is_asked_for_anew(tmp_path: Path, hours: int) -> None:
    """If this fails, a clock set back an hour keeps a feed from being asked for an hour, and nothing says so."""
    vendor, passed, step = Vendor(), timedelta(0), timedelta(0)
    began = now()
    vendor.clock = lambda: began + passed
    feed = pull_feed(tmp_path, vendor, replace(FAST, jump=60.0))
    feed.now = vendor.ours = lambda: began + passed + step

    async def run() -> None:
        nonlocal passed, step
        for look in range(6):
            passed += timedelta(seconds=15)
            step = timedelta(hours=hours if look >= 3 else 0)
            assert await feed._look() == (None, False, False)

    asyncio.run(run())
    assert len(vendor.asked) == 6
    # Nor is the vendor asked for what it cannot have yet.
    assert all(window.end <= began + passed for window in vendor.asked)


def test_after_an_error_the_time_is_not_asked_for_anew(tmp_path: Path) -> None:
    """If this fails, each hiccup costs one more request, of an account that may have few, before the next window."""
    vendor, told = Vendor(drift=timedelta(hours=-5)), [0]

    def clock() -> datetime:
        told[0] += 1
        return now() - timedelta(hours=5)

    vendor.clock = clock
    vendor.errors = [TransientError("one: no answer"), PermanentError("one: refused", 400, now() + timedelta(hours=3))]
    feed = pull_feed(tmp_path, vendor, replace(FAST, lasting=0.01))
    asyncio.run(followed(feed, vendor, 3))
    # Once by itself, once with the only window that was answered.
    assert told[0] == 2
    ends = [window.end - (now() - EVENTS.delay) for window in vendor.asked]
    assert [round(end / timedelta(hours=1)) for end in ends] == [-5, -5, 3]


def test_trouble_that_stays_is_told_now_and_then(tmp_path: Path) -> None:
    """If this fails, an outage of a day is one row at its beginning."""
    vendor = Vendor()
    vendor.errors = [TransientError("one: no answer")] * 1000
    asyncio.run(followed(pull_feed(tmp_path, vendor, replace(FAST, tidy=0.01)), vendor, 6))
    assert len(attempts(tmp_path, "events")) > 2


@pytest.mark.parametrize("failing", ["connect", "clock", "before"])
def test_whatever_a_client_raises_the_recording_goes_on(tmp_path: Path, failing: str) -> None:
    """If this fails, a missing variable or a malformed answer ends the recording of a feed."""
    vendor = Vendor()
    feed = pull_feed(tmp_path, vendor)
    broken: PullFeed | Vendor = feed if failing == "connect" else vendor
    whole, failures = getattr(broken, failing), iter(range(2))

    def breaking() -> object:
        if next(failures, None) is not None:
            raise ValueError("no vendor says that")
        return whole()

    setattr(broken, failing, breaking)
    asyncio.run(followed(feed, vendor, 2))
    assert payloads(tmp_path, "events")


def test_a_vendor_that_does_not_tell_the_time_is_logged_as_failed(tmp_path: Path) -> None:
    """If this fails, a source that is down from the beginning leaves no trace."""
    vendor = Vendor()

    def silent() -> datetime:
        raise TransientError("one: no answer")

    async def run() -> None:
        vendor.clock = silent
        task = asyncio.create_task(pull_feed(tmp_path, vendor).run())
        await until(lambda: attempts(tmp_path, "events"))
        await ended(task)

    asyncio.run(run())
    assert [(one.status, one.error) for one in attempts(tmp_path, "events")] == [("failed", "one: no answer")]


def test_waiting_for_our_own_limit_is_no_silence_of_the_vendor(tmp_path: Path) -> None:
    """If this fails, a small max_requests_per_minute is told as a vendor that does not answer."""
    vendor, waits, turn, answer = Vendor(), threading.Event(), threading.Event(), threading.Event()
    feed = pull_feed(tmp_path, vendor, replace(FAST, silent=1e-9))

    def wait() -> None:
        with held_back.get()():
            waits.set()
            turn.wait(30)
        answer.wait(30)

    vendor.before = wait

    async def run() -> None:
        look = asyncio.create_task(feed._look())
        await until(waits.is_set)
        assert feed.standing().trouble is None
        turn.set()
        await until(lambda: feed.standing().trouble)
        assert "no answer for 0 s" in str(feed.standing().trouble)
        answer.set()
        assert await look == (None, False, False)

    asyncio.run(run())


def test_replies_that_do_not_agree_are_kept_and_asked_for_again(tmp_path: Path) -> None:
    """If this fails, what may be all that is left of a window is thrown away, or taken for whole."""
    vendor, answers = Vendor(), iter([True])
    vendor.after = lambda got: replace(got, status="unreadable", error="torn") if next(answers, False) else got
    asyncio.run(followed(pull_feed(tmp_path, vendor), vendor, 2))
    found = sorted(attempts(tmp_path, "events"), key=lambda one: one.attempted_at)
    assert [one.status for one in found[:2]] == ["unreadable", "ok"]
    assert found[0].segment
    assert found[1].window_start == found[0].window_start


def test_a_disk_that_is_full_between_log_and_clock_doubles_no_attempt(tmp_path: Path) -> None:
    """If this fails, each attempt stands twice in ops.capture_log after a full disk, and a check fails for ever."""
    vendor = Vendor()
    feed = pull_feed(tmp_path, vendor)
    full = OSError(28, "No space left on device")

    async def run() -> None:
        await feed._look()
        with patch.object(Lake, "heed", side_effect=full):
            await feed._log()
        await until(lambda: now() > vendor.asked[0].end + EVENTS.delay + timedelta(seconds=1))
        await feed._look()
        await feed._log()

    asyncio.run(run())
    found = attempts(tmp_path, "events")
    assert [one.window_start for one in found] == [window.start for window in vendor.asked]
    assert Lake(tmp_path / "lake").clock("toy", "events", "one").first_requested_at == vendor.asked[0].start


def test_one_that_hangs_holds_up_neither_others_nor_the_stop(tmp_path: Path) -> None:
    """If this fails, one vendor that never answers stops all of them."""
    gate = threading.Event()
    hanging, well = Vendor(), Vendor()
    hanging.before = lambda: gate.wait(30)

    async def run() -> float:
        tasks = [
            asyncio.create_task(pull_feed(tmp_path / name, vendor).run())
            for name, vendor in (*((f"h{n}", hanging) for n in range(20)), ("well", well))
        ]
        await until(lambda: len(well.asked) >= 3)
        began = time.monotonic()
        for task in tasks:
            await ended(task)
        return time.monotonic() - began

    assert asyncio.run(run()) < 5
    assert hanging.asked == []
    assert payloads(tmp_path / "well", "events")
    gate.set()
