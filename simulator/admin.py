"""The `/_simulator/` endpoints: steer the clock and the faults, read counters and truth.

What belongs here: requests of a test or a demo to the simulation itself, the same for
every vendor.  What does not: anything a real vendor offers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Final

import msgspec

from simulator.centre import Centre
from simulator.clock import SimClock
from simulator.wire import ADMIN_PREFIX, Reply, Request

Action = Callable[[bytes], object]
_BAD: Final = (ValueError, TypeError, OSError)


class ClockOrder(msgspec.Struct, forbid_unknown_fields=True):
    """Where to put the clock: an instant or the real time, running or not, simulated seconds per second."""

    now: datetime | None = None
    real: bool = False
    running: bool = False
    speed: float | None = None


class TruthOrder(msgspec.Struct, forbid_unknown_fields=True):
    """Where to write the truth, and up to when (default: now)."""

    folder: str
    until: datetime | None = None


class Admin:
    """Answers admin requests from a table of (method, name) to action."""

    def __init__(self, centre: Centre, clock: SimClock, further: Mapping[tuple[str, str], Action]) -> None:
        """Offer clock and truth, and whatever the server adds."""
        self._centre = centre
        self._clock = clock
        self._actions: dict[tuple[str, str], Action] = {
            ("GET", "clock"): lambda _: self._tell_clock(),
            ("POST", "clock"): self._set_clock,
            ("POST", "truth"): self._write_truth,
            **further,
        }

    def __call__(self, request: Request) -> Reply:
        """Carry out one request; its answer is JSON, with `error` when it failed."""
        name = request.path.removeprefix(ADMIN_PREFIX)
        action = self._actions.get((request.method, name))
        if action is None:
            return _json(HTTPStatus.NOT_FOUND, {"error": f"no {request.method} {name}"})
        try:
            return _json(HTTPStatus.OK, action(request.body))
        except _BAD as error:
            return _json(HTTPStatus.BAD_REQUEST, {"error": str(error)})

    def _tell_clock(self) -> object:
        clock = self._clock
        return {"now": clock.now(), "running": clock.running, "speed": clock.speed}

    def _set_clock(self, body: bytes) -> object:
        order = msgspec.json.decode(body, type=ClockOrder)
        now = datetime.now(UTC) if order.real else order.now
        self._clock.set(now, running=order.running, speed=order.speed)
        return self._tell_clock()

    def _write_truth(self, body: bytes) -> object:
        order = msgspec.json.decode(body, type=TruthOrder)
        until = order.until or self._clock.now()
        folder = Path(order.folder)
        self._centre.write_truth(folder, until)
        return {"folder": str(folder), "until": until}


def _json(status: int, value: object) -> Reply:
    return Reply(status, msgspec.json.encode(value))
