"""``shiftbook up`` for real, on a home whose vendor nobody serves: its children, a run, and the end of it all."""

import json
import os
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.site import SHIFTBOOK
from tests.pipeline.toy import engine_at

LAUNCH = """mutation {launchRun(executionParams: {selector: {repositoryLocationName: "shiftbook",
    repositoryName: "__repository__", jobName: "housekeeping"}, runConfigData: "{}"}) {
    __typename ... on LaunchRunSuccess {run {runId}}}}"""
STATUS = '{runOrError(runId: "%s"){... on Run{status}}}'


class Up:
    """A running ``shiftbook up``."""

    def __init__(self, folder: Path, cache_dir: Path) -> None:
        settings = engine_at(folder / "home").settings
        self.home = settings.home
        (self.home / "lake").mkdir(parents=True)
        (self.home / "lake" / ".cache").symlink_to(cache_dir)
        self.words = [str(SHIFTBOOK), "--home", str(self.home), "--sources", str(settings.sources_file), "up"]
        self.environment = {**os.environ, "TOY_USER": "somebody", "TOY_PASSWORD": "anything"}
        self.said = folder / "said"
        with self.said.open("wb") as file:
            self.process = subprocess.Popen(
                [*self.words, "--port", "0"],
                stdout=file,
                stderr=file,
                env=self.environment,
                start_new_session=True,
            )

    @property
    def address(self) -> str | None:
        """Where the pages are, once it is said."""
        found = re.search(r"http://127\.0\.0\.1:\d+", self.said.read_text(encoding="utf-8"))
        return found[0] if found else None

    def ask(self, query: str) -> Any:
        """What Dagster's pages would show; nothing while they are not there."""
        request = urllib.request.Request(  # noqa: S310 -- our own address
            f"{self.address}/graphql", json.dumps({"query": query}).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 -- the same
                return json.load(answer)["data"]
        except (OSError, ValueError):
            return None

    def code(self) -> list[int]:
        """The process that holds Dagster's code."""
        return [pid for pid, words in self.children().items() if "dagster api grpc" in words]

    def launched(self) -> str:
        """The id of a run, once one can be launched."""
        told: Any = None

        def launches() -> bool:
            nonlocal told
            told = self.ask(LAUNCH)
            return "LaunchRunSuccess" in str(told)

        until(launches)
        return str(told["launchRun"]["run"]["runId"])

    def children(self) -> dict[int, str]:
        """Process ids and command lines of all that runs for this home."""
        found = {}
        for path in Path("/proc").glob("[0-9]*"):
            try:
                mine = f"SHIFTBOOK_HOME={self.home}".encode() in (path / "environ").read_bytes().split(b"\0")
                words = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if mine and words:
                found[int(path.name)] = words
        return found


@pytest.fixture
def running(tmp_path: Path, cache_dir: Path) -> Iterator[Up]:
    """One, ended at last."""
    up = Up(tmp_path, cache_dir)
    yield up
    up.process.kill()
    up.process.wait()
    until(lambda: not up.children(), 30)


def until(holds: Callable[[], object], seconds: float = 300.0) -> float:
    """Wait for something; how long it took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds
        time.sleep(0.1)
    return time.monotonic() - began


def test_it_runs_is_mended_refuses_a_second_and_ends(running: Up) -> None:
    """If this fails, a night goes by without figures, or Ctrl-C leaves processes that nobody sees."""
    until(lambda: running.address and running.code())
    os.kill(running.code()[0], signal.SIGKILL)
    until(lambda: "code ended by SIGKILL" in running.said.read_text())
    second = subprocess.run(running.words, env=running.environment, capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert f"process {running.process.pid} since" in second.stderr
    run = running.launched()
    until(lambda: running.ask(STATUS % run)["runOrError"]["status"] == "SUCCESS")
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
