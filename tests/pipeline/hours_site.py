"""An afternoon of four live feeds as recorders would have spooled it: what the tests of samples and streams read.

The simulator answers in this process, by a clock that goes from word to word; times of sending and receiving are made
up around that. What is spooled is sealed and built by the product. No expectations here.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import yaml

from assets.beyondtrust.command import POLLS
from assets.huawei.cms import STATUS, encode
from assets.huawei.signing import signed_headers
from orchestration.inputs import midnight
from orchestration.lake import Page
from orchestration.resources import Engine
from orchestration.sealing import seal
from orchestration.settings import load_settings
from orchestration.spool import Alive, Began, Event, Lost, Said, SpoolFile, Watching, frame
from simulator.beyondtrust import BeyondTrustServer
from simulator.beyondtrust_dialect import Dialect as BeyondTrustDialect
from simulator.beyondtrust_live import Connection, line_of
from simulator.centre import Centre
from simulator.clock import SimClock
from simulator.facts import millis, moment_of
from simulator.huawei import HuaweiServer
from simulator.huawei_states import HuaweiDialect
from simulator.wire import Request
from tests.pipeline.site import FIRST, build

POLL = timedelta(seconds=5)
SINCE, UNTIL = midnight(FIRST) + timedelta(hours=13), midnight(FIRST) + timedelta(hours=15, minutes=40)
LOST = (midnight(FIRST) + timedelta(hours=14, minutes=10), midnight(FIRST) + timedelta(hours=14, minutes=14))
"""When all connections were gone."""
SILENT = (midnight(FIRST) + timedelta(hours=14, minutes=30), midnight(FIRST) + timedelta(hours=14, minutes=31))
"""When the gateway did not answer about some."""
OVERLAP = timedelta(seconds=20)
"""How long a connection to /nw is kept beside the one that replaces it."""
LEFT = timedelta(seconds=20)
"""So long a GUID is tried after the desktop gave it back."""
Heard = list[Event]


@dataclass
class Afternoon:
    """One home, and the vendors behind it."""

    home: Path
    centre: Centre
    clock: SimClock = field(default_factory=lambda: SimClock(SINCE))
    chance: Random = field(default_factory=lambda: Random(1))

    def __post_init__(self) -> None:
        self.huawei = HuaweiServer(self.centre, self.clock, dialect=HuaweiDialect(signed_out="state"))
        dialect = BeyondTrustDialect(
            idle_seconds=0, latency_seconds=20, requests_per_second=10_000, requests_per_hour=1_000_000
        )
        self.support = BeyondTrustServer(self.centre, self.clock, dialect=dialect)
        self.engine = Engine(load_settings(self.home, self._configured(), self._environ))

    def record(self) -> None:
        """Spool what is heard, seal it, and build the day."""
        self._sealed("huawei", "gateway", "agent_status", self._in_order(self._gateway()))
        self._sealed("huawei", "present", "cms_status", self._in_order(self._present()))
        # Pongs prove that a silent connection still stands.
        self._sealed("beyondtrust", "live", "state", [*self._in_order(self._state()), Alive(UNTIL)])
        self._sealed("beyondtrust", "live", "command", self._in_order(self._command()))
        build(self.engine, [FIRST])

    # -- what is said -----------------------------------------------------------------------

    def _gateway(self) -> Iterator[Page]:
        """Each seat's answer each few seconds, one seat after the other, some late."""
        seats: dict[str, tuple[str, datetime]] = {}
        for due in _every(POLL):
            self.clock.set(due)
            seats |= {number: (guid, due) for number, guid in self.huawei.guids().items()}
            asked = [(number, guid) for number, (guid, seen) in seats.items() if due - seen < LEFT]
            for place, (number, guid) in enumerate(asked):
                at = due + place * POLL / len(asked)
                if not (SILENT[0] <= at < SILENT[1] and int(number) % 3 == 0):
                    path = f"/agentgateway/resource/onlineagent/{number}/agentstatus"
                    yield self._asked(self.huawei, at, Request("GET", path, "", {"guid": guid}), f"GET {path}")

    def _present(self) -> Iterator[Page]:
        """Everybody's state each few seconds, in one answer."""
        account, numbers = self.huawei.account, sorted(int(number) for number in self.huawei.agent_ids.values())
        body = encode(ccId=account.cc_id, vdn=account.vdn, agentIds=numbers)
        for due in _every(POLL):
            url = f"http://cms.example{STATUS}"
            headers = signed_headers(account.access_key, account.secret_key, "POST", url, body, due)
            request = Request("POST", STATUS, "", {name.lower(): value for name, value in headers.items()}, body)
            yield self._asked(self.huawei, due, request, f"POST {STATUS}")

    def _command(self) -> Iterator[Page]:
        """What the Command API says of itself, each minute."""
        for due in _every(timedelta(minutes=1)):
            self.clock.set(due)
            headers = {"authorization": f"Bearer {self._token()}"}
            for poll in POLLS:
                given = "&".join(f"{name}={value}" for name, value in (("action", poll.action), *poll.params))
                request = Request("GET", "/api/command", given, headers)
                yield self._asked(self.support, due, request, f"GET /api/command?{given}")

    def _asked(self, server: Any, at: datetime, request: Request, told: str) -> Page:
        """An answer as of some moment between asking and receiving it."""
        sent = at + timedelta(seconds=self.chance.uniform(0, 0.2))
        taken = timedelta(seconds=self.chance.choice([0.05, 0.05, 0.3, 1.5]))
        self.clock.set(sent + taken * self.chance.uniform(0.1, 0.9))
        reply = server.api.answer(request)
        return Page(sent, sent + taken, told, reply.status, reply.content_type, reply.body)

    def _state(self) -> Iterator[Page]:
        """The words of connections that are replaced each hour, the old one going on for a while."""
        opened = [SINCE, SINCE + timedelta(hours=1), LOST[1], LOST[1] + timedelta(hours=1)]
        closed = [opened[1] + OVERLAP, LOST[0], opened[3] + OVERLAP, UNTIL]
        for start, end in zip(opened, closed, strict=True):
            self.clock.set(start)
            connection = Connection(self.support.feed)
            credentials = {"bearer_token": self._token()}
            connection.hear(line_of({"type": "authenticate", "credentials": credentials}))
            connection.hear(line_of({"type": "subscribe", "tables": "all"}))
            moments = {at for at in self.support.api.model.told if millis(start) < at < millis(end)}
            for at in (millis(start), *sorted(moments)):
                self.clock.set(moment_of(at))
                for line in connection.due():
                    yield Page(start, moment_of(at), "GET /nw", 101, None, line)
            connection.close()

    def _token(self) -> str:
        basic = base64.b64encode(f"{self.support.client_id}:{self.support.client_secret}".encode()).decode()
        headers = {"authorization": f"Basic {basic}", "content-type": "application/x-www-form-urlencoded"}
        grant = Request("POST", "/oauth2/token", "", headers, b"grant_type=client_credentials")
        return str(json.loads(self.support.api.answer(grant).body)["access_token"])

    # -- what is kept -----------------------------------------------------------------------

    @staticmethod
    def _in_order(pages: Iterator[Page]) -> Heard:
        """What was received, in that order; nothing while the connections were gone."""
        said = sorted(
            (page for page in pages if not (page.received_at >= LOST[0] and page.requested_at < LOST[1])),
            key=lambda page: page.received_at,
        )
        before = [page for page in said if page.received_at < LOST[0]]
        after = said[len(before) :]
        return [
            Watching(before[0].received_at, before[0].received_at),
            *map(Said.of, before),
            Lost(before[-1].received_at, "the connection broke"),
            Watching(after[0].received_at, after[0].received_at),
            *map(Said.of, after),
        ]

    def _sealed(self, vendor: str, source: str, feed: str, heard: Heard) -> None:
        file = SpoolFile(
            self.home / "spool" / vendor / feed / source, Began(vendor, source, feed, SINCE, watching=False)
        )
        file.append(b"".join(frame(event) for event in heard))
        seal(self.engine.lake, file.path)
        file.close()

    def _configured(self) -> Path:
        account = self.huawei.account
        huawei = {"vendor": "huawei", "base_url": self.huawei.base_url, "poll_seconds": POLL.total_seconds()}
        cms = {"cc_id": account.cc_id, "vdn": account.vdn, "access_key": "${AK}", "secret_key": "${SK}"}
        told = [
            {**huawei, "name": "gateway", "feeds": ["agent_status"], "guid_file": "guids.json"},
            {**huawei, "name": "present", "feeds": ["cms_status"], "cms": cms},
            {"vendor": "beyondtrust", "base_url": self.support.base_url, "name": "live", "feeds": ["state", "command"]}
            | {"client_id": "${ID}", "client_secret": "${SECRET}"},
        ]
        path = self.home.parent / "sources.yaml"
        path.write_text(yaml.safe_dump({"sources": told}))
        return path

    @property
    def _environ(self) -> Mapping[str, str]:
        account = self.huawei.account
        huawei = {"AK": account.access_key, "SK": account.secret_key}
        return huawei | {"ID": self.support.client_id, "SECRET": self.support.client_secret}

    def close(self) -> None:
        """Give the sockets back."""
        self.huawei.close()
        self.support.close()


def _every(step: timedelta) -> Iterator[datetime]:
    at = SINCE
    while at < UNTIL:
        yield at
        at += step
