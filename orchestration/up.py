"""``shiftbook up``: Dagster's webserver, daemon and code, and the recorder, as children of one process.

What they run is in ``definitions.py`` and ``recorder.py``; how children are kept alive and ended in ``children.py``,
what a killed one leaves behind in Dagster's records in ``leftovers.py``.
"""

import fcntl
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import MappingProxyType

import msgspec
from rich.console import Console

from orchestration.backfill import recorded
from orchestration.children import Log, Service, start, stop
from orchestration.leftovers import end_lost_runs, set_aside_broken
from orchestration.resources import Engine
from orchestration.settings import Settings, feeds_of

HOST = "127.0.0.1"
_WORKSPACE = """\
# Written by shiftbook; the same code location as workspace.yaml of the repository, loaded once for all of Dagster.
load_from:
  - grpc_server: {{host: localhost, socket: '{socket}', location_name: shiftbook}}
"""
_PATIENCE_SECONDS = 10.0
_LOOK_SECONDS = 0.2
_LONGEST_SOCKET = 100  # Linux takes 107 bytes
_ORPHANS_SECONDS = 15.0
"""How long children of an ``up`` that was killed may take to notice it."""


class UpError(Exception):
    """It cannot be started; the message says why, and what to do."""


class Holder(msgspec.Struct, frozen=True):
    """Who runs ``up`` on a home."""

    pid: int
    port: int
    since: datetime


def run(settings: Settings, port: int, variables: Mapping[str, str] = MappingProxyType({})) -> int:
    """Start all, with more environment variables, and keep them running until SIGINT or SIGTERM.

    A child that ends is started again: what is not recorded now cannot be had later.

    Args:
        settings: The configuration.
        port: Of the web pages on this machine; 0 for one that is free.
        variables: For the children, beside our own environment.

    Returns:
        The exit code.

    Raises:
        UpError: Another ``up`` runs on the home, or the port is in use.
    """
    home = settings.dagster_home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    stopping: list[int] = []
    with _only_one(home / "up.json", port) as (lock, free), _socket(home) as code:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda n, _: stopping.append(n))
        logs = settings.home.resolve() / "logs"
        names = ["code", "webserver", "daemon", *(["recorder"] if _records(settings) else [])]
        log = {name: Log(name, logs, sys.stderr, 9) for name in [*names, "up"]}
        engine = Engine(settings)
        _mend(engine, home, log["up"])
        workspace = home / "workspace.yaml"
        workspace.write_text(_WORKSPACE.format(socket=str(code).replace("'", "''")), encoding="utf-8")
        environment = _environment(settings, home, variables)
        commands = _commands(free, workspace, code)
        services = [
            Service(
                name,
                partial(start, commands[name], environment, log[name], lock),
                tell=log["up"].write,
                # Dagster looks for the code at once, and tells at length that it is not there.
                ready=code.exists if name in {"webserver", "daemon"} else lambda: True,
            )
            for name in names
        ]
        _greet(settings, free, logs)
        while not stopping:
            ended = [service.name for service in services if service.look()]
            if "code" in ended:
                code.unlink(missing_ok=True)
                _end_runs(engine, log["up"])
            time.sleep(_LOOK_SECONDS)
        log["up"].write("ending; a second Ctrl-C waits for nothing")
        stop(services, _PATIENCE_SECONDS, lambda: len(stopping) > 1)
        _end_runs(engine, log["up"])
    return 0


def _commands(port: int, workspace: Path, code: Path) -> dict[str, list[str]]:
    """What the children are; the code's socket is given to Dagster by the workspace."""
    quiet = ["--log-level", "warning"]
    served = ["--module-name", "orchestration.definitions", "--location-name", "shiftbook", "--lazy-load-user-code"]
    return {
        # Not 'dagster code-server', which goes on without its own child when that is killed.
        "code": ["dagster", "api", "grpc", "--socket", str(code), *served, *quiet],
        "webserver": ["dagster-webserver", "-h", HOST, "-p", str(port), "-w", str(workspace), *quiet],
        "daemon": ["dagster-daemon", "run", "-w", str(workspace)],
        "recorder": ["shiftbook", "record"],
    }


@contextmanager
def _socket(home: Path) -> Iterator[Path]:
    """Where Dagster's processes find the code: a socket of this user, who alone may have it run something."""
    path = home / "code.sock"
    if len(str(path)) <= _LONGEST_SOCKET:
        path.unlink(missing_ok=True)
        yield path
    else:
        with tempfile.TemporaryDirectory(prefix="shiftbook-") as folder:
            yield Path(folder) / path.name


def _environment(settings: Settings, home: Path, variables: Mapping[str, str]) -> dict[str, str]:
    return {
        **os.environ,
        **variables,
        "PYTHONUNBUFFERED": "1",
        "DAGSTER_HOME": str(home),
        "SHIFTBOOK_HOME": str(settings.home.resolve()),
        **({"SHIFTBOOK_SOURCES": str(settings.sources_file.resolve())} if settings.sources_file else {}),
    }


def _mend(engine: Engine, home: Path, log: Log) -> None:
    """Put right what a killed ``up`` or a power cut left; then Dagster's tables are there before its processes are."""
    for path in set_aside_broken(home):
        log.write(f"{path} could not be read and was set aside; Dagster begins anew, no figure depends on it")
    _end_runs(engine, log)


def _end_runs(engine: Engine, log: Log) -> None:
    with recorded(engine) as instance:
        for run_id in end_lost_runs(instance):
            log.write(f"run {run_id[:8]} was cut short; it is marked as failed, and the next one makes up for it")


def _greet(settings: Settings, port: int, logs: Path) -> None:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    for what, where in {
        "Dagster": f"http://{HOST}:{port}",
        "warehouse": settings.warehouse_path,
        "logs": logs,
        "how feeds stand": f"shiftbook --home {settings.home} --sources {settings.sources_file} sources",
    }.items():
        console.print(f"{what:>15}: {where}", markup=False)
    console.print("Ctrl-C ends all of it.", markup=False)


def _records(settings: Settings) -> bool:
    """Whether there is anything to record; a recorder that has nothing to do ends at once."""
    feeds = [feed for source in settings.sources if source.enabled for feed in feeds_of(source)]
    return any(feed.live or feed.cadence for feed in feeds)


@contextmanager
def _only_one(path: Path, port: int) -> Iterator[tuple[int, int]]:
    """Hold the home for as long as this process or a child of it lives; yields the lock and the port.

    Raises:
        UpError: Another ``up`` has it, or the port is in use.
    """
    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o640)
    try:
        _lock(handle, path)
        free = _free(port)
        told = msgspec.json.encode(Holder(os.getpid(), free, datetime.now(UTC)))
        os.ftruncate(handle, 0)
        os.pwrite(handle, told, 0)
        yield handle, free
    finally:
        os.close(handle)


def _lock(handle: int, path: Path) -> None:
    deadline = time.monotonic() + _ORPHANS_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(path)
            if holder is None or _lives(holder.pid):
                who = f"process {holder.pid} since {holder.since:%Y-%m-%d %H:%M} UTC" if holder else "another process"
                where = f", http://{HOST}:{holder.port}" if holder else ""
                raise UpError(
                    f"'shiftbook up' runs already on {path.parent.parent}: {who}{where}; "
                    "end it first, or give another --home"
                ) from None
            if time.monotonic() > deadline:
                raise UpError(
                    f"what 'shiftbook up' (process {holder.pid}, which is gone) started on {path.parent.parent} still "
                    f"runs; 'fuser {path}' names the processes, end them"
                ) from None
        else:
            return
        time.sleep(_LOOK_SECONDS)


def _holder(path: Path) -> Holder | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Holder)
    except (OSError, msgspec.MsgspecError):
        return None


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _free(port: int) -> int:
    """The port, or a free one for 0.

    Raises:
        UpError: It is in use.
    """
    with socket.socket() as listener:
        # As the webserver does, which may follow an earlier one at once.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError as error:
            cause = f"port {port} of {HOST} cannot be had ({error.strerror})"
            raise UpError(f"{cause}; choose another with --port") from None
        return int(listener.getsockname()[1])
