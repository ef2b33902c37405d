"""What was looked at: windows, gaps, broken chains and coverage, and the feeds' own log and health."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from tests.models.workbench import DAY, Chain, Rows, Workbench, at, attempt, clock, record, short

WINDOWS = "intermediate.int_feed_windows"
DELAY = timedelta(seconds=15)


def later(text: str) -> str:
    """The vendor's clock at which everything before this time was visible."""
    return short(at(text) + DELAY)


def got(start: str, end: str) -> dict[str, Any]:
    """A window that was fetched whole."""
    return attempt(start, end, later(end))


def cover(bench: Workbench, attempts: Sequence[Mapping[str, Any]], **clock_fields: Any) -> Chain:
    """Windows, gaps and coverage of the day."""
    return bench.chain([DAY], "", [clock(**clock_fields)], attempts=attempts, staged=[])


def stretches(rows: Rows) -> list[tuple[str, str, str]]:
    """Neighbouring stretches of one status as one."""
    merged: list[tuple[str, str, str]] = []
    for start, end, status in rows.pick("window_start", "window_end", "status"):
        if merged and merged[-1][2] == status and merged[-1][1] == start:
            merged[-1] = (merged[-1][0], end, status)
        else:
            merged.append((start, end, status))
    return merged


def test_pieces_of_a_window_cover_it_together(bench: Workbench) -> None:
    """The recorder asks every 15 s; if this fails, its windows count as missing, or as rows without number."""
    pieces = [got(f"08:00:{s:02}", short(at("08:00") + timedelta(seconds=s + 15))) for s in (0, 15, 30, 45)]
    rows = cover(bench, [*pieces, got("08:01", "08:10")], since="08:00", until="08:10").rows(WINDOWS)
    assert rows.pick("window_start", "window_end", "status") == [("08:00", "08:10", "observed")]


def test_windows_follow_the_feeds_grid(bench: Workbench) -> None:
    """If this fails, `missing` does not name windows that can be fetched."""
    rows = cover(bench, [got("08:00", "08:20")], since="08:00", until="08:40").rows(WINDOWS)
    assert rows.pick("window_start", "window_end", "status") == [
        ("08:00", "08:10", "observed"),
        ("08:10", "08:20", "observed"),
        ("08:20", "08:30", "missing"),
        ("08:30", "08:40", "missing"),
    ]


def test_a_window_is_observed_only_as_far_as_the_vendors_clock_less_its_delay(bench: Workbench) -> None:
    """The vendor holds events back; if this fails, seconds that nobody could see count as observed."""
    rows = cover(bench, [attempt("08:00", "08:10", "08:05")], since="08:00", until="08:10").rows(WINDOWS)
    assert stretches(rows) == [("08:00", "08:04:45", "observed"), ("08:04:45", "08:10", "missing")]


def test_a_window_asked_for_too_early_shows_nothing(bench: Workbench) -> None:
    """If this fails, a request at the present observes it."""
    rows = cover(bench, [attempt("08:00", "08:10", "08:00:15")], since="08:00", until="08:10").rows(WINDOWS)
    assert stretches(rows) == [("08:00", "08:10", "missing")]


@pytest.mark.parametrize("fields", [{"status": "unreadable"}, {"status": "failed", "vendor_time": None}])
def test_attempts_that_were_not_ok_are_missing(bench: Workbench, fields: dict[str, Any]) -> None:
    """If this fails, an outage looks like a quiet centre."""
    failed = {**got("08:10", "08:20"), **fields}
    rows = cover(bench, [got("08:00", "08:10"), failed], since="08:00", until="08:20").rows(WINDOWS)
    assert stretches(rows) == [("08:00", "08:10", "observed"), ("08:10", "08:20", "missing")]


def test_a_window_that_failed_and_then_came_is_observed(bench: Workbench) -> None:
    """If this fails, a retry mends nothing."""
    attempts = [attempt("08:00", "08:10"), got("08:00", "08:10")]
    assert stretches(cover(bench, attempts, since="08:00", until="08:10").rows(WINDOWS)) == [
        ("08:00", "08:10", "observed")
    ]


def test_what_the_vendor_forgot_is_lost_and_the_rest_missing(bench: Workbench) -> None:
    """If this fails, someone waits for data that no longer exists, or gives up data that does."""
    rows = cover(bench, [got("08:20", "08:30")], since="08:00", until="08:50", lost_before="08:35").rows(WINDOWS)
    assert stretches(rows) == [
        ("08:00", "08:20", "lost"),
        ("08:20", "08:30", "observed"),
        ("08:30", "08:35", "lost"),
        ("08:35", "08:50", "missing"),
    ]


def test_a_feed_asked_for_in_vain_has_missing_windows(bench: Workbench) -> None:
    """If this fails, a feed that never answered is not listed."""
    one = clock(since="08:00", until="08:10", observed_until=None)
    chain = bench.chain([DAY], "", [one], attempts=[attempt("08:00", "08:10")], staged=[])
    assert stretches(chain.rows("ops.feed_coverage")) == [("08:00", "08:10", "missing")]
    assert chain.rows("ops.feed_coverage").pick("reason") == ["not_fetched"]


def test_a_feed_never_asked_for_on_the_day_has_no_windows(bench: Workbench) -> None:
    """If this fails, days before the first capture count as missing."""
    assert cover(bench, [], since="+1d 00:00", until="+1d 01:00").rows(WINDOWS) == []


def test_coverage_tiles_time_whatever_was_fetched(bench: Workbench) -> None:
    """If this fails, observed and missing seconds do not add up to the day."""
    attempts = [
        got("00:00", "00:07"),
        got("00:05", "03:00"),
        attempt("03:00", "04:00", "03:21:07"),
        got("09:13", "17:00"),
    ]
    rows = cover(bench, attempts, lost_before="11:11:11.111111").rows("ops.feed_coverage")
    edges = rows.pick("window_start", "window_end")
    assert edges[0][0] == "00:00"
    assert edges[-1][1] == "24:00"
    assert all(end == start for (_, end), (start, _) in pairwise(edges))


def test_gaps_are_what_lies_between_observed_windows(bench: Workbench) -> None:
    """If this fails, held states are cut in the wrong place or not at all."""
    rows = cover(bench, [got("01:00", "09:00"), got("08:00", "09:30"), got("10:00", "24:00")]).rows(
        "intermediate.int_feed_gaps"
    )
    assert rows.pick("gap_start", "gap_end") == [("00:00", "01:00"), ("09:30", "10:00")]


def test_a_day_observed_whole_has_one_gap_of_no_length(bench: Workbench) -> None:
    """A day without a row is a day that nobody asked for; if this fails, the two look alike."""
    rows = cover(bench, [got("00:00", "24:00")]).rows("intermediate.int_feed_gaps")
    assert rows.pick("gap_start", "gap_end") == [("00:00", "00:00")]


def test_any_state_bearing_feed_of_a_source_closes_a_gap_and_others_do_not(bench: Workbench) -> None:
    """If this fails, a feed about something else vouches for states, or a second witness is ignored."""
    clocks = [clock(), clock(feed="second"), clock(feed="calls", state_bearing=False)]
    attempts = [
        got("00:00", "08:00"),
        {**got("08:00", "16:00"), "feed": "second"},
        {**got("16:00", "24:00"), "feed": "calls"},
    ]
    chain = bench.chain([DAY], "intermediate.int_feed_gaps", clocks, attempts=attempts)
    assert chain.rows("intermediate.int_feed_gaps", "gap_end > gap_start").pick("gap_start", "gap_end") == [
        ("16:00", "24:00")
    ]


def broken(bench: Workbench, staged: Sequence[Mapping[str, Any]], spans: Sequence[tuple[str, str]]) -> Chain:
    """Broken chains and coverage of a day observed in these spans."""
    return bench.chain([DAY], "", [clock(spans[-1][1])], attempts=[got(*span) for span in spans], staged=staged)


def test_a_named_successor_that_is_absent_is_listed(bench: Workbench) -> None:
    """If this fails, a record that the vendor owes us is never fetched again."""
    staged = [record("08:00", "09:00", next_event_id="lost"), record("10:00", "11:00", logged_in_at="08:00")]
    chain = broken(bench, staged, [("00:00", "24:00")])
    assert chain.rows("ops.broken_chains").pick("agent_id", "missing_from", "missing_until", "missing_id") == [
        ("ann", "09:00", "10:00", "lost")
    ]


def test_an_absent_last_record_is_listed_without_an_end(bench: Workbench) -> None:
    """If this fails, a chain that breaks at the end of the day looks whole."""
    chain = broken(bench, [record("08:00", "09:00", next_event_id="lost")], [("00:00", "24:00")])
    assert chain.rows("ops.broken_chains").pick("missing_from", "missing_until") == [("09:00", None)]


def test_an_absent_beginning_of_a_session_is_listed(bench: Workbench) -> None:
    """If this fails, a late first row hides what the agent did since signing in."""
    staged = [record("08:00", "09:00"), record("10:30", "11:00", session_id="s2", logged_in_at="10:00")]
    chain = broken(bench, staged, [("00:00", "24:00")])
    assert chain.rows("ops.broken_chains").pick("missing_from", "missing_until", "missing_id") == [
        ("10:00", "10:30", "s2")
    ]


def test_the_first_session_ever_seen_may_lack_its_beginning_too(bench: Workbench) -> None:
    """If this fails, the first capture's missing rows are never fetched."""
    chain = broken(bench, [record("10:30", "11:00", logged_in_at="10:00")], [("00:00", "24:00")])
    assert chain.rows("ops.broken_chains").pick("missing_from", "missing_until") == [("10:00", "10:30")]


def test_whole_chains_and_records_at_the_end_of_what_was_observed_are_not_listed(bench: Workbench) -> None:
    """The successor of the last record is not due yet; if this fails, every live agent has a broken chain."""
    staged = [
        record("08:00", "09:00", next_event_id="b"),
        record("09:00", "10:00", logged_in_at="08:00", next_event_id="c"),
    ]
    chain = broken(bench, staged, [("00:00", "10:00")])
    assert chain.rows("ops.broken_chains") == []


def test_what_was_not_fetched_is_no_broken_chain(bench: Workbench) -> None:
    """If this fails, every outage is reported once per agent."""
    staged = [record("08:00", "09:00", next_event_id="in the gap")]
    chain = broken(bench, staged, [("00:00", "08:30"), ("10:00", "24:00")])
    assert chain.rows("ops.broken_chains") == []


def test_a_broken_chain_marks_the_windows_it_concerns_as_missing(bench: Workbench) -> None:
    """If this fails, the windows with the absent record are not fetched again."""
    staged = [record("08:00", "09:00", next_event_id="lost"), record("09:20", "11:00", logged_in_at="08:00")]
    rows = broken(bench, staged, [("00:00", "24:00")]).rows("ops.feed_coverage", "status <> 'observed'")
    assert rows.pick("window_start", "window_end", "status", "reason") == [
        ("09:00", "09:10", "missing", "broken_chain"),
        ("09:10", "09:20", "missing", "broken_chain"),
    ]


def test_a_broken_chain_beyond_the_vendors_memory_is_lost(bench: Workbench) -> None:
    """If this fails, windows that can bring nothing are fetched for ever."""
    staged = [record("08:00", "09:00", next_event_id="lost"), record("09:10", "11:00", logged_in_at="08:00")]
    attempts = [got("00:00", "24:00")]
    chain = bench.chain([DAY], "", [clock(lost_before="12:00")], attempts=attempts, staged=staged)
    rows = chain.rows("ops.feed_coverage", "reason = 'broken_chain'")
    assert rows.pick("window_start", "status") == [("09:00", "lost")]


def test_a_chain_that_broke_before_midnight_is_missing_until_it_is_taken_up(bench: Workbench) -> None:
    """If this fails, the windows after midnight count as observed while the agent does not, and are not asked again."""
    staged = [
        record("-1d 20:00", "-1d 23:50", next_event_id="lost"),
        record("00:20", "02:00", logged_in_at="-1d 20:00"),
    ]
    days = [DAY - timedelta(days=1), DAY]
    seen = [got("-1d 00:00", "00:00"), got("00:00", "24:00")]
    chain = bench.chain(days, "", [clock(since="-1d 00:00")], attempts=seen, staged=staged)
    rows = chain.rows("ops.broken_chains")
    assert rows.pick("missing_from", "missing_until", "missing_id") == [
        ("-1d 23:50", None, "lost"),
        ("00:00", "00:20", "lost"),
    ]
    assert [row["date"] for row in rows] == days
    marked = chain.rows("ops.feed_coverage", "reason = 'broken_chain'")
    assert marked.pick("window_start") == ["-1d 23:50", "00:00", "00:10"]
    unseen = chain.rows("marts.fct_agent_timeline", "state = 'unobserved'").pick("started_at", "ended_at")
    assert unseen[1:] == [("-1d 23:50", "00:00"), ("00:00", "00:20")]


def test_a_chain_that_broke_in_a_gap_before_midnight_is_not_listed_after_it(bench: Workbench) -> None:
    """If this fails, an outage over midnight is reported once per agent."""
    staged = [record("-1d 20:00", "-1d 23:50", next_event_id="unfetched"), record("00:20", logged_in_at="-1d 20:00")]
    seen = [got("-1d 00:00", "-1d 23:40"), got("00:00", "24:00")]
    clocks = [clock(since="-1d 00:00")]
    chain = bench.chain([DAY - timedelta(days=1), DAY], "", clocks, attempts=seen, staged=staged)
    assert chain.rows("ops.broken_chains") == []


def test_open_segments_reach_to_the_last_reply_that_showed_them(bench: Workbench) -> None:
    """If this fails, an open state ends at its first delivery, or runs past its last."""
    log = [
        {**attempt("08:00", "09:00", "10:00"), "segment": "a", "open_records": 2},
        {**attempt("08:00", "09:00", "11:00"), "segment": "a", "open_records": 2},
        {**attempt("08:00", "09:00", "12:00", status="unreadable"), "segment": "a", "open_records": 2},
        {**attempt("08:00", "09:00", "12:00"), "segment": "b", "open_records": 0},
        {**attempt("-1d 08:00", "-1d 09:00", "+1d 08:00"), "segment": "c", "open_records": 1},
    ]
    found = bench.run("intermediate.int_open_segments", capture_log=log)
    assert found.pick("segment", "open_until") == [("a", "10:59:45"), ("c", "24:00")]


def test_every_attempt_is_in_the_capture_log(bench: Workbench) -> None:
    """If this fails, failed and empty requests leave no trace."""
    attempts = [
        {**attempt("08:00", "08:10", "08:11"), "records": 3, "open_ids": ["x", "y"], "segment": "a"},
        {**attempt("08:10", "08:20"), "error": "no answer"},
    ]
    found = bench.run("ops.capture_log", capture_attempts=attempts)
    assert found.pick("window_start", "status", "records", "open_records", "error", "vendor_time") == [
        ("08:00", "ok", 3, 2, None, "08:11"),
        ("08:10", "failed", None, None, "no answer", None),
    ]


def test_health_lists_every_feed_also_one_that_never_answered(bench: Workbench) -> None:
    """If this fails, a dead feed is not on the page that should show it."""
    feeds = [clock(drift_seconds=2.0), clock(source="dead", first_requested_at=None, observed_until=None)]
    found = bench.run("ops.source_health", None, feed_clock=feeds)
    assert found.pick("source", "observed_until", "gap_seconds_7d", "rejects_7d", "clock_drift_seconds") == [
        ("cx", "24:00", 0.0, 0, 2.0),
        ("dead", None, 0.0, 0, None),
    ]
    # Nothing is known to be missing of it: 0 hours would be an alarm.
    assert [hours is None for hours in found.pick("hours_to_loss")] == [False, True]


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_health_counts_rejects_of_utc_days_whatever_the_readers_zone(bench: Workbench, zone: str) -> None:
    """If this fails, two readers of one warehouse see different figures."""
    today = datetime.now(UTC).date()
    given = [{"source": "cx", "feed": "agent_states", "date": today - timedelta(days=n)} for n in range(12)]
    counts = []
    for reader in ("UTC", zone):
        bench.connection.execute(f"set timezone = '{reader}'")
        counts += bench.run("ops.source_health", None, rejects=given).pick("rejects_7d")
    bench.connection.execute("set timezone = 'UTC'")
    assert counts[0] == counts[1]


def test_hours_to_loss_count_down_to_nought(bench: Workbench) -> None:
    """If this fails, somebody waits for time that is gone, or is told of hours below nought."""
    now = datetime.now(UTC)
    found = {}
    for hours in (70, 80):
        missing = {
            "source": "cx",
            "feed": "agent_states",
            "window_start": now - timedelta(hours=hours),
            "window_end": now - timedelta(hours=hours - 1),
            "status": "missing",
        }
        [left] = bench.run("ops.source_health", None, feed_coverage=[missing], feed_clock=[clock()]).pick(
            "hours_to_loss"
        )
        found[hours] = round(left, 1)
    assert found == {70: 2.0, 80: 0.0}


def test_health_tells_the_last_error_only_while_it_lasts(bench: Workbench) -> None:
    """If this fails, an alarm stays up after the feed came back, or never goes up."""
    failing = {**attempt("08:10", "08:20", None), "error": "timeout", "attempted_at": at("09:00")}
    fine = {**attempt("08:00", "08:10", "08:30"), "attempted_at": at("08:30")}
    log = [failing, fine]
    assert bench.run("ops.source_health", None, capture_log=log).pick("last_error") == ["timeout"]
    mended = [*log, {**fine, "attempted_at": at("10:00")}]
    assert bench.run("ops.source_health", None, capture_log=mended).pick("last_error") == [None]
