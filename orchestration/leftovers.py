"""What killed processes and power cuts leave in Dagster's own records: runs that nobody runs, tables half made.

Dagster's records are no truth: nothing is built from them. The lake's own leftovers go in ``housekeeping.py``.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

PROCESS_TAG = "shiftbook/process"
"""Tag of a run that a command runs itself: the process, as :func:`this_process` names it."""

LOST_TAG = "shiftbook/lost"
"""Tag of a run that was marked as failed because the process that ran it was gone: there is nothing to mend."""

_LAUNCHED_TAG = ".dagster/grpc_info"  # set by Dagster on each run that its code server started a process for
_GOING = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_DATABASES = ("history/runs.db", "history/runs/index.db", "schedules/schedules.db")


def this_process() -> str:
    """This process by a name that no other one ever has on this machine: its id and when it was started."""
    return _named(os.getpid()) or str(os.getpid())


def _named(pid: int) -> str | None:
    """A living process's name; None when there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
    # The name of the program, in brackets, may hold anything; the 20th field behind it is the start in clock ticks.
    return f"{pid} {stat.rpartition(')')[2].split()[19]} {boot}"


def end_lost_runs(instance: dg.DagsterInstance, *, launched: bool = True) -> Iterator[str]:
    """Mark runs as failed that no process runs any more; yields their ids.

    Dagster counts them as going on for ever: two of them would fill its queue. Of those that a command runs itself the
    process is looked for. One that Dagster's code server started may outlive it by minutes where that was killed; when
    it ends, the run shows how it did.

    Args:
        instance: Dagster's storage.
        launched: Whether those are lost, too, that Dagster's code server started: when there is no such server.
    """
    for run in instance.get_runs(dg.RunsFilter(statuses=_GOING)):
        process = run.tags.get(PROCESS_TAG)
        lives = process is not None and _named(int(process.split()[0])) == process
        if (launched and _LAUNCHED_TAG in run.tags) or (process is not None and not lives):
            instance.add_run_tags(run.run_id, {LOST_TAG: "yes"})
            instance.report_run_failed(run, "The process that ran it ended with Shiftbook, or was killed.")
            yield run.run_id


def cancel_own_runs(instance: dg.DagsterInstance) -> Iterator[str]:
    """Mark the runs of this process as cancelled, which is about to end; yields their ids."""
    own = dg.RunsFilter(tags={PROCESS_TAG: this_process()}, statuses=_GOING)
    for run in instance.get_runs(own):
        instance.report_run_canceled(run, "Somebody stopped the command that ran it.")
        yield run.run_id


def set_aside_broken(home: Path) -> list[Path]:
    """Rename Dagster's databases that cannot be read, or whose making was cut short, so that it makes them anew.

    Args:
        home: ``DAGSTER_HOME``; nobody else may be at work there.

    Returns:
        Where the databases were.
    """
    found = [home / name for name in _DATABASES if (home / name).exists() and not _is_whole(home / name)]
    moment = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    for path in found:
        for part in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
            if part.exists():
                part.rename(part.with_name(f"{part.name}.broken-{moment}"))
    return found


def _is_whole(path: Path) -> bool:
    """Whether SQLite reads it and Dagster finished making it: two heads or none stop it for good."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("select count(*) from sqlite_master").fetchall()
            heads = connection.execute("select count(*) from alembic_version").fetchall()
            return bool(heads == [(1,)])
    except sqlite3.DatabaseError as error:
        # Locked or out of room is no fault of the file.
        return isinstance(error, sqlite3.OperationalError) and "no such table" not in str(error)
