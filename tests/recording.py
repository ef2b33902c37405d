"""Feeds that nobody serves, and clients that say what a test has them say: what the tests of recording are made of.

No expectations here; those belong in the tests.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from assets.capture import Fetched, Probe
from assets.feeds import Feed
from assets.http import HttpError
from assets.live import Sink
from assets.windows import Window
from orchestration.lake import Attempt, Lake, Page
from orchestration.live_feed import Disk, LiveFeed
from orchestration.pace import Pace
from orchestration.pull_feed import PullFeed

WORDS = Feed(
    name="words",
    client="nowhere:Nobody",
    delay=timedelta(0),
    retention=timedelta(0),
    window=timedelta(minutes=10),
    recheck_after=timedelta(0),
    live=True,
)
EVENTS = Feed(
    name="events",
    client="nowhere:Nobody",
    delay=timedelta(seconds=15),
    retention=timedelta(days=3),
    window=timedelta(minutes=10),
    recheck_after=timedelta(hours=1),
    cadence=timedelta(seconds=0.02),
)
# Everything a hundred times as fast as for real; nothing is sealed unless a test wants it.
FAST = Pace(
    commit=0.002, calm=0.05, base=0.01, longest=0.05, lasting=5.0, steady=0.5, look=0.02, patience=0.2, log=0.1,
    silent=0.05, tell=0.02,
)  # fmt: skip
Talk = Callable[[Sink], Awaitable[None]]


def now() -> datetime:
    """Our clock."""
    return datetime.now(UTC)


def page(payload: bytes, at: datetime | None = None) -> Page:
    """A message received now, or then."""
    moment = at or now()
    return Page(moment, moment, "GET /words", 200, "text/plain", payload)


class Toy:
    """A live client that does what each call of ``run`` finds next in its script, then the last thing for ever."""

    def __init__(self, *script: Talk) -> None:
        self.script = script
        self.runs = 0

    async def run(self, sink: Sink) -> None:
        """Play the next part."""
        talk = self.script[min(self.runs, len(self.script) - 1)]
        self.runs += 1
        await talk(sink)

    def probe(self) -> Iterator[Probe]:
        """Nothing to look at."""
        return iter(())


async def silence(_: Sink) -> None:
    """Never say anything."""
    await asyncio.Event().wait()


def saying(*words: bytes, then: Talk = silence) -> Talk:
    """Watch, say these words, and go on with something else."""

    async def talk(sink: Sink) -> None:
        sink.watching(now())
        for word in words:
            await sink.take(page(word))
        await then(sink)

    return talk


def failing(error: Exception) -> Talk:
    """Fail."""

    async def talk(_: Sink) -> None:
        raise error

    return talk


class Vendor:
    """A pull vendor whose every window holds so many records, and which does what a test tells it to around that.

    Attributes:
        clock: Its time.
        asked: The windows that it answered, or refused.
        errors: What it refuses the next windows with.
        before: Called before it answers.
        after: What becomes of an answer.
    """

    def __init__(self, records: int = 1, drift: timedelta = timedelta(0)) -> None:
        self.records = records
        self.clock: Callable[[], datetime] = lambda: now() + drift
        self.asked: list[Window] = []
        self.errors: list[HttpError] = []
        self.before: Callable[[], object] = lambda: None
        self.after: Callable[[Fetched], Fetched] = lambda got: got
        self.ours = now

    def vendor_now(self) -> datetime:
        """Its clock."""
        return self.clock()

    def fetch(self, window: Window) -> Fetched:
        """Answer, or raise the next error."""
        self.before()
        self.asked.append(window)
        if self.errors:
            raise self.errors.pop(0)
        reply = page(f"{window.start} {window.end}".encode(), self.ours())
        return self.after(Fetched((reply,), self.records, self.clock()))

    def probe(self) -> Iterator[Probe]:
        """Nothing to look at."""
        return iter(())


def live_feed(home: Path, client: Toy, pace: Pace = FAST, source: str = "one") -> LiveFeed:
    """A live feed on a home."""
    folder = home / "spool" / "toy" / "words" / source
    return LiveFeed("toy", source, WORDS, lambda: client, Lake(home / "lake"), folder, Disk(), pace)


def pull_feed(home: Path, vendor: Vendor, pace: Pace = FAST, **more: Any) -> PullFeed:
    """A pull feed on a home."""
    return PullFeed("toy", "one", more.pop("feed", EVENTS), lambda: vendor, Lake(home / "lake"), Disk(), pace, **more)


async def until(holds: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until something holds.

    Raises:
        TimeoutError: It did not come to hold.
    """
    async with asyncio.timeout(seconds):
        while True:
            if holds():
                return
            await asyncio.sleep(0.005)


async def ended(task: "asyncio.Task[Any]") -> None:
    """Cancel a task and wait for its end."""
    task.cancel()
    await asyncio.wait({task})


def attempts(home: Path, feed: str = "words", source: str = "one", vendor: str = "toy") -> list[Attempt]:
    """What was logged of a feed, oldest window first."""
    lake = Lake(home / "lake")
    folder = lake.capture_dir(vendor, feed, source)
    days = [datetime.fromisoformat(path.name[5:]).date() for path in folder.glob("date=*")]
    found = [one for day in days for one in lake.attempts(vendor, source, feed, day)]
    return sorted(found, key=lambda one: (one.window_start, one.attempted_at))


def payloads(home: Path, feed: str = "words", source: str = "*") -> list[bytes]:
    """All messages in the lake, in the order of receipt."""
    files = (home / "lake").glob(f"raw/*/{feed}/source={source}/date=*/*.parquet")
    columns = ["received_at", "sequence", "payload"]
    rows = [row for file in files for row in pq.ParquetFile(file).read(columns=columns).to_pylist()]
    return [row["payload"] for row in sorted(rows, key=lambda row: (row["received_at"], row["sequence"]))]
