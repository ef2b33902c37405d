"""A simulated vendor as a running server: its sockets, and what steers it.

What belongs here: binding, starting, closing, and the admin endpoints for faults,
dialect and counters, the same for every vendor that plugs its API in.  What does not:
what a vendor answers, and carrying single requests (`wire.py`, `beyondtrust_wire.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, Protocol, Self, TypeVar

from simulator.admin import Action, Admin
from simulator.centre import Centre
from simulator.clock import SimClock
from simulator.faults import Faults, decode_knobs
from simulator.wire import Reply, Request, Stats, Wire

DialectT = TypeVar("DialectT")


class SteeredApi(Protocol[DialectT]):
    """A vendor's API whose faults and dialect can be changed while it is served."""

    @property
    def dialect(self) -> DialectT:
        """Return the dialect served."""
        ...

    def set_dialect(self, dialect: DialectT) -> None:
        """Serve another reading of the vendor's documents."""
        ...

    def set_faults(self, faults: Faults) -> None:
        """Serve with other faults."""
        ...

    def answer(self, request: Request) -> Reply:
        """Answer one request, on whatever thread it comes."""
        ...


class Carrier(Protocol):
    """Sockets that carry requests to a vendor's API, and the replies back with the faults asked for."""

    stats: Stats
    faults: Faults

    @property
    def port(self) -> int:
        """Return the port bound to."""
        ...

    def set_faults(self, faults: Faults) -> None:
        """Serve other faults from the next request on."""
        ...

    def start(self) -> None:
        """Serve on a thread of its own until closed."""
        ...

    def close(self) -> None:
        """Stop serving and end all connections."""
        ...


class VendorServer(Generic[DialectT]):
    """A running vendor: start it, or use it as a context manager.

    What its methods do from inside the process, `/_simulator/` does from outside.
    """

    def __init__(
        self,
        centre: Centre,
        clock: SimClock,
        api: SteeredApi[DialectT],
        faults: Faults,
        *,
        port: int = 0,
        further: Mapping[tuple[str, str], Action] | None = None,
        carrier: Callable[[Admin], Carrier] | None = None,
    ) -> None:
        """Bind to 127.0.0.1; `port` 0 takes a free one.

        `further` are the vendor's own admin actions; `carrier` binds the sockets of a vendor
        that speaks more than plain HTTP, to answer admin requests as it is told.
        """
        self.centre = centre
        self.clock = clock
        self._steered = api
        kind = type(api.dialect)
        admin = Admin(
            centre,
            clock,
            {
                ("GET", "stats"): lambda _: self.stats(),
                ("GET", "faults"): lambda _: self.faults,
                ("POST", "faults"): lambda body: self.set_faults(decode_knobs(Faults, body)),
                ("GET", "dialect"): lambda _: self.dialect,
                ("POST", "dialect"): lambda body: self.set_dialect(decode_knobs(kind, body)),
                **(further or {}),
            },
        )
        self._wire: Carrier = Wire(api, admin, clock, port) if carrier is None else carrier(admin)
        self._wire.set_faults(faults)

    @property
    def port(self) -> int:
        """Return the port bound to."""
        return self._wire.port

    @property
    def base_url(self) -> str:
        """Return the address before the vendor's own paths."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def dialect(self) -> DialectT:
        """Return the dialect served."""
        return self._steered.dialect

    @property
    def faults(self) -> Faults:
        """Return the faults served."""
        return self._wire.faults

    def set_faults(self, faults: Faults) -> Faults:
        """Serve other faults from the next request on."""
        self._steered.set_faults(faults)
        self._wire.set_faults(faults)
        return faults

    def set_dialect(self, dialect: DialectT) -> DialectT:
        """Serve another dialect from the next request on."""
        self._steered.set_dialect(dialect)
        return dialect

    def stats(self) -> dict[str, object]:
        """Return the counters: requests, concurrency, statuses, resets, bytes."""
        return self._wire.stats.snapshot()

    def start(self) -> Self:
        """Serve on a thread of its own."""
        self._wire.start()
        return self

    def close(self) -> None:
        """Stop serving and end all connections."""
        self._wire.close()

    def __enter__(self) -> Self:
        """Start serving."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stop serving."""
        self.close()
