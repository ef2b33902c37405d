"""The raw asset of one feed of one source: of a pull feed, it fetches what is missing or unsettled of some days.

Where a vendor's own file (``assets/<vendor>/assets.py``) says what its feeds are, this runs them. How to ask belongs in
the vendor's client, what to ask for in ``assets/windows.py``.
"""

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import dagster as dg
from assets.capture import CaptureError, CaptureResult, Store, capture
from assets.config import SourceConfig
from assets.feeds import Feed
from assets.registry import connect

from orchestration.constants import RAW_TYPES
from orchestration.inputs import midnight
from orchestration.partitions import days_of
from orchestration.resources import Engine
from orchestration.warehouse import RAW_COLUMNS

CHECK = "fetched_everything"
LandFiles = Callable[[Store, list[date]], CaptureResult]


def pull_asset(
    source: SourceConfig,
    feed: Feed,
    days: dg.PartitionsDefinition[str],
    description: str,
    *,
    files: LandFiles | None = None,
    asks: bool = True,
) -> dg.AssetsDefinition:
    """The raw asset of one pull feed, with a check that everything which the vendor still has was got.

    Args:
        source: The source.
        feed: The feed.
        days: The partitions.
        description: What Dagster shows.
        files: Lands what the vendor's own exports left on this machine, for these UTC days.
        asks: Whether the vendor is asked; otherwise files are all there is.
    """
    key = dg.AssetKey(["raw", source.name, feed.name])
    spec = dg.AssetSpec(
        key,
        group_name=source.vendor,
        kinds={"api", "parquet"},
        owners=["team:operations"],
        description=f"{description} Missing and unsettled windows are fetched, the others left alone.",
        metadata=raw_metadata(source, feed),
    )
    check = dg.AssetCheckSpec(
        CHECK, asset=key, description="Protects against holes: every window that the vendor still has was got."
    )

    @dg.multi_asset(
        name=f"capture__{source.name}__{feed.name}",
        specs=[spec],
        check_specs=[check],
        partitions_def=days,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def captured(
        context: dg.AssetExecutionContext, engine: dg.ResourceParam[Engine]
    ) -> Iterator[dg.MaterializeResult[Any]]:
        wanted = days_of(context)
        result = _capture(engine, source, feed, wanted) if asks else CaptureResult(0, 0, 0, 0)
        if files is not None:
            result = result.plus(files(engine.lake, wanted))
        engine.touched.update(result.touched_days)
        yield _outcome(key, result)

    return captured


def _outcome(key: dg.AssetKey, result: CaptureResult) -> dg.MaterializeResult[Any]:
    errors = "\n".join(f"- {error}" for error in result.errors[:20])
    return dg.MaterializeResult(
        asset_key=key,
        metadata={
            "windows_asked_for": result.planned,
            "segments_landed": result.landed,
            "identical_replies": result.identical,
            "windows_failed": result.failed,
        },
        # A vendor that is down must not stop the others, so it fails a check and not the run.
        check_results=[
            dg.AssetCheckResult(
                check_name=CHECK,
                passed=not result.errors,
                metadata={"windows_failed": result.failed, "errors": dg.MetadataValue.md(errors)},
            )
        ],
    )


def recorded_asset(source: SourceConfig, feed: Feed, days: dg.PartitionsDefinition[str]) -> dg.AssetSpec:
    """The raw asset of one live feed: no run can fetch it, what the recorder landed is reported by a sensor."""
    return dg.AssetSpec(
        ["raw", source.name, feed.name],
        group_name=source.vendor,
        kinds={"api", "parquet"},
        owners=["team:operations"],
        description=f"What {source.name} told while 'shiftbook record' listened, byte for byte: {feed.about}. "
        "It cannot be fetched later; what was missed is in ops.feed_coverage.",
        partitions_def=days,
        metadata=raw_metadata(source, feed),
    )


def raw_metadata(source: SourceConfig, feed: Feed) -> dict[str, Any]:
    """What Dagster shows of a raw table: its name in the warehouse, and its columns."""
    columns = [dg.TableColumn(name, kind.lower(), description=RAW_COLUMNS[name]) for name, kind in RAW_TYPES.items()]
    return {
        "dagster/table_name": f"raw.{source.vendor}_{feed.name}",
        "dagster/column_schema": dg.TableSchema(columns=columns),
    }


def _capture(engine: Engine, source: SourceConfig, feed: Feed, days: list[date]) -> CaptureResult:
    since = midnight(source.since) if source.since else None
    engine.lake.request(source.vendor, feed.name, source.name, max(midnight(days[0]), since or midnight(days[0])))
    try:
        return capture(
            connect(source, feed),
            engine.lake,
            vendor=source.vendor,
            source=source.name,
            feed=feed,
            days=days,
            suspect=engine.suspects(source.name, days[0]) if feed.state_bearing else (),
            since=since,
            on_window=lambda planned, _: engine.progress(f"{source.name} {planned.window.start:%Y-%m-%d %H:%M}"),
        )
    except CaptureError as error:
        return error.result  # it names the refusal among its errors
