"""Shiftbook itself as a contender: the product's own client, lake and builder, Dagster apart.

``prepare_`` functions lay out a lake of hard links to the made one, since builds are never changed in place.
"""

import importlib
import os
import shutil
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from assets.capture import capture
from assets.config import Origin
from assets.cxengage import AGENT_STATES
from assets.cxengage.client import CxEngageClient
from assets.cxengage.config import CxEngageConfig
from assets.http import Reply, Retry
from benchmarks import data as made
from orchestration.builder import Builder
from orchestration.builds import Builds
from orchestration.lake import Lake

DAY_TABLES = (made.RECORDS, made.DAY_OPEN, made.TIMELINE)
CELL_TABLES = (made.BUCKETS, made.INTERVALS)


class Replay:
    """Answers from pages on disk as the vendor would; windows beyond what was made get the made ones again."""

    drift_seconds: float | None = 0.0

    def __init__(self, folder: Path, now: datetime) -> None:
        names = sorted(path.name for path in folder.iterdir())
        self._folder = folder
        self._now = now
        self._windows = sorted({name.split("-")[1] for name in names})

    def vendor_now(self) -> datetime:
        """The moment that the replay pretends it is."""
        return self._now

    def get(self, path: str, params: dict[str, str], _: Retry | None = None, /) -> Reply:
        """One page of a window."""
        start, offset = datetime.fromisoformat(params["start"]), int(params["offset"])
        number = int((start - made.START) / made.WINDOW) - int(self._windows[0])
        window = self._windows[number % len(self._windows)]
        body = (self._folder / f"page-{window}-{offset // made.RECORDS_A_PAGE:02}.json").read_bytes()
        request = f"GET {path}?start={params['start']}&offset={offset}"
        return Reply(request, 200, "application/json", self._now, self._now, self._now, body)


def prepare_empty(data: Path, out: Path) -> None:
    """A lake without a file; what is asked of it first is paid before."""
    _ = data
    _ready(builder_of(out))


def prepare_day(data: Path, out: Path) -> None:
    """The big day, staged."""
    _link(data / "day", out)
    _ready(builder_of(out))


def prepare_built(data: Path, out: Path) -> None:
    """The big day with its timeline."""
    _link(data / "built", out)
    _ready(builder_of(out))


def prepare_centre(data: Path, out: Path) -> None:
    """The smaller centre before its day is captured."""
    _link(data / "centre", out)
    _ready(builder_of(out))


def prepare_landed(data: Path, out: Path) -> None:
    """100 pages as raw segments, not staged yet."""
    captured(data, out)
    for name in (".builds", "staging"):
        shutil.rmtree(out / "lake" / name)


def prepare_many(data: Path, out: Path) -> None:
    """Days of the big centre, staged."""
    _link(data / "many", out)
    _ready(builder_of(out))


def staged(data: Path, out: Path) -> None:
    """100 pages from raw segments to staged Parquet."""
    _ = data
    builder_of(out).build_days(made.STAGING, [made.DAY])


def many_days_4gb(data: Path, out: Path) -> None:
    """Timelines of all days, one after the other, each carried into the next."""
    _ = data
    _chain(builder_of(out))


def many_days_2gb(data: Path, out: Path) -> None:
    """The same with half the memory allowed."""
    _ = data
    _chain(made.open_builder(out, "2GB"))


def smallest(home: str) -> None:
    """One partition of one row in a home that was built in before, models read and all."""
    builder = made.open_builder(Path(home))
    shutil.rmtree(builder.lake.root / ".builds", ignore_errors=True)
    builder.build(builder.models["intermediate.int_source_signals"], None)


def captured(data: Path, out: Path) -> None:
    """100 pages to raw segments and staged Parquet."""
    take(builder_of(out), data / "pages", made.START + timedelta(hours=8), windows=10)


def captured_tenfold(data: Path, out: Path) -> None:
    """1,000 pages."""
    take(builder_of(out), data / "pages", made.START + timedelta(hours=4), windows=100)


def timeline(data: Path, out: Path) -> None:
    """Staged records to the timeline, through all tables in between."""
    _ = data
    _build(builder_of(out), DAY_TABLES)


def intervals(data: Path, out: Path) -> None:
    """The timeline to quarters of an hour, as integers and as published."""
    _ = data
    _build(builder_of(out), CELL_TABLES)


def buckets(data: Path, out: Path) -> None:
    """The timeline to quarters of an hour as integers."""
    _ = data
    _build(builder_of(out), (made.BUCKETS,))


def end_to_end(data: Path, out: Path) -> None:
    """A day's pages of the smaller centre to raw, staged, timeline and intervals."""
    builder = builder_of(out)
    take(builder, data / "centre-pages", made.START, windows=144)
    _build(builder, (*made.FEED_TABLES, *DAY_TABLES, *CELL_TABLES))


def take(builder: Builder, pages: Path, since: datetime, windows: int) -> None:
    """Capture windows from pages on disk and stage them."""
    until = since + windows * made.WINDOW
    client = CxEngageClient(_config(), Replay(pages, until + AGENT_STATES.delay), made.RECORDS_A_PAGE)
    result = capture(
        client,
        builder.lake,
        vendor=made.VENDOR,
        source=made.SOURCE,
        feed=AGENT_STATES,
        days=[made.DAY],
        since=since,
    )
    if result.failed or result.landed != windows:
        raise RuntimeError(f"of {windows} windows {result.landed} were landed: {result.errors[:3]}")
    builder.build_days(made.STAGING, [made.DAY])


def file_of(out: Path, table: str) -> Path:
    """The one file that a table's day was built into."""
    return Builds(Lake(out / "lake")).paths(table, made.DAY)[0]


def _chain(builder: Builder) -> None:
    for day in builder.builds.days(made.STAGING):
        for table in (made.RECORDS, made.DAY_CLOSE, made.DAY_OPEN, made.TIMELINE):
            builder.build_days(table, [day])


def _build(builder: Builder, tables: tuple[str, ...]) -> None:
    for table in tables:
        outcome = builder.build_days(table, [made.DAY])[0]
        if outcome.result == "current":
            raise RuntimeError(f"{table} was built before; there is nothing to time")


@cache
def builder_of(out: Path) -> Builder:
    """One builder a process and lake, as in production: its models are read once."""
    return made.open_builder(out)


def _ready(builder: Builder) -> None:
    """What is done once a process, whatever it builds: read the models, and import what pyarrow imports of itself."""
    importlib.import_module("pandas")
    _ = builder.types


def _link(source: Path, out: Path) -> None:
    shutil.copytree(source, out, copy_function=os.link, dirs_exist_ok=True)


@cache
def _config() -> CxEngageConfig:
    keys = {
        "name": made.SOURCE,
        "vendor": made.VENDOR,
        "base_url": "https://127.0.0.1",
        "tenant_id": made.TENANT,
        "username": "${BENCH_USER}",
        "password": "${BENCH_PASSWORD}",
    }
    return CxEngageConfig.model_validate(keys, context=Origin(Path("benchmarks"), made.SOURCE, {}))
