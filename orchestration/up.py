"""``shiftbook up``: Dagster's webserver and daemon as children of one process, ended together.

What they run is in ``definitions.py``.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from rich.console import Console

from orchestration.backfill import prepare_dagster_home
from orchestration.resources import Engine
from orchestration.settings import Settings

_WORKSPACE = """\
# Written by shiftbook; the same code location as workspace.yaml of the repository.
load_from:
  - python_module: {module_name: orchestration.definitions, location_name: shiftbook}
"""
_PATIENCE_SECONDS = 10.0


def run(settings: Settings, port: int, variables: Mapping[str, str] = MappingProxyType({})) -> int:
    """Start both, with more environment variables, and wait until one ends or a signal comes; returns the exit code."""
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
    Console(stderr=True).print(f"Dagster: http://127.0.0.1:{port}  (Ctrl-C ends it)", highlight=False)
    stopping: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda n, _: stopping.append(n))
    while not stopping and all(child.poll() is None for child in children):
        time.sleep(0.2)
    died = [child for child in children if child.poll() not in (None, 0)]
    _stop(children)
    return 1 if died and not stopping else 0


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
