"""CxEngage's agent states, and the paging that its endpoints share: fetches a window whole, or says why not.

Reads of a reply only what paging and planning need; nothing is parsed into rows, mended or dropped here. Facts about
the vendor are in the package's docstring; its other endpoint is in ``intervals.py``.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import msgspec

from assets.askers import Asker, Lanes, page
from assets.bodies import MEGABYTE
from assets.capture import Fetched, Probe
from assets.cxengage import AGENT_STATES
from assets.cxengage.config import CxEngageConfig
from assets.feeds import Feed
from assets.http import HttpError, Options, PermanentError, Reply, Retry, Session
from assets.json_text import paired
from assets.pacing import Lane, lane_of, shared_pacer
from assets.windows import Window, frozen_end
from orchestration.lake import Page

PAGE_LIMIT = 2_000
"""Records per request, about 2 MB: most windows of a thousand agents in one page, little to repeat when one is lost."""

WINDOW_TRIES = 3
LARGEST_WINDOW = 256 * MEGABYTE
"""Of all pages of a window together, in bytes: a hundred times what ten minutes of a thousand agents are."""

NO_CONTENT = 204
UNAUTHORISED, FORBIDDEN, NOT_FOUND = 401, 403, 404
PROBE = Retry(tries=2)
WAYS_OUT: dict[int | None, str] = {
    401: "check username and password of this source in sources.yaml and the environment variables that they name",
    404: "check base_url (each region has its own host) and tenant_id of this source in sources.yaml",
}


class Row(msgspec.Struct, rename="camel", gc=False):
    """What planning needs of a record, of whatever type it came in."""

    event_id: object = None
    start: object = None
    end: object = None


class Envelope(msgspec.Struct, rename="camel"):
    """What paging needs of a reply. Entries that are no objects count as records; they are rejected downstream."""

    results: list[Row | list[object] | str | int | float | bool | None]
    total: object = None
    limit: object = None


DECODER = msgspec.json.Decoder(Envelope)


@dataclass(slots=True)
class _Reading:
    """One try to read a window: what has come so far, whether that was all, and what is wrong with it."""

    page_limit: int
    decode: Callable[[bytes], Envelope]
    pages: list[Page] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    records: int = 0
    ended: bool = False
    unreadable: str | None = None
    unstable: str | None = None
    vendor_time: datetime | None = None
    _total: int | None = None
    _newest: object = None

    def take(self, reply: Reply) -> None:
        """Take in the next page."""
        first = not self.pages
        self.vendor_time = reply.vendor_time if first else self.vendor_time
        self.pages.append(page(reply))
        try:
            envelope = Envelope(results=[], total=0) if reply.status == NO_CONTENT else self.decode(reply.body)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            self.unreadable = f"page {len(self.pages)} cannot be read ({error})"
            self.ended = True
            return
        count, total = len(envelope.results), _integer(envelope.total)
        self.records += count
        self.rows += (row for row in envelope.results if isinstance(row, Row))
        if not first and total != self._total:
            self.unstable = f"total went from {self._total} to {total} between pages"
        elif count == self.page_limit and envelope.results == self._newest:
            self.unstable = f"page {len(self.pages)} repeats the one before, as if offset had no effect"
        elif total is not None and (self.records > total or (count == 0 and self.records < total)):
            self.unstable = f"{self.records} records came where total says {total}"
        self._total, self._newest = total, envelope.results
        # Without a total, a short page is the last; the vendor may cut limit, and says so in the envelope.
        short = total is None and count < min(self.page_limit, _integer(envelope.limit) or self.page_limit)
        self.ended = short or self.records == total or self.unstable is not None


class CxEngageClient:
    """One tenant's agent states. Nothing is asked, and no secret read, before the first call.

    Args:
        config: The source.
        session: How to ask; by default made from the source, apart for the present and for the past.
        page_limit: Records per request; by default :attr:`limit`.

    Attributes:
        feed: What is asked for.
        subject: The same in words.
        endpoint: Its path below the tenant.
        permission: What a role of the user must hold.
        limit: Records per request unless told.
    """

    feed: ClassVar[Feed] = AGENT_STATES
    subject: ClassVar[str] = "agent states"
    endpoint: ClassVar[str] = "wfm/rta"
    permission: ClassVar[str] = "WFM RTA"
    limit: ClassVar[int] = PAGE_LIMIT

    def __init__(self, config: CxEngageConfig, session: Asker | None = None, page_limit: int | None = None) -> None:
        self._config = config
        self._lanes = Lanes(lambda lane: connect(config, self.permission, lane), session)
        self._page_limit = page_limit or self.limit
        self._path = f"/v1/tenants/{config.tenant_id}/{self.endpoint}"

    def decode(self, body: bytes) -> Envelope:
        """What paging needs of a reply.

        Raises:
            msgspec.MsgspecError: It is no envelope.
        """
        return DECODER.decode(paired(body))

    def vendor_now(self) -> datetime:
        """Ask for the vendor's time, UTC: the ``Date`` of any answer that shows that we may ask.

        Our clock may be far off, and then the window asked for is refused with 400; its ``Date`` is as good.

        Raises:
            HttpError: No answer with a ``Date``, a redirect, 401, 403, 404, or a secret's variable is not set.
        """
        return self._ask_the_time(None)

    def fetch(self, window: Window) -> Fetched:
        """Fetch one window whole, page by page between frozen ends.

        When the count changes between pages or does not come out, rows have moved between pages; the window is read
        anew from its first page, up to three times. What the last reading gave is handed back in any case, with
        status ``failed`` or ``unreadable``: it may be all that is left in three days.

        Raises:
            HttpError: A page could not be had.
        """
        lane = lane_of(window, self._lanes.asker("live").vendor_now())
        reading = self._read(window, lane)
        for _ in range(WINDOW_TRIES - 1):
            if not (reading.unreadable or reading.unstable):
                break
            reading = self._read(window, lane)
        open_ids, closed_ids = _open_and_closed(reading.rows, window)
        trouble = reading.unreadable or reading.unstable
        ends = f"{_iso(window.start)} to {_iso(window.end)}"
        return Fetched(
            pages=tuple(reading.pages),
            records=None if reading.unreadable else reading.records,
            vendor_time=reading.vendor_time,
            status="unreadable" if reading.unreadable else "failed" if reading.unstable else "ok",
            error=f"{self._config.name}: window {ends}: {trouble}, {WINDOW_TRIES} times" if trouble else None,
            open_ids=open_ids,
            closed_ids=closed_ids,
        )

    def probe(self) -> Iterator[Probe]:
        """Look at reachability, credentials, permission and clock, in this order, until one is wrong."""
        where = self._config.base_url
        try:
            self._lanes.asker("live")
        except PermanentError as error:
            yield Probe("credentials", ok=False, message=str(error))
            return
        try:
            self._ask_the_time(PROBE)
        except HttpError as error:
            found = {UNAUTHORISED: "credentials", FORBIDDEN: "permission", NOT_FOUND: "address"}
            wrong = found.get(error.status or 0, "reachability")
            if wrong != "reachability":
                yield Probe("reachability", ok=True, message=f"{where} answers")
            if wrong == "permission":
                yield Probe("credentials", ok=True, message="accepted")
            yield Probe(wrong, ok=False, message=str(error))
            return
        yield Probe("reachability", ok=True, message=f"{where} answers")
        yield Probe("credentials", ok=True, message="accepted")
        yield Probe("permission", ok=True, message=f"{self.subject} may be read")
        yield self._lanes.clock_probe(self.feed.delay)

    def _ask_the_time(self, retry: Retry | None) -> datetime:
        def ask(asker: Asker) -> Reply:
            end = frozen_end(self.feed, asker.vendor_now() - timedelta(seconds=1))
            return asker.get(self._path, self._params(Window(end - self.feed.mark, end), 1, 0), retry)

        return self._lanes.ask_the_time(ask)

    def _params(self, window: Window, limit: int, offset: int) -> dict[str, str]:
        return {"start": _iso(window.start), "end": _iso(window.end), "limit": str(limit), "offset": str(offset)}

    def _read(self, window: Window, lane: Lane) -> _Reading:
        """Read all pages of a window once, until they are complete or something is wrong."""
        reading, left = _Reading(self._page_limit, self.decode), LARGEST_WINDOW
        while not reading.ended:
            params = self._params(window, self._page_limit, reading.records)
            reply = self._lanes.asker(lane).get(self._path, params)
            left -= len(reply.body)
            if left < 0:
                what = f"the pages of {_iso(window.start)} to {_iso(window.end)} do not end; check base_url"
                raise PermanentError(f"{self._config.name}: {what}", reply.status, reply.vendor_time)
            reading.take(reply)
        return reading


def connect(config: CxEngageConfig, permission: str = CxEngageClient.permission, lane: Lane = "past") -> Session:
    """A session for one tenant, which names this permission when it is refused; reads its secrets.

    The limit of requests is the tenant's: both of its feeds keep it together.

    Raises:
        MissingVariableError: An environment variable that the source names is not set.
    """
    lacking = f'no role of this user has the permission "{permission}"; have an administrator of CxEngage add it'
    options = Options(
        timeout_seconds=config.timeout_seconds,
        verify=config.ca_bundle or config.verify_tls,
        pacer=shared_pacer(config, lane, config.base_url, config.tenant_id),
        headers={"Accept": "application/json"},
        ways_out=WAYS_OUT | {FORBIDDEN: lacking},
    )
    basic = (config.username.reveal(), config.password.reveal())
    return Session(config.name, config.base_url, basic=basic, options=options)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _integer(value: object) -> int | None:
    """A count, also one that came as a text; None when it is none."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _open_and_closed(rows: list[Row], window: Window) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Ids of rows without an end, and of rows with one that began before the window; each sorted."""
    opened: set[str] = set()
    closed: set[str] = set()
    earlier: set[str] = set()
    for row in rows:
        if not isinstance(row.event_id, str):
            continue
        if row.end is None:
            opened.add(row.event_id)
            continue
        closed.add(row.event_id)
        start = _instant(row.start)
        if start is None or start < window.start:
            earlier.add(row.event_id)
    return tuple(sorted(opened - closed)), tuple(sorted(earlier))


def _instant(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
