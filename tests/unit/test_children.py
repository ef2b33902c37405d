"""Children of ``shiftbook up``: started again when they end, ended together, and what they print put in order."""

import io
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from orchestration import children
from orchestration.children import Log, Service, start, stop

# In slices: a signal that comes just before Python sleeps is heard after the sleep.
SLEEP = "import time; [time.sleep(0.1) for _ in range(600)]"


class Child:
    """A process that ended, or not."""

    pid = 2**22 + 1  # no process has such an id

    def __init__(self) -> None:
        self.code: int | None = None

    def poll(self) -> int | None:
        """Its exit code."""
        return self.code


class House:
    """Starts children, on a clock that a test moves."""

    def __init__(self) -> None:
        self.children: list[Child] = []
        self.now = 0.0
        self.told: list[str] = []
        self.is_ready = True
        self.service = Service("recorder", self.start, lambda: self.now, self.told.append, lambda: self.is_ready)

    def start(self) -> "subprocess.Popen[bytes]":
        """A child."""
        self.children.append(Child())
        return cast("subprocess.Popen[bytes]", self.children[-1])

    def pass_by(self, seconds: float) -> int:
        """Let time pass with a look at the child now and then; how many were started so far."""
        for _ in range(int(seconds * 5)):
            self.now += 0.2
            self.service.look()
        return len(self.children)


def until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for something that happens soon."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def python(code: str, log: Log) -> "subprocess.Popen[bytes]":
    """A child that runs some Python."""
    return start([sys.executable, "-c", code], os.environ, log, 0)


def test_a_child_that_dies_is_started_again_and_its_end_is_told() -> None:
    """If this fails, one crash at night costs the history of the night, or nobody learns of it."""
    house = House()
    assert house.pass_by(100) == 1
    house.children[0].code = -9
    assert house.pass_by(2) == 2
    assert house.service.child is not None
    assert house.told == ["recorder ended by SIGKILL after 100 s; again in 1 s"]


def test_one_that_dies_at_once_is_started_ever_more_seldom() -> None:
    """If this fails, a wrong configuration keeps a core busy; or a recorder mended after hours does not come back."""
    house = House()
    for _ in range(12):
        house.children[-1].code = 1
        house.pass_by(61)
    assert len(house.children) == 13
    house.children[-1].code = 1
    before = len(house.children)
    assert house.pass_by(30) - before <= 1
    assert house.pass_by(100) > before
    assert "with exit code 1" in house.told[0]


def test_one_that_needs_another_waits_for_it() -> None:
    """If this fails, Dagster's pages begin with a screen of errors about code that is not there yet."""
    house = House()
    house.is_ready = False
    house.children[-1].code = 1
    assert house.pass_by(10) == 1
    house.is_ready = True
    assert house.pass_by(1) == 2


def test_lines_carry_name_and_time_and_no_colours_and_are_kept(tmp_path: Path) -> None:
    """If this fails, nobody can tell who of four processes said what, or read it the day after."""
    terminal = io.StringIO()
    log = Log("daemon", tmp_path / "logs", terminal, 9)
    child = python("print('\\x1b[32mone\\x1b[0m'); import sys; print('two', file=sys.stderr)", log)
    until(lambda: child.poll() is not None and terminal.getvalue().count("\n") == 2)
    first, second = sorted(terminal.getvalue().splitlines())
    assert first[8:] == " daemon    | one"
    assert second[8:] == " daemon    | two"
    assert {line.split(" ", 1)[1] for line in log.path.read_text().splitlines()} == {"one", "two"}


def test_logs_take_turns_and_the_oldest_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, logs fill the disk, or a turn loses the newest lines."""
    monkeypatch.setattr(children, "LOG_BYTES", 100)
    log = Log("daemon", tmp_path, io.StringIO())
    for number in range(40):
        log.write(f"line {number}")
    files = sorted(tmp_path.iterdir())
    assert len(files) <= children.LOG_FILES
    kept = [line.split(" ", 1)[1] for path in reversed(files) for line in path.read_text().splitlines()]
    assert kept == [f"line {number}" for number in range(40 - len(kept), 40)]


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    """If this fails, a full disk or a closed terminal ends the processes that must go on."""
    (tmp_path / "logs").write_text("no folder")
    terminal = io.StringIO()
    terminal.close()
    child = python("print('x' * 200_000)", Log("daemon", tmp_path / "logs", terminal))
    until(lambda: child.poll() == 0)


def test_all_end_together_with_their_own_children(tmp_path: Path) -> None:
    """If this fails, Ctrl-C leaves processes behind that go on asking vendors."""
    log = Log("one", tmp_path, io.StringIO())
    nested = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', '{SLEEP}']); print('up'); {SLEEP}"
    stubborn = f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); print('up'); {SLEEP}"
    services = [
        Service("nested", lambda: python(nested, log)),
        Service("stubborn", lambda: python(stubborn, log)),
    ]
    until(lambda: log.path.exists() and log.path.read_text().count("up") == 2)
    groups = [service.child.pid for service in services if service.child]
    began = time.monotonic()
    stop(services, 0.5)
    assert time.monotonic() - began < 10
    until(lambda: not any(_has_members(group) for group in groups))


def _has_members(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    # What ended and was not waited for by its own parent yet is no process that does anything.
    states = [
        path.read_text().rpartition(")")[2].split()[0]
        for path in Path("/proc").glob("[0-9]*/stat")
        if path.exists() and path.read_text().rpartition(")")[2].split()[2] == str(group)
    ]
    return any(state != "Z" for state in states)


@pytest.mark.parametrize("interrupts", ["default_int_handler", "SIG_IGN"])
def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path, interrupts: str) -> None:
    """If this fails, a killed ``up`` leaves a daemon and a recorder that nobody ends, beside those of the next one.

    Scripts start what runs in the background with interrupts ignored.
    """
    told = tmp_path / "child"
    child = f"import os, pathlib; pathlib.Path({str(told)!r}).write_text(str(os.getpid())); {SLEEP}"
    words = f"[sys.executable, '-m', 'orchestration.tied', str(os.getpid()), sys.executable, '-c', {child!r}]"
    begin = f"import os, signal, subprocess, sys; signal.signal(signal.SIGINT, signal.{interrupts})"
    parent = subprocess.Popen([sys.executable, "-c", f"{begin}; subprocess.Popen({words}); {SLEEP}"])
    until(lambda: told.exists() and told.read_text() != "")
    parent.kill()
    parent.wait()
    pid = int(told.read_text())
    until(lambda: not Path(f"/proc/{pid}").exists() or ") Z" in Path(f"/proc/{pid}/stat").read_text())
