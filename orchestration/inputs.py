"""What a partition is made from: files and their identities, by the windows that the model's header names.

Only looks; building belongs in ``builder.py``.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from orchestration.builds import Builds, is_mixed
from orchestration.models import Model
from orchestration.removed import feed_of, refuse_missing, removed_days, removed_segments

# A record is staged with the window in which it was delivered: that is at earliest the day before the one it touches
# (its start lies just before midnight), and a state that nobody ended is given up after 35 days (docs/metrics.md).
DELIVERED_BEFORE = 1
DELIVERED_AFTER = 35


@dataclass(frozen=True, slots=True)
class Input:
    """One table as a build sees it: what identifies its rows, and the files or the few rows themselves.

    ``same_day`` is the content of its partition of the day that is built, where that is among the files. ``is_mixed``:
    not all files have the same columns, since some were built by an earlier version.
    """

    table: str
    identity: tuple[str, ...]
    paths: tuple[Path, ...] = ()
    rows: tuple[Mapping[str, Any], ...] | None = None
    same_day: str | None = None
    is_mixed: bool = False


class Constants(Protocol):
    """Tables that no model makes: configuration, seeds, the feeds' clocks and the log of attempts."""

    @property
    def types(self) -> Mapping[str, Mapping[str, str]]:
        """Columns and DuckDB types by table."""

    def input(self, table: str, day: date | None) -> Input:
        """One of them as it matters to a day (to a whole table: ``None``)."""


def find_inputs(
    builds: Builds, models: Mapping[str, Model], constants: Constants, model: Model, day: date | None
) -> list[Input]:
    """Everything that a partition is made from, in the order of the model's parents."""
    found = []
    for table in model.parents:
        parent = models.get(table)
        if parent is None:
            found.append(given(constants, table, day))
        elif parent.kind == "segment" and day is not None:
            found.append(_staged(builds, model, parent, day))
        else:
            found.append(_built(builds, model, parent, day))
    return found


def given(constants: Constants, table: str, day: date | None) -> Input:
    """A table that is not built here: a constant, or one of a vendor that nobody configured, which has no rows."""
    return constants.input(table, day) if table in constants.types else Input(table, ())


def _built(builds: Builds, model: Model, parent: Model, day: date | None) -> Input:
    days: Iterable[date | None]
    if parent.kind == "whole":
        days = [None]
    elif day is None:
        days = builds.days(parent.table)
    else:
        first, last = model.window(parent.table)
        days = [day + timedelta(days=offset) for offset in range(first, last + 1)]
    listed = [(d, found) for d in days if (found := builds.listing(parent.table, d))]
    return Input(
        parent.table,
        tuple(f"{d}={found.content}" for d, found in listed),
        tuple(builds.folder(parent.table, d) / name for d, found in listed for name in found.files),
        same_day=next((found.content for d, found in listed if d == day), None) if day else None,
        is_mixed=is_mixed(found for _, found in listed),
    )


def _staged(builds: Builds, model: Model, parent: Model, day: date) -> Input:
    """Staged files by the events that they touch, or, for ``day: delivery``, all that were delivered on the day.

    Raises:
        RawRemovedError: What was staged of removed raw segments is not there.
    """
    first, last = model.window(parent.table)
    if model.by_delivery:
        delivered: Sequence[date] = [day]
    else:
        offsets = range(first - DELIVERED_BEFORE, last + DELIVERED_AFTER + 1)
        delivered = [day + timedelta(days=offset) for offset in offsets]
    low, high = midnight(day + timedelta(days=first)), midnight(day + timedelta(days=last + 1))
    identity: list[str] = []
    paths = []
    removed = removed_days(builds.lake, *feed_of(parent))
    for d in delivered:
        if d not in removed and not model.by_delivery:
            span = builds.span(parent.table, d)
            if span is None or span[0] >= high or span[1] < low:
                continue
        manifest = builds.manifest(parent.table, d)
        if d in removed:
            staged = [part.segment for entry in (manifest.entries if manifest else ()) for part in entry.parts]
            refuse_missing(parent.table, d, removed_segments(builds.lake, *feed_of(parent), d), staged)
        for entry in manifest.entries if manifest else ():
            touching = [
                part.content
                for part in entry.parts
                if model.by_delivery or (part.low and part.high and part.low < high and part.high >= low)
            ]
            if touching:
                identity += touching
                paths.append(builds.folder(parent.table, d) / entry.file)
    return Input(parent.table, tuple(identity), tuple(paths))


def rows_input(table: str, rows: Sequence[Mapping[str, Any]]) -> Input:
    """A small table given by its rows, which are its identity."""
    return Input(table, (json.dumps([list(row.items()) for row in rows], default=str),), rows=tuple(rows))


def midnight(day: date) -> datetime:
    """The instant at which a UTC day begins."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
