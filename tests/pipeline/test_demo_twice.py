"""The demo as a user runs it, and run again."""

import json
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.pipeline.site import SHIFTBOOK, opened


def demo(home: Path) -> list[dict[str, Any]]:
    """Run it with few agents; its table of results."""
    words = [str(SHIFTBOOK), "--home", str(home), "demo", "--days", "1", "--agents", "8", "--seed", "3", "--json"]
    done = subprocess.run(words, env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


PAST = {"agent_states", "agent_intervals", "agent_activity", "cms_history", "archive", "sessions"}
LIVE = {"agent_status", "cms_status", "state", "command"}


def test_the_demo_equals_the_truth_and_a_second_run_adds_nothing_to_the_past(tmp_path: Path) -> None:
    """The first thing that anyone sees must be right for every vendor, and must not begin again from nothing."""
    home = tmp_path / "home"
    first = demo(home)
    assert {row["source"] for row in first} == {"cx_demo", "kore_demo", "aicc_demo", "support_demo"}
    assert all(row["equal"] for row in first)
    assert {row["feed"] for row in first} == {*LIVE, *PAST}
    assert all(row[figure] == row[f"true {figure}"] for row in first for figure in ("transfers", "participations"))
    day = f"date={json.loads((home / 'demo' / 'looked.json').read_text())[:10]}"
    recorded = {path.parts[-4] for path in (home / "lake" / "raw").glob(f"*/*/*/{day}/*.parquet")}
    assert recorded >= LIVE
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
