"""CxEngage's agent state API (RTA) over a simulated centre, on a loopback server.

What belongs here: addresses and credentials, the state endpoint's parameters, errors,
paging and envelope, and the server a test or the demo starts.  What does not: the records
themselves (`cxengage_rows.py`), the interval endpoint (`cxengage_wfm.py`), and sockets and
faults common to all vendors (`wire.py`).
"""

from __future__ import annotations

import base64
import json
import random
import re
import threading
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from simulator.centre import Centre
from simulator.clock import SimClock
from simulator.cxengage_json import Dialect
from simulator.cxengage_query import RefusedError, count, instant, page_size, parameters
from simulator.cxengage_rows import RowIndex
from simulator.cxengage_wfm import IntervalsApi
from simulator.facts import DAY, SECOND, iso, millis
from simulator.faults import Faults
from simulator.people import random_uuid
from simulator.serving import VendorServer
from simulator.wire import Reply, Request, opaque

USERNAME: Final = "shiftbook"
# A user who exists but whose role has none of the permissions.
POWERLESS: Final = "norole"

_PATH: Final = re.compile(r"/v1/tenants/([^/]+)/wfm/(rta|intervals/agent)")


@dataclass(frozen=True)
class Account:
    """Where and as whom to ask: drawn from the seed, so that a demo can be repeated."""

    tenant_id: str
    username: str
    password: str

    @staticmethod
    def of(seed: int) -> Account:
        """Return the account of a seed."""
        rng = random.Random(f"{seed}/cxengage/account")
        return Account(random_uuid(rng), USERNAME, f"simulated-secret-{rng.getrandbits(64):016x}")


@dataclass(frozen=True)
class Query:
    """A well-formed request: a window (milliseconds UTC) and a page of it."""

    start: int
    end: int
    limit: int | None
    offset: int


class CxEngageApi:
    """Answers `GET /v1/tenants/{tenant}/wfm/rta` and `…/wfm/intervals/agent` as of the simulated clock."""

    def __init__(
        self,
        centre: Centre,
        clock: SimClock,
        account: Account,
        faults: Faults,
        dialect: Dialect,
    ) -> None:
        """Serve a centre to one account."""
        self._centre = centre
        self._clock = clock
        self._account = account
        self._faults = faults
        self._dialect = dialect
        self._index = RowIndex(centre, dialect, faults)
        self._intervals = IntervalsApi(centre, account.tenant_id)
        self._lock = threading.Lock()
        self._seen_windows: set[tuple[int, int]] = set()

    @property
    def dialect(self) -> Dialect:
        """Return the dialect served."""
        return self._dialect

    @property
    def index(self) -> RowIndex:
        """Return the records behind the API."""
        return self._index

    def set_faults(self, faults: Faults) -> None:
        """Serve with other faults."""
        self._index.set_faults(faults)
        self._faults = faults
        self._seen_windows.clear()

    def set_dialect(self, dialect: Dialect) -> None:
        """Serve another reading of the vendor's documents."""
        self._index = RowIndex(self._centre, dialect, self._faults)
        self._dialect = dialect

    def answer(self, request: Request) -> Reply:
        """Answer one request; an error is a status and an opaque body."""
        match = _PATH.fullmatch(request.path)
        if match is None:
            return opaque(HTTPStatus.NOT_FOUND)
        denied = self._denied(request.headers.get("authorization", ""))
        if denied is not None:
            return denied
        if match[1] != self._account.tenant_id or request.method != "GET":
            return opaque(HTTPStatus.NOT_FOUND)
        now = self._clock.now_ms()
        try:
            if match[2] == "rta":
                return Reply(HTTPStatus.OK, self._states(request.query, now))
            return Reply(
                HTTPStatus.OK, self._intervals.answer(request.query, now, self._dialect.intervals, self._faults)
            )
        except RefusedError as refusal:
            return opaque(refusal.status)

    def _denied(self, authorization: str) -> Reply | None:
        scheme, _, secret = authorization.partition(" ")
        try:
            user, _, password = base64.b64decode(secret, validate=True).decode().partition(":")
        except ValueError:
            user = password = ""
        known = user in {self._account.username, POWERLESS}
        if scheme.lower() != "basic" or not known or password != self._account.password:
            realm = (("WWW-Authenticate", 'Basic realm="cxengage"'),)
            return opaque(HTTPStatus.UNAUTHORIZED, realm)
        return opaque(HTTPStatus.FORBIDDEN) if user == POWERLESS else None

    def _states(self, text: str, now: int) -> bytes:
        query = self._parse(text, now)
        if self._broken(query):
            raise RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR)
        return self._page(query, now)

    def _parse(self, text: str, now: int) -> Query:
        given = parameters(text)
        start = instant(given.get("start"))
        longest = int(self._dialect.max_range_seconds * SECOND)
        limits = self._dialect.range_error_status
        if "end" not in given and start < now - longest:
            raise RefusedError(limits)
        end = instant(given["end"]) if "end" in given else max(now, start)
        if end < start:
            raise RefusedError
        if end - start > longest or start < now - int(self._dialect.retention_days * DAY):
            raise RefusedError(limits)
        return Query(start, end, page_size(given), count(given.get("offset", "0")))

    def _broken(self, query: Query) -> bool:
        return self._faults.dropped_mode == "error" and any(
            query.start < millis(until) and query.end > millis(since) for since, until in self._faults.dropped
        )

    def _page(self, query: Query, now: int) -> bytes:
        seen = now - int(self._dialect.delay_seconds * SECOND)
        found = self._index.select(query.start, query.end, seen)
        if self._faults.unstable_pages and self._is_first_look(query, len(found)):
            found = found[1:]
        upto = None if query.limit is None else query.offset + query.limit
        texts = self._index.texts(found[query.offset : upto], seen)
        head = self._envelope(query, len(found) + self._faults.wrong_total)
        return b"".join((head, b",".join(texts), b"]}"))

    def _is_first_look(self, query: Query, found: int) -> bool:
        """Tell whether a window with several pages is read for the first time."""
        if query.limit is None or found <= query.limit:
            return False
        window = (query.start, query.end)
        with self._lock:
            first = window not in self._seen_windows
            self._seen_windows.add(window)
        return first

    def _envelope(self, query: Query, total: int) -> bytes:
        envelope: dict[str, object] = {"tenantId": self._account.tenant_id, "timezone": "UTC"}
        if query.limit is not None:
            stringly = self._faults.stringly_limit
            envelope["limit"] = str(query.limit) if stringly else query.limit
        elif self._dialect.limit_missing == "null":
            envelope["limit"] = None
        envelope |= {
            "offset": query.offset,
            "page": "0",
            "total": total,
            "start": iso(query.start),
            "end": iso(query.end),
        }
        return json.dumps(envelope, separators=(",", ":"))[:-1].encode() + b',"results":['


class CxEngageServer(VendorServer[Dialect]):
    """A running CxEngage: start it, or use it as a context manager.

    `base_url`, `tenant_id`, `username` and `password` are what a client needs; the rest
    steers the simulation from inside the process, as `/_simulator/` does from outside.
    """

    def __init__(
        self,
        centre: Centre,
        clock: SimClock | None = None,
        *,
        faults: Faults | None = None,
        dialect: Dialect | None = None,
        port: int = 0,
    ) -> None:
        """Bind to 127.0.0.1; `port` 0 takes a free one.  The clock defaults to real time."""
        clock = clock or SimClock(running=True)
        faults = faults or Faults()
        self.account = Account.of(centre.seed)
        self.api = CxEngageApi(centre, clock, self.account, faults, dialect or Dialect())
        super().__init__(centre, clock, self.api, faults, port=port)

    @property
    def tenant_id(self) -> str:
        """Return the tenant served."""
        return self.account.tenant_id

    @property
    def username(self) -> str:
        """Return the user who may read agent states."""
        return self.account.username

    @property
    def password(self) -> str:
        """Return that user's password."""
        return self.account.password
