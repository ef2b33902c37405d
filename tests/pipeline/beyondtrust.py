"""BeyondTrust beside a simulated appliance, by one clock that goes in steps: what its pipeline tests steer and read.

No expectations here; those belong in the tests.
"""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from assets.beyondtrust import ARCHIVE, STATE
from assets.beyondtrust.appliance import Appliance
from assets.beyondtrust.archive import ArchiveClient
from assets.beyondtrust.config import BeyondTrustConfig
from assets.beyondtrust.state import StateClient, Timing
from assets.capture import CaptureResult, capture
from assets.config import Origin
from assets.http import Clock
from orchestration.demo_truth import Stretch
from orchestration.live_feed import Disk, LiveFeed
from orchestration.resources import Engine
from orchestration.settings import Settings
from simulator.beyondtrust import BeyondTrustServer
from simulator.beyondtrust_dialect import Dialect
from simulator.clock import SimClock
from tests.pipeline.site import FIRST, Rows, opened
from tests.recording import FAST, ended, until

NAME = "support"
STEP = timedelta(seconds=8)
PING_SECONDS = 0.05
DIALECT = Dialect(idle_seconds=0, requests_per_second=10_000, requests_per_hour=1_000_000)
Found = list[tuple[Stretch, int]]
TIMELINE = """
select agent_id, epoch_us(greatest(started_at, $since)), epoch_us(least(ended_at, $until)), state,
    coalesce(work_items, 0), (1e6 * greatest(uncertainty_seconds, coalesce(lead(uncertainty_seconds) over (
        partition by agent_id order by started_at
    ), 0)))::bigint
from marts.fct_agent_timeline where started_at < $until and ended_at > $since order by all
"""


class Looked(SimClock):
    """A clock that counts how often the appliance looked at it: between two looks it says all that is due."""

    looks = 0

    def now_ms(self) -> int:
        """The simulated instant, as the appliance asks for it."""
        self.looks += 1
        return super().now_ms()

    async def step(self, end: datetime) -> None:
        """Move on, at most to an instant, and wait until what happened meanwhile has been said."""
        self.advance(min(STEP, end - self.now()))
        then = self.looks
        # What the next look found is sent before the one after it.
        await until(lambda: self.looks >= then + 2)


@dataclass(frozen=True)
class Simulated(Clock):
    """The simulator's time for those who ask what time it is; waiting goes by real time."""

    clock: SimClock

    def now(self) -> datetime:
        """The simulator's time."""
        return self.clock.now()


def source(name: str, server: BeyondTrustServer, **changes: Any) -> BeyondTrustConfig:
    """An appliance as ``sources.yaml`` names it."""
    keys = {
        "name": name,
        "vendor": "beyondtrust",
        "base_url": server.base_url,
        "client_id": "${ID}",
        "client_secret": "${SECRET}",
        "max_requests_per_minute": 600_000,
    }
    environ = {"ID": server.client_id, "SECRET": server.client_secret}
    return BeyondTrustConfig.model_validate(keys | changes, context=Origin(environ=environ))


@dataclass
class Desk:
    """One home beside one appliance, both by the same clock, which stands until a test moves it."""

    home: Path
    server: BeyondTrustServer
    clock: Looked
    config: BeyondTrustConfig = field(init=False)
    engine: Engine = field(init=False)
    appliance: Appliance = field(init=False)

    def __post_init__(self) -> None:
        self.config = source(NAME, self.server)
        self.engine = Engine(Settings(self.home, sources=(self.config,)))
        self.appliance = Appliance(self.config, Simulated(self.clock))

    def record(self, start: datetime, end: datetime) -> None:
        """Record from one simulated instant to another, as a recorder does that begins then."""
        clock, disk = self.clock, Disk()
        clock.set(start)
        feed = LiveFeed(
            "beyondtrust",
            NAME,
            STATE,
            lambda: StateClient(self.config, self.appliance, Timing(ping=PING_SECONDS), clock.now),
            self.engine.lake,
            self.home / "spool" / "beyondtrust" / STATE.name / NAME,
            disk,
            # To a real machine, time that passes in steps looks like sleep.
            replace(FAST, jump=float("inf")),
            clock.now,
        )

        async def run() -> None:
            before = self.engine.lake.clock("beyondtrust", STATE.name, NAME).requested_until
            task = asyncio.create_task(feed.run(before))
            await until(lambda: feed.is_watching)
            while clock.now() < end:
                await clock.step(end)
            await ended(task)

        asyncio.run(run())
        disk.close()

    def fetch(self, now: datetime, since: datetime) -> CaptureResult:
        """Capture the archive of the first day from an instant on, when the simulated clock stands at ``now``."""
        self.clock.set(now)
        lake = self.engine.lake
        lake.request("beyondtrust", ARCHIVE.name, NAME, since)
        client = ArchiveClient(self.config, self.appliance)
        return capture(
            client, lake, vendor="beyondtrust", source=NAME, feed=ARCHIVE, days=[FIRST], since=since, workers=2
        )

    def ask(self, sql: str, **given: Any) -> Rows:
        """One query on the warehouse."""
        with opened(self.home) as connection:
            return connection.execute(sql, given or None).fetchall()

    def timeline(self, since: datetime, end: datetime) -> Found:
        """What agents did between two instants, and how far each boundary may be off, in microseconds."""
        return [(Stretch(*row[:5]), row[5]) for row in self.ask(TIMELINE, since=since, until=end)]
