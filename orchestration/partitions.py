"""The one partitioning: UTC days.

Dagster's cost is per partition (19.5 s for the first look at hourly ones, 0.1 s at daily ones), so hours and quarters
of an hour are columns. What a day's rows are made from belongs in the models' headers.
"""

from collections.abc import Mapping
from datetime import date, timedelta

import dagster as dg

from orchestration.models import Model

LOCAL_DAYS = ("shiftbook/days", "local")
"""The tag of assets whose partitions are days of a report's zone: no run over UTC days can hold them."""


def utc_days(first: date, last: date | None = None) -> dg.DailyPartitionsDefinition:
    """UTC days from ``first`` on; up to ``last``, or to the running day, which is open like the others."""
    if last is None:
        return dg.DailyPartitionsDefinition(start_date=first.isoformat(), end_offset=1)
    return dg.DailyPartitionsDefinition(start_date=first.isoformat(), end_date=(last + timedelta(days=1)).isoformat())


def window_mapping(model: Model, parent: Model) -> dg.PartitionMapping:
    """A model's window of days of one parent, for Dagster's picture of what depends on what."""
    if parent.kind not in {"day", "segment"} or model.kind in {"whole", "view"}:
        return dg.AllPartitionMapping()
    first, last = model.window(parent.table)
    return dg.TimeWindowPartitionMapping(
        start_offset=first, end_offset=last, allow_nonexistent_upstream_partitions=True
    )


def days_of(context: dg.AssetExecutionContext) -> list[date]:
    """The days that a run builds, oldest first."""
    return sorted(date.fromisoformat(key) for key in context.partition_keys)


def days_of_run(tags: Mapping[str, str]) -> list[date] | None:
    """The days of a run as its tags name them, for assets without partitions; None when it has none."""
    first = tags.get("dagster/asset_partition_range_start", tags.get("dagster/partition"))
    last = tags.get("dagster/asset_partition_range_end", first)
    if first is None or last is None:
        return None
    start, end = date.fromisoformat(first), date.fromisoformat(last)
    return [start + timedelta(days=n) for n in range((end - start).days + 1)]
