"""A home filled by hand, without any vendor: two agents, two days, a few wide windows.

For tests of what happens to files; no expectations here.
"""

import functools
import json
import subprocess
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from orchestration.inputs import midnight
from orchestration.lake import Attempt, Page, Segment
from orchestration.resources import Engine
from orchestration.settings import load_settings
from tests.pipeline.site import FIRST, Site, day

HOUR = timedelta(hours=1)
DELAY = timedelta(seconds=15)
ADDRESS = "http://127.0.0.1:9"
WINDOWS = 4


def engine_at(home: Path, **top: Any) -> Engine:
    """The product on a home with one source that nobody serves; ``top`` are keys beside ``sources``."""
    source = {
        "name": "cx",
        "vendor": "cxengage",
        "base_url": ADDRESS,
        "tenant_id": "00000000-0000-0000-0000-000000000000",
        "username": "${TOY_USER}",
        "password": "${TOY_PASSWORD}",
        "since": str(FIRST),
    }
    home.parent.mkdir(parents=True, exist_ok=True)
    config = home.parent / f"{home.name}.yaml"
    config.write_text(yaml.safe_dump({"sources": [source], **top}))
    return Engine(load_settings(home, config, {"TOY_USER": "u", "TOY_PASSWORD": "p"}))


def shift(agent: str, on: date, hours: Sequence[float] = (8, 12, 13, 17)) -> list[dict[str, Any]]:
    """A signed-in day of one agent: ready, at lunch, ready, and a transfer in the last hour."""
    edges = [midnight(on) + HOUR * hour for hour in hours]
    ids = [f"{agent}-{on}-{number}" for number in range(len(edges))]
    rows: list[dict[str, Any]] = [
        {
            "eventId": ids[number],
            "nextEventId": ids[number + 1] if number + 2 < len(edges) else None,
            "sessionId": f"{agent}-{on}",
            "agentId": agent,
            "agentName": agent.title(),
            "presence": "not-ready" if number == 1 else "ready",
            "reasonName": "Lunch" if number == 1 else None,
            "start": start.isoformat(),
            "end": end.isoformat(),
            "loginTimestamp": edges[0].isoformat(),
            "capacity": [{"channels": {"voice": number % 2}, "allocation": "x", "load": 0.0, "capacity": 2}],
        }
        for number, (start, end) in enumerate(pairwise(edges))
    ]
    started = edges[-1] - timedelta(minutes=10)
    rows[-1]["transfers"] = [
        {
            "interactionId": f"i-{agent}-{on}",
            "toAgentId": "bob" if agent == "ann" else "ann",
            "transferStartTimestamp": started.isoformat(),
            "transferEndTimestamp": (started + timedelta(minutes=1)).isoformat(),
        }
    ]
    return rows


def land(
    engine: Engine, on: date, rows: Sequence[dict[str, Any]], heard: datetime | None = None, windows: int = WINDOWS
) -> None:
    """Land a day's records in so many windows, each record in the window of its start, and log the attempts."""
    step = timedelta(days=1) / windows
    heard = heard or midnight(on) + timedelta(days=1, minutes=20)
    attempts = []
    for number in range(windows):
        start = midnight(on) + number * step
        inside = [row for row in rows if start <= datetime.fromisoformat(row["start"]) < start + step]
        payload = json.dumps({"total": len(inside), "results": inside}).encode()
        page = Page(heard, heard, "GET /wfm/rta", 200, "application/json", payload)
        segment = engine.lake.spared(Segment("cxengage", "cx", "agent_states", start, start + step, (page,)))
        engine.lake.land(segment)
        attempts.append(
            Attempt(
                source="cx",
                feed="agent_states",
                window_start=start,
                window_end=start + step,
                attempted_at=heard,
                status="ok",
                records=len(inside),
                vendor_time=heard,
                segment=segment.name,
                open_ids=tuple(row["eventId"] for row in inside if row["end"] is None),
            )
        )
    for attempt in attempts:  # one by one, as small files
        engine.lake.log("cxengage", [attempt], DELAY)


def filled(home: Path, days: int = 2) -> Engine:
    """A home with the first days captured, built and published."""
    home.parent.mkdir(parents=True, exist_ok=True)
    # With its hard links: the files of the plain tree are those of the builds.
    subprocess.run(["cp", "-a", f"{_first_filled(days).name}/home", str(home)], check=True)  # noqa: S607
    engine = engine_at(home)
    engine.warehouse.publish()
    return engine


@functools.cache
def _first_filled(days: int) -> TemporaryDirectory[str]:
    """The one that is made by building: once a process."""
    folder = TemporaryDirectory(prefix="filled-")
    engine = engine_at(Path(folder.name) / "home")
    for number in range(days):
        land(engine, day(number), shift("ann", day(number)) + shift("bob", day(number), (9, 11, 12, 20)))
    built(engine, days)
    return folder


def built(engine: Engine, days: int = 2) -> list[str]:
    """Build and publish the first days; the results, in order."""
    return [outcome.result for outcome in site_of(engine).build([day(number) for number in range(days)])]


def site_of(engine: Engine) -> Site:
    """The same home as the pipeline tests see it."""
    made = Site(engine.settings.home, {})
    made.__dict__["engine"] = engine
    return made


def later(engine: Engine, days: int = 9) -> None:
    """Let the vendor's clock stand so many days after the first, with one more window asked for."""
    land(engine, day(days), [], windows=1)
