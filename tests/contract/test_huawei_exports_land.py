"""Exports as the simulated site fetches them, landed by the product: both were written from the documents alone."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from pathlib import Path

import pyarrow.dataset as ds

from assets.huawei.files import land_files
from orchestration.lake import Lake
from simulator.centre import Centre
from simulator.clock import SimClock
from simulator.faults import Faults
from simulator.huawei import HuaweiServer
from simulator.huawei_history import COLUMNS
from simulator.huawei_states import HuaweiDialect
from tests.contract.huawei_fake import config
from tests.contract.served_huawei import FIRST, MIDNIGHT

BEGIN = MIDNIGHT - timedelta(days=1)


def rows(content: bytes) -> set[tuple[str, ...]]:
    """Return the records of a file."""
    return {tuple(row) for row in csv.reader(io.StringIO(content.decode())) if tuple(row) != COLUMNS}


def test_a_messy_folder_lands_whole(tmp_path: Path) -> None:
    """An export that was late, half there or there twice would be lost, or landed by half, or again and again."""
    folder, lake = tmp_path / "exports", Lake(tmp_path / "lake")
    source = config("https://aicc.example.com", cms_files=str(folder))
    messy = Faults(seed=4, half_files=1.0, files_twice=0.3, late_files=0.3, late_seconds=5000)
    dialect = HuaweiDialect(history_by="end")
    with HuaweiServer(
        Centre.simulate(5, 6, FIRST, 1), SimClock(BEGIN), dialect=dialect, faults=messy, files=folder
    ) as site:
        landed = 0
        for hours in (11, 15, 18, 28):
            # A minute and a half after a file is made: what is written in two parts is there by half.
            site.clock.set(BEGIN + timedelta(hours=hours, minutes=6, seconds=30))
            site.deliver()
            landed += land_files(source, lake, [FIRST], site.clock.now()).landed
        again = land_files(source, lake, [FIRST], site.clock.now())
    # The newest stands there by half; what it will be nobody knows yet.
    whole = {content for path in folder.iterdir() if rows(content := path.read_bytes()) and content.endswith(b"\n")}
    table = ds.dataset(lake.raw_dir("huawei", "cms_history", "aicc", FIRST), partitioning=None).to_table()
    assert sorted(table["payload"].to_pylist()) == sorted(whole)
    assert landed == len(whole) > 5
    assert (again.landed, again.failed) == (0, 0)
