"""The recorder under load: a stream of messages and polls of many agents, on one core, with memory that stays flat.

A toy vendor says what a real one would, as often: 500 messages of a stream and 400 polls a second.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import TypeVar

from assets.capture import Probe
from assets.feeds import Feed
from assets.live import Sink
from benchmarks.measure import Bar
from orchestration.lake import Lake, Page
from orchestration.live_feed import Disk, LiveFeed
from orchestration.pace import Pace

MESSAGES, POLLS = 500, 400
AGENTS = 2_000
_TURN = 0.02
T = TypeVar("T")
_FEEDS = {
    name: Feed(name, "nowhere:Nobody", timedelta(0), timedelta(0), timedelta(minutes=10), timedelta(0), live=True)
    for name in ("stream", "polls")
}


class Said:
    """Says so much a second, evenly, whether or not anybody keeps up: what waits is said as soon as it can be."""

    def __init__(self, rate: int, payload: str, request: str) -> None:
        self.rate, self.payload, self.request = rate, payload, request
        self.said = 0
        self.behind = 0.0

    async def run(self, sink: Sink) -> None:
        """Talk until cancelled."""
        began, opened = time.monotonic(), datetime.now(UTC)
        sink.watching(opened)
        for number in count():
            due = began + number / self.rate
            if due - time.monotonic() > _TURN:
                await asyncio.sleep(_TURN)
            self.behind = max(self.behind, time.monotonic() - due)
            now = datetime.now(UTC)
            payload = self.payload % (number % AGENTS, number % 7)
            await sink.take(Page(opened, now, self.request % (number % AGENTS), 200, None, payload.encode()))
            self.said = number + 1

    def probe(self) -> Iterator[Probe]:
        """Nothing to look at."""
        return iter(())


class TimedDisk(Disk):
    """Knows how long the slowest write took, with its wait for others."""

    slowest = 0.0

    async def write(self, task: Callable[[], T]) -> T:
        """Do something short."""
        began = time.monotonic()
        done = await super().write(task)
        self.slowest = max(self.slowest, time.monotonic() - began)
        return done


def load(home: Path, seconds: float) -> dict[str, float]:
    """Record for so long; share of a core, memory in the first third and at its end in MB, delays in seconds."""
    stream = Said(MESSAGES, '{"op":"update","row":%d,"state":%d,"more":"' + "x" * 300 + '"}\n', "GET /nw#%d")
    polls = Said(POLLS, '{"retcode":"0","result":{"agent":%d,"agentState":%d}}', "GET /agents/%d/agentstatus")
    disk, pace = TimedDisk(), Pace(seal=max(2.0, seconds / 12))

    async def run() -> list[float]:
        tasks = []
        for name, client in (("stream", stream), ("polls", polls)):
            made = partial(_same, client)
            feed = LiveFeed("toy", "one", _FEEDS[name], made, Lake(home / "lake"), home / name, disk, pace)
            tasks.append(asyncio.create_task(feed.run()))
        sizes = []
        for _ in range(12):
            await asyncio.sleep(seconds / 12)
            sizes.append(_megabytes())
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        return sizes

    cpu, began = time.process_time(), time.monotonic()
    sizes = asyncio.run(run())
    busy = (time.process_time() - cpu) / (time.monotonic() - began)
    return {
        "share": busy,
        "said": (stream.said + polls.said) / seconds,
        "early": max(sizes[:4]),
        "late": max(sizes[-4:]),
        "behind": max(stream.behind, polls.behind),
        "written": disk.slowest,
    }


def _same(client: Said) -> Said:
    return client


def run(seconds: float) -> list[Bar]:
    """Measure in a process of its own, on one core, and print; the bars R1 to R4."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.recorder", folder, str(seconds)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    print(f"\nRecorder: {MESSAGES} messages and {POLLS} polls a second for {seconds:.0f} s on one core")
    for name, value in found.items():
        print(f"{name:10} {value:8.2f}")
    figures = {
        "R1": ("share of one core for 900 messages a second", found["share"], 0.5),
        "R2": ("memory in the last third / in the first", found["late"] / found["early"], 1.2),
        "R3": ("furthest that it fell behind the vendor, in seconds", found["behind"], 1.0),
        "R4": ("slowest group of messages to the disk, in seconds", found["written"], 1.0),
    }
    return [Bar(name, claim, value, value, limit) for name, (claim, value, limit) in figures.items()]


def _megabytes() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    os.sched_setaffinity(0, {0})
    print(json.dumps(load(Path(sys.argv[1]), float(sys.argv[2]))))
