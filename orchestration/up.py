"""``shiftbook up``: Dagster's webserver and daemon, and the recorder, as children of one process, ended together.

What they run is in ``definitions.py`` and ``recorder.py``.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from rich.console import Console

from orchestration.backfill import prepare_dagster_home
from orchestration.resources import Engine
from orchestration.settings import Settings, feeds_of

_WORKSPACE = """\
# Written by shiftbook; the same code location as workspace.yaml of the repository.
load_from:
  - python_module: {module_name: orchestration.definitions, location_name: shiftbook}
"""
_PATIENCE_SECONDS = 10.0
_LOOK_SECONDS = 0.2
_LONGEST_WAIT_SECONDS = 60.0
_STEADY_SECONDS = 60.0


def run(settings: Settings, port: int, variables: Mapping[str, str] = MappingProxyType({})) -> int:
    """Start all, with more environment variables, and wait until Dagster ends or a signal comes; returns the exit code.

    A recorder that ends is started again: what is not recorded now cannot be had later.
    """
    home = prepare_dagster_home(Engine(settings))
    workspace = home / "workspace.yaml"
    workspace.write_text(_WORKSPACE, encoding="utf-8")
    environment = {
        **os.environ,
        **variables,
        "DAGSTER_HOME": str(home),
        "SHIFTBOOK_HOME": str(settings.home.resolve()),
        **({"SHIFTBOOK_SOURCES": str(settings.sources_file.resolve())} if settings.sources_file else {}),
    }
    web = ["dagster-webserver", "-h", "127.0.0.1", "-p", str(port), "-w", str(workspace)]
    children = [_start(command, environment) for command in (web, ["dagster-daemon", "run", "-w", str(workspace)])]
    recorder = Recorder(lambda: _start(["shiftbook", "record"], environment)) if _records(settings) else None
    Console(stderr=True).print(f"Dagster: http://127.0.0.1:{port}  (Ctrl-C ends it)", highlight=False)
    stopping: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda n, _: stopping.append(n))
    while not stopping and all(child.poll() is None for child in children):
        if recorder:
            recorder.look()
        time.sleep(_LOOK_SECONDS)
    died = [child for child in children if child.poll() not in (None, 0)]
    _stop([*children, *([recorder.child] if recorder and recorder.child else [])])
    return 1 if died and not stopping else 0


def _records(settings: Settings) -> bool:
    """Whether there is anything to record; a recorder that has nothing to do ends at once."""
    feeds = [feed for source in settings.sources if source.enabled for feed in feeds_of(source)]
    return any(feed.live or feed.cadence for feed in feeds)


class Recorder:
    """A recorder that is started again when it ends, the more patiently the more often it does.

    Args:
        start: Starts one.
        clock: Seconds that never run backwards.
    """

    def __init__(
        self, start: "Callable[[], subprocess.Popen[bytes]]", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._start, self._clock = start, clock
        self._wait = 1.0
        self._started = clock()
        self._due: float | None = None
        self.child: subprocess.Popen[bytes] | None = start()

    def look(self) -> None:
        """Start it again, if it has ended and its time has come."""
        now = self._clock()
        if self.child is not None and self.child.poll() is not None:
            self._wait = 1.0 if now - self._started >= _STEADY_SECONDS else min(2 * self._wait, _LONGEST_WAIT_SECONDS)
            self.child, self._due = None, now + self._wait
        if self._due is not None and now >= self._due:
            self._due, self._started, self.child = None, now, self._start()


def _start(command: list[str], environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    """Start a child in a session of its own: Dagster's children ignore a terminal's Ctrl-C otherwise."""
    program = Path(sys.executable).parent / command[0]
    return subprocess.Popen([str(program), *command[1:]], env=environment, start_new_session=True)


def _stop(children: "list[subprocess.Popen[bytes]]") -> None:
    for child in children:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGINT)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    for child in children:
        try:
            child.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
