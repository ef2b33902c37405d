"""What the events of a spool file come to: stretches that were watched, and gaps with their reasons, in UTC days.

Pure arithmetic; no files, no clock. What a stretch becomes in the lake belongs in ``sealing.py``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta

from orchestration.lake import Page
from orchestration.spool import Alive, Began, Event, Lost, Said, Spooled, Watching

_INSTANT = timedelta(microseconds=1)
NOT_YET = "not watching yet"


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch ``[start, end)`` within one UTC day, by our clock.

    Attributes:
        start: Its first instant.
        end: The first instant that no longer belongs to it; later than ``start``.
        pages: What was received, in order. In a gap, too: an answer that is no answer is evidence.
        reason: Why nobody was looking; None in a stretch that was watched.
    """

    start: datetime
    end: datetime
    pages: tuple[Page, ...]
    reason: str | None = None


def pieces(spooled: Spooled) -> list[Piece]:
    """The stretches and gaps of a file in order, cut at midnight UTC.

    They join: each begins where the one before it ended. A stretch ends with its last evidence (a message, or word that
    the feed was alive), never with the mere passing of time. Left out are stretches of no length in which nothing was
    received, and the wait for the first connection, which nobody was owed.
    """
    fold = _Fold(spooled.began)
    for event in spooled.events:
        fold.take(event)
    return [part for piece in fold.ended() for part in _days(piece)]


def drift_seconds(events: Sequence[Event]) -> float | None:
    """The vendor's clock minus ours, by the newest event that tells it; None when none does."""
    for event in reversed(events):
        if isinstance(event, Watching | Alive) and event.vendor_time is not None:
            ours = event.since if isinstance(event, Watching) else event.until
            return (event.vendor_time - ours).total_seconds()
    return None


@dataclass(slots=True)
class _Fold:
    """The stretch or gap that is going on while events are taken in, and those before it."""

    began: Began
    start: datetime = field(init=False)
    until: datetime = field(init=False)
    watching: bool = field(init=False)
    reason: str | None = field(init=False)
    pages: list[Page] = field(default_factory=list)
    done: list[Piece] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.start = self.until = self.began.at
        self.watching, self.reason = self.began.watching, self.began.reason

    def take(self, event: Event) -> None:
        """Take in the next event."""
        if isinstance(event, Said):
            self.pages.append(event.page())
            self.until = max(self.until, event.received_at)
        elif isinstance(event, Alive):
            self.until = max(self.until, event.until) if self.watching else self.until
        elif isinstance(event, Watching):
            if not self.watching:
                self._watch(event.since)
        elif isinstance(event, Lost):
            self._lose(event.at, event.reason)
        elif not self.watching:
            self.until = max(self.until, event.at)
            self.reason = self.reason or NOT_YET

    def ended(self) -> list[Piece]:
        """All pieces, the last of which ends with the file."""
        self._close(self.until)
        return self.done

    def _watch(self, since: datetime) -> None:
        # What was received while nobody was owed anything (a greeting, the answer to signing in) opens the stretch.
        mine = [page for page in self.pages if page.received_at >= since or self.reason is None]
        self.pages = [page for page in self.pages if page.received_at < since and self.reason is not None]
        self._close(since)
        self.watching, self.reason, self.pages = True, None, mine
        self.until = max([self.start, *(page.received_at for page in mine)])

    def _lose(self, at: datetime, reason: str) -> None:
        if self.watching or self.reason not in {None, reason}:
            self._close(at)
        else:
            self.until = max(self.until, at)
        self.watching, self.reason = False, reason

    def _close(self, end: datetime) -> None:
        """End what is going on; the next begins there. What was received has a window, be it of an instant."""
        end = max(end, self.start + _INSTANT if self.pages else self.start)
        owed = self.watching or self.reason is not None or self.pages
        if end > self.start and owed:
            reason = None if self.watching else self.reason or NOT_YET
            self.done.append(Piece(self.start, end, tuple(self.pages), reason))
        self.start = self.until = end
        self.pages = []


def _days(piece: Piece) -> Iterator[Piece]:
    """The parts of a piece, each within a UTC day; a page belongs to the day of its receipt, order kept."""
    rest = piece
    while True:
        day = rest.start.astimezone(UTC).date() + timedelta(days=1)
        midnight = datetime.combine(day, time(), UTC)
        if rest.end <= midnight:
            yield rest
            return
        before = tuple(page for page in rest.pages if page.received_at < midnight)
        after = tuple(page for page in rest.pages if page.received_at >= midnight)
        yield replace(rest, end=midnight, pages=before)
        rest = replace(rest, start=midnight, pages=after)
