"""The raw assets of Huawei: the last day of each source's agents, fetched where it is missing, and files of CC-FS.

The only file of this package that knows Dagster; how a raw asset runs belongs in ``orchestration/raw_assets.py``. The
live feeds have no past to ask for: the recorder lands them.
"""

from functools import partial

import dagster as dg

from assets.config import SourceConfig
from assets.huawei import CMS_HISTORY
from assets.huawei.config import HuaweiConfig
from assets.huawei.files import land_files
from orchestration.raw_assets import pull_asset


def raw_assets(source: SourceConfig, days: dg.PartitionsDefinition[str]) -> list[dg.AssetsDefinition]:
    """The raw assets of one source, one per pull feed that it captures."""
    if not isinstance(source, HuaweiConfig) or not source.captures(CMS_HISTORY.name):
        return []
    told = f"Operations of the agents of {source.name} as CC-CMS sent them, a segment per hour with a page per agent."
    files = None
    if source.cms_files is not None:
        files = partial(land_files, source)
        told += " Files of CC-FS are landed as they lie in its folder."
    return [pull_asset(source, CMS_HISTORY, days, told, files=files, asks=source.cms is not None)]
