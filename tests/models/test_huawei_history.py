"""What Huawei's operations say: states, what is derived between them, who took part in which call, and hand-overs."""

import random
from typing import Any

import pytest

from tests.models.huawei import asked, history, operation, operations, poll, polls, records
from tests.models.test_huawei_polls import present
from tests.models.workbench import Rows, Workbench, at

SPAN = ("started_at", "ended_at", "vendor_state")
DAY = [asked("-1d 00:00", "00:00"), asked("00:00", "24:00"), asked("24:00", "+2d 00:00")]
Staged = list[dict[str, Any]]


def test_a_signed_in_agent_without_an_operation_is_idle(bench: Workbench) -> None:
    """The vendor may not write idle; if this fails, waiting time is a hole or counts as something else."""
    rows = [
        *DAY,
        operation("08:00", "08:00", 1),
        operation("08:10", "08:20", 3, "1"),
        operation("08:30", "08:40", 27, "0"),
    ]
    assert history(bench, rows).pick(*SPAN, "is_derived")[1:] == [
        ("08:00", "08:10", "2", True),
        ("08:10", "08:20", "3", False),
        ("08:20", "08:30", "2", True),
        ("08:30", "08:40", "27", False),
    ]


def test_idle_that_is_written_is_not_derived(bench: Workbench) -> None:
    """If this fails, what the vendor says counts as our guess."""
    rows = [*DAY, operation("08:00", "08:10", 2), operation("08:10", "08:20", 3, "1")]
    assert history(bench, rows).pick(*SPAN, "is_derived")[0] == ("08:00", "08:10", "2", False)


def test_nothing_is_derived_where_nobody_asked(bench: Workbench) -> None:
    """If this fails, an hour that was not fetched is an hour of waiting."""
    rows = [
        asked("08:00", "09:00"),
        asked("10:00", "11:00"),
        operation("08:10", "08:20", 3),
        operation("10:10", "10:20", 3),
    ]
    assert history(bench, rows).pick(*SPAN) == [("08:10", "08:20", "3"), ("10:10", "10:20", "3")]


def test_time_is_idle_only_where_it_was_asked_for_after_it_was_over(bench: Workbench) -> None:
    """An operation may be written when it ends; if this fails, a rest of three hours counts as waiting."""
    rows = [
        asked("08:00", "09:00", received_at=at("09:05")),
        asked("09:00", "12:00", received_at=at("12:05")),
        operation("08:10", "08:20", 3),
        operation("11:00", "11:10", 3),
    ]
    assert history(bench, rows).pick(*SPAN) == [("08:10", "08:20", "3"), ("11:00", "11:10", "3")]
    rows.append(asked("08:00", "09:00", received_at=at("11:05")))
    assert history(bench, rows).pick(*SPAN)[1] == ("08:20", "11:00", "2")


@pytest.mark.parametrize("agent", ["101", None])
def test_nothing_is_derived_beside_an_operation_that_cannot_be_read(bench: Workbench, agent: str | None) -> None:
    """It may be a rest of that time; if this fails, what nobody could read counts as waiting, one's own or all's."""
    rows = [
        asked("08:00", "09:00", agent, segment="a", received_at=at("11:00")),
        asked("09:00", "10:00", agent, segment="b", received_at=at("11:00")),
        *(operation(start, start, 3, segment=name) for name, start in (("a", "08:10"), ("a", "08:40"), ("b", "09:30"))),
    ]
    read = [("08:10", "09:30", "2")]
    assert history(bench, rows).pick(*SPAN) == read
    unread = {"segment": "a", "reject_reason": "begin_time is missing or no time", "record": 3}
    garbled = {**operation("08:20", "08:30", 26, agent_id="102"), **unread, "begin_at": None}
    assert history(bench, [*rows, garbled]).pick(*SPAN) == ([] if agent else read)
    assert history(bench, [*rows, {**garbled, "agent_id": None}]).pick(*SPAN) == []


def test_a_last_look_proves_what_earlier_ones_could_not(bench: Workbench) -> None:
    """Windows overlap; if this fails, a long wait stays unknown for ever, or a look at one hour vouches for six."""
    rows = [
        asked("06:00", "07:00", received_at=at("09:05")),
        asked("07:00", "08:00", received_at=at("10:05")),
        asked("08:00", "12:00", received_at=at("14:05")),
        operation("06:10", "06:20", 3),
        operation("11:00", "11:10", 3),
    ]
    last = asked("06:00", "12:00", received_at=at("+1d 05:00"))
    early = asked("06:00", "12:00", received_at=at("10:00"))
    assert ("06:20", "11:00", "2") in history(bench, [*rows, last]).pick(*SPAN)
    again = asked("06:00", "07:00", received_at=at("+1d 05:00"))
    assert ("06:20", "11:00", "2") not in history(bench, [*rows, early, again]).pick(*SPAN)


def test_nothing_is_derived_after_the_last_operation(bench: Workbench) -> None:
    """An operation is written when it ends; if this fails, a rest that goes on counts as waiting."""
    rows = [*DAY, operation("08:00", "08:00", 1), operation("08:10", "08:20", 3)]
    assert history(bench, rows).pick(*SPAN)[-1] == ("08:10", "08:20", "3")


def test_before_a_sign_in_and_after_a_sign_out_an_agent_is_offline(bench: Workbench) -> None:
    """If this fails, the night counts as unobserved although the vendor says when they came and went."""
    rows = [*DAY, operation("08:00", "08:00", 1), operation("12:00", "12:00", 0, "258"), operation("13:00", "13:00", 1)]
    rows.append(operation("17:00", "17:00", 0, "258"))
    assert history(bench, rows).pick(*SPAN, "reason", "logged_in_at") == [
        ("00:00", "08:00", "0", None, None),
        ("08:00", "12:00", "2", None, "08:00"),
        ("12:00", "13:00", "0", "258", None),
        ("13:00", "17:00", "2", None, "13:00"),
        ("17:00", None, "0", "258", None),
    ]


def test_a_sign_out_does_not_last_through_what_nobody_asked_for(bench: Workbench) -> None:
    """Somebody may have come and gone meanwhile; if this fails, an hour without a feed is an hour signed out."""
    rows = [
        asked("-1d 00:00", "09:00"),
        asked("10:00", "24:00"),
        operation("08:00", "08:00", 0, "258"),
        operation("11:00", "11:00", 1),
    ]
    assert history(bench, rows).pick(*SPAN, "is_derived") == [
        ("08:00", None, "0", False),
        ("10:00", "11:00", "0", True),
    ]


def test_a_sign_in_of_the_evening_before_reaches_into_the_day(bench: Workbench) -> None:
    """If this fails, a night shift is cut at midnight or told twice."""
    rows = [
        *DAY,
        operation("-1d 22:00", "-1d 22:00", 1),
        operation("00:30", "00:40", 3),
        operation("06:00", "06:00", 0, "258"),
    ]
    assert history(bench, rows).pick(*SPAN, "logged_in_at") == [
        ("00:30", "00:40", "3", "-1d 22:00"),
        ("00:40", "06:00", "2", "-1d 22:00"),
        ("06:00", None, "0", None),
    ]


@pytest.mark.parametrize("starts", [["08:02", "08:02", "08:02"], ["08:02", "08:05", "08:10"]])
def test_rows_of_a_talk_that_goes_on_are_one_talk(bench: Workbench, starts: list[str]) -> None:
    """Whether each row begins with the talk is not said; if this fails, it counts several times or has holes."""
    rows = [
        *DAY,
        operation(starts[0], "08:05", 4, "1", call_id="c"),
        operation(starts[1], "08:10", 4, "1", call_id="c"),
        operation(starts[2], "08:12", 4, "0", call_id="c"),
        operation("08:12", "08:13", 27, "0"),
    ]
    assert history(bench, rows).pick(*SPAN) == [("08:02", "08:12", "4"), ("08:12", "08:13", "27")]


def test_a_talk_whose_end_is_not_written_yet_lasts_to_what_follows(bench: Workbench) -> None:
    """If this fails, the last minutes of a talk count as waiting."""
    rows = [*DAY, operation("08:02", "08:05", 4, "1", call_id="c"), operation("08:08", "08:09", 27, "0")]
    assert history(bench, rows).pick(*SPAN)[0] == ("08:02", "08:08", "4")


def test_a_hold_lies_inside_its_talk(bench: Workbench) -> None:
    """If this fails, a hold ends its talk, and the rest of the call counts as waiting."""
    rows = [*DAY, operation("08:00", "08:10", 4, "0", call_id="c"), operation("08:03", "08:04", 38, call_id="c")]
    assert history(bench, rows).pick(*SPAN) == [
        ("08:00", "08:03", "4"),
        ("08:03", "08:04", "38"),
        ("08:04", "08:10", "4"),
    ]


def test_a_call_wins_over_being_busy(bench: Workbench) -> None:
    """If this fails, a call taken while busy is lost."""
    rows = [*DAY, operation("08:00", "08:30", 3, "1"), operation("08:10", "08:20", 4, "0", call_id="c")]
    assert history(bench, rows).pick("vendor_state") == ["3", "4", "3"]


def test_an_operation_without_an_end_lasts_to_the_next_or_as_far_as_was_asked(bench: Workbench) -> None:
    """If this fails, what goes on is cut or runs beyond what was seen."""
    rows = [
        asked("08:00", "09:00"),
        operation("08:10", None, 3, "1", window_start="08:00", window_end="09:00"),
        operation("08:30", None, 26, "200", window_start="08:00", window_end="09:00"),
    ]
    assert history(bench, rows).pick(*SPAN, "reason") == [("08:10", "08:30", "3", "1"), ("08:30", "09:00", "26", "200")]


def test_an_operation_counts_once_however_often_it_was_delivered(bench: Workbench) -> None:
    """If this fails, overlapping windows tell an operation twice, or its open copy beats the closed one."""
    still = operation("08:10", None, 3, id="x", received_at="12:00")
    ended = operation("08:10", "08:20", 3, id="x", received_at="10:00")
    for copies in ([still, ended], [ended, still, ended]):
        assert [row["end_at"] is not None for row in operations(bench, copies)] == [True]


def test_operations_in_any_order_and_twice_say_the_same(bench: Workbench) -> None:
    """If this fails, the result depends on which file is read first."""
    rows = [
        *DAY,
        operation("08:00", "08:00", 1),
        operation("08:05", "08:10", 4, "1", call_id="c"),
        operation("08:05", "08:12", 4, "0", call_id="c"),
        operation("08:07", "08:08", 38, call_id="c"),
        operation("08:12", "08:14", 27, "0"),
        operation("12:00", "12:00", 0, "258"),
    ]
    twice = [*rows, *rows]
    random.Random(3).shuffle(twice)
    assert history(bench, twice) == history(bench, rows)


def participation(bench: Workbench, rows: Staged) -> Rows:
    """Who took part."""
    found = operations(bench, rows)
    return bench.run("intermediate.int_huawei_participation", int_huawei_operations=found)


def test_who_took_part_in_a_call_and_how(bench: Workbench) -> None:
    """If this fails, a call is attributed to the wrong agent or time, or a listener counts as having had it."""
    rows = [
        operation("08:00", "08:05", 4, "1", call_id="c"),
        operation("08:00", "08:12", 4, "0", call_id="c"),
        operation("08:03", "08:04", 38, call_id="c"),
        operation("08:05", "08:06", 20, call_id="c", agent_id="900"),
        operation("08:20", "08:21", 3),
        operation("09:00", "09:05", 4, "1", call_id="d"),
    ]
    names = ("interaction_id", "agent_id", "joined_at", "left_at", "role")
    assert participation(bench, rows).pick(*names) == [
        ("c", "101", "08:00", "08:12", "owner"),
        ("c", "900", "08:05", "08:06", "participant"),
        ("d", "101", "09:00", None, "owner"),
    ]


def test_a_call_that_comes_back_is_joined_again(bench: Workbench) -> None:
    """If this fails, an agent had a call while another had it."""
    rows = [operation("08:00", "08:02", 4, "0", call_id="c"), operation("08:10", "08:12", 4, "0", call_id="c")]
    assert participation(bench, rows).pick("joined_at", "left_at") == [("08:00", "08:02"), ("08:10", "08:12")]


@pytest.mark.parametrize("second", ["08:03", "08:05"])
def test_a_call_that_comes_back_within_five_minutes_is_joined_again(bench: Workbench, second: str) -> None:
    """If this fails, an interim record hides that the agent was without the call, however it is written."""
    rows = [
        operation("08:03", "08:05", 4, "1", call_id="c"),
        operation(second, "08:06", 4, "0", call_id="c"),
        operation("08:08", "08:10", 4, "1", call_id="c"),
        operation("08:10" if second == "08:05" else "08:08", "08:11", 4, "0", call_id="c"),
    ]
    assert participation(bench, rows).pick("joined_at", "left_at") == [("08:03", "08:06"), ("08:08", "08:11")]


def test_a_call_that_comes_back_soon_is_joined_again(bench: Workbench) -> None:
    """A talk is written each five minutes; if this fails, one that ended is taken to go on for the rest of them."""
    rows = [operation("08:00", "08:05", 4, "1", call_id="c"), operation("08:05", "08:07", 4, "0", call_id="c")]
    rows.append(operation("08:08", "08:12", 4, "0", call_id="c"))
    assert participation(bench, rows).pick("joined_at", "left_at") == [("08:00", "08:07"), ("08:08", "08:12")]


def test_a_call_over_midnight_belongs_to_the_day_it_began(bench: Workbench) -> None:
    """If this fails, a call counts on two days or on none."""
    rows = [operation("-1d 23:58", "00:05", 4, "0", call_id="a"), operation("23:58", "24:00", 4, "1", call_id="b")]
    rows.append(operation("24:00", "+1d 00:03", 4, "0", call_id="b"))
    assert participation(bench, rows).pick("interaction_id", "left_at") == [("b", "+1d 00:03")]


def test_hand_overs_say_who_handed_what_to_whom(bench: Workbench) -> None:
    """If this fails, a transfer is lost, counts twice, or has a receiver that the vendor did not name."""
    rows = [
        operation("08:00", "08:01", 45, call_id="c", op_object="102"),
        operation("08:00", "08:01", 45, call_id="c", op_object="102", id="again"),
        operation("09:00", None, 46, call_id="d", op_object="65535"),
        operation("10:00", "10:00", 54, call_id="e", op_object="-1"),
        operation("11:00", "11:01", 53, call_id="f"),
        operation("12:00", "12:01", 45, call_id="65535"),
        operation("13:00", "13:01", 47, call_id="g"),  # signs in to a media server
        operation("14:00", "14:01", 52, call_id="g"),
        operation("15:00", "15:01", 54, call_id="h", op_object="102"),
    ]
    found = bench.run("intermediate.int_huawei_transfers", int_huawei_operations=operations(bench, rows))
    assert found.pick("interaction_id", "from_agent_id", "to_kind", "to_id", "started_at", "completed_at", "kind") == [
        ("c", "101", "agent", "102", "08:00", "08:01", "unknown"),
        ("d", "101", "external", None, "09:00", None, "unknown"),
        ("e", "101", "unknown", None, "10:00", "10:00", "blind"),
        ("h", "101", "unknown", "102", "15:00", "15:01", "blind"),
    ]


def test_what_history_tells_replaces_what_polls_said(bench: Workbench) -> None:
    """If this fails, an agent is in two states at once, or the exact boundary loses against the sampled one."""
    past = [
        asked("08:00", "09:00"),
        operation("08:00:10", "08:00:20", 3, "1"),
        operation("08:00:30", "08:00:40", 27, "0"),
    ]
    rows = records(bench, [*polls("08:00", "08:01")], past=past)
    assert rows.pick("feed", *SPAN) == [
        ("agent_status", "08:00", "08:00:10", "4"),
        ("cms_history", "08:00:10", "08:00:20", "3"),
        ("agent_status", "08:00:20", "08:00:30", "4"),
        ("cms_history", "08:00:30", "08:00:40", "27"),
        ("agent_status", "08:00:40", None, "4"),
    ]
    assert rows.pick("is_derived") == [True, False, True, False, True]


@pytest.mark.parametrize("feed", ["cms_status", "agent_status"])
def test_a_talk_that_polls_saw_is_not_the_idle_that_history_derives(bench: Workbench, feed: str) -> None:
    """A file may hold talks of text chat alone; if this fails, who was on the telephone was waiting."""
    past = [asked("08:00", "10:00"), operation("08:00", "08:10", 3), operation("09:50", "10:00", 3)]
    talk = {"cms_status": "5", "agent_status": "7"}[feed]
    idle = {"cms_status": "1", "agent_status": "4"}[feed]
    if feed == "cms_status":
        seen = [*present("09:00", "09:02", 5, 0), *present("09:02:05", "09:03", 1, 4)]
        rows = records(bench, past=past, present=seen)
    else:
        rows = records(bench, [*polls("09:00", "09:02", 7), *polls("09:02:05", "09:03")], past=past)
    told = rows.pick("vendor_state", "feed")
    assert told == [
        ("3", "cms_history"),
        ("2", "cms_history"),
        (talk, feed),
        (idle, feed),
        ("2", "cms_history"),
        ("3", "cms_history"),
    ]


def test_polls_beside_the_edge_of_an_operation_move_it_not(bench: Workbench) -> None:
    """History is exact to a second; if this fails, each talk lasts until the gateway was asked again."""
    past = [asked("08:00", "09:00"), operation("08:00", "08:00:30", 4, "0"), operation("08:01", "09:00", 3)]
    gateway = [*polls("08:00", "08:00:30", 7), *polls("08:00:35", "08:00:55"), *polls("08:01", "08:02", 3)]
    assert records(bench, gateway, past=past).pick("feed", *SPAN) == [
        ("cms_history", "08:00", "08:00:30", "4"),
        ("cms_history", "08:00:30", "08:00:35", "2"),
        ("agent_status", "08:00:35", "08:01", "4"),
        ("cms_history", "08:01", "09:00", "3"),
    ]


def test_cms_beats_the_gateway_as_far_as_it_saw(bench: Workbench) -> None:
    """If this fails, the coarser feed decides, or the finer one goes on where it saw nothing any more."""
    gateway = [*polls("08:00", "08:02", 4)]
    rows = records(bench, gateway, present("08:00:30", "08:01", 7, 0))
    assert rows.pick("feed", *SPAN)[2:] == [
        ("cms_status", "08:00:30", None, "7"),
        ("agent_status", "08:01", None, "4"),
    ]


def test_of_two_feeds_that_ended_the_one_that_saw_last_goes_on(bench: Workbench) -> None:
    """If this fails, an old sign-out comes back when polling pauses."""
    past = [asked("07:00", "07:30"), operation("07:00", "07:00", 1), operation("07:10", "07:10", 0, "258")]
    rows = records(bench, past=past, present=present("08:00", "08:01", 1, 0))
    assert rows.pick("feed", "vendor_state", "ended_at")[-1] == ("cms_status", "1", None)


def test_an_error_of_the_gateway_hides_no_other_feed(bench: Workbench) -> None:
    """If this fails, an agent whom CC-CMS tells about is unknown because the gateway does not."""
    rows = records(bench, polls("08:00", "08:02", None), present("08:00", "08:02", 7, 0))
    assert set(rows.pick("feed")) == {"cms_status"}
    alone = records(bench, polls("08:00", "08:02", None))
    assert alone.pick("feed", "vendor_state", "reason") == [("agent_status", "error", "100-006")]


def test_each_record_has_an_id_and_fills_what_the_feeds_say(bench: Workbench) -> None:
    """If this fails, records of one agent cannot be told apart, or a figure is given that no feed gives."""
    rows = records(bench, [poll("08:00"), poll("08:00:05", 3, is_working=True)])
    assert len(set(rows.pick("record_id"))) == len(rows) == 2
    assert rows.pick("vendor", "session_id", "work_items", "load", "is_handling") == [
        ("huawei", None, None, None, False),
        ("huawei", None, None, None, True),
    ]


def test_every_word_that_the_vendor_explains_is_mapped(bench: Workbench) -> None:
    """If this fails, a documented state counts as unobserved."""
    known = {(row["feed"], row["vendor_state"]): row["state"] for row in bench.state_map if row["vendor"] == "huawei"}
    assert known["agent_status", "7"] == "handling"
    assert known["cms_status", "7"] == "not_ready"
    assert {code for feed, code in known if feed == "agent_status"} >= set("023456789")
    assert {code for feed, code in known if feed == "cms_status"} >= set("0123456789")
