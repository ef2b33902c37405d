"""Whether a zone fits the times that the vendor sends without one.

For ``shiftbook doctor`` alone: where an update belongs is settled in SQL.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from statistics import median

import msgspec
import pytz

from assets.capture import Probe
from assets.windows import Window

QUARTER_HOURS = 15 * 60
SLACK = timedelta(minutes=1)


class Timed(msgspec.Struct):
    """The time of an update, in either spelling; other fields are passed over."""

    upper: str | None = msgspec.field(default=None, name="EventTime")
    lower: str | None = msgspec.field(default=None, name="eventTime")


def judge_zone(updates: Sequence[msgspec.Raw], window: Window, zone: str) -> Probe:
    """Compare the updates of a window with the window, by the zone that is configured."""
    name = "event_timezone"
    times = [moment for update in updates if (moment := _time(update)) is not None]
    if not times:
        return Probe(name, ok=True, message=f"{zone}; no updates in the last hour to judge it by")
    local = pytz.timezone(zone)
    off = [
        local.localize(moment)
        for moment in times
        if not window.start - SLACK <= local.localize(moment) < window.end + SLACK
    ]
    if len(off) * 2 <= len(times):
        return Probe(name, ok=True, message=f"{zone} fits {len(times) - len(off)} of {len(times)} updates")
    centre = window.start + (window.end - window.start) / 2
    ahead = median((moment - centre).total_seconds() for moment in off)
    hours = round(ahead / QUARTER_HOURS) / 4
    return Probe(
        name,
        ok=False,
        message=f"{len(off)} of {len(times)} updates lie outside the hour that was asked for, about {hours:+g} hours; "
        f"set event_timezone of this source in sources.yaml to the zone in which Kore.ai writes EventTime, not {zone}",
    )


def _time(update: msgspec.Raw) -> datetime | None:
    """What a clock on the wall showed; None when it cannot be read."""
    try:
        timed = msgspec.json.decode(update, type=Timed)
        read = datetime.strptime(timed.upper or timed.lower or "", "%m/%d/%Y %H:%M:%S").replace(tzinfo=UTC)
    except (msgspec.MsgspecError, ValueError):
        return None
    return read.replace(tzinfo=None)
