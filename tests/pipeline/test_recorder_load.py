"""As much as a large centre says, for a moment; how much of a core it takes is measured by ``benchmarks``."""

import asyncio
import tracemalloc
from dataclasses import replace
from pathlib import Path

from assets.live import Sink
from benchmarks.recorder import load
from tests.recording import FAST, Toy, attempts, ended, live_feed, now, page, silence

MEGABYTE = 1 << 20


def test_a_busy_centre_is_recorded_without_falling_behind(tmp_path: Path) -> None:
    """If this fails, messages are lost, kept twice, or pile up in memory while the recorder is busy with others."""
    found = load(tmp_path, 2.0, agents=200, seal=0.5)
    assert found["polls"] == found["polls_told"] > 200 * 4
    assert found["updates"] == found["copies"] == found["updates_told"] > 500 * 2
    assert not list(tmp_path.rglob("*.spool"))


def flooded(home: Path, megabytes: int) -> None:
    """Record so many messages of a kilobyte, as fast as they are taken."""

    async def run() -> None:
        said = asyncio.Event()

        async def flood(sink: Sink) -> None:
            sink.watching(now())
            for number in range(megabytes << 10):
                await sink.take(page(b"%1000d" % number))
            said.set()
            await silence(sink)

        pace = replace(FAST, queue_bytes=MEGABYTE // 4, seal_bytes=MEGABYTE, stall=60.0)
        task = asyncio.create_task(live_feed(home, Toy(flood), pace).run())
        await said.wait()
        await ended(task)

    asyncio.run(run())


def test_memory_does_not_grow_with_what_is_heard(tmp_path: Path) -> None:
    """If this fails, a recorder that runs for weeks holds what it has long written, until the system ends it."""
    flooded(tmp_path / "before", 2)  # imports and caches are made
    tracemalloc.start()
    try:
        flooded(tmp_path / "home", 16)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(one.records or 0 for one in attempts(tmp_path / "home")) == 16 << 10
    # One file of a megabyte while it is sealed, in its several shapes, and what waits for the disk.
    assert most < 8 * MEGABYTE
