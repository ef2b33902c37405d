"""The one list of vendors: adding a vendor adds a line here. No requests, no settings, no Dagster."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from assets.beyondtrust import ARCHIVE, COMMAND, SESSIONS, STATE
from assets.beyondtrust.config import BeyondTrustConfig
from assets.config import SourceConfig
from assets.cxengage import AGENT_INTERVALS, AGENT_STATES
from assets.cxengage.config import CxEngageConfig
from assets.feeds import Feed
from assets.huawei import AGENT_STATUS, CMS_HISTORY, CMS_STATUS
from assets.huawei.config import HuaweiConfig
from assets.kore import AGENT_ACTIVITY
from assets.kore.config import KoreConfig

if TYPE_CHECKING:
    from assets.capture import PullClient
    from assets.live import LiveClient


@dataclass(frozen=True, slots=True)
class Vendor:
    """What Shiftbook knows of a vendor.

    Attributes:
        name: As in ``vendor:`` of a source and in the lake's paths.
        config: The keys that its sources have.
        feeds: The feeds that it offers.
    """

    name: str
    config: type[SourceConfig]
    feeds: tuple[Feed, ...]


def connect(source: SourceConfig, feed: Feed) -> "PullClient":
    """Make the client of one pull feed of a source; it reads secrets and asks the vendor only when used."""
    client: PullClient = _client(feed)(source)
    return client


def connect_live(source: SourceConfig, feed: Feed) -> "LiveClient":
    """Make the client of one live feed of a source; it reads secrets and asks the vendor only when run."""
    client: LiveClient = _client(feed)(source)
    return client


def _client(feed: Feed) -> Callable[[SourceConfig], Any]:
    module, name = feed.client.split(":")
    made: Callable[[SourceConfig], Any] = getattr(import_module(module), name)
    return made


VENDORS: Mapping[str, Vendor] = MappingProxyType(
    {
        vendor.name: vendor
        for vendor in (
            Vendor("cxengage", CxEngageConfig, (AGENT_STATES, AGENT_INTERVALS)),
            Vendor("kore", KoreConfig, (AGENT_ACTIVITY,)),
            Vendor("huawei", HuaweiConfig, (AGENT_STATUS, CMS_STATUS, CMS_HISTORY)),
            Vendor("beyondtrust", BeyondTrustConfig, (STATE, ARCHIVE, COMMAND, SESSIONS)),
        )
    }
)
