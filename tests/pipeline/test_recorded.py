"""What was recorded while it happened and what was fetched afterwards come to the same figures."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from assets.cxengage import AGENT_STATES
from assets.cxengage.client import CxEngageClient
from assets.cxengage.config import CxEngageConfig
from orchestration.inputs import midnight
from orchestration.lake import segments_of
from orchestration.live_feed import Disk
from orchestration.pull_feed import PullFeed
from simulator.clock import SimClock
from tests.pipeline.conftest import MakeSite
from tests.pipeline.site import SOURCE, Site, after, day
from tests.recording import FAST, ended, until

SPEED = 60.0
FROM, TO = midnight(day(0)) + timedelta(hours=10), midnight(day(0)) + timedelta(hours=10, minutes=12)


def record(site: Site) -> None:
    """Record twelve minutes of the vendor's time, in a sixtieth of it, stopping once and going on."""
    [config] = site.engine.settings.sources
    assert isinstance(config, CxEngageConfig)
    clock = site.server.clock
    feed = replace(AGENT_STATES, cadence=timedelta(seconds=0.25))

    async def run() -> None:
        clock.set(FROM, running=True, speed=SPEED)
        for end in (FROM + (TO - FROM) / 2, TO):
            one = PullFeed(
                "cxengage",
                SOURCE,
                feed,
                lambda: CxEngageClient(config),
                site.engine.lake,
                Disk(),
                replace(FAST, quiet=0),
            )
            task = asyncio.create_task(one.run(site.engine.lake.clock("cxengage", feed.name, SOURCE).observed_until))
            await until(partial(_is_past, clock, end), 60)
            await ended(task)

    asyncio.run(run())
    clock.set(running=False)


def _is_past(clock: SimClock, end: datetime) -> bool:
    return clock.now() >= end


def test_recorded_and_then_filled_up_equals_fetched_at_once(make_site: MakeSite) -> None:
    """If this fails, it matters to the figures whether somebody was recording."""
    fetched, recorded = make_site("fetched"), make_site("recorded")
    record(recorded)
    lake = recorded.engine.lake
    assert len(segments_of(lake.raw_dir("cxengage", AGENT_STATES.name, SOURCE, day(0)))) > 15
    until_then = lake.clock("cxengage", AGENT_STATES.name, SOURCE).observed_until
    assert until_then
    assert until_then > TO - timedelta(minutes=2)
    for site in (fetched, recorded):
        site.capture(after(0), {day(0)})
        site.build([day(0)])
    assert recorded.tables("marts") == fetched.tables("marts")
    tiles = "select status, sum(epoch_us(window_end) - epoch_us(window_start)) from ops.feed_coverage group by 1"
    assert recorded.ask(tiles) == fetched.ask(tiles)


def test_the_command_records_beside_a_running_vendor(make_site: MakeSite) -> None:
    """If this fails, `shiftbook record` works in parts, but not as a whole."""
    site = make_site()
    site.server.clock.set(FROM, running=True)
    done = site.run("record", "--for", "4")
    assert done.returncode == 0, done.stderr
    assert "cx/agent_states is recorded" in done.stderr
    assert "Traceback" not in done.stderr
    clock = site.engine.lake.clock("cxengage", AGENT_STATES.name, SOURCE)
    assert clock.observed_until
    assert FROM - timedelta(minutes=1) < clock.observed_until < FROM + timedelta(minutes=1)
