"""The raw assets of BeyondTrust: the past of each source, fetched where it is missing or unsettled.

The only file of this package that knows Dagster; how a raw asset runs belongs in ``orchestration/raw_assets.py``. The
live feeds are recorded, not fetched.
"""

import dagster as dg

from assets.beyondtrust import ARCHIVE, SESSIONS
from assets.config import SourceConfig
from orchestration.raw_assets import pull_asset


def raw_assets(source: SourceConfig, days: dg.PartitionsDefinition[str]) -> list[dg.AssetsDefinition]:
    """The raw assets of one source, one per pull feed that it captures."""
    told = {
        ARCHIVE: f"The archived state of {source.name}: listings, snapshots and event files, half an hour per segment.",
        SESSIONS: f"Reports of support sessions and team activity of {source.name}, an hour per segment.",
    }
    return [pull_asset(source, feed, days, text) for feed, text in told.items() if source.captures(feed.name)]
