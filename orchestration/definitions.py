"""The whole graph in one screen: raw assets per source, an asset per model, the warehouse.

``build_defs`` takes overrides, for tests and the command line; ``defs`` is what Dagster's own commands load.
"""

import warnings
from datetime import date
from importlib import import_module
from itertools import starmap
from typing import Any

import dagster as dg
from assets.config import SourceConfig

from orchestration.alarm_sensor import alarms
from orchestration.coming import build_what_came
from orchestration.freshness import freshness, freshness_asset, freshness_check
from orchestration.guard import capture_before_loss, retention_guard
from orchestration.model_assets import OWNERS, model_assets
from orchestration.outdated import every_morning, look_for_outdated_days, nothing_is_out_of_date
from orchestration.partitions import utc_days
from orchestration.raw_assets import raw_metadata, recorded_asset
from orchestration.report_assets import report_definitions
from orchestration.resources import Engine
from orchestration.schedules import capture, every_night, every_quarter_hour, housekeeping
from orchestration.sensors import new_segments
from orchestration.settings import Settings, feeds_of, load_settings


def build_defs(
    settings: Settings | None = None,
    *,
    engine: Engine | None = None,
    first_day: date | None = None,
    last_day: date | None = None,
    lineage: bool = True,
    watched: bool = True,
) -> dg.Definitions:
    """Everything that Dagster runs.

    Args:
        settings: Configuration; read from ``SHIFTBOOK_HOME`` and ``SHIFTBOOK_SOURCES`` unless given.
        engine: The tools, instead of settings.
        first_day: First UTC day of the partitions, if earlier than what configuration and lake call for.
        last_day: Last one; the running day unless given.
        lineage: Whether to find where columns come from, which takes seconds and only the UI shows.
        watched: Whether feeds have checks of how new their data is: how they stand now is no affair of a backfill.

    Raises:
        SettingsError: The configuration is wrong; the message lists every problem.
    """
    engine = engine or Engine(settings or load_settings())
    first = min(first_day or engine.first_day(), engine.first_day())
    days = utc_days(first, last_day)
    # What a source captured before it was switched off is still read.
    kept = [
        dg.AssetSpec(
            ["raw", source.name, feed.name],
            group_name=source.vendor,
            kinds={"parquet"},
            owners=OWNERS,
            description=f"What {source.name} sent before it was switched off by 'enabled: false'; nothing is fetched.",
            metadata=raw_metadata(source, feed),
        )
        for source in engine.settings.sources
        if not source.enabled
        for feed in feeds_of(source)
    ]
    with warnings.catch_warnings():
        # Links to the SQL, many days in one run, windows that reach before the first day: beta; dagster is pinned.
        warnings.simplefilter("ignore", dg.BetaWarning)
        raw = [asset for source in engine.settings.sources if source.enabled for asset in _raw(source, days)]
        models = model_assets(engine, days, lineage=lineage)
        reports = report_definitions(engine, first)
    enabled = [source for source in engine.settings.sources if source.enabled and watched]
    jobs: list[Any] = [capture, build_what_came, capture_before_loss, housekeeping]
    feeds = [(source, feed) for source in enabled for feed in feeds_of(source)]
    built = dg.Definitions(
        assets=[*raw, *kept, *models, *starmap(freshness_asset, feeds)],
        asset_checks=[*starmap(freshness_check, feeds), *([nothing_is_out_of_date] if watched else [])],
        jobs=[*jobs, look_for_outdated_days] if watched else jobs,
        schedules=[every_quarter_hour, every_night, *([every_morning] if watched else [])],
        sensors=[new_segments, freshness, retention_guard, alarms],
        resources={"engine": engine},
        executor=dg.in_process_executor,
    )
    return dg.Definitions.merge(built, reports)


def _raw(source: SourceConfig, days: dg.PartitionsDefinition[str]) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """A source's pull feeds, which runs fetch, and its live feeds, which the recorder lands and a sensor reports."""
    fetched = import_module(f"assets.{source.vendor}.assets").raw_assets(source, days)
    return [*fetched, *(recorded_asset(source, feed, days) for feed in feeds_of(source) if feed.live)]


@dg.definitions
def defs() -> dg.Definitions:
    """What ``dagster dev -w workspace.yaml`` and ``shiftbook up`` load; nothing is read before it is called."""
    return build_defs()
