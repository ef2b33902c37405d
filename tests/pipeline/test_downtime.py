"""Everything was down for days: what the vendor still has is recovered, oldest first, and what is gone is said."""

import asyncio
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from orchestration.alarms import Delivery, Message, ring
from orchestration.definitions import build_defs
from orchestration.guard import capture_before_loss, rescue_request, rescues
from orchestration.incidents import incidents_of
from orchestration.inputs import midnight
from orchestration.recorder import record
from orchestration.watch import FeedNow, Stretch, gaps, joined
from simulator.centre import Centre
from tests.pipeline.site import Site, site

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
FIRST = datetime.now(UTC).date() - timedelta(days=9)


@pytest.fixture
def began(tmp_path: Path) -> Iterator[Site]:
    """A site that was captured until a moment of its second day; then everything stopped."""
    with site(tmp_path, Centre.simulate(5, 3, FIRST, 8)) as made:
        made.capture(noon(0), {FIRST, FIRST + timedelta(days=1)})
        yield made


def noon(hours: float) -> datetime:
    """So many hours after the noon at which everything stopped, by the vendor's clock."""
    return midnight(FIRST) + timedelta(days=1, hours=12 + hours)


def stands(made: Site, now: datetime) -> FeedNow:
    """How the feed stands."""
    [feed] = made.engine.watch.look(now)
    return feed


def overdue(feed: FeedNow) -> list[Stretch]:
    """What is missing, but for the newest minutes, which nobody had asked for yet when the recorder ended."""
    return [stretch for stretch in feed.missing if stretch.start < feed.at - 2 * MINUTE]


def told(made: Site, now: datetime) -> list[str]:
    """What a receiver is told at a moment."""
    messages: list[Message] = []

    def deliver(message: Message) -> Delivery:
        messages.append(message)
        return "delivered"

    engine = made.engine
    present = incidents_of(engine.watch.look(now), engine.settings.home, "UTC")
    ring(engine.lake, engine.settings.alarms_path, present, deliver, logging.getLogger(__name__), now)
    return [f"{message.event} {message.kind}" for message in messages]


def run_guard(made: Site, defs: dg.Definitions, now: datetime) -> list[str]:
    """Do what the guard requests until it has nothing more to request; what it asked for, in order."""
    asked: list[str] = []
    while found := rescues(made.engine.watch.look(now), now):
        request = rescue_request(found[0], now)
        job = defs.resolve_job_def(capture_before_loss.name)
        with dg.DagsterInstance.ephemeral() as instance:
            result = job.execute_in_process(
                instance=instance, tags=dict(request.tags), asset_selection=request.asset_selection
            )
        assert result.success
        asked.append(request.tags["dagster/asset_partition_range_start"])
        assert len(asked) < 3
    return asked


def test_what_still_exists_is_recovered_and_what_is_gone_is_said(began: Site) -> None:
    """If this fails, a weekend without power costs more than the vendor forgot, or nobody learns what it cost."""
    defs = build_defs(engine=began.engine, lineage=False)
    now = datetime.now(UTC)
    assert stands(began, now).level == "fresh"

    # Sixty hours without anything: all of it is still there.
    now += 60 * HOUR
    began.server.clock.set(noon(60))
    assert stands(began, now).level == "stale"
    assert told(began, now) == ["began not_fresh"]
    assert told(began, now + 2 * MINUTE) == ["began loss_within_24h", "began no_recorder"]

    # The present comes first: the recorder has it at once, while the past is still missing.
    asyncio.run(record(began.engine.settings, seconds=2))
    now = datetime.now(UTC)
    assert stands(began, now).level == "fresh"
    assert stands(began, now).missing[0].start == noon(0) - timedelta(seconds=15)
    assert run_guard(began, defs, now) == [str(FIRST + timedelta(days=1))]
    after = stands(began, now)
    assert (overdue(after), after.lost) == ([], ())
    assert covered(began, noon(0), noon(60) - MINUTE)

    # Eighty more: the first eight are forgotten, and said to be.
    began.server.clock.set(noon(140))
    later = now + 80 * HOUR
    assert {"began lost", "began loss_within_6h"} <= {*told(began, later), *told(began, later + 2 * MINUTE)}
    asyncio.run(record(began.engine.settings, seconds=2))
    now = datetime.now(UTC)
    run_guard(began, defs, now)
    after = stands(began, now)
    assert overdue(after) == []
    [lost] = after.lost
    assert lost.start <= noon(60)
    assert lost.end >= noon(68)
    assert timedelta(hours=7, minutes=58) < lost.end - lost.start < timedelta(hours=8, minutes=10)
    assert covered(began, lost.end, noon(140) - MINUTE)
    over = [*told(began, now + MINUTE), *told(began, now + 4 * MINUTE)]
    assert sorted(over) == ["over loss_within_24h", "over loss_within_6h", "over not_fresh"]


def covered(made: Site, start: datetime, end: datetime) -> bool:
    """Whether raw segments of readable replies hold all between two moments, as the planning of captures sees it."""
    days = [FIRST + timedelta(days=n) for n in range(9)]
    every = [a for on in days for a in made.engine.lake.attempts("cxengage", "cx", "agent_states", on)]
    held = joined(Stretch(a.window_start, a.window_end) for a in every if a.status == "ok" and a.segment)
    return list(gaps(held, start, end)) == []
