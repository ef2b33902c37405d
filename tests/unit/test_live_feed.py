"""One live feed: connected again and again, on disk before a second has passed, and sealed when it is time."""

import asyncio
import random
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from assets.live import LiveError, Sink
from orchestration.lake import Lake
from orchestration.live_feed import ABSENT, LiveFeed
from orchestration.pace import Pace
from orchestration.spool import SpoolFile, read
from orchestration.stretches import NOT_YET
from tests.recording import FAST, Toy, attempts, ended, failing, live_feed, now, page, payloads, saying, silence, until


def on_disk(home: Path) -> list[bytes]:
    """Messages in spool files that are still written."""
    files = [read(path.read_bytes()) for path in (home / "spool").rglob("*.spool")]
    return [event.payload for file in files for event in file.events if hasattr(event, "payload")]


async def recorded(feed: LiveFeed, seconds: float = 0.1, since: datetime | None = None) -> None:
    """Record for a while, then stop."""
    task = asyncio.create_task(feed.run(since))
    await asyncio.sleep(seconds)
    await ended(task)


def statuses(home: Path) -> list[tuple[str, str | None]]:
    """Status and error of each attempt."""
    return [(one.status, one.error) for one in attempts(home)]


def test_stopping_seals_what_was_heard(tmp_path: Path) -> None:
    """If this fails, a stop loses messages, or leaves them where no build sees them."""
    asyncio.run(recorded(live_feed(tmp_path, Toy(saying(b"a", b"b")))))
    assert payloads(tmp_path) == [b"a", b"b"]
    assert statuses(tmp_path) == [("ok", None)]
    assert not list((tmp_path / "spool").rglob("*.spool"))


def test_messages_are_on_disk_soon_and_sealed_later(tmp_path: Path) -> None:
    """If this fails, a power cut loses more than a second, or the lake fills with tiny segments."""

    async def run() -> None:
        task = asyncio.create_task(live_feed(tmp_path, Toy(saying(b"a"))).run())
        await until(lambda: on_disk(tmp_path) == [b"a"])
        assert payloads(tmp_path) == []
        await ended(task)

    asyncio.run(run())
    assert payloads(tmp_path) == [b"a"]


def test_a_connection_that_fails_is_made_again_and_the_gap_told_once(tmp_path: Path) -> None:
    """If this fails, an outage ends a recording, or fills the log with a row per try."""
    down = failing(LiveError("one: words: refused"))
    client = Toy(saying(b"a", then=down), down, down, down, saying(b"b"))

    async def run() -> None:
        task = asyncio.create_task(live_feed(tmp_path, client).run())
        await until(lambda: on_disk(tmp_path)[-1:] == [b"b"])
        await ended(task)

    asyncio.run(run())
    assert payloads(tmp_path) == [b"a", b"b"]
    assert client.runs == 5
    told = [error for status, error in statuses(tmp_path) if status == "failed"]
    assert set(told) == {"one: words: refused"}
    assert len(told) <= 3  # at most one per file that was sealed meanwhile
    found = attempts(tmp_path)
    assert all(before.window_end <= after.window_start for before, after in pairwise(found))


def test_a_sick_feed_is_in_the_log_before_its_file_is_full(tmp_path: Path) -> None:
    """If this fails, `shiftbook sources` shows a feed as well for minutes after it was lost."""
    client = Toy(saying(b"a", then=failing(LiveError("gone", lasting=True))))

    async def run() -> None:
        task = asyncio.create_task(live_feed(tmp_path, client).run())
        await until(lambda: ("failed", "gone") in statuses(tmp_path))
        await ended(task)

    asyncio.run(run())
    assert client.runs == 1  # somebody must mend it first


def test_what_the_client_says_of_the_loss_counts(tmp_path: Path) -> None:
    """If this fails, the gap begins later than the last moment that is sure, or is told twice in other words."""
    last = now()

    async def lose(sink: Sink) -> None:
        sink.watching(last - timedelta(seconds=9))
        await sink.take(page(b"a", last - timedelta(seconds=5)))
        sink.lost(last - timedelta(seconds=3), "silent")
        raise LiveError("closed", lasting=True)

    asyncio.run(recorded(live_feed(tmp_path, Toy(lose)), since=last - timedelta(seconds=9)))
    ok, failed = attempts(tmp_path)[:2]
    assert (ok.status, ok.window_end) == ("ok", last - timedelta(seconds=3))
    assert (failed.error, failed.window_start) == ("silent", last - timedelta(seconds=3))


@pytest.mark.parametrize("error", [ValueError("no vendor sends that"), LiveError("gone")])
def test_whatever_a_client_raises_the_recording_goes_on(tmp_path: Path, error: Exception) -> None:
    """If this fails, one malformed message ends the recording of a feed."""
    client = Toy(failing(error), saying(b"a"))
    asyncio.run(recorded(live_feed(tmp_path, client), 0.3))
    assert payloads(tmp_path) == [b"a"]


def test_a_client_that_found_its_feed_again_and_then_ended_is_not_watching(tmp_path: Path) -> None:
    """If this fails, a feed that once lost and found its vendor counts as watched long after it has ended."""

    async def again(sink: Sink) -> None:
        sink.lost(now(), "a hiccup")
        sink.watching(now())
        await sink.take(page(b"b"))
        raise LiveError("the end")

    feed = live_feed(tmp_path, Toy(saying(b"a", then=again), silence))
    asyncio.run(recorded(feed))
    assert feed.trouble == "the end"
    assert [status for status, _ in statuses(tmp_path)][-1] == "failed"
    assert ("failed", "the end") in statuses(tmp_path)


def test_a_client_that_cannot_be_made_or_ends_is_tried_again(tmp_path: Path) -> None:
    """If this fails, a missing variable or a client that returns ends the recorder."""

    async def returns(_: Sink) -> None:
        return

    client = Toy(returns, saying(b"a"))
    failures = iter([True])

    def connect() -> Toy:
        if next(failures, False):
            raise OSError("not yet")
        return client

    feed = live_feed(tmp_path, client)
    feed.connect = connect
    asyncio.run(recorded(feed, 0.4))
    assert payloads(tmp_path) == [b"a"]
    assert client.runs == 2


def test_time_without_a_recorder_is_a_gap_with_its_reason(tmp_path: Path) -> None:
    """If this fails, a night without a recorder looks like a quiet one."""
    since = now() - timedelta(seconds=30)
    asyncio.run(recorded(live_feed(tmp_path, Toy(saying(b"a"))), since=since))
    first = attempts(tmp_path)[0]
    assert (first.window_start, first.status, first.error) == (since, "failed", ABSENT)


def test_a_feed_that_never_answers_is_told(tmp_path: Path) -> None:
    """If this fails, a feed that hangs from the beginning is not listed as missing."""
    feed = live_feed(tmp_path, Toy(silence))
    asyncio.run(recorded(feed))
    assert statuses(tmp_path) == [("failed", NOT_YET)]
    assert feed.trouble == NOT_YET


def test_files_are_ended_by_size_and_join(tmp_path: Path) -> None:
    """If this fails, a busy feed fills memory when it is sealed, or has holes between its segments."""

    async def chatter(sink: Sink) -> None:
        sink.watching(now())
        for number in range(400):
            await sink.take(page(b"%04d" % number + b"x" * 100))
            await asyncio.sleep(0.001)
        await silence(sink)

    pace = replace(FAST, seal_bytes=10_000)
    asyncio.run(recorded(live_feed(tmp_path, Toy(chatter), pace), 1.5))
    found = attempts(tmp_path)
    assert len(found) > 2
    assert {one.status for one in found} == {"ok"}
    assert all(a.window_end == b.window_start for a, b in pairwise(found))
    assert payloads(tmp_path) == sorted(payloads(tmp_path))
    assert len(payloads(tmp_path)) == 400


def test_files_are_ended_by_age_and_at_midnight(tmp_path: Path) -> None:
    """If this fails, a quiet feed is not built for hours, or a day is not complete when it is over."""
    clock = [datetime(2026, 11, 3, 23, 59, 58, tzinfo=UTC)]

    async def over_midnight(sink: Sink) -> None:
        sink.watching(clock[0])
        await sink.take(page(b"before", clock[0]))
        await asyncio.sleep(0.05)
        clock[0] += timedelta(seconds=5)
        await sink.take(page(b"after", clock[0]))
        await silence(sink)

    async def run() -> None:
        feed = live_feed(tmp_path, Toy(over_midnight))
        feed.now = lambda: clock[0]
        task = asyncio.create_task(feed.run())
        await until(lambda: len(payloads(tmp_path)) == 2)
        await ended(task)

    asyncio.run(run())
    ends = [(str(one.window_start)[:19], str(one.window_end)[:19]) for one in attempts(tmp_path)]
    assert ends == [
        ("2026-11-03 23:59:58", "2026-11-04 00:00:00"),
        ("2026-11-04 00:00:00", "2026-11-04 00:00:03"),
    ]
    aged = live_feed(tmp_path / "aged", Toy(saying(b"a")), replace(FAST, seal=0.05))
    asyncio.run(recorded(aged, 0.3))
    assert payloads(tmp_path / "aged") == [b"a"]


def test_a_slow_disk_makes_the_client_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, a disk that is slower than the vendor fills the memory."""
    gate, whole, most = threading.Event(), SpoolFile.append, [0]

    def slow(self: SpoolFile, data: bytes) -> None:
        if b"said" in data:
            assert gate.wait(20)
        whole(self, data)

    async def flood(sink: Sink) -> None:
        sink.watching(now())
        for number in range(1000):
            await sink.take(page(b"x" * 1000))
            most[0] = number
        await silence(sink)

    async def run() -> None:
        task = asyncio.create_task(live_feed(tmp_path, Toy(flood), replace(FAST, queue_bytes=100_000)).run())
        await asyncio.sleep(0.3)
        assert 50 < most[0] < 300
        gate.set()
        await until(lambda: most[0] == 999)
        await ended(task)

    monkeypatch.setattr(SpoolFile, "append", slow)
    asyncio.run(run())
    assert len(payloads(tmp_path)) == 1000


def test_a_disk_that_is_full_for_a_while_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """If this fails, a full disk ends the recording, or punches holes into it."""
    whole, failures = SpoolFile.append, iter(range(5))

    def full(self: SpoolFile, data: bytes) -> None:
        if next(failures, None) is not None:
            raise OSError(28, "No space left on device")
        whole(self, data)

    monkeypatch.setattr(SpoolFile, "append", full)
    asyncio.run(recorded(live_feed(tmp_path, Toy(saying(b"a", b"b"))), 0.6))
    assert payloads(tmp_path) == [b"a", b"b"]
    assert caplog.text.count("cannot be written") < 5


def test_what_cannot_be_sealed_waits_in_the_spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, a segment that cannot be written is lost, or ends the recording."""

    def broken(*_: object) -> None:
        raise OSError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(Lake, "land", broken)
        asyncio.run(recorded(live_feed(tmp_path, Toy(saying(b"a")))))
    assert on_disk(tmp_path) == [b"a"]


def test_a_client_that_does_not_end_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    """If this fails, one vendor's client keeps the whole recorder from ending."""

    async def stubborn(sink: Sink) -> None:
        sink.watching(now())
        await sink.take(page(b"a"))
        until_when = asyncio.get_running_loop().time() + 3
        while asyncio.get_running_loop().time() < until_when:
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                continue

    async def run() -> float:
        started = asyncio.get_running_loop().time()
        await recorded(live_feed(tmp_path, Toy(stubborn)))
        return asyncio.get_running_loop().time() - started

    assert asyncio.run(run()) < 2.5
    assert payloads(tmp_path) == [b"a"]


def test_waits_grow_to_a_limit_and_are_never_in_step() -> None:
    """If this fails, a vendor that is down is hammered, or all feeds come back in the same moment."""
    pace, chance = Pace(), random.Random(1)
    waits = [[pace.wait(n, lasting=False, chance=chance) for _ in range(50)] for n in (1, 3, 10, 10_000)]
    assert [max(some) <= limit for some, limit in zip(waits, (1, 4, 60, 60), strict=True)] == [True] * 4
    assert all(min(some) >= limit / 2 for some, limit in zip(waits, (1, 4, 60, 60), strict=True))
    assert len({round(wait, 3) for wait in waits[2]}) > 40
    assert 150 <= pace.wait(1, lasting=True, chance=chance) <= 300


def test_time_that_the_machine_slept_was_not_watched(tmp_path: Path) -> None:
    """If this fails, a suspended laptop or a paused machine claims to have watched all along."""
    asleep = [timedelta(0)]

    async def doze(sink: Sink) -> None:
        sink.watching(now())
        await sink.take(page(b"before"))
        await asyncio.sleep(0.05)
        asleep[0] = timedelta(hours=2)
        await sink.take(page(b"stale", now() + asleep[0]))
        await silence(sink)

    async def wake(sink: Sink) -> None:
        sink.watching(now() + asleep[0])
        await sink.take(page(b"after", now() + asleep[0]))
        await silence(sink)

    feed = live_feed(tmp_path, Toy(doze, wake))
    feed.now = lambda: now() + asleep[0]
    asyncio.run(recorded(feed, 0.5))
    assert payloads(tmp_path) == [b"before", b"stale", b"after"]
    watched = [one for one in attempts(tmp_path) if one.status == "ok"]
    assert len(watched) == 2
    assert watched[1].window_start - watched[0].window_end > timedelta(hours=1, minutes=59)
    assert any("slept" in (one.error or "") for one in attempts(tmp_path))
