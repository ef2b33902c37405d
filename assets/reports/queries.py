"""Reads ``sql/reports``: which tables a report consists of, what their columns are, and the query behind each.

``<report>__<table>.sql`` is one table. Its comment says what it is, then ``-- title: Teams`` and one line per column,
``-- column name (kind) Title: meaning``. What a query computes is in its SQL alone; it is run in
``compose.py``.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

from assets.reports.model import Column, Kind

SCOPE = "scope.sql"
_TITLE = re.compile(r"-- title: (.+)")
_COLUMN = re.compile(r"-- column ([a-z]\w*) \((\w+)\) ([^:]+): (.+)")
_BOUND = re.compile(r"\$(\w+)")


class QueryError(Exception):
    """A query of a report breaks a rule; the message names the file and the way out."""


@dataclass(frozen=True, slots=True)
class Query:
    """A table of a report before it has rows.

    Attributes:
        report: The kind of report, as ``daily_operations``.
        table: Name of the table.
        title: Its title.
        note: How to read it.
        columns: What it returns, in order.
        sql: The statement.
        path: Where it stands.
    """

    report: str
    table: str
    title: str
    note: str
    columns: Sequence[Column]
    sql: str
    path: Path


def read_queries(folder: Path, report: str, tables: Sequence[str]) -> list[Query]:
    """The queries of a report in the order of ``tables``.

    Raises:
        QueryError: A file is missing or its header breaks a rule.
    """
    return [read_query(folder / f"{report}__{table}.sql") for table in tables]


def read_query(path: Path) -> Query:
    """One query.

    Raises:
        QueryError: The file is missing or its header breaks a rule.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise QueryError(f"{path}: no such file; every table of a report has its query there") from None
    report, _, table = path.stem.partition("__")
    head = [line for line in text.splitlines() if line.startswith("--")]
    title = next((found[1] for line in head if (found := _TITLE.fullmatch(line))), None)
    columns = [_column(path, found) for line in head if (found := _COLUMN.fullmatch(line))]
    note = " ".join(line[3:] for line in head[: next((i for i, x in enumerate(head) if _TITLE.fullmatch(x)), 0)])
    if not title or not note or not columns:
        raise QueryError(f"{path}: begin it with a sentence, '-- title: …' and a '-- column name (kind) Title: …' each")
    return Query(report, table, title, note, columns, text, path)


def bound(sql: str, parameters: Mapping[str, object]) -> dict[str, object]:
    """Of the parameters those that a statement names: DuckDB refuses the others."""
    named = set(_BOUND.findall(sql))
    return {name: value for name, value in parameters.items() if name in named}


def _column(path: Path, found: re.Match[str]) -> Column:
    name, kind, title, description = found.groups()
    if kind not in get_args(Kind):
        raise QueryError(f"{path}: column {name}: unknown kind {kind}; known: {', '.join(get_args(Kind))}")
    return Column(name, title, cast("Kind", kind), description)
