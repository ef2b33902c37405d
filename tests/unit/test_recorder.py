"""The recorder as a whole: every feed of every source, each on its own, and one recorder after the other."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import count, pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import pytest

from assets import registry
from assets.config import SourceConfig
from assets.live import LiveError, Sink
from assets.registry import Vendor as Offer
from orchestration import recorder
from orchestration.lake import Lake
from orchestration.lease import Lease
from orchestration.live_feed import LiveFeed
from orchestration.recorder import Keeper, RecorderError, record
from orchestration.settings import Settings
from tests.pipeline.toy import engine_at
from tests.recording import (
    EVENTS,
    FAST,
    WORDS,
    Talk,
    Toy,
    Vendor,
    attempts,
    ended,
    failing,
    live_feed,
    now,
    page,
    payloads,
    pull_feed,
    saying,
    silence,
    until,
)


class ToyConfig(SourceConfig):
    """A source of the toy vendor."""

    vendor: Literal["toy"]


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], Toy | Vendor]:
    """Clients by source and feed; a vendor that has a live feed and a pull feed."""
    made: dict[tuple[str, str], Toy | Vendor] = {}
    offer = Offer("toy", ToyConfig, (WORDS, EVENTS, replace(EVENTS, name="archive", cadence=None)))
    monkeypatch.setattr("orchestration.settings.VENDORS", MappingProxyType({**registry.VENDORS, "toy": offer}))
    for name in ("connect", "connect_live"):
        monkeypatch.setattr(recorder, name, lambda source, feed: made[source.name, feed.name])
    return made


def settings(home: Path, *names: str) -> Settings:
    """Sources of the toy vendor."""
    sources = [ToyConfig(name=name, vendor="toy", base_url="http://127.0.0.1") for name in names]
    return Settings(home, home / "sources.yaml", sources=tuple(sources))


def test_every_feed_of_every_source_is_recorded(tmp_path: Path, clients: dict[tuple[str, str], Toy | Vendor]) -> None:
    """If this fails, a configured feed is not captured."""
    for name in ("one", "two"):
        clients[name, "words"] = Toy(saying(name.encode()))
        clients[name, "events"] = Vendor()
    found = asyncio.run(record(settings(tmp_path, "one", "two"), seconds=2, pace=FAST))
    assert found == dict.fromkeys(("one/words", "one/events", "two/words", "two/events"))
    assert sorted(payloads(tmp_path)) == [b"one", b"two"]
    assert payloads(tmp_path, "events", "one")
    assert payloads(tmp_path, "events", "two")


def test_one_that_is_down_hangs_or_sends_rubbish_does_not_touch_another(
    tmp_path: Path, clients: dict[tuple[str, str], Toy | Vendor]
) -> None:
    """If this fails, one vendor's outage costs the history of another."""
    unreadable = failing(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "rubbish"))
    talks: dict[str, tuple[Talk, ...]] = {
        "down": (failing(LiveError("refused")),),
        "hangs": (silence,),
        # At last it fails before it watches, or the end of the recording might find it between the two.
        "rubbish": (saying(os.urandom(100), then=unreadable), unreadable),
        "well": (saying(b"fine"),),
    }
    for name, talk in talks.items():
        clients[name, "words"] = Toy(*talk)
        clients[name, "events"] = vendor = Vendor()
        if name == "hangs":
            vendor.before = lambda: time.sleep(5)
    found = asyncio.run(record(settings(tmp_path, *talks), seconds=2, pace=FAST))
    assert {name for name, trouble in found.items() if not trouble} == {
        "well/words", "well/events", "down/events", "rubbish/events",
    }  # fmt: skip
    assert found["down/words"] == "refused"
    assert "UnicodeDecodeError" in str(found["rubbish/words"])
    assert payloads(tmp_path, "words", "well") == [b"fine"]
    assert len(payloads(tmp_path, "events", "well")) >= 1


def test_only_the_sources_asked_for(tmp_path: Path, clients: dict[tuple[str, str], Toy | Vendor]) -> None:
    """If this fails, --source records the others too, or a typing error records nothing and says nothing."""
    clients["two", "words"], clients["two", "events"] = Toy(saying(b"two")), Vendor()
    found = asyncio.run(record(settings(tmp_path, "one", "two"), ["two"], 0.1, FAST))
    assert {name.split("/")[0] for name in found} == {"two"}
    with pytest.raises(RecorderError, match=r"no enabled source tow .*there are: one, two"):
        asyncio.run(record(settings(tmp_path, "one", "two"), ["tow"], 0.1, FAST))
    with pytest.raises(RecorderError, match="no source is enabled"):
        asyncio.run(record(settings(tmp_path), (), 0.1, FAST))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly(
    tmp_path: Path, clients: dict[tuple[str, str], Toy | Vendor], number: signal.Signals
) -> None:
    """If this fails, a service manager's stop loses what was heard, or waits until it kills."""

    async def then_stop(sink: Sink) -> None:
        os.kill(os.getpid(), number)
        await silence(sink)

    clients["one", "words"], clients["one", "events"] = Toy(saying(b"last", then=then_stop)), Vendor()
    asyncio.run(asyncio.wait_for(record(settings(tmp_path, "one"), pace=FAST), 10))
    assert payloads(tmp_path) == [b"last"]


def test_what_a_killed_recorder_left_is_sealed_also_of_sources_that_are_gone(
    tmp_path: Path, clients: dict[tuple[str, str], Toy | Vendor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, what was heard before a crash stays unseen, or is never counted as observed."""

    async def die(source: str) -> None:
        feed = live_feed(tmp_path, Toy(saying(b"before")), source=source)
        task = asyncio.create_task(feed.run())
        await until(lambda: feed.is_watching)
        await ended(task)

    def killed(*_: object) -> None:
        raise OSError("there was no time to seal")

    with monkeypatch.context() as patch:
        patch.setattr("orchestration.live_feed.seal", killed)
        for name in ("one", "gone"):
            asyncio.run(die(name))
    assert payloads(tmp_path) == []
    clients["one", "words"], clients["one", "events"] = Toy(saying(b"after")), Vendor()
    asyncio.run(record(settings(tmp_path, "one"), seconds=0.5, pace=FAST))
    assert payloads(tmp_path, "words", "one") == [b"before", b"after"]
    assert payloads(tmp_path, "words", "gone") == [b"before"]
    found = attempts(tmp_path)
    assert all(before.window_end == after.window_start for before, after in pairwise(found))
    assert [one.status for one in found] == ["ok", "failed", "ok"]


def keeper(home: Path, said: Iterator[int], heard: list[bytes]) -> Keeper:
    """A recorder of one feed on which each word is said once, to all who listen."""

    async def listen(sink: Sink) -> None:
        sink.watching(now())
        at = 0
        while True:
            for word in heard[at:]:
                await sink.take(page(word))
            at = len(heard)
            await asyncio.sleep(0.003)
            heard.append(b"%05d" % next(said))

    feed = live_feed(home, Toy(listen))
    return Keeper(feed, Lake(home / "lake"), home / "spool", feed.disk, FAST)


def test_a_second_recorder_takes_over_without_a_hole(tmp_path: Path) -> None:
    """If this fails, an upgrade costs seconds of every live feed."""
    said, heard = count(), list[bytes]()

    async def run() -> None:
        first, second = (keeper(tmp_path, said, heard) for _ in range(2))
        one = asyncio.create_task(first.run())
        await until(lambda: first.lease.is_held and len(heard) > 20)
        other = asyncio.create_task(second.run())
        await until(lambda: second.lease.is_held and first.stands_by)
        # What the first one heard is in the lake by now.
        assert payloads(tmp_path)
        await asyncio.sleep(0.1)
        await ended(other)
        await until(lambda: first.lease.is_held and not first.stands_by)
        await asyncio.sleep(0.1)
        await ended(one)

    asyncio.run(run())
    assert sorted({*payloads(tmp_path)}) == sorted(heard[: len({*payloads(tmp_path)})])
    watched = [one for one in attempts(tmp_path) if one.status == "ok"]
    assert len(watched) == 3
    assert watched[0].window_end > watched[1].window_start
    # Who goes on after another one says since when nobody did.
    [gap] = [one for one in attempts(tmp_path) if one.status == "failed"]
    assert gap.window_start == watched[1].window_end
    assert gap.window_end == watched[2].window_start


def test_a_newcomer_that_cannot_listen_leaves_the_feed_where_it_is(tmp_path: Path) -> None:
    """If this fails, a recorder with a wrong password ends the recording of one with the right one."""
    said, heard = count(), list[bytes]()

    async def run() -> None:
        first = keeper(tmp_path, said, heard)
        bad = live_feed(tmp_path, Toy(failing(LiveError("refused"))))
        second = Keeper(bad, first.lake, first.spool, first.disk, FAST)
        tasks = [asyncio.create_task(first.run())]
        await until(lambda: first.lease.is_held)
        tasks.append(asyncio.create_task(second.run()))
        await asyncio.sleep(0.3)
        assert first.lease.is_held
        assert not first.stands_by
        for task in tasks:
            await ended(task)

    asyncio.run(run())


def test_a_pull_feed_changes_hands_too(tmp_path: Path) -> None:
    """If this fails, two recorders ask a vendor twice for ever."""

    async def run() -> None:
        feeds = [pull_feed(tmp_path, Vendor()) for _ in range(2)]
        first, second = (Keeper(feed, feed.lake, tmp_path / "spool", feed.disk, FAST) for feed in feeds)
        one = asyncio.create_task(first.run())
        await until(lambda: first.lease.is_held)
        other = asyncio.create_task(second.run())
        await until(lambda: second.lease.is_held and first.stands_by)
        assert first.trouble is None
        for task in (one, other):
            await ended(task)

    asyncio.run(run())


def test_three_recorders_settle_on_one(tmp_path: Path) -> None:
    """If this fails, recorders pass a feed around for ever."""
    said, heard = count(), list[bytes]()

    async def run() -> None:
        keepers = [keeper(tmp_path, said, heard) for _ in range(3)]
        tasks = []
        for one in keepers:
            tasks.append(asyncio.create_task(one.run()))
            await asyncio.sleep(0.02)
        await until(lambda: [(one.stands_by, one.lease.is_held) for one in keepers].count((True, False)) == 2)
        await until(lambda: any(one.lease.is_held for one in keepers))
        [holder] = [one for one in keepers if one.lease.is_held]
        await asyncio.sleep(0.3)
        assert holder.lease.is_held
        for task in tasks:
            await ended(task)

    asyncio.run(run())


def test_a_lease_is_one_processs_and_goes_with_it(tmp_path: Path) -> None:
    """If this fails, a recorder that was killed keeps its successor from recording."""
    first, second, third = (Lease(tmp_path, "x") for _ in range(3))
    assert first.acquire()
    assert first.acquire()
    assert not second.acquire()
    assert not first.is_wanted()
    second.ask()
    third.ask()
    assert first.is_wanted()
    assert not second.is_wanted()
    first.release()
    assert second.acquire()
    second.withdraw()
    assert not second.is_wanted()
    third.ask()
    assert second.is_wanted()
    holding = (
        "import sys, time; from pathlib import Path; from orchestration.lease import Lease; "
        "print(Lease(Path(sys.argv[1]), 'y').acquire(), flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", holding, str(tmp_path)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"True\n"
        assert not Lease(tmp_path, "y").acquire()
        other.kill()
    assert Lease(tmp_path, "y").acquire()


def test_a_recording_that_ends_by_a_defect_is_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """If this fails, a defect of ours ends the recording of a feed for good."""
    said, heard = count(), list[bytes]()
    made = keeper(tmp_path, said, heard)
    whole, failures = LiveFeed.run, iter([True])

    async def broken(self: LiveFeed, since: datetime | None = None) -> None:
        if next(failures, False):
            raise ZeroDivisionError
        await whole(self, since)

    async def run() -> None:
        monkeypatch.setattr(LiveFeed, "run", broken)
        task = asyncio.create_task(made.run())
        await until(lambda: made.feed.is_watching)
        await ended(task)

    asyncio.run(run())
    assert "ZeroDivisionError" in caplog.text


def test_the_command_says_what_cannot_be_recorded(tmp_path: Path) -> None:
    """If this fails, `record` runs on with nothing to do."""
    engine = engine_at(tmp_path / "home")
    with pytest.raises(RecorderError, match="no enabled source"):
        asyncio.run(record(engine.settings, ["cy"], 0))
