"""Sick vendors beside a healthy one: what `shiftbook sources` says of each while one recorder listens to all."""

import http.server
import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import yaml

from orchestration.inputs import midnight
from tests.pipeline.conftest import MakeSite
from tests.pipeline.site import Site, day

SECONDS = 20.0
SECRETS = {"KEY": "a-secret", "OTHER": "another-secret"}
Health = dict[str, dict[str, Any]]


class Rubbish(http.server.BaseHTTPRequestHandler):
    """Answers everything with the same nonsense."""

    def do_GET(self) -> None:
        """Answer a question."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"\x00\xff<html>{")

    def do_POST(self) -> None:
        """Answer a form in the same way."""
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def rubbish() -> Iterator[int]:
    """The port of somebody who talks nonsense."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Rubbish) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@contextmanager
def silence() -> Iterator[int]:
    """The port of somebody who picks up and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        yield listener.getsockname()[1]


def configure(site: Site, hanging: int, talking: int) -> None:
    """Give the site's vendor three sick neighbours: one down, one that hangs, two that talk nonsense."""
    keys = {"access_key": "${KEY}", "secret_key": "${OTHER}"}
    guids = site.home.parent / "guids.json"
    guids.write_text('{"101": "g-1"}')
    silent, nonsense = (f"http://127.0.0.1:{port}" for port in (hanging, talking))
    aicc = {"vendor": "huawei", "guid_file": str(guids), "poll_seconds": 1}
    sick = [
        {"name": "down", "vendor": "kore", "base_url": "http://127.0.0.1:9", "account_id": "a", "app_id": "${KEY}",
         "client_secret": "${OTHER}"},
        {"name": "hangs", "base_url": silent, "cms": {"cc_id": 1, "vdn": 1, **keys}, **aicc},
        {"name": "raves", "base_url": nonsense, **aicc},
        {"name": "babbles", "vendor": "beyondtrust", "base_url": nonsense, "client_id": "${KEY}",
         "client_secret": "${OTHER}"},
    ]  # fmt: skip
    config = yaml.safe_load(site.config.read_text())
    site.config.write_text(yaml.safe_dump({**config, "sources": [*config["sources"], *sick]}))


def health(site: Site) -> tuple[Health, int]:
    """What the command says, by source and feed, and its exit code."""
    done = site.run("sources", "--json", **SECRETS)
    assert done.stdout, done.stderr
    assert not any(secret in done.stdout for secret in SECRETS.values())
    return {f"{row['source']}/{row['feed']}": row for row in json.loads(done.stdout)}, done.returncode


def test_a_sick_source_says_so_within_seconds_and_harms_no_other(make_site: MakeSite) -> None:
    """If this fails, nobody notices that history is being lost, or one sick vendor costs another's history."""
    site = make_site()
    start = midnight(day(0)) + timedelta(hours=10)
    site.server.clock.set(start, running=True)
    with silence() as hanging, rubbish() as talking:
        configure(site, hanging, talking)
        recorder = site.start("record", **SECRETS)
        try:
            deadline = time.monotonic() + SECONDS
            while True:
                found, code = health(site)
                sick = {name: row["last_error"] for name, row in found.items() if row["is_recorded"] is not None}
                sick.pop("cx/agent_states")
                well = found["cx/agent_states"]
                is_well = well["is_recorded"] and well["lag_seconds"] is not None
                if (all(sick.values()) and is_well) or time.monotonic() > deadline:
                    break
        finally:
            recorder.send_signal(signal.SIGTERM)
            said, _ = recorder.communicate(timeout=30)
    assert not (site.home / "warehouse.duckdb").exists()
    assert code == 1
    assert (well["last_error"], well["is_recorded"]) == (None, True), said
    assert well["lag_seconds"] < 60
    assert all(error and "never captured" not in error for error in sick.values()), sick
    assert all("no answer" in sick[name] for name in sick if name.startswith("hangs/")), sick
    assert not any(row["is_recorded"] for name, row in found.items() if name in sick), found
    assert "Traceback" not in said
