"""The client of CxEngage's own sums against the simulated vendor, whose author knew the documents alone."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assets.capture import CaptureError, Fetched, capture
from assets.config import Origin
from assets.cxengage import AGENT_INTERVALS, AGENT_STATES
from assets.cxengage.client import CxEngageClient
from assets.cxengage.config import CxEngageConfig
from assets.cxengage.intervals import IntervalsClient
from assets.http import Options, PermanentError, Retry, Session
from assets.registry import connect
from assets.windows import Window
from orchestration.lake import Lake
from simulator.cxengage import CxEngageServer
from simulator.cxengage_intervals import IntervalDialect
from simulator.cxengage_json import Dialect
from simulator.faults import Faults
from tests.contract.served import NOON

HOUR = Window(NOON - timedelta(hours=2), NOON - timedelta(hours=1))


def config(server: CxEngageServer) -> CxEngageConfig:
    """The source as a user would write it."""
    keys = {
        "name": "cx_us",
        "vendor": "cxengage",
        "base_url": server.base_url,
        "tenant_id": server.tenant_id,
        "username": "${CX_USER}",
        "password": "${CX_PASS}",
        "feeds": ["agent_states", "agent_intervals"],
    }
    environ = {"CX_USER": server.username, "CX_PASS": server.password}
    return CxEngageConfig.model_validate(keys, context=Origin(environ=environ))


def client(
    server: CxEngageServer, kind: type[CxEngageClient] = IntervalsClient, page_limit: int | None = None
) -> CxEngageClient:
    """A client that does not wait between tries."""
    options = Options(timeout_seconds=5.0, retry=Retry(tries=12, base=0.001))
    session = Session("cx_us", server.base_url, basic=(server.username, server.password), options=options)
    return kind(config(server), session, page_limit)


def speak(server: CxEngageServer, **intervals: Any) -> None:
    """Let the vendor read its documents in this way."""
    server.set_dialect(replace(Dialect(), intervals=IntervalDialect(**intervals)))


def rows(fetched: Fetched) -> list[dict[str, Any]]:
    """All sums of all pages, in order."""
    found: list[dict[str, Any]] = []
    for page in fetched.pages:
        results = json.loads(page.payload)["results"]
        found += results if isinstance(results, list) else [results]
    return found


@pytest.mark.parametrize("page_limit", [7, 5_000])
def test_pages_hold_every_sum_of_the_hour_once(server: CxEngageServer, page_limit: int) -> None:
    """Agents at the edges of pages would be compared twice or never; a limit may be cut by the vendor, too."""
    expected = rows(client(server).fetch(HOUR))
    speak(server, max_limit=min(page_limit, 30))
    fetched = client(server, page_limit=page_limit).fetch(HOUR)
    assert (fetched.status, fetched.error) == ("ok", None)
    assert rows(fetched) == expected
    assert len({row["agentIntervalId"] for row in expected}) == len(expected) == fetched.records
    assert len(expected) > 20


def test_one_sum_may_come_as_a_bare_object(server: CxEngageServer) -> None:
    """The shape of the vendor's own sample would count as unreadable, and be asked for again and again."""
    speak(server, results="object", max_limit=1)
    quarter = Window(HOUR.start, HOUR.start + timedelta(minutes=15))
    fetched = client(server, page_limit=1).fetch(quarter)
    assert (fetched.status, fetched.error) == ("ok", None)
    assert fetched.records == len(rows(fetched)) == len({row["agentId"] for row in rows(fetched)})
    assert len(fetched.pages) == fetched.records


def test_all_windows_lie_on_the_vendors_marks(server: CxEngageServer, tmp_path: Path) -> None:
    """The vendor refuses a range off its quarters or younger than ten minutes: the newest hour would never be had."""
    server.clock.set(NOON + timedelta(minutes=24, seconds=59))
    lake = Lake(tmp_path)
    result = capture(client(server), lake, vendor="cxengage", source="cx_us", feed=AGENT_INTERVALS, days=[NOON.date()])
    assert (result.failed, result.planned) == (0, 12)
    assert lake.clock("cxengage", "agent_intervals", "cx_us").observed_until == NOON
    server.clock.set(NOON + timedelta(minutes=25))
    capture(client(server), lake, vendor="cxengage", source="cx_us", feed=AGENT_INTERVALS, days=[NOON.date()])
    assert lake.clock("cxengage", "agent_intervals", "cx_us").observed_until == NOON + timedelta(minutes=15)


def test_without_the_permission_the_states_are_captured_all_the_same(server: CxEngageServer, tmp_path: Path) -> None:
    """A second opinion that may not be had would cost the first."""
    speak(server, permitted=False)
    lake, day = Lake(tmp_path), NOON.date()
    with pytest.raises(CaptureError, match="403"):
        capture(client(server), lake, vendor="cxengage", source="cx_us", feed=AGENT_INTERVALS, days=[day])
    states = client(server, CxEngageClient)
    result = capture(states, lake, vendor="cxengage", source="cx_us", feed=AGENT_STATES, days=[day])
    assert (result.failed, result.landed) == (0, 72)


def test_a_refusal_names_the_permission_that_is_missing(server: CxEngageServer) -> None:
    """A person would give the role the permission that it has."""
    speak(server, permitted=False)
    with pytest.raises(PermanentError, match='permission "WFM_HISTORICAL"'):
        connect(config(server), AGENT_INTERVALS).fetch(HOUR)


@pytest.mark.parametrize("permitted", [True, False])
def test_doctor_looks_at_each_feeds_own_permission(server: CxEngageServer, *, permitted: bool) -> None:
    """A source would pass the doctor and fail each night, or be reported as broken for one feed's sake."""
    server.clock.set(datetime.now(UTC))
    speak(server, permitted=permitted)
    found = {feed.name: list(connect(config(server), feed).probe()) for feed in (AGENT_STATES, AGENT_INTERVALS)}
    assert all(probe.ok for probe in found["agent_states"])
    wrong = [probe for probe in found["agent_intervals"] if not probe.ok]
    assert [(probe.name, "WFM_HISTORICAL" in probe.message) for probe in wrong] == [("permission", True)][permitted:]


def test_a_vendor_in_trouble_is_asked_again(server: CxEngageServer) -> None:
    """A few bad minutes of the vendor would leave holes in the second opinion."""
    expected = rows(client(server).fetch(HOUR))
    server.set_faults(Faults(seed=4, error_rate=0.2, truncated_rate=0.1, stringly_limit=True))
    assert rows(client(server, page_limit=20).fetch(HOUR)) == expected
