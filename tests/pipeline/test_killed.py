"""A process that is killed at any moment leaves nothing that the next one cannot go on from."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb

from tests.pipeline.conftest import MakeSite
from tests.pipeline.site import Site, after, day
from tests.pipeline.watch import onlookers, visible_files

WORKER = Path(__file__).parent / "worker.py"
ROOT = Path(__file__).parent.parent.parent
KILLS = 9


def start(site: Site) -> "subprocess.Popen[bytes]":
    """A worker on the first two days."""
    command = [sys.executable, str(WORKER), str(site.home), str(site.config), str(day(0)), str(day(1))]
    return subprocess.Popen(command, env=site.env(PYTHONPATH=str(ROOT)))


def until(site: Site, files: int, process: "subprocess.Popen[bytes]") -> None:
    """Wait until so many files were written, so that kills come at every stage and not only while modules load."""
    while process.poll() is None and written(site) < files:
        time.sleep(0.01)


def written(site: Site) -> int:
    """How many raw segments and builds there are."""
    root = site.engine.lake.root
    return sum(1 for _ in root.glob("raw/**/*.parquet")) + sum(1 for _ in root.glob(".builds/**/*.parquet"))


def test_killed_again_and_again_the_lake_becomes_the_same(make_site: MakeSite) -> None:
    """Half a file, a lost window or a row written twice by a killed run would stay for ever in the history."""
    calm, killed = make_site("calm"), make_site("killed")
    for site in (calm, killed):
        site.server.clock.set(after(1))
    assert start(calm).wait() == 0
    total = written(calm)

    rng = random.Random(20)
    ended = []
    with onlookers(visible_files(killed.engine.lake.root)) as [files]:
        for number in range(KILLS):
            process = start(killed)
            until(killed, total * (number + rng.randint(0, 1)) // KILLS + 1, process)
            time.sleep(rng.uniform(0, 0.15))
            process.kill()
            ended.append(process.wait())
        assert start(killed).wait() == 0
    assert ended.count(-signal.SIGKILL) >= KILLS - 1
    assert files.looks > 5
    assert files.wrong == []

    one, other = calm.tables(), killed.tables()
    one_log, other_log = one.pop("ops.capture_log"), other.pop("ops.capture_log")
    assert not [table for table, rows in one.items() if rows != other[table]]
    assert {row[:4] for row in one_log} == {row[:4] for row in other_log}
    assert tree(calm) == tree(killed)
    assert staged(calm) == staged(killed)


def test_a_killed_command_can_be_run_again(make_site: MakeSite) -> None:
    """Dagster's own storage, left by a killed run, must not keep the next one from working."""
    site = make_site()
    process = site.start("backfill", "--from", str(day(0)), "--to", str(day(0)))
    deadline = time.monotonic() + 60
    while written(site) < 50 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    done = site.run("backfill", "--from", str(day(0)), "--to", str(day(0)))
    assert done.returncode == 0, done.stdout + done.stderr
    assert site.ask("select count(distinct agent_id) from marts.fct_agent_timeline")[0][0] > 5


def tree(site: Site) -> set[str]:
    """The names in the visible lake; staged files are named for what was staged together, which a kill changes."""
    root = site.engine.lake.root
    paths = [path.relative_to(root) for path in root.glob("[!.]*/**/*.parquet")]
    return {str(path.parent if path.parts[0] == "staging" else path) for path in paths}


def staged(site: Site) -> list[tuple[Any, ...]]:
    """What a reader of the plain tree finds staged."""
    glob = site.engine.lake.root / "staging" / "stg_cxengage__agent_states" / "**" / "*.parquet"
    columns = "segment, sequence, record, event_id, payload_sha256"
    return duckdb.execute(f"select {columns} from read_parquet('{glob}') order by all").fetchall()
