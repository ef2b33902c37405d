"""Sealing: what a spool file holds is in the lake once, whatever dies when, and what cannot be read is kept."""

import errno
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestration import sealing
from orchestration.aside import FOLDER
from orchestration.lake import Lake
from orchestration.sealing import recover, seal
from orchestration.spool import Alive, Began, Ended, Event, Lost, Said, SpoolFile, UnreadableSpoolError, Watching, frame
from tests.recording import attempts, payloads

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
BEGAN = Began("toy", "one", "words", NOON, watching=False)


def at(seconds: float) -> datetime:
    """So many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def said(seconds: float, payload: bytes) -> Said:
    """A message."""
    return Said(NOON, at(seconds), "GET /words", 200, None, payload)


HAPPENED = (Watching(at(1), at(3)), said(2, b"a"), said(5, b"b"), Lost(at(6), "gone"), Ended(at(60)))


def spooled(home: Path, *events: Event, began: Began = BEGAN) -> SpoolFile:
    """A spool file that is still held."""
    file = SpoolFile(home / "spool" / "toy" / "words" / "one", began)
    file.append(b"".join(map(frame, events)))
    return file


def orphan(home: Path, *events: Event) -> Path:
    """The same after its recorder died."""
    file = spooled(home, *events)
    file.close()
    return file.path


def told(home: Path) -> list[tuple[float, float, str, int | None, str | None]]:
    """The log: seconds after noon, status, messages, error."""
    return [
        ((a.window_start - NOON).total_seconds(), (a.window_end - NOON).total_seconds(), a.status, a.records, a.error)
        for a in attempts(home)
    ]


WHOLE = [(1.0, 6.0, "ok", 2, None), (6.0, 60.0, "failed", 0, "gone")]


def test_a_file_becomes_segments_and_attempts_and_goes(tmp_path: Path) -> None:
    """If this fails, what was heard does not get into the lake, or stays in the spool for ever."""
    path = orphan(tmp_path, *HAPPENED)
    lake = Lake(tmp_path / "lake")
    seal(lake, path)
    assert payloads(tmp_path) == [b"a", b"b"]
    assert told(tmp_path) == WHOLE
    assert not path.exists()
    assert [a.segment is not None for a in attempts(tmp_path)] == [True, False]


def test_the_clock_of_the_feed_moves_to_the_end_of_the_stretch(tmp_path: Path) -> None:
    """If this fails, the timeline ends before what is known, or goes on into a gap."""
    lake = Lake(tmp_path / "lake")
    seal(lake, orphan(tmp_path, *HAPPENED))
    clock = lake.clock("toy", "words", "one")
    assert (clock.first_requested_at, clock.observed_until, clock.requested_until) == (at(1), at(6), at(60))
    assert clock.vendor_now == at(60)  # nothing before that can be had any more


def test_drift_is_what_the_vendor_told_and_unknown_otherwise(tmp_path: Path) -> None:
    """If this fails, a vendor's clock that nobody knows is shown as exact, or one that is wrong as right."""
    lake = Lake(tmp_path / "lake")
    seal(lake, orphan(tmp_path, Watching(at(1)), said(2, b"a")))
    assert lake.clock("toy", "words", "one").drift_seconds is None
    seal(lake, orphan(tmp_path, Watching(at(10), at(12)), Alive(at(20), at(17)), Alive(at(21))))
    assert lake.clock("toy", "words", "one").drift_seconds == -3.0
    seal(lake, orphan(tmp_path, Watching(at(30)), said(31, b"c")))
    assert lake.clock("toy", "words", "one").drift_seconds == -3.0


def test_a_silent_stretch_is_observed_without_a_segment(tmp_path: Path) -> None:
    """If this fails, a quiet night is a gap, or fills the lake with empty files."""
    seal(Lake(tmp_path / "lake"), orphan(tmp_path, Watching(at(1)), Alive(at(50))))
    assert told(tmp_path) == [(1.0, 50.0, "ok", 0, None)]
    assert not list((tmp_path / "lake").glob("raw/**/*.parquet"))


@pytest.mark.parametrize("step", ["land", "log", "note_drift"])
def test_a_seal_that_died_is_done_again_without_counting_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """If this fails, a crash while sealing loses messages, or doubles them in the log."""
    path = orphan(tmp_path, *HAPPENED)
    lake = Lake(tmp_path / "lake")
    whole = getattr(Lake, step)

    def dying(self: Lake, *words: object, **more: object) -> None:
        whole(self, *words, **more)
        raise OSError("the plug was pulled")

    with monkeypatch.context() as patch:
        patch.setattr(Lake, step, dying)
        with pytest.raises(OSError, match="plug"):
            seal(lake, path)
    assert path.exists()
    recover(lake, tmp_path / "spool")
    assert payloads(tmp_path) == [b"a", b"b"]
    assert told(tmp_path) == WHOLE
    assert not path.exists()


def test_a_seal_that_died_before_the_clock_was_moved_moves_it_when_it_is_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, the gap after a crash begins too early, and is told of time that was watched."""
    orphan(tmp_path, *HAPPENED)
    lake = Lake(tmp_path / "lake")

    def dying(*_: object, **__: object) -> None:
        raise OSError("the plug was pulled")

    with monkeypatch.context() as patch:
        patch.setattr(Lake, "heed", dying)
        with pytest.raises(OSError, match="plug"):
            recover(lake, tmp_path / "spool")
    assert told(tmp_path) == WHOLE
    assert lake.clock("toy", "words", "one").requested_until is None
    recover(lake, tmp_path / "spool")
    assert told(tmp_path) == WHOLE
    assert lake.clock("toy", "words", "one").requested_until == at(60)


def test_only_files_without_a_recorder_are_recovered(tmp_path: Path) -> None:
    """If this fails, a second recorder seals what the first one is still writing."""
    lake = Lake(tmp_path / "lake")
    held = spooled(tmp_path, *HAPPENED)
    assert recover(lake, tmp_path / "spool") == []
    held.close()
    assert len(recover(lake, tmp_path / "spool")) == 2
    assert recover(lake, tmp_path / "spool") == []


def test_a_torn_end_is_kept_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """If this fails, what a crash tore is thrown away without a word, or hides what is whole."""
    path = orphan(tmp_path, Watching(at(1)), said(2, b"a"))
    with path.open("ab") as file:
        file.write(frame(said(3, b"torn"))[:-2])
    recover(Lake(tmp_path / "lake"), tmp_path / "spool")
    assert payloads(tmp_path) == [b"a"]
    assert b"GET /words" in path.with_suffix(sealing.TORN).read_bytes()
    assert "cannot be read" in caplog.text


def test_a_file_that_nobody_can_read_is_set_aside_and_the_others_recovered(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """If this fails, one broken file keeps all others in the spool."""
    good = orphan(tmp_path, *HAPPENED)
    bad = good.with_name("00000000T000000Z-bad.spool")
    bad.write_bytes(b"rubbish")
    recover(Lake(tmp_path / "lake"), tmp_path / "spool")
    assert payloads(tmp_path) == [b"a", b"b"]
    assert bad.with_suffix(sealing.TORN).read_bytes() == b"rubbish"
    assert "does not begin as a spool file" in caplog.text
    bad.write_bytes(b"rubbish")
    with pytest.raises(UnreadableSpoolError, match=r"bad\.torn"):
        seal(Lake(tmp_path / "lake"), bad)


def test_a_feed_whose_log_is_damaged_keeps_no_other_in_the_spool(tmp_path: Path) -> None:
    """If this fails, what was heard of all feeds stays unseen because of one file that cannot be read."""
    lake = Lake(tmp_path / "lake")
    # The spool file that comes first is of the damaged one.
    sick = spooled(tmp_path, *HAPPENED, began=Began("toy", "sick", "words", NOON, watching=False))
    sick.close()
    log = lake.capture_dir("toy", "words", "sick") / f"date={NOON.date()}" / "0.parquet"
    log.parent.mkdir(parents=True)
    log.write_bytes(b"PAR1")
    orphan(tmp_path, *HAPPENED)
    recover(lake, tmp_path / "spool")
    assert not sick.path.exists()
    assert told(tmp_path) == WHOLE
    assert [path.name for path in (lake.root / FOLDER).rglob("*.parquet")] == [log.name]


def test_a_full_disk_leaves_no_half_frame_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, all that is written after the disk was full for a moment is unreadable."""
    file = spooled(tmp_path, Watching(at(1)), said(2, b"a"))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("orchestration.spool.os.fdatasync", full)
        with pytest.raises(OSError, match="space"):
            file.append(frame(said(3, b"never")))
    file.append(frame(said(4, b"b")))
    file.close()
    seal(Lake(tmp_path / "lake"), file.path)
    assert payloads(tmp_path) == [b"a", b"b"]


def test_a_file_that_cannot_be_begun_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, a full disk fills up further with each try."""

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("orchestration.spool.os.fdatasync", full)
    with pytest.raises(OSError, match="space"):
        spooled(tmp_path)
    assert [path for path in (tmp_path / "spool").rglob("*") if path.is_file()] == []


def test_tens_of_thousands_of_small_messages_make_a_small_segment_quickly(tmp_path: Path) -> None:
    """If this fails, each message takes a row group of its own, or sealing falls behind the vendor."""
    events = [said(n / 1000, b'{"agentState": %d, "padding": "%s"}' % (n % 7, b"x" * 100)) for n in range(30_000)]
    seal(Lake(tmp_path / "lake"), orphan(tmp_path, Watching(NOON), *events))
    [path] = (tmp_path / "lake").glob("raw/toy/words/source=one/date=*/*.parquet")
    assert path.stat().st_size < 200_000
    assert len(payloads(tmp_path)) == 30_000


def test_a_file_that_may_not_be_opened_stays_and_the_others_are_recovered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, one file that root left in the spool keeps all that is heard later out of the lake."""
    good = orphan(tmp_path, *HAPPENED)
    theirs = good.with_name("00000000T000000Z-theirs.spool")
    theirs.write_bytes(b"")
    opened = os.open

    def refusing(path: Path, *words: Any) -> int:
        if path == theirs:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, *words)

    monkeypatch.setattr(os, "open", refusing)
    with pytest.raises(PermissionError) as caught:
        recover(Lake(tmp_path / "lake"), tmp_path / "spool")
    assert payloads(tmp_path) == [b"a", b"b"]
    assert theirs.exists()
    assert f"{theirs} cannot be sealed yet" in caught.value.__notes__
