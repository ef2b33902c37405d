"""The raw assets of Kore.ai: the past of each source, fetched where it is missing or unsettled.

The only file of this package that knows Dagster; how a raw asset runs belongs in ``orchestration/raw_assets.py``.
"""

import dagster as dg

from assets.config import SourceConfig
from assets.kore import AGENT_ACTIVITY
from orchestration.raw_assets import pull_asset


def raw_assets(source: SourceConfig, days: dg.PartitionsDefinition[str]) -> list[dg.AssetsDefinition]:
    """The raw assets of one source, one per feed that it captures."""
    feed = source.promised(AGENT_ACTIVITY)
    told = f"Agents' activity of {source.name} as Kore.ai sent it, a segment per window of an hour, byte for byte."
    return [pull_asset(source, feed, days, told)] if source.captures(feed.name) else []
