"""Pandas' forms of the timeline and of the quarters of an hour, with numpy where speed asks for it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks import data as made
from orchestration.builds import Builds
from orchestration.lake import Lake

_QUARTER = 900_000_000
_CHANNELS = ("voice", "email", "messaging", "sms", "workItem")
_STATES = ("available", "handling", "wrap_up", "not_ready", "offline", "unobserved")
_WORDS = ["source", "agent_id", "session_id", "event_id", "presence", "reason_id", "reason_name", "direction"]
_NAMES = {"presence": "vendor_state", "reason_id": "reason_code", "reason_name": "reason"}
_KEYS = ["source", "agent_id", "started_at", "event_id", "is_closed", "received_at"]
Ints = NDArray[np.int64]


def timeline(data: Path, out: Path) -> None:
    """Arrow's lists by ``reduceat``, then one stable sort and a shift."""
    builds = Builds(Lake(data / "day" / "lake"))
    columns = [*_WORDS, "started_at", "ended_at", "received_at", "capacity"]
    table = pa.concat_tables(
        [pq.read_table(p, columns=columns, partitioning=None) for p in builds.paths(made.STAGING, made.DAY)]
    )
    start = pd.Timestamp(made.DAY, tz="UTC")
    end = start + pd.Timedelta(days=1)
    table = table.filter(
        pc.and_(
            pc.greater_equal(table["started_at"], pa.scalar(start)),
            pc.less(table["started_at"], pa.scalar(end)),
        )
    )
    frame = table.drop_columns(["capacity"]).to_pandas().rename(columns=_NAMES)
    work, load, capacity = _told(table["capacity"].combine_chunks())
    frame["work_items"], frame["load"], frame["capacity"] = work, load, capacity
    idle = np.where(frame["reason"] == "After Call Work", "wrap_up", "not_ready")
    ready = np.where(frame["vendor_state"] == "ready", "available", idle)
    frame["state"] = np.where(work > 0, "handling", ready)
    frame["is_closed"] = frame["ended_at"].notna()
    names = [pq.read_table(p, partitioning=None) for p in builds.paths(made.DAY_CLOSE, made.EVENING)]
    before = (
        pa.concat_tables(names)
        .to_pandas()
        .rename(columns=_NAMES)
        .assign(started_at=start, is_closed=False, event_id="")
    )
    frame = pd.concat([frame, before[[name for name in before.columns if name in frame.columns]]])
    frame = frame.sort_values(_KEYS, ignore_index=True)
    same = frame["agent_id"] == frame["agent_id"].shift(-1)
    frame["ended_at"] = frame["started_at"].shift(-1).where(same, end)
    frame = frame[frame["ended_at"] > frame["started_at"]]
    frame.drop(columns=["is_closed", "received_at", "event_id"]).to_parquet(out / "timeline.parquet", index=False)


def buckets(data: Path, out: Path) -> None:
    """Rows repeated once a bucket, summed per state and cell."""
    names = ["source", "agent_id", "state", "work_items", "load", "capacity", "started_at", "ended_at"]
    frame = pq.read_table(data / "timeline.parquet", columns=names, partitioning=None).to_pandas()
    start, end = _microseconds(frame.pop("started_at")), _microseconds(frame.pop("ended_at"))
    first, last = start // _QUARTER, (end - 1) // _QUARTER
    times = last - first + 1
    rows = np.repeat(np.arange(len(frame)), times)
    bucket = first[rows] + np.arange(len(rows)) - np.repeat(np.cumsum(times) - times, times)
    us = np.minimum(end[rows], (bucket + 1) * _QUARTER) - np.maximum(start[rows], bucket * _QUARTER)
    agent, agents = pd.factorize(frame["agent_id"], sort=True)
    low = int(bucket.min())
    width = int(bucket.max()) - low + 1
    cell = agent[rows] * width + (bucket - low)
    size = len(agents) * width
    state = frame["state"].to_numpy()[rows]
    sums = {f"{name}_us": _sum(cell, us * (state == name), size) for name in _STATES}
    sums["work_item_us"] = _sum(cell, us * frame["work_items"].to_numpy()[rows], size)
    sums["load_us"] = _sum(cell, us * frame["load"].to_numpy()[rows], size)
    ready = (state == "available") | (state == "handling")
    sums["capacity_us"] = _sum(cell, us * frame["capacity"].to_numpy()[rows] * ready, size)
    filled = np.flatnonzero(np.bincount(cell, minlength=size))
    result = pd.DataFrame({name: values[filled] for name, values in sums.items()})
    result.insert(0, "interval_start", pd.to_datetime((filled % width + low) * _QUARTER, unit="us", utc=True))
    result.insert(0, "agent_id", agents[filled // width])
    result.insert(0, "source", frame["source"].iloc[0])
    result.to_parquet(out / "buckets.parquet", index=False)


def _sum(cell: Ints, values: Ints, size: int) -> Ints:
    total = np.zeros(size, dtype=np.int64)
    np.add.at(total, cell, values)
    return total


def _microseconds(times: pd.Series) -> Ints:
    return times.to_numpy("datetime64[us]").astype(np.int64)


def _told(lists: pa.ListArray) -> tuple[Ints, Ints, Ints]:
    """Interactions, load and capacity of each record; no record here has an empty list."""
    entries, starts = lists.flatten(), lists.offsets.to_numpy()[:-1]
    channels = entries.field("channels")
    work = sum(np.maximum.reduceat(channels.field(name).to_numpy(), starts) for name in _CHANNELS)
    capacity = entries.field("capacity").to_numpy()
    load = np.rint(entries.field("load").to_numpy() * capacity).astype(np.int64)
    return np.asarray(work), np.add.reduceat(load, starts), np.add.reduceat(capacity, starts)
