"""The pull clients of BeyondTrust against the simulated appliance over sockets, in every dialect and in trouble."""

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from assets.beyondtrust import ARCHIVE, SESSIONS, xml
from assets.beyondtrust.archive import ArchiveClient
from assets.beyondtrust.sessions import SessionsClient
from assets.capture import CaptureError, CaptureResult, PullClient, capture
from assets.feeds import Feed
from assets.http import Clock
from orchestration.lake import Lake
from simulator.beyondtrust import BeyondTrustServer
from simulator.centre import Centre
from simulator.clock import SimClock
from simulator.faults import Faults
from tests.contract.appliance import FIRST, NOON, ask, ask_token, at_noon, dialect
from tests.contract.our_side import client, refusals

MORNING = NOON - timedelta(hours=2)


@pytest.fixture(scope="module")
def running() -> Iterator[BeyondTrustServer]:
    """Serve one appliance to all tests of this file."""
    with BeyondTrustServer(Centre.simulate(5, 16, FIRST, 3), SimClock(NOON), dialect=dialect()) as server:
        yield server


@pytest.fixture
def server(running: BeyondTrustServer) -> BeyondTrustServer:
    """The server at noon of the second day, with nothing wrong."""
    return at_noon(running)


def captured(
    made: PullClient, feed: Feed, home: Path, days: list[date], since: datetime | None = None
) -> CaptureResult:
    """Capture some days."""
    lake = Lake(home)
    return capture(made, lake, vendor="beyondtrust", source="support_eu", feed=feed, days=days, since=since, workers=4)


def rows(home: Path, feed: str) -> list[dict[str, Any]]:
    """All pages in the lake."""
    paths = sorted(home.glob(f"raw/beyondtrust/{feed}/**/*.parquet"))
    return [row for path in paths for row in pq.ParquetFile(path).read().to_pylist()]


# -- the archive ----------------------------------------------------------------------------


def test_a_day_of_archives_is_captured_whole(server: BeyondTrustServer, tmp_path: Path) -> None:
    """Some file of a day would be in no segment, or a window never be settled."""
    result = captured(client(ArchiveClient, server), ARCHIVE, tmp_path, [FIRST])
    assert (result.planned, result.failed, result.landed, result.errors) == (48, 0, 48, ())
    asked = Counter(row["request"].partition("generate_report=")[2] for row in rows(tmp_path, "archive"))
    files = [
        f"Archive&type={kind}&date={FIRST}&index={n}"
        for kind, most in (("state", 48), ("event", 144))
        for n in range(1, most + 1)
    ]
    assert {file for file in files if file not in asked} == set()
    assert captured(client(ArchiveClient, server), ARCHIVE, tmp_path, [FIRST]).planned == 0


def test_what_is_archived_is_what_was_sent(server: BeyondTrustServer, tmp_path: Path) -> None:
    """Raw would hold something else than the appliance's bytes."""
    captured(client(ArchiveClient, server), ARCHIVE, tmp_path, [NOON.date()], MORNING)
    files = [row for row in rows(tmp_path, "archive") if "generate_report=Archive&" in row["request"]]
    assert all(row["payload"].startswith(xml.GZIP) for row in files)
    snapshots = [json.loads(gzip.decompress(row["payload"])) for row in files if "type=state" in row["request"]]
    assert all("representative" in snapshot for snapshot in snapshots)


@pytest.mark.parametrize(
    "knobs",
    [
        {"site_minutes_east": 600},
        {"site_minutes_east": -480},
        {"archive_errors": "gzip", "language": "fr"},
        {"namespace": "bomgar"},
        {"namespace": "sra", "connections": "enforced"},
        {"archive_minutes": 9.0},
        {"archive_time": "iso"},
    ],
    ids=str,
)
def test_every_dialect_of_the_archive_is_captured(
    server: BeyondTrustServer, tmp_path: Path, knobs: dict[str, Any]
) -> None:
    """A site in another zone, of another age or another language would have no history."""
    server.set_dialect(dialect(**knobs))
    result = captured(client(ArchiveClient, server), ARCHIVE, tmp_path, [NOON.date()], MORNING)
    assert (result.failed, result.errors) == (0, ())
    kinds = Counter("type=state" in row["request"] for row in rows(tmp_path, "archive") if "index=" in row["request"])
    assert kinds[True] >= 4
    assert kinds[False] >= 10


def test_archives_that_come_late_are_waited_for(server: BeyondTrustServer, tmp_path: Path) -> None:
    """Files that are listed later than we thought would be missing for ever."""
    server.set_dialect(dialect(archive_minutes=40.0))
    made = client(ArchiveClient, server)
    first = captured(made, ARCHIVE, tmp_path, [NOON.date()], MORNING)
    assert first.failed >= 1
    server.clock.set(NOON + timedelta(hours=1), running=False)
    made = client(ArchiveClient, server)
    since, ago = MORNING, NOON
    captured(made, ARCHIVE, tmp_path, [NOON.date()], since)
    attempts = Lake(tmp_path).attempts("beyondtrust", "support_eu", "archive", NOON.date())
    reached = max(one.window_end for one in attempts if one.status == "ok")
    assert reached >= ago


def test_a_day_on_which_the_appliance_did_not_run_is_not_called_observed(
    server: BeyondTrustServer, tmp_path: Path
) -> None:
    """A day without archives would pass for a day on which nothing happened."""
    server.set_dialect(dialect(inactive_days=(FIRST,)))
    result = captured(client(ArchiveClient, server), ARCHIVE, tmp_path, [FIRST])
    attempts = Lake(tmp_path).attempts("beyondtrust", "support_eu", "archive", FIRST)
    assert {one.status for one in attempts if one.window_start.hour < 23} == {"failed"}
    assert len(result.errors) <= 2


# -- reports --------------------------------------------------------------------------------


def test_sessions_are_got_whole_when_they_end(server: BeyondTrustServer, tmp_path: Path) -> None:
    """A session of hours would stay as it was in its first minute."""
    result = captured(client(SessionsClient, server), SESSIONS, tmp_path, [FIRST])
    assert (result.planned, result.failed, result.errors) == (24, 0, ())
    begun, whole = set(), set()
    for row in rows(tmp_path, "sessions"):
        for session in xml.every(xml.read(row["payload"]), "session"):
            begun.add(session.get("lsid"))
            if xml.text(xml.child(session, "end_time")):
                whole.add(session.get("lsid"))
    day = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp())
    told = ask(server, "reporting", generate_report="SupportSession", start_time=day, duration=86_400)
    truth = {
        one.get("lsid"): xml.text(xml.child(one, "end_time")) for one in xml.every(xml.read(told.content), "session")
    }
    assert truth.keys() == begun
    assert {lsid for lsid, end in truth.items() if end} <= whole
    assert len(whole) > 10


@pytest.mark.parametrize("language", ["en", "fr"])
def test_quiet_hours_are_complete_in_both_languages(server: BeyondTrustServer, tmp_path: Path, language: str) -> None:
    """Each night of a French site would be a gap."""
    server.set_dialect(dialect(language=language))
    result = captured(client(SessionsClient, server), SESSIONS, tmp_path, [FIRST])
    assert (result.failed, result.errors) == (0, ())
    assert any(xml.error(xml.read(row["payload"])) for row in rows(tmp_path, "sessions"))


@pytest.mark.parametrize("denial", ["error", "forbidden"])
@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_withheld_permission_stops_its_own_feed_alone(
    server: BeyondTrustServer, tmp_path: Path, denial: Any, language: Any
) -> None:
    """A refusal would pass for no data, or stop what is allowed."""
    kinds: dict[str, Any] = {
        "perm_reporting_archive": (ArchiveClient, ARCHIVE),
        "perm_reporting_support": (SessionsClient, SESSIONS),
    }
    for permission, (kind, feed) in kinds.items():
        server.set_dialect(dialect(denied=(permission,), denial=denial, language=language))
        with pytest.raises(CaptureError, match="permission"):
            captured(client(kind, server), feed, tmp_path / permission, [FIRST])
        for other, (allowed, its) in kinds.items():
            if other != permission:
                made = client(allowed, server)
                assert captured(made, its, tmp_path / permission, [NOON.date()], MORNING).failed == 0


def test_a_bad_day_costs_nothing_but_time(server: BeyondTrustServer, tmp_path: Path) -> None:
    """Errors and resets would leave gaps although the appliance has everything."""
    server.set_faults(Faults(error_rate=0.1, reset_rate=0.05, throttle_rate=0.05))
    for kind, feed in ((ArchiveClient, ARCHIVE), (SessionsClient, SESSIONS)):
        assert captured(client(kind, server), feed, tmp_path, [NOON.date()], MORNING).errors == ()


def test_the_limit_of_a_second_is_kept(tmp_path: Path) -> None:
    """A backfill would be refused again and again."""
    with BeyondTrustServer(Centre.simulate(5, 4, FIRST, 2), SimClock(NOON)) as strict:
        made = client(ArchiveClient, strict, clock=Clock())
        assert captured(made, ARCHIVE, tmp_path, [NOON.date()], NOON - timedelta(minutes=80)).errors == ()
        assert refusals(strict) == 0


def test_tokens_that_others_push_out_are_renewed(server: BeyondTrustServer, tmp_path: Path) -> None:
    """Another integration's thirty tokens would end our capture."""
    made = client(ArchiveClient, server)
    made.vendor_now()
    for _ in range(30):
        ask_token(server)
    assert captured(made, ARCHIVE, tmp_path, [NOON.date()], MORNING).errors == ()
