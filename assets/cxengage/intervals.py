"""CxEngage's own sums per agent and quarter of an hour: the second opinion about what Shiftbook computes.

Only what differs from the agent states: endpoint, permission, shape of the list. What the figures mean is for SQL.
"""

from typing import ClassVar

import msgspec

from assets.cxengage import AGENT_INTERVALS
from assets.cxengage.client import CxEngageClient, Envelope, Row
from assets.feeds import Feed
from assets.json_text import paired

PAGE_LIMIT = 1_000
"""The limit that the vendor's sample reply shows; no greater one is known to be taken."""


class _Sum(Row):
    """What tells one record from another, so that a page that repeats the one before is known."""

    agent_id: object = None
    start_timestamp: object = None


class _Loose(msgspec.Struct, rename="camel"):
    """An envelope whose ``results`` may be one object in place of a list, as in the vendor's samples."""

    results: list[_Sum | list[object] | str | int | float | bool | None] | _Sum
    total: object = None
    limit: object = None


_DECODER = msgspec.json.Decoder(_Loose)


class IntervalsClient(CxEngageClient):
    """One tenant's sums per agent and interval."""

    feed: ClassVar[Feed] = AGENT_INTERVALS
    subject: ClassVar[str] = "sums per agent and interval"
    endpoint: ClassVar[str] = "wfm/intervals/agent"
    permission: ClassVar[str] = "WFM_HISTORICAL"
    limit: ClassVar[int] = PAGE_LIMIT

    def decode(self, body: bytes) -> Envelope:
        """What paging needs of a reply, of which one object counts as one record.

        Raises:
            msgspec.MsgspecError: It is no envelope.
        """
        loose = _DECODER.decode(paired(body))
        results = [loose.results] if isinstance(loose.results, _Sum) else loose.results
        return Envelope(results=list(results), total=loose.total, limit=loose.limit)
