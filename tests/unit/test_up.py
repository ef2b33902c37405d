"""What ``shiftbook up`` makes sure of before it starts anything, and what it finds of an earlier one."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest

from orchestration import up
from orchestration.backfill import recorded
from orchestration.leftovers import PROCESS_TAG, end_lost_runs, set_aside_broken, this_process
from orchestration.settings import Settings
from orchestration.up import UpError, _only_one, _records, _socket
from tests.pipeline.toy import engine_at

HOLD = """
import os, sys, time, subprocess
from pathlib import Path
from orchestration.up import _only_one
with _only_one(Path(sys.argv[1]), 0) as (lock, port):
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], pass_fds=(lock,))
    print("held", flush=True)
    time.sleep(60)
"""


def test_it_is_only_run_where_there_is_something_to_record(tmp_path: Path) -> None:
    """If this fails, a home without sources restarts a recorder for ever, or one with sources has none."""
    assert not _records(Settings(tmp_path))
    assert _records(engine_at(tmp_path / "home").settings)


def test_a_second_one_is_refused_with_who_has_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, two daemons run every schedule twice, or nobody finds the first one."""
    monkeypatch.setattr(up, "_ORPHANS_SECONDS", 0.3)
    path = tmp_path / "up.json"
    first = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, start_new_session=True)
    assert first.stdout
    assert first.stdout.readline() == b"held\n"
    with pytest.raises(UpError, match=rf"process {first.pid} since .* UTC, http://127.0.0.1:\d+"), _only_one(path, 0):
        pass
    first.kill()
    first.wait()
    # Its child lives on, and would do the same work as the next one's.
    with pytest.raises(UpError, match="which is gone"), _only_one(path, 0):
        pass
    os.killpg(first.pid, signal.SIGKILL)
    first.stdout.close()
    time.sleep(0.1)
    with _only_one(path, 0) as (_, port):
        assert port > 0


def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    """If this fails, the web pages are missing, and the reason is in the midst of a log."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UpError, match=f"port {port} .*--port"), _only_one(tmp_path / "up.json", port):
            pass


def test_the_socket_fits_however_deep_the_home_lies(tmp_path: Path) -> None:
    """If this fails, a home with a long path has no Dagster."""
    deep = tmp_path / ("long" * 40)
    deep.mkdir()
    for home in (tmp_path, deep):
        with _socket(home) as path, closing(socket.socket(socket.AF_UNIX)) as listener:
            listener.bind(str(path))
        with _socket(home) as path:  # also where a killed one left it
            assert not path.exists()


def test_runs_that_nobody_runs_any_more_are_ended(tmp_path: Path) -> None:
    """If this fails, two runs cut short by a power cut fill Dagster's queue, and nothing is captured ever again."""
    started = dg.DagsterRunStatus.STARTED
    tags = {
        "launched": {".dagster/grpc_info": "{}"},
        "own": {PROCESS_TAG: this_process()},
        "gone": {PROCESS_TAG: f"{this_process()}-before"},
        "foreign": {},
    }
    with recorded(engine_at(tmp_path / "home")) as instance:
        runs = {
            name: instance.create_run_for_job(dg.job(name=name)(lambda: None), status=started, tags=tag)
            for name, tag in tags.items()
        }
        ended = list(end_lost_runs(instance))
        assert sorted(ended) == sorted([runs["launched"].run_id, runs["gone"].run_id])
        status = {name: found.status for name, run in runs.items() if (found := instance.get_run_by_id(run.run_id))}
    assert {name for name, one in status.items() if one == dg.DagsterRunStatus.FAILURE} == {"launched", "gone"}
    assert status["own"] == status["foreign"] == started


@pytest.mark.parametrize("damage", ["torn", "two heads", "no head"])
def test_broken_tables_of_dagster_are_set_aside(tmp_path: Path, damage: str) -> None:
    """If this fails, a power cut while Dagster's tables were made keeps everything from starting, for good."""
    engine = engine_at(tmp_path / "home")
    with recorded(engine):
        pass
    home = engine.settings.dagster_home
    assert set_aside_broken(home) == []
    path = home / "history" / "runs.db"
    assert path.exists()
    if damage == "torn":
        path.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
        path.with_name("runs.db-wal").unlink(missing_ok=True)
    else:
        with closing(sqlite3.connect(path)) as connection, connection:
            more = "insert into alembic_version values ('another')"
            connection.execute(more if damage == "two heads" else "drop table alembic_version")
    assert set_aside_broken(home) == [path]
    assert len(list(path.parent.glob("runs.db.broken-*"))) >= 1
    with recorded(engine) as instance:
        assert instance.get_runs() == []
