"""Watched feeds (Kore.ai, Huawei, BeyondTrust): how long a record speaks, over gaps and midnight, on what evidence."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.models.watched import NIGHT, TIMELINE, build, feed_clock, looked, of_day, said
from tests.models.workbench import Workbench, record


def test_an_open_record_lasts_until_the_next(bench: Workbench) -> None:
    """If this fails, what an agent does is known for an instant only, or a change of state is missed."""
    chain = build(bench, [said("08:00"), said("09:00", "assignment_off"), said("17:00", "logged_out")])
    assert of_day(chain, "evidence", "is_open") == [
        ("00:00", "unobserved", "none", False),
        ("08:00", "available", "reported", False),
        ("09:00", "not_ready", "reported", False),
        ("17:00", "offline", "reported", False),
        "24:00",
    ]


def test_a_gap_cuts_an_open_record_and_it_does_not_resume(bench: Workbench) -> None:
    """If this fails, hours in which nobody watched are told as the state before them, or what follows is guessed."""
    chain = build(bench, [said("08:00"), said("12:00")], [("00:00", "09:00"), ("10:00", "24:00")])
    assert of_day(chain, "evidence") == [
        ("00:00", "unobserved", "none"),
        ("08:00", "available", "derived"),
        ("09:00", "unobserved", "none"),
        ("12:00", "available", "reported"),
        "24:00",
    ]


def test_a_record_that_begins_as_a_gap_does_ends_the_one_before_as_reported(bench: Workbench) -> None:
    """If this fails, a boundary that the vendor reports counts as inferred, or the record speaks for the gap."""
    chain = build(bench, [said("08:00"), said("09:00", "busy")], [("00:00", "09:00"), ("10:00", "24:00")])
    assert of_day(chain, "evidence") == [
        ("00:00", "unobserved", "none"),
        ("08:00", "available", "reported"),
        ("09:00", "unobserved", "none"),
        "24:00",
    ]


def test_a_closed_record_is_evidence_for_exactly_its_length(bench: Workbench) -> None:
    """A sample speaks no further; if this fails, a state is stretched, or cut where nobody watched."""
    spans = [("00:00", "08:10"), ("08:20", "24:00")]
    chain = build(bench, [said("08:00", end="08:30"), said("09:00", "idle", end="10:00")], spans)
    assert of_day(chain, "evidence") == [
        ("00:00", "unobserved", "none"),
        ("08:00", "available", "reported"),
        ("08:30", "unobserved", "none"),
        ("09:00", "not_ready", "reported"),
        ("10:00", "unobserved", "none"),
        "24:00",
    ]


def test_a_later_record_ends_a_closed_one(bench: Workbench) -> None:
    """If this fails, two feeds that overlap give one instant two states."""
    chain = build(bench, [said("08:00", end="10:00"), said("09:00", "idle", end="11:00")])
    assert of_day(chain, "evidence")[1:3] == [("08:00", "available", "derived"), ("09:00", "not_ready", "reported")]


def test_what_nobody_knows_is_unobserved_without_evidence_or_session(bench: Workbench) -> None:
    """If this fails, a word for not knowing, or one that is in no map, counts as some state or as a sign-in."""
    chain = build(bench, [said("08:00", "unknown"), said("09:00", "juggling"), said("10:00")])
    assert of_day(chain, "evidence", "session_id", "vendor_state") == [
        ("00:00", "unobserved", "none", None, None),
        ("08:00", "unobserved", "none", None, "unknown"),
        ("09:00", "unobserved", "none", None, "juggling"),
        ("10:00", "available", "reported", "ann|2026-11-03T10:00:00Z", "available"),
        "24:00",
    ]


def test_each_row_has_the_uncertainty_of_its_record(bench: Workbench) -> None:
    """If this fails, bounds of occupancy are too narrow; the feed's own counts where a record says none."""
    rows = [
        said("08:00", uncertainty_us=2_500_000),
        said("09:00", uncertainty_us=None),
        said("10:00", uncertainty_us=0),
    ]
    assert of_day(build(bench, rows), "uncertainty_seconds")[1:-1] == [
        ("08:00", "available", 2.5),
        ("09:00", "available", 7.0),
        ("10:00", "available", 0.0),
    ]


def test_what_a_model_inferred_is_derived(bench: Workbench) -> None:
    """If this fails, a guess counts as reported."""
    chain = build(bench, [said("08:00", is_derived=True), said("09:00", "logged_out", is_derived=True)])
    assert of_day(chain, "evidence")[1:-1] == [("08:00", "available", "derived"), ("09:00", "offline", "derived")]


def test_at_the_observed_until_time_an_open_record_is_open(bench: Workbench) -> None:
    """If this fails, the present looks finished, also where something is known of the moments since."""
    rows = [
        said("08:00"),
        said("12:00:05", "busy"),
        said("09:00", agent_id="bob"),
        said("09:00", end="11:00", agent_id="cat"),
    ]
    chain = build(bench, rows, [("00:00", "12:00")])
    assert of_day(chain, "is_open")[1:] == [("08:00", "available", True), "12:00"]
    assert of_day(chain, "is_open", agent="bob")[1:] == [("09:00", "available", True), "12:00"]
    assert of_day(chain, "is_open", agent="cat")[1:] == [
        ("09:00", "available", False),
        ("11:00", "unobserved", False),
        "12:00",
    ]


def test_an_open_record_is_carried_over_midnight(bench: Workbench) -> None:
    """If this fails, night shifts begin at midnight, or a day without a record of its own is empty."""
    chain = build(bench, [said("22:00", work_items=2, load=2, is_handling=True)], NIGHT)
    columns = ("evidence", "state_started_at", "work_items", "session_id")
    assert of_day(chain, *columns, day=1) == [
        ("24:00", "handling", "carried", "22:00", 2, "ann|2026-11-03T22:00:00Z"),
        "+2d 00:00",
    ]


@pytest.mark.parametrize(
    ("spans", "states"),
    [
        (NIGHT, [("24:00", "offline"), ("+1d 08:00", "available"), "+2d 00:00"]),
        (
            [("00:00", "23:00"), ("23:30", "24:00"), ("+1d 00:00", "+2d 00:00")],
            [("24:00", "unobserved"), ("+1d 08:00", "available"), "+2d 00:00"],
        ),
        (
            [("00:00", "24:00"), ("+1d 00:00", "+1d 03:00"), ("+1d 04:00", "+2d 00:00")],
            [("24:00", "offline"), ("+1d 03:00", "unobserved"), ("+1d 08:00", "available"), "+2d 00:00"],
        ),
    ],
    ids=["watched", "gap before midnight", "gap after midnight"],
)
def test_signed_out_is_carried_over_midnight_while_watched(
    bench: Workbench, spans: Sequence[tuple[str, str]], states: list[Any]
) -> None:
    """If this fails, an agent who may have come back unseen counts as signed out, or the night as unknown."""
    chain = build(bench, [said("17:00", "logged_out"), said("+1d 08:00")], spans)
    assert of_day(chain, day=1) == states


def test_a_night_without_a_record_after_a_sign_out_shows_nobody(bench: Workbench) -> None:
    """If this fails, everybody who ever worked has a row on every day."""
    chain = build(bench, [said("08:00"), said("17:00", "logged_out")], NIGHT)
    assert of_day(chain, day=1) == []


def test_a_closed_record_is_not_carried(bench: Workbench) -> None:
    """If this fails, the last sample of an evening speaks for the next day."""
    chain = build(bench, [said("22:00", end="23:00"), said("22:00", end="+1d 00:00:05", agent_id="bob")], NIGHT)
    assert of_day(chain, day=1) == []
    assert of_day(chain, "evidence", day=1, agent="bob") == [
        ("24:00", "available", "carried"),
        ("+1d 00:00:05", "unobserved", "none"),
        "+2d 00:00",
    ]


def test_the_map_is_read_per_feed(bench: Workbench) -> None:
    """Huawei's 7 is talking at the gateway and busy in CTI; if this fails, one of the two is miscounted."""
    rows = [
        said("08:00", "7", source="hw", vendor="huawei", feed="agent_status"),
        said("09:00", "7", source="hw", vendor="huawei", feed="cms_status"),
        said("10:00", "2", source="hw", vendor="huawei", feed="agent_status"),
        said("11:00", "2", source="hw", vendor="huawei", feed="cms_status"),
        said("12:00", "8", source="hw", vendor="huawei", feed="agent_status", is_handling=True),
    ]
    clocks = [feed_clock(source="hw", vendor="huawei")]
    chain = build(bench, rows, attempts=looked(("00:00", "24:00"), source="hw", feed="agent_status"), clocks=clocks)
    assert of_day(chain)[1:-1] == [
        ("08:00", "handling"),
        ("09:00", "not_ready"),
        ("10:00", "offline"),
        ("11:00", "handling"),
        ("12:00", "handling"),
    ]


def test_chains_are_not_asked_of_feeds_that_have_none(bench: Workbench) -> None:
    """If this fails, windows of a live feed are fetched again in vain, though nothing is missing."""
    rows = [
        said("08:00", end="08:10", logged_in_at="07:00"),
        said("09:00", logged_in_at="08:30"),
        said("08:00", agent_id="bob", logged_in_at="07:00"),
        said("+1d 10:00", logged_in_at="+1d 09:00"),
        said("+1d 10:00", agent_id="new", logged_in_at="+1d 09:00"),
    ]
    broken = "ops.broken_chains"
    assert build(bench, rows, NIGHT, broken).rows(broken) == []
    # The same as CxEngage would have it, so that the table is not empty for another reason.
    chained = [record("08:00", "08:10", next_event_id="lost", logged_in_at="07:00")]
    clocks, attempts = (
        [feed_clock(source="cx", vendor="beyondtrust", feed="agent_states")],
        looked(("00:00", "24:00"), source="cx", feed="agent_states"),
    )
    found = build(bench, [], staged=chained, clocks=clocks, attempts=attempts, last=broken).rows(broken)
    assert found.pick("missing_from") == ["07:00", "08:10"]


def test_vendors_stand_side_by_side(bench: Workbench) -> None:
    """If this fails, the records of one source end or carry those of another with the same agent."""
    rows = [said("08:00"), said("09:00", "notready", source="kore", vendor="kore")]
    clocks = [feed_clock(), feed_clock(source="kore", vendor="kore"), feed_clock(source="cx", feed="agent_states")]
    attempts = [
        *looked(("00:00", "24:00")),
        *looked(("00:00", "24:00"), source="kore", feed="agent_activity"),
        *looked(("00:00", "24:00"), source="cx", feed="agent_states"),
    ]
    chain = build(bench, rows, clocks=clocks, attempts=attempts, staged=[record("10:00", "11:00")])
    assert chain.rows(TIMELINE).pick("source", "started_at", "state") == [
        ("bt", "00:00", "unobserved"),
        ("bt", "08:00", "available"),
        ("cx", "00:00", "unobserved"),
        ("cx", "10:00", "available"),
        ("cx", "11:00", "offline"),
        ("kore", "00:00", "unobserved"),
        ("kore", "09:00", "not_ready"),
    ]
