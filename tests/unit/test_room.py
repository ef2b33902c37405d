"""Full disks: told in words that help, nothing half-written in sight, and on it goes when there is room."""

import asyncio
import errno
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from assets.live import Sink
from orchestration import cli
from orchestration.lake import Lake
from orchestration.live_feed import LiveFeed
from orchestration.room import DiskFullError, is_full, room
from tests.disk import MadeUpDisk, RealDisk, small_disk
from tests.recording import FAST, Toy, Vendor, attempts, ended, live_feed, now, page, payloads, pull_feed, until
from tests.unit.test_builder import DAY, STAGING, Shop

AnyDisk = RealDisk | MadeUpDisk
TIGHT = replace(FAST, queue_bytes=2000, stall=0.05)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[AnyDisk]:
    """A small one."""
    with small_disk(tmp_path / "disk") as made:
        yield made


def files(folder: Path) -> list[str]:
    """What is in sight below a folder, and what waits to be."""
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.name != "ballast"
    )


def test_a_full_disk_is_told_of_whoever_notices() -> None:
    """If this fails, one of four libraries tells it in its own words, and nobody knows what to do."""
    assert is_full(OSError(errno.ENOSPC, "No space left on device"))
    assert is_full(OSError(errno.EDQUOT, "Disk quota exceeded"))
    assert is_full(duckdb.IOException('Could not write file "x": No space left on device'))
    assert is_full(RuntimeError("(sqlite3.OperationalError) database or disk is full"))
    wrapped = RuntimeError("step failed")
    wrapped.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert is_full(wrapped)
    assert not is_full(OSError(errno.EACCES, "Permission denied"))
    assert not is_full(ValueError("1"))


def test_a_file_is_there_whole_or_not_at_all(disk: AnyDisk) -> None:
    """If this fails, a full disk leaves half a segment that every build trips over, or an error that helps nobody."""
    lake = Lake(disk.folder / "lake")
    path = lake.root / "raw" / "one.bin"
    lake.place(path, lambda temporary: temporary.write_bytes(b"before"))
    disk.fill()
    with pytest.raises(DiskFullError, match=r"the disk is full: file system /.*GiB free.*housekeeping"):
        lake.place(path, lambda temporary: temporary.write_bytes(b"x" * 500_000))
    assert path.read_bytes() == b"before"
    assert files(lake.root) == ["raw/one.bin"]
    disk.empty()
    lake.place(path, lambda temporary: temporary.write_bytes(b"after"))
    assert path.read_bytes() == b"after"
    assert room(lake.root)[0] > 0


def test_a_build_on_a_full_disk_changes_nothing_and_is_done_later(disk: AnyDisk) -> None:
    """If this fails, readers see half a build, or one that failed is never made up for."""
    shop = Shop(disk.folder)
    start = datetime(DAY.year, DAY.month, DAY.day, 8, tzinfo=UTC)
    shop.land(DAY, {"id": "a", "t": start})
    shop.build()
    before = files(shop.lake.root)
    shop.land(
        DAY, *({"id": f"b{number}" * 9, "t": start + timedelta(seconds=number)} for number in range(500)), source="b"
    )
    landed = sorted({*files(shop.lake.root)} - {*before})
    disk.fill()
    with pytest.raises(DiskFullError, match="make room"):
        shop.build()
    left = {name for name in files(shop.lake.root) if not name.startswith((".locks", ".cache"))}
    assert left <= {*before, *landed}
    assert shop.rows("marts.dim_ids") == [("a",)]
    disk.empty()
    shop.build()
    assert len(shop.rows("marts.dim_ids")) == 501
    assert shop.rows(STAGING) != []


def talking(heard: list[bytes], wait: float = 0.002) -> Toy:
    """A vendor that talks without end; what the recorder took in is noted."""

    async def talk(sink: Sink) -> None:
        sink.watching(now())
        while True:
            word = f"{len(heard):06}".encode() * 20
            await asyncio.sleep(wait)
            heard.append(word)
            await sink.take(page(word))

    return Toy(talk)


def test_a_recorder_outlives_a_full_disk_and_the_gap_is_told(disk: AnyDisk) -> None:
    """If this fails, a full disk ends the recording, loses messages, or time that nobody watched counts as watched."""
    heard: list[bytes] = []
    feed = live_feed(disk.folder, talking(heard), pace=TIGHT)
    times: list[datetime] = []

    async def run() -> None:
        task = asyncio.create_task(feed.run())
        await until(lambda: len(heard) > 20)
        disk.fill()
        await until(lambda: feed.trouble is not None and "the disk is full" in feed.trouble)
        await until(lambda: not feed._state.watching)  # what waits to be written has a limit
        times.append(now())
        told = len(heard)
        await asyncio.sleep(0.2)
        assert len(heard) == told  # nobody is connected only to be kept waiting
        times.append(now())
        disk.empty()
        await until(lambda: feed.trouble is None and len(heard) > told + 20)
        await ended(task)

    asyncio.run(run())
    assert payloads(disk.folder)[: len(heard)] == heard[: len(payloads(disk.folder))]
    assert len(payloads(disk.folder)) >= len(heard) - 1  # the last one may have been on its way
    gaps = [one for one in attempts(disk.folder) if one.status == "failed" and "the disk is full" in (one.error or "")]
    assert gaps
    # The time in which nobody listened is in gaps, and in nothing else.
    watched = [one for one in attempts(disk.folder) if one.status == "ok"]
    assert not [one for one in watched if one.window_start < times[1] and one.window_end > times[0]]


def test_a_recorder_can_be_stopped_while_the_disk_is_full(disk: AnyDisk, caplog: pytest.LogCaptureFixture) -> None:
    """If this fails, Ctrl-C hangs just when somebody wants to make room; or what is lost is not told."""
    heard: list[bytes] = []
    feed = live_feed(disk.folder, talking(heard), pace=TIGHT)

    async def run() -> float:
        task = asyncio.create_task(feed.run())
        await until(lambda: len(heard) > 20)
        disk.fill()
        await until(lambda: feed.trouble is not None)
        began = time.monotonic()
        await ended(task)
        return time.monotonic() - began

    assert asyncio.run(run()) < 5
    assert "bytes that were heard are lost" in caplog.text
    disk.empty()
    again = live_feed(disk.folder, talking(heard), pace=TIGHT)
    asyncio.run(stopped_soon(again))
    assert not [one for one in attempts(disk.folder) if one.status == "unreadable"]


async def stopped_soon(feed: LiveFeed) -> None:
    """Record for a moment."""
    task = asyncio.create_task(feed.run())
    await asyncio.sleep(0.1)
    await ended(task)


def test_a_pull_feed_says_so_and_asks_again(disk: AnyDisk) -> None:
    """If this fails, a window that could not be kept counts as fetched, or the cause stands only in a traceback."""
    vendor = Vendor()
    feed = pull_feed(disk.folder, vendor)

    async def run() -> None:
        task = asyncio.create_task(feed.run())
        await until(lambda: feed.trouble is None)
        disk.fill()
        await until(lambda: feed.trouble is not None and "the disk is full" in feed.trouble)
        disk.empty()
        await until(lambda: feed.trouble is None)
        await ended(task)

    asyncio.run(run())
    fetched = [one for one in attempts(disk.folder, "events") if one.status == "ok"]
    kept = {path.stem for path in disk.folder.rglob("raw/**/*.parquet")}
    assert len({one.segment for one in fetched} & kept) > 1
    assert {one.segment for one in fetched} <= kept


def test_a_command_says_it_without_a_traceback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """If this fails, who has to make room at night reads fifty lines of Python first."""

    def no_room(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cli, "settings_of", no_room)
    result = CliRunner().invoke(cli.main, ["--home", str(tmp_path), "doctor"])
    assert result.exit_code == 1
    assert "the disk is full" in result.stderr
    assert "Traceback" not in result.output
