"""The rules of the house that no linter knows: walls between rooms, sizes, words, and the public columns."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.models.workbench import product_models
from tests.public import COLUMNS

ROOT = Path(__file__).parents[2]
ROOMS = ("orchestration", "assets", "simulator", "tests", "benchmarks", "docs")
SOURCES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py") if ".venv" not in path.parts)
PRODUCT = [path for path in SOURCES if path.relative_to(ROOT).parts[0] in {"orchestration", "assets", "simulator"}]
SUPPRESSION = re.compile(r"#\s*(noqa|type:\s*ignore|pragma: no cover|pylint:|fmt: off)")

GRAINS = {
    "marts.dim_agents": "source agent_id",
    "marts.fct_agent_timeline": "source agent_id started_at",
    "marts.fct_agent_sessions": "source session_id",
    "marts.fct_participation": "source interaction_id agent_id joined_at",
    "marts.fct_transfers": "source transfer_id",
    "marts.fct_agent_intervals": "source agent_id interval_start",
    "marts.agg_agent_days": "source agent_id date",
    "marts.agg_not_ready_reasons": "source agent_id date reason",
    "marts.agg_transfer_pairs": "source date from_agent_id to_kind to_id",
    "ops.feed_coverage": "source feed window_start",
    # Of one reply that reaches over several windows there is an attempt for each, made at the same instant.
    "ops.capture_log": "source feed window_start attempted_at",
    "ops.broken_chains": "source agent_id missing_from",
    "ops.reconciliation": "source feed agent_id interval_start interval_end figure",
    "ops.rejects": "segment sequence record",
}


def name(path: Path) -> str:
    """A file's place in the project."""
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[str]:
    """The first word of every module that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def importers(package: str) -> set[str]:
    """Files of the product that import a package."""
    return {name(path) for path in PRODUCT if any(i.split(".")[0] == package for i in imports(path))}


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """All functions of a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_there_is_something_to_judge() -> None:
    """If this fails, the tests below pass because they look at nothing."""
    assert {name(path).split("/")[0] for path in SOURCES} >= {"orchestration", "assets", "simulator", "tests"}


def test_extraction_never_imports_dagster() -> None:
    """If this fails, capture cannot run without an orchestrator."""
    rooms = re.compile(r"orchestration/\w+\.py|assets/\w+/assets\.py")
    assert [found for found in importers("dagster") if not rooms.fullmatch(found)] == []


def test_one_module_knows_sqlglot() -> None:
    """If this fails, replacing the parser means changing several files."""
    assert importers("sqlglot") == {"orchestration/lineage.py"}


def test_the_simulator_and_the_product_do_not_know_each_other() -> None:
    """If this fails, the tests' truth is made by the code that it judges."""
    within = [path for path in PRODUCT if name(path).startswith("simulator/")]
    foreign = {i for path in within for i in imports(path) if i.split(".")[0] in {"assets", "orchestration", "dagster"}}
    assert foreign == set()
    assert {path for path in importers("simulator") if not path.startswith("simulator/")} <= {"orchestration/demo.py"}


def test_vendors_are_unknown_to_orchestration() -> None:
    """If this fails, a new vendor means changes all over the house."""
    # What reads several vendors' figures at once is the demo, which shows them.
    allowed = {"orchestration/demo.py", "orchestration/demo_truth.py"}
    inside = [path for path in PRODUCT if name(path).startswith("orchestration/") and name(path) not in allowed]
    vendor = re.compile(r"assets\.(cxengage|beyondtrust|huawei|kore)")
    assert [name(path) for path in inside if any(vendor.match(i) for i in imports(path))] == []


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_a_file_is_short_enough_to_read(path: Path) -> None:
    """If this fails, a module holds more than one thing."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_a_function_fits_on_a_screen(path: Path) -> None:
    """If this fails, a function does more than one thing."""
    lengths = {f.name: (f.end_lineno or f.lineno) - f.lineno + 1 for f in functions(path)}
    assert {function: lines for function, lines in lengths.items() if lines > 60} == {}


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_a_module_says_what_belongs_in_it(path: Path) -> None:
    """If this fails, nobody knows where a new thing goes."""
    text = path.read_text(encoding="utf-8")
    assert not text.strip() or ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize("path", [p for p in SOURCES if p.name.startswith("test_")], ids=name)
def test_a_test_says_what_would_be_wrong(path: Path) -> None:
    """If this fails, a red test does not say what it means."""
    silent = [f.name for f in functions(path) if f.name.startswith("test_") and not ast.get_docstring(f)]
    assert silent == []


def test_suppressions_are_rare() -> None:
    """If this fails, the linter and the type checker are talked down instead of answered."""
    lines = [(path, line) for path in SOURCES for line in path.read_text(encoding="utf-8").splitlines()]
    found = [
        f"{name(path)}: {line.strip()}" for path, line in lines if SUPPRESSION.search(line) and path != Path(__file__)
    ]
    assert len(found) <= len(lines) / 1000, "\n".join(found)


def test_no_test_is_skipped_or_expected_to_fail() -> None:
    """If this fails, a red test was made green by looking away."""
    mark = re.compile(r"pytest\.(mark\.)?(skip|skipif|xfail)\b")
    tests = [path for path in SOURCES if name(path).startswith("tests/") and path != Path(__file__)]
    assert [name(path) for path in tests if mark.search(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("table", sorted(COLUMNS))
def test_public_tables_have_the_columns_of_the_contract(table: str) -> None:
    """If this fails, a user's query stops working."""
    model = product_models()[table]
    # ``date`` is in the path of a day's file, whether or not the query names it.
    offered = {*model.columns, "date"} if model.kind == "day" else set(model.columns)
    assert set(COLUMNS[table].split()) - offered == set()
    assert set(model.grain) == set(GRAINS.get(table, " ".join(model.grain)).split())
