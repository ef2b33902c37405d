"""``python -m benchmarks``: makes the data, runs all contenders side by side and prints each bar with its ratio."""

import argparse
import os
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import capture, pipeline, recorder, refresh, reports, timeline, year
from benchmarks import data as made
from benchmarks.measure import Bar, show_bars

_PARTS = (
    "capture",
    "timeline",
    "intervals",
    "end-to-end",
    "refresh",
    "many-days",
    "overhead",
    "questions",
    "reports",
    "recorder",
)


def main() -> None:
    """Parse the command line, make what is not there yet, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the data and one round: is all in order?")
    parser.add_argument("--only", choices=_PARTS, action="append", help="a part alone; may be repeated")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (5)")
    parser.add_argument("--data", type=Path, help="folder to keep the data in for the next time (none)")
    options = parser.parse_args()
    rounds = 1 if options.quick else options.rounds
    with TemporaryDirectory() as temporary:
        root = options.data or Path(temporary)
        bars = _run(root / ("quick" if options.quick else "full"), options.only or _PARTS, rounds, quick=options.quick)
    if not options.only or "recorder" in options.only:
        bars += recorder.run(30.0 if options.quick else 360.0)
    show_bars(bars)


def _run(data: Path, parts: Sequence[str], rounds: int, *, quick: bool) -> list[Bar]:
    agents, days, history = (1_000, 3, 30) if quick else (10_000, 25, 365)
    data.mkdir(parents=True, exist_ok=True)
    bars: list[Bar] = []
    if "capture" in parts:
        _once(data / "pages", made.make_pages)
        bars += capture.run(data, rounds)
    if {"timeline", "intervals", "many-days"} & {*parts}:
        _once(data / "day", lambda folder: made.make_day(folder, agents))
    if "timeline" in parts:
        bars += timeline.run_timeline(data, rounds)
    if "intervals" in parts:
        _once(data / "built", lambda folder: _with_timeline(data, folder))
        bars += timeline.run_intervals(data, rounds)
    if {"end-to-end", "refresh"} & {*parts}:
        _once(data / "centre-pages", lambda folder: made.make_all_pages(folder, 1_000))
        _once(data / "centre", lambda folder: made.make_day(folder, 1_000, captured=False))
    if "end-to-end" in parts:
        bars += timeline.run_all(data, rounds)
    bars += _with_history(data, parts, history, rounds)
    if "many-days" in parts:
        _once(data / "many", lambda folder: _days(data, folder, days))
        bars += timeline.run_many_days(data, days)
    if "overhead" in parts:
        bars += timeline.run_overhead(rounds)
    if "reports" in parts:
        _once(data / "report", lambda folder: reports.make_warehouse(folder, agents))
        bars += reports.run(data, 1)  # minutes, and the memory is the same each time
    return bars


def _with_history(data: Path, parts: Sequence[str], history: int, rounds: int) -> list[Bar]:
    bars: list[Bar] = []
    if "refresh" in parts:
        _once(data / "refresh", lambda folder: refresh.make_history(data, folder, 7, history))
        bars += refresh.run(data, rounds)
    if "questions" in parts:
        _once(data / "questions", year.make_template)
        _once(data / "week", lambda folder: year.make_year(data / "questions", folder, 7))
        _once(data / "year", lambda folder: year.make_year(data / "questions", folder, history))
        bars += year.run(data, rounds)
    return bars


def _once(folder: Path, make: Callable[[Path], object]) -> None:
    """Make a folder unless it was made, whole, before."""
    done = folder.with_suffix(".done")
    if not done.exists():
        print(f"making {folder.name}", flush=True)
        make(folder)
        done.touch()


def _with_timeline(data: Path, folder: Path) -> None:
    pipeline.prepare_day(data, folder)
    pipeline.timeline(data, folder)
    os.link(pipeline.file_of(folder, made.TIMELINE), data / "timeline.parquet")


def _days(data: Path, folder: Path, days: int) -> None:
    template, builder = made.open_builder(data / "day"), made.open_builder(folder)
    builder.build(builder.models["intermediate.int_source_signals"], None)
    for back in range(days):
        day = made.DAY - timedelta(days=back)
        refresh.add_day(builder, template, day, folder / "moved.parquet")
        for table in made.FEED_TABLES:
            builder.build_days(table, [day])


if __name__ == "__main__":
    main()
