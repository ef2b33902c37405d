"""What ``shiftbook up`` does about a recorder that ends."""

import subprocess
from pathlib import Path
from typing import cast

from orchestration.settings import Settings
from orchestration.up import Recorder, _records
from tests.pipeline.toy import engine_at


class Child:
    """A process that ended, or not."""

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
        self.recorder = Recorder(self.start, lambda: self.now)

    def start(self) -> "subprocess.Popen[bytes]":
        """A child."""
        self.children.append(Child())
        return cast("subprocess.Popen[bytes]", self.children[-1])

    def pass_by(self, seconds: float) -> int:
        """Let time pass with a look at the recorder now and then; how many were started so far."""
        for _ in range(int(seconds * 5)):
            self.now += 0.2
            self.recorder.look()
        return len(self.children)


def test_a_recorder_that_dies_is_started_again() -> None:
    """If this fails, one crash at night costs the history of the night."""
    house = House()
    assert house.pass_by(100) == 1
    house.children[0].code = -9
    assert house.pass_by(2) == 2
    assert house.recorder.child is not None


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


def test_it_is_only_run_where_there_is_something_to_record(tmp_path: Path) -> None:
    """If this fails, a home without sources restarts a recorder for ever, or one with sources has none."""
    assert not _records(Settings(tmp_path))
    assert _records(engine_at(tmp_path / "home").settings)
