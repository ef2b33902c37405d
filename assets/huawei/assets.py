"""The raw assets of Huawei: the last day of each source's agents, fetched where it is missing or unsettled.

The only file of this package that knows Dagster; how a raw asset runs belongs in ``orchestration/raw_assets.py``. The
live feeds have no past to ask for: the recorder lands them.
"""

import dagster as dg

from assets.config import SourceConfig
from assets.huawei import CMS_HISTORY
from orchestration.raw_assets import pull_asset


def raw_assets(source: SourceConfig, days: dg.PartitionsDefinition[str]) -> list[dg.AssetsDefinition]:
    """The raw assets of one source, one per pull feed that it captures."""
    told = f"Operations of the agents of {source.name} as CC-CMS sent them, a segment per hour with a page per agent."
    return [pull_asset(source, CMS_HISTORY, days, told)] if source.captures(CMS_HISTORY.name) else []
