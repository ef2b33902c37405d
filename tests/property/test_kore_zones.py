"""Instants told by any zone's clocks come back as they were, also in the nights when clocks are changed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytz
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.models.kore import kore_clock
from tests.models.workbench import Rows, Workbench

RECORDS = "intermediate.int_kore_records"
ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe",
    "Pacific/Kiritimati", "Pacific/Niue", "Antarctica/Troll", "America/St_Johns", "Africa/Casablanca",
)  # fmt: skip
YEAR = datetime(2026, 1, 1, tzinfo=UTC)
# Nights in which these zones change their clocks, and any other time of the year.
changes = sorted(
    {
        at.replace(tzinfo=UTC)
        for zone in ZONES
        for at in getattr(pytz.timezone(zone), "_utc_transition_times", [])
        if at.year == YEAR.year
    }
)
near = st.builds(lambda at, off: at + timedelta(seconds=off), st.sampled_from(changes), st.integers(-9000, 9000))
instants = near | st.integers(0, 364 * 86_400).map(lambda seconds: YEAR + timedelta(seconds=seconds))


def update(zone: str, number: int, moment: datetime, window: datetime, length: timedelta) -> dict[str, Any]:
    """An update as staging leaves it, told by the zone's clocks."""
    shown = moment.astimezone(pytz.timezone(zone)).replace(tzinfo=None)
    return {
        "source": "kore_in",
        "segment": str(window),
        "sequence": 0,
        "record": number,
        "agent_id": "ann",
        "event_time": shown,
        "activity": f"word {number}",
        "window_start": window,
        "window_end": window + length,
        "received_at": window + 2 * length,
        "payload_sha256": "p",
        "touched_from": shown.replace(tzinfo=UTC) - timedelta(hours=14),
        "touched_until": shown.replace(tzinfo=UTC) + timedelta(hours=12),
    }


def windows(moment: datetime, length: timedelta) -> set[datetime]:
    """Starts of the windows that deliver it: requests reach a second beyond both ends, so at an edge it comes twice."""
    start = moment - (moment - YEAR) % length
    return {start, start - length if moment - start <= timedelta(seconds=1) else start}


def placed(bench: Workbench, zone: str, moments: list[datetime], minutes: int) -> Rows:
    """The stretches that the model finds, over all days, for updates of these UTC instants in windows so long."""
    length = timedelta(minutes=minutes)
    staged = [
        update(zone, number, moment, window, length)
        for number, moment in enumerate(moments)
        for window in windows(moment, length)
    ]
    rows = Rows()
    for day in sorted({moment.date() + timedelta(days=n) for moment in moments for n in (-1, 0, 1)}):
        rows += bench.run(RECORDS, day, stg_kore__agent_activity=staged, feed_clock=[kore_clock(zone)])
    return rows


@settings(max_examples=40)
@given(zone=st.sampled_from(ZONES), moment=instants, minutes=st.sampled_from([1, 15, 30, 60]))
@example(zone="Europe/Berlin", moment=datetime(2026, 10, 25, 1, tzinfo=UTC), minutes=60)
@example(zone="Europe/Berlin", moment=datetime(2026, 10, 25, 0, 59, 59, tzinfo=UTC), minutes=60)
@example(zone="Australia/Lord_Howe", moment=datetime(2026, 4, 4, 14, 45, tzinfo=UTC), minutes=60)
def test_an_instant_survives_its_zone(bench: Workbench, zone: str, moment: datetime, minutes: int) -> None:
    """If this fails, an update is on the wrong hour or day, on two, or on none, and nothing says so."""
    [row] = placed(bench, zone, [moment], minutes)
    assert abs((row["started_at"] - moment).total_seconds()) * 1e6 < row["uncertainty_us"]
    assert row["is_derived"] is (row["uncertainty_us"] > 1_000_000)
    if minutes < 30 or zone != "Australia/Lord_Howe":  # its clocks go back by half an hour
        assert (row["started_at"], row["is_derived"]) == (moment, False)


@settings(max_examples=15)
@given(zone=st.sampled_from(ZONES), start=instants, steps=st.lists(st.integers(60, 3600), min_size=1, max_size=5))
def test_updates_keep_their_order_whatever_the_clocks_show(
    bench: Workbench, zone: str, start: datetime, steps: list[int]
) -> None:
    """If this fails, a night of changed clocks turns an agent's states around."""
    moments = [start]
    for step in steps:
        moments.append(moments[-1] + timedelta(seconds=step))
    found = [(row["started_at"], row["vendor_state"]) for row in placed(bench, zone, moments, 15)]
    assert found == [(moment, f"word {number}") for number, moment in enumerate(moments)]
