"""What a query reads and where its columns come from. The only importer of sqlglot.

Parses text and runs nothing; what is done with the answers belongs in ``models.py`` and ``model_assets.py``.
"""

from collections.abc import Mapping

import sqlglot
from sqlglot import exp
from sqlglot.lineage import lineage
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import build_scope
from sqlglot.schema import MappingSchema

from orchestration.models import Parsed


class QueryError(Exception):
    """A query that cannot be parsed, or names a table without its schema; the message names the file."""


def parse(sql: str, where: str) -> Parsed:
    """Read one select statement; ``where`` names it in errors.

    Raises:
        QueryError: It does not parse, is more than one statement, or reads a table without naming its schema.
    """
    try:
        statements = [s for s in sqlglot.parse(sql, dialect="duckdb") if s is not None]
    except sqlglot.errors.SqlglotError as error:
        raise QueryError(f"{where}: {error}") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise QueryError(f"{where}: a model is exactly one select")
    query = statements[0]
    ctes = {cte.alias for cte in query.find_all(exp.CTE)}
    tables = [t for t in query.find_all(exp.Table) if t.name and not isinstance(t.this, exp.Func)]
    loose = sorted({t.name for t in tables if not t.db and t.name not in ctes})
    if loose:
        raise QueryError(f"{where}: write the schema before {', '.join(loose)}")
    return Parsed(
        tables=tuple(sorted({f"{t.db}.{t.name}" for t in tables if t.db})),
        params=frozenset(p.name for p in query.find_all(exp.Parameter, exp.Placeholder) if p.name),
        columns={
            column.alias_or_name: " ".join(comment.strip() for comment in _comments(column)) for column in query.selects
        },
        normal=query.sql(dialect="duckdb", comments=False),
    )


def _comments(column: exp.Expr) -> list[str]:
    """The comment behind a column; sqlglot hangs it on the alias or on what stands just before it.

    Lines of dashes are headings between groups of columns.
    """
    nodes = [column, *([column.this] if isinstance(column, exp.Alias) else [])]
    found: list[str] = next((node.comments for node in nodes if node.comments), [])
    return [comment for comment in found if not comment.startswith("--")]


def column_lineage(sql: str, schema: Mapping[str, Mapping[str, str]]) -> dict[str, set[tuple[str, str]]]:
    """For each output column, the ``(table, column)`` pairs it descends from.

    Args:
        sql: One select statement.
        schema: Columns and types by ``schema.name`` of every table that it reads.
    """
    nested = MappingSchema(dialect="duckdb")
    for table, columns in schema.items():
        nested.add_table(table, dict(columns))
    query = qualify(sqlglot.parse_one(sql, dialect="duckdb"), schema=nested, dialect="duckdb", identify=False)
    scope = build_scope(query)
    if not isinstance(query, exp.Query) or scope is None:
        raise QueryError(f"{sql[:80]}: a model is exactly one select")
    found: dict[str, set[tuple[str, str]]] = {}
    for column in query.named_selects:
        leaves = [
            (f"{node.expression.db}.{node.expression.name}", node.name.split(".")[-1].strip('"'))
            for node in lineage(column, query, schema=nested, scope=scope, dialect="duckdb").walk()
            if isinstance(node.expression, exp.Table)
        ]
        found[column] = {(table, name) for table, name in leaves if name in schema.get(table, {})}
    return found
