"""Alarms on their way to a real receiver over real sockets, through restarts and outages; no secret on the way."""

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from orchestration.alarms import ring
from orchestration.incidents import incidents_of
from orchestration.webhook import Webhook
from tests.watching import CX, HOUR, MINUTE, NOW, home_with, recorded, watched

LOG = logging.getLogger(__name__)
TOKEN = "T000-very-secret"


class Receiver(ThreadingHTTPServer):
    """Takes alarms; answers with the statuses that it is given, then with 204."""

    daemon_threads = True

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.bodies: list[dict[str, Any]] = []
        self.heads: list[dict[str, str]] = []
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def address(self) -> str:
        """Where it listens, with a token in it."""
        return f"http://127.0.0.1:{self.server_port}/services/{TOKEN}?token={TOKEN}"

    def events(self) -> list[tuple[str, str]]:
        """What it accepted."""
        return [(body["event"], body["incident"]) for body in self.bodies]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:  # the name that http.server calls
        """Take one."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = self.server.statuses.pop(0) if self.server.statuses else 204
        if status < 300:
            self.server.bodies.append(body)
            self.server.heads.append(dict(self.headers))
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that takes everything."""
    made = Receiver()
    yield made
    made.shutdown()
    made.server_close()


def tick(home: Path, environ: dict[str, str], minutes: int, **alarms: Any) -> None:
    """What the sensor does, in a process that knows nothing of the tick before."""
    engine = home_with(home, CX, environ=environ, alarms={"webhook": "${HOOK}", **alarms})
    assert engine.settings.alarms
    now = NOW + minutes * MINUTE
    recorded(engine, "cx/agent_states", now, trouble="it does not answer")
    found = incidents_of(engine.watch.look(now), engine.settings.home, engine.settings.report_timezone)
    deliver = Webhook(engine.settings.alarms, LOG).deliver
    ring(engine.lake, engine.settings.alarms_path, found, deliver, LOG, now)


def test_each_incident_arrives_once_over_outages_and_restarts(
    tmp_path: Path, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """If this fails, the people on duty miss an alarm, or stop reading them."""
    home, environ = tmp_path / "home", {"HOOK": receiver.address}
    engine = home_with(home)
    watched(engine, NOW - HOUR, NOW)
    receiver.statuses = [503, 404, 302]
    for minutes in (10, 62, 63, 64, 65, 66):
        tick(home, environ, minutes)
    assert receiver.events() == [("began", "not_fresh:cx/agent_states")]
    watched(engine, NOW, NOW + 70 * MINUTE)
    down = {"HOOK": "http://127.0.0.1:9/" + TOKEN}
    for minutes in (71, 73, 74):
        tick(home, down, minutes)
    tick(home, {}, 75)
    tick(home, environ, 76)
    tick(home, environ, 77)
    assert receiver.events() == [("began", "not_fresh:cx/agent_states"), ("over", "not_fresh:cx/agent_states")]
    assert "HOOK is not set" in caplog.text
    assert "answered 404" in caplog.text
    kept = (home / "alarms.json").read_text()
    assert TOKEN not in caplog.text + kept


def test_the_body_is_as_documented(tmp_path: Path, receiver: Receiver) -> None:
    """If this fails, whoever wrote a receiver by the page gets something else."""
    watched(home_with(tmp_path / "home"), NOW - HOUR, NOW)
    tick(tmp_path / "home", {"HOOK": receiver.address}, 120)
    [body] = receiver.bodies
    assert receiver.heads[0]["Idempotency-Key"] == body.pop("id")
    assert receiver.heads[0]["Content-Type"] == "application/json"
    assert TOKEN not in json.dumps(body)
    cause = "cx/agent_states: observed until 2026-11-20 12:00:00 UTC, 1 h 59 min later than usual."
    step = "The last attempt failed: it does not answer"
    assert body == {
        "event": "began",
        "kind": "not_fresh",
        "incident": "not_fresh:cx/agent_states",
        "subject": "cx/agent_states",
        "began_at": "2026-11-20T14:00:00Z",
        "over_at": None,
        "cause": cause,
        "next_step": step,
        "text": f"ALARM not_fresh: {cause} Next: {step}",
        "home": str(tmp_path / "home"),
    }


def test_slack_gets_one_text(tmp_path: Path, receiver: Receiver) -> None:
    """If this fails, Slack and what imitates it answer 400."""
    watched(home_with(tmp_path / "home"), NOW - HOUR, NOW)
    home, environ = tmp_path / "home", {"HOOK": receiver.address}
    receiver_bodies = receiver.bodies
    tick(home, environ, 120, format="slack")
    [body] = receiver_bodies
    assert list(body) == ["text"]
    assert body["text"].startswith("ALARM not_fresh: cx/agent_states")


@pytest.mark.parametrize("address", ["http://hooks.example.com/" + TOKEN, "nonsense " + TOKEN, "https://[" + TOKEN])
def test_an_address_that_cannot_be_used_is_told_without_being_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, address: str
) -> None:
    """If this fails, a token goes over the network in the clear, into a log, or takes all alarms down with it."""
    watched(home_with(tmp_path / "home"), NOW - HOUR, NOW)
    tick(tmp_path / "home", {"HOOK": address}, 120)
    assert "was not delivered" in caplog.text
    assert "${HOOK}" in caplog.text
    assert TOKEN not in caplog.text
