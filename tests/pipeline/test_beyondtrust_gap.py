"""BeyondTrust as it happened, with a hole in it, and as its archive tells it afterwards."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from assets.beyondtrust import STATE
from orchestration.demo_truth import SECOND, VIEWS, Stretch, Truth
from orchestration.inputs import midnight
from orchestration.live_feed import ABSENT
from orchestration.recorder import record
from orchestration.resources import Engine
from orchestration.settings import Settings
from simulator.beyondtrust import BeyondTrustServer
from simulator.centre import Centre
from simulator.clock import SimClock
from simulator.faults import Faults
from tests.pipeline.beyondtrust import DIALECT, NAME, Desk, Found, Looked, source
from tests.pipeline.site import FIRST, build, opened
from tests.pipeline.truth import micros
from tests.recording import FAST, payloads

SINCE = midnight(FIRST) + timedelta(hours=14)
FROM = SINCE + timedelta(minutes=7)
LEFT, BACK, TO = (FROM + timedelta(minutes=minutes) for minutes in (15, 35, 54))
SIGN = timedelta(minutes=1)
"""A sign of life comes more often than this: in real time, within some steps."""
LATE = 20 * SECOND
"""So late the live feed may be, in microseconds (assets/beyondtrust)."""
LIVE = ("state", "command")
VIEW = replace(VIEWS["beyondtrust"], grain=1)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A site of eight representatives."""
    centre = Centre.simulate(7, 8, FIRST, 1)
    clock = Looked(SINCE)
    with BeyondTrustServer(centre, clock, dialect=DIALECT) as server:
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

    got = desk.fetch(TO + timedelta(hours=1), SINCE)
    assert (got.failed, got.landed) == (0, got.planned)
    build(desk.engine, [FIRST])
    archived = "select archived_from <= $since and archived_until >= $until from intermediate.int_beyondtrust_archived"
    assert desk.ask(archived, since=FROM, until=TO) == [(True,)]
    both = desk.timeline(FROM, TO)
    assert not untrue(both, true)
    agreed = "select count(*) > 3, bool_and(abs(difference_seconds) <= tolerance_seconds)"
    assert desk.ask(f"{agreed} from ops.reconciliation where is_judged") == [(True, True)]
    whole = micros(TO) - micros(FROM)
    assert known(both) == dict.fromkeys(known(live), whole)
    assert max(slack for _, slack in both) <= SECOND < max(slack for _, slack in live) == LATE

    stretches: dict[str, list[Stretch]] = defaultdict(list)
    for one, _ in desk.timeline(FROM - SIGN, TO + SIGN):
        stretches[one.agent_id].append(one)
    assert not untrue(live, Truth(VIEW, stretches, []), LATE)


def test_a_sick_appliance_does_not_touch_a_healthy_one(tmp_path: Path) -> None:
    """If this fails, one vendor that hangs or talks rubbish costs another one's history, or nobody learns who it is."""
    today = datetime.now(UTC).date()
    centre, clock = Centre.simulate(7, 8, today, 1), SimClock(midnight(today) + timedelta(hours=15))
    sick = {"hanging": Faults(hang_rate=1, hang_seconds=60), "babbling": Faults(rubbish_rate=1)}
    with ExitStack() as stack:
        healthy = stack.enter_context(BeyondTrustServer(centre, clock, dialect=DIALECT))
        sources = [source(NAME, healthy)]
        for name, faults in sick.items():
            server = stack.enter_context(BeyondTrustServer(centre, clock, dialect=DIALECT, faults=faults))
            sources.append(source(name, server))
        engine = Engine(Settings(tmp_path / "home", sources=tuple(sources)))
        healthy.churn(200)

        async def run() -> dict[str, str | None]:
            recording = asyncio.create_task(record(engine.settings, seconds=3, pace=FAST))
            await asyncio.sleep(2)
            healthy.churn(0)
            return await recording

        trouble = asyncio.run(run())
        said = healthy.feed.integrations.messages
    assert {name for name, why in trouble.items() if why} == {f"{name}/{feed}" for name in sick for feed in LIVE}
    handshake = 2
    assert len(payloads(engine.settings.home, STATE.name, NAME)) == said - handshake > 100
    build(engine, sorted({today, datetime.now(UTC).date()}))
    with opened(engine.settings.home) as connection:
        log = "select distinct status from ops.capture_log where source = ?"
        assert connection.execute(log, [NAME]).fetchall() == [("ok",)]
        health = "select source || '/' || feed, last_error from ops.source_health"
        errors = dict(connection.execute(health).fetchall())
    for feed in LIVE:
        assert errors[f"{NAME}/{feed}"] is None
        assert "babbling: POST /oauth2/token" in errors[f"babbling/{feed}"]
