"""Figures beside a second opinion: whose are compared, when a difference counts, and what is only listed."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.models.beyondtrust import Replay, archive_page, gone, joined, lines, listing, rep, reps, told
from tests.models.workbench import DAY, Rows, Workbench, at, attempt, clock, record, rules, shift

STAGED = "staging.stg_cxengage__agent_intervals"
FIGURES = "intermediate.int_cxengage_interval_figures"
BUCKETS = "intermediate.int_agent_buckets"
RECONCILED = "ops.reconciliation"
SECONDS = {"source": "cx", "tolerance_seconds": 2.0, "sums_unit_seconds": 1.0}


def iso(moment: str) -> str:
    """A short time as the vendor writes it."""
    return at(moment).isoformat().replace("+00:00", ".000Z")


def sums(start: str = "08:00", end: str = "08:15", agent: str = "ann", **fields: Any) -> dict[str, Any]:
    """The vendor's sums of one agent over a stretch."""
    return {"agentId": agent, "startTimestamp": iso(start), "endTimestamp": iso(end), **fields}


def page(reply: object, when: str = "09:20", **fields: Any) -> dict[str, Any]:
    """A row of a raw segment."""
    body = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
    return {
        "source": "cx",
        "segment": "seg",
        "sequence": 0,
        "payload": body,
        "payload_sha256": body.hex()[-64:],
        "window_start": at("08:00"),
        "window_end": at("09:00"),
        "received_at": at(when),
        **fields,
    }


def stage(bench: Workbench, *pages: Mapping[str, Any]) -> Rows:
    """What staging makes of these pages."""
    return bench.run(STAGED, cxengage_agent_intervals=pages)


def figures(bench: Workbench, *pages: Mapping[str, Any], **tolerances: Any) -> Rows:
    """The vendor's figures that these pages give."""
    staged = stage(bench, *pages)
    return bench.run(FIGURES, stg_cxengage__agent_intervals=staged, tolerances=[SECONDS | tolerances])


def reconciled(
    bench: Workbench, theirs: Sequence[Mapping[str, Any]], ours: Sequence[Mapping[str, Any]], **tolerances: Any
) -> Rows:
    """Both opinions side by side."""
    settings = [SECONDS | tolerances]
    return bench.run(RECONCILED, int_cxengage_interval_figures=theirs, int_agent_buckets=ours, tolerances=settings)


def bucket(start: str = "08:00", **us: int) -> dict[str, Any]:
    """A quarter of an hour of ann's, with these seconds by state; the rest of it is available."""
    states = ("available", "handling", "wrap_up", "not_ready", "offline", "unobserved")
    known = {f"{state}_us": us.get(state, 0) * 1_000_000 for state in states}
    left = 900_000_000 - sum(known.values())
    return {"source": "cx", "agent_id": "ann", "interval_start": at(start), **known, "available_us": left}


def figure(seconds: float, name: str = "handling_seconds", start: str = "08:00", end: str = "08:15") -> dict[str, Any]:
    """One figure of the vendor's about ann."""
    stretch = {"interval_start": at(start), "interval_end": at(end)}
    return {"source": "cx", "agent_id": "ann", "figure": name, "seconds": seconds, **stretch}


def broken(bench: Workbench, rows: Sequence[Mapping[str, Any]], name: str = "within_tolerance") -> Rows:
    """What a check of the reconciliation shows."""
    bench.give(RECONCILED, rows)
    [check] = [one for one in bench.models[RECONCILED].checks if one.name == name]
    return bench.query(check.sql)


@pytest.mark.parametrize("shape", ["list", "object"])
def test_sums_are_read_from_a_list_and_from_one_object(bench: Workbench, shape: str) -> None:
    """If this fails, one of the two shapes that the vendor's pages and its users show is rejected."""
    one = sums(idleTime=600, busyTime=30.5)
    reply = {"total": 1, "results": one if shape == "object" else [one]}
    rows = stage(bench, page(reply))
    names = ("record", "agent_id", "interval_start", "interval_end", "idle_time", "busy_time", "reject_reason")
    assert rows.pick(*names) == [(1, "ann", "08:00", "08:15", 600.0, 30.5, None)]
    assert rows.pick("touched_from", "touched_until") == [("08:00", "08:00")]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (None, "agentId is missing"),
        ({"startTimestamp": iso("08:00")}, "agentId is missing"),
        ({**sums(), "startTimestamp": None}, "startTimestamp is missing or no time"),
        ({**sums(), "startTimestamp": "infinity"}, "startTimestamp is missing or no time"),
        ({**sums(), "endTimestamp": 5}, "endTimestamp is missing or no time"),
        (sums("08:15", "08:15"), "endTimestamp does not lie after startTimestamp"),
    ],
)
def test_what_has_no_agent_or_stretch_is_rejected_with_its_payload(bench: Workbench, entry: Any, reason: str) -> None:
    """If this fails, a sum is compared with the wrong stretch, or vanishes."""
    rows = stage(bench, page({"results": [entry]}))
    assert rows.pick("reject_reason", "touched_from") == [(reason, None)]
    [reject] = bench.run("ops.rejects", stg_cxengage__agent_intervals=rows)
    assert (reject["feed"], json.loads(reject["payload"])) == ("agent_intervals", entry)


def test_figures_have_our_names_and_are_in_seconds(bench: Workbench) -> None:
    """If this fails, idle time is held against handling, or a tenant that counts in milliseconds is a thousand off."""
    told_in_ms = page({"results": [sums(idleTime=600_000, busyTime=1_500)]})
    rows = figures(bench, told_in_ms, sums_unit_seconds=0.001)
    assert rows.pick("interval_start", "figure", "seconds") == [
        ("08:00", "available_seconds", 600.0),
        ("08:00", "handling_seconds", 1.5),
    ]


@pytest.mark.parametrize("turn", [1, -1])
def test_the_last_delivery_of_a_figure_counts(bench: Workbench, turn: int) -> None:
    """If this fails, a sum that was read too early is held against ours for ever, or the order of files decides."""
    early, late = page({"results": [sums(busyTime=1)]}), page({"results": [sums(busyTime=9)]}, "10:20", segment="b")
    rows = figures(bench, *[early, late, late][::turn])
    assert [row["seconds"] for row in rows if row["figure"] == "handling_seconds"] == [9.0]


def test_a_figure_that_is_not_given_is_null_and_never_compared(bench: Workbench) -> None:
    """If this fails, what the vendor does not say is held against us as zero."""
    rows = figures(bench, page({"results": [sums(busyTime=None, conversationTime=40)]}))
    assert set(rows.pick("seconds")) == {None}
    assert reconciled(bench, rows, [bucket(handling=40)]) == []


def test_figures_within_tolerance_pass_and_others_are_named(bench: Workbench) -> None:
    """If this fails, a wrong figure goes unnoticed, or rounding is an alarm."""
    rows = reconciled(bench, [figure(598), figure(305, "available_seconds")], [bucket(handling=600)])
    assert rows.pick("figure", "ours_seconds", "theirs_seconds", "difference_seconds", "is_judged") == [
        ("available_seconds", 300.0, 305.0, -5.0, True),
        ("handling_seconds", 600.0, 598.0, 2.0, True),
    ]
    assert broken(bench, rows).pick("agent_id", "interval_start", "figure", "ours_seconds", "theirs_seconds") == [
        ("ann", "08:00", "available_seconds", 300.0, 305.0)
    ]


def test_the_tolerance_is_the_sources_own(bench: Workbench) -> None:
    """If this fails, who has seen that the vendor rounds to minutes cannot say so."""
    rows = reconciled(bench, [figure(540)], [bucket(handling=600)], tolerance_seconds=60.0)
    assert (rows.pick("tolerance_seconds"), broken(bench, rows)) == ([60.0], [])


def test_a_stretch_that_was_not_observed_whole_is_listed_but_not_judged(bench: Workbench) -> None:
    """If this fails, a gap of ours, which is known, shows as a wrong figure."""
    rows = reconciled(bench, [figure(600)], [bucket(handling=100, unobserved=450)])
    assert rows.pick("ours_seconds", "coverage", "is_judged") == [(100.0, 0.5, False)]
    assert broken(bench, rows) == []


def test_an_agent_of_whom_no_record_came_is_told_apart_from_a_wrong_figure(bench: Workbench) -> None:
    """If this fails, someone who worked all day unseen is no finding, or one who was signed out is."""
    rows = reconciled(bench, [figure(600), figure(0, "available_seconds")], [])
    assert rows.pick("figure", "ours_seconds", "coverage", "is_judged") == [("handling_seconds", None, 0.0, False)]
    assert (len(broken(bench, rows)), len(broken(bench, rows, "everybody_is_known"))) == (0, 1)


def test_a_longer_stretch_is_compared_with_all_its_quarters(bench: Workbench) -> None:
    """If this fails, a tenant whose sums span the range that was asked for is held against its first quarter."""
    ours = [bucket("08:00", handling=600), bucket("08:15", handling=300), bucket("08:30", handling=900)]
    rows = reconciled(bench, [figure(900, end="08:30"), figure(1900, end="08:45")], ours)
    assert rows.pick("interval_end", "ours_seconds", "is_judged") == [("08:30", 900.0, True), ("08:45", 1800.0, True)]
    assert broken(bench, rows).pick("interval_end") == ["08:45"]


def test_a_day_of_records_agrees_with_the_sums_of_the_same_day(bench: Workbench) -> None:
    """If this fails, what is compared is not what the timeline says."""
    staged = [
        *shift("07:50 ready", "08:05 not-ready Lunch", "08:10 ready", end="08:20", signs_out=False),
        record("08:20", "09:00", logged_in_at="07:50", capacity=rules({"voice": 1}, load=1.0), event_id="unseen"),
    ]
    theirs = page({"results": [sums(idleTime=600, busyTime=0), sums("08:15", "08:30", idleTime=300, busyTime=601)]})
    chain = bench.chain(
        [DAY], RECONCILED, [clock()], staged=staged, attempts=[attempt("00:00", "24:00", "+1d 00:01")],
        stg_cxengage__agent_intervals=[{**row, "date": DAY} for row in stage(bench, theirs)],
    )  # fmt: skip
    assert chain.rows(RECONCILED).pick("interval_start", "figure", "ours_seconds", "theirs_seconds", "is_judged") == [
        ("08:00", "available_seconds", 600.0, 600.0, True),
        ("08:15", "available_seconds", 300.0, 300.0, True),
        ("08:15", "handling_seconds", 600.0, 601.0, True),
    ]


def test_good_and_odd_sums_are_told_apart_by_checks(bench: Workbench) -> None:
    """If this fails, milliseconds taken for seconds look like wrong figures of ours."""
    rows = figures(bench, page({"results": [sums(idleTime=600_000, busyTime=899)]}))
    bench.give(FIGURES, rows)
    odd = {one.name: bench.query(one.sql).pick("figure") for one in bench.models[FIGURES].checks}
    assert odd == {
        "lies_on_quarters": [],
        "lies_within_a_day": [],
        "fits_its_stretch": ["available_seconds"],
        "is_given": [],
    }


def archive(joins: str, leaves: str = "09:40") -> list[dict[str, Any]]:
    """An archive from 09:00 to 10:00 of agent 5, who is in a session for a while, with a copy each half hour."""
    session = joined("1", "7", "12", joins)
    early: dict[str, Any] = {"representative": {"12": rep()}, "representative_support_session": None}
    pages = [
        listing({1: "09:00", 2: "09:30"}, {1: joins, 2: leaves}),
        archive_page("state", json.dumps(early).encode(), 1, sequence=1),
        archive_page("event", lines([(joins, session)]), 1, sequence=2),
        archive_page("state", json.dumps(early | session["insert"]).encode(), 2, sequence=3),
        archive_page("event", lines([(leaves, gone("representative_support_session", "1"))]), 2, sequence=4),
    ]
    return [{**row, "window_start": at("09:00"), "window_end": at("10:00")} for row in pages]


def readings(
    bench: Workbench, joins: str, archived: Sequence[Mapping[str, Any]], watched: tuple[str, str] = ("08:00", "10:00")
) -> Replay:
    """Agent 5 as the live feed, watched for a while, and the archive, fetched from 09:00 to 10:00, have them."""
    live = told(
        ("08:30", reps(r12=rep())),
        (joins, joined("1", "7", "12", "07:00")),
        ("09:40:10", gone("representative_support_session", "1")),
    )
    replay = Replay(bench, live, archived, observed=[("09:00", "09:30"), ("09:30", "10:00")])
    start, end = watched
    window = {"source": "bt", "feed": "state", "status": "observed", "window_start": at(start), "window_end": at(end)}
    replay.given["int_feed_windows"].append(window)
    return replay


def held(bench: Workbench, replay: Replay) -> Rows:
    """Both feeds side by side, where they are judged."""
    rows = bench.run(RECONCILED, int_beyondtrust_readings=replay.rows("int_beyondtrust_readings"))
    return Rows(row for row in rows if row["is_judged"])


def test_each_feed_is_read_by_itself(bench: Workbench) -> None:
    """If this fails, the archive is held against itself, and can never differ."""
    rows = readings(bench, "09:20:15", archive("09:20")).rows("int_beyondtrust_readings")
    names = ("feed", "interval_start", "observed_us", "available_us", "handling_us", "changes")
    by_feed = {row[0:2]: row[2:] for row in rows.pick(*names)}
    assert by_feed["state", "08:30"] == (900_000_000, 900_000_000, 0, 1)
    assert by_feed["state", "09:15"] == (900_000_000, 315_000_000, 585_000_000, 1)
    assert by_feed["archive", "09:15"] == (900_000_000, 300_000_000, 600_000_000, 1)
    assert ("archive", "08:30") not in by_feed


def test_what_is_told_late_is_within_tolerance(bench: Workbench) -> None:
    """If this fails, the live feed's known latency is an alarm each day."""
    rows = held(bench, readings(bench, "09:20:20", archive("09:20")))
    assert broken(bench, rows) == []
    assert rows.pick("feed", "interval_start", "figure", "difference_seconds", "tolerance_seconds") == [
        ("archive", "09:00", "available_seconds", 0.0, 23.0),
        ("archive", "09:15", "available_seconds", 20.0, 23.0),
        ("archive", "09:15", "handling_seconds", -20.0, 23.0),
        ("archive", "09:30", "available_seconds", -10.0, 23.0),
        ("archive", "09:30", "handling_seconds", 10.0, 23.0),
        ("archive", "09:45", "available_seconds", 0.0, 2.0),
    ]


def test_a_change_near_an_edge_may_count_in_the_bucket_beside_it(bench: Workbench) -> None:
    """If this fails, a change of 09:29:55 that is told at 09:30:05 is a wrong figure of the next quarter."""
    rows = held(bench, readings(bench, "09:30:05", archive("09:29:55")))
    assert [row["difference_seconds"] for row in rows if row["figure"] == "handling_seconds"] == [-5.0, 5.0]
    assert broken(bench, rows) == []


def test_what_the_archive_knows_and_the_live_feed_missed_is_named(bench: Workbench) -> None:
    """If this fails, a message that was lost, or clocks that differ, go unnoticed."""
    found = broken(bench, held(bench, readings(bench, "09:25", archive("09:20"))))
    assert found.pick("agent_id", "interval_start", "figure", "ours_seconds", "theirs_seconds") == [
        ("5", "09:15", "available_seconds", 600.0, 300.0),
        ("5", "09:15", "handling_seconds", 300.0, 600.0),
    ]


@pytest.mark.parametrize(("watched", "judged"), [(("08:00", "09:30"), 2), (("09:00:01", "09:45"), 2)])
def test_only_what_both_feeds_watched_is_judged(bench: Workbench, watched: tuple[str, str], judged: int) -> None:
    """If this fails, what happened while nobody listened is held against what was recorded."""
    rows = held(bench, readings(bench, "09:20:15", archive("09:20"), watched))
    assert len(set(rows.pick("interval_start"))) == judged


def test_a_source_without_an_archive_has_nothing_to_compare(bench: Workbench) -> None:
    """If this fails, a live feed alone is held against nothing."""
    replay = readings(bench, "09:20:15", [])
    assert bench.run(RECONCILED, int_beyondtrust_readings=replay.rows("int_beyondtrust_readings")) == []
