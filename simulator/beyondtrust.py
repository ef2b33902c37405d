"""BeyondTrust Remote Support over a simulated centre, as a server on loopback.

What belongs here: putting the parts of the appliance together, and the server that a
test or the demo starts and steers.  What does not: answers (`beyondtrust_*.py`) and
sockets (`beyondtrust_wire.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

import msgspec

from simulator.admin import Action, Admin
from simulator.beyondtrust_command import CommandApi
from simulator.beyondtrust_dialect import Account, Dialect
from simulator.beyondtrust_gate import Limits, Tokens, bearer, denied, parameters
from simulator.beyondtrust_live import Feed
from simulator.beyondtrust_model import Lifetime, Model, Restarts
from simulator.beyondtrust_reports import ReportingApi
from simulator.beyondtrust_sessions import user_ids
from simulator.beyondtrust_site import Site
from simulator.beyondtrust_wire import LiveWire
from simulator.centre import Centre
from simulator.clock import SimClock
from simulator.faults import Faults
from simulator.serving import VendorServer
from simulator.wire import Reply, Request, opaque


class ChurnOrder(msgspec.Struct, forbid_unknown_fields=True):
    """How many updates without meaning every reader of the live feed gets per real second."""

    updates_per_second: float = 0.0


class BeyondTrustApi:
    """Answers the HTTP side of an appliance: tokens, commands, reports, and the health probe."""

    def __init__(self, site: Site, clock: SimClock, seed: int, faults: Faults, dialect: Dialect) -> None:
        """Serve a site to the one account of a seed."""
        self.site = site
        self.clock = clock
        self.seed = seed
        self.tokens = Tokens(Account.of(seed), seed)
        self.limits = Limits()
        self.restarts = Restarts(site.opened)
        self.model = Model(site, dialect, seed)
        self.set_faults(faults)

    @property
    def dialect(self) -> Dialect:
        """Return the dialect served."""
        return self.model.dialect

    def set_dialect(self, dialect: Dialect) -> None:
        """Serve another reading of the vendor's documents."""
        self.model = Model(self.site, dialect, self.seed, self.model)
        self.set_faults(self.faults)

    def set_faults(self, faults: Faults) -> None:
        """Serve with other faults."""
        self.faults = faults
        self._command = CommandApi(self.site, self.tokens.account, self.model, self.restarts)
        self._reporting = ReportingApi(self.site, self.model, self.restarts, faults)

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        now = self.clock.now_ms()
        if request.path == "/oauth2/token":
            return self.tokens.answer(request, self.dialect, now)
        if request.path == "/check_health":
            return Reply(200, b"", "text/html")
        if request.path not in {"/api/command", "/api/reporting"}:
            return opaque(404)
        if request.method not in {"GET", "POST"}:
            return opaque(405)
        if not self.tokens.valid(bearer(request), now):
            return denied()
        verdict = self.limits.ask(self.dialect)
        if not verdict.passes:
            reply = opaque(429)
        elif request.path == "/api/command":
            reply = self._command.answer(parameters(request), now)
        else:
            reply = self._reporting.answer(parameters(request), now)
        return Reply(reply.status, reply.body, reply.content_type, (*reply.headers, *verdict.headers))


class BeyondTrustServer(VendorServer[Dialect]):
    """A running appliance: start it, or use it as a context manager.

    `base_url`, `client_id`, `client_secret` and `company` are what a client needs, the
    live feed is at `ws_url`; the rest steers the simulation from inside the process, as
    `/_simulator/` does from outside.  Live connections that stand know no change of faults,
    and what is paged or counted (`unstable_pages`, `wrong_total`, `stringly_limit`) is not in
    these APIs.
    """

    def __init__(
        self,
        centre: Centre,
        clock: SimClock | None = None,
        *,
        faults: Faults | None = None,
        dialect: Dialect | None = None,
        agents: Collection[str] | None = None,
        port: int = 0,
    ) -> None:
        """Bind to 127.0.0.1; `port` 0 takes a free one.  The clock defaults to real time.

        `agents` are the centre's agents who work on this appliance (None: all of them).

        Raises:
            ValueError: An agent is not on the centre's payroll.
        """
        clock = clock or SimClock(running=True)
        faults = faults or Faults()
        self._site = Site.of(centre, agents)
        self.api = BeyondTrustApi(self._site, clock, centre.seed, faults, dialect or Dialect())
        self.feed = Feed(self.api.model, self.api.restarts, self.api.tokens, clock.now_ms)
        further: dict[tuple[str, str], Action] = {
            ("POST", "churn"): self._set_churn,
            ("POST", "restart"): lambda _: {"restarted": self.restart()},
            ("POST", "disconnect"): lambda _: {"disconnected": self.disconnect()},
            ("POST", "secret"): lambda _: {"client_secret": self.rotate_secret()},
        }

        def carrier(admin: Admin) -> LiveWire:
            self._live = LiveWire(self.api, self.feed, admin, port)
            return self._live

        super().__init__(centre, clock, self.api, faults, further=further, carrier=carrier)

    @property
    def ws_url(self) -> str:
        """Return the address of the live feed."""
        return f"ws://127.0.0.1:{self.port}/nw"

    @property
    def company(self) -> str:
        """Return the company's API name."""
        return self.account.company

    @property
    def client_id(self) -> str:
        """Return the API account's id."""
        return self.account.client_id

    @property
    def client_secret(self) -> str:
        """Return the API account's secret."""
        return self.account.client_secret

    @property
    def account(self) -> Account:
        """Return the account as it is now; the secret may have been changed."""
        return self.api.tokens.account

    @property
    def agent_ids(self) -> Mapping[str, str]:
        """Return the vendor's `user_id` by the centre's agent id."""
        agents = [agent for agent in self.centre.agents if agent.agent_id in self._site.people]
        return MappingProxyType({name: str(number) for name, number in user_ids(agents).items()})

    def set_dialect(self, dialect: Dialect) -> Dialect:
        """Serve another dialect from the next request, and the next live connection, on."""
        super().set_dialect(dialect)
        self.feed.model = self.api.model
        return dialect

    def restart(self) -> int:
        """Restart the appliance's processes now: a new lifetime with other row ids; return when (ms UTC)."""
        begun: Lifetime = self.api.restarts.add(self.clock.now_ms())
        return begun[0]

    def disconnect(self) -> int:
        """Break all live connections without a word; return how many there were."""
        return self._live.disconnect()

    def churn(self, updates_per_second: float) -> None:
        """Send every reader of the live feed so many updates without meaning per real second."""
        self.feed.churn.updates_per_second = updates_per_second

    def _set_churn(self, body: bytes) -> object:
        order = msgspec.json.decode(body, type=ChurnOrder)
        self.churn(order.updates_per_second)
        return order

    def rotate_secret(self) -> str:
        """Give the account another secret, which invalidates its tokens; return it."""
        self.api.tokens.rotate_secret()
        return self.client_secret

    def stats(self) -> dict[str, object]:
        """Return the counters: requests, statuses, bytes, tokens, live connections and messages."""
        places = self.feed.integrations
        return {
            **super().stats(),
            "tokens_issued": self.api.tokens.issued,
            "receiving": places.receiving,
            "refused": places.refused,
            "messages": places.messages,
            "cut_off": places.cut_off,
        }
