"""Child processes that are started again when they end, with what they print put in order; ended together.

What they are is said by ``up.py``; nothing here knows Dagster or the recorder.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, TextIO

LOG_BYTES = 10 << 20
LOG_FILES = 5
"""A child's log is kept in so many files of so many bytes, the newest without a number."""

_FIRST_WAIT_SECONDS = 1.0
_LONGEST_WAIT_SECONDS = 60.0
_STEADY_SECONDS = 60.0
_LONGEST_LINE = 64 << 10
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class Service:
    """A child that is started again when it ends, the more patiently the more often it does.

    Args:
        name: What it is called in messages.
        start: Starts one.
        clock: Seconds that never run backwards.
        tell: Told of each end.
        ready: Whether it may be started.
    """

    def __init__(
        self,
        name: str,
        start: "Callable[[], subprocess.Popen[bytes]]",
        clock: Callable[[], float] = time.monotonic,
        tell: Callable[[str], object] = lambda _: None,
        ready: Callable[[], bool] = lambda: True,
    ) -> None:
        self.name = name
        self._start, self._clock, self._tell = start, clock, tell
        self._wait = _FIRST_WAIT_SECONDS
        self._started = clock()
        self._due: float | None = self._started
        self._ready = ready
        self.child: subprocess.Popen[bytes] | None = None
        self.look()

    def look(self) -> bool:
        """Start it again, if it has ended and its time has come; True when it has just ended."""
        now, ended = self._clock(), False
        if self.child is not None and self.child.poll() is not None:
            lasted, ended = now - self._started, True
            steady = lasted >= _STEADY_SECONDS
            self._wait = _FIRST_WAIT_SECONDS if steady else min(2 * self._wait, _LONGEST_WAIT_SECONDS)
            self._tell(
                f"{self.name} ended {_cause(self.child.poll())} after {lasted:.0f} s; again in {self._wait:.0f} s"
            )
            # Its own children would go on without it, and beside those of the next one.
            _signal(self.child, signal.SIGKILL)
            self.child, self._due = None, now + self._wait
        if self._due is not None and now >= self._due and self._ready():
            self._due, self._started, self.child = None, now, self._start()
        return ended


def _cause(code: int | None) -> str:
    if code is None or code >= 0:
        return f"with exit code {code}"
    return f"by {signal.Signals(-code).name}"


class Log:
    """Lines of one child: on the terminal with its name and the time, and in files that take turns.

    Whatever cannot be written, because the disk is full or the terminal gone, the child goes on.

    Args:
        name: The child's.
        folder: Where its files lie; made if need be.
        terminal: Where else lines go.
        width: Of the names, so that lines stand below each other.
    """

    def __init__(self, name: str, folder: Path, terminal: TextIO, width: int = 0) -> None:
        self.path = folder / f"{name}.log"
        self._label, self._terminal = name.ljust(width), terminal
        self._guard = threading.Lock()

    def write(self, line: str) -> None:
        """Add a line."""
        moment = datetime.now().astimezone()
        with self._guard:
            with contextlib.suppress(OSError, ValueError):
                self._terminal.write(f"{moment:%H:%M:%S} {self._label} | {line}\n")
                self._terminal.flush()
            with contextlib.suppress(OSError):
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with self.path.open("a", encoding="utf-8") as file:
                    file.write(f"{moment.isoformat(timespec='seconds')} {line}\n")
                    size = file.tell()
                if size > LOG_BYTES:
                    self._turn()

    def _turn(self) -> None:
        names = [self.path, *(self.path.with_suffix(f".log.{number}") for number in range(1, LOG_FILES))]
        for older, newer in zip(names[:0:-1], names[-2::-1], strict=True):
            with contextlib.suppress(FileNotFoundError):
                newer.replace(older)

    def follow(self, stream: BinaryIO) -> threading.Thread:
        """Write what a child says, line by line, until it says no more; in a thread of its own."""
        thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        thread.start()
        return thread

    def _read(self, stream: BinaryIO) -> None:
        with stream:
            while line := stream.readline(_LONGEST_LINE):
                self.write(_COLOURS.sub("", line.decode(errors="replace").rstrip()))


def start(command: Sequence[str], environment: Mapping[str, str], log: Log, keep: int) -> "subprocess.Popen[bytes]":
    """Start a program of this installation; it ends when we do, however we end.

    In a session of its own: Dagster's processes ignore a terminal's Ctrl-C otherwise.

    Args:
        command: Its name and arguments.
        environment: All of its environment.
        log: Where what it prints goes.
        keep: A file that it holds open: who has it locked has so until the last child ended.
    """
    program = Path(sys.executable).parent / command[0]
    words = [sys.executable, "-m", "orchestration.tied", str(os.getpid()), str(program), *command[1:]]
    child = subprocess.Popen(
        words,
        env=dict(environment),
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=(keep,),
    )
    if child.stdout is not None:
        log.follow(child.stdout)  # type: ignore[arg-type]  # a pipe in binary mode is a BinaryIO
    return child


def stop(services: Iterable[Service], patience: float, hurry: Callable[[], bool] = lambda: False) -> None:
    """End all of them, with their own children; what does not end in time is killed.

    Args:
        services: The children.
        patience: Seconds that all of them have together.
        hurry: Whether to wait no longer.
    """
    children = [service.child for service in services if service.child is not None]
    for child in children:
        if child.poll() is None:
            _signal(child, signal.SIGINT)
    deadline = time.monotonic() + patience
    while any(child.poll() is None for child in children) and time.monotonic() < deadline and not hurry():
        time.sleep(0.05)
    for child in children:
        _signal(child, signal.SIGKILL)
        child.wait()


def _signal(child: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    """Signal a child and all of its own children, also when it has ended itself."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)
