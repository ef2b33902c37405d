"""The tables that people write as CSV: maps of states and of adherence, the roster, the schedule; into checked rows.

A file with an error is refused with its line and column, never read in part. What the rows mean to a day's build
belongs in ``constants.py``.
"""

import csv
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from orchestration.inputs import midnight

Row = Mapping[str, Any]
Read = Mapping[str, str | None]
Who = tuple[str | None, ...]

STATE_MAP_COLUMNS = ("vendor", "source", "feed", "vendor_state", "reason", "state")
ADHERENCE_MAP_COLUMNS = ("activity", "state", "reason", "adherence", "threshold_seconds")
ROSTER_COLUMNS = ("source", "agent_id", "person_id", "display_name", "team", "site", "valid_from", "valid_to")
SCHEDULE_COLUMNS = ("source", "agent_id", "person_id", "started_at", "ended_at", "activity")
STATES: Collection[str | None] = frozenset({"available", "handling", "wrap_up", "not_ready", "offline", "unobserved"})
VERDICTS: Collection[str | None] = frozenset({"in", "out", "neutral"})

_ONE_DAY = timedelta(days=1)


class TableError(Exception):
    """A CSV that cannot be used; the message names file, line and column, and the way out."""


def read_state_map(paths: Sequence[Path]) -> list[Row]:
    """What vendors' words mean: maps laid over each other, each in place of all that it covers of those before.

    Raises:
        TableError: A row lacks ``vendor`` or ``vendor_state``, or names an unknown state.
    """
    rows: dict[Who, Row] = {}
    for path in paths:
        own: dict[Who, Row] = {}
        for line, row in _read(path, STATE_MAP_COLUMNS, {"vendor", "vendor_state", "state"}):
            if not row["vendor"] or not row["vendor_state"]:
                raise TableError(f"{path}, line {line}: vendor and vendor_state must be filled")
            _one_of(path, line, row, "state", STATES)
            own[tuple(row[key] for key in STATE_MAP_COLUMNS[:-1])] = row
        rows = _laid_over(rows, own)
    return [rows[key] for key in sorted(rows, key=str)]


def read_adherence_map(paths: Sequence[Path], threshold_seconds: float = 0.0) -> list[Row]:
    """Which state keeps to which planned activity: maps laid over each other; activities and reasons in lower case.

    Args:
        paths: The built-in map, then the user's own.
        threshold_seconds: What a row that names no threshold of its own is given.

    Raises:
        TableError: A row names an unknown state or verdict, or a threshold that is no number of seconds.
    """
    rows: dict[Who, Row] = {}
    for path in paths:
        own: dict[Who, Row] = {}
        for line, row in _read(path, ADHERENCE_MAP_COLUMNS, {"activity", "adherence"}):
            _one_of(path, line, row, "adherence", VERDICTS)
            if row["state"]:
                _one_of(path, line, row, "state", STATES)
            activity, reason = (row[name] and str(row[name]).lower() for name in ("activity", "reason"))
            threshold = _seconds(path, line, row["threshold_seconds"], threshold_seconds)
            # Without an activity it is time without a plan, not any activity.
            key = (activity or "", row["state"], reason)
            own[key] = {**row, "activity": activity, "reason": reason, "threshold_seconds": threshold}
        rows = _laid_over(rows, own)
    return [rows[key] for key in sorted(rows, key=str)]


def _laid_over(rows: Mapping[Who, Row], own: Mapping[Who, Row]) -> dict[Who, Row]:
    """Maps by their keys: of the lower one the rows that no row of the upper covers, where None covers any value.

    All built-in rows name a feed or a state. The most specific of both maps would be theirs, whatever a user wrote.
    """
    kept = {
        key: row
        for key, row in rows.items()
        if not any(all(o is None or o == k for o, k in zip(over, key, strict=True)) for over in own)
    }
    return {**kept, **own}


def read_roster(path: Path) -> list[Row]:
    """Who an agent is, from ``valid_from`` (None: ever since) up to but not including ``valid_to`` (None: still).

    Raises:
        TableError: A row names no agent or cannot be valid on any day, or two rows of one agent overlap.
    """
    by_agent: dict[Who, list[tuple[int, Row]]] = defaultdict(list)
    for line, row in _read(path, ROSTER_COLUMNS, {"source", "agent_id"}):
        _filled(path, line, row, "source", "agent_id")
        first, last = (_day(path, line, name, row[name]) for name in ("valid_from", "valid_to"))
        if first and last and last <= first:
            raise TableError(f"{path}, line {line}: valid_to is the first day no more, so it must be after valid_from")
        by_agent[row["source"], row["agent_id"]].append((line, {**row, "valid_from": first, "valid_to": last}))
    for (source, agent), rows in by_agent.items():
        rows.sort(key=lambda found: found[1]["valid_from"] or date.min)
        for (line, one), (other, two) in pairwise(rows):
            if (one["valid_to"] or date.max) > (two["valid_from"] or date.min):
                raise TableError(
                    f"{path}, lines {line} and {other}: two rows of agent {agent} of {source} are valid on one day; "
                    "end the earlier with valid_to on the later's valid_from"
                )
    return [row for key in sorted(by_agent, key=str) for _, row in by_agent[key]]


def valid_on(roster: Iterable[Row], day: date) -> list[Row]:
    """The rows of a roster on a day, as if they were of that day alone: other days' changes make no difference."""
    span = {"valid_from": day, "valid_to": day + _ONE_DAY}
    return [{**row, **span} for row in roster if (row["valid_from"] or date.min) <= day < (row["valid_to"] or date.max)]


@dataclass(frozen=True, slots=True)
class Schedule:
    """What was planned, by UTC day and then by agent or person: stretches in order that do not overlap."""

    by_day: Mapping[date, Mapping[Who, Sequence[Row]]] = field(default_factory=dict)

    def on(self, day: date) -> list[Row]:
        """The day of everybody who is planned, from midnight to midnight UTC; without ``activity`` between plans.

        Planned is who has a plan for the day or had one in the week before: who then works without one is to be
        seen, and a plan for later days is to change nothing of this one.
        """
        begins, ends = midnight(day), midnight(day + _ONE_DAY)
        week = [self.by_day.get(day - n * _ONE_DAY, {}) for n in range(8)]
        everybody = sorted({who for planned in week for who in planned}, key=str)
        return [row for who in everybody for row in _tiled(who, week[0].get(who, ()), begins, ends)]


def read_schedule(path: Path) -> Schedule:
    """What is planned for whom and when. A row is for an agent (``source``, ``agent_id``) or for a ``person_id``.

    Raises:
        TableError: A row is for nobody or for two, its times carry no offset or are not in order, it has no activity,
            or two rows of one agent or person overlap.
    """
    by_who: dict[Who, list[tuple[int, Row]]] = defaultdict(list)
    for line, row in _read(path, SCHEDULE_COLUMNS, {"started_at", "ended_at", "activity"}):
        who: Who = (row["source"], row["agent_id"], row["person_id"])
        if [value is not None for value in who] not in ([True, True, False], [False, False, True]):
            raise TableError(f"{path}, line {line}: fill source and agent_id, or person_id alone")
        _filled(path, line, row, "activity")
        starts, ends = (_instant(path, line, name, row[name]) for name in ("started_at", "ended_at"))
        if ends <= starts:
            raise TableError(f"{path}, line {line}: ended_at must be after started_at")
        by_who[who].append((line, {**row, "started_at": starts, "ended_at": ends}))
    by_day: dict[date, dict[Who, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for who, rows in by_who.items():
        rows.sort(key=lambda found: found[1]["started_at"])
        for (line, one), (other, two) in pairwise(rows):
            if one["ended_at"] > two["started_at"]:
                raise TableError(
                    f"{path}, lines {line} and {other}: {' '.join(filter(None, who))} is planned twice at "
                    f"{two['started_at'].isoformat()}; end the earlier row there, or remove one"
                )
        for _, plan in rows:
            for day in _days(plan["started_at"], plan["ended_at"]):
                by_day[day][who].append(plan)
    return Schedule(by_day)


def _days(starts: datetime, ends: datetime) -> Iterator[date]:
    day = starts.date()
    while midnight(day) < ends:
        yield day
        day += _ONE_DAY


def _tiled(who: Who, rows: Iterable[Row], begins: datetime, ends: datetime) -> Iterator[Row]:
    """A day's rows cut at its midnights, and rows without activity between them."""
    names = dict(zip(("source", "agent_id", "person_id"), who, strict=True))
    at = begins
    for row in rows:
        starts = max(row["started_at"], begins)
        if starts > at:
            yield {**names, "started_at": at, "ended_at": starts, "activity": None}
        at = min(row["ended_at"], ends)
        yield {**names, "started_at": starts, "ended_at": at, "activity": row["activity"]}
    if at < ends:
        yield {**names, "started_at": at, "ended_at": ends, "activity": None}


def _read(path: Path, columns: Sequence[str], required: set[str]) -> Iterator[tuple[int, Read]]:
    """The rows with their lines, stripped, None for what is empty; spreadsheets' byte order marks are passed over."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.DictReader(handle, strict=True)
            named = [name.strip() for name in reader.fieldnames or []]
            # Spreadsheets write empty columns at the end, too.
            header = named[: max((n for n, name in enumerate(named, 1) if name), default=0)]
            missing, unknown = required - set(header), set(header) - set(columns)
            if missing or unknown or len(set(header)) < len(header):
                raise TableError(
                    f"{path}, line 1: the columns are {', '.join(columns)}, each once and separated by commas; "
                    f"missing {sorted(missing)}, unknown {sorted(unknown)}"
                )
            reader.fieldnames = header
            for row in reader:
                more = row.pop(None, [])
                if any(more) or len(more) > len(named) - len(header):
                    raise TableError(
                        f"{path}, line {reader.line_num}: more fields than columns; put texts with commas in quotes"
                    )
                found = {name: (row.get(name) or "").strip() or None for name in columns}
                if any(found.values()):
                    yield reader.line_num, found
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"{path}: cannot be read as CSV in UTF-8: {error}") from error


def _filled(path: Path, line: int, row: Read, *names: str) -> None:
    for name in names:
        if row[name] is None:
            raise TableError(f"{path}, line {line}: {name} is empty; fill it")


def _one_of(path: Path, line: int, row: Read, name: str, known: Collection[str | None]) -> None:
    if row[name] not in known:
        raise TableError(
            f"{path}, line {line}: {name} must be one of {', '.join(sorted(filter(None, known)))}, not {row[name]!r}"
        )


def _seconds(path: Path, line: int, text: str | None, default: float) -> float:
    try:
        seconds = default if text is None else float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise TableError(f"{path}, line {line}: threshold_seconds must be a number of seconds from 0, not {text!r}")
    return seconds


def _day(path: Path, line: int, name: str, text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise TableError(f"{path}, line {line}: {name} must be a day as 2026-01-31, not {text!r}") from None


def _instant(path: Path, line: int, name: str, text: str | None) -> datetime:
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise TableError(
            f"{path}, line {line}: {name} must be a time with its offset from UTC, "
            f"as 2026-01-31T09:00:00+01:00, not {text!r}"
        )
    return found.astimezone(UTC)
