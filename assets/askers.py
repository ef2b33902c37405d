"""What pull clients have in common: a session for each lane of an account, the vendor's clock, and replies as pages.

Knows no vendor and no endpoint. How a request is sent and tried again belongs in ``http.py``.
"""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from assets.capture import Probe
from assets.config import MissingVariableError
from assets.http import HttpError, PermanentError, Reply, Retry
from assets.pacing import LANES, Lane
from orchestration.lake import Page


class Asker(Protocol):
    """What clients need of :class:`assets.http.Session`."""

    drift_seconds: float | None

    def get(self, path: str, params: dict[str, str], retry: Retry | None = None, /) -> Reply:
        """Ask with GET, with retries."""
        ...

    def vendor_now(self) -> datetime:
        """The vendor's time as far as known."""
        ...


class Lanes:
    """An account's sessions, apart for the present and for the past; each is made when it is first needed.

    Args:
        connect: Makes one, and reads secrets.
        session: Stands for both.
    """

    def __init__(self, connect: Callable[[Lane], Asker], session: Asker | None) -> None:
        self._connect = connect
        self._askers: dict[Lane, Asker] = dict.fromkeys(LANES, session) if session else {}
        self._lock = threading.Lock()

    def asker(self, lane: Lane) -> Asker:
        """Who asks for the one or the other.

        Raises:
            PermanentError: An environment variable that the source names is not set.
        """
        with self._lock:
            if lane not in self._askers:
                try:
                    made = self._connect(lane)
                except MissingVariableError as error:
                    raise PermanentError(str(error)) from None
                # A token may be judged by the vendor's clock, which the other one may know already.
                made.drift_seconds = next((other.drift_seconds for other in self._askers.values()), None)
                self._askers[lane] = made
            return self._askers[lane]

    def ask_the_time(self, ask: Callable[[Asker], Reply]) -> datetime:
        """The vendor's time, UTC: the ``Date`` of any answer that shows that we may ask; ours where it tells none.

        It is asked for in the present's share of the account's limit: who records waits behind no backfill.

        Raises:
            HttpError: No answer with a ``Date``, a redirect, 401, 403, 404, or a secret's variable is not set.
        """
        asker = self.asker("live")
        try:
            reply = ask(asker)
        except HttpError as error:
            if error.vendor_time is None or (isinstance(error, PermanentError) and error.source_wide):
                raise
            return error.vendor_time
        return reply.vendor_time or asker.vendor_now()

    def clock_probe(self, delay: timedelta) -> Probe:
        """What the answers so far say about the vendor's clock, for a feed with this delay."""
        drift = self.asker("live").drift_seconds
        if drift is None:
            return Probe("clock", ok=False, message="the vendor's answers carry no Date; our own clock is used")
        well = abs(drift) <= delay.total_seconds()
        advice = "" if well else "; windows follow the vendor's clock, yet set up NTP on this machine"
        return Probe("clock", ok=well, message=f"the vendor's clock minus ours is {drift:+.0f} s{advice}")


def page(reply: Reply) -> Page:
    """A reply as a page of a raw segment."""
    return Page(
        requested_at=reply.requested_at,
        received_at=reply.received_at,
        request=reply.request,
        status=reply.status,
        content_type=reply.content_type,
        payload=reply.body,
    )
