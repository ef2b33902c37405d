"""The timeline's rules (docs/metrics.md, Timeline), one by one, from staged rows and attempts to what an agent did."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pytest

from tests.models.workbench import DAY, Chain, Workbench, at, attempt, clock, record, shift, short

TABLE = "marts.fct_agent_timeline"
WHOLE = (("00:00", "24:00"),)
NEXT = DAY + timedelta(days=1)


def watched(*spans: tuple[str, str], open_until: str | None = None) -> list[dict[str, Any]]:
    """Attempts that observed these stretches whole; those of segment ``seg`` showed open records until then."""
    made = [attempt(start, end, short(at(end) + timedelta(seconds=15))) for start, end in spans]
    if open_until:
        heard = short(at(open_until) + timedelta(seconds=15))
        made.append(attempt(spans[0][0], spans[0][1], heard, segment="seg", open_ids=["x"]))
    return made


def build(
    bench: Workbench,
    staged: Sequence[Mapping[str, Any]],
    spans: Sequence[tuple[str, str]] = WHOLE,
    open_until: str | None = None,
    days: Sequence[date] = (DAY,),
    until: str | None = None,
) -> Chain:
    """The timeline of these days, and all that it is made from."""
    clocks = [clock(until or max((end for _, end in spans), key=at), since=min((s for s, _ in spans), key=at))]
    return bench.chain(days, TABLE, clocks, staged=staged, attempts=watched(*spans, open_until=open_until))


def told(chain: Chain, *names: str, where: str = "true") -> list[Any]:
    """Starts, states and these columns in order, closed by the end of the last row."""
    rows = chain.rows(TABLE, where)
    return [*rows.pick("started_at", "state", *names), *rows.pick("ended_at")[-1:]]


def test_a_session_of_closed_records_is_told_as_reported(bench: Workbench) -> None:
    """The plain case: before the first record nothing is known, after a closed last one the agent is signed out."""
    chain = build(bench, shift("08:00 ready", "09:00 not-ready Lunch", "09:30 ready", end="17:00"))
    assert told(chain, "evidence", "reason", "session_id") == [
        ("00:00", "unobserved", "none", None, None),
        ("08:00", "available", "reported", None, "s"),
        ("09:00", "not_ready", "reported", "Lunch", "s"),
        ("09:30", "available", "reported", None, "s"),
        ("17:00", "offline", "derived", None, None),
        "24:00",
    ]


def test_a_row_carries_the_words_and_counts_of_its_record(bench: Workbench) -> None:
    """If this fails, an analyst cannot see what the vendor said, or how busy an agent was."""
    said = {
        "presence": "not-ready", "reason_id": "r1", "reason_name": "Lunch", "direction": "inbound",
        "capacity": [{"channels": {"voice": 1, "email": 0, "messaging": 0, "sms": 0, "workItem": 0},
                      "allocation": "allocated", "load": 0.5, "capacity": 2}],
    }  # fmt: skip
    chain = build(bench, [record("08:00", "09:00", next_event_id="n", **said)])
    [row] = chain.rows(TABLE, "session_id is not null")
    assert (row["state"], row["vendor_state"], row["reason_code"], row["reason"]) == (
        "handling",
        "not-ready",
        "r1",
        "Lunch",
    )
    assert (row["work_items"], row["load"], row["capacity"], row["direction"]) == (1, 1, 2, "inbound")
    assert (row["seconds"], row["uncertainty_seconds"], row["is_open"]) == (3600.0, 0.0, False)


def test_an_open_record_followed_in_its_session_ends_there_and_is_derived(bench: Workbench) -> None:
    """If this fails, a record that was never fetched again leaves a hole or overlaps its successor."""
    staged = [record("08:00"), record("09:00", "10:00", logged_in_at="08:00")]
    assert told(build(bench, staged), "evidence")[1:3] == [
        ("08:00", "available", "derived"),
        ("09:00", "available", "reported"),
    ]


def test_a_later_record_ends_the_earlier_one(bench: Workbench) -> None:
    """Where records overlap the later start wins; if this fails, one instant has two states."""
    staged = [
        record("08:00", "10:00", next_event_id="09:00"),
        record("09:00", "11:00", logged_in_at="08:00", presence="not-ready"),
    ]
    assert told(build(bench, staged), "evidence")[1:] == [
        ("08:00", "available", "derived"),
        ("09:00", "not_ready", "reported"),
        ("11:00", "offline", "derived"),
        "24:00",
    ]


def test_after_a_session_the_agent_is_offline_until_the_next_sign_in(bench: Workbench) -> None:
    """If this fails, time at home counts as unobserved or as work."""
    staged = [
        *shift("08:00 ready", end="09:00"),
        *shift("10:00 ready", end="11:00", session_id="s2"),
    ]
    assert told(build(bench, staged))[1:] == [
        ("08:00", "available"),
        ("09:00", "offline"),
        ("10:00", "available"),
        ("11:00", "offline"),
        "24:00",
    ]


def test_a_session_that_starts_after_its_login_is_a_broken_chain(bench: Workbench) -> None:
    """If this fails, the missing beginning of a session counts as offline."""
    staged = [
        *shift("08:00 ready", end="09:00"),
        record("10:30", "11:00", session_id="s2", logged_in_at="10:00"),
    ]
    chain = build(bench, staged)
    assert told(chain)[2:5] == [("09:00", "offline"), ("10:00", "unobserved"), ("10:30", "available")]


def test_a_missing_successor_is_a_broken_chain(bench: Workbench) -> None:
    """If this fails, a record that was lost on the way counts as signed out or as the state before it."""
    staged = [
        record("08:00", "09:00", next_event_id="lost"),
        record("10:00", "11:00", logged_in_at="08:00"),
        record("12:00", "13:00", session_id="s2", next_event_id="lost too"),
    ]
    assert told(build(bench, staged), "evidence")[1:] == [
        ("08:00", "available", "reported"),
        ("09:00", "unobserved", "none"),
        ("10:00", "available", "reported"),
        ("11:00", "offline", "derived"),
        ("12:00", "available", "reported"),
        ("13:00", "unobserved", "none"),
        "24:00",
    ]


def test_a_gap_cuts_an_open_state_and_it_does_not_resume(bench: Workbench) -> None:
    """If this fails, hours in which nobody looked are told as the state before them."""
    chain = build(bench, [record("08:00")], [("00:00", "09:00"), ("10:00", "24:00")], open_until="24:00")
    assert told(chain, "evidence", "is_open")[1:] == [
        ("08:00", "available", "derived", False),
        ("09:00", "unobserved", "none", False),
        "24:00",
    ]


def test_a_gap_cuts_offline(bench: Workbench) -> None:
    """If this fails, an agent who may have worked in the gap counts as signed out."""
    chain = build(bench, shift("08:00 ready", end="08:30"), [("00:00", "09:00"), ("10:00", "24:00")])
    assert told(chain)[1:] == [("08:00", "available"), ("08:30", "offline"), ("09:00", "unobserved"), "24:00"]


def test_a_gap_does_not_cut_a_closed_record(bench: Workbench) -> None:
    """A closed record is evidence for its whole length; if this fails, an outage at our end erases known time."""
    chain = build(bench, shift("08:00 ready", "11:00 not-ready", end="12:00"), [("00:00", "09:00"), ("10:00", "24:00")])
    assert told(chain)[1:] == [("08:00", "available"), ("11:00", "not_ready"), ("12:00", "offline"), "24:00"]


def test_an_open_record_followed_after_a_gap_is_known_only_up_to_the_gap(bench: Workbench) -> None:
    """If this fails, an open state is stretched over a gap to the next record."""
    staged = [record("08:00"), record("11:00", "12:00", logged_in_at="08:00")]
    chain = build(bench, staged, [("00:00", "09:00"), ("10:00", "24:00")])
    assert told(chain)[1:4] == [("08:00", "available"), ("09:00", "unobserved"), ("11:00", "available")]


def test_an_open_record_is_told_no_further_than_it_was_seen_open(bench: Workbench) -> None:
    """If this fails, a state is stretched past the last reply that showed it."""
    chain = build(bench, [record("08:00")], open_until="10:20")
    assert told(chain)[1:] == [("08:00", "available"), ("10:20", "unobserved"), "24:00"]


def test_an_open_record_that_no_reply_confirms_says_nothing(bench: Workbench) -> None:
    """If this fails, a record without any attempt behind it is stretched."""
    assert told(build(bench, [record("08:00")])) == [("00:00", "unobserved"), ("08:00", "unobserved"), "24:00"]


def test_an_open_session_that_another_replaces_is_known_until_last_seen_open(bench: Workbench) -> None:
    """If this fails, the end of a lost session is guessed."""
    staged = [record("08:00"), record("12:00", "13:00", session_id="s2", logged_in_at="11:00", next_event_id="n")]
    seen_long = build(bench, staged, open_until="20:00")
    assert told(seen_long)[1:4] == [("08:00", "available"), ("11:00", "unobserved"), ("12:00", "available")]
    seen_briefly = build(bench, staged, open_until="09:00")
    assert told(seen_briefly)[1:4] == [("08:00", "available"), ("09:00", "unobserved"), ("12:00", "available")]


def test_nothing_lies_beyond_the_observed_until_time(bench: Workbench) -> None:
    """If this fails, the present is told before anybody could know it."""
    staged = [*shift("08:00 ready", "09:00 not-ready Lunch"), record("13:00", "14:00", agent_id="bob")]
    chain = build(bench, staged, [("00:00", "12:00")], open_until="12:00")
    assert told(chain, "is_open") == [
        ("00:00", "unobserved", False),
        ("08:00", "available", False),
        ("09:00", "not_ready", True),
        ("00:00", "unobserved", False),
        "12:00",
    ]


def test_who_is_signed_out_at_the_observed_until_time_still_is(bench: Workbench) -> None:
    """If this fails, being signed out looks over at one vendor that looks as if it went on at another."""
    chain = build(bench, shift("08:00 ready", end="10:00"), [("00:00", "12:00")])
    assert told(chain, "is_open")[1:] == [("08:00", "available", False), ("10:00", "offline", True), "12:00"]
    whole = build(bench, shift("08:00 ready", end="10:00"))
    assert told(whole, "is_open")[1:] == [("08:00", "available", False), ("10:00", "offline", False), "24:00"]


def test_a_closed_record_is_clipped_at_the_observed_until_time(bench: Workbench) -> None:
    """If this fails, the last bucket is longer than what was observed."""
    chain = build(bench, shift("08:00 ready", end="13:00"), [("00:00", "12:00")])
    assert told(chain, "is_open")[1:] == [("08:00", "available", False), "12:00"]


def test_a_record_of_no_length_changes_nothing(bench: Workbench) -> None:
    """If this fails, an instant stands for time, or breaks a chain that is whole."""
    staged = [
        record("08:00", "08:00", next_event_id="b"),
        record("08:00", "09:00", event_id="b", next_event_id="c"),
        record("09:00", "09:00", event_id="c", next_event_id="d", logged_in_at="08:00"),
        record("09:00", "10:00", event_id="d", logged_in_at="08:00"),
    ]
    assert told(build(bench, staged))[1:] == [
        ("08:00", "available"),
        ("09:00", "available"),
        ("10:00", "offline"),
        "24:00",
    ]


def test_a_state_is_carried_over_midnight_and_keeps_its_start(bench: Workbench) -> None:
    """If this fails, night shifts begin at midnight, or a day without records of its own is empty."""
    staged = shift("22:00 ready", "23:00 not-ready", end="+1d 06:00")
    chain = build(bench, staged, [("00:00", "24:00"), ("+1d 00:00", "+2d 00:00")], days=[DAY, NEXT])
    assert told(chain, "evidence", "state_started_at", where=f"date = '{NEXT}'") == [
        ("24:00", "not_ready", "carried", "23:00"),
        ("+1d 06:00", "offline", "derived", "+1d 06:00"),
        "+2d 00:00",
    ]


@pytest.mark.parametrize(("days", "states"), [(1, ["available"]), (35, ["available"]), (36, [])])
def test_an_open_state_is_carried_for_35_days_at_most(bench: Workbench, days: int, states: list[str]) -> None:
    """If this fails, an agent who left works for ever, or one who stays vanishes early."""
    staged = [record(f"-{days}d 10:00", segment="seg")]
    since, until = f"-{days}d 00:00", "24:00"
    heard = short(at("24:00") + timedelta(seconds=15))
    seen = attempt(f"-{days}d 10:00", f"-{days}d 11:00", heard, segment="seg", open_ids=["x"])
    spans = [(f"-{d}d 00:00", f"-{d - 1}d 00:00") for d in range(days, 1, -1)]
    attempts = [seen, *watched(*spans, ("-1d 00:00", "00:00"), ("00:00", "24:00"))]
    span = [DAY - timedelta(days=d) for d in range(days, -1, -1)]
    chain = bench.chain(span, TABLE, [clock(until, since)], staged=staged, attempts=attempts)
    found = chain.rows(TABLE, f"date = '{DAY}'").pick("state", "evidence", "started_at", "ended_at")
    assert found == [(state, "carried", "00:00", "24:00") for state in states]


def test_an_agent_who_is_only_carried_as_offline_is_not_seen(bench: Workbench) -> None:
    """If this fails, everybody who ever worked has a row on every day."""
    staged = shift("08:00 ready", end="17:00")
    chain = build(bench, staged, [("00:00", "24:00"), ("+1d 00:00", "+2d 00:00")], days=[DAY, NEXT])
    assert chain.rows(TABLE, f"date = '{NEXT}'") == []


def test_offline_is_carried_to_the_next_days_sign_in(bench: Workbench) -> None:
    """If this fails, the night before a shift is unobserved although it was watched."""
    staged = [
        *shift("08:00 ready", end="17:00"),
        *shift("+1d 08:00 ready", end="+1d 17:00", session_id="s2"),
    ]
    chain = build(bench, staged, [("00:00", "24:00"), ("+1d 00:00", "+2d 00:00")], days=[DAY, NEXT])
    assert told(chain, "state_started_at", where=f"date = '{NEXT}'")[:2] == [
        ("24:00", "offline", "17:00"),
        ("+1d 08:00", "available", "+1d 08:00"),
    ]


def test_a_gap_of_the_day_before_cuts_what_is_carried(bench: Workbench) -> None:
    """If this fails, a state survives a night in which nobody looked."""
    staged = [*shift("08:00 ready", end="17:00"), *shift("+1d 08:00 ready", end="+1d 17:00", session_id="s2")]
    spans = [("00:00", "18:00"), ("19:00", "24:00"), ("+1d 00:00", "+2d 00:00")]
    chain = build(bench, staged, spans, days=[DAY, NEXT])
    assert told(chain, where=f"date = '{NEXT}'")[0] == ("24:00", "unobserved")


def test_days_that_nobody_asked_for_cut_what_is_carried(bench: Workbench) -> None:
    """If this fails, a state bridges days of which nothing was fetched."""
    far = DAY + timedelta(days=3)
    staged = [
        *shift("22:00 ready", end="23:00"),
        *shift("+3d 08:00 ready", end="+3d 09:00", session_id="s2"),
    ]
    chain = build(bench, staged, [("00:00", "24:00"), ("+3d 00:00", "+4d 00:00")], days=[DAY, far])
    assert told(chain, where=f"date = '{far}'")[:2] == [("+3d 00:00", "unobserved"), ("+3d 08:00", "available")]


def test_the_states_of_one_agent_say_nothing_about_another(bench: Workbench) -> None:
    """If this fails, one agent's broken chain or sign-out cuts another's time."""
    staged = [
        record("08:00", "09:00", next_event_id="lost"),
        record("08:00", "12:00", agent_id="bob", next_event_id="n"),
    ]
    both, alone = build(bench, staged), build(bench, staged[1:])
    assert both.rows(TABLE, "agent_id = 'bob'") == alone.rows(TABLE)


def test_an_unmapped_state_is_unobserved_without_evidence(bench: Workbench) -> None:
    """If this fails, an unknown word is counted as some state, or looks like a hole in the feed."""
    chain = build(bench, [record("08:00", "09:00", presence="daydreaming", next_event_id="n")])
    [row] = chain.rows(TABLE, "vendor_state is not null")
    assert (row["state"], row["evidence"], row["vendor_state"]) == ("unobserved", "none", "daydreaming")


def test_a_last_record_of_no_length_still_ends_its_session(bench: Workbench) -> None:
    """If this fails, an agent whose last record has no length is unobserved, and windows are fetched in vain."""
    staged = [record("08:00", "09:00", next_event_id="z"), record("09:00", "09:00", event_id="z")]
    chain = build(bench, staged)
    assert told(chain) == [
        ("00:00", "unobserved"), ("08:00", "available"), ("09:00", "offline"), "24:00",
    ]  # fmt: skip
