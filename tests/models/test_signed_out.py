"""The questions of the last hours about agents who were signed out on days on which they have no rows."""

from datetime import timedelta

import pytest

from tests.models.macros import WITHOUT_ROWS, create_macros
from tests.models.workbench import DAY, Rows, Workbench, attempt, clock, shift

ANN = shift("-1d 08:00 ready", end="-1d 17:00", agent_id="ann", session_id="a")
BOB = shift("07:00 ready", end="09:00", agent_id="bob", session_id="b")
BEFORE = ("-1d 00:00", "-1d 24:00")
TABLES = ("marts.fct_agent_timeline", "marts.dim_agents", "intermediate.int_source_signals", "marts.fct_participation")


def spent(bench: Workbench, call: str, *looked: tuple[str, str]) -> Rows:
    """What a question about the hours before 8:00 returns when the feed was looked at in these stretches."""
    attempts = [attempt(start, end, "+1d 00:01") for start, end in looked]
    days = [DAY - timedelta(days=1), DAY]
    reads = (*TABLES, *WITHOUT_ROWS)
    chain = bench.chain(days, reads, [clock("10:00", "-1d 00:00")], staged=[*ANN, *BOB], attempts=attempts)
    assert set(chain.rows("marts.fct_agent_timeline", f"date = '{DAY}'").pick("agent_id")) == {"bob"}
    for table in reads:
        bench.show(table)
    create_macros(bench)
    return bench.query(f"from {call} where agent_id = 'ann'")


@pytest.mark.parametrize(
    ("looked", "states"),
    [
        ([BEFORE, ("00:00", "10:00")], {("offline", 28800)}),
        ([BEFORE, ("00:00", "03:00"), ("04:00", "10:00")], {("offline", 10800), ("unobserved", 18000)}),
        ([("-1d 00:00", "-1d 20:00"), ("-1d 21:00", "-1d 24:00"), ("00:00", "10:00")], {("unobserved", 28800)}),
        ([("-1d 00:00", "-1d 16:00"), ("-1d 17:30", "-1d 24:00"), ("00:00", "10:00")], {("unobserved", 28800)}),
    ],
)
def test_who_signed_out_the_day_before_is_known_to_be_away_until_nobody_looks(
    bench: Workbench, looked: list[tuple[str, str]], states: set[tuple[str, float]]
) -> None:
    """If this fails, a night at home counts as not observed, or as known through hours in which nobody looked."""
    rows = spent(bench, "time_in_state(8, timestamptz '2026-11-03 08:00:00+00')", *looked)
    assert set(rows.pick("state", "seconds")) == states
    known = sum(seconds for state, seconds in states if state == "offline")
    assert {row["observed_seconds"] for row in rows} == {known}
    for call in ("idle_time(8, {at})", "sessions_participated(8, {at})", "time_with_sessions(1, 8, {at})"):
        found = bench.query(f"from {call} where agent_id = 'ann'".format(at="timestamptz '2026-11-03 08:00:00+00'"))
        assert found.pick("observed_seconds") == [known]


def test_hours_over_a_midnight_add_up_for_everybody_known_by_then(bench: Workbench) -> None:
    """If this fails, states do not add up to the hours asked for, or somebody is signed out before they were known."""
    rows = spent(bench, "time_in_state(16, timestamptz '2026-11-03 08:00:00+00')", BEFORE, ("00:00", "10:00"))
    assert set(rows.pick("state", "seconds")) == {("available", 3600), ("offline", 15 * 3600)}
    rows = bench.query("from time_in_state(1, timestamptz '2026-11-02 09:00:00+00')")
    assert rows.pick("agent_id", "state", "seconds") == [("ann", "available", 3600)]
    rows = bench.query("from time_in_state(2, timestamptz '2026-11-03 10:30:00+00') where agent_id = 'ann'")
    assert rows.pick("state", "seconds") == [("offline", 5400)]


def test_who_had_no_word_for_five_weeks_is_not_signed_out(bench: Workbench) -> None:
    """If this fails, who left the company is known to be away for ever."""
    spent(bench, "time_in_state(8, timestamptz '2026-11-03 08:00:00+00')", BEFORE, ("00:00", "10:00"))
    bench.give("intermediate.int_agent_day_open", [])
    rows = bench.query("from time_in_state(8, timestamptz '2026-11-03 08:00:00+00') where agent_id = 'ann'")
    assert rows.pick("state", "seconds", "observed_seconds") == [("unobserved", 28800, 0)]
