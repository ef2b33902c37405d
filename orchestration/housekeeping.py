"""What has to be done once a day so that a home stays small: ``shiftbook housekeeping``, and a job of the same name.

Each chore by itself: one that fails is told of and does not stop the others. What a chore does belongs where the files
it is about belong; here is which there are, and what they go by.
"""

import fcntl
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pyarrow.parquet as pq
from assets.registry import VENDORS

from orchestration.cache import Cache
from orchestration.compaction import closed_days, compact_closed_days
from orchestration.files import is_still, sync
from orchestration.lake import segments_of
from orchestration.leftovers import end_lost_runs
from orchestration.models import Model
from orchestration.pruning import Limits, prune, remove_tick_logs
from orchestration.removed import RawRemovedError, feed_of, note
from orchestration.resources import Engine
from orchestration.sealing import TORN
from orchestration.standing import half_told

KEEP_RUNS = timedelta(days=30)
KEEP_BRIEFLY = timedelta(days=1)
"""Successful runs of these jobs, of which there are fifteen hundred a day, and materialisations that no run has."""

BRIEF_JOBS = ("build_what_came", "capture", "capture_before_loss")
KEEP_ANSWERS_DAYS = 30
KEEP_REMAINS = timedelta(days=1)
"""What nobody touched for so long was left by a killed process: no run takes so long."""


@dataclass(frozen=True, slots=True)
class Chore:
    """What came of one chore: how many things were done or removed, or why not."""

    chore: str
    done: int
    seconds: float
    error: str | None = None


def housekeep(engine: Engine, instance: dg.DagsterInstance, now: datetime | None = None) -> Iterator[Chore]:
    """Do all that is due, one chore after the other; a second time at once there is nothing left to do.

    Args:
        engine: The home.
        instance: Dagster's storage.
        now: Our clock.
    """
    now = now or datetime.now(UTC)
    warehouse, ticks = engine.warehouse, engine.settings.dagster_home / "storage" / "__repository__"
    limits = Limits(now - KEEP_RUNS, now - KEEP_BRIEFLY, BRIEF_JOBS)
    chores: dict[str, Callable[[], int]] = {
        "runs ended that nobody runs": lambda: len(list(end_lost_runs(instance, launched=False))),
        "days merged": lambda: compact_closed_days(engine.builder, engine.feeds, engine.progress, now),
        "raw days removed": lambda: forget_raw(engine, now),
        "warehouse published": lambda: len(warehouse.publish()),
        "superseded builds removed": warehouse.clean,
        "remains removed": lambda: remove_remains(engine, now),
        "locks removed": lambda: remove_locks(engine.lake.root / ".locks", now),
        "answers removed": lambda: len(Cache(engine.lake.cache_dir).tidy(KEEP_ANSWERS_DAYS)),
        "runs and events removed": lambda: sum(prune(instance, limits)),
        "logs of ticks removed": lambda: remove_tick_logs(ticks, now, KEEP_RUNS, KEEP_BRIEFLY),
        "logs removed": lambda: remove_old(engine.settings.home / "logs", now - KEEP_RUNS),
    }
    for name, chore in chores.items():
        started = time.perf_counter()
        done, error = 0, None
        try:
            done = chore()
        # A chore that cannot be done must not keep the others from making room.
        except Exception as problem:  # noqa: BLE001
            error = str(problem) or type(problem).__name__
        yield Chore(name, done, round(time.perf_counter() - started, 3), error)


def forget_raw(engine: Engine, now: datetime) -> int:
    """Remove raw segments that are older than their source's ``retain_raw_days``; returns how many partitions went.

    Only of days that the vendor can no longer change, and whose every segment is staged by all models that read it, as
    they are now; staged rows and all that is built from them stay, and are never again made from raw. Also of feeds and
    sources that are captured no more.
    """
    removed = 0
    for source in engine.settings.sources:
        if source.retain_raw_days is None:
            continue
        oldest = now.date() - timedelta(days=source.retain_raw_days)
        for feed in map(source.promised, VENDORS[source.vendor].feeds):
            where = (source.vendor, feed.name, source.name)
            for day, folder in closed_days(engine.lake, *where, feed.retention, now):
                if day < oldest:
                    removed += _forget(engine, folder, *where, day)
                    engine.progress(f"{source.name} {day}")
    return removed


def _forget(engine: Engine, folder: Path, vendor: str, feed: str, source: str, day: date) -> bool:
    every = engine.builder.every.values()
    models = [model for model in every if model.kind == "segment" and feed_of(model) == (vendor, feed)]
    with engine.lake.lock(f"raw-{source}-{feed}-{day}"):
        names = segments_of(folder)
        if not names or not models:
            return False
        for model in models:
            engine.builder.stage(model, day)
            _confirm_staged(engine, model, day, set(names))
        note(engine.lake, vendor, feed, source, day, names)
        for path in set(names.values()):
            path.unlink()
        sync(folder)
        with suppress(OSError):  # what landed meanwhile keeps it
            folder.rmdir()
    return True


def _confirm_staged(engine: Engine, model: Model, day: date, names: set[str]) -> None:
    """See to it that the rows of these segments are on disk, whole.

    Raises:
        RawRemovedError: They are not; the raw segments stay.
    """
    manifest = engine.builder.builds.manifest(model.table, day)
    entries = manifest.entries if manifest else ()
    staged = {part.segment for entry in entries for part in entry.parts}
    folder = engine.builder.builds.folder(model.table, day)
    if names - staged or any(pq.read_metadata(folder / entry.file).num_rows != entry.rows for entry in entries):
        raise RawRemovedError(f"{model.table} {day}: what was staged is not whole; raw segments are kept")


def remove_remains(engine: Engine, now: datetime) -> int:
    """Remove what killed processes left half-written, out of sight; returns how many things went."""
    limit = (now - KEEP_REMAINS).timestamp()
    waiting = engine.lake.root / ".tmp"
    found = [*waiting.glob("[!d]*"), *waiting.glob("d[!u]*"), *(waiting / "duckdb").glob("*")]
    # A spool file has this name for an instant, before anybody may take it for one.
    found += engine.settings.spool_dir.rglob("*.new")
    found += half_told(engine.settings.spool_dir)
    gone = [path for path in found if path.lstat().st_ctime < limit]
    # What a power cut tore is kept for whoever wants to look at it, and then is nothing but personal data.
    torn = (now - KEEP_RUNS).timestamp()
    gone += [path for path in engine.settings.spool_dir.rglob(f"*{TORN}") if path.lstat().st_ctime < torn]
    for path in gone:
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    return len(gone)


def remove_locks(folder: Path, now: datetime) -> int:
    """Remove locks of partitions that nobody has: each build of each day leaves one."""
    limit, gone = (now - KEEP_REMAINS).timestamp(), 0
    for path in folder.glob("*.lock"):
        with suppress(FileNotFoundError, BlockingIOError), path.open("r+") as handle:
            if path.stat().st_mtime < limit:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if is_still(handle.fileno(), path):
                    path.unlink()
                    gone += 1
    return gone


def remove_old(folder: Path, before: datetime) -> int:
    """Remove logs that were last written before a moment."""
    gone = [path for path in folder.glob("*.log*") if path.stat().st_mtime < before.timestamp()]
    for path in gone:
        path.unlink(missing_ok=True)
    return len(gone)
