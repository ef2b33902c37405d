"""Keeps Dagster's own storage small: old runs with their events, logs and checks, and what is old and no run has.

What the pages show of each partition and check, its newest materialisation and verdict, is never removed, however old:
without it a day would look as if it had never been built. Dagster has no way to ask for most of this; its tables are
the same in SQLite and Postgres. Each removal is small and by itself, so that sensors and runs, which write to the same
files, wait for milliseconds.
"""

import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.storage.event_log import SqlEventLogStorage, SqlEventLogStorageTable
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, AssetEventTagsTable
from sqlalchemy import func, select

MOST_RUNS = 5000
"""A removal takes Dagster some 20 ms: a month that was never tidied is done over several nights."""

_BATCH = 200
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_NO_RUN = ""  # the run id of events that a sensor reports
_PLANNED = "PLANNED"
_OFTEN = [dg.DagsterEventType.ASSET_MATERIALIZATION.value, dg.DagsterEventType.ASSET_CHECK_EVALUATION.value]


@dataclass(frozen=True, slots=True)
class Limits:
    """How long what is kept.

    Attributes:
        before: Runs that ended before this moment go, and events of no run from before it.
        brief_before: The same of successful runs of ``brief_jobs``, and of materialisations and verdicts of no run.
        brief_jobs: Jobs that run every few minutes.
    """

    before: datetime
    brief_before: datetime
    brief_jobs: Collection[str] = ()


def prune(instance: dg.DagsterInstance, limits: Limits) -> tuple[int, int]:
    """Remove runs, checks and events that are older than these limits.

    Returns:
        How many runs, and how many verdicts, plans of checks, and events of no run went.
    """
    newest = {key: _newest(instance, key) for key in instance.all_asset_keys()}
    kept = {one for ids in newest.values() for one in ids}
    old = _old_runs(instance, limits)
    shown = {run_id for key, ids in newest.items() for run_id in _runs_of(instance, key, ids, limits.brief_before)}
    gone = [run_id for run_id in old if run_id not in shown][-MOST_RUNS:]
    for run_id in gone:
        instance.delete_run(run_id)
        _remove_files(Path(instance.root_directory), run_id)
    storage = instance.event_log_storage
    if not isinstance(storage, SqlEventLogStorage):
        return len(gone), 0
    for run_id in shown.intersection(old):
        _strip(storage, Path(instance.root_directory), run_id, kept)
    return len(gone), _prune_checks(instance, storage, limits) + _prune_events(instance, storage, limits, kept)


def _old_runs(instance: dg.DagsterInstance, limits: Limits) -> list[str]:
    """Runs that are older than the limits, the newest first."""
    found = instance.get_run_ids(dg.RunsFilter(statuses=_ENDED, updated_before=limits.before))
    for job in limits.brief_jobs:
        well = dg.RunsFilter(job_name=job, statuses=_ENDED[:1], updated_before=limits.brief_before)
        found = [*instance.get_run_ids(well), *found]
    return list(dict.fromkeys(found))


def _newest(instance: dg.DagsterInstance, key: dg.AssetKey) -> list[int]:
    """The newest materialisation of each of an asset's partitions, by its id in the storage."""
    kind = dg.DagsterEventType.ASSET_MATERIALIZATION
    ids = [*instance.event_log_storage.get_latest_storage_id_by_partition(key, kind).values()]
    last = instance.fetch_materializations(key, limit=1).records
    return sorted({*ids, *(record.storage_id for record in last)})


def _runs_of(instance: dg.DagsterInstance, key: dg.AssetKey, ids: Sequence[int], before: datetime) -> Iterator[str]:
    """The runs from before a moment that these materialisations are of."""
    for some in _batches(ids):
        wanted = dg.AssetRecordsFilter(key, storage_ids=some, before_timestamp=before.timestamp())
        yield from (record.run_id for record in instance.fetch_materializations(wanted, limit=_BATCH).records)


def _remove_files(root: Path, run_id: str) -> None:
    """Remove a run's own database and what its steps printed, which Dagster leaves behind."""
    for path in (root / "history" / "runs").glob(f"{run_id}.db*"):
        path.unlink(missing_ok=True)
    shutil.rmtree(root / "storage" / run_id, ignore_errors=True)


def _strip(storage: SqlEventLogStorage, root: Path, run_id: str, kept: Collection[int]) -> None:
    """Of an old run that has to stay, leave only what partitions show: its own log goes."""
    if not (root / "history" / "runs" / f"{run_id}.db").exists():
        return
    _remove_files(root, run_id)
    table = SqlEventLogStorageTable
    with storage.index_connection() as connection:
        found = connection.execute(select(table.c.id).where(table.c.run_id == run_id)).scalars().all()
    _delete_events(storage, set(found) - set(kept))


def _prune_checks(instance: dg.DagsterInstance, storage: SqlEventLogStorage, limits: Limits) -> int:
    """Remove verdicts of runs that are gone, old ones of no run, and plans of runs that have ended.

    Never the newest verdict of a check.

    A run over partitions plans each check once per partition and answers it once: the plans stay for ever.
    """
    table = AssetCheckExecutionsTable
    is_plan = table.c.execution_status == _PLANNED
    with storage.index_connection() as connection:
        runs = set(connection.execute(select(table.c.run_id).distinct()).scalars())
        planned = set(connection.execute(select(table.c.run_id).where(is_plan).distinct()).scalars())
        newest = select(func.max(table.c.id)).where(~is_plan).group_by(table.c.asset_key, table.c.check_name)
        kept = set(connection.execute(newest).scalars())
    gone = runs - set(instance.get_run_ids()) - {_NO_RUN}
    # Of whether data is fresh a sensor tells each feed's 288 times a day.
    old = table.c.create_timestamp < _stored(limits.brief_before)
    ended = planned - set(instance.get_run_ids(dg.RunsFilter(statuses=_under_way())))
    count = 0
    for condition, ids in ((table.c.id > 0, gone), (old, {_NO_RUN}), (is_plan, ended)):
        for run_id in ids:
            with storage.index_connection() as connection:
                mine = select(table.c.id).where(condition & (table.c.run_id == run_id))
                found = set(connection.execute(mine).scalars()) - kept
            count += _delete(storage, table, table.c.id, found)
    return count


def _under_way() -> list[dg.DagsterRunStatus]:
    return [status for status in dg.DagsterRunStatus if status not in _ENDED]


def _prune_events(
    instance: dg.DagsterInstance, storage: SqlEventLogStorage, limits: Limits, kept: Collection[int]
) -> int:
    """Remove events of no run."""
    table = SqlEventLogStorageTable
    often = table.c.dagster_event_type.in_(_OFTEN) & (table.c.timestamp < _stored(limits.brief_before))
    old = (table.c.run_id == _NO_RUN) & (often | (table.c.timestamp < _stored(limits.before)))
    with storage.index_connection() as connection:
        found = set(connection.execute(select(table.c.id).where(old)).scalars()) - set(kept)
    _delete_events(storage, found)
    # In SQLite they are a second time in a file of their own, which nothing that is shown reads.
    if (Path(instance.root_directory) / "history" / "runs" / f"{_NO_RUN}.db").exists():
        with storage.run_connection(_NO_RUN) as connection:
            connection.execute(table.delete().where(old))
    return len(found)


def _stored(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def _delete_events(storage: SqlEventLogStorage, ids: Collection[int]) -> None:
    _delete(storage, AssetEventTagsTable, AssetEventTagsTable.c.event_id, ids)
    _delete(storage, SqlEventLogStorageTable, SqlEventLogStorageTable.c.id, ids)


def _delete(storage: SqlEventLogStorage, table: Any, column: Any, ids: Collection[int]) -> int:
    """Delete rows by and by: whoever else wants to write comes between two batches."""
    for some in _batches(sorted(ids)):
        with storage.index_connection() as connection:
            connection.execute(table.delete().where(column.in_(some)))
    return len(ids)


def _batches(ids: Sequence[int]) -> Iterable[Sequence[int]]:
    return (ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH))


def remove_tick_logs(folder: Path, now: datetime, keep: timedelta, keep_empty: timedelta) -> int:
    """Remove old logs of sensors and schedules: Dagster makes a file, be it empty, at each tick that asks for one.

    Args:
        folder: Where they are, one folder per sensor or schedule.
        now: Our clock.
        keep: How old a file may be.
        keep_empty: How old an empty one may be.
    """
    gone = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            status = path.stat()
            age = now - datetime.fromtimestamp(status.st_mtime, UTC)
            if path.is_file() and age > (keep if status.st_size else keep_empty):
                path.unlink()
                gone += 1
    return gone
