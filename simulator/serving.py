"""A simulated vendor as a running server: the socket, its thread, and what steers it.

What belongs here: binding, starting, closing, and the admin endpoints for faults,
dialect and counters, the same for every vendor that plugs its API in.  What does not:
what a vendor answers, and carrying single requests (`wire.py`).
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from typing import Generic, Protocol, Self, TypeVar

from simulator.admin import Action, Admin
from simulator.centre import Centre
from simulator.clock import SimClock
from simulator.facts import Agent
from simulator.faults import Faults, decode_knobs
from simulator.wire import Reply, Request, Wire

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
    ) -> None:
        """Bind to 127.0.0.1; `port` 0 takes a free one.  `further` are the vendor's own admin actions."""
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
        self._wire = Wire(api, admin, clock, port)
        self._wire.set_faults(faults)
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """Return the port bound to."""
        return self._wire.server_port

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
        self._thread = threading.Thread(target=self._wire.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop serving and end all connections."""
        if self._thread is not None:
            self._wire.shutdown()
            self._thread.join()
            self._thread = None
        self._wire.server_close()

    def __enter__(self) -> Self:
        """Start serving."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stop serving."""
        self.close()


def employed(centre: Centre, agents: Collection[str] | None) -> tuple[Agent, ...]:
    """Return the agents of a centre whose work this vendor sees: all, or those with these ids.

    Raises:
        ValueError: An id is not on the centre's payroll.
    """
    if agents is None:
        return centre.agents
    strangers = set(agents) - {agent.agent_id for agent in centre.agents}
    if strangers:
        message = f"not on the centre's payroll: {', '.join(sorted(strangers))}"
        raise ValueError(message)
    return tuple(agent for agent in centre.agents if agent.agent_id in agents)
