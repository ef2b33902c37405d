"""Builds models: finds what a partition is made from, runs its SQL in DuckDB, and keeps the rows if they are new.

One partition at a time under a lock that other processes honour; readers never see it. When to build belongs to
Dagster (``model_assets.py``), what the files are called to ``builds.py``, what an analyst sees to ``warehouse.py``.
"""

import json
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from orchestration.builds import Builds, Entry, Manifest, fingerprint, is_mixed
from orchestration.cache import Cache
from orchestration.duck import connect, copy_to, infer_types, new_entry, open_duckdb, parameters, quote, show, show_rows
from orchestration.files import UnreadableFileError, scratch
from orchestration.inputs import Constants, Input, find_inputs, given
from orchestration.lake import Lake, segments_of
from orchestration.models import Check, Model
from orchestration.removed import already_staged, feed_of, removed_segments
from orchestration.staging import merge_small, parse
from orchestration.unreadable import drop_unreadable, set_aside_attempts, set_aside_raw, tables_of

# Fast to scan: v2 snappy was twice as fast as v1 zstd.
_BUILT = "(format parquet, compression snappy, parquet_version v2)"
_WORKERS = 2
# What was listed may be merged away before it is read (``compaction.py``): it is listed again, once.
_VANISHED = (duckdb.IOException, FileNotFoundError)
_LOOKS = 40
_LOOK_AGAIN_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Outcome:
    """What building one partition came to. ``result``: ``built``, ``same`` rows as before, or already ``current``."""

    table: str
    day: date | None
    result: str
    rows: int
    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many rows break a check, a few of them, and what is in their column ``date``: nothing where it has none."""

    check: Check
    failing: int
    sample: tuple[Mapping[str, Any], ...]
    dates: frozenset[Any] = frozenset()


class Builder:
    """Builds and checks the models of one lake. Safe to use from several threads; each has its own DuckDB.

    Args:
        lake: The files.
        models: All models, each after what it reads.
        constants: The tables that no model makes.
        memory_limit: Of each DuckDB.
        wanted: Tables to build, all unless given; the others have no rows.
    """

    def __init__(
        self,
        lake: Lake,
        models: Mapping[str, Model],
        constants: Constants,
        memory_limit: str = "4GB",
        wanted: Collection[str] | None = None,
    ) -> None:
        self.lake = lake
        self.builds = Builds(lake)
        self.every = models
        self.models = {table: model for table, model in models.items() if wanted is None or table in wanted}
        self.constants = constants
        self.memory_limit = memory_limit
        self._local = threading.local()

    @cached_property
    def types(self) -> dict[str, dict[str, str]]:
        """Columns and DuckDB types of every model and of what models read, found without running any."""

        def find() -> dict[str, dict[str, str]]:
            with connect(self.lake, 1, self.memory_limit) as connection:
                return infer_types(connection, self.every, self.constants)

        models = [(model.table, model.kind, model.sql) for model in self.every.values()]
        question = json.dumps([duckdb.__version__, models, dict(self.constants.types)])
        return Cache(self.lake.cache_dir).get(dict[str, dict[str, str]], question, find)

    def build_days(
        self, table: str, days: Sequence[date], done: Callable[[Outcome], None] | None = None
    ) -> list[Outcome]:
        """Build a table's partitions, several at a time; those that are current already are left alone."""
        model = self.models[table]
        threads = 1 if len(days) > 1 else _WORKERS

        def one(day: date) -> Outcome:
            outcome = self.stage(model, day, threads) if model.kind == "segment" else self.build(model, day, threads)
            if done:
                done(outcome)
            return outcome

        building = [self._pool.submit(one, day) for day in days]
        try:
            wait(building, return_when=FIRST_EXCEPTION)
        finally:
            for future in building:
                future.cancel()
            wait(building)
        return [future.result() for future in building]

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        """The threads that build. They stay, since a DuckDB of their own takes 20 ms to open.

        Never the calling one: of an interrupt DuckDB makes a RuntimeError there, and a cancelled run would have failed.
        """
        return ThreadPoolExecutor(_WORKERS, thread_name_prefix="build")

    def stage(self, model: Model, day: date, threads: int = _WORKERS) -> Outcome:
        """Parse the raw segments of a day that were not parsed by this version of the model yet, each once.

        One that is no Parquet file is set aside and does not keep the others, and all that is published, from readers.
        """
        if not self.builds.is_whole(model.table, day):
            self._drop(model, day)
        try:
            return self._stage(model, day, threads)
        except (duckdb.Error, UnreadableFileError, FileNotFoundError) as error:
            folders = self.lake.raw_dirs(*feed_of(model), day)
            sick = [path for folder in folders for path in set_aside_raw(self.lake, folder)]
            if not self._drop(model, day) and not sick and not isinstance(error, _VANISHED):
                raise
            # What was observed may have been built before this was noticed.
            for table in self._told_by_logs() if sick else ():
                self.build(self.models[table], day)
        return self._stage(model, day, threads)

    def _told_by_logs(self) -> list[str]:
        """Tables of days that are made of the log of attempts and of nothing that is staged, in order."""
        found: list[str] = []
        for table, model in self.models.items():
            if model.kind == "day" and all(p in found or p in self.constants.types for p in model.parents):
                found.append(table)
        return found

    def _stage(self, model: Model, day: date, threads: int) -> Outcome:
        started = time.perf_counter()
        with self.lake.lock(f"{model.table}-{day}"):
            old = self.builds.manifest(model.table, day)
            raw = self._raw(model, day)
            entries = already_staged(self.builds, model, day, raw, self.types[model.table])
            fresh = sorted(raw.keys() - entries.keys())
            entries |= parse(self.builds, model, day, {name: raw[name] for name in fresh}, self._connection, threads)
            files = tuple({entries[name].file: entries[name] for name in sorted(entries)}.values())
            kept = merge_small(self.builds, model, day, files)
            same = {entry.file for entry in kept} == {entry.file for entry in (old.entries if old else ())}
            result = "current" if same else "built"
            if old is None or not same:
                inputs = fingerprint([part.content for entry in kept for part in entry.parts])
                self.builds.put(model.table, day, self._made(model, kept, inputs, started))
            else:
                self.builds.link(model.table, day, old)
        return Outcome(model.table, day, result, sum(e.rows for e in kept), sum(e.bytes for e in kept), _since(started))

    def _raw(self, model: Model, day: date) -> dict[str, Path]:
        """The raw segments of a day that a staging model parses, of all sources, and the files that hold them."""
        folders = self.lake.raw_dirs(*feed_of(model), day)
        return {name: path for folder in folders for name, path in segments_of(folder).items()}

    def build(self, model: Model, day: date | None, threads: int = _WORKERS, parents: Builds | None = None) -> Outcome:
        """Build one partition (of a whole table: ``None``) if anything that it is made from has changed.

        ``parents`` are the builds to make it from: the current ones unless given.
        """
        if not self.builds.is_whole(model.table, day):
            self._drop(model, day)
        try:
            return self._build(model, day, threads, parents)
        except (duckdb.Error, FileNotFoundError) as error:
            inputs = find_inputs(parents or self.builds, self.models, self.constants, model, day)
            paths = [path for item in inputs for path in item.paths]
            # Rows of another moment than the snapshot's would be no snapshot: it is published anew (``warehouse.py``).
            mended = [set_aside_attempts(self.lake, paths), self._drop(model, day), not parents and self.mend(paths)]
            if not any(mended) and not isinstance(error, _VANISHED):
                raise
        return self._build(model, day, threads, parents)

    def mend(self, paths: Iterable[Path], *, whole: bool = True) -> set[date | None]:
        """Make anew those of these builds that cannot be read, as a whole or their footers; returns their days."""
        broken = tables_of(self.lake, paths, whole=whole)
        for table, day in sorted(broken, key=str):
            model = self.models[table]
            self._drop(model, day)
            self.stage(model, day) if day and model.kind == "segment" else self.build(model, day)
        return {day for _, day in broken}

    def _drop(self, model: Model, day: date | None) -> bool:
        kept = removed_segments(self.lake, *feed_of(model), day) if day and model.kind == "segment" else ()
        return drop_unreadable(self.builds, model.table, day, kept)

    def _build(self, model: Model, day: date | None, threads: int, parents: Builds | None) -> Outcome:
        started = time.perf_counter()
        with self.lake.lock(f"{model.table}-{day}"):
            old = self.builds.manifest(model.table, day)
            inputs = find_inputs(parents or self.builds, self.models, self.constants, model, day)
            wanted = fingerprint([model.version, *(f"{i.table}:{part}" for i in inputs for part in i.identity)])
            if old and old.inputs == wanted:
                self.builds.link(model.table, day, old)
                return Outcome(model.table, day, "current", old.rows, old.bytes, _since(started))
            with self._connection(threads) as connection, scratch(self.lake.root / ".tmp") as temporary:
                for item in inputs:
                    self.show_input(connection, item)
                copy_to(connection, model.sql, parameters(model, day), temporary, _BUILT)
                entry = new_entry(connection, temporary, old, self.builds.folder(model.table, day))
                result = "same" if old and old.entries == (entry,) else "built"
                if result == "built":
                    file = self.builds.keep(temporary, model.table, day)
                    entry = Entry(file, "data.parquet", entry.rows, entry.bytes, entry.content)
                same_day = {item.table: item.same_day for item in inputs if item.same_day is not None}
                manifest = self._made(model, (entry,), wanted, started, same_day)
                self.builds.put(model.table, day, manifest)
        return Outcome(model.table, day, result, entry.rows, entry.bytes, _since(started))

    def _made(
        self,
        model: Model,
        entries: tuple[Entry, ...],
        inputs: str,
        started: float,
        same_day: dict[str, str] | None = None,
    ) -> Manifest:
        columns = fingerprint([*self.types[model.table]])
        return Manifest(entries, inputs, datetime.now(UTC), _since(started), same_day or {}, columns)

    def is_current(self, model: Model, day: date | None) -> bool:
        """Whether a partition was built from what is there now by the model as it is now."""
        old = self.builds.manifest(model.table, day)
        inputs = find_inputs(self.builds, self.models, self.constants, model, day)
        wanted = fingerprint([model.version, *(f"{i.table}:{part}" for i in inputs for part in i.identity)])
        return old is not None and old.inputs == wanted and self.builds.is_whole(model.table, day)

    def is_staged(self, model: Model, day: date) -> bool:
        """Whether every raw segment of a day was parsed by the model as it is now."""
        old = self.builds.manifest(model.table, day)
        parts = {part.segment: part.content for entry in (old.entries if old else ()) for part in entry.parts}
        return all(parts.get(name) == f"{name}@{model.version}" for name in self._raw(model, day))

    def judge(self, check: Check, days: Sequence[date]) -> Verdict:
        """Run a check over the given days of the tables that it reads (whole tables: all rows).

        Tables that do not agree because another run is in the midst of building them are looked at again.
        """
        try:
            verdict = self._judge(check, days)
        except _VANISHED:
            verdict = self._judge(check, days)
        for _ in range(_LOOKS):
            if verdict.failing == 0:
                break
            calm = self._agree(check, days)
            verdict = self._judge(check, days)
            if calm and self._agree(check, days):
                break
            time.sleep(_LOOK_AGAIN_SECONDS)
        return verdict

    def _agree(self, check: Check, days: Sequence[date]) -> bool:
        """Whether the check's tables, and all that they are made from, were built from what is there of the day now.

        Records are made of what several days delivered: beside what is staged, they must be current.
        """
        models = [self.models[table] for table in check.tables if table in self.models]
        staged = {model.table for model in models if model.kind == "segment"}
        made = [model for model in models if model.kind == "day" and staged.intersection(model.parents)]
        return all(self.is_current(model, day) for model in made for day in days) and all(
            self.builds.agree(check.tables, day) for day in days
        )

    def _judge(self, check: Check, days: Sequence[date]) -> Verdict:
        raw = {model.parents[0]: model for model in self.models.values() if model.kind == "segment"}
        unproven: dict[Path, list[str]] = {}
        with self._connection(_WORKERS) as connection:
            # What is staged grows: raw segments are listed first, so that none of them is missing there.
            for table in sorted(check.tables, key=lambda name: name not in raw):
                model = self.models.get(table)
                if table in raw:
                    unproven = self._show_unproven(connection, check, raw[table], days)
                    if not unproven:
                        return Verdict(check, 0, ())
                    continue
                if model is None:
                    self.show_input(connection, given(self.constants, table, None))
                    continue
                spans = [None] if model.kind == "whole" else [*sorted(days)]
                paths = tuple(path for day in spans for path in self.builds.paths(table, day))
                listed = [found for day in spans if (found := self.builds.listing(table, day))]
                self.show_input(connection, Input(table, (), paths, is_mixed=is_mixed(listed)))
            result = connection.execute(check.sql)
            names = [column[0] for column in result.description or []]
            failing = result.fetchall()
        if not failing:
            for note, passed in unproven.items():
                self.lake.place(note, partial(Path.write_bytes, data=msgspec.json.encode(passed)))
                # What passed an earlier text of the check, or was parsed by an earlier model, is asked for no more.
                for earlier in set(note.parent.glob(f"passed-{check.name}-*.json")) - {note}:
                    earlier.unlink(missing_ok=True)
        dates = frozenset(row[names.index("date")] for row in failing) if "date" in names else frozenset()
        return Verdict(check, len(failing), tuple(dict(zip(names, row, strict=True)) for row in failing[:10]), dates)

    def _show_unproven(
        self, connection: duckdb.DuckDBPyConnection, check: Check, model: Model, days: Sequence[date]
    ) -> dict[Path, list[str]]:
        """Let a raw table's name stand for the parsed segments of these days that did not pass the check yet.

        Neither a segment nor what it came to can change, so one that passed is not read again: of a day of 2 million
        records that takes 8 s. Returns where to note, per day, what will have passed when the check does.
        """
        found: dict[str, Path] = {}
        notes = {}
        for day in days:
            manifest = self.builds.manifest(model.table, day)
            parsed = {part.segment for entry in (manifest.entries if manifest else ()) for part in entry.parts}
            version = fingerprint([check.sql, model.version])
            note = self.builds.folder(model.table, day) / f"passed-{check.name}-{version}.json"
            passed = _passed(note)
            fresh = {name: path for name, path in self._raw(model, day).items() if name in parsed - passed}
            if fresh:
                notes[note] = sorted(passed | fresh.keys())
                found |= fresh
        named = ", ".join(map(quote, sorted(found)))
        types = self.constants.types[model.parents[0]]
        show(connection, model.parents[0], sorted(set(found.values())), types, where=f"segment in ({named})")
        return notes

    def show_input(self, connection: duckdb.DuckDBPyConnection, item: Input) -> None:
        """Let a table's name stand for an input's files or rows."""
        if item.rows is not None:
            show_rows(connection, item.table, item.rows, self.types[item.table])
        else:
            show(connection, item.table, item.paths, self.types.get(item.table, {}), is_mixed=item.is_mixed)

    @contextmanager
    def _connection(self, threads: int) -> Iterator[duckdb.DuckDBPyConnection]:
        pool = self._local.__dict__.setdefault("pool", {})
        if threads not in pool:
            pool[threads] = open_duckdb(self.lake, threads, self.memory_limit)
        yield pool[threads]


def _since(started: float) -> float:
    return round(time.perf_counter() - started, 6)


def _passed(note: Path) -> set[str]:
    """The segments that a check was passed with; of a note that is not there or cannot be read, none."""
    try:
        return set(msgspec.json.decode(note.read_bytes(), type=list[str]))
    except (FileNotFoundError, UnicodeError, msgspec.MsgspecError):
        return set()
