"""The demo as a user runs it, asked the questions of ``examples/``, and run again."""

import json
import os
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from orchestration.forget import Forgetting
from orchestration.resources import Engine
from orchestration.settings import load_settings
from tests.pipeline.site import SHIFTBOOK, opened
from tests.traces import traces


def demo(home: Path) -> list[dict[str, Any]]:
    """Run it with few agents; its table of results."""
    words = [str(SHIFTBOOK), "--home", str(home), "demo", "--days", "1", "--agents", "8", "--seed", "3", "--json"]
    done = subprocess.run(words, env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


PAST = {"agent_states", "agent_intervals", "agent_activity", "cms_history", "archive", "sessions"}
LIVE = {"agent_status", "cms_status", "state", "command"}
AT_WORK = "select 1 from marts.fct_agent_timeline where is_open and state <> 'offline'"
EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.sql"))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home for the demo."""
    return tmp_path_factory.mktemp("demo") / "home"


@pytest.fixture(scope="module")
def first(home: Path) -> list[dict[str, Any]]:
    """What its first run says."""
    return demo(home)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_says_what_it_answers_and_answers(home: Path, first: list[dict[str, Any]], path: Path) -> None:
    """Whoever begins with an example that fails, or shows nothing, does not go on."""
    assert first
    question, asker, reading, *_ = path.read_text(encoding="utf-8").splitlines()
    assert question.endswith("?")
    assert asker.startswith("-- Asked by: ")
    assert reading.startswith("-- How to read it: ")
    with opened(home) as connection:
        result = connection.execute(path.read_text(encoding="utf-8"))
        names = [column[0] for column in result.description]
        rows = result.fetchall()
        at_work = connection.execute(AT_WORK).fetchall()
    # So few agents: at some hours of the night there is nobody to tell of.
    assert rows or (path.stem == "04_who_does_what_now" and not at_work)
    assert [name for name, values in zip(names, zip(*rows, strict=True), strict=False) if _unlikely(name, values)] == []


def _unlikely(name: str, values: Sequence[Any]) -> bool:
    """Whether a share lies outside its bounds, or a length of time is negative."""
    shares = ("occupancy", "lowest", "highest", "coverage", "adherence", "rate", "share")
    known = [value for value in values if isinstance(value, float)]
    return any(value < 0 or (name.endswith(shares) and value > 1) for value in known)


def test_there_are_twenty_examples_and_a_list_of_them() -> None:
    """An example that the list does not name is found by nobody."""
    listed = (EXAMPLES[0].parent / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in EXAMPLES if f"[{path.name}]({path.name})" not in listed] == []
    assert len(EXAMPLES) == 20


def test_the_notebook_runs(home: Path, first: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """The first thing that an analyst runs; its cells are run as they are, without Jupyter."""
    assert first
    monkeypatch.setenv("SHIFTBOOK_HOME", str(home))
    cells = json.loads((EXAMPLES[0].parent / "shiftbook.ipynb").read_text(encoding="utf-8"))["cells"]
    names: dict[str, Any] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [], "outputs show somebody's figures, and change with every run"
            exec("".join(cell["source"]), names)  # noqa: S102 -- the notebook's own code
    names["db"].close()
    assert (len(names["timeline"]) > 10, len(names["hours"]) > 10, len(names["transfers"]) > 0) == (True, True, True)
    assert names["same"]


def test_the_demo_equals_the_truth_and_a_second_run_adds_nothing_to_the_past(
    home: Path, first: list[dict[str, Any]]
) -> None:
    """The first thing that anyone sees must be right for every vendor, and must not begin again from nothing."""
    assert {row["source"] for row in first} == {"cx_demo", "kore_demo", "aicc_demo", "support_demo"}
    assert all(row["equal"] for row in first)
    assert {row["feed"] for row in first} == {*LIVE, *PAST}
    assert all(row[figure] == row[f"true {figure}"] for row in first for figure in ("transfers", "participations"))
    recorded = {path.parts[-4] for path in (home / "lake" / "raw").glob("*/*/*/date=*/*.parquet")}
    # So few agents: at some hours nobody is signed in whom a feed could tell of.
    assert recorded >= {row["feed"] for row in first if row["agents"]} & LIVE
    with opened(home) as connection:
        kinds = "select count(agent_id) > 0, count(person_id) > 0 from marts.fct_adherence_intervals"
        assert connection.execute(kinds).fetchall() == [(True, True)]
        both = "select max(overlap_seconds) > 3600 from marts.agg_person_days"
        assert connection.execute(both).fetchall() == [(True,)]
    past = files_of_the_past(home)
    assert past
    second = demo(home)
    assert [row for row in second if row["transfers"]] == [row for row in first if row["transfers"]]
    assert files_of_the_past(home) == past


def files_of_the_past(home: Path) -> dict[Path, int]:
    """What was fetched of days that had ended, and their public tables, by inode: written anew, a file has another one.

    Coverage and what is still open at midnight may well become known the day after.
    """
    today = datetime.now(UTC).date().isoformat()
    found = [path for name in ("raw", "marts") for path in (home / "lake" / name).glob("**/date=*/*.parquet")]
    return {path: path.stat().st_ino for path in found if path.parent.name < f"date={today}"}


VARIABLES = "USERNAME PASSWORD KORE_APP_ID KORE_SECRET HUAWEI_AK HUAWEI_SK BEYONDTRUST_ID BEYONDTRUST_SECRET"


def test_an_agent_of_each_vendor_is_forgotten(home: Path, first: list[dict[str, Any]]) -> None:
    """Each vendor names agents in a format of its own, and one that is not cut keeps everybody."""
    assert first
    config = home / "demo" / "sources.yaml"
    for name in ("roster.csv", "schedule.csv"):
        path = home / "demo" / name
        path.write_text(path.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")
    others = (
        "select source, agent_id, staffed_seconds, observed_seconds from marts.agg_agent_days "
        "where not list_contains(?, source || ' ' || agent_id) order by all"
    )
    with opened(home) as connection:
        chosen = connection.execute(
            "select source, min(agent_id) from marts.dim_agents where last_seen_at is not null group by 1 order by 1"
        ).fetchall()
        before = connection.execute(others, [[f"{source} {agent}" for source, agent in chosen]]).fetchall()
    engine = Engine(load_settings(home, config, dict.fromkeys((f"DEMO_{name}" for name in VARIABLES.split()), "x")))
    for source, agent in chosen:
        forgetting = Forgetting(engine, agent, source)
        deed, left = forgetting.carry_out(forgetting.survey())
        assert deed.pages
        assert not left.found
    with opened(home) as connection:
        assert connection.execute(others, [[f"{source} {agent}" for source, agent in chosen]]).fetchall() == before
        assert set(connection.execute("select source, agent_id from marts.dim_agents").fetchall()).isdisjoint(chosen)
    # Of numbers, and of names that others bear, something is found everywhere.
    assert traces(home, *(agent for _, agent in chosen if not agent.isdigit()), without=("demo",)) == []
