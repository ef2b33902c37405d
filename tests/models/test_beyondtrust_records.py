"""BeyondTrust's live messages and archive become state records: replay, copies, and which feed is followed."""

import json
import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.models.beyondtrust import (
    ARCHIVE,
    BACK,
    BUSY,
    IDLE,
    OFF,
    SOURCE,
    Replay,
    archive_page,
    change,
    gone,
    joined,
    lines,
    listing,
    now,
    rep,
    reps,
    stage,
    told,
)
from tests.models.workbench import DAY, Rows, Workbench, at, clock


@pytest.mark.parametrize(
    ("flags", "word", "code", "reason"),
    [
        (BACK, "available", None, None),
        (IDLE, "idle", "idle", "Idle"),
        (OFF, "assignment_off", "assignment_off", "Assignment off"),
        (BUSY, "busy", "at_capacity", "At capacity"),
        (OFF | IDLE | BUSY, "assignment_off", "assignment_off+idle+at_capacity", "Assignment off"),
        ({"routing_available": 0}, "unavailable", None, None),
        ({"routing_available": True, "routing_busy": False}, "available", None, None),
        (dict.fromkeys(BACK), "unknown", None, None),
    ],
)
def test_the_routing_flags_become_one_word(
    bench: Workbench, flags: Mapping[str, Any], word: str, code: str | None, reason: str | None
) -> None:
    """If this fails, an agent's state is not what the vendor's flags say, or a flag is lost behind another."""
    replay = Replay(bench, told(("08:00", reps(r12=rep(**flags)))))
    assert replay.states("reason_code", "reason") == [("08:00", word, code, reason)]


def test_a_partial_update_changes_only_what_it_names(bench: Workbench) -> None:
    """If this fails, an update without the user's id loses its agent, or resets the columns it leaves out."""
    replay = Replay(
        bench, told(("08:00", reps(r12=rep())), ("09:00", now(r12=IDLE)), ("09:30", now(r12={"routing_enabled": 0})))
    )
    assert replay.states("reason_code", "agent_name") == [
        ("08:00", "available", None, "Rep 5"),
        ("09:00", "idle", "idle", "Rep 5"),
        ("09:30", "assignment_off", "assignment_off+idle", "Rep 5"),
    ]


def test_an_update_that_changes_nothing_begins_nothing(bench: Workbench) -> None:
    """If this fails, a stretch is cut wherever the vendor repeats itself."""
    replay = Replay(bench, told(("08:00", reps(r12=rep())), ("09:00", now(r12=BACK)), ("10:00", now(r12={"x": 1}))))
    assert replay.states() == [("08:00", "available")]


def test_sessions_are_counted_and_handling_does_not_come_from_busy(bench: Workbench) -> None:
    """If this fails, an agent at capacity passes for one who works, or one who works for one who waits."""
    replay = Replay(
        bench,
        told(
            ("08:00", reps(r12=rep())),
            ("09:00", joined("1", "7", "12", "09:00")),
            ("09:10", joined("2", "8", "12", "09:10")),
            ("09:20", now(r12=BUSY)),
            ("09:30", gone("representative_support_session", "1", "2")),
        ),
    )
    assert replay.states("work_items", "load", "is_handling") == [
        ("08:00", "available", 0, 0, False),
        ("09:00", "available", 1, 1, True),
        ("09:10", "available", 2, 2, True),
        ("09:20", "busy", 2, 2, True),
        ("09:30", "busy", 0, 0, False),
    ]


def test_signing_in_and_out(bench: Workbench) -> None:
    """If this fails, a sign-in lacks its time, or a sign-out is not seen."""
    replay = Replay(
        bench,
        told(
            ("08:00", reps(r11=rep("4", "07:00"))),
            ("09:00:15", reps(r12=rep("5", "09:00:05"))),
            ("17:00", gone("representative", "12")),
        ),
    )
    assert replay.states("logged_in_at", "session_id", "uncertainty_us") == [
        ("09:00:05", "available", "09:00:05", None, 1_000_000),
        ("17:00", "logged_out", None, None, 20_000_000),
    ]
    assert replay.states("logged_in_at", agent="4") == [("08:00", "available", "07:00")]


def test_a_second_sign_in_outlives_the_deletion_of_the_first(bench: Workbench) -> None:
    """If this fails, an agent who moved to another console counts as signed out."""
    replay = Replay(
        bench,
        told(
            ("08:00", reps(r12=rep())),
            ("09:00:05", reps(r13=rep("5", "09:00:00"))),
            ("09:00:08", gone("representative", "12")),
            ("10:00", now(r13=IDLE)),
        ),
    )
    assert replay.states("logged_in_at") == [
        ("08:00", "available", "08:00"),
        ("09:00", "available", "09:00"),
        ("10:00", "idle", "09:00"),
    ]


def test_a_renewed_connection_continues_what_it_repeats(bench: Workbench) -> None:
    """If this fails, every hour cuts every stretch, though nothing changed."""
    first = told(("08:00", reps(r12=rep())), ("08:00", joined("1", "7", "12", "08:00")))
    copy = told(
        ("09:00:01", change(insert={"queue": {"1": {"name": "General"}}})),
        ("09:00:02", reps(r12=rep())),
        ("09:00:03", joined("1", "7", "12", "08:00")),
        ("09:30", now(r12=IDLE)),
        opened="09:00",
    )
    replay = Replay(bench, first + copy)
    assert replay.states("work_items") == [("08:00", "available", 1), ("09:30", "idle", 1)]


def test_what_a_later_copy_shows_anew_may_be_as_old_as_a_late_message(bench: Workbench) -> None:
    """If this fails, what one connection was about to tell looks exact because the next one began with it."""
    first = told(("08:00", reps(r12=rep())))
    copy = told(("09:00:01", reps(r12=rep())), ("09:00:10", joined("1", "7", "12", "08:59:58")), opened="09:00")
    assert Replay(bench, first + copy).states("work_items", "uncertainty_us") == [
        ("08:00", "available", 0, 20_000_000),
        ("09:00:01", "available", 1, 20_000_000),
    ]


def test_a_row_that_is_absent_from_a_later_copy_is_no_sign_out(bench: Workbench) -> None:
    """If this fails, a restarted appliance signs everybody out, or an agent who is gone stays for ever."""
    first = told(("08:00", reps(r12=rep(), r13=rep("6"))))
    replay = Replay(bench, first + told(("09:00", reps(r1=rep("6"))), opened="09:00"))
    assert replay.states("is_derived") == [("08:00", "available", False), ("09:00:20", "unknown", True)]
    assert replay.states(agent="6") == [("08:00", "available")]


def test_a_truncation_begins_anew(bench: Workbench) -> None:
    """If this fails, row ids of the time before a restart are taken for those after it."""
    replay = Replay(
        bench,
        told(
            ("08:00", reps(r12=rep(), r13=rep("6"))),
            ("09:00", {"type": "truncate_model"}),
            ("09:05", reps(r12=rep("6", "09:04:50"))),
            ("09:10", now(r12=IDLE)),
        ),
    )
    assert replay.states() == [("08:00", "available"), ("09:00:20", "unknown")]
    assert replay.states(agent="6") == [
        ("08:00", "available"), ("09:00:20", "unknown"), ("09:04:50", "available"), ("09:10", "idle"),
    ]  # fmt: skip


def test_who_goes_while_connections_change_is_signed_out(bench: Workbench) -> None:
    """Two connections overlap for a moment; if this fails, a sign-out told by the earlier alone is lost."""
    first = told(("08:00", reps(r12=rep(), r13=rep("6"))), ("09:00:02", gone("representative", "12")))
    copy = told(("09:00:01", reps(r13=rep("6"))), opened="09:00")
    assert Replay(bench, first + copy).states() == [("08:00", "available"), ("09:00:02", "logged_out")]


def test_an_earlier_connection_changes_nothing_once_a_later_one_took_over(bench: Workbench) -> None:
    """If this fails, a slow old connection undoes what the new one knows."""
    first = told(("08:00", reps(r12=rep())), ("09:00:03", now(r12=IDLE)), ("09:00:04", {"type": "truncate_model"}))
    copy = told(("09:00:01", reps(r12=rep())), ("09:30", now(r12=OFF)), opened="09:00")
    assert Replay(bench, first + copy).states() == [("08:00", "available"), ("09:30", "assignment_off")]


def test_after_a_gap_the_same_state_is_told_again(bench: Workbench) -> None:
    """If this fails, a state is carried over hours that nobody watched, or not taken up again after them."""
    pages = told(("08:00", reps(r12=rep()))) + told(("11:00", reps(r12=rep())), opened="10:59")
    assert Replay(bench, pages, gaps=[("09:00", "11:00")]).states() == [("08:00", "available"), ("11:00", "available")]


def test_a_copy_that_begins_a_moment_before_watching_counts_from_there(bench: Workbench) -> None:
    """A record that starts in a gap has no length; if this fails, a whole watched stretch is lost with it."""
    pages = told(("08:00", reps(r12=rep()))) + told(("11:00", reps(r12=rep())), opened="10:59")
    replay = Replay(bench, pages, gaps=[("09:00", "11:00:01")])
    assert replay.states() == [("08:00", "available"), ("11:00:01", "available")]


def test_a_stretch_that_lasts_over_midnight_belongs_to_the_day_it_began(bench: Workbench) -> None:
    """If this fails, each midnight cuts what lasts, and nobody knows how long the present state has lasted."""
    evening = told(("-1d 20:00", reps(r12=rep("5", "-1d 20:00"))), ("-1d 22:00", now(r12=IDLE)), opened="-1d 20:00")
    night = told(("00:00:02", reps(r12=rep("5", "-1d 20:00") | IDLE)), ("01:00", now(r12=BACK)), opened="00:00")
    replay = Replay(bench, evening + night)
    assert replay.states() == [("01:00", "available")]
    assert replay.states(day=at("-1d 12:00").date()) == [("-1d 20:00", "available"), ("-1d 22:00", "idle")]


def test_who_is_absent_after_midnight_is_unknown_then(bench: Workbench) -> None:
    """If this fails, somebody who left unseen at midnight works the whole next day."""
    evening = told(("-1d 20:00", reps(r12=rep("5", "-1d 20:00"), r13=rep("6"))), opened="-1d 20:00")
    night = told(("00:00:02", reps(r13=rep("6"))), opened="00:00")
    assert Replay(bench, evening + night).states() == [("00:00:22", "unknown")]


def snapshot(**tables: Any) -> bytes:
    """A copy in the archive, with empty tables written as null."""
    return json.dumps({"representative": None, "queue": {"1": {"name": "General"}}, **tables}).encode()


def archived(*, until: str = "10:30", sign_out: str = "10:10") -> list[dict[str, Any]]:
    """An archive from 10:00: agent 5 is idle at 10:05 and signs out; agent 6 is there throughout."""
    both = {"12": rep(), "13": rep("6")}
    rows = [
        listing({1: "10:00", 2: until}, {1: "10:00", 2: "10:10"}),
        archive_page("state", snapshot(representative=both), 1, sequence=1),
        archive_page("event", lines([("10:05", now(r12=IDLE))]), 1, sequence=2),
        archive_page("event", lines([(sign_out, gone("representative", "12"))]), 2, sequence=3),
    ]
    return [{**row, "window_start": at("10:00"), "window_end": at(until)} for row in rows]


def test_the_archive_tells_what_nobody_watched(bench: Workbench) -> None:
    """If this fails, seven days of history that the vendor kept are not used."""
    replay = Replay(bench, archive=archived(), observed=[("10:00", "10:30")])
    assert replay.states("uncertainty_us") == [
        ("10:00", "available", 1_000_000), ("10:05", "idle", 1_000_000), ("10:10", "logged_out", 1_000_000),
    ]  # fmt: skip


def test_where_the_archive_reaches_the_live_feed_is_not_counted_again(bench: Workbench) -> None:
    """If this fails, each change counts twice, seconds apart, once by either feed."""
    live = told(
        ("09:00", reps(r12=rep(), r13=rep("6"))),
        ("10:05:09", now(r12=IDLE)),
        ("10:10:12", gone("representative", "12")),
        ("10:40", now(r13=IDLE)),
    )
    replay = Replay(bench, live, archived(), observed=[("10:00", "10:30")])
    assert replay.states("feed") == [
        ("09:00", "available", "state"), ("10:05", "idle", "archive"), ("10:10", "logged_out", "archive"),
    ]  # fmt: skip
    assert replay.states("feed", agent="6") == [("09:00", "available", "state"), ("10:40", "idle", "state")]


def test_a_change_just_before_the_archives_end_is_not_undone_by_the_slower_feed(bench: Workbench) -> None:
    """Live messages are late; if this fails, a state flickers where one feed hands over to the other."""
    live = told(
        ("09:00", reps(r12=rep(), r13=rep("6"))),
        ("10:05:09", now(r12=IDLE)),
        ("10:30:09", gone("representative", "12")),
    )
    replay = Replay(bench, live, archived(sign_out="10:29:59"), observed=[("10:00", "10:30")])
    assert replay.states() == [("09:00", "available"), ("10:05", "idle"), ("10:29:59", "logged_out")]


def test_who_went_just_before_the_archive_begins_is_signed_out(bench: Workbench) -> None:
    """The copy lacks the row and the live message is late; if this fails, a known sign-out becomes unknown."""
    live = told(("09:00", reps(r14=rep("7"), r13=rep("6"))), ("10:00:11", gone("representative", "14")))
    replay = Replay(bench, live, archived(), observed=[("10:00", "10:30")])
    assert replay.states(agent="7") == [("09:00", "available"), ("10:00:11", "logged_out")]


def test_an_archive_that_was_not_fetched_is_not_followed(bench: Workbench) -> None:
    """If this fails, a lone copy without the events after it hides what was watched live."""
    live = told(("09:00", reps(r12=rep())), ("10:20", now(r12=OFF)))
    assert Replay(bench, live, archived()).states() == [("09:00", "available"), ("10:20", "assignment_off")]


@pytest.mark.parametrize(
    "unread",
    [b'{"occurred_at":1793700600,"update":{"representative":{"12":{"routing_idle":1}}}}\n', b'{"error":"internal"}'],
)
def test_an_archive_that_cannot_be_read_whole_is_not_followed(bench: Workbench, unread: bytes) -> None:
    """If this fails, a copy of ten o'clock goes on for half an hour over all that was heard live since."""
    live = told(("09:00", reps(r12=rep())), ("10:05:09", now(r12=IDLE)), ("10:20", now(r12=OFF)))
    files = [listing({1: "10:00"}, {1: "10:00"}), archive_page("state", snapshot(representative={"12": rep()}), 1)]
    files.append(archive_page("event", unread, 1, sequence=2))
    heard = [("09:00", "available"), ("10:05:09", "idle"), ("10:20", "assignment_off")]
    assert Replay(bench, live, files, observed=fetched(bench, files)).states() == heard
    # Read from another reply, it is followed.
    again = archived()
    whole = Replay(bench, live, [*files, *again], observed=fetched(bench, files, again))
    assert whole.states()[:2] == [("09:00", "available"), ("10:05", "idle")]


def fetched(bench: Workbench, *segments: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """What counts as fetched when these were got of the archive from 10:00 to 10:30."""
    attempts, rejects = [], Rows()
    for number, pages in enumerate(segments):
        window = {"window_start": at("10:00"), "window_end": at("10:30"), "vendor_time": at("11:00")}
        attempts.append({"source": SOURCE, "feed": "archive", "status": "ok", "segment": f"s{number}", **window})
        staged = stage(bench, ARCHIVE, [{**one, "segment": f"s{number}"} for one in pages])
        rejects += bench.run("ops.rejects", stg_beyondtrust__archive=staged)
    feed = {**clock("10:30", "10:00"), "source": SOURCE, "feed": "archive", "window_seconds": 1800.0}
    tables: dict[str, Any] = {"capture_log": attempts, "rejects": rejects, "feed_clock": [feed]}
    windows = bench.run("intermediate.int_feed_windows", **tables)
    return [row[:2] for row in windows.pick("window_start", "window_end", "status") if row[2] == "observed"]


def test_a_change_in_the_second_of_a_copy_is_not_lost(bench: Workbench) -> None:
    """If this fails, who signs out in the very second of a copy stays signed in, or is merely absent."""
    pages = archived(sign_out="10:30")
    pages.append(archive_page("state", snapshot(representative={"13": rep("6")}), 2, sequence=4))
    replay = Replay(bench, archive=pages, observed=[("10:00", "11:00")])
    assert replay.states() == [("10:00", "available"), ("10:05", "idle"), ("10:30", "logged_out")]


def test_shuffled_and_delivered_twice_it_is_the_same(bench: Workbench) -> None:
    """If this fails, figures depend on how messages reached us."""
    live = told(
        ("07:00", reps(r12=rep("5", "06:00"), r13=rep("6"))),
        ("10:05:09", now(r12=IDLE)),
        ("10:10:12", gone("representative", "12")),
        ("10:40", joined("1", "7", "13", "10:40")),
        ("10:40", now(r13=BUSY)),
    )
    pages, archive = live, archived()
    expected = _figures(Replay(bench, pages, archive, observed=[("10:00", "10:30")]))
    twice = [*pages, *({**row, "segment": "again", "sequence": row["sequence"] + 3} for row in pages)]
    again = [*archive, *({**row, "segment": "again"} for row in archive)]
    for seed in range(3):
        random.Random(seed).shuffle(twice)
        random.Random(seed).shuffle(again)
        assert _figures(Replay(bench, twice, again, observed=[("10:00", "10:30")])) == expected
    assert len(expected) > 4


def _figures(replay: Replay) -> Sequence[Any]:
    delivery = {"segment", "window_start", "received_at", "payload_sha256"}
    return [{k: v for k, v in row.items() if k not in delivery} for row in replay.rows("int_beyondtrust_records", DAY)]
