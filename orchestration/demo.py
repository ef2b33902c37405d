"""The demo: starts the simulated vendors, captures days as they pass, records the present, builds, and compares.

The only place of the product that meets the simulator. What is captured, recorded and built is no special case: the
same code on the same kind of configuration file that a user writes.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from simulator.facts import moment_of
from simulator.people import hire
from simulator.schedule import planned
from simulator.server import serve as serve_simulator

from orchestration.backfill import Report, Runner
from orchestration.console import ERR, progress_bar, show
from orchestration.demo_centre import Centre, DemoError, simulated
from orchestration.demo_compare import Result, Watched, compare
from orchestration.demo_sources import POLL_SECONDS, Hired, write_sources
from orchestration.inputs import midnight
from orchestration.overview import overview_path
from orchestration.recorder import record
from orchestration.reporting import ReportError, issue
from orchestration.resources import Engine
from orchestration.settings import Settings, load_settings
from orchestration.up import run as up

__all__ = ["DemoError", "run", "serve"]

RECORD_SECONDS = 20.0
_EXAMPLE = (
    "select source, agent_name, occupancy(sum(handling_seconds), sum(wrap_up_seconds), sum(available_seconds)) as "
    "occupancy, sum(handling_seconds) / 3600 as handling_hours from marts.agg_agent_days join marts.dim_agents "
    "using (source, agent_id) group by all order by handling_hours desc limit 10"
)
# Huawei tells of a state when it ends, by its beginning, for a day: looks further apart lose what lasted for long, as
# of somebody who forgot to sign out. The others keep theirs for days.
_BETWEEN_LOOKS = timedelta(hours=3)
_FORGETFUL = "huawei"
_ALL_ASKED_EVERY = 7
_MEMORY = timedelta(days=1)
# When all of a day can be known.
_SETTLED_AFTER = timedelta(hours=3)


def run(
    home: Path, days: int, agents: int, seed: int, *, keep: bool, as_json: bool, seconds: float = RECORD_SECONDS
) -> bool:
    """Simulate, capture, record, build, compare and print; True when every figure equals the truth.

    Raises:
        DemoError: The simulator did not start, or the home holds a demo of another centre.
    """
    started = time.monotonic()
    today = datetime.now(UTC).date()
    first, last = _days(home, days, agents, seed)
    past = _between(first, last)
    files = home / "demo" / "cc-fs"
    with simulated(seed, agents, first, (today - first).days + 1, midnight(first), files) as centre:
        staff = _staff(seed, agents, first, (today - first).days + 1)
        path, variables = write_sources(home / "demo", centre, first, staff)
        settings = load_settings(home, path, variables)
        engine = Engine(settings)
        runner = Runner(engine, first, today)
        with progress_bar("demo", _steps(engine, len(past)), quiet=as_json) as engine.progress:
            looks = _capture(home, centre, runner, first, last)
            watched = _record(centre, engine, seconds)
            report = runner.backfill(first, today)
            reports, unissued = _reports(engine, last)
        folder = home / "demo" / "truth"
        centre.write_truth(folder, datetime.now(UTC))
        result = compare(settings, folder, _agent_ids(centre), past, watched, looks or ())
        failures = [*report.failures, *_broken(report), *unissued]
        _tell(engine, result, reports, failures, time.monotonic() - started, as_json=as_json)
        if keep:
            keep_running(settings, centre, variables)
    return looks is not None and report.ok and not unissued and result.ok


def serve(port: int, seed: int, agents: int, days: int, files: Path | None = None) -> None:
    """Serve the simulated vendors until Ctrl-C; their clock starts now and runs."""
    today = datetime.now(UTC).date()
    first = today - timedelta(days=days)
    serve_simulator(port=port, seed=seed, agents=agents, days=days, first_day=first, files=files)


def _staff(seed: int, agents: int, first: date, days: int) -> list[Hired]:
    """Who works in the simulated centre, and what was planned for them."""
    return [
        Hired(
            agent.agent_id,
            f"P{1000 + agent.number}",
            agent.name,
            f"Team {agent.team + 1}",
            [(moment_of(row.starts), moment_of(row.ends), row.activity) for row in planned(seed, agent, first, days)],
        )
        for agent in hire(seed, agents)
    ]


def _capture(home: Path, centre: Centre, runner: Runner, first: date, last: date) -> list[datetime] | None:
    """Let the days pass that have not passed yet, and look often enough that little is forgotten unseen.

    Returns:
        When the vendors were asked, in earlier demos of this home, too; None when a run failed.
    """
    path = home / "demo" / "looks.json"
    looks = [datetime.fromisoformat(look) for look in json.loads(path.read_text())] if path.exists() else []
    seen = looks[-1] if looks else midnight(first)
    forgetful = [source.name for source in runner.engine.settings.sources if source.vendor == _FORGETFUL]
    now = datetime.now(UTC)
    for number, look in enumerate(_looks(seen, now), 1):
        centre.set_clock(look)
        days = max(first, (look - _MEMORY).date()), min(look.date(), last)
        asked = () if look == now or number % _ALL_ASKED_EVERY == 0 else forgetful
        if not runner.backfill(*days, asked, select='key:"raw/*"').ok:
            return None
        looks.append(look)
        path.write_text(json.dumps([look.isoformat() for look in looks]))
    return looks


def _looks(seen: datetime, until: datetime) -> Iterator[datetime]:
    """Instants after the last one at which vendors are asked, the end the last of them."""
    while seen < until:
        seen = min(seen + _BETWEEN_LOOKS, until)
        yield seen


def _record(centre: Centre, engine: Engine, seconds: float) -> Watched:
    """Record the present of all vendors, whose clock is the real one from here on."""
    centre.run_clock()
    engine.progress(f"recording {seconds:.0f} seconds of the present")
    since = datetime.now(UTC)
    asyncio.run(record(engine.settings, seconds=seconds))
    # What happened after an agent's last poll was not seen.
    return Watched(since, max(since, datetime.now(UTC) - timedelta(seconds=2 * POLL_SECONDS)))


def _between(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def _agent_ids(centre: Centre) -> dict[str, Mapping[str, str] | None]:
    """Each vendor's ids of agents by the true ones; CxEngage has them as they are."""
    return {vendor: told.get("agent_ids") for vendor, told in centre.vendors.items()}


def _steps(engine: Engine, days: int) -> int:
    """About how many windows are asked for and partitions built."""
    return days * (270 + sum(model.kind in {"day", "segment"} for model in engine.models.values()))


def _days(home: Path, days: int, agents: int, seed: int) -> tuple[date, date]:
    """The first and last simulated day; a home that holds a demo goes on from its first day.

    Raises:
        DemoError: The home holds a demo of another centre.
    """
    # Of a day that has hardly ended not everything can be known yet.
    last = (datetime.now(UTC) - _SETTLED_AFTER).date() - timedelta(days=1)
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


def _broken(report: Report) -> list[str]:
    """The checks that make a backfill fail."""
    return [f"{found.asset}: {found.check}: {found.message}" for found in report.findings if found.error]


def _reports(engine: Engine, day: date) -> tuple[list[Path], list[str]]:
    """All reports of the last whole day: their folders, and why others are not there."""
    folders, failures = [], []
    for config in engine.settings.reports:
        engine.progress(f"report {config.name}")
        try:
            folders.append(issue(engine.settings, config, day).folder)
        except ReportError as error:
            failures.append(str(error))
    return folders, failures


def _tell(
    engine: Engine, result: Result, reports: Sequence[Path], failures: Sequence[str], seconds: float, *, as_json: bool
) -> None:
    rows = result.rows if as_json else [_beside(row) for row in result.rows]
    show(rows, as_json=as_json, title="what we found / what really happened")
    for failure in [*failures, *result.differences]:
        ERR.print(failure, style="red", markup=False)
    if as_json:
        return
    path = engine.settings.warehouse_path
    home = engine.settings.home
    ERR.print(f"{seconds:.0f} s; warehouse: {path}; Parquet: {home / 'lake'}", highlight=False)
    for folder in reports:
        ERR.print(f"report: {folder}", highlight=False, markup=False, soft_wrap=True)
    ERR.print(f"overview: {overview_path(engine.settings)}", highlight=False, markup=False, soft_wrap=True)
    ERR.print(
        f'next: {Path(sys.argv[0])} --home {home} sql "{_EXAMPLE}"', highlight=False, markup=False, soft_wrap=True
    )


def _beside(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with each figure and its truth in one cell: a terminal is not as wide as JSON."""
    return {
        name: f"{value} / {row[f'true {name}']}" if f"true {name}" in row and value is not None else value
        for name, value in row.items()
        if not name.startswith("true ")
    }


def keep_running(settings: Settings, centre: Centre, variables: Mapping[str, str]) -> None:
    """Run the Dagster UI and the recorder beside the simulator until Ctrl-C."""
    for vendor, told in centre.vendors.items():
        ERR.print(f"simulated {vendor}: {told['base_url']}", highlight=False)
    up(settings, 3000, variables)
