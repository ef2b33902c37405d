"""How any vendor is asked: time limits, retries, pacing, the vendor's clock, and no secret in any message.

Knows HTTP. Knows no vendor, no endpoint, no paging, and never looks into a body; a 200 that is an error inside is the
vendor client's affair.
"""

import itertools
import logging
import random
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import ClassVar, Self
from urllib.parse import quote, urlencode

import requests
import urllib3

from assets.bodies import ACCEPTED, MEGABYTE, BodyError, TooLargeError
from assets.redaction import Redactor
from assets.threads import held_back
from assets.transport import CONNECTIONS, Adapter, NoAuth, cause, read

LOGGER = logging.getLogger(__name__)
CONNECT_SECONDS = 10.0
LARGEST = 64 * MEGABYTE
"""Of an answer, in bytes, unpacked: thirty times a full page of CxEngage's, the largest that is usual."""

LARGEST_ERROR = MEGABYTE
EXCERPT_CHARACTERS = 200
SUCCESS = range(200, 300)
REDIRECTS = range(300, 400)
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
SOURCE_WIDE = frozenset({401, 403, 404, *REDIRECTS})
WAYS_OUT: Mapping[int | None, str] = MappingProxyType(
    {
        None: "check base_url, the network and the proxy",
        200: "no answer is known to be so large, and it is not read; check base_url, and report it if that is right",
        400: "the vendor refuses these parameters; compare them with its documentation",
        401: "check the credentials of this source in sources.yaml and the environment variables that they name",
        403: "the account lacks a permission; ask the vendor's administrator to grant it",
        404: "check base_url and the ids of this source in sources.yaml",
        429: "set or lower max_requests_per_minute of this source in sources.yaml",
    }
)


class HttpError(Exception):
    """A request that came to nothing; its text names source, request, status, number of tries and the way out.

    Attributes:
        status: The vendor's answer; None when there was none.
        vendor_time: The vendor's clock in its answer, UTC, if it gave one.
    """

    transient: ClassVar[bool]

    def __init__(self, message: str, status: int | None = None, vendor_time: datetime | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.vendor_time = vendor_time


class PermanentError(HttpError):
    """Asking again would fail alike: a refusal, a redirect, a bad address or certificate."""

    transient = False

    @property
    def source_wide(self) -> bool:
        """Whether every other request to this source would fail for the same reason, so that asking on is hammering."""
        return self.status is None or self.status in SOURCE_WIDE


class TransientError(HttpError):
    """Asking later may succeed: no connection, a time limit, a truncated body, or a status that says so."""

    transient = True


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful answer. Times are UTC; ``request`` is method, path and parameters without secrets."""

    request: str
    status: int
    content_type: str | None
    vendor_time: datetime | None
    requested_at: datetime
    received_at: datetime
    body: bytes = field(repr=False)


class Clock:
    """Real time. Tests give another, so that no test waits."""

    def now(self) -> datetime:
        """This machine's time, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds from an arbitrary beginning that never run backwards."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait for so many seconds."""
        time.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how patiently a transient failure is tried again; all but ``tries`` are seconds.

    The wait before try n + 1 is evenly random up to ``base * 2**(n-1)``, at most ``longest_wait``, so that workers that
    failed together do not return together. ``Retry-After`` is obeyed up to ``longest_wait``. No try is due later than
    ``max_elapsed`` after the first; where our own limit holds it back, it begins later by that.
    """

    tries: int = 5
    base: float = 1.0
    longest_wait: float = 60.0
    max_elapsed: float = 300.0

    def wait(self, tried: int, asked: float | None, chance: random.Random) -> float:
        """Seconds to wait after so many tries, given the seconds that the vendor asked for."""
        wait = chance.uniform(0.0, min(self.longest_wait, self.base * 2.0 ** (tried - 1)))
        return wait if asked is None else max(wait, min(asked, self.longest_wait))


class Pacer:
    """Spaces requests evenly, across threads: never more than so many in any minute; none means no limit."""

    def __init__(self, per_minute: int | None, clock: Clock) -> None:
        self._interval = 60.0 / per_minute if per_minute else 0.0
        self._clock = clock
        self._lock = threading.Lock()
        self._next = float("-inf")

    def wait(self) -> None:
        """Wait for the next free place."""
        if not self._interval:
            return
        with self._lock:
            now = self._clock.monotonic()
            place = max(now, self._next)
            self._next = place + self._interval
        if place > now:
            self._clock.sleep(place - now)

    def note(self, status: int, headers: Mapping[str, str]) -> None:
        """Learn from an answer of any status; this one's limit is ours alone. ``headers`` are found in any case."""


@dataclass(frozen=True, slots=True)
class _Failure:
    what: str
    transient: bool
    status: int | None = None
    retry_after: float | None = None
    vendor_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """How a session asks.

    Attributes:
        timeout_seconds: How long the vendor may be silent, in seconds; a whole answer may take five times that, and
            connecting 10 s.
        verify: Whether the vendor's certificate is verified, or a PEM file of authorities to trust.
        retry: When to try again.
        max_requests_per_minute: Our own limit; none means no limit.
        pacer: Spaces requests in place of that limit.
        auth: What adds credentials to each request when it is sent, as a signature; Basic has its own argument.
        headers: Sent with each request.
        ways_out: By status, what the reader of an error can do; goes before the general advice.
        meaning: The status that a status and body stand for, where a vendor tells its errors in the body.
        transient: Statuses that this vendor gives for a while only, beside those that say so themselves.
    """

    timeout_seconds: float = 60.0
    verify: bool | Path = True
    retry: Retry = field(default_factory=Retry)
    max_requests_per_minute: int | None = None
    pacer: Pacer | None = None
    auth: requests.auth.AuthBase | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    ways_out: Mapping[int | None, str] = field(default_factory=dict)
    meaning: Callable[[int, bytes], int] = lambda status, _: status
    transient: frozenset[int] = frozenset()


class Session:
    """Asks one source, from any number of threads, over up to eight kept connections.

    Args:
        source: Name of the source, for messages.
        base_url: The address before every path.
        basic: User and password of Basic authentication; both are kept out of messages.
        secrets: Whatever else must not appear in a message.
        options: Time limits, retries and the like.
        clock: The clock to measure and wait with.

    Attributes:
        drift_seconds: The vendor's clock minus ours, by the newest answer; None before any.
    """

    def __init__(
        self,
        source: str,
        base_url: str,
        *,
        basic: tuple[str, str] | None = None,
        secrets: Iterable[str] = (),
        options: Options | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.source = source
        self.base_url = base_url.rstrip("/")
        self.options = options or Options()
        self.clock = clock or Clock()
        self.drift_seconds: float | None = None
        own = (*basic, ":".join(basic)) if basic else ()
        self._redact = Redactor([*own, *secrets])
        self._pacer = self.options.pacer or Pacer(self.options.max_requests_per_minute, self.clock)
        self._chance = random.Random()
        self._http = requests.Session()
        other = self.options.auth or NoAuth()
        self._http.auth = requests.auth.HTTPBasicAuth(*(part.encode() for part in basic)) if basic else other
        self._http.headers.update({"Accept-Encoding": ACCEPTED, **self.options.headers})
        for scheme in ("http://", "https://"):
            self._http.mount(scheme, Adapter(pool_maxsize=CONNECTIONS))

    def __repr__(self) -> str:
        return f"Session({self.source!r}, {self._redact(self.base_url)!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the kept connections."""
        self._http.close()

    def vendor_now(self) -> datetime:
        """The vendor's time as far as known, UTC: our time plus the drift of the newest answer; ours before any."""
        now = self.clock.now()
        return now if self.drift_seconds is None else datetime.fromtimestamp(now.timestamp() + self.drift_seconds, UTC)

    def get(self, path: str, params: Mapping[str, str] | None = None, retry: Retry | None = None) -> Reply:
        """Ask with GET; see :meth:`request`."""
        return self.request("GET", path, params=params, retry=retry)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        retry: Retry | None = None,
        largest: int = LARGEST,
    ) -> Reply:
        """Ask until there is an answer of 200 to 299, a permanent failure, or no try left.

        Raises:
            PermanentError: The vendor refused, redirected, cannot be asked at all (address, certificate), or answers
                with more than ``largest`` bytes.
            TransientError: It failed transiently each time.
        """
        target = path + (f"?{urlencode(params, quote_via=quote, safe=':')}" if params else "")
        asked = self._redact(f"{method} {target}")
        policy = retry or self.options.retry
        with held_back.get()():
            self._pacer.wait()
        began = self.clock.monotonic()
        for tried in itertools.count(1):
            outcome = self._ask(method, target, asked, body, largest)
            if isinstance(outcome, Reply):
                return outcome
            wait = policy.wait(tried, outcome.retry_after, self._chance)
            late = self.clock.monotonic() - began + wait > policy.max_elapsed
            if not outcome.transient or tried >= policy.tries or late:
                raise self._error(outcome, asked, tried)
            LOGGER.warning("%s", self._redact(f"{self.source}: {asked} {outcome.what}; asking again in {wait:.1f} s"))
            self.clock.sleep(wait)
            self._pacer.wait()
        raise AssertionError

    def _ask(self, method: str, target: str, asked: str, body: bytes | None, largest: int) -> Reply | _Failure:
        """Ask once."""
        verify = self.options.verify
        requested_at = self.clock.now()
        try:
            with self._http.request(
                method,
                self.base_url + target,
                data=body,
                stream=True,
                allow_redirects=False,
                timeout=(min(CONNECT_SECONDS, self.options.timeout_seconds), self.options.timeout_seconds),
                verify=str(verify) if isinstance(verify, Path) else verify,
            ) as response:
                vendor_time = self._note_date(response.headers.get("Date"))
                self._pacer.note(response.status_code, response.headers)
                content = read(response, largest if response.status_code in SUCCESS else LARGEST_ERROR)
        except TooLargeError as error:
            if response.status_code in SUCCESS:
                what = f"answered {response.status_code} with {error}"
                return _Failure(what, transient=False, status=response.status_code, vendor_time=vendor_time)
            content = error.head
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, BodyError) as error:
            return self._unanswered(error)
        meant = self.options.meaning(response.status_code, content)
        if meant not in SUCCESS:
            return self._refused(meant, response, content, vendor_time)
        content_type = response.headers.get("Content-Type")
        return Reply(asked, response.status_code, content_type, vendor_time, requested_at, self.clock.now(), content)

    def _note_date(self, header: str | None) -> datetime | None:
        """Measure the drift when the head of an answer arrives.

        ``Date`` is cut to the second and the answer travelled, so that the vendor's time is never taken for later than
        it is: too early a time asks for less, too late a time asks for what may still change.
        """
        vendor_time = http_date(header)
        if vendor_time is not None:
            self.drift_seconds = (vendor_time - self.clock.now()).total_seconds()
        return vendor_time

    def _unanswered(self, error: Exception) -> _Failure:
        why = cause(error)
        what = self._excerpt(f"{type(why).__name__}: {why}")
        if isinstance(why, ssl.SSLCertVerificationError):
            what += " (the certificate is not trusted: name your authority's PEM file in ca_bundle)"
            return _Failure(f"gave no answer: {what}", transient=False)
        # A malformed address or header is a ValueError in requests and in urllib3, and stays malformed.
        return _Failure(f"gave no answer: {what}", transient=not isinstance(error, ValueError))

    def _refused(
        self, status: int, response: requests.Response, content: bytes, vendor_time: datetime | None
    ) -> _Failure:
        said = self._excerpt(content[: 20 * EXCERPT_CHARACTERS].decode("utf-8", "replace"))
        return _Failure(
            what=f"answered {response.status_code}" + (f" ({said})" if said else ""),
            transient=status in TRANSIENT or status in self.options.transient,
            status=status,
            retry_after=retry_after(response.headers.get("Retry-After"), vendor_time or self.clock.now()),
            vendor_time=vendor_time,
        )

    def _excerpt(self, text: str) -> str:
        """One short printable line; secrets go first, since a cut one would not be recognised."""
        line = " ".join("".join(sign if sign.isprintable() else " " for sign in self._redact(text)).split())
        return line if len(line) <= EXCERPT_CHARACTERS else line[:EXCERPT_CHARACTERS] + "…"

    def _error(self, failure: _Failure, asked: str, tried: int) -> HttpError:
        status = failure.status
        way_out = self.options.ways_out.get(status) or WAYS_OUT.get(status)
        if way_out is None and status in REDIRECTS:
            way_out = "base_url must be the address that answers itself; redirects are not followed"
        if way_out is None:
            way_out = "the vendor fails; ask again later" if failure.transient else "see the vendor's documentation"
        tries = f"{tried} {'try' if tried == 1 else 'tries'}"
        message = self._redact(f"{self.source}: {asked} {failure.what} after {tries}; {way_out}")
        kind = TransientError if failure.transient else PermanentError
        return kind(message, status, failure.vendor_time)


def http_date(header: str | None) -> datetime | None:
    """The time of an HTTP date, UTC; None when there is none or it cannot be read."""
    try:
        moment = parsedate_to_datetime(header) if header else None
    except ValueError:
        return None
    if moment is None:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def retry_after(header: str | None, now: datetime) -> float | None:
    """Seconds that a ``Retry-After`` asks for, in seconds or as an HTTP date (RFC 9110 §10.2.3); None when unreadable.

    A date is compared with ``now``, which should be the vendor's own time.
    """
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    moment = http_date(text)
    return None if moment is None else max(0.0, (moment - now).total_seconds())
