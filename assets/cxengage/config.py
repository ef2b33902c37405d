"""What a CxEngage source says in ``sources.yaml``, beside the common keys. No requests, no environment."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, FiniteFloat

from assets.config import Secret, SourceConfig
from assets.cxengage import AGENT_INTERVALS

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def _uuid(value: str) -> str:
    if not UUID.fullmatch(value):
        raise ValueError("must be the tenant's UUID, as 00000000-0000-0000-0000-000000000000")
    return value


class CxEngageConfig(SourceConfig):
    """One tenant of CxEngage. Each region has an address of its own, as ``https://api.cxengage.net``.

    Attributes:
        tenant_id: The tenant, a UUID, part of every path.
        username: User of Basic authentication, whose role needs the permission *WFM RTA*.
        password: Its password.
        timeout_seconds: 120 s unless told, as in the vendor's own SDK (api_utils.cljs).
        interval_unit: What the times of ``agent_intervals`` are in. The vendor's pages do not say.
    """

    vendor: Literal["cxengage"]
    tenant_id: Annotated[str, AfterValidator(_uuid)]
    username: Secret
    password: Secret
    timeout_seconds: Annotated[FiniteFloat, Field(gt=0)] = 120.0
    interval_unit: Literal["seconds", "milliseconds"] = "seconds"

    def captures(self, feed: str) -> bool:
        """Whether a feed is captured; the sums need a permission of their own, so they must be named."""
        return super().captures(feed) and (self.feeds is not None or feed != AGENT_INTERVALS.name)

    def sums_unit_seconds(self) -> float:
        """How many seconds one unit of the vendor's own sums is."""
        return 0.001 if self.interval_unit == "milliseconds" else 1.0
