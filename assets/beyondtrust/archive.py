"""Fetches the archive of the state: what is listed of a window, its snapshots and its event files, as they came.

The listing says what there is and when it begins; whether that is the whole window is decided here, since a file that
is listed late must not pass for a quiet time. What the files hold is read in SQL.
"""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from assets.askers import page
from assets.beyondtrust import xml
from assets.beyondtrust.appliance import REPORTING_PATH, Appliance, shared
from assets.beyondtrust.archive_files import TIME_KEYS, measure
from assets.beyondtrust.config import BeyondTrustConfig
from assets.beyondtrust.reports import Answer, Kind, look
from assets.capture import Fetched, Probe
from assets.http import HttpError, PermanentError, Reply
from assets.windows import Window
from orchestration.lake import Page

DAY = timedelta(days=1)
SLACK = timedelta(minutes=1)
SPANS = {"state": timedelta(minutes=30), "event": timedelta(minutes=10)}
"""How much time a file stands for (archive page)."""

FINAL_AFTER = timedelta(hours=2)
"""What is not listed after so long never will be: files come a few minutes after their end."""

LISTING_SECONDS = 60.0
"""How long a listing is used again, so that windows fetched together ask for it once."""

MOST_LISTINGS = 60

ACTIVE_DAYS = 7
"""How many days are kept beside today, of those on which the appliance ran."""

DAYS_BACK = 34
"""How far back they are looked for: records of older days are built of no more."""

NOT_THERE = (
    "the archive has nothing of it; if that does not change, switch on 'Enable Archive API' and give the API account "
    "'Allow Access to Archive Reports' (/login > Management > API Configuration)"
)


@dataclass(frozen=True, slots=True)
class File:
    """A listed file: when it begins, what it is, and by which date and index it is asked for."""

    start: datetime
    type: str
    date: date
    index: str

    @property
    def end(self) -> datetime:
        """Until when it stands, as the vendor's pages have it."""
        return self.start + SPANS[self.type]


@dataclass(frozen=True, slots=True)
class Listing:
    """What is listed for a date, the reply that says so, and when that was, on the monotonic clock."""

    reply: Reply
    answer: Answer
    files: tuple[File, ...]
    at: float


class ArchiveClient:
    """The archive of one appliance. Nothing is asked, and no secret read, before the first call.

    Args:
        config: The source.
        appliance: How to ask; by default shared with the source's other feeds.
    """

    def __init__(self, config: BeyondTrustConfig, appliance: Appliance | None = None) -> None:
        self._config = config
        self._appliance = appliance or shared(config)
        self._lock = threading.Lock()
        self._listings: dict[date, Listing] = {}

    def vendor_now(self) -> datetime:
        """Ask for today's listing, and so for the vendor's time and for leave to read archives.

        Raises:
            HttpError: No answer, or the account may not read archives.
        """
        listing = self._listing(self._appliance.vendor_now().date())
        return listing.reply.vendor_time or self._appliance.vendor_now()

    def kept_since(self, now: datetime) -> datetime | None:
        """When the oldest file begins that is listed; None when nothing is, or nobody can tell now.

        Days on which the appliance did not run are not counted: then it keeps more than the last seven.
        """
        oldest, active = None, 0
        try:
            for ago in range(DAYS_BACK + 1):
                starts = [file.start for file in self._listing(now.date() - ago * DAY).files]
                active += bool(starts)
                oldest = min([*starts, *([oldest] if oldest else [])], default=None)
                if active > ACTIVE_DAYS or (not active and ago >= ACTIVE_DAYS):
                    break
        except HttpError:
            return None
        return oldest

    def fetch(self, window: Window) -> Fetched:
        """Fetch the listings that tell of a window, and each listed file that has to do with it.

        A window is ``failed``, and so asked for again, while a snapshot or an event file of it can still be listed,
        or when nothing at all is listed: then nobody knows what happened. What came is kept in any case.

        Raises:
            HttpError: A listing could not be had, or the account may not read archives.
        """
        listings = self._listings_of(window)
        found = {file for one in listings for file in one.files if _overlaps(file, window)}
        files = sorted(found, key=lambda file: (file.start, file.type == "event", file.date))
        pages = [page(one.reply) for one in listings]
        trouble = _trouble(window, listings, files, listings[0].reply.vendor_time or self._appliance.vendor_now())
        unreadable = [f"listing: {one.answer.says}" for one in listings if one.answer.kind is Kind.UNREADABLE]
        records = 0
        for file in files:
            params = {"type": file.type, "date": file.date.isoformat(), "index": file.index}
            reply = self._ask("Archive", **params)
            pages.append(page(reply))
            count, wrong = self._examined(file, reply)
            records += count
            unreadable += [f"{file.type} file {file.index}: {wrong}"] if wrong else []
        said = "; ".join(unreadable[:3]) or trouble
        return Fetched(
            pages=tuple(_ordered(pages)),
            records=None if unreadable else records,
            vendor_time=listings[0].reply.vendor_time,
            status="unreadable" if unreadable else "failed" if trouble else "ok",
            error=f"{self._config.name}: archive of {window.start:%Y-%m-%d}: {said}" if said else None,
        )

    def probe(self) -> Iterator[Probe]:
        """Look at reachability, credentials, permission and clock, then for archives of today and yesterday."""
        well = True
        for found in self._appliance.examine("perm_reporting_archive", "Allow Access to Archive Reports"):
            well = well and (found.ok or found.name == "clock")
            yield found
        if not well:
            return
        today = self._appliance.vendor_now().date()
        try:
            listings = [self._listing(day) for day in (today, today - DAY)]
        except PermanentError as error:
            yield Probe("permission", ok=False, message=str(error))
            return
        some = any(listing.files for listing in listings)
        told = "archives of today or yesterday are listed" if some else f"today and yesterday: {NOT_THERE}"
        yield Probe("archive", ok=some, message=told)

    def _listings_of(self, window: Window) -> list[Listing]:
        """The listings of a window's date and, where those do not reach over it, of the dates beside it.

        Whether ``date`` is UTC or the appliance's own is not established; a site's day may begin 14 hours before ours
        or 12 after. At least one.
        """
        last = (window.end - timedelta(seconds=1)).date()
        found = [self._listing(window.start.date())]
        starts = [file.start for file in found[0].files]
        if not starts or min(starts) > window.start:
            found.append(self._listing(window.start.date() - DAY))
        if not starts or max(starts) + SPANS["event"] + SLACK < window.end:
            found.append(self._listing(last + DAY))
        return found

    def _listing(self, day: date) -> Listing:
        """The listing of a date, of at most a minute ago.

        Raises:
            HttpError: It could not be had, or the account may not read archives.
        """
        with self._lock:
            held = self._listings.get(day)
            now = self._appliance.clock.monotonic()
            if held is None or now - held.at > LISTING_SECONDS:
                reply = self._ask("ArchiveListing", date=day.isoformat())
                answer = look(self._config.name, reply)
                files = tuple(_files(answer, day))
                if answer.root is not None and not files and xml.local(answer.root) not in {"archives", "error"}:
                    says = f"it is no listing but <{xml.local(answer.root)}>"
                    answer = Answer(Kind.UNREADABLE, says=says)
                if len(self._listings) > MOST_LISTINGS:
                    self._listings.clear()
                self._listings[day] = held = Listing(reply, answer, files, now)
            return held

    def _ask(self, report: str, **params: str) -> Reply:
        return self._appliance.get(REPORTING_PATH, {"generate_report": report, **params})

    def _examined(self, file: File, reply: Reply) -> tuple[int, str | None]:
        """How many records a file holds, and what is wrong with it.

        An error in place of a file came plain and gzipped (seen). A file begins with a brace.
        """
        measured = measure(reply.body)
        if measured.wrong is None and measured.head.lstrip()[:1] == b"<":
            answer = look(self._config.name, reply)
            return 0, f"an error came in its place: {answer.says or 'XML'}"
        if measured.wrong is None and file.type == "event" and measured.has_text and not measured.is_timed:
            return 0, f"no line of it is a JSON object with a time ({', '.join(TIME_KEYS)})"
        return measured.lines, measured.wrong


def _files(answer: Answer, day: date) -> Iterator[File]:
    """The files of a listing that say when they begin; only the names of elements were seen, not how they nest."""
    if answer.kind is not Kind.DOCUMENT or answer.root is None:
        return
    for element in xml.every(answer.root, "state_archive", "event_archive"):
        times = [one for one in element if xml.local(one) in {"time", "start_time"}]
        indexes = [xml.text(one) for one in element if xml.local(one) == "index"]
        for time, index in zip(times, indexes, strict=False):
            start = _instant(time.get("timestamp") or time.get("ts"), xml.text(time))
            if start is not None and index:
                yield File(start, xml.local(element).removesuffix("_archive"), day, index)


def _instant(seconds: str | None, iso: str) -> datetime | None:
    """A time of a listing: UNIX seconds if it has them, else ISO 8601 with its offset; UTC."""
    try:
        if seconds is not None:
            return datetime.fromtimestamp(float(seconds), UTC)
        moment = datetime.fromisoformat(iso)
    except (ValueError, OverflowError, OSError):
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _overlaps(file: File, window: Window) -> bool:
    return file.start < window.end and window.start < file.end


def _trouble(window: Window, listings: Sequence[Listing], files: Sequence[File], now: datetime) -> str | None:
    """Why a window is not complete; None when it is, or when nothing more can be expected.

    Files may begin some seconds late. An appliance that was off for a while leaves a hole that is not filled any more:
    what stands beside it is all there is.
    """
    says = next((one.answer.says for one in listings if one.answer.says), "")
    events = [file.start for file in files if file.type == "event"]
    if not events:
        return f"{NOT_THERE} ({says})" if says else NOT_THERE
    if now - window.end >= FINAL_AFTER:
        return None
    reached = window.start
    for start in events:
        if start > reached + SLACK:
            break
        reached = max(reached, start + SPANS["event"])
    if reached + SLACK < window.end:
        return "not all event files are listed yet; it is asked for again"
    if not any(file.type == "state" for file in files):
        return "its snapshot is not listed yet; it is asked for again"
    return None


def _ordered(pages: Sequence[Page]) -> list[Page]:
    """Pages in the order of asking: listings may be older than the files."""
    return sorted(pages, key=lambda one: one.requested_at)
