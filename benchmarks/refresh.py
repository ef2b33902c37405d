"""What one more window costs: early and late on the open day, with a week and with a year behind it.

The history is one staged file a day, as compaction leaves it; the open day has a segment a window, as capture does.
"""

import json
import os
import shutil
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec

from benchmarks import data as made
from benchmarks.measure import Bar, Contender, Result, against
from orchestration.builder import Builder
from orchestration.builds import Entry, Manifest, Part, fingerprint
from orchestration.inputs import find_inputs
from orchestration.lake import Attempt
from orchestration.settings import sql_dir
from orchestration.warehouse import Warehouse

EARLY, LATE = 6, 138
_BUILDERS: dict[Path, Builder] = {}
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


def make_history(data: Path, short: int, long: int) -> float:
    """Lakes with ``short`` and ``long`` days before an open one, early and late on it.

    Returns:
        Seconds that building all tables of the ``long`` history took: a full rebuild.
    """
    template = made.open_builder(data / "template")
    for number, pages in made.pages_of(data / "centre-pages"):
        made.land(template.lake, made.Day(0), number, pages)
    template.build_days(made.STAGING, [made.DAY])
    seconds = 0.0
    root = data / "history"
    for before, length in ((0, short), (short, long)):
        builder = made.open_builder(root)
        days = [made.DAY - timedelta(days=back) for back in range(length, before, -1)]
        for day in days:
            _add_day(builder, template, day)
        started = time.perf_counter()
        build(builder, days)
        seconds += time.perf_counter() - started
        for name, windows in (("early", EARLY), ("late", LATE)):
            if name == "late" or length == short:
                _open_day(data, root, data / f"{name}-{length}", windows)
    shutil.rmtree(root)
    return seconds


def _add_day(builder: Builder, template: Builder, day: date) -> None:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    segment = f"{made.SOURCE}-history-{day}"
    files = [str(path) for path in template.builds.paths(made.STAGING, made.DAY)]
    with builder.scratch() as path:
        statement = _MOVED.format(days=(made.DAY - day).days, segment=segment, files=files, id=_ID, path=path)
        with builder.connection(2) as connection:
            connection.execute(statement)
        rows, size = template.builds.manifest(made.STAGING, made.DAY), path.stat().st_size
        name = builder.builds.keep(path, made.STAGING, day)
    content = f"{segment}@{builder.models[made.STAGING].version}"
    part = Part(segment, content, start, start + timedelta(hours=23, minutes=59))
    entry = Entry(name, f"{segment}.parquet", rows.rows if rows else 0, size, content, (part,))
    builder.builds.put(made.STAGING, day, Manifest((entry,), fingerprint([content]), start, 0.0))
    attempts = [
        Attempt(made.SOURCE, made.FEED, *ends, ends[1] + timedelta(minutes=1), "ok", vendor_time=ends[1], segment=segment)
        for ends in map(made.Day(0, day=day).window, range(144))
    ]
    later = [msgspec.structs.replace(a) if isinstance(a, msgspec.Struct) else a for a in attempts]
    builder.lake.log(made.VENDOR, later, timedelta(0))


def _open_day(data: Path, source: Path, root: Path, windows: int) -> None:
    shutil.copytree(source, root, copy_function=os.link)
    builder = made.open_builder(root)
    for number, pages in made.pages_of(data / "centre-pages"):
        if number < windows:
            made.land(builder.lake, made.Day(0), number, pages)
    build(builder, [made.DAY])
    _warehouse(builder).publish()
