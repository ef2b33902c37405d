"""Polars' lazy forms of the timeline and of the quarters of an hour, as fast as we can write them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from benchmarks import data as made
from orchestration.builds import Builds
from orchestration.lake import Lake

_QUARTER = 900_000_000
_CHANNELS = ("voice", "email", "messaging", "sms", "workItem")
_STATES = ("available", "handling", "wrap_up", "not_ready", "offline", "unobserved")
_TEXTS = ("source", "agent_id", "session_id", "vendor_state", "reason_code", "reason", "direction", "state")
_SHAPE = (*_TEXTS, "work_items", "load", "capacity", "started_at")


def timeline(data: Path, out: Path) -> None:
    """Sort, shift, drop what has no length; the lists of capacity by unfolding and grouping them once."""
    builds = Builds(Lake(data / "day" / "lake"))
    staged = pl.scan_parquet(builds.paths(made.STAGING, made.DAY))
    carried = pl.scan_parquet(builds.paths(made.DAY_CLOSE, made.EVENING))
    start = datetime(made.DAY.year, made.DAY.month, made.DAY.day, tzinfo=UTC)
    end = start + timedelta(days=1)
    rows = (
        staged.filter(pl.col("started_at").is_between(start, end, closed="left"))
        .with_columns(*_told())
        .select(*_SHAPE, "event_id", pl.col("ended_at").is_not_null().alias("is_closed"), "received_at")
    )
    before = carried.select(
        *(name for name in _SHAPE if name != "started_at"),
        pl.lit(start).cast(pl.Datetime("us", "UTC")).alias("started_at"),
        pl.lit(None, pl.String).alias("event_id"),
        pl.lit(value=False).alias("is_closed"),
        pl.lit(None, pl.Datetime("us", "UTC")).alias("received_at"),
    ).select(rows.collect_schema().names())
    following = (
        pl.when(pl.col("agent_id").shift(-1) == pl.col("agent_id"))
        .then(pl.col("started_at").shift(-1))
        .otherwise(pl.lit(end).cast(pl.Datetime("us", "UTC")))
    )
    (
        pl.concat([rows, before])
        .sort("source", "agent_id", "started_at", "event_id", "is_closed", "received_at")
        .with_columns(following.alias("ended_at"))
        .filter(pl.col("ended_at") > pl.col("started_at"))
        .select(*_SHAPE, "ended_at")
        .sink_parquet(out / "timeline.parquet", compression="snappy")
    )


def _told() -> list[pl.Expr]:
    entry = pl.element().struct
    counts = [
        pl.col("capacity").list.eval(entry.field("channels").struct.field(name)).list.max().fill_null(0)
        for name in _CHANNELS
    ]
    work = pl.sum_horizontal(counts)
    load = pl.col("capacity").list.eval((entry.field("load") * entry.field("capacity")).round().cast(pl.Int64))
    state = (
        pl.when(work > 0)
        .then(pl.lit("handling"))
        .when(pl.col("presence") == "ready")
        .then(pl.lit("available"))
        .when(pl.col("reason_name") == "After Call Work")
        .then(pl.lit("wrap_up"))
        .otherwise(pl.lit("not_ready"))
    )
    return [
        work.alias("work_items"),
        load.list.sum().alias("load"),
        pl.col("capacity").list.eval(entry.field("capacity")).list.sum().alias("capacity"),
        state.alias("state"),
        pl.col("presence").alias("vendor_state"),
        pl.col("reason_id").alias("reason_code"),
        pl.col("reason_name").alias("reason"),
    ]


def buckets(data: Path, out: Path) -> None:
    """States inside one bucket straight, the others split by ``int_ranges``."""
    first, last = (pl.col("s") // _QUARTER).alias("first"), ((pl.col("e") - 1) // _QUARTER).alias("last")
    spans = (
        pl.scan_parquet(data / "timeline.parquet")
        .select(
            "source",
            "agent_id",
            "state",
            "work_items",
            "load",
            "capacity",
            pl.col("started_at").cast(pl.Int64).alias("s"),
            pl.col("ended_at").cast(pl.Int64).alias("e"),
        )
        .with_columns(first, last)
    )
    inside = spans.filter(pl.col("first") == pl.col("last")).with_columns(pl.col("first").alias("bucket"))
    across = (
        spans.filter(pl.col("first") < pl.col("last"))
        .with_columns(pl.int_ranges("first", pl.col("last") + 1).alias("bucket"))
        .explode("bucket")
    )
    edge = pl.col("bucket") * _QUARTER
    us = (pl.min_horizontal("e", edge + _QUARTER) - pl.max_horizontal("s", edge)).alias("us")
    parts = pl.concat([inside.select(across.collect_schema().names()), across]).with_columns(us)
    ready = pl.col("state").is_in(["available", "handling"])
    (
        parts.group_by("source", "agent_id", "bucket")
        .agg(
            *(pl.col("us").filter(pl.col("state") == name).sum().alias(f"{name}_us") for name in _STATES),
            (pl.col("us") * pl.col("work_items")).sum().alias("work_item_us"),
            (pl.col("us") * pl.col("load")).sum().alias("load_us"),
            (pl.col("us") * pl.col("capacity")).filter(ready).sum().alias("capacity_us"),
        )
        .with_columns((pl.col("bucket") * _QUARTER).cast(pl.Datetime("us", "UTC")).alias("interval_start"))
        .drop("bucket")
        .sort("source", "agent_id", "interval_start")
        .sink_parquet(out / "buckets.parquet", compression="snappy")
    )
