"""Runs SQL models over rows given in a test, in one DuckDB in memory: what a model makes of them, and nothing else.

Types come from the product (``infer_types``), rows from the test; times are written ``08:00``, ``-1d 23:50`` or
``24:00``, relative to ``DAY`` in UTC. No expectations here: those belong in the tests.
"""

import functools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from orchestration.constants import LakeConstants, _within
from orchestration.duck import infer_types, parameters
from orchestration.functions import add_functions
from orchestration.inputs import midnight
from orchestration.lake import Lake
from orchestration.models import Model, called_for, read_models
from orchestration.settings import sql_dir

DAY = date(2026, 11, 3)
FEED = {
    "source": "cx",
    "vendor": "cxengage",
    "feed": "agent_states",
    "delay_seconds": 15.0,
    "retention_seconds": 259200.0,
    "window_seconds": 600.0,
    "state_bearing": True,
    "uncertainty_seconds": 0.0,
    "event_timezone": "UTC",
}
STAGED = "staging.stg_cxengage__agent_states"
_SHORT = re.compile(r"(?:([+-]\d+)d )?(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?$")


def at(text: str) -> datetime:
    """The instant that a short time stands for: ``[±<days>d ]HH:MM[:SS[.ffffff]]``, relative to ``DAY``."""
    match = _SHORT.match(text)
    if not match:
        raise ValueError(f"{text!r} is no short time; write 08:00 or -1d 23:50:05.005")
    days, hours, minutes, seconds, fraction = match.groups()
    return midnight(DAY) + timedelta(
        days=int(days or 0),
        hours=int(hours),
        minutes=int(minutes),
        seconds=int(seconds or 0),
        microseconds=int((fraction or "0").ljust(6, "0")),
    )


def short(moment: datetime) -> str:
    """The short time of an instant: the inverse of ``at``; the end of ``DAY`` is ``24:00``."""
    utc = moment.astimezone(UTC) if moment.year < 9999 else moment.replace(tzinfo=UTC)
    if utc.year == 9999:
        return "infinity"
    if utc == midnight(DAY) + timedelta(days=1):
        return "24:00"
    days = (utc.date() - DAY).days
    text = utc.strftime("%H:%M:%S.%f" if utc.microsecond else "%H:%M:%S")
    clock = text.rstrip("0") if utc.microsecond else text.removesuffix(":00")
    return f"{days:+d}d {clock}" if days else clock


@functools.cache
def product_models() -> Mapping[str, Model]:
    """All models of the product: to read them takes a second."""
    return read_models(sql_dir())


class Rows(list[dict[str, Any]]):
    """What a model made, in its order."""

    def pick(self, *names: str) -> list[Any]:
        """These columns as tuples (of one column: its values), times shortened."""
        picked = [tuple(_plain(row[name]) for name in names) for row in self]
        return [values[0] for values in picked] if len(names) == 1 else picked


class Workbench:
    """All models of the product over rows that a test gives.

    Args:
        sql: Folder of the models.
        seeds: State maps, each over the one before.
    """

    def __init__(self, sql: Path | None = None, seeds: Sequence[Path] = ()) -> None:
        folder = sql or sql_dir()
        self.models = read_models(folder) if sql else product_models()
        maps = [folder / "seeds" / "state_map.csv", *seeds]
        constants = LakeConstants(Lake(Path("unused")), [FEED], maps)
        self.state_map = constants.state_map
        self.connection = duckdb.connect(config={"threads": 1})
        self.connection.execute("set timezone = 'UTC'")
        add_functions(self.connection)
        self.types = infer_types(self.connection, self.models, constants)
        self.connection.execute("create schema given")
        self._shown: dict[str, str] = {}
        self._parsed: dict[str, duckdb.Statement] = {}
        for table in self.types:
            self.give(table, [])

    def run(self, table: str, day: date | None = DAY, **inputs: Iterable[Mapping[str, Any]]) -> Rows:
        """The rows of one partition when its parents hold exactly these rows (by name without schema).

        The state map is the built-in one and the clock that of a day observed whole, unless given.
        """
        model = self.models[table]
        given: dict[str, Iterable[Mapping[str, Any]]] = {"state_map": self.state_map, "feed_clock": [clock()], **inputs}
        for parent in model.parents:
            self.give(parent, given.pop(parent.split(".")[1], []))
        unread = sorted(given.keys() & inputs.keys())
        if unread:
            raise KeyError(f"{table} does not read {', '.join(unread)}")
        return self.query(model.sql, parameters(model, day if model.kind == "day" else None))

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Rows:
        """What any select returns."""
        result = self.execute(sql, parameters)
        names = [column[0] for column in result.description or []]
        return Rows(dict(zip(names, row, strict=True)) for row in result.fetchall())

    def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> duckdb.DuckDBPyConnection:
        """Run one statement. Each text is parsed once: that takes a quarter of the time of running a model."""
        if sql not in self._parsed:
            [self._parsed[sql]] = self.connection.extract_statements(sql)
        return self.connection.execute(self._parsed[sql], dict(parameters) if parameters else None)

    def close(self) -> None:
        """Let go of DuckDB."""
        self._parsed.clear()
        self.connection.close()

    def give(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Let a table hold exactly these rows; columns that a row leaves out are NULL."""
        self.fill(table, rows)
        self.show(table)

    def show(self, table: str, where: str = "true") -> None:
        """Let a table's name stand for its rows that meet a condition."""
        if self._shown.get(table) != where:
            self.connection.execute(f'create or replace view {table} as select * from given."{table}" where {where}')
            self._shown[table] = where

    def fill(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write the rows behind a table's name."""
        types = self.types[table]
        columns = ", ".join(f'"{name}" {kind}' for name, kind in types.items())
        self.execute(f'create or replace table given."{table}" ({columns})')
        encoded = [_encoded(row, types, table) for row in rows]
        if encoded:
            fields = ", ".join(f'"{name}" {"VARCHAR" if kind == "BLOB" else kind}' for name, kind in types.items())
            values = ", ".join(f'r."{name}"::{kind}' for name, kind in types.items())
            self.execute(
                f'insert into given."{table}" select {values} from '
                f"(select unnest($rows::json::struct({fields})[]) as r)",
                {"rows": json.dumps(encoded, default=_text)},
            )

    def chain(
        self,
        days: Sequence[date],
        last: str | Sequence[str] = "",
        clocks: Sequence[Mapping[str, Any]] = (),
        **inputs: Iterable[Any],
    ) -> "Chain":
        """Build all day models for all days from staged rows and attempts, as the Builder does, but in memory.

        Args:
            days: Days to build, oldest first.
            last: Build no more than this table needs, or these; everything when empty.
            clocks: Rows of ``ops.feed_clock``, not yet cut to a day.
            inputs: ``staged`` and ``attempts``; ``state_map``; by their names without schema the rows, each with its
                ``date``, of models that are then not built.
        """
        return Chain(self, days, [last] if last and isinstance(last, str) else last, clocks or [clock()], inputs)


class Chain:
    """Tables of several days, each built from its parents by the windows of its header."""

    def __init__(
        self,
        bench: Workbench,
        days: Sequence[date],
        last: Sequence[str],
        clocks: Sequence[Mapping[str, Any]],
        inputs: Mapping[str, Iterable[Any]],
    ) -> None:
        self.bench = bench
        given = {m.table: inputs[m.name] for m in bench.models.values() if m.name in inputs}
        wanted = {t for table in last for t in _ancestors(bench.models, table, given)} if last else set(bench.types)
        # Of vendors without a clock or rows nothing is built: to plan their models is most of the work.
        called = called_for(bench.models, {f"raw.{row['vendor']}_{row['feed']}" for row in clocks})
        called |= {table for table in wanted if given.keys() & _ancestors(bench.models, table, given)}
        self.models = [
            m for m in bench.models.values() if m.table in wanted & called - given.keys() and m.kind in {"day", "whole"}
        ]
        for table in wanted:
            bench.fill(table, [])
        bench.fill(STAGED, [_dated(row) for row in inputs.get("staged", [])])
        bench.fill("raw.capture_attempts", [_dated(row) for row in inputs.get("attempts", [])])
        bench.fill("staging.state_map", inputs.get("state_map", bench.state_map))
        for table, rows in given.items():
            bench.fill(table, rows)
        for model in self.models:
            for day in days if model.kind == "day" else [None]:
                self._build(model, day, clocks)

    def rows(self, table: str, where: str = "true") -> Rows:
        """The rows built, all days together, in the order of the table's grain."""
        grain = ", ".join(self.bench.models[table].grain)
        return self.bench.query(f'select * from given."{table}" where {where} order by {grain}')

    def _build(self, model: Model, day: date | None, clocks: Sequence[Mapping[str, Any]]) -> None:
        for parent in model.parents:
            if parent == "ops.feed_clock":
                self.bench.give(parent, [_on(row, day) for row in clocks])
            elif day and "date" in self.bench.types[parent] and parent != STAGED:
                first, last = model.window(parent)
                self.bench.show(
                    parent, f"date between '{day + timedelta(days=first)}' and '{day + timedelta(days=last)}'"
                )
            elif parent == STAGED and model.by_delivery:
                self.bench.show(parent, f"date = '{day}'")
            else:
                self.bench.show(parent)
        types = self.bench.types[model.table]
        names = ", ".join(f'"{name}"' for name in types if name != "date" or day is None)
        self.bench.execute(
            f'insert into given."{model.table}" ({names}{", date" if day else ""}) '
            f"select {names}{', $built_day::date' if day else ''} from ({model.sql}\n)",
            {**parameters(model, day), **({"built_day": day} if day else {})},
        )


def clock(until: str = "24:00", since: str = "00:00", **fields: Any) -> dict[str, Any]:
    """A row of ``ops.feed_clock``: asked for from ``since`` and observed until ``until``."""
    return {
        **FEED,
        "first_requested_at": at(since),
        "requested_until": at(until),
        "observed_until": at(until),
        **{name: at(value) if name == "lost_before" else value for name, value in fields.items()},
    }


def attempt(start: str, end: str, heard: str | None = None, **fields: Any) -> dict[str, Any]:
    """An attempt to fetch a window, ok when the vendor's clock stood at ``heard``; failed where it did not answer."""
    status = "ok" if heard else "failed"
    asked = at(heard or end)
    return {
        "source": "cx",
        "feed": "agent_states",
        "window_start": at(start),
        "window_end": at(end),
        "attempted_at": asked,
        "vendor_time": asked if heard else None,
        "status": status,
        **fields,
    }


def record(start: str, end: str | None = None, **fields: Any) -> dict[str, Any]:
    """A staged CxEngage record, ready and idle unless said otherwise; open without ``end``.

    Its id is its start, its session ``s`` from its own start, and it was delivered in its own hour's window.
    """
    began = at(start)
    window = began.replace(minute=0, second=0, microsecond=0)
    return {
        "source": "cx",
        "segment": "seg",
        "sequence": 0,
        "record": 1,
        "event_id": start,
        "session_id": "s",
        "agent_id": "ann",
        "agent_name": "Ann",
        "presence": "ready",
        "state": "idle",
        "started_at": began,
        "ended_at": at(end) if end else None,
        "window_start": window,
        "window_end": window + timedelta(hours=1),
        "received_at": at("+1d 01:00"),
        "payload_sha256": "p",
        "logged_in_at": began,
        **{name: at(value) if name in _TIMES and isinstance(value, str) else value for name, value in fields.items()},
    }


_TIMES = {"logged_in_at", "received_at", "window_start", "window_end", "started_at"}


def shift(*steps: str, end: str | None = None, signs_out: bool = True, **fields: Any) -> list[dict[str, Any]]:
    """A session of records that join: ``"08:00 ready"``, ``"12:00 not-ready Lunch"``, …, the last until ``end``."""
    parts = [step.split(" ", 2 if step[0].isdigit() else 3) for step in steps]
    timed = [(" ".join(p[: 1 if p[0][0].isdigit() else 2]), p[1 if p[0][0].isdigit() else 2 :]) for p in parts]
    starts = [start for start, _ in timed]
    common = {"logged_in_at": starts[0], **fields}
    after = [*starts[1:], None if signs_out or end is None else "unseen"]
    return [
        record(
            start,
            until,
            next_event_id=following,
            presence=words[0],
            reason_name=words[1] if len(words) > 1 else None,
            **common,
        )
        for (start, words), until, following in zip(timed, [*starts[1:], end], after, strict=True)
    ]


def rules(*counts: Mapping[str, int], load: float = 0.0, capacity: int = 1) -> list[dict[str, Any]]:
    """Capacity rules, each with its interactions per channel."""
    channels = ("voice", "email", "messaging", "sms", "workItem")
    return [
        {"channels": {c: n.get(c, 0) for c in channels}, "allocation": "x", "load": load, "capacity": capacity}
        for n in counts
    ]


def handed(to: str | None, start: str, end: str | None = None, interaction: str = "i1") -> dict[str, Any]:
    """A transfer as CxEngage reports it in a row of its sender."""
    return {
        "interactionId": interaction,
        "toAgentId": to,
        "transferStartTimestamp": at(start),
        "transferEndTimestamp": at(end) if end else None,
    }


def _ancestors(models: Mapping[str, Model], table: str, given: Mapping[str, Any]) -> set[str]:
    found = {table}
    for parent in models[table].parents if table in models and table not in given else ():
        found |= _ancestors(models, parent, given)
    return found - {"raw.cxengage_agent_states", "ops.feed_clock"}


def _dated(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "date": row["window_start"].date()}


def _on(row: Mapping[str, Any], day: date | None) -> dict[str, Any]:
    times = ("first_requested_at", "requested_until", "observed_until", "lost_before")
    return {**row, **{name: _within(row.get(name), day) for name in times}}


def _encoded(row: Mapping[str, Any], types: Mapping[str, str], table: str) -> dict[str, Any]:
    unknown = sorted(row.keys() - types.keys())
    if unknown:
        raise KeyError(f"{table} has no column {', '.join(unknown)}")
    return {name: _moment(row.get(name), kind) for name, kind in types.items()}


def _moment(value: Any, kind: str) -> Any:
    return at(value) if isinstance(value, str) and kind.startswith("TIMESTAMP") and _SHORT.match(value) else value


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return "".join(f"\\x{byte:02X}" for byte in value)
    return value.isoformat() if isinstance(value, datetime | date) else str(value)


def _plain(value: Any) -> Any:
    return short(value) if isinstance(value, datetime) else value
