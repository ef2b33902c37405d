"""Writes ``docs/data-dictionary.md`` from the SQL models: tables, columns, types, grains, windows, checks and macros.

What a column means stands behind it in the .sql file; nothing is said here a second time. ``make docs`` runs this, and
a test fails while the page is out of date.
"""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
from assets.registry import VENDORS
from orchestration.builder import Builder
from orchestration.constants import LakeConstants
from orchestration.duck import show
from orchestration.lake import Lake
from orchestration.macros import read_macros
from orchestration.models import Check, Model, read_checks, read_models
from orchestration.settings import sql_dir
from orchestration.warehouse import CLOCK_COLUMNS, RAW_COLUMNS

PAGE = Path(__file__).parent / "data-dictionary.md"
_HEAD = """\
# Data dictionary

Written by `make docs` from the SQL models; change it there. Times are UTC, `_seconds` are seconds, ids are the
vendor's. `marts` and `ops` are what scripts and reports may rely on. `intermediate`, `staging` and `raw` can be asked
just the same, and may change with any version. How a model's header is read: [models.md](models.md); what the figures
mean: [metrics.md](metrics.md).
"""
_SCHEMAS = {
    "marts": "What agents did, who they are, and the sums.",
    "ops": "What was observed of each feed and what was not.",
    "intermediate": "One shape for all vendors: ordering, duplicates, carrying over midnight, each in one place.",
    "staging": "Each vendor's records, typed and otherwise as delivered.",
}
_KINDS = {
    "segment": "one file per raw segment",
    "day": "one file per UTC day",
    "whole": "one file",
    "view": "evaluated when asked",
}


def render() -> str:
    """The whole page."""
    models = read_models(sql_dir())
    checks = read_checks(sql_dir(), models.values())
    types = _types(models)
    lines = [_HEAD]
    for schema, purpose in _SCHEMAS.items():
        lines += [f"## {schema}", "", purpose, ""]
        for table in sorted(table for table in models if table.startswith(f"{schema}.")):
            lines += _model(models[table], types[table], checks[table])
        if schema == "ops":
            described = "The configured feeds, and how far each was observed."
            lines += [*_heading("ops.feed_clock", described), *_columns(types["ops.feed_clock"], CLOCK_COLUMNS)]
    lines += [
        "## raw",
        "",
        "What the vendors sent, byte for byte, and how it was got: one row per page.",
        "",
    ]
    for table in sorted(table for table in types if table.startswith("raw.") and table != "raw.capture_attempts"):
        lines += [f"### {table}", "", *_columns(types[table], RAW_COLUMNS)]
    return "\n".join([*lines, *_macros(models, types)]).rstrip() + "\n"


def _types(models: Mapping[str, Model]) -> Mapping[str, Mapping[str, str]]:
    """Columns and DuckDB types of all tables, with one source of every vendor."""
    feeds: list[dict[str, Any]] = [
        {"source": vendor.name, "vendor": vendor.name, "feed": feed.name}
        for vendor in VENDORS.values()
        for feed in vendor.feeds
    ]
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder))
        constants = LakeConstants(lake, feeds, [])
        return {**constants.types, **Builder(lake, models, constants).types}


def _heading(title: str, description: str) -> list[str]:
    return [f"### {title}", "", description, ""]


def _model(model: Model, types: Mapping[str, str], checks: list[Check]) -> Iterator[str]:
    yield from _heading(model.table, model.description)
    facts = [f"Grain: {', '.join(f'`{column}`' for column in model.grain)}"] if model.grain else []
    facts += [f"kept as {_KINDS[model.kind]}" if model.kind != "view" else _KINDS["view"]]
    yield f"{'; '.join(facts)}. Made from {', '.join(_parents(model))}."
    yield ""
    yield from _columns(types, {"date": "UTC day of the partition", **model.columns})
    for check in sorted(checks, key=lambda check: check.name):
        yield f"- {'warning' if check.warn else 'check'} `{check.name}`: {_plain(check.description)}"
    if checks:
        yield ""


def _parents(model: Model) -> Iterator[str]:
    for parent in model.parents:
        first, last = model.window(parent)
        days = "" if model.kind != "day" or (first, last) == (0, 0) else f" (days {first:+d} to {last:+d})"
        yield f"`{parent}`{days.replace('+0', '0')}"


def _columns(types: Mapping[str, str], meanings: Mapping[str, str]) -> list[str]:
    rows = [f"| `{name}` | {_type(kind)} | {_plain(meanings.get(name, ''))} |" for name, kind in types.items()]
    return ["| column | type | meaning |", "|---|---|---|", *rows, ""]


def _type(kind: str) -> str:
    """A type in words; what nested types hold stands in the staging models."""
    if kind.endswith("[]"):
        return "LIST"
    return "TIMESTAMPTZ" if kind == "TIMESTAMP WITH TIME ZONE" else kind


def _plain(text: str) -> str:
    return text.replace("|", "\\|")


def _macros(models: Mapping[str, Model], types: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    macros = list(read_macros(sql_dir() / "macros"))
    yield from ("## Macros", "", "They need no schema before their name; attached databases are chosen by `use` first.")
    yield from ("Give ratios sums, never averages of ratios.", "", "| macro | meaning |", "|---|---|")
    for macro in macros:
        if not macro.is_table:
            yield f"| `{macro.name}({macro.arguments})` | {_plain(macro.description)} |"
    yield ""
    shown = ("marts.fct_agent_timeline", "marts.fct_agent_intervals", "marts.fct_participation", "marts.dim_agents")
    meanings = {name: meaning for table in shown for name, meaning in models[table].columns.items()}
    with duckdb.connect() as connection:
        for table, columns in types.items():
            show(connection, table, [], columns)
        for path in sorted((sql_dir() / "macros").glob("*.sql")):
            connection.execute(path.read_text(encoding="utf-8"))
        for macro in macros:
            if macro.is_table:
                nulls = ", ".join("null" for _ in macro.arguments.split(","))
                rows = connection.execute(f"describe from {macro.name}({nulls})").fetchall()
                yield from _heading(f"{macro.name}({macro.arguments})", macro.description)
                yield from _columns({name: kind for name, kind, *_ in rows}, {**meanings, **macro.columns})


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
