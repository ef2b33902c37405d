"""Keeps Dagster's own storage small: old runs with their events and logs, and old events that no run has.

What the pages show of each partition, its newest materialisation, is never removed, however old: without it a day
would look as if it had never been built.
"""

import shutil
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
from dagster._core.storage.event_log import SqlEventLogStorage, SqlEventLogStorageTable

MOST_RUNS = 2000
"""A removal takes Dagster some 20 ms: a month that was never tidied is done over several nights."""

_BATCH = 500
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_NO_RUN = ""  # the run id of events that a sensor reports


def prune(instance: dg.DagsterInstance, before: datetime) -> tuple[int, int]:
    """Remove runs that ended before a moment, and events of no run from before it.

    Args:
        instance: Dagster's storage.
        before: The moment.

    Returns:
        How many runs and how many events of no run went.
    """
    newest = {key: _newest(instance, key) for key in instance.all_asset_keys()}
    shown = {run_id for key, ids in newest.items() for run_id in _runs_of(instance, key, ids, before)}
    filters = dg.RunsFilter(statuses=_ENDED, updated_before=before)
    gone = [run_id for run_id in instance.get_run_ids(filters) if run_id not in shown][-MOST_RUNS:]
    for run_id in gone:
        instance.delete_run(run_id)
        _remove_files(Path(instance.root_directory), run_id)
    return len(gone), _prune_events(instance, before, {one for ids in newest.values() for one in ids})


def _newest(instance: dg.DagsterInstance, key: dg.AssetKey) -> list[int]:
    """The newest materialisation of each of an asset's partitions, by its id in the storage."""
    kind = dg.DagsterEventType.ASSET_MATERIALIZATION
    ids = [*instance.event_log_storage.get_latest_storage_id_by_partition(key, kind).values()]
    last = instance.fetch_materializations(key, limit=1).records
    return sorted({*ids, *(record.storage_id for record in last)})


def _runs_of(instance: dg.DagsterInstance, key: dg.AssetKey, ids: Sequence[int], before: datetime) -> Iterator[str]:
    """The runs from before a moment that these materialisations are of."""
    for start in range(0, len(ids), _BATCH):
        wanted = dg.AssetRecordsFilter(
            key, storage_ids=ids[start : start + _BATCH], before_timestamp=before.timestamp()
        )
        yield from (record.run_id for record in instance.fetch_materializations(wanted, limit=_BATCH).records)


def _remove_files(root: Path, run_id: str) -> None:
    """Remove a run's own database and what its steps printed, which Dagster leaves behind."""
    for path in (root / "history" / "runs").glob(f"{run_id}.db*"):
        path.unlink(missing_ok=True)
    shutil.rmtree(root / "storage" / run_id, ignore_errors=True)


def _prune_events(instance: dg.DagsterInstance, before: datetime, kept: Collection[int]) -> int:
    """Remove events of no run. Dagster has no way to ask for this; its tables are the same in SQLite and Postgres."""
    storage = instance.event_log_storage
    if not isinstance(storage, SqlEventLogStorage):
        return 0
    table = SqlEventLogStorageTable
    old = (table.c.run_id == _NO_RUN) & (table.c.timestamp < before.astimezone(UTC).replace(tzinfo=None))
    with storage.index_connection() as connection:
        found = connection.execute(table.select().with_only_columns(table.c.id).where(old)).fetchall()
        gone = sorted({row[0] for row in found} - set(kept))
        for start in range(0, len(gone), _BATCH):
            connection.execute(table.delete().where(table.c.id.in_(gone[start : start + _BATCH])))
    # In SQLite they are a second time in a file of their own, which nothing that is shown reads.
    if (Path(instance.root_directory) / "history" / "runs" / f"{_NO_RUN}.db").exists():
        with storage.run_connection(_NO_RUN) as connection:
            connection.execute(table.delete().where(old))
    return len(gone)
