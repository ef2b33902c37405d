"""The raw assets of CxEngage: the past of each source, fetched where it is missing or unsettled.

The only file of this package that knows Dagster; how to ask belongs in ``client.py``, what to ask for in
``assets/windows.py``.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from assets.capture import CaptureError, CaptureResult, capture
from assets.config import SourceConfig
from assets.cxengage import AGENT_STATES
from assets.cxengage.client import CxEngageClient
from assets.cxengage.config import CxEngageConfig
from orchestration.inputs import midnight
from orchestration.partitions import days_of
from orchestration.resources import Engine

CHECK = "fetched_everything"


def raw_assets(source: SourceConfig, days: dg.PartitionsDefinition[str]) -> list[dg.AssetsDefinition]:
    """The raw assets of one source, one per feed.

    Raises:
        TypeError: The source is another vendor's.
    """
    if not isinstance(source, CxEngageConfig):
        raise TypeError(f"{source.name} is no CxEngage source")
    key = dg.AssetKey(["raw", source.name, AGENT_STATES.name])

    spec = dg.AssetSpec(
        key,
        group_name="cxengage",
        kinds={"api", "parquet"},
        owners=["team:operations"],
        description=f"Agent states of {source.name} as CxEngage sent them: one segment per window of ten minutes, "
        "kept byte for byte. Missing and unsettled windows are fetched, the others left alone.",
    )
    check = dg.AssetCheckSpec(
        CHECK, asset=key, description="Protects against holes: every window that the vendor still has was got."
    )

    @dg.multi_asset(
        name=f"capture__{source.name}__{AGENT_STATES.name}",
        specs=[spec],
        check_specs=[check],
        partitions_def=days,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def agent_states(
        context: dg.AssetExecutionContext, engine: dg.ResourceParam[Engine]
    ) -> Iterator[dg.MaterializeResult[Any]]:
        result = _capture(context, engine, source)
        errors = "\n".join(f"- {error}" for error in result.errors[:20])
        yield dg.MaterializeResult(
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

    return [agent_states]


def _capture(context: dg.AssetExecutionContext, engine: Engine, source: CxEngageConfig) -> CaptureResult:
    days = days_of(context)
    since = midnight(source.since) if source.since else None
    engine.lake.request(
        source.vendor, AGENT_STATES.name, source.name, max(midnight(days[0]), since or midnight(days[0]))
    )
    try:
        result = capture(
            CxEngageClient(source),
            engine.lake,
            vendor=source.vendor,
            source=source.name,
            feed=AGENT_STATES,
            days=days,
            suspect=engine.suspects(source.name, days[0]),
            since=since,
            on_window=lambda planned, _: engine.progress(f"{source.name} {planned.window.start:%Y-%m-%d %H:%M}"),
        )
    except CaptureError as error:
        result = error.result  # it names the refusal among its errors
    engine.touched.update(result.touched_days)
    return result
