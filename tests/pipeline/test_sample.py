"""The vendor's own printed sample, which is not valid JSON, served as a reply."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import yaml

from assets.capture import CaptureResult, capture
from assets.cxengage import AGENT_STATES
from assets.registry import connect
from orchestration.resources import Engine
from orchestration.settings import load_settings
from tests.pipeline.site import Site, opened

PRINTED = (Path(__file__).parent.parent / "models" / "data" / "cxengage_agent_states_sample.txt").read_bytes()
BODY = PRINTED.rstrip(b"\n")
MENDED = b"{" + BODY.replace(b'\t]\n            "agentId"', b'\t],\n            "agentId"') + b"}"
DAY = date(2017, 10, 6)
NOW = datetime(2017, 10, 6, 18, 5, tzinfo=UTC)
WINDOW = datetime(2017, 10, 6, 17, 50, tzinfo=UTC)
EMPTY = b'{"total": 0, "limit": 2000, "offset": 0, "results": []}'


@contextmanager
def serving(replies: dict[str, bytes]) -> Iterator[str]:
    """A vendor of October 2017 that gives one reply to one start, and empty ones to all others."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            start = parse_qs(urlsplit(self.path).query)["start"][0]
            body = replies.get(start, EMPTY)
            self.send_response_only(200)
            self.send_header("Date", format_datetime(NOW, usegmt=True))
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def captured(home: Path, address: str) -> tuple[Engine, CaptureResult]:
    """Capture and build that day."""
    source = {
        "name": "cx",
        "vendor": "cxengage",
        "base_url": address,
        "tenant_id": "00000000-0000-0000-0000-000000000000",
        "username": "${U}",
        "password": "${P}",
    }
    config = home.with_suffix(".yaml")
    config.write_text(yaml.safe_dump({"sources": [source]}))
    engine = Engine(load_settings(home, config, {"U": "u", "P": "p"}))
    [made] = engine.settings.sources
    client = connect(made, AGENT_STATES)
    result = capture(client, engine.lake, vendor="cxengage", source="cx", feed=AGENT_STATES, days=[DAY])
    site = Site(home, {})
    site.__dict__["engine"] = engine
    site.build([DAY])
    return engine, result


def test_the_printed_sample_is_kept_byte_for_byte_and_the_rest_goes_on(tmp_path: Path) -> None:
    """One unreadable page that ended a backfill, or was lost, would leave a hole that cannot be looked into."""
    with serving({"2017-10-06T17:50:00.000Z": BODY}) as address:
        engine, result = captured(tmp_path / "home", address)
        assert (result.planned, result.failed, result.landed) == (109, 1, 109)
        assert "2017-10-06T17:50" in result.errors[0]
        with opened(tmp_path / "home") as connection:
            assert [
                bytes(row[0])
                for row in connection.execute(
                    "select payload from raw.cxengage_agent_states where window_start = ?", [WINDOW]
                ).fetchall()
            ] == [BODY]
            [(source, payload, reason)] = connection.execute(
                "select source, payload, reason from ops.rejects"
            ).fetchall()
            assert (source, payload.encode()) == ("cx", BODY)
            assert reason
            coverage = "select window_start, status, reason from ops.feed_coverage where status <> 'observed'"
            assert connection.execute(coverage).fetchall() == [(WINDOW, "missing", "not_fetched")]
        # It stays wanted, and is not counted twice when it comes again.
        again = capture(
            connect(engine.settings.sources[0], AGENT_STATES),
            engine.lake,
            vendor="cxengage",
            source="cx",
            feed=AGENT_STATES,
            days=[DAY],
        )
        assert (again.landed, again.failed) == (0, 1)


def test_the_sample_with_its_comma_is_one_record(tmp_path: Path) -> None:
    """The vendor's documented record, once it is JSON, must come out as a state with its reason."""
    with serving({"2017-10-06T17:50:00.000Z": MENDED}) as address:
        _, result = captured(tmp_path / "home", address)
    assert result.failed == 0
    with opened(tmp_path / "home") as connection:
        assert connection.execute("select count(*) from ops.rejects").fetchall() == [(0,)]
        rows = connection.execute(
            "select state, reason, seconds from marts.fct_agent_timeline where state = 'not_ready'"
        ).fetchall()
    assert rows == [("not_ready", "Lunch", 1.779)]
