"""Who may pass at a simulated appliance: bearer tokens and the account's request limits.

What belongs here: issuing, capping and expiring tokens, and counting requests against
the limits.  What does not: what is behind the gate.
"""

from __future__ import annotations

import base64
import json
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs

from simulator.beyondtrust_dialect import Account, Dialect
from simulator.facts import SECOND
from simulator.wire import Reply, Request, opaque

_HOUR_SECONDS: Final = 3600.0
_DENIED: Final = {
    "error": "access_denied",
    "message": "The resource owner or authorization server denied the request.",
}


class Tokens:
    """The account's bearer tokens; they live on the simulated clock."""

    def __init__(self, account: Account, seed: int) -> None:
        """Begin with none."""
        self.account = account
        self.issued = 0
        self._rng = random.Random(f"{seed}/beyondtrust/tokens")
        self._expiry: dict[str, int] = {}

    def rotate_secret(self) -> Account:
        """Give the account another secret; all its tokens are invalid at once."""
        old = self.account
        secret = f"simulated-secret-{self._rng.getrandbits(64):016x}"
        self.account = Account(old.company, old.client_id, secret, old.username, old.password)
        self._expiry.clear()
        return self.account

    def expires(self, token: str) -> int:
        """Return when a token expires (milliseconds UTC), 0 if it is not valid at all."""
        return self._expiry.get(token, 0)

    def valid(self, token: str, now: int) -> bool:
        """Tell whether a token may be used."""
        return now < self.expires(token)

    def answer(self, request: Request, dialect: Dialect, now: int) -> Reply:
        """Answer `POST /oauth2/token`; the grant may come as form, as JSON or in the query."""
        if request.method != "POST":
            return opaque(HTTPStatus.METHOD_NOT_ALLOWED)
        if not self._known(request.headers.get("authorization", "")):
            return _error(HTTPStatus.UNAUTHORIZED, "invalid_client", "Client authentication failed")
        if _grant(request) != "client_credentials":
            return _error(
                HTTPStatus.BAD_REQUEST,
                "unsupported_grant_type",
                "The authorization grant type is not supported by the authorization server.",
            )
        token = self._issue(dialect, now)
        told = {"access_token": token, "token_type": dialect.bearer_word, "expires_in": dialect.token_seconds}
        return Reply(HTTPStatus.OK, json.dumps(told).encode())

    def _known(self, authorization: str) -> bool:
        scheme, _, secret = authorization.partition(" ")
        try:
            user, _, password = base64.b64decode(secret, validate=True).decode().partition(":")
        except ValueError:
            return False
        return scheme.lower() == "basic" and (user, password) == (self.account.client_id, self.account.client_secret)

    def _issue(self, dialect: Dialect, now: int) -> str:
        self._expiry = {token: end for token, end in self._expiry.items() if now < end}
        while len(self._expiry) >= dialect.token_cap:
            del self._expiry[next(iter(self._expiry))]
        token = f"{self._rng.getrandbits(256):064x}"
        self._expiry[token] = now + dialect.token_seconds * SECOND
        self.issued += 1
        return token


def bearer(request: Request) -> str:
    """Return the token that a request carries, empty if it carries none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def denied() -> Reply:
    """Return the answer to a missing, wrong or expired token."""
    return Reply(HTTPStatus.UNAUTHORIZED, json.dumps(_DENIED).encode())


def parameters(request: Request) -> dict[str, str]:
    """Return a request's parameters, of the query and of a form; the last of a name counts."""
    pairs = parse_qs(request.query, keep_blank_values=True)
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        pairs |= parse_qs(request.body.decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[-1] for name, values in pairs.items()}


def _grant(request: Request) -> object:
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            body = json.loads(request.body)
        except ValueError:
            return None
        return body.get("grant_type") if isinstance(body, dict) else None
    return parameters(request).get("grant_type")


def _error(status: int, error: str, message: str) -> Reply:
    return Reply(status, json.dumps({"error": error, "message": message}).encode())


@dataclass(frozen=True)
class Verdict:
    """Whether a request is within the limits, and the headers that tell of them."""

    passes: bool
    headers: tuple[tuple[str, str], ...]


class Limits:
    """The account's requests of the last second and hour, in real time.

    Readers wait in real time for their budget, so the simulated clock has no say in it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with nothing asked."""
        self._clock = clock
        self._asked: deque[float] = deque()

    def ask(self, dialect: Dialect) -> Verdict:
        """Count one request, unless a limit is reached."""
        now = self._clock()
        while self._asked and self._asked[0] <= now - _HOUR_SECONDS:
            self._asked.popleft()
        fresh = 0
        for at in reversed(self._asked):
            if at <= now - 1.0 or fresh >= dialect.requests_per_second:
                break
            fresh += 1
        passes = fresh < dialect.requests_per_second and len(self._asked) < dialect.requests_per_hour
        if passes:
            self._asked.append(now)
        left = max(dialect.requests_per_hour - len(self._asked), 0)
        headers = (
            ("X-RateLimit-Limit", str(dialect.requests_per_hour)),
            ("X-RateLimit-Remaining", str(left)),
        )
        return Verdict(passes, headers)
