"""What a Kore.ai source says in ``sources.yaml``, beside the common keys. No requests, no environment."""

import dataclasses
import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from assets.config import Secret, SourceConfig, Zone
from assets.feeds import Feed

IDENTIFIER = re.compile(r"[A-Za-z0-9_-]+")


def _identifier(value: str) -> str:
    # The one is part of the path and the other a header: neither may bring anything else along.
    if not IDENTIFIER.fullmatch(value):
        raise ValueError("must be an id of letters, digits, - and _, as Kore.ai shows it")
    return value


class KoreConfig(SourceConfig):
    """One account of Kore.ai SmartAssist.

    Attributes:
        account_id: The account, part of every path.
        app_id: Id of the app whose scope is *WFM Integration*, ``cs-…``.
        client_secret: Its secret, which signs the tokens.
        stream_id: The header ``iId``, ``st-…``; sent only when given.
        event_timezone: IANA zone of ``EventTime``, which carries none.
        retention_days: How long the vendor keeps updates, in days; four are assumed, since it does not say.
        max_requests_per_minute: 50 unless told; the vendor grants an account 60, for all its programs together.
    """

    vendor: Literal["kore"]
    account_id: Annotated[str, AfterValidator(_identifier)]
    app_id: Secret
    client_secret: Secret
    stream_id: Annotated[str, AfterValidator(_identifier)] | None = None
    event_timezone: Zone = "UTC"
    retention_days: Annotated[int, Field(gt=0, le=366)] | None = None
    max_requests_per_minute: Annotated[int, Field(ge=5)] = 50

    def promised(self, feed: Feed) -> Feed:
        """The feed with this account's zone and retention."""
        retention = timedelta(days=self.retention_days) if self.retention_days else feed.retention
        return dataclasses.replace(feed, event_timezone=self.event_timezone, retention=retention)
