"""What goes wrong between a vendor and its readers, on purpose and repeatably.

What belongs here: the faults any vendor's API can show, as one frozen set of knobs,
and the dice that decide when.  What does not: what a vendor means by its answers; the
untested readings of a vendor's documents are that vendor's dialect, in its own file.
"""

from __future__ import annotations

import inspect
import threading
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeVar

import msgspec

_RESOLUTION: Final = 2**32


@dataclass(frozen=True)
class Faults:
    """Faults to serve; all off by default.  Rates are shares from 0 to 1.

    seed: what the dice start from.
    duplicate_rows: share of rows that are returned twice, and counted twice in the total.
    late_rows, late_seconds: share of rows seen up to that many seconds later than usual.
    shuffled: results come in an arbitrary but lasting order.
    unstable_pages: a row turns up at the front once the first page of a range was read.
    error_rate, error_statuses, retry_after: share of requests failed, how, and the
        seconds named in `Retry-After` (none: no such header).
    throttle_rate: share of requests refused with 429.
    reset_rate: share of connections reset instead of answered.
    hang_rate, hang_seconds: share of requests answered that many real seconds late.
    dropped, dropped_mode: stretches of time whose rows are missing without a word
        ('empty') or whose requests fail with 500 ('error').
    spoilt: stretches of time whose records come with a start that is no time (CxEngage's states).
    wrong_total: added to the total of every answer.
    truncated_rate: share of answers whose JSON stops in the middle.
    short_rate: share of answers shorter than their Content-Length.
    rubbish_rate: share of answers that are somebody else's sign-in page, with status 200.
    stringly_limit: the limit comes back as a string.
    altered_figures, altered_seconds: share of the vendor's own sums (CxEngage's intervals)
        that hold so much more work and less idleness than there was.
    half_files, files_twice, late_files: share of exported files that are there by half for two
        minutes, that come again under another name, that come late_seconds later.
    refused_rate, retcodes: share of requests that a vendor who fails with status 200 (Huawei's
        CC-Gateway) refuses, and with which of its own codes.
    """

    seed: int = 0
    duplicate_rows: float = 0.0
    late_rows: float = 0.0
    late_seconds: float = 120.0
    shuffled: bool = False
    unstable_pages: bool = False
    error_rate: float = 0.0
    error_statuses: tuple[int, ...] = (500, 502, 503, 504)
    retry_after: int | None = None
    throttle_rate: float = 0.0
    reset_rate: float = 0.0
    hang_rate: float = 0.0
    hang_seconds: float = 5.0
    dropped: tuple[tuple[datetime, datetime], ...] = ()
    dropped_mode: Literal["empty", "error"] = "empty"
    spoilt: tuple[tuple[datetime, datetime], ...] = ()
    wrong_total: int = 0
    truncated_rate: float = 0.0
    short_rate: float = 0.0
    rubbish_rate: float = 0.0
    stringly_limit: bool = False
    altered_figures: float = 0.0
    altered_seconds: float = 60.0
    half_files: float = 0.0
    files_twice: float = 0.0
    late_files: float = 0.0
    refused_rate: float = 0.0
    retcodes: tuple[str, ...] = ("000-003", "000-004", "000-007", "100-006")


Knobs = TypeVar("Knobs")
Item = TypeVar("Item")


def decode_knobs(kind: type[Knobs], body: bytes) -> Knobs:
    """Read a frozen set of knobs from JSON; what is not given takes its default.

    A name that is no knob is an error: a misspelt fault would otherwise test nothing.
    """
    given = msgspec.json.decode(body or b"{}", type=dict[str, object])
    unknown = sorted(set(given) - set(inspect.signature(kind).parameters))
    if unknown:
        message = f"no such knobs: {', '.join(unknown)}"
        raise ValueError(message)
    return msgspec.convert(given, kind)


class Dice:
    """Decides which requests fail; the same requests in the same order fail alike.

    Each request's fate hangs on its own text and how often it was made, so parallel
    readers do not change one another's luck.
    """

    def __init__(self, seed: int) -> None:
        """Start counting attempts from zero."""
        self._seed = seed
        self._attempts: dict[str, int] = {}
        self._lock = threading.Lock()

    def attempt(self, request: str) -> Throw:
        """Count one attempt of a request and return its throw."""
        with self._lock:
            number = self._attempts[request] = self._attempts.get(request, 0) + 1
        return Throw(f"{self._seed}/{request}/{number}")


@dataclass(frozen=True)
class Throw:
    """The luck of one attempt."""

    key: str

    def hits(self, what: str, rate: float) -> bool:
        """Tell whether something that happens at a rate (0 to 1) happens this time."""
        return rate > 0 and share(f"{self.key}/{what}") < rate

    def choose(self, what: str, options: tuple[int, ...]) -> int:
        """Return one of several options."""
        return options[int(share(f"{self.key}/{what}") * len(options))]


def disturbed(items: Sequence[Item], faults: Faults, name: Callable[[Item], str], question: str) -> list[Item]:
    """Return what a question found with some of it twice, or in an arbitrary but lasting order, as the faults say.

    `name` gives each item the text that its luck hangs on.
    """
    found = list(items)
    if faults.duplicate_rows > 0:
        # Three items further on: copies side by side would be too easy to spot.
        twice = [(n + 3, i) for n, i in enumerate(found) if _luck(faults, "twice", name(i)) < faults.duplicate_rows]
        found = [item for _, item in sorted([*enumerate(found), *twice], key=lambda placed: placed[0])]
    if faults.shuffled:
        found.sort(key=lambda item: _luck(faults, question, name(item)))
    return found


def lateness(faults: Faults, name: str) -> int:
    """Return how many milliseconds later than usual the item of that name is seen, mostly 0."""
    if faults.late_rows == 0 or _luck(faults, "late", name) >= faults.late_rows:
        return 0
    return int(_luck(faults, "by", name) * faults.late_seconds * 1000) + 1


def altered(faults: Faults, name: str) -> int:
    """Return how many milliseconds a vendor's own sum of that name is wrong by, mostly 0."""
    if faults.altered_figures == 0 or _luck(faults, "altered", name) >= faults.altered_figures:
        return 0
    return int(faults.altered_seconds * 1000)


def _luck(faults: Faults, what: str, name: str) -> float:
    return share(f"{faults.seed}/{what}/{name}")


def share(key: str) -> float:
    """Return an even share from 0 up to 1 that depends on the key alone."""
    # A plain CRC of similar texts is far from even; mixing the bits makes it so.
    mixed = zlib.crc32(key.encode()) * 0x9E3779B1 % _RESOLUTION
    mixed ^= mixed >> 15
    return (mixed * 0x85EBCA77 % _RESOLUTION) / _RESOLUTION
