"""The questions a state API cannot answer, each with what was observed beside it."""

from typing import Any

import duckdb
import pytest

from tests.models.macros import Row, ask, stay, told
from tests.models.workbench import Rows, Workbench

NO_COUNTS = ["load", "capacity"]


def answer(bench: Workbench, call: str, until: str, *timeline: list[Row], **given: Any) -> Rows:
    """What a question returns; ``{at}`` in its call is a time on the day of the tests, or one with its date."""
    moment = until if until.count("-") > 1 else f"2026-11-03 {until}"
    rows = [row for rows in timeline for row in rows]
    return ask(bench, call.format(at=f"timestamptz '{moment}+00'"), rows, **given)


def test_a_state_holds_from_its_start_to_before_its_end(bench: Workbench) -> None:
    """At the instant of a change an agent is in one state, not in two or none; later than observed, in none."""
    day = told("00:00", "09:00", "offline"), told("09:00", "10:00")
    states = [
        answer(bench, "agent_state_at({at})", moment, *day).pick("state")
        for moment in ("08:59:59.999999", "09:00:00", "09:59:59.999999", "10:00:00")
    ]
    assert states == [["offline"], ["available"], ["available"], []]


def test_a_state_at_an_instant_names_its_record(bench: Workbench) -> None:
    """A state that began before midnight must not seem to begin there, and nobody's name may be missing."""
    lunch = told("-1d 22:00", "01:00", "not_ready", reason="Lunch")
    rows = answer(bench, "agent_state_at({at})", "00:30:00", lunch)
    assert rows.pick("source", "agent_id", "agent_name", "started_at") == [("cx", "ann", "Ann", "-1d 22:00")]
    assert rows.pick("state", "vendor_state", "reason", "evidence") == [("not_ready", "not_ready", "Lunch", "carried")]


def test_time_in_a_state_is_cut_at_both_ends_to_the_microsecond(bench: Workbench) -> None:
    """A state counted outside of the hours asked for makes a shift longer than it was."""
    day = (
        told("-1d 23:00", "00:30:00.000001", "handling"),
        told("00:30:00.000001", "01:00", "unobserved"),
        told("01:00", "03:00"),
    )
    rows = answer(bench, "time_in_state(2.25, {at})", "01:45:00.5", *day)
    assert rows.pick("agent_name", "state", "vendor_state", "seconds", "observed_seconds") == [
        ("Ann", "available", "available", 2700.5, 6300.000001),
        ("Ann", "handling", "handling", 3599.500001, 6300.000001),
        ("Ann", "unobserved", "unobserved", 1799.999999, 6300.000001),
    ]


def test_time_in_a_state_keeps_the_words_of_the_vendor_apart(bench: Workbench) -> None:
    """Idle and busy are both not ready; added up, the vendor's own question would stay unanswered."""
    idle = told("08:00", "09:00", "not_ready", vendor_state="idle")
    day = idle, told("09:00", "09:30", "not_ready", vendor_state="busy")
    rows = answer(bench, "time_in_state(8, {at})", "12:00:00", *day)
    assert rows.pick("vendor_state", "seconds", "observed_seconds") == [("busy", 1800, 5400), ("idle", 3600, 5400)]


def test_waiting_is_not_the_flag_that_the_vendor_calls_idle(bench: Workbench) -> None:
    """Taken for one another, agents away from their desks would look as if they waited for work."""
    day = (
        told("08:00", "09:00"),
        told("09:00", "09:20", "not_ready", reason_code="assignment_off+idle"),
        told("09:20", "09:30", "handling", reason_code="idle+at_capacity"),
        told("09:30", "09:40", "not_ready", reason_code="assignment_off"),
        told("09:40", "10:00", "unobserved"),
    )
    rows = answer(bench, "idle_time(1.5, {at})", "10:00:00", *day)
    assert rows.pick("idle_seconds", "vendor_idle_seconds", "observed_seconds") == [(1800, 1800, 4200)]


def test_a_signal_that_a_source_does_not_give_is_null_for_each_of_its_agents(bench: Workbench) -> None:
    """Zero seconds and no sessions would look like agents without work."""
    day = told("08:00", "09:00", "offline")
    for lacks in ("available", "handling"):
        rows = answer(bench, "idle_time(8, {at})", "10:00:00", day, lacks=[lacks, "idle_flag"])
        assert rows.pick("idle_seconds", "vendor_idle_seconds", "observed_seconds") == [(None, None, 3600)]
    rows = answer(bench, "sessions_participated(8, {at})", "10:00:00", day, lacks=["participation"])
    assert rows.pick("agent_id", "sessions", "observed_seconds") == [("ann", None, 3600)]
    rows = answer(bench, "time_with_sessions(1, 8, {at})", "10:00:00", day, lacks=["participation", *NO_COUNTS])
    assert rows.pick("agent_id", "seconds", "observed_seconds") == [("ann", None, 3600)]


def test_agents_of_whom_nothing_was_observed_are_named_with_nothing_observed(bench: Workbench) -> None:
    """An agent who is left out of a list cannot be missed; one who is not known yet must not be on it."""
    day = told("-9d 08:00", "-9d 09:00"), told("18:00", "19:00", agent="bob")
    for call, figure in (("idle_time(8, {at})", "idle_seconds"), ("sessions_participated(8, {at})", "sessions")):
        rows = answer(bench, call, "12:00:00", *day)
        assert rows.pick("agent_name", figure, "observed_seconds") == [("Ann", 0, 0)]


@pytest.mark.parametrize(
    ("stays", "sessions"),
    [
        ([stay("i", "07:00", "09:00")], 1),
        ([stay("i", "07:00", "08:00")], 0),
        ([stay("i", "12:00", "12:30")], 0),
        ([stay("i", "08:00", "08:00")], 1),
        ([stay("i", "09:00", "09:10"), stay("i", "09:20", "09:30"), stay("j", "10:00", "10:00")], 2),
        ([stay("i", "-20d 07:00", "13:00")], 1),
        # Whose end nobody saw: it was over when the agent was next seen doing anything else.
        ([stay("i", "09:00")], 1),
        ([stay("i", "-1d 09:00")], 0),
    ],
)
def test_sessions_are_those_that_reach_into_the_hours(bench: Workbench, stays: list[Row], sessions: int) -> None:
    """A session counted twice, or on every day since its end was missed, makes agents look busier than they were."""
    day = told("-1d 08:00", "-1d 12:00", "handling"), told("-1d 12:00", "08:00", "offline"), told("08:00", "13:00")
    rows = answer(bench, "sessions_participated(4, {at})", "12:00:00", *day, stays=stays)
    assert rows.pick("agent_id", "sessions", "observed_seconds") == [("ann", sessions, 14400)]


def test_an_end_that_nobody_saw_is_not_before_the_vendor_could_have_told(bench: Workbench) -> None:
    """A state told late began earlier; taken for what came after joining, it would end the session at once."""
    day = (
        told("08:00", "09:00:05", uncertainty_seconds=20.0),
        told("09:00:05", "09:00:10", "not_ready", uncertainty_seconds=20.0),
        told("09:00:10", "11:00", "handling", uncertainty_seconds=20.0),
        told("11:00", "12:00", uncertainty_seconds=20.0),
    )
    call = "participation_between({at} - interval 4 hours, {at})"
    rows = answer(bench, call, "12:00:00", *day, stays=[stay("i", "09:00")])
    assert rows.pick("joined_at", "left_at") == [("09:00", "11:00")]


def test_work_that_no_feed_names_makes_the_count_unknown(bench: Workbench) -> None:
    """Calls of the last minutes that history does not show yet would be missing without a word."""
    day = told("08:00", "09:00", "handling"), told("09:00", "10:00"), told("10:00", "10:10", "handling")
    known, late = stay("i", "08:00", "09:00"), stay("j", "10:00", "10:10")
    for until, stays, sessions, seconds in (
        ("10:00:00", [known], 1, 3600),
        ("10:05:00", [known], None, None),
        ("10:05:00", [known, late], 2, 3900),
    ):
        rows = answer(bench, "sessions_participated(8, {at})", until, *day, stays=stays)
        assert rows.pick("sessions") == [sessions]
        rows = answer(bench, "time_with_sessions(1, 8, {at})", until, *day, stays=stays, lacks=NO_COUNTS)
        assert rows.pick("seconds") == [seconds]


def test_stays_that_are_cut_at_the_same_instant_all_vouch_for_the_work(bench: Workbench) -> None:
    """If this fails, a count is unknown only because the shorter of two interactions was looked at."""
    busy, waiting = told("08:00", "09:01", "handling"), told("09:01", "09:05")
    day = busy, waiting, told("09:05", "09:10", "handling"), told("09:10", "10:00")
    for stays in (
        [stay("i", "08:00", "09:10"), stay("j", "08:30", "09:01")],
        [stay("i", "08:30", "09:01"), stay("j", "08:00", "09:10")],
    ):
        rows = answer(bench, "sessions_participated(1, {at})", "10:00:00", *day, stays=stays)
        assert rows.pick("sessions") == [2]
        rows = answer(bench, "time_with_sessions(1, 1, {at})", "10:00:00", *day, stays=stays, lacks=NO_COUNTS)
        assert rows.pick("seconds") == [600]


def test_time_in_sessions_at_once_follows_the_work_items(bench: Workbench) -> None:
    """Two chats at once are more than one; a supervisor asks for those who had at least so many."""
    day = (
        told("08:00", "08:10", work_items=0),
        told("08:10", "08:30", "handling", work_items=1),
        told("08:30", "08:40", "handling", work_items=3),
        told("08:40", "09:00", "unobserved"),
    )
    figures = [
        answer(bench, f"time_with_sessions({least}, 0.5, {{at}})", "08:50:00", *day).pick("seconds", "observed_seconds")
        for least in (1, 2, 4)
    ]
    assert figures == [[(1200, 1200)], [(600, 1200)], [(0, 1200)]]


def test_a_count_that_is_missing_while_handling_makes_the_time_unknown(bench: Workbench) -> None:
    """The rest alone would be too small a figure."""
    day = told("08:00", "08:10", "handling", work_items=1), told("08:10", "08:20", "handling")
    rows = answer(bench, "time_with_sessions(1, 8, {at})", "09:00:00", *day)
    assert rows.pick("seconds", "observed_seconds") == [(None, 1200)]


def test_time_in_sessions_at_once_follows_participation_where_nothing_is_counted(bench: Workbench) -> None:
    """A source that names calls and counts none can still tell who had two of them."""
    day = [told("08:00", "10:00", "handling")]
    stays = [stay("i", "07:00", "08:30"), stay("j", "08:20", "09:00"), stay("k", "08:25", "09:30"), stay("l", "09:30")]
    figures = [
        answer(bench, f"time_with_sessions({least}, 2, {{at}})", "10:00:00", *day, stays=stays, lacks=NO_COUNTS).pick(
            "seconds"
        )
        for least in (1, 2, 3)
    ]
    assert figures == [[7200], [600 + 1800], [300]]


HOURS = ("time_in_state", "idle_time", "sessions_participated", "time_with_sessions")


@pytest.mark.parametrize("macro", HOURS)
@pytest.mark.parametrize(("hours", "word"), [("null", "NULL"), ("-0.5", "-0.5")])
def test_hours_that_are_none_are_not_a_question(bench: Workbench, macro: str, hours: str, word: str) -> None:
    """If this fails, a forgotten parameter is answered with zero seconds, which would be believed."""
    least = "1, " if macro == "time_with_sessions" else ""
    call = f"{macro}({least}{hours}, {{at}})"
    with pytest.raises(duckdb.Error, match=f"hours is 0 or more, not {word}"):
        answer(bench, call, "10:00:00", told("08:00", "09:00"))


@pytest.mark.parametrize("macro", HOURS[1:])
def test_hours_that_are_none_are_not_a_question_where_no_day_is_read(bench: Workbench, macro: str) -> None:
    """If this fails, the same is answered with zero where the timeline has nothing to look at."""
    least = "1, " if macro == "time_with_sessions" else ""
    answer(bench, "idle_time(1, {at})", "10:00:00", told("08:00", "09:00"))
    bench.give("marts.fct_agent_timeline", [])
    with pytest.raises(duckdb.Error, match="hours is"):
        bench.query(f"from {macro}({least}null, now())")


def test_the_end_of_time_is_no_instant_to_ask_about(bench: Workbench) -> None:
    """If this fails, a question without an end is answered with zero seconds."""
    with pytest.raises(duckdb.Error, match="as_of is an instant, not infinity"):
        answer(bench, "idle_time(8, timestamptz 'infinity')", "10:00:00", told("08:00", "09:00"))


def test_no_sessions_at_once_is_not_a_question(bench: Workbench) -> None:
    """All time is time in at least none: such a figure would be believed."""
    with pytest.raises(duckdb.Error, match="at_least is 1 or more, not 0"):
        answer(bench, "time_with_sessions(0, 8, {at})", "10:00:00", told("08:00", "09:00"))


def test_a_present_state_lasts_since_its_first_record(bench: Workbench) -> None:
    """An agent who has been handling for hours must not seem to have begun with their latest chat, or at midnight."""
    day = (
        told("-4d 20:00", "-4d 22:00"),
        told("-4d 22:00", "-3d 02:00", "handling", work_items=1),
        told("-3d 02:00", "03:00", "handling", work_items=2),
        told("03:00", "04:00", "handling", work_items=1),
    )
    rows = answer(bench, "current_state_age({at})", "03:30:00.25", *day)
    assert rows.pick("agent_name", "state", "vendor_state", "since", "seconds") == [
        ("Ann", "handling", "handling", "-4d 22:00", 77.5 * 3600 + 0.25)
    ]


def test_a_state_that_was_left_and_entered_again_is_a_new_one(bench: Workbench) -> None:
    """If this fails, a break in between, or time that nobody saw, counts towards the state."""
    for between in ("available", "unobserved"):
        day = told("08:00", "09:00", "handling"), told("09:00", "09:01", between), told("09:01", "12:00", "handling")
        rows = answer(bench, "current_state_age({at})", "09:30:00", *day)
        assert rows.pick("since", "seconds") == [("09:01", 1740)]


def test_a_state_goes_on_under_another_word_of_the_vendor(bench: Workbench) -> None:
    """If this fails, a state seems to begin whenever another feed of the source takes over, with codes of its own."""
    day = told("08:00", "09:00", vendor_state="1"), told("09:00", "10:00", vendor_state="4")
    rows = answer(bench, "current_state_age({at})", "09:30:00", *day)
    assert rows.pick("vendor_state", "since", "seconds") == [("4", "08:00", 5400)]


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        ("2026-11-03 11:00:00", [("handling", 7200)]),
        # Up to where the source was observed, for a day.
        ("2026-11-03 13:00:00", [("handling", 10800)]),
        ("2026-11-04 11:59:59", [("handling", 10800)]),
        ("2026-11-04 12:00:01", []),
    ],
)
def test_a_present_state_is_known_up_to_where_the_source_was_observed(
    bench: Workbench, until: str, expected: list[tuple[str, float]]
) -> None:
    """Stretched to the present, a state would go on through every outage."""
    day = told("00:00", "09:00", "offline"), told("09:00", "12:00", "handling")
    assert answer(bench, "current_state_age({at})", until, *day).pick("state", "seconds") == expected


def test_who_is_signed_out_has_a_present_state_only_where_the_timeline_has_one(bench: Workbench) -> None:
    """A day's end is no end of observation: at noon of the next, signed out for seven hours would be wrong."""
    gone = told("00:00", "17:00"), told("17:00", "24:00", "offline")
    busy = told("00:00", "24:00", agent="bob")
    for others in ([], told("+1d 00:00", "+1d 12:00", agent="bob")):
        rows = answer(bench, "current_state_age({at})", "2026-11-04 12:00:00", *gone, busy, others)
        assert rows.pick("agent_id", "seconds") == [("bob", 36 * 3600 if others else 24 * 3600)]
