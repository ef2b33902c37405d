"""What a live feed is to the recorder: a client that says what it receives, and when it was not looking.

Only the shapes stand here. How a vendor is listened to belongs in its package, where what it says is kept in
``orchestration/recorder.py``. No I/O, no vendor, no Dagster.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from assets.capture import Probe
from orchestration.lake import Page


class LiveError(Exception):
    """Listening ended and can be begun again; the text names source, feed, what happened and the way out.

    Attributes:
        lasting: Whether it will fail alike until somebody mends something (credentials, permission, address), so that
            trying often is hammering.
    """

    def __init__(self, message: str, *, lasting: bool = False) -> None:
        super().__init__(message)
        self.lasting = lasting


class Sink(Protocol):
    """Where a live client puts what it receives; one per feed of a source, used from one event loop."""

    def watching(self, since: datetime, vendor_time: datetime | None = None) -> None:
        """From ``since`` on (UTC, our clock) nothing that the vendor says is missed: a stretch of coverage begins.

        Called again while one lasts, it changes nothing. ``vendor_time`` is the vendor's clock at that moment.
        """
        ...

    async def take(self, page: Page) -> None:
        """Keep a message, byte for byte, in the order of calling; waits while the disk is slower than the vendor.

        A message received while watching extends the stretch to its ``received_at``.
        """
        ...

    def alive(self, until: datetime, vendor_time: datetime | None = None) -> None:
        """Nothing was missed up to ``until``, though nothing was said (a pong, an answered heartbeat)."""
        ...

    def lost(self, at: datetime, reason: str) -> None:
        """The stretch ended at ``at``, the last moment of which is sure that nothing was missed; ``reason`` is told."""
        ...


class LiveClient(Protocol):
    """A vendor that is listened to, or polled for its present, on an event loop."""

    async def run(self, sink: Sink) -> None:
        """Listen until cancelled. Never returns by itself; closes what it opened when it ends.

        Raises:
            LiveError: Listening ended; the recorder tells the sink's stretch ended, waits, and calls again.
        """
        ...

    def probe(self) -> Iterator[Probe]:
        """Look whether it can be recorded, for ``shiftbook doctor``; blocks, and never raises for what it finds."""
        ...
