"""Fetches the reports of support sessions and of team activity, by window.

Each window is asked for by start and by end: by start a session in progress is seen, by end one of many hours is got
whole when it closes. Which rows are the same session is decided in SQL, by ``lsid``.
"""

import math
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta

from assets.askers import page
from assets.beyondtrust import xml
from assets.beyondtrust.appliance import COMMAND_PATH, REPORTING_PATH, Appliance, shared
from assets.beyondtrust.config import BeyondTrustConfig
from assets.beyondtrust.reports import Kind, denies, look
from assets.capture import Fetched, Probe
from assets.http import HttpError, PermanentError, Reply
from assets.windows import Window

REPORTS = (("SupportSession", "start_time"), ("SupportSession", "end_time"), ("SupportTeam", "start_time"))
ROOTS = frozenset({"session_list", "team_activity_list"})
RECORDS = ("session", "team_activity")
PERMISSION = "perm_reporting_support"
NEEDED = "Allow Access to Support Session Reports"
LONG_AGO = {"start_time": "1000000000", "duration": "1"}
"""A second of 2001, before there was such an appliance: its report is empty on every site."""

APART_SECONDS = 10.0
"""What a site says of that second counts when it says the same again so much later: an error may pass."""

GOOD_SECONDS = 3600.0
"""For so long that is believed."""

AGAIN_SECONDS = 60.0
"""So soon after it was told other words are not asked about again."""


class SessionsClient:
    """The reports of one appliance. Nothing is asked, and no secret read, before the first call.

    Args:
        config: The source.
        appliance: How to ask; by default shared with the source's other feeds.
    """

    def __init__(self, config: BeyondTrustConfig, appliance: Appliance | None = None) -> None:
        self._config = config
        self._appliance = appliance or shared(config)
        self._lock = threading.Lock()
        self._nothing: dict[str, tuple[str | None, float]] = {}

    def vendor_now(self) -> datetime:
        """Ask for one second of sessions, and so for the vendor's time and for leave to read reports.

        Raises:
            HttpError: No answer, or the account may not read reports.
        """
        end = self._appliance.vendor_now().replace(microsecond=0)
        reply = self._ask("SupportSession", "end_time", Window(end - timedelta(seconds=1), end))
        look(self._config.name, reply)
        return reply.vendor_time or self._appliance.vendor_now()

    def fetch(self, window: Window) -> Fetched:
        """Fetch sessions begun in a window, sessions ended in it, and what teams' members did in it.

        Raises:
            HttpError: A report could not be had, or the account may not read reports.
        """
        replies = [self._ask(report, by, window) for report, by in REPORTS]
        counts, unreadable, failed = 0, [], []
        for (report, _), reply in zip(REPORTS, replies, strict=True):
            answer = look(self._config.name, reply)
            if answer.kind is Kind.DOCUMENT and answer.root is not None:
                root = xml.local(answer.root)
                counts += sum(1 for _ in xml.every(answer.root, *RECORDS))
                # A page of maintenance may be well-formed, too.
                unreadable += [] if root in ROOTS else [f"{report} cannot be read (it is no report but <{root}>)"]
            elif answer.kind is Kind.UNREADABLE:
                unreadable.append(f"{report} cannot be read ({answer.says})")
            elif answer.kind is Kind.ERROR and not self._means_nothing(report, answer.says):
                failed.append(f"{report} answered an error ({answer.says})")
        said = "; ".join(unreadable + failed)
        return Fetched(
            pages=tuple(page(reply) for reply in replies),
            records=None if unreadable else counts,
            vendor_time=replies[0].vendor_time,
            status="unreadable" if unreadable else "failed" if failed else "ok",
            error=f"{self._config.name}: sessions of {window.start:%Y-%m-%d %H:%M}: {said}" if said else None,
        )

    def probe(self) -> Iterator[Probe]:
        """Look at reachability, credentials, permission and clock, then ask for a report."""
        well = True
        for found in self._appliance.examine(PERMISSION, NEEDED):
            well = well and (found.ok or found.name == "clock")
            yield found
        if not well:
            return
        try:
            self.vendor_now()
        except HttpError as error:
            yield Probe("permission", ok=False, message=str(error))
        else:
            yield Probe("report", ok=True, message="session reports may be read")

    def _ask(self, report: str, by: str, window: Window) -> Reply:
        start, end = math.floor(window.start.timestamp()), math.ceil(window.end.timestamp())
        # A duration of 0 would mean up to now.
        params = {"generate_report": report, by: str(start), "duration": str(max(1, end - start))}
        return self._appliance.get(REPORTING_PATH, params)

    def _means_nothing(self, report: str, says: str) -> bool:
        """Whether an error is how this site, in its language, says that a report is empty.

        Raises:
            PermanentError: The account lacks the permission.
            HttpError: The site could not be asked.
        """
        clock = self._appliance.clock
        with self._lock:
            words, told_at = self._nothing.get(report, (None, -math.inf))
            age = clock.monotonic() - told_at
            if age > (GOOD_SECONDS if words == says else AGAIN_SECONDS):
                words = self._words_for_nothing(report)
                self._nothing[report] = words, clock.monotonic()
            return words == says

    def _words_for_nothing(self, report: str) -> str | None:
        """What the site says of a time before there were any reports, twice; None when it says now this, now that.

        A refusal would be said alike for any time, so the account's permission is looked at first; and what is said
        there, too, is said of no report.
        """
        own = self._appliance.get(COMMAND_PATH, {"action": "get_api_info"})
        known = look(self._config.name, own)
        if known.root is not None and denies(known.root, PERMISSION):
            raise PermanentError(f"{self._config.name}: the API account lacks '{NEEDED}'; grant it")
        words = []
        for pause in (0.0, APART_SECONDS):
            self._appliance.clock.sleep(pause)
            empty = self._appliance.get(REPORTING_PATH, {"generate_report": report, **LONG_AGO})
            words.append(look(self._config.name, empty).says)
        return words[0] if words[0] == words[1] and words[0] != known.says else None
