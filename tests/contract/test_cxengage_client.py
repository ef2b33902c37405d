"""The CxEngage client against the simulated vendor over real sockets, in health and in every kind of trouble."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import requests

from assets.capture import CaptureError, CaptureResult, Fetched, capture
from assets.config import Origin
from assets.cxengage import AGENT_STATES
from assets.cxengage.client import CxEngageClient
from assets.cxengage.config import CxEngageConfig
from assets.http import Options, PermanentError, Retry, Session, TransientError
from assets.windows import Window
from orchestration.lake import Lake
from simulator.centre import Centre
from simulator.clock import SimClock
from simulator.cxengage import POWERLESS, CxEngageServer
from simulator.cxengage_json import Dialect
from simulator.faults import Faults

FIRST = date(2026, 3, 3)  # a Tuesday
DAY = FIRST + timedelta(days=1)
NOW = datetime(2026, 3, 4, 12, 4, 20, 700_000, tzinfo=UTC)
BUSY = Window(datetime(2026, 3, 4, 11, tzinfo=UTC), datetime(2026, 3, 4, 11, 10, tzinfo=UTC))


@pytest.fixture(scope="module")
def centre() -> Centre:
    """Two working days of a few agents."""
    return Centre.simulate(7, 12, FIRST, 2)


@pytest.fixture
def server(centre: Centre) -> Iterator[CxEngageServer]:
    """A vendor whose clock stands still."""
    with CxEngageServer(centre, SimClock(NOW)) as running:
        yield running


def config(server: CxEngageServer, **changes: Any) -> CxEngageConfig:
    """The source as a user would write it."""
    environ = {"CX_USER": changes.pop("user", server.username), "CX_PASS": changes.pop("secret", server.password)}
    keys = {
        "name": "cx_us",
        "vendor": "cxengage",
        "base_url": server.base_url,
        "tenant_id": server.tenant_id,
        "username": "${CX_USER}",
        "password": "${CX_PASS}",
    }
    return CxEngageConfig.model_validate(keys | changes, context=Origin(environ=environ))


def impatient(server: CxEngageServer, page_limit: int = 2_000, **options: Any) -> CxEngageClient:
    """A client that does not wait between tries."""
    made: dict[str, Any] = {"timeout_seconds": 5.0, "retry": Retry(tries=12, base=0.001)} | options
    basic = (server.username, server.password)
    session = Session("cx_us", server.base_url, basic=basic, options=Options(**made))
    return CxEngageClient(config(server), session, page_limit)


def records(fetched: Fetched) -> list[dict[str, Any]]:
    """All records of all pages, in order."""
    return [entry for page in fetched.pages for entry in json.loads(page.payload)["results"]]


def everything(server: CxEngageServer, window: Window) -> list[dict[str, Any]]:
    """What the vendor gives for a window at once, asked without our client."""
    ends = {"start": f"{window.start:%Y-%m-%dT%H:%M:%SZ}", "end": f"{window.end:%Y-%m-%dT%H:%M:%SZ}"}
    address = f"{server.base_url}/v1/tenants/{server.tenant_id}/wfm/rta"
    reply = requests.get(address, ends, auth=(server.username, server.password), timeout=5)
    found: list[dict[str, Any]] = reply.json()["results"]
    return found


def captured(client: CxEngageClient, lake: Lake, **more: Any) -> CaptureResult:
    """Capture both days."""
    arguments: dict[str, Any] = {
        "vendor": "cxengage",
        "source": "cx_us",
        "feed": AGENT_STATES,
        "days": [FIRST, DAY],
    } | more
    return capture(client, lake, **arguments)


def latest_rows(lake: Lake) -> dict[str, dict[str, Any]]:
    """Every record in the lake by its id, closed copies before open ones."""
    rows: dict[str, dict[str, Any]] = {}
    for path in lake.root.glob("raw/**/*.parquet"):
        for payload in pq.ParquetFile(path).read(["payload"]).column("payload").to_pylist():
            for entry in json.loads(payload)["results"]:
                if rows.get(entry["eventId"], {}).get("end") is None:
                    rows[entry["eventId"]] = entry
    return rows


@pytest.mark.parametrize("page_limit", [1, 7, 2_000])
@pytest.mark.parametrize("selection", ["start", "overlap", "end"])
def test_pages_hold_what_the_vendor_has(server: CxEngageServer, page_limit: int, selection: Any) -> None:
    """Records at the edges of pages would be lost or doubled."""
    server.set_dialect(Dialect(selection=selection))
    fetched = impatient(server, page_limit).fetch(BUSY)
    assert fetched.status == "ok"
    assert records(fetched) == everything(server, BUSY)
    assert fetched.records == len(records(fetched)) > 10
    assert len(fetched.pages) == -(-fetched.records // page_limit)


def test_a_page_says_how_it_was_got(server: CxEngageServer) -> None:
    """A raw segment would not show what was asked, or would hold the credentials."""
    page = impatient(server, 7).fetch(BUSY).pages[1]
    path = f"GET /v1/tenants/{server.tenant_id}/wfm/rta"
    assert page.request == f"{path}?start=2026-03-04T11:00:00.000Z&end=2026-03-04T11:10:00.000Z&limit=7&offset=7"
    assert (page.status, page.content_type) == (200, "application/json")
    assert page.requested_at <= page.received_at
    assert server.password not in page.request


def test_an_empty_window_is_a_page_too(server: CxEngageServer) -> None:
    """There would be no evidence that nothing happened."""
    night = Window(datetime(2026, 3, 4, tzinfo=UTC), datetime(2026, 3, 4, 6, tzinfo=UTC))
    quiet = next(part for part in parts(night) if not everything(server, part))
    fetched = impatient(server).fetch(quiet)
    assert (fetched.status, fetched.records, len(fetched.pages)) == ("ok", 0, 1)


def test_the_vendors_clock_is_read_whatever_the_window(server: CxEngageServer) -> None:
    """Planning would follow our clock, months away from the vendor's, and be refused each window."""
    client = impatient(server)
    assert client.vendor_now() == NOW.replace(microsecond=0)
    assert server.stats()["requests"] == 1
    assert client.fetch(BUSY).vendor_time == NOW.replace(microsecond=0)


def test_nothing_young_is_captured(server: CxEngageServer, tmp_path: Path) -> None:
    """Rows that can still change or be joined by late ones would count as final."""
    lake = Lake(tmp_path)
    captured(impatient(server), lake)
    ends = [attempt.window_end for attempt in lake.attempts("cxengage", "cx_us", "agent_states", DAY)]
    assert max(ends) == datetime(2026, 3, 4, 12, 4, 5, tzinfo=UTC)


def test_a_capture_gets_every_record(server: CxEngageServer, tmp_path: Path) -> None:
    """Some record of two days would be in no window."""
    lake = Lake(tmp_path)
    result = captured(impatient(server), lake)
    assert (result.failed, result.landed) == (0, 144 + 73)
    truth = {entry["eventId"] for window in hours(server) for entry in window}
    assert set(latest_rows(lake)) == truth
    assert captured(impatient(server), lake).landed == 0


def hours(server: CxEngageServer) -> Iterator[list[dict[str, Any]]]:
    """All records of both days up to now, window by window."""
    start = datetime(2026, 3, 3, tzinfo=UTC)
    while start < NOW - timedelta(seconds=15):
        end = min(start + timedelta(minutes=10), NOW.replace(second=5, microsecond=0))
        yield everything(server, Window(start, end))
        start += timedelta(minutes=10)


def test_transient_trouble_costs_nothing_but_time(server: CxEngageServer, tmp_path: Path) -> None:
    """A vendor on a bad day would leave gaps although it has everything."""
    truth = {entry["eventId"] for window in hours(server) for entry in window}
    server.set_faults(Faults(error_rate=0.1, throttle_rate=0.05, reset_rate=0.05, short_rate=0.05, stringly_limit=True))
    lake = Lake(tmp_path)
    assert captured(impatient(server), lake).failed == 0
    assert set(latest_rows(lake)) == truth


def test_duplicated_and_shuffled_records_are_all_kept(server: CxEngageServer) -> None:
    """A vendor that repeats itself would make windows fail, or lose what it repeats."""
    truth = {entry["eventId"] for entry in everything(server, BUSY)}
    server.set_faults(Faults(duplicate_rows=0.5, shuffled=True))
    fetched = impatient(server, 7).fetch(BUSY)
    assert fetched.status == "ok"
    assert {entry["eventId"] for entry in records(fetched)} == truth


def test_a_window_that_grows_between_pages_is_read_anew(server: CxEngageServer) -> None:
    """The record that moved over the page's edge would be missing."""
    truth = everything(server, BUSY)
    server.set_faults(Faults(unstable_pages=True))
    fetched = impatient(server, 7).fetch(BUSY)
    assert fetched.status == "ok"
    assert records(fetched) == truth


@pytest.mark.parametrize("wrong_total", [-3, 3])
def test_a_count_that_never_comes_out_fails_but_keeps_the_pages(server: CxEngageServer, wrong_total: int) -> None:
    """A window with missing records would pass for complete, or what did come be thrown away."""
    truth = everything(server, BUSY)
    server.set_faults(Faults(wrong_total=wrong_total))
    fetched = impatient(server).fetch(BUSY)
    assert fetched.status == "failed"
    assert "cx_us: window 2026-03-04T11:00:00.000Z to 2026-03-04T11:10:00.000Z: " in str(fetched.error)
    assert f"total says {len(truth) + wrong_total}, 3 times" in str(fetched.error)
    assert records(fetched) == truth


def test_a_page_that_is_no_json_is_kept(server: CxEngageServer, tmp_path: Path) -> None:
    """A parser of tomorrow could not read what nobody kept today."""
    server.set_faults(Faults(truncated_rate=1.0))
    fetched = impatient(server).fetch(BUSY)
    assert (fetched.status, fetched.records, len(fetched.pages)) == ("unreadable", None, 1)
    assert "page 1 cannot be read" in str(fetched.error)
    result = captured(impatient(server), Lake(tmp_path), days=[FIRST])
    assert (result.landed, result.failed) == (144, 144)


def test_json_that_stops_now_and_then_is_asked_for_again(server: CxEngageServer) -> None:
    """A proxy's hiccup would leave a window unreadable until the next run."""
    truth = everything(server, BUSY)
    server.set_faults(Faults(truncated_rate=0.2))
    assert records(impatient(server, 7).fetch(BUSY)) == truth


@pytest.mark.parametrize(
    ("changes", "status", "way_out"),
    [
        ({"secret": "wrong"}, 401, "check username and password"),
        ({"user": POWERLESS}, 403, "WFM RTA"),
        ({"tenant_id": "11111111-1111-1111-1111-111111111111"}, 404, "tenant_id"),
    ],
)
def test_a_refused_account_is_told_how_to_mend_it(
    server: CxEngageServer, tmp_path: Path, changes: dict[str, str], status: int, way_out: str
) -> None:
    """A person would see a number, and the vendor hundreds of refused requests."""
    made = config(server, **changes)
    with pytest.raises(PermanentError, match=way_out) as caught:
        CxEngageClient(made).vendor_now()
    assert caught.value.status == status
    assert server.password not in str(caught.value)
    with pytest.raises(CaptureError, match=way_out):
        captured(CxEngageClient(made), Lake(tmp_path))
    assert server.stats()["requests"] == 2


def test_a_password_that_is_not_set_is_told_and_logged(server: CxEngageServer, tmp_path: Path) -> None:
    """The first use of a secret would end in a traceback, and coverage not know that the source is there."""
    lake = Lake(tmp_path)
    with pytest.raises(CaptureError, match="password: environment variable CX_PASS is not set"):
        captured(CxEngageClient(config(server, secret="")), lake, days=[datetime.now(UTC).date() - timedelta(days=1)])
    assert [probe.name for probe in CxEngageClient(config(server, secret="")).probe()] == ["credentials"]
    assert server.stats()["requests"] == 0


def test_what_the_vendor_forgets_is_not_asked_for(server: CxEngageServer, tmp_path: Path) -> None:
    """Old windows would fail in each run, or the part that is still there be lost."""
    server.clock.set(NOW + timedelta(days=2))
    lake = Lake(tmp_path)
    result = captured(impatient(server), lake, days=[FIRST])
    assert (result.failed, result.planned) == (0, 72)
    starts = [attempt.window_start for attempt in lake.attempts("cxengage", "cx_us", "agent_states", FIRST)]
    assert min(starts) == datetime(2026, 3, 3, 12, 5, 20, tzinfo=UTC)


def test_a_window_beyond_the_limits_is_refused_once(server: CxEngageServer) -> None:
    """A window that can never be had would be asked for again and again."""
    ago = NOW - timedelta(days=5)
    with pytest.raises(PermanentError, match="answered 400") as caught:
        impatient(server).fetch(Window(ago, ago + timedelta(minutes=10)))
    assert not caught.value.source_wide


def test_a_vendor_that_hangs_runs_into_the_time_limit(server: CxEngageServer) -> None:
    """A worker would wait for ever."""
    server.set_faults(Faults(hang_rate=1.0, hang_seconds=0.5))
    with pytest.raises(TransientError, match="timed out"):
        impatient(server, timeout_seconds=0.05, retry=Retry(tries=2, base=0.001)).fetch(BUSY)


def test_a_time_told_with_an_error_is_a_time(server: CxEngageServer) -> None:
    """A vendor whose data are out of order for a while would be planned for by our clock."""
    server.set_faults(Faults(error_rate=1.0))
    assert impatient(server, retry=Retry(tries=1)).vendor_now() == NOW.replace(microsecond=0)


@pytest.mark.parametrize("selection", ["start", "overlap"])
@pytest.mark.parametrize("missing", ["absent", "null"])
def test_rows_are_followed_until_they_close(
    server: CxEngageServer, tmp_path: Path, selection: Any, missing: Any
) -> None:
    """A state that was open when first seen would stay open in the lake."""
    server.set_dialect(Dialect(selection=selection, missing=missing))
    lake = Lake(tmp_path)
    for _ in range(8):
        captured(impatient(server), lake, since=NOW - timedelta(minutes=30))
        server.clock.advance(timedelta(minutes=17))
    server.clock.set(datetime(2026, 3, 4, 23, 59, tzinfo=UTC))
    captured(impatient(server), lake, since=NOW - timedelta(minutes=30))
    still_open = {row["eventId"] for row in latest_rows(lake).values() if row.get("end") is None}
    begun = Window(NOW - timedelta(minutes=30), datetime(2026, 3, 4, 23, 58, 45, tzinfo=UTC))
    shown = {row["eventId"] for part in parts(begun) for row in everything(server, part) if row.get("end") is None}
    assert still_open == shown


def parts(window: Window) -> Iterator[Window]:
    """A long window in the vendor's lengths."""
    start = window.start.replace(microsecond=0)
    while start < window.end:
        yield Window(start, min(start + timedelta(minutes=10), window.end))
        start += timedelta(minutes=10)


def test_doctor_is_told_that_all_is_well(centre: Centre) -> None:
    """A working source would be reported as broken."""
    with CxEngageServer(centre) as server:
        found = list(CxEngageClient(config(server)).probe())
    assert [(probe.name, probe.ok) for probe in found] == [
        ("reachability", True),
        ("credentials", True),
        ("permission", True),
        ("clock", True),
    ]


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"secret": "wrong"}, ["reachability", "credentials"]),
        ({"user": POWERLESS}, ["reachability", "credentials", "permission"]),
        ({"tenant_id": "11111111-1111-1111-1111-111111111111"}, ["reachability", "address"]),
    ],
)
def test_doctor_names_the_first_thing_that_is_wrong(
    server: CxEngageServer, changes: dict[str, str], names: list[str]
) -> None:
    """A person would mend the wrong thing."""
    found = list(CxEngageClient(config(server, **changes)).probe())
    assert [probe.name for probe in found] == names
    assert [probe.ok for probe in found] == [True] * (len(names) - 1) + [False]


def test_doctor_notices_a_clock_that_is_off(server: CxEngageServer) -> None:
    """Windows would be cut months away from the data, and nobody know why."""
    clock = list(impatient(server).probe())[-1]
    assert (clock.name, clock.ok) == ("clock", False)
    assert "set up NTP" in clock.message


def test_making_a_client_asks_nothing(server: CxEngageServer) -> None:
    """Loading the definitions would need every secret and reach out to every vendor."""
    CxEngageClient(config(server, secret=""))
    assert server.stats()["requests"] == 0
