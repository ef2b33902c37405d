"""What one more window costs: early and late on the open day, with a week and with a year behind it.

The history is one staged file a day, as compaction leaves it; the open day has a segment a window, as capture does.
"""

import json
import os
import shutil
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb

from benchmarks import data as made
from benchmarks import pipeline
from benchmarks.measure import Bar, Contender, against, race, show
from orchestration.builder import Builder
from orchestration.builds import Entry, Manifest, Part, fingerprint
from orchestration.inputs import Input, find_inputs
from orchestration.lake import Attempt
from orchestration.models import Model
from orchestration.settings import sql_dir
from orchestration.warehouse import Warehouse

EARLY, LATE = 6, 138
_ID = "printf('%08x-%04x-1%03x', t & 4294967295, (t >> 32) & 65535, (t >> 48) & 4095)"

# The day of the template moved back, with the ids that the vendor would have given.
_MOVED = """
copy (
    with moved as (
        select * replace (
            started_at - interval {days} day as started_at, ended_at - interval {days} day as ended_at,
            received_at - interval {days} day as received_at, window_start - interval {days} day as window_start,
            window_end - interval {days} day as window_end, touched_from - interval {days} day as touched_from,
            touched_until - interval {days} day as touched_until, '{segment}' as segment
        )
        from read_parquet({files})
    ),
    timed as (select *, epoch_us(started_at) * 10 + 122192928000000000 as t from moved),
    named as (
        select * exclude (t) replace ({id} || right(event_id, 18) as event_id),
            epoch_us(ended_at) * 10 + 122192928000000000 as t
        from timed
    )
    select * exclude (t) replace ({id} || right(next_event_id, 18) as next_event_id) from named
) to '{path}' (format parquet, compression zstd)
"""


def make_history(data: Path, folder: Path, short: int, long: int) -> None:
    """Lakes with ``short`` and with ``long`` days behind an open one, taken late on it and, once, early.

    How many seconds building all tables of the ``long`` history took, a full rebuild, is kept beside them.
    """
    template = made.open_builder(folder / "template")
    for number, pages in made.read_pages(data / "centre-pages"):
        made.land(template.lake, made.DAY, number, pages)
    template.build_days(made.STAGING, [made.DAY])
    builder = made.open_builder(folder / "history")
    builder.build(builder.models["intermediate.int_source_signals"], None)
    seconds = 0.0
    for newest, oldest in ((1, short), (short + 1, long)):
        days = [made.DAY - timedelta(days=back) for back in range(oldest, newest - 1, -1)]
        for day in days:
            add_day(builder, template, day, folder / "moved.parquet")
        started = time.perf_counter()
        _build(builder, days)
        seconds += time.perf_counter() - started
        _open_day(data, folder, f"late-{oldest}", LATE)
        if oldest == short:
            _open_day(data, folder, "early", EARLY)
    (folder / "rebuild.json").write_text(json.dumps(seconds))


def add_day(builder: Builder, template: Builder, day: date, path: Path) -> None:
    """Stage the template's day as another, earlier one, through ``path``."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    segment = f"{made.SOURCE}-history-{day}"
    files = [str(file) for file in template.builds.paths(made.STAGING, made.DAY)]
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(_MOVED.format(days=(made.DAY - day).days, segment=segment, files=files, id=_ID, path=path))
        rows = connection.execute(f"select count(*) from read_parquet('{path}')").fetchall()[0][0]
    size = path.stat().st_size
    name = builder.builds.keep(path, made.STAGING, day)
    content = f"{segment}@{builder.models[made.STAGING].version}"
    # The last records of the template come late; what they touch stays inside their own day.
    part = Part(segment, content, start, start + timedelta(hours=23, minutes=59))
    entry = Entry(name, f"{segment}.parquet", rows, size, content, (part,))
    builder.builds.put(made.STAGING, day, Manifest((entry,), fingerprint([content]), start, 0.0))
    windows = [made.window(day, number) for number in range(144)]
    seen = timedelta(minutes=1)
    attempts = [
        Attempt(made.SOURCE, made.FEED, *ends, ends[1] + seen, "ok", vendor_time=ends[1] + seen, segment=segment)
        for ends in windows
    ]
    builder.lake.log(made.VENDOR, attempts, timedelta(seconds=15))


def _open_day(data: Path, folder: Path, name: str, windows: int) -> None:
    shutil.copytree(folder / "history", folder / name, copy_function=os.link)
    builder = made.open_builder(folder / name)
    for number, pages in made.read_pages(data / "centre-pages"):
        if number < windows:
            made.land(builder.lake, made.DAY, number, pages)
    _build(builder, [made.DAY])
    _warehouse(builder).publish()


def _build(builder: Builder, days: list[date]) -> None:
    for table, model in builder.models.items():
        if model.kind in {"day", "segment"} and not (table == made.STAGING and made.DAY not in days):
            builder.build_days(table, days)


def _warehouse(builder: Builder) -> Warehouse:
    return Warehouse(builder.lake.root.parent / "warehouse.duckdb", builder, sql_dir() / "macros")


def prepare_early(data: Path, out: Path) -> None:
    """The open day after its first hour, a week behind it; the next window has landed."""
    _prepare(data, data / "refresh" / "early", out, EARLY, late=False)


def prepare_late(data: Path, out: Path) -> None:
    """The open day at 23:00, a week behind it; the next window has landed."""
    _prepare(data, _late(data)[0], out, LATE, late=False)


def prepare_late_long(data: Path, out: Path) -> None:
    """The same with the long history."""
    _prepare(data, _late(data)[1], out, LATE, late=False)


def prepare_three(data: Path, out: Path) -> None:
    """The window brings late records of the two days before, too."""
    _prepare(data, _late(data)[0], out, LATE, late=True)


def prepare_three_long(data: Path, out: Path) -> None:
    """The same with the long history."""
    _prepare(data, _late(data)[1], out, LATE, late=True)


def stage(data: Path, out: Path) -> None:
    """Parse what is new."""
    _ = data
    pipeline.builder_of(out).build_days(made.STAGING, [made.DAY])


def today(data: Path, out: Path) -> None:
    """All tables of the open day."""
    _ = data
    _build(pipeline.builder_of(out), [made.DAY])


def three_days(data: Path, out: Path) -> None:
    """All tables of the open day and of the two before it."""
    _ = data
    _build(pipeline.builder_of(out), [made.DAY - timedelta(days=back) for back in (2, 1, 0)])


def publish(data: Path, out: Path) -> None:
    """All tables of the open day, those of all days, and the analyst's file."""
    today(data, out)
    _warehouse(pipeline.builder_of(out)).publish([made.DAY])


def _late(data: Path) -> list[Path]:
    return sorted((data / "refresh").glob("late-*"), key=lambda path: int(path.name.split("-")[1]))


def _prepare(data: Path, source: Path, out: Path, number: int, *, late: bool) -> None:
    shutil.copytree(source, out, copy_function=os.link, dirs_exist_ok=True)
    builder = pipeline.builder_of(out)
    _ = builder.types
    pages = dict(made.read_pages(data / "centre-pages"))[number]
    if late:
        first = json.loads(pages[0])
        for back, at in ((1, 0), (2, 10)):
            day = str(made.DAY - timedelta(days=back))
            rows = json.dumps(first["results"][at : at + 10]).replace(str(made.DAY), day)
            first["results"][at : at + 10] = json.loads(rows)
        pages[0] = json.dumps(first).encode()
    made.land(builder.lake, made.DAY, number, pages)


def files_named(root: Path, days: list[date]) -> int:
    """How many different files a refresh of some days reads: the lists that its statements name."""
    builder = made.open_builder(root)
    models = [model for model in builder.models.values() if model.kind == "day"]
    inputs = [found for model in models for day in days for found in _inputs(builder, model, day)]
    return len({path for found in inputs for path in found.paths})


def _inputs(builder: Builder, model: Model, day: date) -> list[Input]:
    return find_inputs(builder.builds, builder.models, builder.constants, model, day)


def run(data: Path, rounds: int) -> list[Bar]:
    """Measure and print the refreshes; aim A4 and bars C1 to C3."""
    rebuild = float(json.loads((data / "refresh" / "rebuild.json").read_text()))
    module = "benchmarks.refresh"
    short, long = (int(path.name.split("-")[1]) for path in _late(data))
    contenders = [
        Contender("01:00, parse the new window", f"{module}:stage", f"{module}:prepare_early"),
        Contender("23:00, parse the new window", f"{module}:stage", f"{module}:prepare_late"),
        Contender("01:00, all tables of the day", f"{module}:today", f"{module}:prepare_early"),
        Contender(f"23:00, all tables of the day, {short} days", f"{module}:today", f"{module}:prepare_late"),
        Contender(f"23:00, all tables of the day, {long} days", f"{module}:today", f"{module}:prepare_late_long"),
        Contender(f"three touched days, {short} days", f"{module}:three_days", f"{module}:prepare_three"),
        Contender(f"three touched days, {long} days", f"{module}:three_days", f"{module}:prepare_three_long"),
        Contender(f"with whole tables, published, {short} days", f"{module}:publish", f"{module}:prepare_late"),
        Contender(f"with whole tables, published, {long} days", f"{module}:publish", f"{module}:prepare_late_long"),
    ]
    results = race(contenders, data, rounds)
    show("One more window of a centre of 1,000 agents", results)
    parse_early, parse_late, early, late, late_long, three, three_long, out, out_long = results.values()
    days = [made.DAY - timedelta(days=back) for back in (2, 1, 0)]
    few, many = (files_named(path, days) for path in _late(data))
    part = three_long.median("wall") / rebuild
    return [
        against("A4a", "parsing a window at 23:00 / at 01:00", parse_late, parse_early, 1),
        against("A4b", "refreshing the open day at 23:00 / at 01:00", late, early, 1),
        against("C1a", f"today only, CPU with {long} days of history / with {short}", late_long, late, 1.15, "cpu"),
        against("C1b", f"three touched days, CPU with {long} days / with {short}", three_long, three, 1.15, "cpu"),
        against("C1c", f"published, too, CPU with {long} days / with {short}", out_long, out, 1.15, "cpu"),
        Bar("C2", f"three touched days / full rebuild of {long} days, n=1", part, part, 1 / 40),
        Bar("C3a", "files read by a refresh of three days / days", many / 3, many / 3, 3),
        Bar("C3b", f"files read with {long} days of history / with {short}", many / few, many / few, 1),
    ]
