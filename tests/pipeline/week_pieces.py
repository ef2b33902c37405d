"""Stretches of agents' time, and transfers, as the tests of the week compare them; no rules of any vendor.

Times are whole microseconds since 1970.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from tests.pipeline.truth import DAY, micros

SECOND = 1_000_000


@dataclass(frozen=True)
class Piece:
    """A stretch of one agent's time: what is known of it, or ``unobserved``.

    Attributes:
        sign_in: When the session began; None when signed out, or not known.
        says: The reason, by the vendor's word.
        word: The vendor's word for the state.
        code: The vendor's id of the reason; of BeyondTrust the flags that are raised.
        direction: Who called whom, of a call; only of vendors who say it.
    """

    start: int
    end: int
    state: str
    says: str | None = None
    items: int | None = None
    load: int | None = None
    capacity: int | None = None
    sign_in: int | None = None
    word: str | None = None
    code: str | None = None
    direction: str | None = None

    @property
    def known(self) -> bool:
        """Whether somebody knows."""
        return self.state != "unobserved"

    @property
    def told(self) -> tuple[object, ...]:
        """All but when."""
        counts = self.items, self.load, self.capacity
        return self.state, self.says, *counts, self.sign_in, self.word, self.code, self.direction


@dataclass(frozen=True)
class Moved:
    """A transfer as a vendor tells it: ``kind`` is of the receiver, ``how`` whether they had talked before."""

    interaction: str
    sender: str
    kind: str
    receiver: str | None
    start: int
    end: int | None
    how: str


def unknown(start: int, end: int) -> Piece:
    """A stretch that nobody knows anything of."""
    return Piece(start, end, "unobserved")


def merged(pieces: Iterable[Piece]) -> list[Piece]:
    """The same without stretches of no length, neighbours that tell the same made one."""
    found: list[Piece] = []
    for one in pieces:
        if one.start >= one.end:
            continue
        if found and found[-1].end == one.start and found[-1].told == one.told:
            found[-1] = replace(found[-1], end=one.end)
        else:
            found.append(one)
    return found


def filled(pieces: Iterable[Piece], until: int) -> list[Piece]:
    """Pieces in order with what nobody knows between and after them."""
    found: list[Piece] = []
    for one in sorted((one for one in pieces if one.start < one.end), key=lambda one: one.start):
        if found and found[-1].end < one.start:
            found.append(unknown(found[-1].end, one.start))
        # Talks of one agent at once overlap.
        if not found or one.end > found[-1].end:
            found.append(replace(one, start=max(one.start, found[-1].end)) if found else one)
    if found and found[-1].end < until:
        found.append(unknown(found[-1].end, until))
    return merged(found)


def whole(moment: datetime) -> int:
    """Whole seconds."""
    return micros(moment) // SECOND * SECOND


def day_of(at: int) -> date:
    """The UTC day of an instant."""
    return date(1970, 1, 1) + timedelta(days=at // DAY)
