"""Kore.ai's endpoint: fetches a window whole, or says why not.

Reads of a reply only whether it is one and how many updates it holds; nothing is parsed into rows, mended or dropped
here. Facts about the vendor are in the package's docstring.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import msgspec

from assets.askers import Asker, Lanes, page
from assets.capture import Fetched, Probe
from assets.http import HttpError, PermanentError, Reply, Retry
from assets.json_text import paired
from assets.kore import AGENT_ACTIVITY
from assets.kore.config import KoreConfig
from assets.kore.session import connect
from assets.kore.zone import judge_zone
from assets.pacing import Lane, lane_of
from assets.windows import Window, frozen_end

SECOND = timedelta(seconds=1)
ROUND = 50
"""A count of updates that is a multiple of this may be a cap that nobody documented."""

NO_CONTENT = 204
UNAUTHORISED, FORBIDDEN, NOT_FOUND = 401, 403, 404
PROBE = Retry(tries=2)
ENVELOPE = frozenset({"accountId", "AgentUpdates", "agentUpdates"})
ANY_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
ANY_LIST = msgspec.json.Decoder(list[msgspec.Raw])


class EnvelopeError(ValueError):
    """A reply that is none of this feed's."""


@dataclass(frozen=True, slots=True)
class _Read:
    """A reply and its updates, None when they cannot be read; ``error`` says what is wrong with it."""

    reply: Reply
    updates: list[msgspec.Raw] | None
    error: str | None = None

    @property
    def count(self) -> int:
        """How many updates could be read."""
        return len(self.updates or ())

    def knows_more(self, other: "_Read") -> bool:
        """Whether it holds an update that the other lacks, or cannot be read."""
        return self.updates is None or not _texts(self.updates) <= _texts(other.updates or [])


class KoreClient:
    """One account's agent activity. Nothing is asked, and no secret read, before the first call.

    Args:
        config: The source.
        session: How to ask; by default made from the source, apart for the present and for the past.
    """

    def __init__(self, config: KoreConfig, session: Asker | None = None) -> None:
        self._config = config
        self._lanes = Lanes(lambda lane: connect(config, lane), session)
        self._path = f"/agentassist/api/public/analytics/account/{config.account_id}/agentactivity"

    def vendor_now(self) -> datetime:
        """Ask for the vendor's time, UTC: the ``Date`` of any answer that shows that we may ask.

        It is asked for in the present's share of the account's budget: who records waits behind no backfill.

        Raises:
            HttpError: No answer with a ``Date``, a redirect, 401, 403, 404, or a secret's variable is not set.
        """
        return self._ask_the_time(None)

    def fetch(self, window: Window) -> Fetched:
        """Fetch one window whole; replies that turn out to be cut are kept together with those that complete them.

        Raises:
            HttpError: A reply could not be had.
        """
        lane = lane_of(window, self._lanes.asker("live").vendor_now())
        reads = self._complete(window, self._read(window, lane), lane)
        unreadable = any(read.updates is None for read in reads)
        error = next((read.error for read in reads if read.error), None)
        return Fetched(
            pages=tuple(page(read.reply) for read in reads),
            records=None if unreadable else sum(read.count for read in reads),
            vendor_time=reads[0].reply.vendor_time,
            status="unreadable" if unreadable else "failed" if error else "ok",
            error=f"{self._config.name}: window {_iso(window.start)} to {_iso(window.end)}: {error}" if error else None,
        )

    def probe(self) -> Iterator[Probe]:
        """Look at reachability, credentials, permission, clock and zone, in this order, until one is wrong."""
        where = self._config.base_url
        try:
            self._lanes.asker("live")
        except PermanentError as error:
            yield Probe("credentials", ok=False, message=str(error))
            return
        try:
            now = self._ask_the_time(PROBE)
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
        yield Probe("permission", ok=True, message="agent activity may be read")
        yield self._lanes.clock_probe(AGENT_ACTIVITY.delay)
        yield from self._zone_probe(now)

    def _zone_probe(self, now: datetime) -> Iterator[Probe]:
        """Whether the updates of the last hour lie in it, told by the zone that is configured."""
        end = now.replace(microsecond=0) - AGENT_ACTIVITY.delay
        window = Window(end - AGENT_ACTIVITY.window, end)
        try:
            updates = self._read(window, "past", PROBE).updates
        except HttpError as error:
            yield Probe("updates", ok=False, message=str(error))
            return
        if updates is None:
            yield Probe("updates", ok=False, message="a reply cannot be read; look into ops.rejects after a capture")
            return
        yield judge_zone(updates, window, self._config.event_timezone)

    def _ask_the_time(self, retry: Retry | None) -> datetime:
        def ask(asker: Asker) -> Reply:
            end = frozen_end(AGENT_ACTIVITY, asker.vendor_now())
            return asker.get(self._path, _params(Window(end - SECOND, end)), retry)

        return self._lanes.ask_the_time(ask)

    def _read(self, window: Window, lane: Lane, retry: Retry | None = None) -> _Read:
        """Ask once for a window."""
        reply = self._lanes.asker(lane).get(self._path, _params(window), retry)
        try:
            return _Read(reply, _updates(reply))
        except (msgspec.MsgspecError, EnvelopeError, UnicodeError, RecursionError) as error:
            return _Read(reply, None, f"the reply cannot be read ({error})")

    def _complete(self, window: Window, read: _Read, lane: Lane) -> list[_Read]:
        """A reply, with those to parts of its window where its count may be a cap and they know more."""
        if not read.count or read.count % ROUND:
            return [read]
        parts = self._parts(window, read.count, lane)
        return [read, *parts] if any(part.error or part.knows_more(read) for part in parts) else [read]

    def _parts(self, window: Window, cap: int, lane: Lane) -> list[_Read]:
        """Replies to the halves of a window, and to their halves where they hold as many updates, down to a second."""
        middle = window.start + (window.end - window.start) // SECOND // 2 * SECOND
        parts = []
        for half in (Window(window.start, middle), Window(middle, window.end)):
            part = self._read(half, lane)
            if part.count >= cap and half.end - half.start <= SECOND:
                part = replace(part, error=f"a reply is cut at {cap} updates in a second")
            parts.append(part)
            if part.count >= cap and not part.error:
                parts += self._parts(half, cap, lane)
        return parts


def _updates(reply: Reply) -> list[msgspec.Raw]:
    """The updates of a reply, as ``stg_kore__agent_activity`` finds them.

    Raises:
        EnvelopeError: It is none of this feed's.
        MsgspecError: It is not JSON, or no object.
    """
    if reply.status == NO_CONTENT and not reply.body:
        return []
    envelope = ANY_OBJECT.decode(paired(reply.body))
    lists = [
        envelope[name] for name in ("AgentUpdates", "agentUpdates") if bytes(envelope.get(name, b"null")) != b"null"
    ]
    if lists:
        return ANY_LIST.decode(lists[0])
    if "accountId" in envelope and envelope.keys() <= ENVELOPE:
        return []
    raise EnvelopeError("it has no list AgentUpdates")


def _texts(updates: list[msgspec.Raw]) -> frozenset[bytes]:
    return frozenset(bytes(update) for update in updates)


def _params(window: Window) -> dict[str, str]:
    """A second more at each end: whether the vendor takes the ends in is not said, and equal updates count once."""
    return {"fromTimeStamp": _iso(window.start - SECOND), "toTimeStamp": _iso(window.end + SECOND)}


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
