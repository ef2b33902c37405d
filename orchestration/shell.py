"""``shiftbook sql``: statements on the warehouse, and the shell in which they are typed.

Knows how questions are put and answers printed. What the tables are stands in their comments.
"""

import csv
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Literal

import duckdb

from orchestration.console import ERR, OUT, show, show_json

Form = Literal["table", "json", "csv"]
_ROWS_AT_ONCE = 10_000
TABLES = """
    select schema_name || '.' || view_name as name, comment from duckdb_views()
    where not internal and database_name = current_database()
    union all
    select distinct function_name || '(' || array_to_string(parameters, ', ') || ')', comment from duckdb_functions()
    where not internal and database_name = current_database()
    order by name
"""
DESCRIBE = """
    select column_name as "column", data_type as type, comment from duckdb_columns()
    where database_name = current_database() and $name in (table_name, schema_name || '.' || table_name)
    order by schema_name, table_name, column_index
"""


def run(warehouse: Path, text: str, form: Form) -> None:
    """Run statements and print what each returns; as JSON in one document, of several a list with the rows of each.

    Raises:
        duckdb.Error: One is wrong, or the warehouse cannot be opened.
    """
    with _opened(warehouse) as connection:
        statements = connection.extract_statements(text)
        if form == "json":
            found = [_rows(connection.execute(statement)) for statement in statements]
            show_json(found[0] if len(found) == 1 else found)
            return
        for statement in statements:
            _print(connection.execute(statement), form)


def converse(warehouse: Path, form: Form) -> None:
    """Read statements, each up to its semicolon, and answer until the end; each sees the newest warehouse."""
    # With it arrow keys move, and bring back what was typed before.
    with suppress(ImportError):
        import readline  # noqa: F401, PLC0415 -- input() uses it once it is there
    OUT.print("End a query with ';'. .tables and .describe NAME tell what there is. Ctrl-D leaves.", style="dim")
    lines: list[str] = []
    while True:
        try:
            line = input("sql> " if not lines else "...> ")
        except EOFError:
            return
        except KeyboardInterrupt:
            if not lines:
                return
            lines = []
            continue
        lines.append(line)
        whole = "\n".join(lines).strip()
        if whole.endswith(";") or (whole.startswith(".") and len(lines) == 1):
            lines = []
            _answer(warehouse, whole, form)


def _answer(warehouse: Path, text: str, form: Form) -> None:
    try:
        if not text.startswith("."):
            run(warehouse, text, form)
            return
        word, _, name = text.rstrip(";").partition(" ")
        if word not in (".tables", ".describe"):
            ERR.print(f"{word} is unknown; there are .tables and .describe NAME", markup=False)
            return
        with _opened(warehouse) as connection:
            asked = {"name": name.strip()} if word == ".describe" else None
            _print(connection.execute(DESCRIBE if asked else TABLES, asked), form)
    except duckdb.Error as error:
        ERR.print(str(error), style="red", markup=False)


@contextmanager
def _opened(warehouse: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'; set enable_progress_bar = false")
        yield connection


def _print(result: duckdb.DuckDBPyConnection, form: Form) -> None:
    if form != "csv":
        show(_rows(result), as_json=form == "json")
        return
    names = [column[0] for column in result.description or []]
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(names)
    while rows := result.fetchmany(_ROWS_AT_ONCE):
        writer.writerows([[_cell(value) for value in row] for row in rows])


def _rows(result: duckdb.DuckDBPyConnection) -> list[dict[str, object]]:
    names = [column[0] for column in result.description or []]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _cell(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value
