"""The simulator's faults, admin endpoints and process, over real sockets."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import requests

from simulator.centre import Centre
from simulator.clock import SimClock
from simulator.cxengage import CxEngageServer
from simulator.cxengage_json import Dialect
from simulator.facts import iso, millis
from simulator.faults import Faults

NOON = datetime(2026, 3, 3, 12, 0, 0, tzinfo=UTC)
START = NOON - timedelta(hours=1)
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def running() -> Iterator[CxEngageServer]:
    """Serve one centre to all tests of this file."""
    with CxEngageServer(Centre.simulate(8, 20, date(2026, 3, 2), 2), SimClock(NOON)) as server:
        yield server


@pytest.fixture
def server(running: CxEngageServer) -> CxEngageServer:
    """Return the server with its clock at noon and nothing wrong."""
    running.clock.set(NOON, running=False)
    running.set_faults(Faults())
    running.set_dialect(Dialect())
    return running


def ask(server: CxEngageServer, start: datetime = START, /, **more: object) -> requests.Response:
    """Make one request for ten minutes."""
    times = {"start": iso(millis(start)), "end": iso(millis(start + timedelta(minutes=10)))}
    return requests.get(
        f"{server.base_url}/v1/tenants/{server.tenant_id}/wfm/rta",
        params=times | {name: str(value) for name, value in more.items()},
        auth=(server.username, server.password),
        timeout=10,
    )


def rows(server: CxEngageServer, start: datetime = START, /, **more: object) -> Rows:
    """Return the records of ten minutes."""
    reply = ask(server, start, **more)
    assert reply.status_code == 200
    found: Rows = reply.json()["results"]
    return found


def fates(server: CxEngageServer, requests_made: int = 60) -> list[int]:
    """Return the statuses of many requests, 0 for a broken connection."""
    statuses = []
    for number in range(requests_made):
        try:
            statuses.append(ask(server, offset=number % 7, limit=1).status_code)
        except requests.ConnectionError:
            statuses.append(0)
    return statuses


def test_without_faults_nothing_goes_wrong(server: CxEngageServer) -> None:
    """If this failed, a failing test could be the simulator's doing."""
    assert set(fates(server, 30)) == {200}


def test_duplicates_are_served_and_counted(server: CxEngageServer) -> None:
    """If this failed, deduplication would never be put to work."""
    clean = rows(server)
    server.set_faults(Faults(seed=1, duplicate_rows=0.3))
    reply = ask(server).json()
    counts = Counter(row["eventId"] for row in reply["results"])
    assert reply["total"] == len(reply["results"]) > len(clean)
    assert set(counts) == {row["eventId"] for row in clean}
    assert set(counts.values()) == {1, 2}


def test_pages_with_duplicates_and_shuffling_still_add_up(server: CxEngageServer) -> None:
    """If this failed, paging could not be correct under these faults."""
    server.set_faults(Faults(seed=2, duplicate_rows=0.2, shuffled=True))
    whole = rows(server)
    paged: Rows = []
    for offset in range(0, len(whole), 7):
        paged += rows(server, offset=offset, limit=7)
    assert paged == whole


def test_shuffled_records_are_the_same_in_another_order(server: CxEngageServer) -> None:
    """If this failed, order would be relied on without notice."""
    clean = rows(server)
    server.set_faults(Faults(seed=3, shuffled=True))
    shuffled = rows(server)
    assert shuffled != clean
    assert sorted(shuffled, key=lambda row: row["eventId"]) == sorted(clean, key=lambda row: row["eventId"])


def test_late_records_come_in_the_end(server: CxEngageServer) -> None:
    """If this failed, a second look at a window would never find more."""
    start = NOON - timedelta(minutes=10)
    server.clock.set(NOON + timedelta(hours=2))
    everything = {row["eventId"] for row in rows(server, start)}
    server.clock.set(NOON + timedelta(seconds=16))
    on_time = {row["eventId"] for row in rows(server, start)}
    assert on_time == everything
    server.set_faults(Faults(seed=4, late_rows=0.4, late_seconds=600))
    early = {row["eventId"] for row in rows(server, start)}
    assert early < everything
    server.clock.set(NOON + timedelta(seconds=16 + 600))
    assert {row["eventId"] for row in rows(server, start)} == everything


def test_unstable_pages_insert_a_record_at_the_front(server: CxEngageServer) -> None:
    """If this failed, a total that changes while paging would never be met."""
    clean = rows(server)
    server.set_faults(Faults(unstable_pages=True))
    first = ask(server, limit=5).json()
    second = ask(server, limit=5, offset=5).json()
    assert first["total"] == len(clean) - 1
    assert second["total"] == len(clean)
    assert first["results"] == clean[1:6]
    assert second["results"] == clean[5:10]
    assert ask(server, limit=5).json()["results"] == clean[:5]


def test_transient_errors_come_at_their_rate_and_repeat(server: CxEngageServer) -> None:
    """If this failed, a failure met once could not be met again."""
    faults = Faults(seed=5, error_rate=0.3, throttle_rate=0.05, reset_rate=0.05)
    server.set_faults(faults)
    met = fates(server, 120)
    server.set_faults(faults)
    assert fates(server, 120) == met
    counts = Counter(met)
    assert {200, 500, 502, 503, 504, 429, 0} >= set(counts)
    assert counts[200] > 40
    assert counts[0] > 0
    assert sum(counts[status] for status in (500, 502, 503, 504)) > 15


def test_other_seeds_fail_otherwise(server: CxEngageServer) -> None:
    """If this failed, the seed would not reach the dice."""
    server.set_faults(Faults(seed=6, error_rate=0.5))
    met = fates(server)
    server.set_faults(Faults(seed=7, error_rate=0.5))
    assert fates(server) != met


def test_errors_name_when_to_retry(server: CxEngageServer) -> None:
    """If this failed, Retry-After would go untested."""
    server.set_faults(Faults(error_rate=1, error_statuses=(503,), retry_after=7))
    reply = ask(server)
    assert (reply.status_code, reply.headers["Retry-After"]) == (503, "7")
    server.set_faults(Faults(throttle_rate=1))
    reply = ask(server)
    assert reply.status_code == 429
    assert "Retry-After" not in reply.headers


def test_connections_can_be_reset(server: CxEngageServer) -> None:
    """If this failed, a connection that dies would never be met."""
    server.set_faults(Faults(reset_rate=1))
    with pytest.raises(requests.ConnectionError):
        ask(server)


def test_answers_can_hang(server: CxEngageServer) -> None:
    """If this failed, time-outs would go untested."""
    server.set_faults(Faults(hang_rate=1, hang_seconds=0.3))
    began = time.monotonic()
    assert ask(server).status_code == 200
    assert time.monotonic() - began >= 0.3


def test_json_can_stop_in_the_middle(server: CxEngageServer) -> None:
    """If this failed, a body that is no JSON would never be met."""
    server.set_faults(Faults(truncated_rate=1))
    reply = ask(server)
    assert reply.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(reply.content)


def test_bodies_can_be_shorter_than_announced(server: CxEngageServer) -> None:
    """If this failed, an answer cut on the way would never be met."""
    server.set_faults(Faults(short_rate=1))
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        ask(server)


def test_the_total_can_lie_and_the_limit_be_a_string(server: CxEngageServer) -> None:
    """If this failed, the envelope could be trusted blindly."""
    true = ask(server, limit=3).json()["total"]
    server.set_faults(Faults(wrong_total=4, stringly_limit=True))
    envelope = ask(server, limit=3).json()
    assert (envelope["total"], envelope["limit"]) == (true + 4, "3")


def test_a_dropped_stretch_is_missing_until_cleared(server: CxEngageServer) -> None:
    """If this failed, broken chains and gaps would go untested."""
    clean = rows(server)
    since, until = START + timedelta(minutes=2), START + timedelta(minutes=4)
    server.set_faults(Faults(dropped=((since, until),)))
    left = rows(server)
    assert left == [row for row in clean if not since <= datetime.fromisoformat(row["start"]) < until]
    assert len(left) < len(clean)
    server.set_faults(Faults(dropped=((since, until),), dropped_mode="error"))
    assert ask(server).status_code == 500
    assert ask(server, until).status_code == 200
    server.set_faults(Faults())
    assert rows(server) == clean


def test_a_spoilt_stretch_has_records_whose_start_is_no_time(server: CxEngageServer) -> None:
    """If this failed, records that nobody can read would go untested where others hang on them."""
    clean = rows(server)
    since, until = START + timedelta(minutes=2), START + timedelta(minutes=4)
    server.set_faults(Faults(spoilt=((since, until),)))
    spoilt = [
        {**row, "start": f"about {row['start']}"} if since <= datetime.fromisoformat(row["start"]) < until else row
        for row in clean
    ]
    assert rows(server) == spoilt != clean


# -- admin ----------------------------------------------------------------------------------


def steer(server: CxEngageServer, name: str, order: object = None) -> requests.Response:
    """Send an admin request: a question, or an order as JSON."""
    url = f"{server.base_url}/_simulator/{name}"
    return requests.get(url, timeout=10) if order is None else requests.post(url, json=order, timeout=10)


def test_the_clock_can_be_read_and_set(server: CxEngageServer) -> None:
    """If this failed, a demo in another process could not move time."""
    assert steer(server, "clock").json() == {"now": "2026-03-03T12:00:00Z", "running": False, "speed": 1.0}
    steer(server, "clock", {"now": "2026-03-03T15:00:00Z"})
    assert server.clock.now() == datetime(2026, 3, 3, 15, tzinfo=UTC)
    steer(server, "clock", {"running": True, "now": "2026-03-03T16:00:00Z", "speed": 1000})
    time.sleep(0.02)
    assert server.clock.now() > datetime(2026, 3, 3, 16, 0, 5, tzinfo=UTC)


def test_faults_and_dialect_can_be_set_from_outside(server: CxEngageServer) -> None:
    """If this failed, a demo in another process could break nothing."""
    reply = steer(
        server,
        "faults",
        {"duplicate_rows": 0.5, "dropped": [["2026-03-03T10:00:00Z", "2026-03-03T10:05:00Z"]], "dropped_mode": "error"},
    )
    assert reply.status_code == 200
    assert reply.json() == steer(server, "faults").json()
    assert server.faults.duplicate_rows == 0.5
    assert server.faults.dropped[0][0] == datetime(2026, 3, 3, 10, tzinfo=UTC)
    assert steer(server, "faults", {}).status_code == 200
    assert server.faults == Faults()
    assert steer(server, "dialect", {"missing": "null"}).json()["missing"] == "null"
    assert server.api.dialect == Dialect(missing="null")


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("faults", {"duplicate_row": 0.5}),
        ("faults", {"duplicate_rows": "many"}),
        ("dialect", {"selection": "middle"}),
        ("clock", {"now": "noon"}),
        ("clock", {"when": "2026-03-03T15:00:00Z"}),
        ("clock", {"now": "2026-03-03T15:00:00"}),
        ("truth", {"until": "2026-03-03T15:00:00Z"}),
    ],
)
def test_a_bad_order_is_refused_and_changes_nothing(server: CxEngageServer, name: str, order: object) -> None:
    """If this failed, a misspelt fault would test nothing and say nothing."""
    reply = steer(server, name, order)
    assert reply.status_code == 400
    assert reply.json()["error"]
    assert server.faults == Faults()
    assert server.clock.now() == NOON


def test_unknown_admin_requests_get_404(server: CxEngageServer) -> None:
    """If this failed, a mistyped admin request would pass for one that worked."""
    assert steer(server, "nothing").status_code == 404
    assert steer(server, "stats", {}).status_code == 404


def test_the_truth_is_written_on_request(server: CxEngageServer, tmp_path: Path) -> None:
    """If this failed, a demo in another process could not show the truth beside its figures."""
    reply = steer(server, "truth", {"folder": str(tmp_path / "here")})
    assert reply.json()["until"] == "2026-03-03T12:00:00Z"
    server.centre.write_truth(tmp_path / "there", NOON)
    for name in ("agent_states", "transfers", "sessions", "interactions"):
        here = pq.read_table(tmp_path / "here" / f"{name}.parquet")
        assert here.equals(pq.read_table(tmp_path / "there" / f"{name}.parquet"))
        assert here.num_rows > 0


def test_requests_are_counted_by_status(server: CxEngageServer) -> None:
    """If this failed, tests could not tell how often a client asked."""
    before = steer(server, "stats").json()
    ask(server)
    ask(server, limit="x")
    after = steer(server, "stats").json()
    assert after["requests"] - before["requests"] == 2
    for status in ("200", "400"):
        assert after["by_status"][status] - before["by_status"].get(status, 0) == 1
    assert after["bytes_sent"] > before["bytes_sent"]
    assert after["in_flight"] == 0


def test_concurrency_is_measured() -> None:
    """If this failed, a client that floods the vendor would not be caught."""
    centre = Centre.simulate(8, 2, date(2026, 3, 2), 1)
    faults = Faults(hang_rate=1, hang_seconds=0.4)
    with CxEngageServer(centre, SimClock(NOON), faults=faults) as server:
        threads = [threading.Thread(target=ask, args=(server,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.stats()["max_concurrency"] == 4


def test_closing_ends_kept_connections() -> None:
    """If this failed, a stopped vendor would go on answering."""
    server = CxEngageServer(Centre.simulate(8, 2, date(2026, 3, 2), 1), SimClock(NOON)).start()
    with requests.Session() as session:
        url = f"{server.base_url}/_simulator/stats"
        assert session.get(url, timeout=10).status_code == 200
        server.close()
        with pytest.raises(requests.ConnectionError):
            session.get(url, timeout=10)


# -- the process ----------------------------------------------------------------------------

ROOT = Path(__file__).parents[2]


def test_the_process_says_where_it_is_and_stops_when_told() -> None:
    """If this failed, the demo could not start and stop its vendors."""
    command = [sys.executable, "-m", "simulator", "--agents", "4", "--days", "2", "--seed", "9"]
    command += ["--now", "2026-03-03T12:00:00", "--fixed"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=os.environ | {"TZ": "Asia/Tokyo"}
    ) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        cxengage = told["cxengage"]
        reply = requests.get(
            f"{cxengage['base_url']}/v1/tenants/{cxengage['tenant_id']}/wfm/rta?start=2026-03-03T11:55:00Z",
            auth=(cxengage["username"], cxengage["password"]),
            timeout=10,
        )
        assert reply.status_code == 200
        assert told["now"] == "2026-03-03T12:00:00+00:00"
        assert told["first_day"] == "2026-03-02"
        assert cxengage["username"] == "shiftbook"
        assert set(json.loads(Path(told["huawei"]["guid_file"]).read_text())) <= set(
            told["huawei"]["agent_ids"].values()
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
