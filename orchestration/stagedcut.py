"""Staged rows with a person cut out, of raw segments that were removed (``retain_raw_days``) and cannot be cut.

Of all others the raw segment is cut and staged anew: they are marked here as out of date.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
from assets.erasure import Person, cut

from orchestration.builds import Builds, Entry, fingerprint
from orchestration.duck import quote
from orchestration.models import Model
from orchestration.removed import feed_of, removed_segments


def outdate(builds: Builds, model: Model, day: date) -> None:
    """Have the next build parse every raw segment that is there anew, and leave out what was staged of any other."""
    # A build that goes on beside this would put back what it has read before.
    with builds.lake.lock(f"{model.table}-{day}"):
        manifest = builds.manifest(model.table, day)
        if manifest is None:
            return
        removed = removed_segments(builds.lake, *feed_of(model), day)
        entries = tuple(
            replace(entry, parts=tuple(p if p.segment in removed else replace(p, content="cut") for p in entry.parts))
            for entry in manifest.entries
        )
        builds.put(model.table, day, replace(manifest, entries=entries))


@dataclass(frozen=True, slots=True)
class Whom:
    """Who is cut out of which source's rows; only rows that hold one of the texts, id and names, are looked at."""

    source: str
    person: Person
    texts: Sequence[str]


def cut_staged(builds: Builds, model: Model, day: date, types: Mapping[str, str], whom: Whom) -> int:
    """Cut somebody out of what was staged of removed segments of a day; returns how many rows they were in."""
    touched = 0
    with builds.lake.lock(f"{model.table}-{day}"):
        manifest = builds.manifest(model.table, day)
        removed = removed_segments(builds.lake, *feed_of(model), day)
        entries = list(manifest.entries) if manifest else []
        for place, entry in enumerate(entries):
            if any(part.segment in removed for part in entry.parts):
                entries[place], rows = _cut_entry(builds, (model.table, day), entry, types, whom)
                touched += rows
        if manifest and touched:
            builds.put(model.table, day, replace(manifest, entries=tuple(entries)))
    return touched


def count_staged(builds: Builds, model: Model, day: date, whom: Whom) -> tuple[int, int]:
    """How many rows somebody is in of what was staged of removed segments of a day, and of all others.

    Nothing is changed.
    """
    manifest = builds.manifest(model.table, day)
    removed = removed_segments(builds.lake, *feed_of(model), day)
    of_removed = of_others = 0
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        for entry in manifest.entries if manifest else ():
            rows = _rows(connection, _read(builds.folder(model.table, day) / entry.file), whom)
            if any(part.segment in removed for part in entry.parts):
                of_removed += len(_found(rows, whom))
            else:
                of_others += sum(_is_in(text, whom.person) for _, text in rows)
    return of_removed, of_others


def _read(path: Path) -> str:
    return f"read_parquet({quote(str(path))}, hive_partitioning = false)"


def _cut_entry(
    builds: Builds, partition: tuple[str, date], entry: Entry, types: Mapping[str, str], whom: Whom
) -> tuple[Entry, int]:
    read = _read(builds.folder(*partition) / entry.file)
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        changed = _found(_rows(connection, read, whom), whom)
        if not changed:
            return entry, 0
        waiting = builds.lake.root / ".tmp" / f"{uuid.uuid4().hex}.tmp"
        waiting.parent.mkdir(parents=True, exist_ok=True)
        _write(connection, read, changed, types, waiting)
    count = entry.rows - sum(left is None for left in changed.values())
    size = waiting.stat().st_size
    file = builds.keep(waiting, *partition, prefix="cut.")
    # Another content, so that all that is made of it is made anew; its version stays at the end.
    parts = tuple(
        replace(part, content=f"{part.segment}~{uuid.uuid4().hex[:8]}@{part.content.rpartition('@')[2]}")
        for part in entry.parts
    )
    return Entry(file, file, count, size, fingerprint([part.content for part in parts]), parts), len(changed)


def _rows(connection: duckdb.DuckDBPyConnection, read: str, whom: Whom) -> list[tuple[int, str]]:
    """Rows that hold one of the texts, by number."""
    return connection.execute(
        f"select n, j from (select row_number() over () as n, source, to_json(t)::varchar as j from {read} as t) "
        "where source = $source and len(list_filter($texts, lambda x: contains(j, x))) > 0",
        {"source": whom.source, "texts": list(whom.texts)},
    ).fetchall()


def _found(rows: Sequence[tuple[int, str]], whom: Whom) -> dict[int, str | None]:
    """Rows that they are in, by number, as they are without them; None for theirs."""
    return {n: left for n, text in rows if (left := _row(text, whom)) != text}


def _is_in(text: str, person: Person) -> bool:
    """Whether they are in a row by the rule for replies: a short id within a rejected one may be something else."""
    rejected = str(json.loads(text).get("reject_payload") or "").encode()
    return any(cut(payload, person) is not payload for payload in (text.encode(), rejected))


def _row(text: str, whom: Whom) -> str | None:
    """A row without them; None where it is theirs, or was rejected with them in it."""
    fields = json.loads(text)
    rejected = str(fields.get("reject_payload") or "")
    if any(word in rejected for word in whom.texts):
        return None
    left = cut(text.encode(), whom.person)
    return None if left is None else left.decode()


def _write(
    connection: duckdb.DuckDBPyConnection,
    read: str,
    changed: Mapping[int, str | None],
    types: Mapping[str, Any],
    path: Path,
) -> None:
    fields = ", ".join(f'"{name}" {kind}' for name, kind in types.items() if name != "date")
    kept = [left for left in changed.values() if left is not None]
    connection.execute(
        f"copy (select * exclude (n) from (select row_number() over () as n, * from {read}) where n not in "
        "(select unnest($gone)) union all by name select unnest(r) from "
        f"(select unnest($kept::json::struct({fields})[]) as r)) "
        f"to {quote(str(path))} (format parquet, compression zstd)",
        {"gone": list(changed), "kept": f"[{','.join(kept)}]"},
    )
