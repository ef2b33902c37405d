"""The one list of vendors: adding a vendor adds a line here. No requests, no settings, no Dagster."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

from assets.config import SourceConfig
from assets.cxengage import AGENT_STATES
from assets.cxengage.config import CxEngageConfig
from assets.feeds import Feed

if TYPE_CHECKING:
    from assets.capture import PullClient


@dataclass(frozen=True, slots=True)
class Vendor:
    """What Shiftbook knows of a vendor.

    Attributes:
        name: As in ``vendor:`` of a source and in the lake's paths.
        config: The keys that its sources have.
        feeds: The feeds that it offers.
        client: ``module:Class`` of its client, imported when first needed, so that reports need no HTTP library.
    """

    name: str
    config: type[SourceConfig]
    feeds: tuple[Feed, ...]
    client: str

    def connect(self, source: SourceConfig) -> "PullClient":
        """Make the client of one source; it reads secrets and asks the vendor only when used."""
        module, name = self.client.split(":")
        client: PullClient = getattr(import_module(module), name)(source)
        return client


VENDORS: Mapping[str, Vendor] = MappingProxyType(
    {
        vendor.name: vendor
        for vendor in (Vendor("cxengage", CxEngageConfig, (AGENT_STATES,), "assets.cxengage.client:CxEngageClient"),)
    }
)
