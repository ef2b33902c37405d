"""Which windows of a pull feed to ask for: missing, unsettled, open, due for a recheck, or holding a broken chain.

Pure arithmetic over the log of attempts, on the vendor's clock. No I/O, no HTTP, no vendor, no Dagster.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import chain
from typing import Literal

from assets.feeds import Feed
from orchestration.lake import Attempt

Reason = Literal["missing", "unsettled", "open", "recheck", "broken_chain"]
Suspect = Sequence[tuple[datetime, datetime]]

RETENTION_SAFETY = timedelta(minutes=1)
"""How far from the vendor's retention we stay: a window that expires while a run asks for it fails as a whole."""

LAST_LOOK = timedelta(hours=1)
"""How long before the vendor forgets it a window is asked for the last time: long enough for a few tries."""


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """A stretch of a vendor's time ``[start, end)``, UTC."""

    start: datetime
    end: datetime

    def contains(self, other: "Window") -> bool:
        """Whether the other lies in this one."""
        return self.start <= other.start and other.end <= self.end

    def cut(self, start: datetime, end: datetime) -> "Window | None":
        """The part that lies in ``[start, end)``; None when nothing does."""
        start, end = max(self.start, start), min(self.end, end)
        return Window(start, end) if start < end else None


@dataclass(frozen=True, slots=True)
class Planned:
    """A window to ask for, and why."""

    window: Window
    reason: Reason


def day_start(day: date) -> datetime:
    """The beginning of a UTC day."""
    return datetime.combine(day, time(), UTC)


def grid(day: date, feed: Feed) -> Iterator[Window]:
    """The windows of a UTC day, aligned to its start, each of the feed's length; the last one ends with the day."""
    start, end = day_start(day), day_start(day + timedelta(days=1))
    while start < end:
        yield Window(start, min(start + feed.window, end))
        start += feed.window


def frozen_end(feed: Feed, vendor_now: datetime) -> datetime:
    """The last of the feed's marks up to which nothing is held back any more; nothing later is asked for."""
    moment = vendor_now - feed.delay
    return moment - (moment - day_start(moment.date())) % feed.mark


def retention_edge(feed: Feed, vendor_now: datetime) -> datetime:
    """The first of the feed's marks from which on the vendor surely still has everything while a run lasts."""
    edge = vendor_now - feed.retention + RETENTION_SAFETY
    return edge + (day_start(edge.date()) - edge) % feed.mark


def plan(
    feed: Feed,
    days: Sequence[date],
    vendor_now: datetime,
    attempts: Mapping[date, Sequence[Attempt]],
    suspect: Suspect = (),
    since: datetime | None = None,
) -> list[Planned]:
    """What to ask for now.

    Windows lie on the feed's grid, cut where the vendor's data is too young (``frozen_end``) or too old
    (``retention_edge``). Reasons, first match: ``missing``, no readable reply yet; ``unsettled``, a part was never
    asked for, or so early that something could still arrive in it; ``broken_chain``, it touches a stretch that an
    earlier build found incomplete; ``recheck``, old enough for one more look, because rows can be late; ``open``, it
    holds a row that was open when last seen and that no reply shows closed. Where several windows hold the same open
    row, the newest is enough. Windows of earlier days are planned only for open rows, since a state that began
    yesterday may still run. Beside the grid, the last looks of a feed whose rows can be very late are ``recheck``, too.

    Args:
        feed: The feed and its promises.
        days: UTC days that are wanted.
        vendor_now: The vendor's time, UTC.
        attempts: What was tried, by day; days beyond ``days`` help to know which rows are closed.
        suspect: Stretches ``(from, until)`` of broken chains; equal ends mean an instant.
        since: Nothing before this is planned.

    Returns:
        Missing windows first, the closest to being lost at their head; then the others, oldest first; ``open`` last.
    """
    history = _History(feed, attempts)
    earliest = retention_edge(feed, vendor_now)
    earliest = earliest if since is None else max(earliest, since)
    latest = frozen_end(feed, vendor_now)
    held = history.windows_with_open_rows()
    planned: list[Planned] = []
    wanted = frozenset(days)
    for whole in _wanted(feed, wanted, held, earliest, latest):
        window = whole.cut(earliest, latest)
        if window is None:
            continue
        reason: Reason | None = None
        if whole.start.date() in wanted:
            reason = history.reason(whole, window, vendor_now, suspect)
        if reason is None and whole.start in held:
            reason = "open"
        if reason is not None:
            planned.append(Planned(window, reason))
    rank = {"missing": 0, "open": 2}
    last = (Planned(window, "recheck") for window in _last_looks(feed, days, vendor_now, attempts, since))
    return sorted(chain(planned, last), key=lambda item: (rank.get(item.reason, 1), item.window))


def settled(
    feed: Feed,
    day: date,
    vendor_now: datetime,
    attempts: Mapping[date, Sequence[Attempt]],
    suspect: Suspect = (),
    since: datetime | None = None,
) -> bool:
    """Whether a UTC day is over and nothing of it is left to ask for; arguments as of :func:`plan`."""
    if day_start(day + timedelta(days=1)) > frozen_end(feed, vendor_now):
        return False
    left = plan(feed, [day], vendor_now, attempts, suspect, since)
    return not any(item.window.start.date() == day for item in left)


def _wanted(
    feed: Feed, days: frozenset[date], held: Iterable[datetime], earliest: datetime, latest: datetime
) -> Iterator[Window]:
    """The grid of the wanted days that are within reach, and windows of earlier days that hold open rows."""
    for day in days:
        if day_start(day) < latest and day_start(day + timedelta(days=1)) > earliest:
            yield from grid(day, feed)
    for start in held:
        day = start.date()
        if days and day < max(days) and day not in days:
            yield Window(start, min(start + feed.window, day_start(day + timedelta(days=1))))


def _last_looks(
    feed: Feed,
    days: Iterable[date],
    vendor_now: datetime,
    attempts: Mapping[date, Sequence[Attempt]],
    since: datetime | None,
) -> Iterator[Window]:
    """Long windows that the vendor is about to forget and that were not asked for since they grew so old."""
    if feed.last_window is None:
        return
    coarse = replace(feed, window=feed.last_window)
    edge = retention_edge(feed, vendor_now)
    old = feed.retention - RETENTION_SAFETY - LAST_LOOK - feed.last_window
    history = _History(coarse, attempts)
    for whole in chain.from_iterable(grid(day, coarse) for day in days):
        window = whole.cut(edge if since is None else max(edge, since), whole.end)
        if window is not None and whole.start <= edge + LAST_LOOK and not history.covered(whole, window, old):
            yield window


class _History:
    """The readable replies of a feed, by the grid windows that they touch."""

    def __init__(self, feed: Feed, attempts: Mapping[date, Sequence[Attempt]]) -> None:
        self._feed = feed
        self._closed: set[str] = set()
        self._replies: dict[datetime, list[Attempt]] = {}
        for attempt in (one for of_day in attempts.values() for one in of_day):
            if attempt.status == "ok":
                self._closed.update(attempt.closed_ids)
                for whole in self._touched(attempt):
                    self._replies.setdefault(whole, []).append(attempt)

    def _touched(self, attempt: Attempt) -> Iterator[datetime]:
        """Starts of the grid windows that a reply touches; the recorder's windows are shorter than the grid's."""
        midnight = day_start(attempt.window_start.date())
        start = midnight + (attempt.window_start - midnight) // self._feed.window * self._feed.window
        while start < attempt.window_end:
            yield start
            start = min(start + self._feed.window, day_start(start.date() + timedelta(days=1)))

    def reason(self, whole: Window, window: Window, vendor_now: datetime, suspect: Suspect) -> Reason | None:
        """Why the available part of a grid window must be asked for, open rows aside; None when it need not be."""
        if not any(_within(reply, window) for reply in self._replies.get(whole.start, ())):
            return "missing"
        if not self.covered(whole, window, self._feed.delay):
            return "unsettled"
        if any(begin < window.end and (window.start < end or window.start <= begin) for begin, end in suspect):
            return "broken_chain"
        due = whole.end + self._feed.recheck_after <= vendor_now
        if due and not self.covered(whole, window, self._feed.recheck_after):
            return "recheck"
        return None

    def covered(self, whole: Window, window: Window, age: timedelta) -> bool:
        """Whether each instant of a window lies in a reply of a time when that instant was at least so old."""
        reached = window.start
        for reply in sorted(self._replies.get(whole.start, ()), key=lambda one: one.window_start):
            if reply.window_start > reached:
                return False
            reached = max(reached, min(reply.window_end, _seen_at(reply) - age))
            if reached >= window.end:
                return True
        return False

    def windows_with_open_rows(self) -> set[datetime]:
        """Starts of grid windows to ask for again, so that each row last seen open is seen once more."""
        newest: dict[str, datetime] = {}
        for start, replies in self._replies.items():
            midnight = day_start(start.date() + timedelta(days=1))
            whole = Window(start, min(start + self._feed.window, midnight))
            for reply in replies:
                still_open = [row for row in reply.open_ids if row not in self._closed]
                if still_open and not _superseded(reply, replies, whole):
                    newest.update({row: max(start, newest.get(row, start)) for row in still_open})
        return set(newest.values())


def _within(reply: Attempt, window: Window) -> bool:
    return reply.window_start < window.end and window.start < reply.window_end


def _seen_at(reply: Attempt) -> datetime:
    """When a reply was given, on the vendor's clock; on ours if the vendor never told its time."""
    return reply.vendor_time or reply.attempted_at


def _superseded(reply: Attempt, replies: Sequence[Attempt], whole: Window) -> bool:
    """Whether a later reply covers all that a reply says about a grid window, so that its open rows are old news."""
    part = Window(reply.window_start, reply.window_end).cut(whole.start, whole.end)
    age = (_seen_at(reply), reply.attempted_at)
    return part is not None and any(
        (_seen_at(other), other.attempted_at) > age and Window(other.window_start, other.window_end).contains(part)
        for other in replies
    )
