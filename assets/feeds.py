"""What a feed promises: names, delays, retention and window lengths that capture and coverage reckon with.

The facts themselves stand in each vendor's package; here is only their shape. No I/O, no configuration.
"""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Feed:
    """One stream of records that a vendor offers, with the promises that capture reckons with.

    Attributes:
        name: Name of the feed, as in the lake's paths (``agent_states``).
        client: ``module:Class`` of what asks for it, made with the source's configuration; imported when first
            needed, so that reports need no HTTP library.
        cadence: How often the recorder asks for the newest stretch; none leaves a pull feed to the raw assets.
        live: Only the present can be had, by a recorder (:class:`assets.live.LiveClient`); otherwise the past is
            asked for by window (:class:`assets.capture.PullClient`).
        delay: How long the vendor holds an event back: nothing younger than this was observed.
        retention: How long the vendor keeps an event: older windows are lost.
        window: The longest stretch that one request may ask for, and the grid of coverage.
        recheck_after: A window is fetched once more when it is this old, because rows can arrive late.
        last_window: Shortly before the vendor forgets, all is asked for once more, in windows of this length, because
            rows can arrive many hours late; none where they do not.
        state_bearing: Whether the feed says what agents do, and so moves a source's observed-until.
        uncertainty: How far a reported boundary may be from the true one.
        event_timezone: IANA zone of event times that carry none.
        mark: What the ends of a window must be multiples of, counted from midnight UTC.
        about: What a live feed tells, in a few words for people.
    """

    name: str
    client: str
    delay: timedelta
    retention: timedelta
    window: timedelta
    recheck_after: timedelta
    cadence: timedelta | None = None
    last_window: timedelta | None = None
    live: bool = False
    state_bearing: bool = True
    uncertainty: timedelta = timedelta(0)
    event_timezone: str = "UTC"
    mark: timedelta = timedelta(seconds=1)
    about: str = ""
