"""The demo as a user runs it, and run again."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import duckdb

from tests.pipeline.site import SHIFTBOOK


def demo(home: Path) -> list[dict[str, Any]]:
    """Run it with few agents; its table of results."""
    words = [str(SHIFTBOOK), "--home", str(home), "demo", "--days", "1", "--agents", "8", "--seed", "3", "--json"]
    done = subprocess.run(words, env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def test_the_demo_equals_the_truth_and_a_second_run_adds_nothing(tmp_path: Path) -> None:
    """The first thing that anyone sees must be right, and must not begin again from nothing."""
    home = tmp_path / "home"
    first = demo(home)
    assert [row["equal"] for row in first] == [True]
    assert first[0]["transfers"] == first[0]["true transfers"]
    files = {path: path.stat().st_ino for path in (home / "lake").glob("[!.]*/**/*.parquet")}
    segments = len(list((home / "lake" / "raw").rglob("*.parquet")))
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        asked = connection.execute("select count(*) from ops.capture_log").fetchall()
    assert demo(home) == first
    assert len(list((home / "lake" / "raw").rglob("*.parquet"))) == segments
    assert {path: path.stat().st_ino for path in (home / "lake").glob("[!.]*/**/*.parquet")} == files
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        assert connection.execute("select count(*) from ops.capture_log").fetchall() == asked
