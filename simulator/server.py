"""The simulated vendors as a process: says where they are, then serves until stopped.

What belongs here: starting a centre with its servers from plain arguments, for the
command line.  What does not: parsing a command line, and serving inside a test, which
uses `CxEngageServer` directly.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from datetime import UTC, date, datetime, timedelta

from simulator.centre import Centre
from simulator.clock import SimClock
from simulator.cxengage import CxEngageServer


def build(
    *,
    port: int = 0,
    seed: int = 1,
    agents: int = 25,
    days: int = 4,
    first_day: date | None = None,
    now: datetime | None = None,
    running: bool = True,
    speed: float = 1.0,
) -> CxEngageServer:
    """Return a server, not yet started, whose centre has worked for `days` days by now.

    `now` (aware) defaults to the real time, and the first day to `days - 1` days before
    it.  One day more is simulated, so that a running clock may pass midnight.
    """
    moment = datetime.now(UTC) if now is None else now.astimezone(UTC)
    first = moment.date() - timedelta(days=days - 1) if first_day is None else first_day
    clock = SimClock(moment, running=running, speed=speed)
    return CxEngageServer(Centre.simulate(seed, agents, first, days + 1), clock, port=port)


def serve(
    *,
    port: int = 0,
    seed: int = 1,
    agents: int = 25,
    days: int = 4,
    first_day: date | None = None,
    now: datetime | None = None,
    running: bool = True,
    speed: float = 1.0,
) -> None:
    """Serve until SIGINT or SIGTERM, after one line of JSON that says how to connect."""
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    server = build(
        port=port,
        seed=seed,
        agents=agents,
        days=days,
        first_day=first_day,
        now=now,
        running=running,
        speed=speed,
    )
    # Written now, the records do not slow the first reading of each window down.
    server.api.index.warm()
    with server:
        sys.stdout.write(json.dumps(connection(server)) + "\n")
        sys.stdout.flush()
        stop.wait()


def connection(server: CxEngageServer) -> dict[str, str]:
    """Return what a client needs to know, as the line that `serve` prints."""
    return {
        "base_url": server.base_url,
        "tenant_id": server.tenant_id,
        "username": server.username,
        "password": server.password,
        "now": server.clock.now().isoformat(),
        "first_day": server.centre.first_day.isoformat(),
    }
