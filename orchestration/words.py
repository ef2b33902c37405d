"""How feeds stand, in words for people: in checks, alarms and logs.

Where the figures come from is ``watch.py``; how urgent they are is decided where they are told.
"""

from datetime import datetime, timedelta

import pytz

from orchestration.watch import FeedNow


def sentence(feed: FeedNow, zone: str = "UTC") -> str:
    """How new a feed's data is, in words."""
    if feed.observed_until is None:
        tried = f"asked for since {moment(feed.asked_since, zone)}" if feed.asked_since else "not asked for yet"
        return f"{feed.name}: nothing was observed yet; {tried}."
    late = f"{said(feed.late)} later than usual" if feed.late > timedelta(0) else "no later than usual"
    hours = " in open hours" if feed.source.open_hours.ranges and feed.late > timedelta(0) else ""
    return f"{feed.name}: observed until {moment(feed.observed_until, zone)}, {late}{hours}."


def advice(feed: FeedNow) -> str:
    """What to do about a feed whose data is not new."""
    if feed.error:
        return f"The last attempt failed: {feed.error}"
    if feed.recorder == "absent":
        return "Nobody records it: see to it that 'shiftbook up' or 'shiftbook record' runs."
    if feed.recorder:
        return "It is recorded, and nothing new comes: look at the recorder's log, and run 'shiftbook doctor'."
    return "Runs fetch it every quarter of an hour: look at the last runs, and run 'shiftbook doctor'."


def moment(at: datetime, zone: str) -> str:
    """An instant for people: ``2026-11-22 10:00:05 UTC``."""
    return at.astimezone(pytz.timezone(zone)).strftime("%Y-%m-%d %H:%M:%S %Z")


def said(length: timedelta) -> str:
    """A length of time for people: the two greatest units."""
    seconds = round(length.total_seconds())
    for unit, size, small, part in (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60), ("min", 60, "s", 1)):
        if seconds >= size:
            rest = seconds % size // part
            return f"{seconds // size} {unit}" + (f" {rest} {small}" if rest else "")
    return f"{seconds} s"
