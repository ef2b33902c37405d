"""A Kore.ai of a few lines for the client's tests: tokens, windows, and the troubles that a test switches on."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt

ACCOUNT = "63fb9a0f90425b644d3ec070"
APP, SECRET = "cs-f2b7f3f9", "a-secret-of-more-than-thirty-two-bytes"
LIMIT_TEXT = "You've exceeded the per-minute rate limit. Please wait for sometime before retrying."
PATH = f"/agentassist/api/public/analytics/account/{ACCOUNT}/agentactivity"


@dataclass
class Vendor:
    """What the fake knows and how it behaves; a test changes it while it runs.

    Attributes:
        events: When, who, activity and reason, in UTC.
        shift: What EventTime is ahead of UTC.
        camel: Whether names are in camelCase.
        cap: The most updates in a reply, cut without a word.
        inclusive: Whether the ends of a window belong to it.
        stream: The header iId that is wanted.
        limited: How many requests are yet to be told of the rate limit, and with which status.
        answer: Status and body in place of any reply.
    """

    events: list[tuple[datetime, str, str, str]] = field(default_factory=list)
    shift: timedelta = timedelta(0)
    camel: bool = False
    cap: int = 10**6
    inclusive: bool = False
    stream: str | None = None
    limited: tuple[int, int] = (0, 200)
    answer: tuple[int, bytes] | None = None
    asked: list[dict[str, str]] = field(default_factory=list)
    claims: list[dict[str, Any]] = field(default_factory=list)

    def reply(self, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
        """Status and body of a request."""
        parts = urlsplit(path)
        params = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.asked.append(params)
        if parts.path != PATH:
            return 404, b"no such account"
        try:
            claims = jwt.decode(headers.get("auth", ""), SECRET, ["HS256"], options={"require": ["sub", "exp"]})
        except jwt.InvalidTokenError:
            return 400, b'{"errors":[{"msg":"Invalid SDK credentials","code":4002}]}'
        self.claims.append(claims)
        if claims["appId"] != APP or (self.stream and headers.get("iid") != self.stream):
            return 403, b"the scope is not granted"
        if self.limited[0]:
            self.limited = (self.limited[0] - 1, self.limited[1])
            return self.limited[1], json.dumps({"errors": [{"msg": LIMIT_TEXT}]}).encode()
        return self.answer or (200, self._updates(params))

    def _updates(self, params: dict[str, str]) -> bytes:
        begin, end = (datetime.fromisoformat(params[name]) for name in ("fromTimeStamp", "toTimeStamp"))
        found = [
            dict(zip(self._names(), (who, _said(at + self.shift), word, code), strict=True))
            for at, who, word, code in self.events
            if begin < at < end or (self.inclusive and at in {begin, end})
        ]
        return json.dumps(
            {"accountId": ACCOUNT, f"{'a' if self.camel else 'A'}gentUpdates": found[: self.cap]}
        ).encode()

    def _names(self) -> list[str]:
        names = ["AgentId", "EventTime", "Activity", "ReasonCode"]
        return [name[0].lower() + name[1:] for name in names] if self.camel else names


def _said(moment: datetime) -> str:
    return f"{moment:%m/%d/%Y} {moment.hour}:{moment:%M:%S}"


@contextmanager
def serving(vendor: Vendor) -> Iterator[str]:
    """Serve it on this machine; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = vendor.reply(self.path, {name.lower(): value for name, value in self.headers.items()})
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def date_time_string(self, timestamp: float | None = None) -> str:
            del timestamp
            return f"{datetime.now(UTC):%a, %d %b %Y %H:%M:%S GMT}"

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
