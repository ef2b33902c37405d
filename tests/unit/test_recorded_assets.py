"""Live feeds in Dagster: assets that no run can make, and that runs over everything leave alone."""

from pathlib import Path
from types import MappingProxyType

import dagster as dg
import pytest

from assets import registry
from assets.cxengage import AGENT_STATES
from assets.registry import Vendor
from orchestration.backfill import Runner
from orchestration.definitions import build_defs
from orchestration.resources import Engine
from tests.pipeline.site import day
from tests.pipeline.toy import engine_at, land, shift
from tests.recording import WORDS

HEARD = dg.AssetKey(["raw", "cx", "words"])


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """A home whose vendor has a live feed, too."""
    whole = registry.VENDORS["cxengage"]
    both = Vendor(whole.name, whole.config, (AGENT_STATES, WORDS))
    monkeypatch.setattr("orchestration.settings.VENDORS", MappingProxyType({"cxengage": both}))
    return engine_at(tmp_path / "home")


def test_a_live_feed_is_an_asset_that_no_run_makes(engine: Engine) -> None:
    """If this fails, what is recorded is not in the graph, or someone may try to fetch it."""
    defs = build_defs(engine=engine, lineage=False)
    node = defs.resolve_asset_graph().get(HEARD)
    assert not node.is_executable
    assert node.group_name == "cxengage"
    assert node.partitions_def is not None
    assert "shiftbook record" in (node.description or "")
    assert HEARD not in defs.resolve_job_def("capture").asset_layer.executable_asset_keys


def test_a_backfill_leaves_live_feeds_alone(engine: Engine) -> None:
    """If this fails, a backfill of all sources fails as soon as one of them is only recorded."""
    land(engine, day(0), shift("ann", day(0)))
    report = Runner(engine, day(0), day(0)).backfill(day(0), day(0), select='key:"raw/cx/words" or key:"staging/*"')
    assert report.ran, report
    assert report.days == [day(0)]
