"""The demo's simulated centre: a process of its own, its clock, and what it says really happened.

How it is asked is no concern of this file; that is what sources.yaml is for (``demo_sources.py``).
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import requests


class DemoError(Exception):
    """The demo cannot go on; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Centre:
    """A simulated centre and how to reach its vendors.

    Attributes:
        vendors: What each vendor's clients need to know, as the simulator says it.
    """

    vendors: Mapping[str, Mapping[str, Any]]

    def set_clock(self, now: datetime) -> None:
        """Let the simulated vendors' clock stand at an instant."""
        self._post("clock", {"now": now.isoformat()})

    def run_clock(self) -> None:
        """Let it run with the real one from now on."""
        self._post("clock", {"real": True, "running": True})

    def write_truth(self, folder: Path, until: datetime) -> None:
        """Have what really happened written as Parquet."""
        self._post("truth", {"folder": str(folder.resolve()), "until": until.isoformat()})

    def _post(self, what: str, body: dict[str, Any]) -> None:
        # One clock and one truth for all vendors: it does not matter whom we ask.
        url = f"{self.vendors['cxengage']['base_url']}/_simulator/{what}"
        requests.post(url, json=body, timeout=120).raise_for_status()


@contextmanager
def simulated(seed: int, agents: int, first: date, days: int, now: datetime, files: Path) -> Iterator[Centre]:
    """The simulator as a process of its own, ended with the block; ``files`` gets what Huawei exports.

    Raises:
        DemoError: It did not start.
    """
    command = [sys.executable, "-m", "simulator", "--port", "0", "--seed", str(seed), "--agents", str(agents)]
    command += ["--days", str(days), "--first-day", str(first), "--now", now.isoformat(), "--fixed"]
    command += ["--files", str(files.resolve())]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise DemoError(f"the simulator ended with code {process.wait()}; run '{' '.join(command[1:])}' to see why")
        told = json.loads(line)
        yield Centre({name: value for name, value in told.items() if isinstance(value, dict)})
    finally:
        process.terminate()
        process.wait(timeout=20)
