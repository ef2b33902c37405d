"""One shape for all vendors: which delivered copy of a record counts, what its words mean, what it was busy with."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from tests.models.workbench import Rows, Workbench, clock, record, rules, shift

MAP = {"vendor": "cxengage", "feed": "agent_states", "vendor_state": "not-ready", "state": "not_ready"}
READY = {"vendor": "cxengage", "feed": "agent_states", "vendor_state": "ready", "state": "available"}


def records(bench: Workbench, staged: Iterable[Mapping[str, Any]], **inputs: Any) -> Rows:
    """The day's records made of these staged rows."""
    return bench.run("intermediate.int_agent_records", stg_cxengage__agent_states=staged, **inputs)


def test_a_closed_copy_beats_an_open_one_received_later(bench: Workbench) -> None:
    """A re-delivery of the open copy proves nothing; if this fails, a finished state runs on."""
    closed = record("08:00", "09:00", received_at="10:00")
    still_open = record("08:00", received_at="11:00")
    for copies in ([closed, still_open], [still_open, closed]):
        assert records(bench, copies).pick("started_at", "ended_at") == [("08:00", "09:00")]


def test_of_two_closed_copies_the_later_received_counts(bench: Workbench) -> None:
    """If this fails, a vendor's correction is not taken over."""
    early, late = record("08:00", "09:00", received_at="10:00"), record("08:00", "08:30", received_at="11:00")
    assert records(bench, [late, early]).pick("ended_at") == ["08:30"]


def test_of_copies_received_at_once_the_greater_hash_counts(bench: Workbench) -> None:
    """If this fails, the result depends on the order in which files are read."""
    one, other = record("08:00", "09:00", payload_sha256="a"), record("08:00", "08:30", payload_sha256="b")
    for copies in ([one, other], [other, one]):
        assert records(bench, copies).pick("ended_at") == ["08:30"]


def test_the_same_page_delivered_twice_counts_once(bench: Workbench) -> None:
    """Segments overlap in time; if this fails, time is counted twice."""
    day = shift("08:00 ready", "09:00 not-ready Lunch", end="10:00")
    assert records(bench, [*day, *day]) == records(bench, day)


def test_records_of_no_length_are_left_out_with_their_open_copies(bench: Workbench) -> None:
    """A record of no length says nothing about time; if this fails, its open copy stands for hours."""
    nothing, was_open = record("08:00", "08:00"), record("08:00")
    real = record("08:00", "09:00", event_id="a real one", reason_id="real")
    assert records(bench, [was_open, nothing, real]).pick("reason_code") == ["real"]


def test_rejected_records_and_those_of_other_days_are_left_out(bench: Workbench) -> None:
    """If this fails, a record counts on two days or although it could not be read."""
    staged = [
        record("-1d 23:59:59.999999", "00:00"),
        record("00:00", "00:01"),
        record("23:59:59.999999", "+1d 00:01"),
        record("+1d 00:00", "+1d 00:01"),
        record("05:00", "06:00", reject_reason="no time"),
    ]
    assert records(bench, staged).pick("started_at") == ["00:00", "23:59:59.999999"]


def test_each_record_knows_the_one_that_follows(bench: Workbench) -> None:
    """If this fails, chains and overlaps are judged against the wrong neighbour."""
    staged = [
        *shift("08:00 ready", "09:00 not-ready", end="10:00"),
        record("11:00", "12:00", session_id="s2", logged_in_at="10:59"),
        record("08:30", "09:30", agent_id="bob"),
    ]
    names = ("agent_id", "started_at", "following_started_at", "session_goes_on", "following_session_id")
    found = records(bench, staged)
    assert found.pick(*names) == [
        ("ann", "08:00", "09:00", True, None),
        ("ann", "09:00", "11:00", False, "s2"),
        ("ann", "11:00", None, False, None),
        ("bob", "08:30", None, False, None),
    ]
    assert found.pick("following_logged_in_at") == [None, "10:59", None, None]


def test_a_named_successor_is_kept_where_it_was_not_delivered(bench: Workbench) -> None:
    """If this fails, a broken chain cannot be told from a whole one, or its missing record not be named."""
    staged = [
        record("08:00", "09:00", next_event_id="follows"),
        record("09:00", "10:00", event_id="follows", next_event_id="absent"),
        record("11:00", "12:00", event_id="later", next_event_id=None),
    ]
    assert records(bench, staged).pick("started_at", "ends_session", "next_record_id") == [
        ("08:00", False, None),
        ("09:00", False, "absent"),
        ("11:00", True, None),
    ]


def test_an_unknown_word_is_unobserved_and_flagged(bench: Workbench) -> None:
    """If this fails, a state that nobody mapped is guessed at."""
    staged = [record("08:00", "09:00", presence="daydreaming"), record("09:00", "10:00", presence=None)]
    assert records(bench, staged).pick("state", "is_unmapped", "vendor_state") == [
        ("unobserved", True, "daydreaming"),
        ("unobserved", True, None),
    ]


def test_an_unknown_reason_keeps_its_state(bench: Workbench) -> None:
    """If this fails, a new break reason turns a break into a hole."""
    staged = [record("08:00", "09:00", presence="not-ready", reason_name="Yoga")]
    assert records(bench, staged).pick("state", "is_unmapped", "reason") == [("not_ready", False, "Yoga")]


@pytest.mark.parametrize(
    ("overlay", "expected"),
    [
        ([], "not_ready"),
        ([{"reason": "After Call Work", "state": "wrap_up"}], "wrap_up"),
        ([{"reason": "Lunch", "state": "wrap_up"}], "not_ready"),
        ([{"reason": "After Call Work", "source": "other", "state": "wrap_up"}], "not_ready"),
        ([{"reason": "After Call Work", "feed": None, "state": "wrap_up"}], "wrap_up"),
        ([{"source": "cx", "state": "offline"}, {"reason": "After Call Work", "state": "wrap_up"}], "offline"),
        (
            [
                {"source": "cx", "state": "offline"},
                {"source": "cx", "reason": "After Call Work", "state": "wrap_up"},
                {"source": "cx", "reason": "After Call Work", "feed": None, "state": "available"},
            ],
            "wrap_up",
        ),
    ],
)
def test_the_most_specific_row_of_the_map_wins(bench: Workbench, overlay: list[dict[str, Any]], expected: str) -> None:
    """If this fails, a user's own row for a source or reason has no effect, or an effect elsewhere."""
    staged = [record("08:00", "09:00", presence="not-ready", reason_name="After Call Work")]
    state_map = [READY, MAP, *({**MAP, **row} for row in overlay)]
    assert records(bench, staged, state_map=state_map).pick("state") == [expected]


def test_interactions_are_the_greatest_count_of_any_rule_summed_over_channels(bench: Workbench) -> None:
    """Several capacity rules repeat the same interactions; if this fails, they are counted twice or missed."""
    staged = [
        record("08:00", "09:00", capacity=rules({"voice": 1, "email": 2}, {"voice": 1, "email": 1, "sms": 3})),
        record("09:00", "10:00", capacity=rules({"voice": 0})),
        record("10:00", "11:00", capacity=[]),
        record("11:00", "12:00", capacity=None),
    ]
    assert records(bench, staged).pick("work_items", "state") == [
        (6, "handling"),
        (0, "available"),
        (None, "available"),
        (None, "available"),
    ]


def test_handling_wins_over_not_ready(bench: Workbench) -> None:
    """An agent may be not ready for more while talking; if this fails, that call is lost."""
    staged = [record("08:00", "09:00", presence="not-ready", capacity=rules({"voice": 1}))]
    assert records(bench, staged).pick("state", "vendor_state") == [("handling", "not-ready")]


@pytest.mark.parametrize(
    ("allocation", "state"),
    [("allocated", "handling"), ("fully-allocated", "handling"), ("not-allocated", "available"), (None, "available")],
)
def test_without_counts_the_allocation_tells_handling(bench: Workbench, allocation: str | None, state: str) -> None:
    """If this fails, a tenant without capacity lists shows agents as waiting while they work."""
    assert records(bench, [record("08:00", "09:00", allocation=allocation)]).pick("state") == [state]


def test_counts_win_over_the_allocation(bench: Workbench) -> None:
    """If this fails, an agent with no interaction counts as working."""
    staged = [record("08:00", "09:00", allocation="allocated", capacity=rules({"voice": 0}))]
    assert records(bench, staged).pick("state") == ["available"]


@pytest.mark.parametrize(
    ("load", "capacity", "items"),
    [(0.5, 2, 1), (0.33, 3, 1), (0.67, 3, 2), (0.3333333, 3, 1), (1.0, 1, 1), (0.0, 4, 0)],
)
def test_a_rounded_share_is_turned_back_into_items(bench: Workbench, load: float, capacity: int, items: int) -> None:
    """The vendor reports load as a decimal of capacity; if this fails, a third of three is not one item."""
    staged = [record("08:00", "09:00", capacity=rules({}, load=load, capacity=capacity))]
    assert records(bench, staged).pick("load", "capacity") == [(items, capacity)]


def test_load_and_capacity_are_summed_over_rules(bench: Workbench) -> None:
    """If this fails, an agent with two buckets seems fuller or emptier than the vendor says."""
    both = [*rules({"voice": 1}, load=1.0, capacity=1), *rules({"email": 1}, load=0.33, capacity=3)]
    assert records(bench, [record("08:00", "09:00", capacity=both)]).pick("load", "capacity") == [(2, 4)]


def test_what_a_day_leaves_behind_is_its_last_record(bench: Workbench) -> None:
    """If this fails, the next day begins in a state that was over."""
    day = records(bench, shift("08:00 ready", "09:00 not-ready Lunch", end="+1d 02:00"))
    closed = bench.run("intermediate.int_agent_day_close", int_agent_records=day)
    assert closed.pick("started_at", "ended_at", "reason") == [("09:00", "+1d 02:00", "Lunch")]


def test_a_day_opens_with_the_latest_earlier_record_and_the_first_of_its_own(bench: Workbench) -> None:
    """If this fails, an agent starts the day in a state of the day before yesterday."""
    before = [
        {"source": "cx", "agent_id": "ann", "started_at": "-3d 10:00", "reason_code": "old", "date": "2026-10-31"},
        {"source": "cx", "agent_id": "ann", "started_at": "-1d 10:00", "reason_code": "new", "date": "2026-11-02"},
        {"source": "cx", "agent_id": "bob", "started_at": "-2d 10:00", "reason_code": "bob", "date": "2026-11-01"},
    ]
    today = records(
        bench, [*shift("08:00 ready", "09:00 ready", end="10:00"), record("07:00", "08:00", agent_id="cat")]
    )
    opened = bench.run("intermediate.int_agent_day_open", int_agent_day_close=before, int_agent_records=today)
    assert opened.pick("agent_id", "reason_code", "following_started_at") == [
        ("ann", "new", "08:00"),
        ("bob", "bob", None),
        ("cat", None, "07:00"),
    ]


def test_signals_are_those_of_the_map_and_the_vendor(bench: Workbench) -> None:
    """If this fails, a figure that a source cannot give shows as zero instead of NULL."""
    sources = [clock(), clock(source="cx2"), clock(source="k", vendor="kore", feed="agent_activity")]
    state_map: list[dict[str, Any]] = [
        READY,
        {**MAP, "source": "cx2", "state": "wrap_up"},
        {**READY, "vendor": "kore", "feed": None},
    ]
    found = bench.run("intermediate.int_source_signals", None, feed_clock=sources, state_map=state_map)
    assert found.pick("source", "gives_available", "gives_handling", "gives_wrap_up", "gives_load") == [
        ("cx", True, True, False, True),
        ("cx2", True, True, True, True),
        ("k", True, False, False, False),
    ]


def test_a_row_of_the_map_that_never_applies_gives_no_signal(bench: Workbench) -> None:
    """If this fails, a source whose words for available are all mapped otherwise shows no waiting."""
    ready = {"vendor": "kore", "feed": "agent_activity", "vendor_state": "ready", "state": "available"}
    busy: dict[str, Any] = {"vendor": "kore", "vendor_state": "ready", "state": "handling"}
    kore = {"vendor": "kore", "feed": "agent_activity"}
    for own, signals in (
        ({**busy, "source": "k"}, [("k", False, True), ("k2", True, False)]),
        ({**busy, "reason": "7"}, [("k", True, True), ("k2", True, True)]),
        ({**busy}, [("k", True, False), ("k2", True, False)]),
        ({**busy, "feed": "agentactivity"}, [("k", True, False), ("k2", True, False)]),
    ):
        clocks = [clock(source=source, **kore) for source in ("k", "k2")]
        found = bench.run("intermediate.int_source_signals", None, feed_clock=clocks, state_map=[ready, own])
        assert found.pick("source", "gives_available", "gives_handling") == signals


def test_transfers_are_known_of_sources_with_a_feed_that_tells_of_them(bench: Workbench) -> None:
    """If this fails, Kore.ai and Huawei's polls show 0 transfers, as if nobody had handed anything over."""
    feeds = {"cx": "agent_states", "k": "agent_activity", "hw": "agent_status", "bt": "command"}
    clocks = [clock(source=source, feed=feed) for source, feed in feeds.items()]
    clocks += [clock(source="hw2", feed=feed) for feed in ("agent_status", "cms_history")]
    found = bench.run("intermediate.int_source_signals", None, feed_clock=clocks)
    assert found.pick("source", "gives_transfers") == [
        ("bt", False),
        ("cx", True),
        ("hw", False),
        ("hw2", True),
        ("k", False),
    ]
