"""Coverage of what can only be heard while it is said, from the attempts that the recorder logs."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from orchestration.lake import Attempt, Lake, Page
from orchestration.sealing import recover
from orchestration.spool import Began, Ended, Event, Lost, Said, SpoolFile, Watching, frame
from tests.models.workbench import DAY, Chain, Workbench, at, clock, short

# By its name alone a feed of the workbench's vendor; its promises are those of a live one.
LIVE: dict[str, Any] = {"retention_seconds": 0.0, "delay_seconds": 0.0}


def said(moment: str) -> Said:
    """A message."""
    page = Page(at(moment), at(moment), "GET /words", 200, None, b"x")
    return Said.of(page)


def sealed(home: Path, *files: tuple[Event, ...]) -> list[Attempt]:
    """What the recorder logs of these spool files, of which the first began at midnight."""
    lake, start, watching, reason = Lake(home / "lake"), at("00:00"), False, None
    for events in files:
        file = SpoolFile(home / "spool", Began("cxengage", "cx", "agent_states", start, watching, reason))
        file.append(b"".join(map(frame, events)))
        file.close()
        last = recover(lake, home / "spool")[-1]
        start, watching, reason = last.window_end, last.error is None, last.error
    return lake.attempts("cxengage", "cx", "agent_states", DAY)


def covered(bench: Workbench, home: Path, logged: list[Attempt]) -> Chain:
    """Windows, gaps and coverage of the day."""
    of_feed = Lake(home / "lake").clock("cxengage", "agent_states", "cx")
    times: dict[str, Any] = {
        "first_requested_at": of_feed.first_requested_at,
        "requested_until": of_feed.requested_until,
        "observed_until": of_feed.observed_until,
    }
    attempts = [{name: getattr(one, name) for name in Attempt.__slots__} for one in logged]
    one = {**clock(**LIVE), **times, "lost_before": of_feed.vendor_now, "drift_seconds": of_feed.drift_seconds}
    return bench.chain([DAY], "", [one], attempts=attempts, staged=[])


def stretches(chain: Chain) -> list[tuple[str, str, str]]:
    """Coverage, neighbours of one status as one."""
    merged: list[tuple[str, str, str]] = []
    for start, end, status in chain.rows("ops.feed_coverage").pick("window_start", "window_end", "status"):
        if merged and merged[-1][1:] == (start, status):
            merged[-1] = (merged[-1][0], end, status)
        else:
            merged.append((start, end, status))
    return merged


def test_a_stretch_that_was_not_recorded_is_lost(bench: Workbench, tmp_path: Path) -> None:
    """If this fails, twenty minutes that nobody can fetch any more look fetched, or as if they could be."""
    first = (Watching(at("00:00")), said("00:30"), said("01:00"), Lost(at("01:00"), "gone"), Ended(at("01:05")))
    second = (Watching(at("01:20")), said("01:30"), said("02:00"), Ended(at("02:00:30")))
    chain = covered(bench, tmp_path, sealed(tmp_path, first, second))
    assert stretches(chain) == [
        ("00:00", "01:00", "observed"),
        ("01:00", "01:20", "lost"),
        ("01:20", "02:00", "observed"),
    ]
    gaps = chain.rows("intermediate.int_feed_gaps", "gap_end > gap_start").pick("gap_start", "gap_end")
    assert gaps == [("01:00", "01:20"), ("02:00", "24:00")]


def test_stretches_sealed_one_after_the_other_join(bench: Workbench, tmp_path: Path) -> None:
    """If this fails, each seal leaves a hole in the coverage of a feed that was watched all along."""
    files: list[tuple[Event, ...]] = [(said(f"{hour:02}:40"), said(f"{hour:02}:59:59.5")) for hour in range(4)]
    files[0] = (Watching(at("00:00")), *files[0])
    chain = covered(bench, tmp_path, sealed(tmp_path, *files))
    assert stretches(chain) == [("00:00", "03:59:59.5", "observed")]


def test_an_outage_that_goes_on_is_lost_as_far_as_it_is_known(bench: Workbench, tmp_path: Path) -> None:
    """If this fails, a feed that is down shows no gap until it is back."""
    logged = sealed(tmp_path, (Watching(at("00:00")), said("01:00"), Lost(at("01:00"), "gone"), Ended(at("01:30"))))
    assert stretches(covered(bench, tmp_path, logged))[-1] == ("01:00", "01:30", "lost")


def test_health_of_a_live_feed(bench: Workbench, tmp_path: Path) -> None:
    """If this fails, a sick feed is shown as well, or one that keeps nothing with hours until it is lost."""
    down = sealed(tmp_path, (Watching(at("00:00")), said("01:00"), Lost(at("01:00"), "gone"), Ended(at("01:30"))))
    rows = [{name: getattr(a, name) for name in ("source", "feed", "attempted_at", "status", "error")} for a in down]
    feeds = [clock("01:00", **LIVE)]
    health = bench.run("ops.source_health", None, capture_log=rows, feed_clock=feeds)
    assert health.pick("last_error", "hours_to_loss") == [("gone", None)]
    later = {"source": "cx", "feed": "agent_states", "attempted_at": at("01:30") + timedelta(minutes=5), "status": "ok"}
    health = bench.run("ops.source_health", None, capture_log=[*rows, later], feed_clock=feeds)
    assert health.pick("last_error") == [None]
    assert short(down[-1].attempted_at) == "01:30"
