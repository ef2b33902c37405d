"""One simulated CxEngage for the tests of a file, at noon of its second day with nothing wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simulator.centre import Centre
from simulator.clock import SimClock
from simulator.cxengage import CxEngageServer
from simulator.cxengage_json import Dialect
from simulator.faults import Faults
from tests.contract.served import FIRST, NOON


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
