"""Where files lie: there whole or not at all, once, and never replaced by a lesser one."""

import fcntl
import json
import multiprocessing
import os
import random
import signal
from datetime import UTC, date, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn

import pyarrow.parquet as pq
import pytest

from orchestration.feed_clock import FeedClock
from orchestration.lake import RAW_SCHEMA, Attempt, Lake, Page, Segment, segments_of, stamp
from orchestration.rawfile import write_raw

START = datetime(2026, 11, 3, 8, tzinfo=UTC)
DAY = date(2026, 11, 3)
TEN = timedelta(minutes=10)
DELAY = timedelta(seconds=15)


def segment(payload: bytes = b"{}", start: datetime = START, source: str = "cx") -> Segment:
    """A window of ten minutes with one page."""
    page = Page(start, start + TEN, "GET /x?start=1", 200, "application/json", payload)
    return Segment("toy", source, "events", start, start + TEN, (page,))


def attempt(minute: int, status: str = "ok", late: timedelta = DELAY) -> Attempt:
    """An attempt at the ten minutes from this minute on, when the vendor's clock stood so late after their end."""
    start = START + timedelta(minutes=minute)
    heard = start + TEN + late if status == "ok" else None
    return Attempt("cx", "events", start, start + TEN, start + TEN, status, vendor_time=heard)


def test_a_segment_is_kept_byte_for_byte_with_how_it_was_got(tmp_path: Path) -> None:
    """If this fails, the evidence is not what the vendor sent."""
    lake = Lake(tmp_path)
    one = segment(b"\xff\x00 not json")
    assert lake.land(one)
    [(name, path)] = segments_of(lake.raw_dir("toy", "events", "cx", DAY)).items()
    assert name == one.name
    table = pq.read_table(path)
    assert table.schema.names == RAW_SCHEMA.names
    [row] = table.to_pylist()
    assert row["payload"] == b"\xff\x00 not json"
    assert (row["request"], row["status"], row["segment"], row["sequence"]) == ("GET /x?start=1", 200, name, 0)
    assert (row["window_start"], row["window_end"]) == (START, START + TEN)


def test_an_identical_reply_writes_nothing_and_a_different_one_lies_beside(tmp_path: Path) -> None:
    """If this fails, evidence is replaced, or each retry fills the disk."""
    lake = Lake(tmp_path)
    assert [lake.land(segment(b)) for b in (b"1", b"1", b"2", b"1")] == [True, False, True, False]
    assert len(segments_of(lake.raw_dir("toy", "events", "cx", DAY))) == 2


def test_names_tell_windows_sources_and_payloads_apart() -> None:
    """If this fails, two different replies are taken for one."""
    different = [
        segment(b"1"),
        segment(b"2"),
        segment(b"1", START + timedelta(microseconds=1)),
        segment(b"1", source="cy"),
    ]
    assert len({one.name for one in different}) == 4
    assert segment(b"1").name == different[0].name
    assert different[0].name.startswith("cx-events-20261103T080000Z-20261103T081000Z-")


def test_times_in_names_are_utc_with_microseconds_only_where_there_are_any() -> None:
    """If this fails, names of one window differ between machines."""
    assert stamp(datetime.fromisoformat("2026-11-03T10:00:00+02:00")) == "20261103T080000Z"
    assert stamp(START + timedelta(microseconds=7)) == "20261103T080000.000007Z"


def test_days_are_those_that_hold_segments(tmp_path: Path) -> None:
    """If this fails, a day with raw data is never built."""
    lake = Lake(tmp_path)
    for offset in (0, 2):
        lake.land(segment(start=START + timedelta(days=offset)))
    assert lake.days("toy", "events") == {DAY, DAY + timedelta(days=2)}
    assert lake.days("toy", "other") == set()


def test_a_merged_file_counts_in_place_of_its_segments(tmp_path: Path) -> None:
    """If this fails, compaction doubles or loses segments, or captures them again."""
    lake = Lake(tmp_path)
    ones = [segment(bytes([n])) for n in range(3)]
    for one in ones:
        lake.land(one)
    folder = lake.raw_dir("toy", "events", "cx", DAY)
    files = segments_of(folder)
    merged = folder / "cx-events-20261103-merged.parquet"
    names = [ones[0].name, ones[1].name]
    write_raw(pq.read_table(files[names[0]]), merged, {"segments": json.dumps(names)})
    files[names[0]].unlink()
    now = segments_of(folder)
    assert now.keys() == {one.name for one in ones}
    assert [now[one.name] == merged for one in ones] == [True, True, False]
    assert not lake.land(ones[0])


def test_small_pages_are_written_together_and_large_ones_apart(tmp_path: Path) -> None:
    """If this fails, a poll of a hundred bytes takes more than twice that, or large ones are all held parsed."""
    when = datetime(2026, 11, 3, tzinfo=UTC)
    polls = [Page(when, when, "GET /x", 200, None, b"%d" % (n % 7) * 100) for n in range(2_000)]
    large = [Page(when, when, "GET /x", 200, None, bytes([n]) * 1_000_000) for n in range(20)]
    sizes = {}
    for name, pages in {"polls": polls, "large": large}.items():
        lake = Lake(tmp_path / name)
        lake.land(Segment("toy", "cx", "events", when, when + timedelta(hours=1), tuple(pages)))
        [path] = (tmp_path / name).rglob("raw/**/*.parquet")
        sizes[name] = (pq.read_metadata(path).num_row_groups, path.stat().st_size)
    assert sizes["polls"][0] == 1
    assert sizes["polls"][1] < 20 * len(polls)
    assert sizes["large"][0] == 10


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """If this fails, a full disk leaves half a file that readers take for a whole one."""
    lake = Lake(tmp_path)
    target = tmp_path / "x" / "data.parquet"

    def half(path: Path) -> NoReturn:
        path.write_bytes(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        lake.place(target, half)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def _die_in_place(root: Path, target: Path) -> None:
    def half(path: Path) -> None:
        path.write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)

    Lake(root).place(target, half)


def test_a_process_killed_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    """If this fails, a crash shows half a file, or takes the old one away."""
    target = tmp_path / "x" / "data.parquet"
    Lake(tmp_path).place(target, lambda path: path.write_bytes(b"old"))
    child = multiprocessing.get_context("spawn").Process(target=_die_in_place, args=(tmp_path, target))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    assert target.read_bytes() == b"old"
    assert [path.name for path in target.parent.iterdir()] == ["data.parquet"]


def _hold(root: Path, told: Connection) -> None:
    with Lake(root).lock("one"):
        told.send("held")
        told.recv()


def test_a_lock_keeps_other_processes_out_and_dies_with_its_holder(tmp_path: Path) -> None:
    """If this fails, two runs build one partition at once, or a killed run blocks it for ever."""
    context = multiprocessing.get_context("spawn")
    mine, its = context.Pipe()
    child = context.Process(target=_hold, args=(tmp_path, its))
    child.start()
    assert mine.recv() == "held"
    with (tmp_path / ".locks" / "one.lock").open("w") as handle, pytest.raises(BlockingIOError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with Lake(tmp_path).lock("another"):
        child.kill()
    child.join(60)
    with Lake(tmp_path).lock("one"):
        assert child.exitcode == -signal.SIGKILL


def test_attempts_come_back_as_they_were_logged_oldest_first(tmp_path: Path) -> None:
    """If this fails, a plan forgets or invents what was tried."""
    lake = Lake(tmp_path)
    late, early = attempt(20), attempt(0, "failed")
    lake.log("toy", [late], DELAY)
    lake.log("toy", [early], DELAY)
    assert lake.attempts("toy", "cx", "events", DAY) == [early, late]
    assert lake.attempts("toy", "cx", "events", DAY + timedelta(days=1)) == []


def test_the_order_in_which_attempts_are_taken_in_does_not_matter() -> None:
    """If this fails, two recorders at work make a clock that depends on luck."""
    tried = [
        attempt(0),
        attempt(10, "failed"),
        attempt(20, late=timedelta(minutes=-3)),
        attempt(5, late=TEN),
        attempt(60, "unreadable"),
    ]
    expected = FeedClock().after(tried, DELAY)
    for seed in range(20):
        clock = FeedClock()
        for one in random.Random(seed).sample(tried, len(tried)):
            clock = clock.after([one], DELAY)
        assert clock == expected


def test_a_clock_is_observed_no_further_than_the_vendors_clock_less_its_delay() -> None:
    """If this fails, the present counts as observed."""
    clock = FeedClock().after([attempt(0, late=timedelta(minutes=-4)), attempt(10, "failed")], DELAY)
    assert clock.observed_until == START + timedelta(minutes=6) - DELAY
    assert (clock.first_requested_at, clock.requested_until) == (START, START + 2 * TEN)
    assert clock.drift_seconds == -240.0


def test_a_reply_from_before_its_window_observes_nothing() -> None:
    """If this fails, a window asked for too early moves observed-until."""
    assert FeedClock().after([attempt(0, late=-TEN)], DELAY).observed_until is None


def test_the_clock_is_kept_between_processes(tmp_path: Path) -> None:
    """If this fails, freshness starts anew with every run."""
    Lake(tmp_path).log("toy", [attempt(0), attempt(10)], DELAY)
    assert Lake(tmp_path).clock("toy", "events", "cx") == FeedClock().after([attempt(0), attempt(10)], DELAY)
    assert Lake(tmp_path).clock("toy", "events", "cy") == FeedClock()


def test_a_wish_moves_only_the_first_request_and_only_back(tmp_path: Path) -> None:
    """If this fails, days that were asked for and already forgotten do not count as lost."""
    lake = Lake(tmp_path)
    lake.log("toy", [attempt(0)], DELAY)
    before = lake.clock("toy", "events", "cx")
    lake.request("toy", "events", "cx", START + TEN)
    assert lake.clock("toy", "events", "cx") == before
    lake.request("toy", "events", "cx", START - TEN)
    after = lake.clock("toy", "events", "cx")
    assert (after.first_requested_at, after.observed_until) == (START - TEN, before.observed_until)
