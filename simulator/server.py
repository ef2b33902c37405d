"""The simulated vendors as a process: says where they are, then serves until stopped.

What belongs here: starting one centre with all its vendors' servers from plain
arguments, for the command line.  What does not: parsing a command line, and serving a
vendor inside a test, which uses `CxEngageServer` and its likes directly.
"""

from __future__ import annotations

import json
import signal
import sys
import tempfile
import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final, Self, TypedDict, Unpack

from simulator.beyondtrust import BeyondTrustServer
from simulator.beyondtrust_dialect import Dialect
from simulator.centre import Centre
from simulator.clock import SimClock
from simulator.cxengage import CxEngageServer
from simulator.huawei import HuaweiServer
from simulator.huawei_states import HuaweiDialect
from simulator.kore import KoreServer
from simulator.kore_events import KoreDialect

# CxEngage sees everybody.  The others share the payroll; three has no divisor in common with the number of
# shift patterns, so that each share has all of them, and people of every team.
_SHARES: Final = ("kore", "huawei", "beyondtrust")
# Limits of real time would make days that pass in seconds take minutes.
_KORE: Final = KoreDialect(rate_per_minute=600)
# Where a window picks the records that begin in it, a rest of many hours is told to nobody who asked for its window
# before it ended; where it picks those that end in it, all of a day can be known.  A release transfer names no
# receiver, so that what is shown of it could not be held against what is true.  Few exports are landed faster.
_HUAWEI: Final = HuaweiDialect(history_by="end", release_transfers=0.0, export_minutes=360)
# Who leaves the desk is shown as idle at once: what is shown can then be held against what is true.
_BEYONDTRUST: Final = Dialect(idle_seconds=0.0, requests_per_second=200, requests_per_hour=150_000)


@dataclass
class Vendors:
    """All simulated vendors of one centre under one clock: start them by using this as a context manager."""

    centre: Centre
    clock: SimClock
    cxengage: CxEngageServer
    kore: KoreServer
    huawei: HuaweiServer
    beyondtrust: BeyondTrustServer
    _open: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        """Start serving."""
        for server in (self.cxengage, self.kore, self.huawei, self.beyondtrust):
            self._open.enter_context(server)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving."""
        self._open.close()


def shares(centre: Centre) -> dict[str, list[str]]:
    """Return the ids of the agents that work on each vendor's platform, CxEngage aside, which has all."""
    return {
        vendor: [agent.agent_id for agent in centre.agents if agent.number % len(_SHARES) == place]
        for place, vendor in enumerate(_SHARES)
    }


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
) -> Vendors:
    """Return servers, not yet started, whose centre has worked for `days` days by now.

    `now` (aware) defaults to the real time, and the first day to `days - 1` days before
    it.  One day more is simulated, so that a running clock may pass midnight.  `port` is
    CxEngage's, the next three are the others'; 0 takes free ones.
    """
    moment = datetime.now(UTC) if now is None else now.astimezone(UTC)
    first = moment.date() - timedelta(days=days - 1) if first_day is None else first_day
    clock = SimClock(moment, running=running, speed=speed)
    centre = Centre.simulate(seed, agents, first, days + 1)
    share = shares(centre)
    ports = [port and port + place for place in range(4)]
    return Vendors(
        centre,
        clock,
        CxEngageServer(centre, clock, port=ports[0]),
        KoreServer(centre, clock, dialect=_KORE, agents=share["kore"], port=ports[1]),
        HuaweiServer(centre, clock, dialect=_HUAWEI, agents=share["huawei"], port=ports[2]),
        BeyondTrustServer(centre, clock, dialect=_BEYONDTRUST, agents=share["beyondtrust"], port=ports[3]),
    )


class Options(TypedDict, total=False):
    """What `build` can be told."""

    port: int
    seed: int
    agents: int
    days: int
    first_day: date | None
    now: datetime | None
    running: bool
    speed: float


def serve(files: Path | None = None, **options: Unpack[Options]) -> None:
    """Serve until SIGINT or SIGTERM, after one line of JSON that says how to connect.

    `files` is a folder, made if need be, that gets what Huawei's CC-FS exports of operations;
    the rest is as for `build`.
    """
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    with tempfile.TemporaryDirectory(prefix="simulator-") as folder:
        vendors = build(**options)
        vendors.huawei.guid_file = Path(folder) / "guids.json"
        vendors.huawei.files = files
        # Written now, the records do not slow the first reading of each window down.
        vendors.cxengage.api.index.warm()
        with vendors:
            sys.stdout.write(json.dumps(connection(vendors)) + "\n")
            sys.stdout.flush()
            stop.wait()


def connection(vendors: Vendors) -> dict[str, object]:
    """Return what clients need to know, as the line that `serve` prints: an object for each vendor.

    `agent_ids` gives a vendor's ids of its agents by the ids that the truth has; CxEngage's are the same.
    """
    cxengage, kore, huawei, beyondtrust = vendors.cxengage, vendors.kore, vendors.huawei, vendors.beyondtrust
    return {
        "now": vendors.clock.now().isoformat(),
        "first_day": vendors.centre.first_day.isoformat(),
        "cxengage": {
            "base_url": cxengage.base_url,
            "tenant_id": cxengage.tenant_id,
            "username": cxengage.username,
            "password": cxengage.password,
        },
        "kore": {
            "base_url": kore.base_url,
            "account_id": kore.account_id,
            "app_id": kore.app_id,
            "client_secret": kore.client_secret,
            "stream_id": kore.stream_id,
            "reason_codes": dict(kore.reason_codes),
            "agent_ids": dict(kore.agent_ids),
        },
        "huawei": {
            "base_url": huawei.base_url,
            "cc_id": huawei.account.cc_id,
            "vdn": huawei.account.vdn,
            "access_key": huawei.account.access_key,
            "secret_key": huawei.account.secret_key,
            "guid_file": None if huawei.guid_file is None else str(huawei.guid_file),
            "files": None if huawei.files is None else str(huawei.files),
            "agent_ids": dict(huawei.agent_ids),
        },
        "beyondtrust": {
            "base_url": beyondtrust.base_url,
            "company": beyondtrust.company,
            "client_id": beyondtrust.client_id,
            "client_secret": beyondtrust.client_secret,
            "agent_ids": dict(beyondtrust.agent_ids),
        },
    }
