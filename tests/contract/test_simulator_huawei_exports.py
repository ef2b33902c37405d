"""The folder that the simulated site fetches CC-FS's exports into: what is there when, and what is in it."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest

from simulator.centre import Centre
from simulator.clock import SimClock
from simulator.facts import MINUTE, millis
from simulator.faults import Faults
from simulator.huawei import HuaweiServer
from simulator.huawei_history import COLUMNS
from simulator.huawei_states import HuaweiDialect
from tests.contract.served_huawei import FIRST, MIDNIGHT

BEGIN = MIDNIGHT - timedelta(days=1)
BY_END = HuaweiDialect(history_by="end")
Table = list[list[str]]


@cache
def centre() -> Centre:
    """Play a small centre once."""
    return Centre.simulate(5, 10, FIRST, 2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder that is named to the server, which makes it."""
    return tmp_path / "site" / "exports"


@pytest.fixture
def site(folder: Path) -> Iterator[HuaweiServer]:
    """Serve a centre at the first midnight, when no export can be there."""
    folder.parent.mkdir()
    with HuaweiServer(centre(), SimClock(BEGIN), dialect=BY_END, files=folder) as server:
        yield server


def go(site: HuaweiServer, moment: datetime) -> None:
    """Let it be a certain time."""
    site.clock.set(moment)
    site.deliver()


def table(content: bytes) -> Table:
    """Return the records of a file."""
    names, *rows = csv.reader(io.StringIO(content.decode()))
    assert tuple(names) == COLUMNS
    return rows


def names(folder: Path) -> list[str]:
    """Return what is in the folder, in order."""
    return sorted(path.name for path in folder.iterdir())


def everything(site: HuaweiServer, until: datetime) -> Table:
    """Return all records that ended before an instant."""
    return table(site.api.reading.history.table(millis(BEGIN), millis(until), millis(until)))


def test_hour_by_hour_everything_comes_once(site: HuaweiServer, folder: Path) -> None:
    """If this failed, operations would be missing from the files, or told twice, with nothing wrong."""
    go(site, MIDNIGHT + timedelta(minutes=5))
    assert len(names(folder)) == 24
    rows = [row for path in folder.iterdir() for row in table(path.read_bytes())]
    assert len(rows) > 100
    assert sorted(rows) == sorted(everything(site, MIDNIGHT))


def test_files_are_named_and_dated_as_the_vendor_would(site: HuaweiServer, folder: Path) -> None:
    """If this failed, a client could not tell an export by its name, or would think old files new."""
    go(site, MIDNIGHT)
    for path in folder.iterdir():
        assert re.fullmatch(r"\d{17}\d{3}_agentOprInfo_\d+\.csv", path.name)
        made = datetime.strptime(path.name[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        assert datetime.fromtimestamp(path.stat().st_mtime, UTC) == made
        assert made.minute == 5
    assert [path.name for path in folder.parent.iterdir()] == ["exports"]


def test_a_file_comes_when_it_is_made_and_only_once(site: HuaweiServer, folder: Path) -> None:
    """If this failed, files would tell the future, or come back after they were taken away."""
    go(site, BEGIN + timedelta(minutes=64, seconds=59))
    assert names(folder) == []
    go(site, BEGIN + timedelta(minutes=65))
    (name,) = names(folder)
    (folder / name).unlink()
    go(site, BEGIN + timedelta(minutes=125))
    assert len(names(folder)) == 1
    assert names(folder) != [name]


def test_a_restarted_simulator_writes_the_same_files(site: HuaweiServer, folder: Path) -> None:
    """If this failed, a demo run again in one home would deliver everything anew."""
    go(site, BEGIN + timedelta(hours=20))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with HuaweiServer(centre(), SimClock(site.clock.now()), dialect=BY_END, files=folder):
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_half_written_file_is_whole_two_minutes_later(site: HuaweiServer, folder: Path) -> None:
    """If this failed, a reader that takes a file too early could not be shown to be wrong."""
    site.set_faults(Faults(half_files=1.0))
    go(site, BEGIN + timedelta(hours=15, minutes=5))
    last = folder / names(folder)[-1]
    half, dated = last.read_bytes(), last.stat().st_mtime
    go(site, BEGIN + timedelta(hours=15, minutes=7))
    whole = last.read_bytes()
    assert half == whole[: len(whole) // 2] != whole
    assert last.stat().st_mtime == dated + 120
    assert table(whole)
    assert len(names(folder)) == 15


def test_a_file_can_come_again_under_another_name(site: HuaweiServer, folder: Path) -> None:
    """If this failed, a reader that counts a repeated file twice would go unnoticed."""
    site.set_faults(Faults(files_twice=0.4))
    go(site, MIDNIGHT)
    kept = [path.read_bytes() for path in folder.iterdir() if table(path.read_bytes())]
    assert 0 < len(kept) - len(set(kept)) < len(set(kept))


def test_a_file_can_come_late(site: HuaweiServer, folder: Path) -> None:
    """If this failed, exports that arrive days after their time would go untested."""
    site.set_faults(Faults(late_files=1.0, late_seconds=7200))
    go(site, BEGIN + timedelta(hours=3))
    assert names(folder) == []
    go(site, BEGIN + timedelta(minutes=65 + 120))
    (name,) = names(folder)
    assert name.startswith(f"{BEGIN + timedelta(minutes=65):%Y%m%d%H%M%S}")
    assert (folder / name).stat().st_mtime == (BEGIN + timedelta(minutes=185)).timestamp()


def test_a_whole_day_in_a_zip(site: HuaweiServer, folder: Path) -> None:
    """If this failed, files as downloaded, or what ended more than a day ago, would never be met."""
    site.set_dialect(HuaweiDialect(history_by="end", export_minutes=1440, export_as="zip"))
    go(site, MIDNIGHT + timedelta(hours=12))
    (name,) = names(folder)
    with zipfile.ZipFile(folder / name) as archive:
        (member,) = archive.namelist()
        assert member == name.replace(".zip", ".csv")
        assert table(archive.read(member)) == everything(site, MIDNIGHT)


def test_a_file_can_lack_its_line_of_names_and_have_another_zone(site: HuaweiServer, folder: Path) -> None:
    """If this failed, two things that the documents do not say would have one answer only."""
    site.set_dialect(HuaweiDialect(history_by="end", files_header=False, files_zone="Asia/Shanghai"))
    go(site, MIDNIGHT)
    rows = [row for path in folder.iterdir() for row in csv.reader(io.StringIO(path.read_text()))]
    assert rows
    assert all(len(row) == len(COLUMNS) and row != list(COLUMNS) for row in rows)
    ends = [datetime.strptime(row[8], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) for row in rows]
    assert max(ends) > MIDNIGHT
    assert min(ends) >= BEGIN + timedelta(hours=8)


def test_the_folder_follows_a_running_clock(site: HuaweiServer, folder: Path) -> None:
    """If this failed, a demo that is left running would get no further files."""
    site.clock.set(BEGIN + timedelta(minutes=64, seconds=50), running=True, speed=100)
    waiting = site.clock.now() + timedelta(minutes=30)
    while not names(folder):
        assert site.clock.now() < waiting
    assert len(names(folder)) == 1


@pytest.mark.parametrize("minutes", [0, -15, 20])
def test_a_length_that_makes_no_days_is_refused(minutes: int) -> None:
    """If this failed, exports would drift over the days, or never end."""
    with pytest.raises(ValueError, match="export_minutes"):
        HuaweiDialect(export_minutes=minutes)


def test_nothing_is_forgotten_after_a_day(site: HuaweiServer) -> None:
    """If this failed, the bulk way would keep no longer than CC-CMS, which nobody says."""
    late = millis(BEGIN) + 2 * 24 * 60 * MINUTE
    history = site.api.reading.history
    assert history.table(millis(BEGIN), millis(MIDNIGHT), late) == history.table(
        millis(BEGIN), millis(MIDNIGHT), millis(MIDNIGHT)
    )


def test_files_can_have_what_their_own_table_says(site: HuaweiServer) -> None:
    """If this failed, idle stretches in files, and spoken work that is not in them, would never be met."""
    plain = everything(site, MIDNIGHT)
    site.set_dialect(HuaweiDialect(history_by="end", files_idle=True, files_talks="text"))
    told = everything(site, MIDNIGHT)
    kinds = {"2": "idle", "4": "talk"}
    assert {row[9] for row in told} - {row[9] for row in plain} == {"2"}
    assert {row[12] for row in told if row[9] == "4"} == {"1"} < {row[12] for row in plain if row[9] == "4"}
    assert [row for row in told if row[9] not in kinds] == [row for row in plain if row[9] not in kinds]
