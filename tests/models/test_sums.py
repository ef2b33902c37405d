"""Seconds in buckets, days and reasons: integers that add up, and NULL where a source cannot tell."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from tests.models.workbench import DAY, Rows, Workbench, at, attempt, clock, handed, record, rules, shift, short

BUCKETS = "intermediate.int_agent_buckets"
SIGNALS = {"source": "cx"} | dict.fromkeys(
    ("gives_available", "gives_handling", "gives_wrap_up", "gives_load", "gives_capacity", "gives_transfers"), True
)


def told(start: str, end: str, state: str = "available", **fields: Any) -> dict[str, Any]:
    """A row of the timeline."""
    return {"source": "cx", "agent_id": "ann", "started_at": at(start), "ended_at": at(end), "state": state, **fields}


def buckets(bench: Workbench, *timeline: Mapping[str, Any]) -> Rows:
    """The quarter-hours made of these rows of the timeline."""
    return bench.run(BUCKETS, fct_agent_timeline=timeline)


def seconds(rows: Iterable[Mapping[str, Any]], column: str) -> list[tuple[str, float]]:
    """Starts of the buckets and their seconds."""
    return [(short(row["interval_start"]), row[column] / 1e6) for row in rows]


def test_a_state_is_split_at_every_quarter_of_an_hour(bench: Workbench) -> None:
    """05:23 to 06:15 in half hours is 7, 30 and 15 minutes; if this fails, time counts where it did not pass."""
    rows = buckets(bench, told("05:23", "06:15"))
    assert seconds(rows, "available_us") == [("05:15", 420.0), ("05:30", 900.0), ("05:45", 900.0), ("06:00", 900.0)]


def test_the_half_hours_of_that_example_are_7_30_and_15_minutes(bench: Workbench) -> None:
    """If this fails, quarters do not add up to greater grains."""
    rows = buckets(bench, told("05:23", "06:15"))
    bench.give(BUCKETS, rows)
    halves = bench.query(
        f"select sum(available_us) // 60000000 as m from {BUCKETS} group by time_bucket(interval 30 minutes, "
        "interval_start) order by min(interval_start)"
    )
    assert halves.pick("m") == [7, 30, 15]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("08:00", "08:00:05.005", [("08:00", 5.005)]),
        ("08:14:57.5", "08:15:02.505", [("08:00", 2.5), ("08:15", 2.505)]),
        ("08:14:59.999999", "08:15:00.000001", [("08:00", 1e-6), ("08:15", 1e-6)]),
        ("08:00", "08:15", [("08:00", 900.0)]),
        ("08:15", "08:30:00.000001", [("08:15", 900.0), ("08:30", 1e-6)]),
    ],
)
def test_splitting_is_exact_to_the_microsecond(
    bench: Workbench, start: str, end: str, expected: list[tuple[str, float]]
) -> None:
    """If this fails, an edge's microsecond is lost, counted twice, or rounded."""
    assert seconds(buckets(bench, told(start, end)), "available_us") == expected


def test_a_whole_day_has_96_full_buckets(bench: Workbench) -> None:
    """If this fails, a long state loses its middle or runs into the next day."""
    rows = buckets(bench, told("00:00", "24:00", "offline"))
    assert (len(rows), rows.pick("interval_start")[0], rows.pick("interval_start")[-1]) == (96, "00:00", "23:45")
    assert {row["offline_us"] for row in rows} == {900_000_000}


def test_each_state_has_its_column(bench: Workbench) -> None:
    """If this fails, one state's time is counted as another's."""
    states = ("available", "handling", "wrap_up", "not_ready", "offline", "unobserved")
    timeline = [told(f"08:0{n}", f"08:0{n + 1}", state) for n, state in enumerate(states)]
    [row] = buckets(bench, *timeline)
    assert [row[f"{state}_us"] for state in states] == [60_000_000] * 6


def test_items_and_capacity_are_integrated_over_time(bench: Workbench) -> None:
    """Two chats for a minute are 120; if this fails, load and concurrency are wrong."""
    [row] = buckets(
        bench,
        told("08:00", "08:01", "handling", work_items=2, load=1, capacity=4),
        told("08:01", "08:03", "available", work_items=0, load=0, capacity=3),
        told("08:03", "08:04", "not_ready", work_items=0, load=0, capacity=3),
    )
    assert (row["work_item_us"], row["load_us"], row["capacity_us"]) == (120_000_000, 60_000_000, 600_000_000)
    assert row["most_work_items"] == 2


def test_buckets_of_a_vendor_that_counts_nothing_are_null(bench: Workbench) -> None:
    """If this fails, an unknown count shows as none."""
    [row] = buckets(bench, told("08:00", "08:01", "handling"))
    assert (row["work_item_us"], row["load_us"], row["capacity_us"]) == (None, None, None)


def test_a_sum_with_an_unknown_part_is_unknown(bench: Workbench) -> None:
    """If this fails, a tenant whose counts come and go shows too few interactions."""
    counted = told("08:00", "08:01", "handling", work_items=1, load=1, capacity=2)
    [row] = buckets(bench, counted, told("08:01", "08:02", "handling"))
    assert (row["work_item_us"], row["load_us"], row["capacity_us"]) == (None, None, None)


def built(bench: Workbench, table: str, **fields: Any) -> Rows:
    """Intervals or days made of one bucket of 10 s in every state, with these signals."""
    states = ("available", "handling", "wrap_up", "not_ready", "offline", "unobserved")
    us = {f"{name}_us": 10_000_000 for name in (*states, "work_item", "capacity", "uncertainty")}
    bucket = {"source": "cx", "agent_id": "ann", "interval_start": at("08:00"), **us, "load_us": 5_005_000}
    return bench.run(table, int_agent_buckets=[bucket], int_source_signals=[{**SIGNALS, **fields}])


@pytest.mark.parametrize("table", ["marts.fct_agent_intervals", "marts.agg_agent_days"])
def test_sums_are_in_seconds(bench: Workbench, table: str) -> None:
    """If this fails, staffed or observed time does not follow its definition."""
    names = ("staffed_seconds", "observed_seconds", "unobserved_seconds", "wrap_up_seconds", "load_seconds")
    assert built(bench, table).pick(*names) == [(40.0, 50.0, 10.0, 10.0, 5.005)]


@pytest.mark.parametrize("table", ["marts.fct_agent_intervals", "marts.agg_agent_days"])
@pytest.mark.parametrize(
    ("signal", "columns"),
    [
        ("gives_available", {"available_seconds", "uncertainty_seconds"}),
        ("gives_handling", {"handling_seconds", "uncertainty_seconds"}),
        ("gives_wrap_up", {"wrap_up_seconds"}),
        ("gives_load", {"load_seconds", "work_item_seconds"}),
        ("gives_capacity", {"capacity_seconds"}),
        ("gives_transfers", {"transfers_out", "transfers_in"}),
    ],
)
def test_a_figure_whose_signal_is_not_given_is_null(
    bench: Workbench, table: str, signal: str, columns: set[str]
) -> None:
    """If this fails, what a source cannot tell shows as zero, or a figure that it can tell is missing."""
    [row] = built(bench, table, **{signal: False})
    sums = [name for name in row if name.endswith("_seconds") or name.startswith("transfers_")]
    assert {name for name in sums if row[name] is None} == columns


def test_wrap_up_is_null_for_the_whole_source_until_a_word_is_mapped_to_it(bench: Workbench) -> None:
    """If this fails, CxEngage shows zero after-contact work where nobody knows."""
    day = shift("08:00 ready", "09:00 not-ready", end="10:00")
    attempts = [attempt("00:00", "24:00", "+1d 00:01")]
    plain = bench.chain([DAY], "", [clock()], staged=day, attempts=attempts)
    assert set(plain.rows("marts.fct_agent_intervals").pick("wrap_up_seconds")) == {None}
    overlay = {"vendor": "cxengage", "vendor_state": "not-ready", "reason": "After Call Work", "state": "wrap_up"}
    mapped = bench.chain([DAY], "", [clock()], staged=day, attempts=attempts, state_map=[*bench.state_map, overlay])
    assert set(mapped.rows("marts.fct_agent_intervals").pick("wrap_up_seconds")) == {0.0}


def test_instants_count_in_the_bucket_of_their_instant(bench: Workbench) -> None:
    """If this fails, a transfer counts for the wrong agent or at the wrong end."""
    staged = [
        *shift("08:00 ready", end="10:00", transfers=[handed("bob", "08:14:59", "08:15"), handed("bob", "09:50")]),
        *shift("07:45 ready", end="10:00", agent_id="bob", session_id="b"),
    ]
    chain = bench.chain([DAY], "", [clock()], staged=staged, attempts=[attempt("00:00", "24:00", "+1d 00:01")])
    rows = chain.rows("marts.fct_agent_intervals", "transfers_out + transfers_in + logins > 0")
    assert rows.pick("agent_id", "interval_start", "transfers_out", "transfers_in", "logins") == [
        ("ann", "08:00", 1, 0, 1),
        ("ann", "09:45", 1, 0, 0),
        ("bob", "07:45", 0, 0, 1),
        ("bob", "08:15", 0, 1, 0),
    ]
    days = chain.rows("marts.agg_agent_days")
    assert days.pick("agent_id", "transfers_out", "transfers_in", "logins", "first_login_at", "last_logout_at") == [
        ("ann", 2, 0, 1, "08:00", "10:00"),
        ("bob", 0, 1, 1, "07:45", "10:00"),
    ]


def test_a_transfer_that_began_yesterday_is_received_today(bench: Workbench) -> None:
    """If this fails, transfers around midnight are never received."""
    staged = [
        *shift("-1d 23:00 ready", end="00:30", transfers=[handed("bob", "-1d 23:59", "00:01")]),
        *shift("-1d 23:00 ready", end="00:30", agent_id="bob", session_id="b"),
    ]
    yesterday = DAY - timedelta(days=1)
    attempts = [attempt("-1d 00:00", "00:00", "00:01"), attempt("00:00", "24:00", "+1d 00:01")]
    chain = bench.chain([yesterday, DAY], "", [clock(since="-1d 00:00")], staged=staged, attempts=attempts)
    rows = chain.rows("marts.fct_agent_intervals", "transfers_in + transfers_out > 0")
    assert rows.pick("agent_id", "interval_start", "transfers_out", "transfers_in") == [
        ("ann", "-1d 23:45", 1, 0),
        ("bob", "00:00", 0, 1),
    ]


def test_a_login_counts_once_when_its_records_lie_on_two_days(bench: Workbench) -> None:
    """A sign-in just before midnight has its first record after it; if this fails, it is lost or counted twice."""
    staged = [record("-1d 22:00", "-1d 23:00", session_id="a", logged_in_at="-1d 22:00"),
              *shift("00:00:01 ready", "08:00 ready", end="09:00", logged_in_at="-1d 23:59:59")]  # fmt: skip
    yesterday = DAY - timedelta(days=1)
    attempts = [attempt("-1d 00:00", "00:00", "00:01"), attempt("00:00", "24:00", "+1d 00:01")]
    chain = bench.chain([yesterday, DAY], "", [clock(since="-1d 00:00")], staged=staged, attempts=attempts)
    rows = chain.rows("marts.fct_agent_intervals", "logins > 0")
    assert rows.pick("interval_start", "logins") == [("-1d 22:00", 1), ("-1d 23:45", 1)]


def not_ready(rows: Sequence[Mapping[str, Any]], bench: Workbench) -> list[Any]:
    """Reasons of the day with seconds and occurrences."""
    return bench.run("marts.agg_not_ready_reasons", fct_agent_timeline=rows).pick("reason", "seconds", "occurrences")


def test_not_ready_time_is_told_by_reason_and_one_without_has_a_name(bench: Workbench) -> None:
    """If this fails, breaks without a reason disappear from the report."""
    timeline = [
        told("08:00", "08:10", "not_ready", reason="Lunch"),
        told("08:10", "09:00"),
        told("09:00", "09:05", "not_ready"),
        told("10:00", "10:20", "not_ready", reason="Lunch"),
        told("11:00", "12:00", "handling", reason="Lunch"),
    ]
    assert not_ready(timeline, bench) == [("(none)", 300.0, 1), ("Lunch", 1800.0, 2)]


def test_an_unbroken_stretch_is_one_occurrence(bench: Workbench) -> None:
    """A record may be cut by a capacity event; if this fails, one break counts as several."""
    timeline = [
        told("08:00", "08:10", "not_ready", reason="Lunch"),
        told("08:10", "08:30", "not_ready", reason="Lunch"),
        told("08:30", "08:40", "not_ready", reason="Training"),
    ]
    assert not_ready(timeline, bench) == [("Lunch", 1800.0, 1), ("Training", 600.0, 1)]


def test_a_stretch_over_midnight_is_counted_on_the_day_it_begins(bench: Workbench) -> None:
    """If this fails, a night's break is two breaks."""
    timeline = [
        told("-1d 23:30", "00:00", "not_ready", reason="Lunch"),
        told("00:00", "00:30", "not_ready", reason="Lunch"),
    ]
    assert not_ready(timeline, bench) == [("Lunch", 1800.0, 0)]


def test_load_and_items_agree_with_what_was_reported(bench: Workbench) -> None:
    """If this fails, load seconds do not follow from the vendor's share and capacity."""
    busy = rules({"email": 1}, load=0.33, capacity=3)
    staged = shift("08:00 ready", end="08:10", capacity=busy)
    chain = bench.chain([DAY], "", [clock()], staged=staged, attempts=[attempt("00:00", "24:00", "+1d 00:01")])
    [row] = chain.rows("marts.agg_agent_days")
    assert (row["handling_seconds"], row["load_seconds"], row["capacity_seconds"]) == (600.0, 600.0, 1800.0)
    assert row["work_item_seconds"] == 600.0
