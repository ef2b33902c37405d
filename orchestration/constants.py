"""The tables that no model makes: configured feeds with their clocks, the state map, and the log of attempts.

Each is given as it matters to one day, so that a capture today changes nothing that yesterday was built from.
"""

import csv
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from assets.registry import VENDORS

from orchestration.inputs import Input, midnight, rows_input
from orchestration.lake import Lake, logs_in

RAW_TYPES = {
    "feed": "VARCHAR",
    "segment": "VARCHAR",
    "sequence": "BIGINT",
    "requested_at": "TIMESTAMPTZ",
    "received_at": "TIMESTAMPTZ",
    "window_start": "TIMESTAMPTZ",
    "window_end": "TIMESTAMPTZ",
    "request": "VARCHAR",
    "status": "BIGINT",
    "content_type": "VARCHAR",
    "payload": "BLOB",
    "payload_sha256": "VARCHAR",
    "source": "VARCHAR",
    "date": "DATE",
}
_ATTEMPT_TYPES = {
    "source": "VARCHAR",
    "feed": "VARCHAR",
    "window_start": "TIMESTAMPTZ",
    "window_end": "TIMESTAMPTZ",
    "attempted_at": "TIMESTAMPTZ",
    "status": "VARCHAR",
    "records": "BIGINT",
    "vendor_time": "TIMESTAMPTZ",
    "error": "VARCHAR",
    "segment": "VARCHAR",
    "open_ids": "VARCHAR[]",
    "closed_ids": "VARCHAR[]",
    "date": "DATE",
}
_CLOCK_TYPES = {
    "source": "VARCHAR",
    "vendor": "VARCHAR",
    "feed": "VARCHAR",
    "delay_seconds": "DOUBLE",
    "retention_seconds": "DOUBLE",
    "window_seconds": "DOUBLE",
    "state_bearing": "BOOLEAN",
    "uncertainty_seconds": "DOUBLE",
    "event_timezone": "VARCHAR",
    "sample_seconds": "DOUBLE",
    "first_requested_at": "TIMESTAMPTZ",
    "requested_until": "TIMESTAMPTZ",
    "observed_until": "TIMESTAMPTZ",
    "lost_before": "TIMESTAMPTZ",
    "drift_seconds": "DOUBLE",
}
_TOLERANCE_TYPES = {"source": "VARCHAR", "tolerance_seconds": "DOUBLE", "sums_unit_seconds": "DOUBLE"}
STATE_MAP_COLUMNS = ("vendor", "source", "feed", "vendor_state", "reason", "state")
_STATES = {"available", "handling", "wrap_up", "not_ready", "offline", "unobserved"}


class StateMapError(Exception):
    """A state map that cannot be read; the message names file, line and column."""


class LakeConstants:
    """Configuration and logs as small tables.

    Args:
        lake: Where attempts are logged.
        feeds: One row per configured feed (``settings.feed_rows``).
        state_maps: The built-in map, then the user's own, whose rows take the place of equal keys.
    """

    def __init__(self, lake: Lake, feeds: Sequence[Mapping[str, Any]], state_maps: Sequence[Path]) -> None:
        self.lake = lake
        self.feeds = feeds
        self.state_map = _merged(state_maps)

    @property
    def types(self) -> Mapping[str, Mapping[str, str]]:
        """Columns and DuckDB types by table, raw tables of all feeds among them."""
        raw = {f"raw.{vendor.name}_{feed.name}": RAW_TYPES for vendor in VENDORS.values() for feed in vendor.feeds}
        return {
            **raw,
            "raw.capture_attempts": _ATTEMPT_TYPES,
            "ops.feed_clock": _CLOCK_TYPES,
            "ops.tolerances": _TOLERANCE_TYPES,
            "staging.state_map": dict.fromkeys(STATE_MAP_COLUMNS, "VARCHAR"),
        }

    def input(self, table: str, day: date | None) -> Input:
        """One of these tables as it matters to a day (to a whole table: ``None``)."""
        if table == "staging.state_map":
            return rows_input(table, self.state_map)
        if table == "ops.feed_clock":
            return rows_input(table, [self._clock(feed, day) for feed in self.feeds])
        if table == "ops.tolerances":  # apart from the clock, which all timelines are made from
            rows = {feed["source"]: {name: feed[name] for name in _TOLERANCE_TYPES} for feed in self.feeds}
            return rows_input(table, list(rows.values()))
        if table == "raw.capture_attempts":
            level = f"date={day}" if day else "date=*"
            held = [logs_in(folder) for folder in sorted(self.lake.root.glob(f".capture/*/*/source=*/{level}"))]
            files = sorted({path for logs in held for path in logs.values()})
            return Input(table, tuple(name for logs in held for name in logs), tuple(files))
        raise KeyError(f"{table}: no model makes it, and it is not configured; is its vendor in sources.yaml?")

    def _clock(self, feed: Mapping[str, Any], day: date | None) -> dict[str, Any]:
        clock = self.lake.clock(feed["vendor"], feed["feed"], feed["source"])
        retention = timedelta(seconds=feed["retention_seconds"])
        times = {
            "first_requested_at": _within(clock.first_requested_at, day),
            "requested_until": _within(clock.requested_until, day),
            "observed_until": _within(clock.observed_until, day),
            "lost_before": _within(clock.vendor_now - retention if clock.vendor_now else None, day),
            "drift_seconds": None if day else clock.drift_seconds,
        }
        return {name: {"sample_seconds": None, **feed, **times}[name] for name in _CLOCK_TYPES}


def _within(moment: datetime | None, day: date | None) -> datetime | None:
    """A moment moved to the nearest one inside a day: what lies beyond its ends makes no difference to it."""
    if moment is None or day is None:
        return moment
    return min(max(moment, midnight(day)), midnight(day + timedelta(days=1)))


def _merged(paths: Sequence[Path]) -> list[dict[str, str | None]]:
    rows: dict[tuple[str | None, ...], dict[str, str | None]] = {}
    for path in paths:
        for line, row in _read(path):
            state = row["state"]
            if not row["vendor"] or not row["vendor_state"] or state not in _STATES:
                raise StateMapError(
                    f"{path}, line {line}: vendor and vendor_state must be filled and state be one of "
                    f"{', '.join(sorted(_STATES))}, not {state!r}"
                )
            rows[tuple(row[key] for key in STATE_MAP_COLUMNS[:-1])] = row
    return [rows[key] for key in sorted(rows, key=str)]


def _read(path: Path) -> list[tuple[int, dict[str, str | None]]]:
    with path.open(encoding="utf-8-sig", newline="") as handle:
        reader = csv.DictReader(handle)
        missing = {"vendor", "vendor_state", "state"} - set(reader.fieldnames or [])
        unknown = set(reader.fieldnames or []) - set(STATE_MAP_COLUMNS)
        if missing or unknown:
            raise StateMapError(
                f"{path}, line 1: the columns are {', '.join(STATE_MAP_COLUMNS)}; "
                f"missing {sorted(missing)}, unknown {sorted(unknown)}"
            )
        return [
            (reader.line_num, {key: (row.get(key) or "").strip() or None for key in STATE_MAP_COLUMNS})
            for row in reader
        ]
