"""A .sql file into a Model: header, columns, dependencies, checks. Pure: reads text, runs nothing.

The path is the name, the header is the contract (``docs/models.md``). What a model is built from and into belongs
in ``builder.py``; how its columns descend from others in ``lineage.py``.
"""

import functools
import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from graphlib import TopologicalSorter
from importlib import import_module, metadata
from pathlib import Path

from orchestration.cache import Cache

_HEADER = re.compile(r"^--\s?(.*)$")
_KEY = re.compile(r"^(grain|kind|day|window(?:\s+[\w.]+)?|check\s+\w+|warn\s+\w+):\s*(.+)$")
_KEYS = ("grain", "kind", "day", "window", "check", "warn")
_UNKNOWN_KEY = re.compile(r"^[a-z]\w*(\s+\w+)?:\s")
_WINDOW = re.compile(r"^([+-]?\d+) days? \.\. ([+-]?\d+) days?$")
_NO_CACHE = Cache(None)
_FORBIDDEN = re.compile(r"\b(now|current_timestamp|current_date|today|random|uuid)\b\s*(\(|\b)", re.IGNORECASE)


class ModelError(Exception):
    """A model's text breaks a rule; the message names the file, the line or key, and the way out."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A query's tables (``schema.name``), bound parameters, output columns with their comments, and normal form."""

    tables: tuple[str, ...]
    params: frozenset[str]
    columns: Mapping[str, str]
    normal: str


@dataclass(frozen=True, slots=True)
class Check:
    """A claim about a table: ``sql`` selects the rows that break it."""

    name: str
    table: str
    sql: str
    description: str
    warn: bool
    tables: tuple[str, ...]
    path: Path


@dataclass(frozen=True, slots=True)
class Model:
    """One SQL file, one table. ``kind``: ``segment`` (staging), ``day``, ``whole`` or ``view``."""

    table: str
    path: Path
    sql: str
    description: str
    grain: tuple[str, ...]
    kind: str
    by_delivery: bool
    windows: Mapping[str, tuple[int, int]]
    columns: Mapping[str, str]
    parents: tuple[str, ...]
    params: frozenset[str]
    version: str
    checks: tuple[Check, ...] = field(default=())

    @property
    def schema(self) -> str:
        """``staging``, ``intermediate``, ``marts`` or ``ops``."""
        return self.table.split(".")[0]

    @property
    def name(self) -> str:
        """The table's name without its schema."""
        return self.table.split(".")[1]

    def window(self, parent: str) -> tuple[int, int]:
        """First and last day of ``parent``, relative to the day built, both inclusive."""
        return self.windows.get(parent.split(".")[1], self.windows[""])


def read_model(path: Path, schema: str, cache: Cache = _NO_CACHE) -> Model:
    """Read one model.

    Raises:
        ModelError: The header has an unknown key, the SQL breaks a rule, or a column lacks its description.
    """
    text = path.read_text(encoding="utf-8")
    description, keys = _read_header(path, text)
    parsed = _parse(path, text, cache)
    _refuse(path, text, parsed)
    kind = keys.get("kind", "segment" if schema == "staging" else "whole")
    windows = {key[6:].strip(): _read_window(path, value) for key, value in keys.items() if key.startswith("window")}
    if windows and kind == "whole":
        kind = "day"
    windows.setdefault("", (0, 0))
    table = f"{schema}.{path.stem}"
    if kind != "view" and "grain" not in keys:
        raise ModelError(f"{path}: the header names no grain; add a line '-- grain: column, column'")
    checks = tuple(
        Check(
            name=key.split()[1],
            table=table,
            sql=f"select * from {table} where ({value}) is not true",
            description=f"Every row satisfies: {value}",
            warn=key.startswith("warn"),
            tables=(table,),
            path=path,
        )
        for key, value in keys.items()
        if key.startswith(("check", "warn"))
    )
    grain = tuple(column.strip() for column in keys.get("grain", "").split(",") if column.strip())
    return Model(
        table=table,
        path=path,
        sql=text,
        description=description,
        grain=grain,
        kind=kind,
        by_delivery=keys.get("day") == "delivery",
        windows=windows,
        columns=parsed.columns,
        parents=parsed.tables,
        params=parsed.params,
        version=hashlib.sha256(parsed.normal.encode()).hexdigest()[:12],
        checks=(*checks, *_unique(path, table, grain)) if schema in {"marts", "ops"} else checks,
    )


def _unique(path: Path, table: str, grain: tuple[str, ...]) -> tuple[Check, ...]:
    """The claim that every public table makes by naming its grain."""
    columns = ", ".join(grain)
    sql = f"select {columns}, count(*) as rows from {table} group by all having count(*) > 1"
    text = f"One row for each {columns}"
    return (Check("one_row_per_grain", table, sql, text, warn=False, tables=(table,), path=path),) if grain else ()


def read_check(path: Path, cache: Cache = _NO_CACHE) -> Check:
    """Read one file of ``sql/checks``: ``<model>__<claim>.sql`` selects the rows that break the claim.

    Raises:
        ModelError: The name or the header is not of that form.
    """
    text = path.read_text(encoding="utf-8")
    lines = [match[1] for line in text.splitlines() if (match := _HEADER.match(line))]
    severity = [line.removeprefix("severity:").strip() for line in lines if line.startswith("severity:")]
    model, _, claim = path.stem.rpartition("__")
    parsed = _parse(path, text, cache)
    own = [table for table in parsed.tables if table.endswith(f".{model}")]
    if not claim or not own or severity not in ([], ["warn"], ["error"]):
        raise ModelError(f"{path}: name it <model>__<claim>.sql, read that model in it, severity is warn or error")
    return Check(
        name=claim,
        table=own[0],
        sql=text,
        description=" ".join(line for line in lines if not line.startswith("severity:")),
        warn=severity == ["warn"],
        tables=parsed.tables,
        path=path,
    )


def read_models(sql_dir: Path, cache: Cache = _NO_CACHE) -> dict[str, Model]:
    """All models below ``sql_dir`` by table name, each after everything that it reads.

    Raises:
        ModelError: Two files make one table, a check or window names an unknown table, or a file breaks a rule.
    """
    found: dict[str, Model] = {}
    for schema in ("staging", "intermediate", "marts", "ops"):
        for path in sorted((sql_dir / schema).rglob("*.sql")):
            model = read_model(path, schema, cache)
            if model.table in found:
                raise ModelError(f"{path}: {found[model.table].path} makes {model.table} already; rename one")
            found[model.table] = model
    order = TopologicalSorter({table: [p for p in m.parents if p in found] for table, m in found.items()})
    return {table: found[table] for table in order.static_order()}


def read_checks(sql_dir: Path, models: Iterable[Model], cache: Cache = _NO_CACHE) -> dict[str, list[Check]]:
    """All checks by the table they judge: those of the models' headers and those of ``sql/checks``."""
    checks = {model.table: list(model.checks) for model in models}
    for path in sorted((sql_dir / "checks").glob("*.sql")):
        check = read_check(path, cache)
        if check.table not in checks:
            raise ModelError(f"{path}: there is no model {check.table}")
        checks[check.table].append(check)
    return checks


def called_for(models: Mapping[str, Model], raw: Collection[str]) -> set[str]:
    """Tables that have something to say when only these raw tables are filled; of none, all of them.

    Left out is what is made of other raw tables alone. What the contract names stays, though it be without rows.
    """
    sources: dict[str, set[str]] = {}
    for table, model in models.items():
        sources[table] = set().union(*(sources.get(parent, _raw(parent)) for parent in model.parents))
    public = {table for table, model in models.items() if model.schema in {"marts", "ops"}}
    return public | {table for table, found in sources.items() if not raw or not found or found & set(raw)}


def _raw(table: str) -> set[str]:
    return {table} if table.startswith("raw.") and table != "raw.capture_attempts" else set()


def _parse(path: Path, text: str, cache: Cache) -> Parsed:
    """Parse a query, or remember how it was: sqlglot takes half a second to import, and as long for all models."""

    def parse() -> Parsed:
        found: Parsed = import_module("orchestration.lineage").parse(text, str(path))
        return found

    return cache.get(Parsed, f"{_parser()}: {text}", parse)


@functools.cache
def _parser() -> str:
    return f"parsed by sqlglot {metadata.version('sqlglot')}"


def _read_header(path: Path, text: str) -> tuple[str, dict[str, str]]:
    description: list[str] = []
    keys: dict[str, str] = {}
    for line in text.splitlines():
        match = _HEADER.match(line)
        if not match:
            break
        key = _KEY.match(match[1])
        if key:
            keys[" ".join(key[1].split())] = key[2].strip()
        elif _UNKNOWN_KEY.match(match[1]) or get_close_matches(re.split("[: ]", match[1])[0], _KEYS, cutoff=0.75):
            raise ModelError(
                f"{path}: header line '{match[1]}' is no key and looks like one; keys are written 'grain: …', "
                "'kind: …', 'day: …', 'window [TABLE]: …', 'check NAME: …' and 'warn NAME: …'"
            )
        else:
            description.append(match[1])
    if not description:
        raise ModelError(f"{path}: the first comment must say what the table is")
    return " ".join(description).strip(), keys


def _read_window(path: Path, value: str) -> tuple[int, int]:
    match = _WINDOW.match(value)
    if not match:
        raise ModelError(f"{path}: window '{value}' is not of the form '-3 days .. +1 day'")
    return int(match[1]), int(match[2])


def _refuse(path: Path, text: str, parsed: Parsed) -> None:
    code = "\n".join(line.split("--")[0] for line in text.splitlines())
    if "{{" in code or "{%" in code:
        raise ModelError(f"{path}: models are plain SQL; Jinja is not read")
    if match := _FORBIDDEN.search(re.sub(r"'[^']*'", "''", code)):
        view = re.search(r"^-- kind: view$", text, re.MULTILINE)
        if not view:
            raise ModelError(f"{path}: '{match[1]}' makes the same input give different rows; bind a parameter instead")
    bare = [column for column, comment in parsed.columns.items() if not comment]
    if "*" in parsed.columns:
        raise ModelError(f"{path}: name the columns of the last select; '*' hides the contract")
    if bare:
        raise ModelError(f"{path}: describe the columns {', '.join(bare)} by comments behind them")
