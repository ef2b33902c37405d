"""Every check finds what it is there for, and leaves good rows alone. A check without an example fails here."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from orchestration.models import Check, read_checks
from orchestration.settings import sql_dir
from tests.models.broken import BROKEN
from tests.models.lost import Tables
from tests.models.sound import TIMELINE, WHO_IS, told
from tests.models.workbench import (
    DAY,
    Rows,
    Workbench,
    at,
    attempt,
    clock,
    handed,
    product_models,
    record,
    rules,
    shift,
)

ALL = {
    f"{check.table}.{check.name}": check
    for checks in read_checks(sql_dir(), product_models().values()).values()
    for check in checks
}


def twins(check: Check, bench: Workbench) -> list[Tables]:
    """Two rows of one grain: what every uniqueness check must find."""
    grain = bench.models[check.table].grain
    values = {"VARCHAR": "x", "BIGINT": 1, "DATE": DAY}
    row = {name: values.get(bench.types[check.table][name], at("08:00")) for name in grain}
    return [{check.table: [row, row]}]


def failing(bench: Workbench, check: Check, tables: Tables) -> int:
    """Rows that the check finds when its tables hold these."""
    assert tables.keys() <= set(check.tables)
    for table in check.tables:
        bench.give(table, tables.get(table, []))
    return len(bench.query(check.sql))


def broken(bench: Workbench, name: str, staged: Sequence[Mapping[str, Any]], since: str = "-1d 00:00") -> Rows:
    """What a check finds in all that is made of these records of the day and the day before."""
    check = ALL[name]
    clocks = [clock("24:00", since)]
    days = [DAY - timedelta(days=1), DAY]
    bench.chain(days, check.table, clocks, staged=staged, attempts=[attempt(since, "24:00", "+1d 00:01")])
    for table in check.tables:
        bench.show(table)
    bench.give("ops.feed_clock", clocks)
    return bench.query(check.sql)


def test_no_check_is_without_an_example_that_fails_it() -> None:
    """If this fails, a check was added that nobody has seen fail, or an example outlived its check."""
    assert {name for name in ALL if not name.endswith(".one_row_per_grain")} == BROKEN.keys()


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_check_finds_the_rows_that_break_it(bench: Workbench, name: str) -> None:
    """If this fails, the check would pass over the very thing that it is named after."""
    check = ALL[name]
    examples = BROKEN.get(name) or twins(check, bench)
    assert [failing(bench, check, tables) > 0 for tables in examples] == [True] * len(examples)


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_check_without_rows_finds_nothing(bench: Workbench, name: str) -> None:
    """If this fails, an empty table is an alarm."""
    assert failing(bench, ALL[name], {}) == 0


def test_good_days_pass_every_check(bench: Workbench) -> None:
    """If this fails, a check cries wolf over a plain day, or the models break one of their own claims."""
    busy: dict[str, Any] = {"capacity": rules({"voice": 1}, load=1.0), "transfers": [handed("bob", "08:20", "08:21")]}
    staged = [
        *shift("08:00:07.123457 ready", "08:20:00.000001 not-ready Lunch", "09:31 ready", end="17:00:00.3"),
        *shift("-1d 22:00 ready", "07:00:00.1 ready", end="12:00", agent_id="bob", session_id="b", **busy),
        *shift("+1d 06:00 ready", end="+1d 07:00", session_id="s2"),
        record("+1d 10:00", agent_id="cat", session_id="c", segment="open"),
    ]
    yesterday, tomorrow = DAY - timedelta(days=1), DAY + timedelta(days=1)
    attempts = [
        attempt("-1d 00:00", "00:00", "00:01"),
        attempt("00:00", "24:00", "+1d 00:01"),
        attempt("+1d 00:00", "+1d 12:00", "+1d 12:01", segment="open", open_ids=["x"]),
    ]
    chain = bench.chain(
        [yesterday, DAY, tomorrow], "", [clock("+1d 12:00", "-1d 00:00")], staged=staged, attempts=attempts
    )
    assert chain.rows(TIMELINE)
    for table in bench.types:
        bench.show(table)
    assert {name: found for name, check in ALL.items() if (found := bench.query(check.sql))} == {}


@pytest.mark.parametrize("between", ["offline", "unobserved", "handling", None])
def test_a_state_that_was_interrupted_is_not_stuck(bench: Workbench, between: str | None) -> None:
    """If this fails, everybody who works today and worked yesterday is a warning."""
    day = [told("-1d 08:00", "08:00"), told("08:01", "12:00")]
    day += [told("08:00", "08:01", state=between)] if between else []
    check = ALL[f"{TIMELINE}.not_stuck"]
    limits = [{"source": "cx", "stuck_after_hours": 24.0}]
    assert failing(bench, check, {TIMELINE: day, "ops.limits": limits}) == 0
    whole = [*day[:2], told("08:00", "08:01")]
    assert failing(bench, check, {TIMELINE: whole, "ops.limits": limits}) == 1
    assert failing(bench, check, {TIMELINE: whole, "ops.limits": [{**limits[0], "stuck_after_hours": 28.0}]}) == 0


def test_who_left_at_the_end_of_their_row_is_in_the_roster(bench: Workbench) -> None:
    """If this fails, everybody who worked to the last minute before they left is a warning for good."""
    check = ALL["marts.dim_agents.in_the_roster"]
    row = {**WHO_IS, "valid_from": DAY - timedelta(days=9), "valid_to": DAY}
    seen = {"marts.dim_agents": [{**WHO_IS, "last_seen_at": at("00:00")}]}
    assert failing(bench, check, {**seen, "staging.roster": [row]}) == 0
    assert failing(bench, check, {**seen, "staging.roster": [{**row, "valid_from": DAY, "valid_to": None}]}) == 0


def test_a_sign_in_just_before_midnight_is_told_of(bench: Workbench) -> None:
    """If this fails, a sign-in is in no day's logins, and nobody hears of it."""
    staged = shift("00:00:01 ready", end="09:00", logged_in_at="-1d 23:59:59")
    found = broken(bench, "marts.fct_agent_intervals.counts_every_sign_in", staged)
    assert found.pick("agent_id", "session_id", "logged_in_at") == [("ann", "s", "-1d 23:59:59")]
    # Before anything was asked for nobody could count.
    assert broken(bench, "marts.fct_agent_intervals.counts_every_sign_in", staged, "00:00") == []


def test_what_is_clipped_over_midnight_is_counted_in_seconds(bench: Workbench) -> None:
    """If this fails, a record that the next morning's cut short is told of by nobody, or not by how much."""
    staged = [
        *shift("-1d 22:00 ready", "-1d 23:00 not-ready", end="08:00"),
        *shift("07:30 ready", end="09:00", session_id="t"),
    ]
    found = broken(bench, "intermediate.int_agent_day_open.not_clipped", staged)
    assert found.pick("agent_id", "started_at", "clipped_seconds") == [("ann", "-1d 23:00", 1800.0)]
