"""One feed kept recorded, whatever locks, clocks and files do; and by one process where two cannot listen."""

import asyncio
import errno
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from assets.live import LiveError, Sink
from orchestration import recorder, standing
from orchestration.aside import unreadable
from orchestration.lake import Lake
from orchestration.lease import Lease
from orchestration.live_feed import Disk, LiveFeed
from orchestration.logs import gather_attempts
from orchestration.recorder import Keeper
from orchestration.standing import Standing, heard, tell
from tests.recording import (
    EVENTS,
    FAST,
    Talk,
    Toy,
    Vendor,
    attempts,
    ended,
    live_feed,
    now,
    page,
    payloads,
    pull_feed,
    saying,
    until,
)


def keeper(home: Path, client: Toy, *, alone: bool = False) -> Keeper:
    """A recorder of one feed."""
    feed = live_feed(home, client)
    return Keeper(feed, Lake(home / "lake"), home / "spool", feed.disk, FAST, alone=alone)


def clock_of(home: Path) -> Path:
    """Where the feed's clock stands."""
    return Lake(home / "lake").capture_dir("toy", "words", "one") / "clock.json"


async def chatter(sink: Sink) -> None:
    """Never stop talking."""
    sink.watching(now())
    while True:
        await sink.take(page(b"word"))
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("look", ["acquire", "is_wanted"])
def test_a_lock_that_cannot_be_looked_at_ends_no_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, look: str
) -> None:
    """If this fails, a moment without free file handles ends a feed for good, as taken over by nobody."""
    failing, whole = [True], getattr(Lease, look)

    def looked(lease: Lease) -> bool:
        if failing:
            raise OSError(errno.EMFILE, "Too many open files")
        return bool(whole(lease))

    async def run() -> list[Standing | None]:
        monkeypatch.setattr(Lease, look, looked)
        made = keeper(tmp_path, Toy(chatter))
        task = asyncio.create_task(made.run())
        await until(lambda: made.feed.is_watching and "cannot be known" in caplog.text)
        await asyncio.sleep(5 * FAST.look)
        found = [made.standing()]
        failing.clear()
        await until(lambda: made.lease.is_held)
        found.append(made.standing())
        await ended(task)
        return found

    meanwhile, after = asyncio.run(run())
    assert "taken over" not in caplog.text
    assert caplog.text.count("cannot be known") == 1
    # Who has the feed is known to be recording it; who cannot say so is told of.
    assert meanwhile is not None
    assert ("Too many open files" in str(meanwhile.trouble)) == (look == "acquire")
    assert after is not None
    assert after.trouble is None
    watched = [one for one in attempts(tmp_path) if one.status == "ok"]
    assert len(watched) == 1


def test_an_empty_clock_is_made_anew_from_the_log(tmp_path: Path) -> None:
    """If this fails, a file that a power cut emptied ends a feed, or what nobody recorded is not told as a gap."""

    async def run() -> None:
        made = keeper(tmp_path, Toy(saying(b"a")))
        task = asyncio.create_task(made.run())
        await until(lambda: made.feed.is_watching)
        await ended(task)

    asyncio.run(run())
    known = Lake(tmp_path / "lake").clock("toy", "words", "one")
    clock_of(tmp_path).write_bytes(b"")
    asyncio.run(run())
    assert payloads(tmp_path) == [b"a", b"a"]
    assert [one.status for one in attempts(tmp_path)] == ["ok", "failed", "ok"]
    assert attempts(tmp_path)[1].window_start == known.requested_until
    mended = Lake(tmp_path / "lake").clock("toy", "words", "one")
    assert mended.first_requested_at == known.first_requested_at
    assert mended.observed_until == attempts(tmp_path)[-1].window_end


def test_a_clock_that_cannot_be_read_keeps_nobody_from_listening(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """If this fails, what a vendor says now alone is not heard because of what was recorded before."""
    clock_of(tmp_path).mkdir(parents=True)

    async def run() -> None:
        made = keeper(tmp_path, Toy(saying(b"a")))
        task = asyncio.create_task(made.run())
        await until(lambda: made.feed.is_watching)
        await ended(task)

    asyncio.run(run())
    assert "not known" in caplog.text
    clock_of(tmp_path).rmdir()
    asyncio.run(run())
    assert payloads(tmp_path) == [b"a", b"a"]


def test_a_recording_that_fails_says_so_and_begins_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """If this fails, a defect ends a feed for good, and `shiftbook sources` shows it as well."""
    whole, failing = LiveFeed.run, [True]

    async def broken(self: LiveFeed, since: datetime | None = None) -> None:
        if failing:
            raise ZeroDivisionError("a secret?")
        await whole(self, since)

    async def run() -> None:
        monkeypatch.setattr(LiveFeed, "run", broken)
        made = keeper(tmp_path, Toy(saying(b"a")))
        task = asyncio.create_task(made.run())
        telling = asyncio.create_task(
            recorder._ever(lambda: recorder._tell({"one/words": made}, tmp_path, made.disk), 0.01)
        )
        wrong = "one/words: recording failed with ZeroDivisionError; see the log"
        await until(lambda: (said := heard(tmp_path, "one/words")) and said.trouble == wrong)
        failing.clear()
        await until(lambda: (said := heard(tmp_path, "one/words")) and said.observed_until)
        assert made.trouble is None
        await ended(telling)
        await ended(task)

    asyncio.run(run())
    assert "Traceback" in caplog.text
    assert "taken over" not in caplog.text
    assert payloads(tmp_path) == [b"a"]


def test_who_cannot_know_does_not_talk_over_who_records(tmp_path: Path) -> None:
    """If this fails, a second recorder that may not lock makes a feed that is recorded look lost."""
    tell(tmp_path, "one/words", Standing(now()))
    tell(tmp_path, "one/words", Standing(now(), trouble="no lock"), yields=True)
    said = heard(tmp_path, "one/words")
    assert said is not None
    assert said.trouble is None
    tell(tmp_path, "one/words", Standing(now() - 2 * standing._FRESH))
    tell(tmp_path, "one/words", Standing(now(), trouble="no lock"), yields=True)
    said = heard(tmp_path, "one/words")
    assert said is not None
    assert said.trouble == "no lock"


def test_a_spool_that_cannot_be_written_is_a_trouble(tmp_path: Path) -> None:
    """If this fails, a feed of which nothing is kept counts as recorded."""
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "toy").write_text("in the way")

    async def run() -> None:
        feed = live_feed(tmp_path, Toy(saying(b"a")))
        task = asyncio.create_task(feed.run())
        await until(lambda: feed.standing().trouble)
        assert feed.trouble == feed.standing().trouble
        assert "one/words: the spool cannot be written" in str(feed.trouble)
        (tmp_path / "spool" / "toy").unlink()
        await until(lambda: feed.standing().trouble is None and feed.standing().observed_until)
        await ended(task)

    asyncio.run(run())
    assert payloads(tmp_path) == [b"a"]


def test_a_damaged_log_keeps_no_other_feed_from_its_chores(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, one file that cannot be read ends what seals the spool of recorders that were killed."""
    asked: list[str] = []
    feeds = [pull_feed(tmp_path, Vendor()), pull_feed(tmp_path, Vendor(), feed=replace(EVENTS, name="others"))]
    today = datetime.now(UTC).date()
    damaged = Lake(tmp_path / "lake").capture_dir("toy", "events", "one") / f"date={today}" / "x-merged.parquet"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"PAR1")

    def gather(lake: Lake, vendor: str, feed: str, source: str, day: date) -> bool:
        asked.append(feed)
        return gather_attempts(lake, vendor, feed, source, day)

    monkeypatch.setattr(recorder, "gather_attempts", gather)

    async def run() -> None:
        rounds: list[int] = []

        async def tidied() -> None:
            rounds.append(1)
            await recorder._tidy(Lake(tmp_path / "lake"), tmp_path / "spool", Disk(), feeds)
            raise ZeroDivisionError

        task = asyncio.create_task(recorder._ever(tidied, 0.01))
        await until(lambda: len(rounds) > 1)
        await ended(task)

    asyncio.run(run())
    assert asked[:4] == ["events", "events", "others", "others"]
    assert [path.name for path in unreadable(tmp_path / "lake")] == [damaged.name]
    assert "ZeroDivisionError" in caplog.text


class Seat:
    """A vendor that lets one listen at a time, and refuses a second one."""

    def __init__(self) -> None:
        self.taken = False
        self.refused = 0

    def listening(self, word: bytes) -> Talk:
        """What one does who listens."""

        async def listen(sink: Sink) -> None:
            if self.taken:
                self.refused += 1
                raise LiveError("somebody is signed in there")
            self.taken = True
            try:
                await saying(word)(sink)
            finally:
                await asyncio.sleep(0.01)
                self.taken = False

        return listen


def test_where_one_alone_can_listen_the_first_ends_before_the_second_begins(tmp_path: Path) -> None:
    """If this fails, a newcomer waits for a seat that the first recorder never leaves, or both lose it."""
    seat = Seat()

    async def run() -> None:
        first = keeper(tmp_path, Toy(seat.listening(b"first")), alone=True)
        second = keeper(tmp_path, Toy(seat.listening(b"second")), alone=True)
        one = asyncio.create_task(first.run())
        await until(lambda: first.feed.is_watching)
        other = asyncio.create_task(second.run())
        await until(lambda: second.feed.is_watching)
        assert first.stands_by
        assert second.lease.is_held
        assert (first.trouble, second.trouble) == (None, None)
        await ended(other)
        await until(lambda: first.feed.is_watching and not first.stands_by)
        await ended(one)

    asyncio.run(run())
    assert seat.refused == 0
    assert payloads(tmp_path) == [b"first", b"second", b"first"]
    assert [one.status for one in attempts(tmp_path)] == ["ok", "failed", "ok", "failed", "ok"]
