"""Opening hours as a source in ``sources.yaml`` says them, and how much of a stretch of time lies within them.

Pure arithmetic on a wall clock; no configuration, no vendor. What time outside them means is decided where it is used.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import pytz

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_RANGE = re.compile(
    r"(?P<first>[a-z]{3})(?:\s*-\s*(?P<last>[a-z]{3}))?\s+(?P<start>\d\d?:\d\d)\s*-\s*(?P<end>\d\d?:\d\d)",
    re.IGNORECASE,
)
_MIDNIGHT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Range:
    """The same hours on some days of the week.

    Attributes:
        days: Days of the week, Monday is 0.
        start: Since midnight by the wall clock.
        end: Since midnight of the same day, up to two days: hours over midnight belong to the day that they begin on.
    """

    days: frozenset[int]
    start: timedelta
    end: timedelta


@dataclass(frozen=True, slots=True)
class OpenHours:
    """When a contact centre is open; without ranges always."""

    ranges: tuple[Range, ...] = ()

    def within(self, start: datetime, end: datetime, zone: str) -> timedelta:
        """How much of ``[start, end)`` lies in open hours by the wall clock of an IANA zone.

        Hours that overlap count once; an hour that the clock goes through twice counts twice.
        """
        if not self.ranges:
            return max(end - start, timedelta(0))
        total, reached = timedelta(0), start
        for opens, closes in sorted(self._intervals(start, end, zone)):
            begin = max(opens, reached)
            total += max(min(closes, end) - begin, timedelta(0))
            reached = max(reached, closes)
        return total

    def _intervals(self, start: datetime, end: datetime, zone: str) -> Iterator[tuple[datetime, datetime]]:
        """Open hours that touch a stretch, UTC."""
        local = pytz.timezone(zone)
        # Hours may begin on the day before, and end two midnights later.
        day, last = start.astimezone(local).date() - timedelta(days=2), end.astimezone(local).date()
        while day <= last:
            for hours in self.ranges:
                if day.weekday() in hours.days:
                    opens, closes = (_instant(day, since, local) for since in (hours.start, hours.end))
                    if opens < end and closes > start:
                        yield opens, closes
            day += timedelta(days=1)


def _instant(day: date, since: timedelta, zone: "pytz.BaseTzInfo") -> datetime:
    """When a wall clock shows a time; of two instants the first, and of none the one an hour before."""
    return zone.localize(datetime.combine(day, time()) + since, is_dst=True).astimezone(UTC)


def parse_hours(texts: Sequence[str]) -> OpenHours:
    """Hours from texts such as ``Mon-Fri 07:00-21:00, Sat 08:00-14:00``.

    Raises:
        ValueError: With what to write instead.
    """
    parts = [part.strip() for text in texts for part in re.split("[,;]", text)]
    if not any(parts):
        raise ValueError("must hold a range, as Mon-Fri 07:00-21:00; without the key it is always open")
    return OpenHours(tuple(_range(part) for part in parts))


def _range(text: str) -> Range:
    found = _RANGE.fullmatch(text)
    if found is None:
        raise ValueError("must be ranges such as Mon-Fri 07:00-21:00, Sat 08:00-14:00 (English days, 24 hours)")
    first, last = _weekday(found["first"]), _weekday(found["last"] or found["first"])
    days = frozenset((first + n) % 7 for n in range((last - first) % 7 + 1))
    start, end = _clock(found["start"]), _clock(found["end"])
    if start == end:
        raise ValueError("a range must not end when it begins; all day is 00:00-24:00")
    if start >= _MIDNIGHT:
        raise ValueError("a range must begin before 24:00")
    return Range(days, start, end if end > start else end + _MIDNIGHT)


def _weekday(text: str) -> int:
    name = text.title()
    if name not in _DAYS:
        raise ValueError(f"unknown day of the week; there are {', '.join(_DAYS)}")
    return _DAYS.index(name)


def _clock(text: str) -> timedelta:
    hours, minutes = map(int, text.split(":"))
    found = timedelta(hours=hours, minutes=minutes)
    if minutes >= 60 or found > _MIDNIGHT:  # noqa: PLR2004 -- minutes of an hour
        raise ValueError("a time must lie between 00:00 and 24:00")
    return found
