"""One simulated vendor for the tests of a file, at noon of its second day with nothing wrong."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from assets.beyondtrust import budget
from simulator.centre import Centre
from simulator.clock import SimClock
from simulator.cxengage import CxEngageServer
from simulator.cxengage_json import Dialect
from simulator.faults import Faults
from simulator.huawei import HuaweiServer
from simulator.kore import KoreServer
from simulator.kore_events import KoreDialect
from tests.contract.served import FIRST, NOON
from tests.contract.served_huawei import QUICK, status
from tests.contract.served_kore import FREE


@pytest.fixture(autouse=True)
def _own_budget(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let no test wait for what another one asked an appliance at the same port."""
    monkeypatch.setattr(budget, "pace_dir", lambda: tmp_path / "pace")


@pytest.fixture(scope="module")
def running() -> Iterator[CxEngageServer]:
    """Serve one centre to all tests of this file."""
    centre = Centre.simulate(5, 20, FIRST, 5)
    with CxEngageServer(centre, SimClock(NOON)) as server:
        yield server


@pytest.fixture
def server(running: CxEngageServer) -> CxEngageServer:
    """Return the server with its clock at noon of the second day and nothing wrong."""
    running.clock.set(NOON, running=False)
    running.set_faults(Faults())
    if running.api.dialect != Dialect():
        running.set_dialect(Dialect())
    return running


@pytest.fixture(scope="module")
def platform() -> Iterator[HuaweiServer]:
    """Serve one centre to all tests of this file."""
    with HuaweiServer(Centre.simulate(5, 20, FIRST, 3), SimClock(NOON)) as running:
        yield running


@pytest.fixture
def aicc(platform: HuaweiServer) -> HuaweiServer:
    """Return the server at noon of the second day, with nothing wrong, nobody of ours signed in, quick polls."""
    platform.clock.set(NOON + timedelta(days=300), running=False)
    for number in platform.agent_ids.values():
        status(platform, number, "")
    platform.clock.set(NOON)
    platform.set_faults(Faults())
    if platform.dialect != QUICK:
        platform.set_dialect(QUICK)
    return platform


@pytest.fixture(scope="module")
def account() -> Iterator[KoreServer]:
    """Serve one centre to all tests of this file."""
    with KoreServer(Centre.simulate(5, 20, FIRST, 3), SimClock(NOON)) as running:
        yield running


@pytest.fixture
def kore(account: KoreServer) -> KoreServer:
    """Return the server at noon of the second day, with nothing wrong and no rate limit in the way."""
    account.clock.set(NOON, running=False)
    account.set_faults(Faults())
    account.set_dialect(KoreDialect(rate_per_minute=FREE))
    return account
