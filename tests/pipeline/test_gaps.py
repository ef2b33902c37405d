"""What the vendor does not serve is shown as unknown, never as idle, and comes right once it is served."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest

from orchestration.inputs import midnight
from simulator.centre import Centre
from simulator.faults import Faults
from tests.pipeline.conftest import MakeSite
from tests.pipeline.site import SOURCE, Site, after, day
from tests.pipeline.truth import differences, hourly_sums, state_sums, truth

Mode = Literal["empty", "error"]
START = midnight(day(0)) + timedelta(hours=14)
END = START + timedelta(hours=1)
DAYS = [day(0), day(1)]
STATES = "select agent_id, started_at, ended_at, state, work_items, load from marts.fct_agent_timeline"
BOUNDS = """
select agent_id, interval_start,
    occupancy(handling_seconds, wrap_up_seconds, available_seconds),
    occupancy_low(handling_seconds, wrap_up_seconds, available_seconds, unobserved_seconds),
    occupancy_high(handling_seconds, wrap_up_seconds, available_seconds, unobserved_seconds),
    staffed_seconds, unobserved_seconds
from marts.fct_agent_intervals where interval_start >= ? and interval_start < ?
"""


def timeline(site: Site) -> list[dict[str, object]]:
    """Every known state."""
    with site.warehouse() as connection:
        result = connection.execute(f"{STATES} where state <> 'unobserved'")
        names = [column[0] for column in result.description or []]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


@pytest.mark.parametrize("mode", ["empty", "error"])
def test_a_dropped_hour_is_unknown_until_the_vendor_serves_it(
    make_site: MakeSite, centre: Centre, tmp_path: Path, mode: Mode
) -> None:
    """An outage at the vendor that read as idle time or as signed out would be a lie that nobody could see."""
    site = make_site(faults=Faults(dropped=((START, END),), dropped_mode=mode))
    result = site.capture(after(0), DAYS)
    assert (result.failed > 0) == (mode == "error")
    site.build(DAYS)
    real = truth(centre, tmp_path / "truth", after(0) - timedelta(seconds=15))

    known, happened = hourly_sums(timeline(site), START, END), hourly_sums(real.states, START, END)
    assert known != happened
    assert not [key for key, us in known.items() if us > happened.get(key, 0)]
    hidden = "from marts.fct_agent_timeline where state = 'unobserved' and started_at < ? and ended_at > ?"
    assert site.ask(f"select count(*) {hidden}", END, START)[0][0] >= 3
    reason = {"empty": "broken_chain", "error": "not_fetched"}[mode]
    missing = "from ops.feed_coverage where status = 'missing'"
    assert site.ask(f"select distinct reason {missing}") == [(reason,)]
    [(start, end)] = site.ask(f"select min(window_start), max(window_end) {missing}")
    if mode == "error":
        assert (start, end) == (START, END)
    assert start <= START
    assert end >= END

    bounds = site.ask(BOUNDS, START, END)
    assert len(bounds) >= 16
    for agent, at, occupancy, low, high, staffed, unobserved in bounds:
        true = hourly_sums((r for r in real.states if r["agent_id"] == agent), at, at + timedelta(minutes=15))
        us = {state: us for (_, state), us in true.items()}
        working = us.get("handling", 0) + us.get("wrap_up", 0)
        if staffed == 0:
            assert occupancy is None
        if working + us.get("available", 0) and unobserved:
            assert low - 1e-9 <= working / (working + us.get("available", 0)) <= high + 1e-9

    site.server.set_faults(Faults())
    assert site.capture(after(0), DAYS).failed == 0
    site.build(DAYS)
    assert not differences(state_sums(timeline(site)), state_sums(real.states))
    assert site.ask(f"select count(*) {missing}") == [(0,)]
    assert site.ask("select count(*) from ops.broken_chains") == [(0,)]


def test_what_the_vendor_has_forgotten_is_lost_and_said_so(make_site: MakeSite) -> None:
    """A gap that can no longer be filled must not be promised as missing, nor filled with a guess."""
    site = make_site(faults=Faults(dropped=((START, END),), dropped_mode="error"))
    site.capture(after(0), DAYS)
    site.server.set_faults(Faults())
    site.capture(after(3, 15 * 60), [day(0), day(3)])
    site.build([day(n) for n in range(4)])
    gaps = "from ops.feed_coverage where date = ? and status <> 'observed'"
    rows = site.ask(f"select status, reason, min(window_start), max(window_end) {gaps} group by all", day(0))
    assert rows == [("lost", "not_fetched", START, END)]


def test_a_source_that_never_answered_is_listed(make_site: MakeSite) -> None:
    """A feed that cannot be seen in coverage and health would be forgotten by everyone."""
    site = make_site(dead=["down"])
    site.fill(1)
    assert site.ask("select source, observed_until is null from ops.source_health order by source") == [
        (SOURCE, False),
        ("down", True),
    ]
    assert datetime.now(UTC) > site.ask("select max(attempted_at) from ops.capture_log")[0][0]
