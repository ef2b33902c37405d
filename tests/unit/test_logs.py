"""Merging logged attempts of a day that goes on: nothing changes for whoever reads, whenever they listed the files."""

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from orchestration import logs
from orchestration.constants import LakeConstants
from orchestration.lake import Attempt, Lake
from orchestration.logs import gather_attempts, merge_attempts

DAY = date(2026, 11, 2)
START = datetime(2026, 11, 2, tzinfo=UTC)
FEED = ("cxengage", "agent_states", "cx")


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake in which three files are many."""
    monkeypatch.setattr(logs, "MANY", 3)
    return Lake(tmp_path)


def logged(lake: Lake, count: int, first: int = 0) -> None:
    """Attempts, a file each."""
    for number in range(first, first + count):
        start = START + timedelta(minutes=number)
        end = start + timedelta(minutes=1)
        lake.log("cxengage", [Attempt("cx", "agent_states", start, end, end, "ok", vendor_time=end)])


def files(lake: Lake) -> set[Path]:
    """What lies in the folder."""
    return set((lake.capture_dir(*FEED) / f"date={DAY}").glob("*.parquet"))


def passes(lake: Lake, seconds: float) -> None:
    """Make all files older."""
    for path in files(lake):
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - seconds))


def test_a_running_day_is_merged_and_nothing_changes(lake: Lake) -> None:
    """If this fails, attempts are lost or doubled, tables are rebuilt, or a build finds files gone that it listed."""
    constants = LakeConstants(lake, [], [])
    logged(lake, 5)
    before, held = constants.input("raw.capture_attempts", DAY), lake.attempts("cxengage", "cx", "agent_states", DAY)
    assert gather_attempts(lake, *FEED, DAY)
    after = constants.input("raw.capture_attempts", DAY)
    assert sorted(after.identity) == sorted(before.identity)
    assert len(after.paths) == 1
    assert lake.attempts("cxengage", "cx", "agent_states", DAY) == held
    assert sum(pq.read_metadata(path).num_rows for path in before.paths) == 5


def test_it_is_merged_now_and_then_and_what_was_merged_an_hour_ago_is_removed(lake: Lake) -> None:
    """If this fails, the whole day's log is written every few minutes, or files pile up or vanish under readers."""
    logged(lake, 2)
    assert not gather_attempts(lake, *FEED, DAY)
    logged(lake, 2, first=2)
    assert gather_attempts(lake, *FEED, DAY)
    logged(lake, 4, first=4)
    assert not gather_attempts(lake, *FEED, DAY)
    listed = set(LakeConstants(lake, [], []).input("raw.capture_attempts", DAY).paths)
    passes(lake, logs.EVERY_SECONDS)
    assert gather_attempts(lake, *FEED, DAY)
    assert listed < files(lake)
    assert len(files(lake)) == 10
    logged(lake, 3, first=8)
    passes(lake, logs.GRACE_SECONDS)
    listed = set(LakeConstants(lake, [], []).input("raw.capture_attempts", DAY).paths)
    assert gather_attempts(lake, *FEED, DAY)
    assert listed < files(lake)
    assert len(files(lake)) == 5
    assert len(lake.attempts("cxengage", "cx", "agent_states", DAY)) == 11
    assert merge_attempts(lake, *FEED, DAY) is False
    assert len(files(lake)) == 1
    assert len(lake.attempts("cxengage", "cx", "agent_states", DAY)) == 11


def test_a_day_without_a_log_is_left_alone(lake: Lake) -> None:
    """If this fails, the recorder makes folders on days of which nothing is known, or ends there."""
    assert not gather_attempts(lake, *FEED, DAY)
    assert not merge_attempts(lake, *FEED, DAY)
    assert not lake.capture_dir(*FEED).exists()
