"""The raw assets of CxEngage: the past of each source, fetched where it is missing or unsettled.

The only file of this package that knows Dagster; how a raw asset runs belongs in ``orchestration/raw_assets.py``.
"""

import dagster as dg

from assets.config import SourceConfig
from assets.cxengage import AGENT_INTERVALS, AGENT_STATES
from orchestration.raw_assets import pull_asset


def raw_assets(source: SourceConfig, days: dg.PartitionsDefinition[str]) -> list[dg.AssetsDefinition]:
    """The raw assets of one source, one per feed that it captures."""
    told = {
        AGENT_STATES: f"Agent states of {source.name} as CxEngage sent them, a segment per window of ten minutes, byte "
        "for byte.",
        AGENT_INTERVALS: f"CxEngage's own sums per agent of {source.name} and quarter of an hour, as it sent them, to "
        "which Shiftbook's are compared.",
    }
    return [pull_asset(source, feed, days, text) for feed, text in told.items() if source.captures(feed.name)]
