"""Kore.ai's updates become stretches: order, repeats, twins of one second, sign-ins, and clocks that are put back."""

import random
from typing import Any

import pytest

from tests.models.kore import kore_clock, records, told, update
from tests.models.workbench import Workbench

GAP = {"source": "kore_in", "gap_start": "09:00", "gap_end": "10:00"}
BERLIN = "Europe/Berlin"


def test_a_day_of_updates_becomes_its_stretches(bench: Workbench) -> None:
    """If this fails, an update is lost, or a figure is made up that the vendor does not tell."""
    rows = records(bench, told("08:00 ready"), told("12:00 notready 1"), told("12:30 ready"), told("17:00 logout"))
    assert rows.pick("agent_id", "started_at", "ended_at", "vendor_state", "reason_code", "reason") == [
        ("ann", "08:00", None, "ready", None, None),
        ("ann", "12:00", None, "notready", "1", "1"),
        ("ann", "12:30", None, "ready", None, None),
        ("ann", "17:00", None, "logout", None, None),
    ]
    row = rows[1]
    assert (row["source"], row["vendor"], row["feed"]) == ("kore_in", "kore", "agent_activity")
    assert row["record_id"] == "ann|2026-11-03T12:00:00Z|notready|1"
    assert (row["uncertainty_us"], row["is_derived"], row["ends_session"]) == (1_000_000, False, False)
    untold = ("agent_name", "session_id", "direction", "work_items", "load", "capacity", "is_handling")
    assert [row[name] for name in untold] == [None] * len(untold)
    assert (row["segment"], row["payload_sha256"]) == ("seg 03 12", "p")


def test_only_updates_of_the_day_count(bench: Workbench) -> None:
    """If this fails, one update is counted on two days, or on none."""
    times = ("-1d 23:59:59", "00:00", "23:59:59", "24:00")
    rows = records(bench, [update(time, f"word {n}") for n, time in enumerate(times)])
    assert rows.pick("started_at") == ["00:00", "23:59:59"]


def test_rejected_updates_make_no_stretch(bench: Workbench) -> None:
    """If this fails, what could not be read is counted all the same."""
    assert records(bench, told("08:00 ready", reject_reason="bad")) == []


def test_repeats_and_second_deliveries_make_one_stretch(bench: Workbench) -> None:
    """If this fails, an update that comes twice, or says nothing new, begins another stretch."""
    again = told("08:00 ready", segment="later", received_at="12:00")
    rows = records(bench, told("08:00 ready", "08:10 ready", "08:20 notready 1", "08:30 notready 2"), again)
    assert rows.pick("started_at", "vendor_state", "reason_code") == [
        ("08:00", "ready", None), ("08:20", "notready", "1"), ("08:30", "notready", "2"),
    ]  # fmt: skip
    assert rows.pick("segment") == ["seg 03 08"] * 3


def test_a_repeat_after_a_gap_is_news(bench: Workbench) -> None:
    """What held before a gap does not resume; if this fails, the agent stays unobserved although Kore spoke again."""
    updates = told("08:00 ready"), told("10:30 ready"), told("11:00 ready")
    rows = records(bench, *updates, int_feed_gaps=[GAP])
    assert rows.pick("started_at") == ["08:00", "10:30"]
    elsewhere = {**GAP, "source": "another"}
    nothing = {**GAP, "gap_end": "09:00"}
    assert records(bench, *updates, int_feed_gaps=[elsewhere, nothing]).pick("started_at") == ["08:00"]


def test_a_sign_in_is_the_first_activity_after_being_signed_out(bench: Workbench) -> None:
    """If this fails, sessions begin at the wrong time, or without anybody having seen them begin."""
    rows = records(
        bench,
        told("06:00 ready"),
        told("07:00 logout"),
        told("08:00 notready"),
        told("08:05 ready"),
        told("16:00 logout"),
    )
    assert rows.pick("started_at", "logged_in_at") == [
        ("06:00", None), ("07:00", None), ("08:00", "08:00"), ("08:05", "08:00"), ("16:00", None),
    ]  # fmt: skip


def test_a_word_of_the_users_own_map_signs_out(bench: Workbench) -> None:
    """If this fails, an account with other words has sessions that never end; a reason may make the difference."""
    key = {"vendor": "kore", "source": None, "feed": None, "reason": None}
    mapped = [
        {**key, "vendor_state": "notready", "state": "not_ready"},
        {**key, "vendor_state": "notready", "reason": "99", "state": "offline"},
        {**key, "vendor_state": "notready", "source": "another", "reason": "1", "state": "offline"},
    ]
    updates = told("07:00 notready 99"), told("08:00 notready 1"), told("09:00 Zumba")
    rows = records(bench, *updates, state_map=mapped)
    assert rows.pick("started_at", "logged_in_at") == [("07:00", None), ("08:00", "08:00"), ("09:00", "08:00")]


def test_twins_of_a_second_keep_the_order_of_the_reply(bench: Workbench) -> None:
    """If this fails, an agent stays in a state that lasted less than a second."""
    rows = records(bench, told("08:00 login", "08:00 notready 1", "08:00 ready", "08:00 ready"))
    assert rows.pick("started_at", "vendor_state", "is_derived") == [("08:00", "ready", False)]
    returns = records(bench, told("08:00 ready", "08:00 notready", "08:00 ready"))
    assert returns.pick("vendor_state") == ["ready"]


def test_signing_out_and_in_within_a_second_begins_a_session(bench: Workbench) -> None:
    """If this fails, two sessions become one because the sign-out left no time."""
    rows = records(bench, told("08:00 ready"), told("12:00 logout", "12:00 ready"))
    assert rows.pick("started_at", "vendor_state", "logged_in_at") == [
        ("08:00", "ready", None),
        ("12:00", "ready", "12:00"),
    ]


def test_a_reply_that_falls_in_time_is_read_from_its_end(bench: Workbench) -> None:
    """The order of replies is not documented; if this fails, newest first turns every twin around."""
    rows = records(bench, told("08:30 notready", "08:00 ready", "08:00 login"))
    assert rows.pick("started_at", "vendor_state") == [("08:00", "ready"), ("08:30", "notready")]


def test_the_fuller_delivery_of_a_second_wins(bench: Workbench) -> None:
    """A reply at a window's edge may show half a second; if this fails, the half beats the whole."""
    whole = told("08:00 login", "08:00 ready")
    half = told("08:00 login", segment="edge")
    for updates in ((whole, half), (half, whole)):
        assert records(bench, *updates).pick("vendor_state", "is_derived", "segment") == [("ready", False, "seg 03 08")]


@pytest.mark.parametrize(
    ("one", "other", "winner"),
    [
        (("08:00 ready",), ("08:00 notready",), "notready"),
        (("08:00 ready", "08:00 notready"), ("08:00 notready", "08:00 ready"), "notready"),
        (("08:00 busy", "08:00 ready"), ("08:00 notready",), "ready"),
    ],
)
def test_deliveries_that_disagree_on_a_second_are_flagged(bench: Workbench, one: Any, other: Any, winner: str) -> None:
    """If this fails, the result depends on which delivery came first, or passes for certain."""
    deliveries = told(*one), told(*other, segment="other")
    for updates in (deliveries, deliveries[::-1]):
        assert records(bench, *updates).pick("vendor_state", "is_derived") == [(winner, True)]


def test_agents_and_sources_do_not_mix(bench: Workbench) -> None:
    """If this fails, one agent's update ends another's stretch."""
    rows = bench.run(
        "intermediate.int_kore_records",
        stg_kore__agent_activity=[
            *told("08:00 ready", "08:10 ready", agent_id="bob"),
            *told("08:05 logout"),
            *told("08:07 ready", source="k2"),
        ],
        feed_clock=[kore_clock(), kore_clock() | {"source": "k2"}, kore_clock() | {"feed": "queues"}],
    )
    assert rows.pick("source", "agent_id", "started_at") == [
        ("k2", "ann", "08:07"), ("kore_in", "ann", "08:05"), ("kore_in", "bob", "08:00"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("zone", "shown", "meant"),
    [("UTC", "08:00", "08:00"), (BERLIN, "08:00", "07:00"), ("Asia/Kolkata", "13:30", "08:00"),
     ("Pacific/Kiritimati", "+1d 13:59:59", "23:59:59"), ("Pacific/Niue", "-1d 13:00", "00:00")],
)  # fmt: skip
def test_times_are_told_by_the_sources_zone(bench: Workbench, zone: str, shown: str, meant: str) -> None:
    """If this fails, everything of an account is off by hours, or on another day."""
    rows = records(bench, [update(shown, "ready")], zone=zone)
    assert rows.pick("started_at", "is_derived", "uncertainty_us") == [(meant, False, 1_000_000)]


def in_autumn(shown: str, window: str, until: str, **fields: Any) -> dict[str, Any]:
    """An update of 25 October 2026, when Berlin's clocks go from 3:00 back to 2:00, delivered in a window."""
    return update(f"-9d {shown}", "ready", window_start=f"-9d {window}", window_end=f"-9d {until}", **fields)


@pytest.mark.parametrize(
    ("deliveries", "meant", "uncertainty"),
    [
        ([("00:00", "01:00")], "00:30", 1),
        ([("01:00", "02:00")], "01:30", 1),
        ([("00:30", "01:30")], "00:30", 3601),  # both lie in it
        ([("05:00", "06:00")], "00:30", 3601),  # neither does
        ([("00:00", "04:00"), ("01:00", "02:00")], "01:30", 1),  # one that tells is enough
    ],
)
def test_an_hour_that_comes_twice_is_told_apart_by_the_window(
    bench: Workbench, deliveries: list[tuple[str, str]], meant: str, uncertainty: int
) -> None:
    """In autumn 2:30 comes twice; if this fails, an hour is guessed in silence, or one update counts twice."""
    staged = [in_autumn("02:30", *window, segment=window[0]) for window in deliveries]
    day = staged[0]["event_time"].date()
    inputs = {"stg_kore__agent_activity": staged, "feed_clock": [kore_clock(BERLIN)]}
    rows = bench.run("intermediate.int_kore_records", day, **inputs)
    assert rows.pick("started_at", "uncertainty_us", "is_derived") == [
        (f"-9d {meant}", uncertainty * 1_000_000, uncertainty > 1)
    ]


def test_both_passes_of_an_hour_that_comes_twice_are_kept(bench: Workbench) -> None:
    """If this fails, two updates an hour apart become one because their clocks showed the same."""
    staged = [in_autumn("02:30", *window, segment=window[0]) for window in (("00:00", "01:00"), ("01:00", "02:00"))]
    staged.append(in_autumn("02:45", "00:00", "01:00", segment="00:00", record=2) | {"activity": "notready"})
    inputs = {"stg_kore__agent_activity": staged, "feed_clock": [kore_clock(BERLIN)]}
    rows = bench.run("intermediate.int_kore_records", staged[0]["event_time"].date(), **inputs)
    assert rows.pick("started_at", "vendor_state") == [
        ("-9d 00:30", "ready"), ("-9d 00:45", "notready"), ("-9d 01:30", "ready"),
    ]  # fmt: skip


def test_an_hour_that_does_not_exist_is_placed_and_marked(bench: Workbench) -> None:
    """In spring no clock shows 2:30; if this fails, such an update is lost or passes for certain."""
    staged = [update("+145d 02:30", "ready")]  # 28 March 2027
    inputs = {"stg_kore__agent_activity": staged, "feed_clock": [kore_clock(BERLIN)]}
    [row] = bench.run("intermediate.int_kore_records", staged[0]["event_time"].date(), **inputs)
    assert row["started_at"].isoformat() == "2027-03-28T01:30:00+00:00"
    assert (row["uncertainty_us"], row["is_derived"]) == (3_601_000_000, True)


def test_any_order_of_any_deliveries_gives_the_same_day(bench: Workbench) -> None:
    """If this fails, a late or repeated reply changes what agents did."""
    chance = random.Random(3)
    words = ("ready", "notready", "logout", "Zumba")
    staged = [
        row
        for hour in range(6, 12)
        for row in told(
            *(f"{hour:02}:{minute:02} {chance.choice(words)}" for minute in sorted(chance.choices(range(60), k=30)))
        )
    ]
    twice = [{**row, "segment": row["segment"] + " again", "received_at": "23:00"} for row in staged]
    first = records(bench, staged)
    for _ in range(5):
        shuffled = [*staged, *twice]
        chance.shuffle(shuffled)
        assert records(bench, shuffled) == first
