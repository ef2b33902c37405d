"""Kore.ai's agentactivity API over a simulated centre, on a loopback server.

What belongs here: the endpoints' addresses, parameters, refusals and the server a test
or the demo starts.  What does not: the events themselves (`kore_events.py`), tokens and
the rate limit (`kore_auth.py`).
"""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs

import msgspec

from simulator.centre import Centre, employed
from simulator.clock import SimClock
from simulator.facts import DAY, SECOND, Agent, millis
from simulator.faults import Faults
from simulator.kore_auth import KoreAccount, RateLimit, claims_of
from simulator.kore_events import REASON_CODES, EventIndex, KoreDialect
from simulator.people import random_uuid
from simulator.serving import VendorServer
from simulator.wire import Reply, Request, opaque

RATE_TEXT: Final = "You've exceeded the per-minute rate limit. Please wait for sometime before retrying."
# Seen on the vendor's platform API; that agentassist paths say the same is inferred.
DENIED: Final = {"errors": [{"msg": "Invalid SDK credentials", "code": 4002}]}

_PATH: Final = re.compile(r"/agentassist/api/public/analytics/account/([^/]+)/(agentactivity|agents)")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z")
_NUMBER: Final = re.compile(r"\d{1,9}")
_AGENTS_A_PAGE: Final = 100


class KoreApi:
    """Answers `agentactivity` and `agents` of one account as of the simulated clock."""

    def __init__(
        self,
        centre: Centre,
        clock: SimClock,
        account: KoreAccount,
        people: Mapping[Agent, str],
        *,
        faults: Faults,
        dialect: KoreDialect,
    ) -> None:
        """Serve the work of these people, given with the vendor's ids."""
        self._centre = centre
        self._clock = clock
        self._account = account
        self._people = people
        self._faults = faults
        self.set_dialect(dialect)

    @property
    def dialect(self) -> KoreDialect:
        """Return the dialect served."""
        return self._dialect

    def set_dialect(self, dialect: KoreDialect) -> None:
        """Serve another reading of the vendor's documents; the rate limit starts afresh."""
        names = {agent.agent_id: name for agent, name in self._people.items()}
        self._index = EventIndex(tuple(self._people), self._centre, names, dialect)
        self._dialect = dialect
        self._limit = RateLimit()

    def set_faults(self, faults: Faults) -> None:
        """Serve with other faults."""
        self._faults = faults

    def answer(self, request: Request) -> Reply:
        """Answer one request; what the vendor does not describe has an opaque body."""
        match = _PATH.fullmatch(request.path)
        if match is None or request.method != "GET":
            return opaque(HTTPStatus.NOT_FOUND)
        refusal = self._refusal(request, match[1])
        if refusal is not None:
            return refusal
        given = {name: values[-1] for name, values in parse_qs(request.query, keep_blank_values=True).items()}
        return self._activity(given) if match[2] == "agentactivity" else self._agents(given)

    def _refusal(self, request: Request, account_id: str) -> Reply | None:
        """Return why a request is not even looked at, if so: token, scope, account, rate, stream."""
        claims = claims_of(request.headers.get("auth", ""), self._account.client_secret, self._clock.now().timestamp())
        apps = {self._account.app_id, self._account.unscoped_app_id}
        if claims is None or claims.app_id not in apps or (self._dialect.subject_required and not claims.sub):
            return _json(self._dialect.denied_status, DENIED)
        if claims.app_id == self._account.unscoped_app_id:
            return opaque(HTTPStatus.FORBIDDEN)
        if account_id != self._account.account_id:
            return opaque(HTTPStatus.NOT_FOUND)
        if not self._limit.allows(self._dialect.rate_per_minute):
            return _json(self._dialect.rate_status, {"errors": [{"msg": RATE_TEXT}]})
        if self._dialect.stream_id_required and request.headers.get("iid") != self._account.stream_id:
            return opaque(HTTPStatus.BAD_REQUEST)
        return None

    def _activity(self, given: Mapping[str, str]) -> Reply:
        now = self._clock.now_ms()
        start, end = (_instant(given.get(name)) for name in ("fromTimeStamp", "toTimeStamp"))
        if start is None or end is None or not self._allowed(start, end, now):
            return opaque(self._dialect.window_status)
        if self._faults.dropped_mode == "error" and any(
            start < millis(until) and end > millis(since) for since, until in self._faults.dropped
        ):
            return opaque(HTTPStatus.INTERNAL_SERVER_ERROR)
        events = self._index.select(start, end, now, self._faults)
        if not events and self._dialect.empty == "no_content":
            return Reply(HTTPStatus.NO_CONTENT)
        return Reply(HTTPStatus.OK, self._index.page(self._account.account_id, events))

    def _allowed(self, start: int, end: int, now: int) -> bool:
        longest, oldest = self._dialect.max_range_seconds, self._dialect.retention_days
        if end < start or (longest is not None and end - start > longest * SECOND):
            return False
        return oldest is None or start >= now - oldest * DAY

    def _agents(self, given: Mapping[str, str]) -> Reply:
        """Answer with a bare array of the people and their names, in pages."""
        offset, limit = given.get("offset", "0"), given.get("limit", str(_AGENTS_A_PAGE))
        if not (_NUMBER.fullmatch(offset) and _NUMBER.fullmatch(limit)):
            return opaque(HTTPStatus.BAD_REQUEST)
        people = list(self._people.items())[int(offset) : int(offset) + int(limit)]
        return _json(HTTPStatus.OK, [self._person(agent, name) for agent, name in people])

    def _person(self, agent: Agent, agent_id: str) -> dict[str, str]:
        first, _, last = agent.name.partition(" ")
        return {"accountId": self._account.account_id, "agentId": agent_id, "firstName": first, "lastName": last}


def _json(status: int, value: object) -> Reply:
    return Reply(status, msgspec.json.encode(value))


def _instant(text: str | None) -> int | None:
    """Return a time parameter as milliseconds UTC; None where it is none."""
    if text is None or _TIME.fullmatch(text) is None:
        return None
    try:
        return millis(datetime.fromisoformat(text).astimezone(UTC))
    except ValueError:
        return None


class KoreServer(VendorServer[KoreDialect]):
    """A running Kore.ai account: start it, or use it as a context manager.

    `base_url`, `account_id`, `app_id`, `client_secret` and `stream_id` are what a client
    needs.  `agent_ids` gives the vendor's id of each of the centre's agents that the
    account sees, `reason_codes` the code of each reason by its name.
    """

    def __init__(
        self,
        centre: Centre,
        clock: SimClock | None = None,
        *,
        faults: Faults | None = None,
        dialect: KoreDialect | None = None,
        agents: Collection[str] | None = None,
        port: int = 0,
    ) -> None:
        """Bind to 127.0.0.1; `port` 0 takes a free one.  The clock defaults to real time.

        Raises:
            ValueError: `agents` holds an id that is not on the centre's payroll.
        """
        people = {agent: _agent_id(centre.seed, agent) for agent in employed(centre, agents)}
        clock = clock or SimClock(running=True)
        faults = faults or Faults()
        self.account = KoreAccount.of(centre.seed)
        self.agent_ids: Mapping[str, str] = {agent.agent_id: name for agent, name in people.items()}
        self.reason_codes: Mapping[str, str] = REASON_CODES
        self.api = KoreApi(centre, clock, self.account, people, faults=faults, dialect=dialect or KoreDialect())
        super().__init__(centre, clock, self.api, faults, port=port)

    @property
    def account_id(self) -> str:
        """Return the account served."""
        return self.account.account_id

    @property
    def app_id(self) -> str:
        """Return the app whose tokens are accepted."""
        return self.account.app_id

    @property
    def client_secret(self) -> str:
        """Return the secret that signs that app's tokens."""
        return self.account.client_secret

    @property
    def stream_id(self) -> str:
        """Return the value of header iId, for dialects that require it."""
        return self.account.stream_id


def _agent_id(seed: int, agent: Agent) -> str:
    return f"a-{random_uuid(random.Random(f'{seed}/kore/agent/{agent.number}'))}"
