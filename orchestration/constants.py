"""The tables that no model makes: feeds with their clocks, maps, roster, schedule, and the log of attempts.

Each is given as it matters to one day, so that a capture today changes nothing that yesterday was built from.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from assets.registry import VENDORS

from orchestration.csv_tables import (
    ADHERENCE_MAP_COLUMNS,
    ROSTER_COLUMNS,
    SCHEDULE_COLUMNS,
    STATE_MAP_COLUMNS,
    Row,
    Schedule,
    read_adherence_map,
    read_roster,
    read_schedule,
    read_state_map,
    valid_on,
)
from orchestration.forgotten import Forgotten
from orchestration.inputs import Input, midnight, rows_input
from orchestration.lake import Lake
from orchestration.settings import Settings, sql_dir

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
    "hold_seconds": "DOUBLE",
    "first_requested_at": "TIMESTAMPTZ",
    "requested_until": "TIMESTAMPTZ",
    "observed_until": "TIMESTAMPTZ",
    "lost_before": "TIMESTAMPTZ",
    "drift_seconds": "DOUBLE",
}
_TOLERANCE_TYPES = {"source": "VARCHAR", "tolerance_seconds": "DOUBLE", "sums_unit_seconds": "DOUBLE"}
_LIMIT_TYPES = {"source": "VARCHAR", "stuck_after_hours": "DOUBLE"}
_DAYS = dict.fromkeys(("valid_from", "valid_to"), "DATE")
_TIMES = dict.fromkeys(("started_at", "ended_at"), "TIMESTAMPTZ")


@dataclass(frozen=True, slots=True)
class People:
    """Who the agents are and what was planned for them; all empty without a configuration.

    Attributes:
        roster: Rows of ``read_roster``.
        schedule: What was planned.
        adherence_map: Rows of ``read_adherence_map``.
    """

    roster: Sequence[Row] = ()
    schedule: Schedule = field(default_factory=Schedule)
    adherence_map: Sequence[Row] = ()


def read_people(settings: Settings) -> People:
    """What the files say that the settings name, over the built-in map of adherence.

    Raises:
        TableError: A file has an error.
    """
    verdicts = [path for path in (sql_dir() / "seeds" / "adherence_map.csv", settings.adherence_map) if path]
    return People(
        read_roster(settings.roster) if settings.roster else (),
        read_schedule(settings.schedule) if settings.schedule else Schedule(),
        read_adherence_map(verdicts, settings.adherence_threshold_seconds),
    )


class LakeConstants:
    """Configuration and logs as small tables.

    Args:
        lake: Where attempts are logged.
        feeds: One row per configured feed (``settings.feed_rows``).
        state_maps: The built-in map, then the user's own, whose rows take the place of equal keys.
        people: Roster, schedule and what keeps to it.

    Raises:
        TableError: A map cannot be read.
    """

    def __init__(
        self, lake: Lake, feeds: Sequence[Mapping[str, Any]], state_maps: Sequence[Path], people: People | None = None
    ) -> None:
        self.lake = lake
        self.feeds = feeds
        self.state_map = read_state_map(state_maps)
        self.people = people or People()
        self.forgotten = Forgotten(lake)

    @property
    def types(self) -> Mapping[str, Mapping[str, str]]:
        """Columns and DuckDB types by table, raw tables of all feeds among them."""
        raw = {f"raw.{vendor.name}_{feed.name}": RAW_TYPES for vendor in VENDORS.values() for feed in vendor.feeds}
        return {
            **raw,
            "raw.capture_attempts": _ATTEMPT_TYPES,
            "ops.feed_clock": _CLOCK_TYPES,
            "ops.tolerances": _TOLERANCE_TYPES,
            "ops.limits": _LIMIT_TYPES,
            "staging.state_map": dict.fromkeys(STATE_MAP_COLUMNS, "VARCHAR"),
            "staging.roster": dict.fromkeys(ROSTER_COLUMNS, "VARCHAR") | _DAYS,
            "staging.schedule": dict.fromkeys(SCHEDULE_COLUMNS, "VARCHAR") | _TIMES,
            "staging.adherence_map": dict.fromkeys(ADHERENCE_MAP_COLUMNS, "VARCHAR") | {"threshold_seconds": "DOUBLE"},
        }

    def input(self, table: str, day: date | None) -> Input:
        """One of these tables as it matters to a day (to a whole table: ``None``)."""
        if table == "raw.capture_attempts":
            return self._attempts(day)
        if (rows := self._rows(table, day)) is not None:
            return rows_input(table, rows)
        raise KeyError(f"{table}: no model makes it, and it is not configured; is its vendor in sources.yaml?")

    def _rows(self, table: str, day: date | None) -> Sequence[Mapping[str, Any]] | None:
        match table:
            case "ops.feed_clock":
                found: Sequence[Mapping[str, Any]] | None = [self._clock(feed, day) for feed in self.feeds]
            case "ops.tolerances":  # apart from the clock, which all timelines are made from
                found = self._by_source(_TOLERANCE_TYPES)
            case "ops.limits":  # apart from the tolerances: checks alone read it, so that it builds nothing
                found = self._by_source(_LIMIT_TYPES)
            case "staging.state_map":
                found = self.state_map
            case "staging.roster":
                found = valid_on(self.people.roster, day) if day else self.people.roster
            case "staging.schedule":
                found = self.people.schedule.on(day) if day else None
            case "staging.adherence_map":
                # Without a plan nothing is judged: an edited map then changes nothing.
                found = self.people.adherence_map if self.people.schedule.by_day else ()
            case _:
                found = None
        return found

    def _by_source(self, names: Iterable[str]) -> list[dict[str, Any]]:
        return list({feed["source"]: {name: feed[name] for name in names} for feed in self.feeds}.values())

    def _attempts(self, day: date | None) -> Input:
        level = f"date={day}" if day else "date=*"
        held = [self.lake.logs(folder) for folder in sorted(self.lake.root.glob(f".capture/*/*/source=*/{level}"))]
        files = sorted({path for logs in held for path in logs.values()})
        return Input("raw.capture_attempts", tuple(name for logs in held for name in logs), tuple(files))

    def _clock(self, feed: Mapping[str, Any], day: date | None) -> dict[str, Any]:
        clock = self.lake.clock(feed["vendor"], feed["feed"], feed["source"])
        times = {
            "first_requested_at": _within(clock.first_requested_at, day),
            "requested_until": _within(clock.requested_until, day),
            "observed_until": _within(clock.observed_until, day),
            "lost_before": self.forgotten.before(feed, clock, day),
            "drift_seconds": None if day else clock.drift_seconds,
        }
        return {name: {"sample_seconds": None, "hold_seconds": None, **feed, **times}[name] for name in _CLOCK_TYPES}


def _within(moment: datetime | None, day: date | None) -> datetime | None:
    """A moment moved to the nearest one inside a day: what lies beyond its ends makes no difference to it."""
    if moment is None or day is None:
        return moment
    return min(max(moment, midnight(day)), midnight(day + timedelta(days=1)))
