"""How much time may count as another kind than it was, and the bounds of occupancy that follow from it."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestration.settings import sql_dir
from orchestration.story import FIGURES
from tests.models.workbench import Rows, Workbench, at, short

BUCKETS = "intermediate.int_agent_buckets"
INTERVALS = "marts.fct_agent_intervals"
SIGNALS = ("gives_available", "gives_handling", "gives_wrap_up", "gives_load", "gives_capacity")


def told(start: str, end: str, state: str = "available", vague: float = 10.0, **fields: Any) -> dict[str, Any]:
    """A row of the timeline whose beginning is known to ten seconds."""
    return {"source": "hw", "agent_id": "ann", "started_at": at(start), "ended_at": at(end), "state": state,
            "state_started_at": at(start), "uncertainty_seconds": vague, **fields}  # fmt: skip


def uncertain(bench: Workbench, *timeline: Mapping[str, Any]) -> dict[str, float]:
    """Seconds that may be on the wrong side, by bucket; buckets without any are left out."""
    rows = bench.run(BUCKETS, fct_agent_timeline=timeline)
    return {short(row["interval_start"]): row["uncertainty_us"] / 1e6 for row in rows if row["uncertainty_us"]}


@pytest.fixture
def macros(bench: Workbench) -> Workbench:
    """The workbench with the ratios."""
    text = (sql_dir() / "macros" / "ratios.sql").read_text()
    bench.connection.execute(text.replace("create macro", "create or replace temp macro"))
    return bench


def published(bench: Workbench, *timeline: Mapping[str, Any], **signals: bool) -> Rows:
    """The intervals made of a timeline, put in place for a query."""
    known = {"source": "hw", **dict.fromkeys(SIGNALS, True), **signals}
    rows = bench.run(INTERVALS, int_agent_buckets=bench.run(BUCKETS, fct_agent_timeline=timeline),
                     int_source_signals=[known])  # fmt: skip
    bench.give(INTERVALS, rows)
    return rows


def asked(bench: Workbench, question: str) -> Any:
    """One figure over all intervals."""
    return bench.query(f"select {question} as figure from {INTERVALS}").pick("figure")[0]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("08:10", {"08:00": 10.0}),
        # It may have been up to three seconds later in this bucket, or ten earlier; in the next, only later.
        ("08:14:57", {"08:00": 10.0, "08:15": 7.0}),
        ("08:15", {"08:00": 10.0, "08:15": 10.0}),
        # A bucket in which nothing is said to have changed is reached, too.
        ("08:15:03.5", {"08:00": 6.5, "08:15": 10.0}),
        ("08:15:10", {"08:15": 10.0}),
    ],
)
def test_a_change_may_have_been_a_little_earlier_or_later(
    bench: Workbench, change: str, expected: dict[str, float]
) -> None:
    """If this fails, the bounds of a bucket leave out what its neighbour's change may have done to it."""
    assert uncertain(bench, told("08:00", change, vague=0), told(change, "08:30", "handling")) == expected


def test_a_long_uncertainty_reaches_over_whole_buckets(bench: Workbench) -> None:
    """An hour of local time may be ambiguous; if this fails, the buckets in the middle pass for certain."""
    rows = [told("08:00", "09:05", vague=0), told("09:05", "11:00", "handling", 3600.0)]
    whole = dict.fromkeys(("08:15", "08:30", "08:45", "09:15", "09:30", "09:45"), 900.0)
    assert uncertain(bench, *rows) == {"08:00": 600.0, "09:00": 600.0, "10:00": 300.0, **whole}


@pytest.mark.parametrize(
    ("before", "after", "counts"),
    [
        ("available", "handling", True),
        ("wrap_up", "available", True),
        ("not_ready", "available", True),
        ("handling", "offline", True),
        ("handling", "unobserved", True),
        ("unobserved", "available", True),
        ("handling", "wrap_up", False),
        ("offline", "not_ready", False),
        ("handling", "handling", False),
        ("unobserved", "unobserved", False),
    ],
)
def test_only_changes_between_working_waiting_and_neither_matter(
    bench: Workbench, before: str, after: str, *, counts: bool
) -> None:
    """If this fails, a second chat widens the bounds of occupancy, or the end of a call does not."""
    assert bool(uncertain(bench, told("08:00", "08:05", before, 0), told("08:05", "08:15", after))) is counts


def test_uncertain_stretches_that_overlap_are_added_but_not_beyond_what_was_observed(bench: Workbench) -> None:
    """If this fails, quick changes look more certain than slow ones, or more time is doubted than there was."""
    rows = [told("08:00", "08:05", vague=0), told("08:05", "08:05:04", "handling"), told("08:05:04", "08:15")]
    assert uncertain(bench, *rows) == {"08:00": 20.0}
    short_one = [told("08:00", "08:00:06", vague=0), told("08:00:06", "08:00:11", "handling"),
                 told("08:00:11", "08:15", "unobserved")]  # fmt: skip
    assert uncertain(bench, *short_one) == {"08:00": 11.0}


def test_a_late_word_hides_what_came_between_it_and_one_told_before(bench: Workbench) -> None:
    """If this fails, calls that seem to overlap because the end of one was told late certainly left no pause."""
    rows = [told("08:00", "08:05", "handling", 0), told("08:05", "08:05:04", "handling", 1, work_items=2)]
    assert uncertain(bench, *rows, told("08:05:04", "08:15", "handling", 10)) == {"08:00": 10.0}
    assert uncertain(bench, *rows, told("08:05:04", "08:15", "handling", 1)) == {}


def test_a_change_before_midnight_reaches_into_the_day(bench: Workbench) -> None:
    """If this fails, the first quarter of an hour passes for certain though the change came just before."""
    carried = told("00:00", "00:15", "handling", state_started_at=at("-1d 23:59:57"))
    assert uncertain(bench, carried) == {"00:00": 7.0}
    assert uncertain(bench, {**carried, "state_started_at": at("-1d 22:00")}) == {}


def test_each_source_and_agent_has_its_own(bench: Workbench) -> None:
    """If this fails, one agent's change casts doubt on another, or exact sources on themselves."""
    rows = [told("08:00", "08:05", vague=0), told("08:05", "08:15", "handling")]
    exact = [{**row, "source": "cx", "uncertainty_seconds": 0.0} for row in rows]
    other = told("08:00", "08:15", agent_id="bob", vague=0)
    found = bench.run(BUCKETS, fct_agent_timeline=[*rows, *exact, other])
    assert found.pick("source", "agent_id", "uncertainty_us") == [
        ("cx", "ann", 0), ("hw", "ann", 10_000_000), ("hw", "bob", 0)
    ]  # fmt: skip


@pytest.mark.parametrize("table", [INTERVALS, "marts.agg_agent_days"])
@pytest.mark.parametrize("signal", [None, "gives_available", "gives_handling"])
def test_it_is_null_where_there_is_no_occupancy_to_doubt(bench: Workbench, table: str, signal: str | None) -> None:
    """If this fails, a source that cannot tell handling shows bounds of an occupancy that it has not."""
    rows = [told("08:00", "08:14:57", vague=0), told("08:14:57", "08:30", "handling")]
    known = {"source": "hw", **dict.fromkeys(SIGNALS, True), **({signal: False} if signal else {})}
    buckets = bench.run(BUCKETS, fct_agent_timeline=rows)
    found = bench.run(table, int_agent_buckets=buckets, int_source_signals=[known]).pick("uncertainty_seconds")
    expected = [10.0, 7.0] if table == INTERVALS else [17.0]
    assert found == (expected if signal is None else [None] * len(expected))


def test_the_bounds_of_a_worked_example(macros: Workbench) -> None:
    """If this fails, docs/metrics.md and the macros disagree on what the bounds are."""
    published(macros, told("08:00", "08:05", vague=0), told("08:05", "08:14", "handling"),
              told("08:14", "08:15", "unobserved", 0))  # fmt: skip
    sums = "sum(handling_seconds), sum(wrap_up_seconds), sum(available_seconds)"
    more = "sum(unobserved_seconds), sum(uncertainty_seconds)"
    low, high = (asked(macros, f"occupancy_{end}({sums}, {more})") for end in ("low", "high"))
    # 540 s of work and 300 s of waiting were seen, 60 s were not, and the change between them is known to 10 s.
    assert asked(macros, f"occupancy({sums})") == pytest.approx(540 / 840)
    assert (low, high) == (pytest.approx(530 / 900), pytest.approx(610 / 900))


def test_worked_examples_of_the_field(macros: Workbench) -> None:
    """If this fails, a figure is not what anyone who does the sum by hand gets."""
    published(macros, told("08:00", "08:20", "handling", 0), told("08:20", "08:40", vague=0),
              told("08:40", "09:00", "not_ready", 0))  # fmt: skip
    sums = "sum(handling_seconds), sum(wrap_up_seconds), sum(available_seconds)"
    assert asked(macros, f"occupancy({sums})") == 0.5
    published(macros, told("08:00", "09:30", vague=0), told("09:30", "14:00", "handling", 0),
              told("14:00", "16:00", "not_ready", 0))  # fmt: skip
    assert asked(macros, "availability(sum(available_seconds), sum(staffed_seconds))") == 0.1875
    published(macros, told("18:55:27.017", "18:55:32.022", "wrap_up", 0))
    assert asked(macros, "sum(wrap_up_seconds)") == 5.005
    published(macros, told("05:23", "06:15", "handling", 0))
    quarters = macros.query(f"select handling_seconds / 60 as m from {INTERVALS} order by interval_start")
    assert quarters.pick("m") == [7.0, 15.0, 15.0, 15.0]


def test_a_sum_over_sources_leaves_out_those_that_do_not_tell(macros: Workbench) -> None:
    """If this fails, signed-in time of a source that tells no work counts as waiting, here or in Dagster's plots."""
    day = {"date": at("00:00").date(), "agent_id": "ann", "unobserved_seconds": 0.0, "uncertainty_seconds": 0.0}
    macros.give("marts.agg_agent_days", [
        {**day, "source": "cx", "available_seconds": 30.0, "handling_seconds": 50.0, "wrap_up_seconds": 20.0},
        {**day, "source": "bt", "available_seconds": 10.0, "handling_seconds": 90.0, "wrap_up_seconds": None},
        {**day, "source": "kore", "available_seconds": 900.0, "handling_seconds": None, "wrap_up_seconds": None},
    ])  # fmt: skip
    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
    [_, section] = page.split("\n### Over several sources\n")
    query = re.findall(r"^```sql\n(.*?)^```", section, re.DOTALL | re.MULTILINE)[0]
    assert macros.query(query).pick("occupancy", "low", "high") == [(0.8, 0.8, 0.8)]
    assert macros.query(FIGURES["marts.agg_agent_days"]).pick("occupancy_percent") == [80.0]
