"""BeyondTrust as it happened, with a hole in it, and as its archive tells it afterwards."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assets.beyondtrust import ARCHIVE, STATE
from assets.beyondtrust.appliance import Appliance
from assets.beyondtrust.archive import ArchiveClient
from assets.beyondtrust.config import BeyondTrustConfig
from assets.beyondtrust.state import StateClient, Timing
from assets.capture import CaptureResult, capture
from assets.config import Origin
from assets.http import Clock
from orchestration.demo_truth import SECOND, VIEWS, Stretch, Truth
from orchestration.inputs import midnight
from orchestration.live_feed import ABSENT, Disk, LiveFeed
from orchestration.resources import Engine
from orchestration.settings import Settings
from simulator.beyondtrust import BeyondTrustServer
from simulator.beyondtrust_dialect import Dialect
from simulator.centre import Centre
from simulator.clock import SimClock
from tests.pipeline.site import FIRST, Rows, build, opened
from tests.pipeline.truth import micros
from tests.recording import FAST, ended, until

NAME = "support"
SINCE = midnight(FIRST) + timedelta(hours=14)
FROM = SINCE + timedelta(minutes=7)
LEFT, BACK, TO = (FROM + timedelta(minutes=minutes) for minutes in (15, 35, 50))
STEP = timedelta(seconds=8)
PING_SECONDS = 0.05
SIGN = timedelta(minutes=1)
"""A sign of life comes more often than this: in real time, within some steps."""
LATE = 20 * SECOND
"""So late the live feed may be, in microseconds (assets/beyondtrust)."""
Found = list[tuple[Stretch, int]]
VIEW = replace(VIEWS["beyondtrust"], grain=1)
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
        keys = {
            "name": NAME,
            "vendor": "beyondtrust",
            "base_url": self.server.base_url,
            "client_id": "${ID}",
            "client_secret": "${SECRET}",
            "max_requests_per_minute": 600_000,
        }
        environ = {"ID": self.server.client_id, "SECRET": self.server.client_secret}
        self.config = BeyondTrustConfig.model_validate(keys, context=Origin(environ=environ))
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

    def fetch(self, now: datetime) -> CaptureResult:
        """Capture the archive when the simulated clock stands at ``now``."""
        self.clock.set(now)
        lake = self.engine.lake
        lake.request("beyondtrust", ARCHIVE.name, NAME, SINCE)
        client = ArchiveClient(self.config, self.appliance)
        days = [FIRST]
        return capture(client, lake, vendor="beyondtrust", source=NAME, feed=ARCHIVE, days=days, since=SINCE, workers=2)

    def ask(self, sql: str, **given: Any) -> Rows:
        """One query on the warehouse."""
        with opened(self.home) as connection:
            return connection.execute(sql, given or None).fetchall()

    def timeline(self, since: datetime, end: datetime) -> Found:
        """What agents did between two instants, and how far each boundary may be off, in microseconds."""
        return [(Stretch(*row[:5]), row[5]) for row in self.ask(TIMELINE, since=since, until=end)]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A site of eight representatives."""
    dialect = Dialect(idle_seconds=0, requests_per_second=10_000, requests_per_hour=1_000_000)
    centre = Centre.simulate(7, 8, FIRST, 1)
    clock = Looked(SINCE)
    with BeyondTrustServer(centre, clock, dialect=dialect) as server:
        yield Desk(tmp_path / "home", server, clock)


def truth(desk: Desk, folder: Path) -> Truth:
    """What happened up to the end."""
    desk.server.centre.write_truth(folder, TO)
    return Truth.read(folder, VIEW, desk.server.agent_ids)


def known(found: Found) -> dict[str, int]:
    """Microseconds that something is known of, by agent."""
    told: dict[str, int] = defaultdict(int)
    for one, _ in found:
        told[one.agent_id] += 0 if one.state == "unobserved" else one.end - one.start
    return dict(told)


def at_work(true: Truth, since: datetime, end: datetime) -> set[str]:
    """Who was signed in throughout."""
    first, last = micros(since), micros(end)
    return {
        name
        for name, found in true.stretches.items()
        if all(one.state != "offline" for one in found if one.start < last and one.end > first)
        and found[0].start <= first
        and found[-1].end >= last
    }


def untrue(found: Found, true: Truth, slack: int | None = None) -> list[Stretch]:
    """The known states that were not true within so many microseconds, unless given within their own uncertainty."""
    return [
        one
        for one, own in found
        if one.state != "unobserved"
        and not true.holds(one.agent_id, one.state, one.start, one.end, own if slack is None else slack)
    ]


def test_the_archive_fills_what_nobody_recorded(desk: Desk, tmp_path: Path) -> None:
    """If this fails, a recorder that was away leaves a hole or a guess, or live and archive tell two stories."""
    desk.record(FROM, LEFT)
    desk.record(BACK, TO)
    build(desk.engine, [FIRST])
    true = truth(desk, tmp_path / "truth")
    present = at_work(true, FROM, TO)
    assert len(present) >= 3

    [(start, end, error)] = desk.ask("select window_start, window_end, error from ops.capture_log where status <> 'ok'")
    assert error == ABSENT
    assert LEFT - SIGN <= start <= LEFT
    assert BACK <= end <= BACK + SIGN
    until_then = FROM + SIGN, TO - SIGN
    live = desk.timeline(*until_then)
    assert {one.state for one, _ in desk.timeline(start, end)} == {"unobserved"}
    assert not untrue(live, true)
    watched = micros(until_then[1]) - micros(until_then[0]) - (micros(end) - micros(start))
    assert {name: us for name, us in known(live).items() if name in present} == dict.fromkeys(present, watched)

    got = desk.fetch(TO + timedelta(hours=1))
    assert (got.failed, got.landed) == (0, got.planned)
    build(desk.engine, [FIRST])
    archived = "select archived_from <= $since and archived_until >= $until from intermediate.int_beyondtrust_archived"
    assert desk.ask(archived, since=FROM, until=TO) == [(True,)]
    both = desk.timeline(FROM, TO)
    assert not untrue(both, true)
    whole = micros(TO) - micros(FROM)
    assert known(both) == dict.fromkeys(known(live), whole)
    assert max(slack for _, slack in both) <= SECOND < max(slack for _, slack in live) == LATE

    stretches: dict[str, list[Stretch]] = defaultdict(list)
    for one, _ in desk.timeline(FROM - SIGN, TO + SIGN):
        stretches[one.agent_id].append(one)
    assert not untrue(live, Truth(VIEW, stretches, []), LATE)
