"""DuckDB as the builder uses it: connections, names that stand for files, and what types a model's columns have.

Runs no model for its rows; that belongs in ``builder.py``.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from orchestration.builds import Entry, Manifest, digest
from orchestration.functions import add_functions
from orchestration.inputs import Constants
from orchestration.lake import Lake
from orchestration.models import Model, ModelError

_PARSED: dict[str, duckdb.Statement] = {}


def open_duckdb(lake: Lake, threads: int, memory_limit: str) -> duckdb.DuckDBPyConnection:
    """A DuckDB in memory, in UTC, that never asks the network for extensions and spills below the lake."""
    spill = lake.root / ".tmp" / "duckdb"
    spill.mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect(
        ":memory:",
        config={
            "threads": threads,
            "memory_limit": memory_limit,
            "temp_directory": str(spill),
            "autoinstall_known_extensions": "false",
        },
    )
    connection.execute("set timezone = 'UTC'; set enable_progress_bar = false")
    add_functions(connection)
    # Where DuckDB takes one side of an asof join for small it loops over all pairs: 28 s instead of 2 for 55,000 rows.
    connection.execute("set asof_loop_join_threshold = 0")
    return connection


@contextmanager
def connect(lake: Lake, threads: int, memory_limit: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """The same for one use."""
    connection = open_duckdb(lake, threads, memory_limit)
    try:
        yield connection
    finally:
        connection.close()


def infer_types(
    connection: duckdb.DuckDBPyConnection, models: Mapping[str, Model], constants: Constants
) -> dict[str, dict[str, str]]:
    """Columns and types of each table by asking DuckDB to describe its select over empty inputs."""
    types = {table: dict(columns) for table, columns in constants.types.items()}
    for table, columns in types.items():
        show(connection, table, [], columns)
    for model in models.values():
        _confirm_parents(connection, model)
        rows = connection.execute(f"describe {model.sql}", parameters(model, date(2000, 1, 1))).fetchall()
        columns = {name: kind for name, kind, *_ in rows}
        if model.kind in {"day", "segment"}:
            columns = {"date": "DATE", **columns}
        types[model.table] = columns
        show(connection, model.table, [], columns)
    return types


def _confirm_parents(connection: duckdb.DuckDBPyConnection, model: Model) -> None:
    """Ask DuckDB's own parser what a model reads: a table that sqlglot missed would be read stale, or not at all.

    Raises:
        ModelError: The two do not agree.
    """
    row = connection.execute("select json_serialize_sql(?::varchar)", [model.sql]).fetchone()
    tree = json.loads(row[0]) if row else {}
    if tree.get("error") or (read := set(_tables(tree))) != set(model.parents):
        found = tree.get("error_message") or ", ".join(sorted(read))
        raise ModelError(
            f"{model.path}: sqlglot finds {', '.join(model.parents)}, DuckDB {found}; write it more plainly"
        )


def _tables(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if node.get("type") == "BASE_TABLE" and node.get("schema_name"):
            yield f"{node['schema_name']}.{node['table_name']}"
        for value in node.values():
            yield from _tables(value)
    elif isinstance(node, list):
        for value in node:
            yield from _tables(value)


def show(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    paths: Sequence[Path],
    types: Mapping[str, str],
    where: str = "true",
    *,
    is_mixed: bool = False,
) -> None:
    """Let a table's name stand for exactly these files; for none of them, for no rows of the right types.

    Where they are mixed of several versions, a column that a file lacks is NULL there. To find that out each is opened.
    """
    schema, _ = table.split(".")
    connection.execute(f"create schema if not exists {schema}")
    if paths:
        files = ", ".join(quote(str(path)) for path in paths)
        if any(part.startswith("date=") for part in paths[0].parts):
            by_name = ", union_by_name = true" if is_mixed else ""
            rows = f"read_parquet([{files}], hive_partitioning = true, hive_types = {{'date': DATE}}{by_name})"
            connection.execute(
                f"create or replace view {table} as select date, * exclude (date) from {rows} where {where}"
            )
        else:
            rows = f"read_parquet([{files}], hive_partitioning = false)"
            connection.execute(f"create or replace view {table} as select * from {rows} where {where}")
    else:
        columns = ", ".join(f'null::{kind} as "{name}"' for name, kind in types.items())
        connection.execute(f"create or replace view {table} as select {columns} where false")


def show_rows(
    connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Mapping[str, Any]], types: Mapping[str, str]
) -> None:
    """Let a table's name stand for these few rows."""
    show(connection, table, [], types)
    if rows:
        columns = ", ".join(f'v[{i}]::{kind} as "{name}"' for i, (name, kind) in enumerate(types.items(), 1))
        texts = json.dumps([[None if row[name] is None else str(row[name]) for name in types] for row in rows])
        # As JSON: ten thousand rows take DuckDB 20 ms, as a list of values more than a second.
        values = f"select unnest(from_json({quote(texts)}, '[[\"VARCHAR\"]]')) as v"
        connection.execute(f"create or replace view {table} as select {columns} from ({values})")


def copy_to(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, Any], path: Path, options: str
) -> None:
    """Write what a query answers to a file.

    Each text is parsed once a process: DuckDB 2.0 takes 4 ms for that of a model, of some 20 for all of a small build.
    """
    text = f"copy (\n{sql}\n) to $written_to {options}"
    if text not in _PARSED:
        [_PARSED[text]] = connection.extract_statements(text)
    connection.execute(_PARSED[text], {**parameters, "written_to": str(path)})


def same_rows(connection: duckdb.DuckDBPyConnection, before: Path, after: Path) -> bool:
    """Whether two Parquet files have the same columns and, as sets, the same rows."""
    # The old file lies in a folder named for its day, which must not be taken for a column.
    one, other = (f"read_parquet({quote(str(path))}, hive_partitioning = false)" for path in (before, after))
    if connection.execute(f"describe from {one}").fetchall() != connection.execute(f"describe from {other}").fetchall():
        return False
    differs = connection.execute(f"select 1 from (from {one} except all from {other}) limit 1").fetchone()
    return differs is None


def new_entry(connection: duckdb.DuckDBPyConnection, path: Path, old: Manifest | None, folder: Path) -> Entry:
    """The new file's entry, or the old one's where both hold the same rows.

    Equal bytes are equal rows. Unequal bytes may be, too (another number of threads, another DuckDB), so only
    then the rows are compared.
    """
    content, rows = digest(path), pq.read_metadata(path).num_rows
    for entry in old.entries if old else ():
        if entry.content == content or (entry.rows == rows and same_rows(connection, folder / entry.file, path)):
            return entry
    return Entry("", "data.parquet", rows, path.stat().st_size, content)


def parameters(model: Model, day: date | None) -> dict[str, datetime]:
    """What a model may bind, of that what it does bind: the day's start and end."""
    if day is None:
        return {}
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    known = {"partition_start": start, "partition_end": start + timedelta(days=1)}
    return {name: value for name, value in known.items() if name in model.params}


def quote(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"
