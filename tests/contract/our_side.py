"""How the tests of the BeyondTrust clients stand before the simulated appliance: one of our own, without its pauses."""

from collections.abc import Callable
from typing import Any

from assets.beyondtrust.appliance import Appliance
from assets.beyondtrust.config import BeyondTrustConfig
from assets.config import Origin
from assets.http import Clock
from simulator.beyondtrust import BeyondTrustServer


class Brisk(Clock):
    """Waits hardly at all."""

    def sleep(self, seconds: float) -> None:
        """Wait for a thousandth of the time."""
        super().sleep(seconds / 1000)


def appliance(server: BeyondTrustServer, **changes: Any) -> Appliance:
    """Our side of it, without the pauses between calls."""
    clock = changes.pop("clock", Brisk())
    environ = {"BT_ID": server.client_id, "BT_SECRET": changes.pop("secret", server.client_secret)}
    keys = {
        "name": "support_eu",
        "vendor": "beyondtrust",
        "base_url": server.base_url,
        "client_id": "${BT_ID}",
        "client_secret": "${BT_SECRET}",
        "timeout_seconds": 10,
    }
    made = BeyondTrustConfig.model_validate(keys | changes, context=Origin(environ=environ))
    return Appliance(made, clock)


def client(kind: Callable[..., Any], server: BeyondTrustServer, **changes: Any) -> Any:
    """A client of one feed."""
    ours = appliance(server, **changes)
    return kind(ours.config, ours)


def refusals(server: BeyondTrustServer) -> int:
    """How many requests were too many."""
    counts: Any = server.stats()["by_status"]
    return int(counts.get("429", 0))
