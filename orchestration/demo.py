"""The demo: starts the simulated vendors, captures days as they pass, builds, and holds the figures against the truth.

The only place of the product that meets the simulator. What is captured and built is no special case: the same
commands on the same configuration file that a user writes.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import requests
import yaml
from simulator.server import serve as serve_simulator

from orchestration.backfill import Runner
from orchestration.console import ERR, progress_bar, show
from orchestration.demo_truth import compare
from orchestration.inputs import midnight
from orchestration.resources import Engine
from orchestration.settings import Settings, load_settings
from orchestration.up import run as up

_EXAMPLE = (
    "select agent_name, occupancy(sum(handling_seconds), sum(wrap_up_seconds), sum(available_seconds)) as occupancy, "
    "sum(handling_seconds) / 3600 as handling_hours from marts.agg_agent_days join marts.dim_agents "
    "using (source, agent_id) group by all order by handling_hours desc limit 10"
)
# What the simulated tenant calls after-contact work; a real one's words go into its own map in the same way.
_STATE_MAP = "vendor,vendor_state,reason,state\ncxengage,not-ready,After Call Work,wrap_up\n"


class DemoError(Exception):
    """The demo cannot go on; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Centre:
    """A simulated centre and how to reach it."""

    base_url: str
    tenant_id: str
    username: str
    password: str

    def set_clock(self, now: datetime) -> None:
        """Let the simulated vendor's clock stand at an instant."""
        self._post("clock", {"now": now.isoformat()})

    def run_clock(self, now: datetime) -> None:
        """Let it run from an instant on."""
        self._post("clock", {"now": now.isoformat(), "running": True})

    def write_truth(self, folder: Path, until: datetime) -> None:
        """Have what really happened written as Parquet."""
        self._post("truth", {"folder": str(folder.resolve()), "until": until.isoformat()})

    def _post(self, what: str, body: dict[str, Any]) -> None:
        requests.post(f"{self.base_url}/_simulator/{what}", json=body, timeout=120).raise_for_status()


def run(home: Path, days: int, agents: int, seed: int, *, keep: bool, as_json: bool) -> bool:
    """Simulate, capture, build, compare and print; True when every figure equals the truth.

    Raises:
        DemoError: The simulator did not start, or the home holds a demo of another centre.
    """
    started = time.monotonic()
    first, last = _days(home, days, agents, seed)
    count = (last - first).days + 1
    with simulated(seed, agents, first, count, midnight(first)) as centre:
        settings = _configure(home, centre, first)
        engine = Engine(settings)
        runner = Runner(engine, first, last)
        ok = True
        with progress_bar("demo", _steps(engine, count), quiet=as_json) as engine.progress:
            for day in (first + timedelta(days=n) for n in range(count)):
                centre.set_clock(_capture_time(day))
                ok = runner.backfill(day, day, select='key:"raw/*"').ok and ok
            report = runner.backfill(first, last)
        truth = home / "demo" / "truth"
        centre.write_truth(truth, midnight(last + timedelta(days=1)))
        rows = compare(settings, truth)
        _tell(engine, rows, report.failures, time.monotonic() - started, as_json=as_json)
        if keep:
            centre.run_clock(_capture_time(last))
            keep_running(settings, centre)
    return ok and report.ok and all(row["equal"] for row in rows)


def serve(port: int, seed: int, agents: int, days: int) -> None:
    """Serve the simulated vendors until Ctrl-C; their clock starts now and runs."""
    today = datetime.now(UTC).date()
    serve_simulator(port=port, seed=seed, agents=agents, days=days, first_day=today - timedelta(days=days))


@contextmanager
def simulated(seed: int, agents: int, first: date, days: int, now: datetime) -> Iterator[Centre]:
    """The simulator as a process of its own, ended with the block."""
    command = [sys.executable, "-m", "simulator", "--port", "0", "--seed", str(seed), "--agents", str(agents)]
    command += ["--days", str(days), "--first-day", str(first), "--now", now.isoformat(), "--fixed"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise DemoError(f"the simulator ended with code {process.wait()}; run '{' '.join(command[1:])}' to see why")
        told = json.loads(line)
        yield Centre(told["base_url"], told["tenant_id"], told["username"], told["password"])
    finally:
        process.terminate()
        process.wait(timeout=20)


def _capture_time(day: date) -> datetime:
    """When a day is captured: a little after its end, so that what ran on at midnight is seen to run on."""
    return midnight(day + timedelta(days=1)) + timedelta(minutes=20)


def _steps(engine: Engine, days: int) -> int:
    """About how many windows are asked for and partitions built."""
    return days * (150 + sum(model.kind in {"day", "segment"} for model in engine.models.values()))


def _days(home: Path, days: int, agents: int, seed: int) -> tuple[date, date]:
    """The first and last simulated day; a home that holds a demo goes on from its first day."""
    last = datetime.now(UTC).date() - timedelta(days=1)
    path = home / "demo" / "centre.json"
    if path.exists():
        told = json.loads(path.read_text())
        if (told["agents"], told["seed"]) != (agents, seed):
            raise DemoError(
                f"{home} holds a demo of {told['agents']} agents and seed {told['seed']}; "
                "ask for the same, or for another --home"
            )
        return date.fromisoformat(told["first_day"]), last
    first = last - timedelta(days=days - 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"first_day": str(first), "agents": agents, "seed": seed}))
    return first, last


def _configure(home: Path, centre: Centre, first: date) -> Settings:
    """Write the demo's sources.yaml, as a user would, and read it; the simulator's password is in no file."""
    folder = home / "demo"
    (folder / "state_map.csv").write_text(_STATE_MAP, encoding="utf-8")
    source = {
        "name": "cx_demo",
        "vendor": "cxengage",
        "base_url": centre.base_url,
        "tenant_id": centre.tenant_id,
        "username": "${DEMO_USERNAME}",
        "password": "${DEMO_PASSWORD}",
        "since": first,
    }
    path = folder / "sources.yaml"
    path.write_text(yaml.safe_dump({"state_map": "state_map.csv", "sources": [source]}, sort_keys=False))
    return load_settings(home, path, {"DEMO_USERNAME": centre.username, "DEMO_PASSWORD": centre.password})


def _tell(engine: Engine, rows: list[dict[str, Any]], failures: list[str], seconds: float, *, as_json: bool) -> None:
    show(rows, as_json=as_json, title="what we found beside what really happened")
    if as_json:
        return
    for failure in failures:
        ERR.print(failure, style="red", markup=False)
    path = engine.settings.warehouse_path
    home = engine.settings.home
    ERR.print(f"{seconds:.0f} s; warehouse: {path}; Parquet: {home / 'lake'}", highlight=False)
    ERR.print(
        f'next: {Path(sys.argv[0])} --home {home} sql "{_EXAMPLE}"', highlight=False, markup=False, soft_wrap=True
    )


def keep_running(settings: Settings, centre: Centre) -> None:
    """Run the Dagster UI beside the simulator until Ctrl-C."""
    ERR.print(f"simulator: {centre.base_url}", highlight=False)
    variables = {"DEMO_USERNAME": centre.username, "DEMO_PASSWORD": centre.password}
    up(settings, 3000, variables)
