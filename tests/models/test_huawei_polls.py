"""What polls of Huawei's gateway and of CC-CMS say: stretches, their boundaries, and what they do not say."""

import random
from typing import Any

import pytest

from tests.models.huawei import STEP, cms, cms_polled, feed_clock, poll, polled, polls
from tests.models.workbench import Workbench, at

SPAN = ("started_at", "ended_at", "vendor_state")
Staged = list[dict[str, Any]]


def test_a_state_holds_until_the_sample_that_shows_another(bench: Workbench) -> None:
    """If this fails, each sample becomes a state of its own, or a boundary lies where nobody looked."""
    rows = [*polls("08:00", "08:01"), *polls("08:01:05", "08:02", 7), *polls("08:02:05", "08:03", 5)]
    assert polled(bench, rows).pick(*SPAN) == [
        ("08:00", "08:01:05", "4"),
        ("08:01:05", "08:02:05", "7"),
        ("08:02:05", None, "5"),
    ]


def test_a_boundary_is_uncertain_by_the_distance_to_the_sample_before(bench: Workbench) -> None:
    """If this fails, a figure seems more certain than it is."""
    found = polled(bench, [poll("08:00"), poll("08:00:08", 7)])
    assert found.pick("uncertainty_us", "is_derived") == [(2_500_000, True), (8_000_000, False)]


def test_an_answer_is_true_at_some_instant_since_it_was_asked_for(bench: Workbench) -> None:
    """If this fails, a change that came while the reply before it travelled lies outside its uncertainty."""
    slow = {"requested_at": at("08:00:05"), "received_at": at("08:00:07")}
    found = polled(bench, [poll("08:00"), {**poll("08:00"), **slow}, poll("08:00:10", 7)])
    assert found.pick("started_at", "uncertainty_us")[-1] == ("08:00:10", 5_000_000)
    told = cms_polled(bench, [{**cms("08:00", 1, 99), **slow}, cms("08:00:10", 5, 4)])
    assert told.pick("started_at", "uncertainty_us")[-1] == ("08:00:05.5", 500_000)


@pytest.mark.parametrize(("seconds", "expected"), [(10, 1), (11, 2)])
def test_twice_the_interval_without_a_sample_ends_a_state_at_the_last(
    bench: Workbench, seconds: int, expected: int
) -> None:
    """If this fails, a state is claimed for a time in which nobody looked, or holes appear where one poll was late."""
    rows = [*polls("08:00", "08:01"), *polls(f"08:01:{seconds:02d}", "08:03")]
    found = polled(bench, rows)
    assert len(found) == expected
    assert found.pick("ended_at") == ([None] if expected == 1 else ["08:01", None])


def test_a_state_holds_between_samples_as_far_apart_as_the_source_says(bench: Workbench) -> None:
    """If this fails, hold_polls says one thing and the timeline another."""
    rows = [*polls("08:00", "08:01"), *polls("08:01:20", "08:03")]
    patient = {**feed_clock("agent_status"), "hold_seconds": 4 * STEP}
    found = bench.run("intermediate.int_huawei_polled", stg_huawei__agent_status=rows, feed_clock=[patient])
    assert found.pick(*SPAN, "uncertainty_us") == [("08:00", None, "4", 2_500_000)]
    rows = [
        {**cms("08:00", 1, 4294967295), "received_at": row["received_at"], "requested_at": row["received_at"]}
        for row in rows
    ]
    patient = {**feed_clock("cms_status"), "hold_seconds": 4 * STEP}
    found = bench.run("intermediate.int_huawei_cms_polled", stg_huawei__cms_status=rows, feed_clock=[patient])
    assert found.pick(*SPAN) == [("08:00", None, "1")]


def test_talking_is_handling_whatever_the_code(bench: Workbench) -> None:
    """A busy agent may still talk; if this fails, that talk is lost."""
    rows = [*polls("08:00", "08:01", 3), *polls("08:01:05", "08:02", 3, is_working=True)]
    assert polled(bench, rows).pick("vendor_state", "is_handling") == [("3", False), ("3", True)]


def test_an_error_makes_that_agent_unknown_and_no_other(bench: Workbench) -> None:
    """If this fails, an agent whom the gateway does not tell about keeps the last state."""
    rows = [*polls("08:00", "08:01"), *polls("08:01:05", "08:02", None), *polls("08:00", "08:02", 3, "102")]
    assert polled(bench, rows).pick("agent_id", *SPAN, "reason") == [
        ("101", "08:00", "08:01:05", "4", None),
        ("101", "08:01:05", None, "error", "100-006"),
        ("102", "08:00", None, "3", None),
    ]


def test_an_agent_who_is_polled_no_more_ends_while_others_go_on(bench: Workbench) -> None:
    """If this fails, an agent who left the file of GUIDs stays ready all day."""
    rows = [*polls("08:00", "08:01"), *polls("08:00", "08:02", 3, "102")]
    assert polled(bench, rows).pick("agent_id", "ended_at") == [("101", "08:01"), ("102", None)]


def test_a_state_over_midnight_is_one(bench: Workbench) -> None:
    """If this fails, each day begins with a change of state that did not happen, or the old day's end is cut."""
    rows = [*polls("-1d 23:55", "00:05"), *polls("00:05:05", "00:20", 7), *polls("23:55", "+1d 00:05", 3)]
    found = polled(bench, rows)
    assert found.pick(*SPAN) == [("00:05:05", "00:20", "7"), ("23:55", None, "3")]


def test_a_change_just_after_midnight_ends_the_day_before(bench: Workbench) -> None:
    """If this fails, a day's last state is open although its end is known."""
    rows = [*polls("23:59", "24:00"), *polls("+1d 00:00:05", "+1d 00:01", 7)]
    assert polled(bench, rows).pick(*SPAN) == [("23:59", "+1d 00:00:05", "4")]


def test_what_was_carried_over_midnight_and_is_polled_no_more_becomes_unknown(bench: Workbench) -> None:
    """If this fails, yesterday's last state goes on all day for somebody who is not asked for."""
    rows = [*polls("-1d 23:59", "00:05"), *polls("-1d 23:59", "00:10", 3, "102")]
    assert polled(bench, rows).pick("agent_id", *SPAN) == [("101", "00:05", None, "unknown")]


def test_a_gap_in_the_watching_begins_a_new_stretch(bench: Workbench) -> None:
    """An open state is cut where nobody watched; if this fails, the hours after a restart of the recorder are lost."""
    first = polls("08:00", "08:01", window_start="08:00", window_end="08:01:01")
    then = polls("08:01:05", "08:02", window_start="08:01:04", window_end="08:02:01")
    assert polled(bench, [*first, *then]).pick(*SPAN) == [("08:00", "08:01:05", "4"), ("08:01:05", None, "4")]
    joined = [{**row, "window_start": first[0]["window_end"]} for row in then]
    assert len(polled(bench, [*first, *joined])) == 1


def test_polls_in_any_order_and_twice_say_the_same(bench: Workbench) -> None:
    """If this fails, the result depends on which file is read first."""
    rows = [*polls("08:00", "08:01"), *polls("08:01:05", "08:02", 7), *polls("08:02:30", "08:03", None)]
    twice = [*rows, *rows]
    random.Random(5).shuffle(twice)
    assert polled(bench, twice) == polled(bench, rows)


def present(first: str, last: str, state: int, since: int, **fields: Any) -> Staged:
    """Replies of CC-CMS every five seconds; the seconds count on."""
    rows = polls(first, last)
    begin = rows[0]["received_at"]
    return [
        {**cms("08:00", state, since, **fields), "requested_at": row["received_at"], "received_at": row["received_at"]}
        | {"current_state_seconds": since + int((row["received_at"] - begin).total_seconds())}
        for row in rows
    ]


def test_seconds_in_a_state_put_its_boundary_between_two_polls(bench: Workbench) -> None:
    """If this fails, a boundary is known to five seconds where the vendor says it to one."""
    rows = [*present("08:00", "08:01", 1, 0), *present("08:01:05", "08:02", 5, 2)]
    found = cms_polled(bench, rows)
    assert found.pick(*SPAN, "uncertainty_us", "is_derived")[-1] == ("08:01:02.5", None, "5", 500_000, False)
    assert found.pick("ended_at")[-2] == "08:01:02.5"


def test_a_state_may_begin_while_the_answer_before_it_is_under_way(bench: Workbench) -> None:
    """If this fails, a change that a slow answer just missed is put seconds later, and called exact."""
    slow = cms("08:00:04", 1, 3, requested_at=at("08:00:01"))
    found = cms_polled(bench, [cms("08:00", 1, 0), slow, cms("08:00:05", 7, 2)])
    assert found.pick("started_at", "uncertainty_us")[-1] == ("08:00:02.5", 500_000)


def test_seconds_that_waver_move_no_boundary(bench: Workbench) -> None:
    """Whole seconds of several polls give slightly different starts; if this fails, each poll begins a new state."""
    rows = [*present("08:00", "08:01", 1, 0), *present("08:01:05", "08:02", 5, 2)]
    wavering = [{**row, "current_state_seconds": row["current_state_seconds"] + n % 2} for n, row in enumerate(rows)]
    assert len(cms_polled(bench, wavering)) == len(cms_polled(bench, rows)) == 2


def test_the_same_state_anew_is_a_new_stretch(bench: Workbench) -> None:
    """If this fails, a call between two polls is not seen."""
    rows = [*present("08:00", "08:01", 1, 0), *present("08:01:05", "08:02", 1, 1, prev_state=5, prev_state_seconds=2)]
    assert cms_polled(bench, rows).pick(*SPAN)[1:] == [
        ("08:01:01", "08:01:03.5", "5"),  # two whole seconds are up to three
        ("08:01:03.5", None, "1"),
    ]


def test_the_state_before_is_taken_where_nobody_saw_it(bench: Workbench) -> None:
    """If this fails, a short state between two polls is lost, or one that was seen counts twice."""
    seen = [*present("08:00", "08:01", 1, 0), *present("08:01:05", "08:02", 6, 2, prev_state=1, prev_state_seconds=62)]
    assert cms_polled(bench, seen).pick("vendor_state") == ["1", "6"]
    unseen = [*present("08:00", "08:01", 1, 0), *present("08:01:05", "08:02", 6, 1, prev_state=5, prev_state_seconds=2)]
    assert cms_polled(bench, unseen).pick(*SPAN, "is_derived")[1:] == [
        ("08:01:01", "08:01:03.5", "5", True),
        ("08:01:03.5", None, "6", False),
    ]


def test_seconds_prove_a_state_through_a_gap(bench: Workbench) -> None:
    """If this fails, a minute without polls is a hole although the vendor says what was."""
    rows = [*present("08:00", "08:01", 1, 0), *present("08:10", "08:11", 1, 600)]
    found = cms_polled(bench, rows)
    assert found.pick(*SPAN, "is_derived") == [
        ("07:59:59.5", "08:10", "1", False),
        ("08:10", None, "1", True),
    ]


def test_of_a_gap_only_what_the_vendor_tells_is_known(bench: Workbench) -> None:
    """If this fails, a state is claimed for a time of which nothing is known."""
    rows = [*present("08:00", "08:01", 1, 0), *present("08:10", "08:11", 7, 60, prev_state=6, prev_state_seconds=30)]
    assert cms_polled(bench, rows).pick(*SPAN) == [
        ("07:59:59.5", "08:01", "1"),
        ("08:08:29", "08:08:59.5", "6"),
        ("08:08:59.5", "08:10", "7"),
        ("08:10", None, "7"),
    ]


def test_the_first_poll_tells_of_the_time_before_it_on_its_own_day(bench: Workbench) -> None:
    """If this fails, what happened before the recorder was started is lost, or the day before is written anew."""
    assert cms_polled(bench, present("08:00", "08:01", 1, 3600)).pick(*SPAN)[0] == ("06:59:59.5", "08:00", "1")
    assert cms_polled(bench, present("08:00", "08:01", 0, 99999)).pick(*SPAN)[0] == ("00:00", "08:00", "0")


def test_who_never_signed_in_is_signed_out(bench: Workbench) -> None:
    """The vendor writes the year 2106 there; if this fails, an agent signed in in the future."""
    rows = present("08:00", "08:01", 1, 0, logon_ms=4294967295000)
    assert set(cms_polled(bench, rows).pick("vendor_state", "logged_in_at")) == {("0", None)}


@pytest.mark.parametrize("seconds", [4294967295, 99])
def test_seconds_that_tell_nothing_leave_the_sample_as_boundary(bench: Workbench, seconds: int) -> None:
    """If this fails, a state began 136 years ago, or before another was seen, or a boundary nobody knows is exact."""
    rows = [cms("08:00", 1, 4294967295), cms("08:00:05", 7, seconds), cms("08:00:08", 5, 4294967295)]
    assert cms_polled(bench, rows).pick(*SPAN, "uncertainty_us", "is_derived") == [
        ("08:00", "08:00:05", "1", 2_500_000, True),
        ("08:00:05", "08:00:08", "7", 5_000_000, False),
        ("08:00:08", None, "5", 3_000_000, False),
    ]


def test_a_reason_counts_while_resting_alone(bench: Workbench) -> None:
    """If this fails, the cause of a sign-out or a placeholder stands as the reason of a break."""
    rows = [
        *present("08:00", "08:01", 8, 0, current_state_reason=200),
        *present("08:01:05", "08:02", 8, 2, current_state_reason=201),
        *present("08:02:05", "08:03", 8, 2, current_state_reason=65535),
        *present("08:03:05", "08:04", 0, 2, current_state_reason=258),
    ]
    assert cms_polled(bench, rows).pick("vendor_state", "reason")[-4:] == [
        ("8", "200"),
        ("8", "201"),
        ("8", None),
        ("0", None),
    ]


def test_replies_in_any_order_and_twice_say_the_same(bench: Workbench) -> None:
    """If this fails, the result depends on which file is read first."""
    rows = [
        *present("08:00", "08:01", 1, 0),
        *present("08:01:05", "08:02", 6, 1, prev_state=5, prev_state_seconds=2),
        *present("08:10", "08:11", 1, 60, prev_state=6, prev_state_seconds=30),
    ]
    twice = [*rows, *rows]
    random.Random(5).shuffle(twice)
    assert cms_polled(bench, twice) == cms_polled(bench, rows)
