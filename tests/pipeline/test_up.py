"""``shiftbook up`` for real, on a home whose vendor nobody serves: its children, a run, and the end of it all."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.running import Up, until
from tests.pipeline.toy import engine_at


@pytest.fixture
def running(tmp_path: Path, cache_dir: Path) -> Iterator[Up]:
    """One, ended at last."""
    lake = tmp_path / "home" / "lake"
    lake.mkdir(parents=True)
    (lake / ".cache").symlink_to(cache_dir)
    up = Up(engine_at(lake.parent).settings)
    yield up
    up.end()


def test_it_runs_is_mended_refuses_a_second_and_ends(running: Up) -> None:
    """If this fails, a night goes by without figures, or Ctrl-C leaves processes that nobody sees."""
    until(lambda: running.address and running.code())
    os.kill(running.code()[0], signal.SIGKILL)
    until(lambda: "code ended by SIGKILL" in running.said.read_text())
    second = subprocess.run(running.words, env=running.environment, capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert f"process {running.process.pid} since" in second.stderr
    run = running.launched()
    until(lambda: running.run_status(run) == "SUCCESS")
    running.process.send_signal(signal.SIGINT)
    assert until(lambda: running.process.poll() is not None) < 15
    assert running.process.returncode == 0
    assert not running.children()
    assert {path.stem for path in (running.home / "logs").iterdir()} == {
        "code",
        "daemon",
        "recorder",
        "up",
        "webserver",
    }


def test_killed_it_leaves_nothing_behind(running: Up) -> None:
    """If this fails, a killed one has a daemon and a recorder go on beside the next one's."""
    until(lambda: len(running.children()) >= 2)  # whatever they are just doing
    running.process.kill()
    running.process.wait()
    until(lambda: not running.children(), 30)
