"""The pages say what is there: commands, targets, checks, tables and links. What the figures mean is tested as SQL."""

import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from docs.generate import PAGE, render
from orchestration.cli import main
from orchestration.demo import _EXAMPLE
from orchestration.models import read_checks
from orchestration.settings import sql_dir
from tests.models.workbench import product_models

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
BY_NAME = {str(page.relative_to(ROOT)): page for page in PAGES}
BY_HAND = {name: page for name, page in BY_NAME.items() if page != PAGE}
# A word after the program's name that is no command: placeholders, and sentences that go on.
COMMAND = re.compile(r"shiftbook(?: --(?:home|sources) \S+)* ([a-z][a-z-]+)(?=[ `\n\"]|$)", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def code(page: Path) -> str:
    """What stands in code blocks and between backticks: what a reader may type or look up."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^ *```.*?\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    rest = re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)
    return "\n".join([*blocks, *re.findall(r"`([^`\n]+)`", rest)])


def anchors(page: Path) -> set[str]:
    """The fragments that headings of a page can be linked by."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands() -> dict[str, click.Command]:
    """What ``shiftbook`` understands."""
    assert isinstance(main, click.Group)
    return dict(main.commands)


def tracked() -> list[Path]:
    """The text files of the project, as git knows them; in a tree without git, all of the usual kinds."""
    git = shutil.which("git") or "git"
    done = subprocess.run([git, "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    names = done.stdout.splitlines() if done.returncode == 0 else []
    found = [ROOT / name for name in names] or [
        path
        for folder in ("assets", "docs", "orchestration", "simulator", "sql", "tests")
        for path in (ROOT / folder).rglob("*.*")
    ]
    return [path for path in found if path.suffix not in {".lock", ".parquet", ".pyc"} and path.is_file()]


@pytest.mark.parametrize("name", BY_HAND)
def test_targets_exist(name: str) -> None:
    """If this fails, a page tells its reader to make something that the Makefile does not know."""
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)", code(BY_HAND[name]))) <= targets


def test_the_two_promised_commands_are_told() -> None:
    """If this fails, the README no longer names the two commands that everything begins with."""
    assert {"make demo", "make test"} <= set(re.findall(r"make \w+", code(ROOT / "README.md")))


@pytest.mark.parametrize("name", BY_HAND)
def test_commands_exist(name: str) -> None:
    """If this fails, a page documents a command that ``shiftbook`` does not have."""
    assert set(COMMAND.findall(code(BY_HAND[name]))) <= commands().keys()


def test_every_command_is_documented() -> None:
    """If this fails, the README's table leaves out a command, or names one that is gone."""
    _, _, section = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Commands")
    table = re.findall(r"^\| `([a-z-]+)[^`…]*` \|", section, re.MULTILINE)
    assert sorted(table) == sorted(commands())


@pytest.mark.parametrize("name", BY_NAME)
def test_links_resolve(name: str) -> None:
    """If this fails, a link leads to a page or a heading that is not there."""
    page = BY_NAME[name]
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        path, _, fragment = target.partition("#")
        if path.startswith("https://"):
            continue
        there = (page.parent / path).resolve() if path else page
        assert there.is_file(), target
        assert not fragment or fragment in anchors(there), target


def test_the_data_dictionary_is_up_to_date() -> None:
    """If this fails, tables or columns were changed and ``make docs`` was not run."""
    assert PAGE.read_text(encoding="utf-8") == render()


def test_the_data_dictionary_describes_every_column() -> None:
    """If this fails, an analyst finds a column without a word about it."""
    assert not re.findall(r"^\| `\w+` \| [^|]+ \|  \|$", render(), re.MULTILINE)


def test_checks_are_those_of_the_models() -> None:
    """If this fails, operations.md explains a check that nothing runs, or leaves out one that warns."""
    models = product_models()
    checks = [check for found in read_checks(sql_dir(), models.values()).values() for check in found]
    _, _, rest = BY_HAND["docs/operations.md"].read_text().partition("\n## Checks\n")
    rows = re.findall(r"^\| (`[^|]+`) \| [^|]+ \| ([^|]+) \|", rest.partition("\n## ")[0], re.MULTILINE)
    explained = {check for names, _ in rows for check in re.findall(r"`(\w+)`", names)}
    assert explained <= {check.name for check in checks} | {"fetched_everything", "data_is_fresh"}
    assert {check.name for check in checks if check.warn} <= explained


@pytest.mark.parametrize("name", BY_HAND)
def test_tables_exist(name: str) -> None:
    """If this fails, a page names a table that no model makes."""
    models = product_models()
    inputs = {"ops.feed_clock", "ops.tolerances", "ops.limits", "raw.capture_attempts"}
    inputs |= {f"staging.{name}" for name in ("state_map", "adherence_map", "roster", "schedule")}
    named = set(re.findall(r"\b((?:marts|ops|intermediate|staging)\.[a-z_]{3,})\b", code(BY_HAND[name])))
    assert named <= models.keys() | inputs


def test_no_occupancy_is_summed_over_sources_that_do_not_tell_it() -> None:
    """If this fails, a query that readers copy counts signed-in time of Kore.ai as waiting."""
    pages = [page.read_text(encoding="utf-8") for page in [*BY_HAND.values(), *(ROOT / "examples").glob("*.ipynb")]]
    blocks = re.findall(r"^```sql\n(.*?)^```|db\.sql\((.*?)\)\.df", "\n".join(pages), re.DOTALL | re.MULTILINE)
    queries = [query for pair in blocks for text in pair for query in text.split(";")]
    queries += [*(path.read_text(encoding="utf-8") for path in (ROOT / "examples").glob("*.sql")), _EXAMPLE]
    sums = [query for query in queries if "occupancy(" in query and "sum(" in query]
    by_source = re.compile(r"select\b[^(]*\bsource,|where source = |handling_seconds is not null")
    assert len(sums) > 8
    assert [query for query in sums if not by_source.search(query)] == []


def test_no_path_of_anyones_machine() -> None:
    """If this fails, a file names a folder that only its author's machine has."""
    private = re.compile("|".join(["/wo" + "rk/", "/ro" + "ot/", "/ho" + r"me/\w", "/Us" + r"ers/\w"]))
    found = [str(path.relative_to(ROOT)) for path in tracked() if private.search(path.read_text("utf-8", "replace"))]
    assert not found


def test_the_readme_is_short() -> None:
    """If this fails, the README has grown into a manual; its details belong in docs/."""
    longest = 150
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= longest
