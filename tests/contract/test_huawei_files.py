"""Files of CC-FS in a folder: landed once as they were received, by the stretch that they surely tell of."""

import os
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.huawei.cms import CmsHistoryClient
from assets.huawei.config import HuaweiConfig
from assets.huawei.files import COLUMNS, REACH, land_files, stretch
from orchestration.backfill import Runner
from orchestration.functions import csv_lines
from orchestration.lake import Lake
from orchestration.resources import Engine
from orchestration.settings import load_settings
from tests.contract.huawei_fake import config

DAY = date(2026, 11, 3)
NOW = datetime(2026, 11, 5, tzinfo=UTC)
WRITTEN = datetime(2026, 11, 4, 1, tzinfo=UTC)
Put = Callable[..., Path]


def row(begin: str, end: str = "") -> str:
    """A line of a file."""
    cells = {"id": "1", "agent_id": "101", "begin_time": begin, "end_time": end, "op_type": "3"}
    return ",".join(cells.get(name, "") for name in COLUMNS)


@pytest.fixture
def source(tmp_path: Path) -> HuaweiConfig:
    """A source that has files alone."""
    (tmp_path / "exports").mkdir()
    return config("https://aicc.example.com", cms_files=str(tmp_path / "exports"))


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Lets a file lie in the folder."""

    def put(*rows: str, name: str = "a.csv", written: datetime = WRITTEN) -> Path:
        path = tmp_path / "exports" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(rows))
        os.utime(path, (written.timestamp(), written.timestamp()))
        return path

    return put


def test_a_file_is_landed_once_and_word_for_word(tmp_path: Path, source: HuaweiConfig, put: Put) -> None:
    """If this fails, an export is lost, changed, or landed at every run."""
    path = put(row("2026-11-03 08:00:00", "2026-11-03 08:10:00"), row("2026-11-03 09:00:00"))
    lake = Lake(tmp_path / "lake")
    first = land_files(source, lake, [DAY], NOW)
    assert (first.planned, first.landed, first.failed, first.touched_days) == (1, 1, 0, (DAY,))
    put(path.read_text(), name="copy.csv")
    second = land_files(source, lake, [DAY], NOW)
    assert (second.planned, second.landed, second.identical, second.touched_days) == (2, 0, 2, ())
    [attempt] = lake.attempts("huawei", "aicc", "cms_history", DAY)
    assert (attempt.status, attempt.records, attempt.vendor_time) == ("ok", 2, WRITTEN)
    assert (attempt.window_start.hour, attempt.window_start.minute, attempt.window_end.hour) == (8, 10, 9)
    [landed] = lake.raw_dir("huawei", "cms_history", "aicc", DAY).glob("*.parquet")
    assert pq.read_table(landed, partitioning=None)["payload"].to_pylist() == [path.read_bytes()]


def test_a_file_of_several_days_lies_under_its_last_and_counts_for_all(
    tmp_path: Path, source: HuaweiConfig, put: Put
) -> None:
    """Builds look for late deliveries, not for early ones; if this fails, they overlook all days but the first."""
    put(row("2026-11-01 22:00:00", "2026-11-01 23:00:00"), row("2026-11-03 02:00:00"))
    lake = Lake(tmp_path)
    result = land_files(source, lake, [DAY], NOW)
    days = [date(2026, 11, 1), date(2026, 11, 2), DAY]
    assert result.touched_days == tuple(days)
    assert lake.days("huawei", "cms_history") == {DAY}
    seen = [lake.attempts("huawei", "aicc", "cms_history", day) for day in days]
    assert [len(one) for one in seen] == [1, 1, 1]
    assert {attempt.segment for one in seen for attempt in one} == set(result.segments)
    assert seen[1][0].window_end - seen[1][0].window_start == timedelta(days=1)


def test_what_is_wrong_with_a_file_is_kept_and_told_as_long_as_it_lies_there(
    tmp_path: Path, source: HuaweiConfig, put: Put
) -> None:
    """If this fails, a file that nobody understands, or in local time, passes for a good one."""
    put("1,2,3", name="odd.csv")
    put(row("2026-11-03 08:00:00"), row("2026-11-04 09:00:00"), name="zone.csv")
    lake = Lake(tmp_path / "lake")
    for landed in (2, 0):
        result = land_files(source, lake, [DAY], NOW)
        assert (result.landed, result.failed) == (landed, 2)
        assert "odd.csv: holds no row of 21 cells" in result.errors[0]
        assert "zone.csv: holds rows that begin after it was written" in result.errors[1]
    assert {one.status for one in lake.attempts("huawei", "aicc", "cms_history", DAY)} == {"failed"}


def test_what_is_being_written_or_lies_too_far_back_waits(tmp_path: Path, source: HuaweiConfig, put: Put) -> None:
    """If this fails, half a file is landed, or days are touched that no run can build."""
    put(row("2026-11-03 08:00:00"), "", name="young.csv", written=NOW - timedelta(seconds=30))
    put(row("2026-09-03 08:00:00"), name="old.zip")
    put(row("2026-11-03 08:00:00"), name=".hidden.csv")
    put(row("2026-11-03 08:00:00"), name="notes.txt")
    assert land_files(source, Lake(tmp_path), [DAY], NOW).planned == 0
    assert land_files(source, Lake(tmp_path), [date(2026, 9, 3)], NOW + timedelta(minutes=1)).landed == 2


def test_an_export_of_a_quiet_hour_is_passed_over(tmp_path: Path, source: HuaweiConfig, put: Put) -> None:
    """If this fails, a quiet hour is an error as long as its file lies there, or proves more than it does."""
    lake = Lake(tmp_path / "lake")
    put(",".join(COLUMNS), "", name="quiet.csv")
    put(name="nothing.csv")
    with zipfile.ZipFile(put(name="quiet.zip"), "w") as archive:
        archive.writestr("quiet.csv", ",".join(COLUMNS))
    os.utime(tmp_path / "exports" / "quiet.zip", (WRITTEN.timestamp(), WRITTEN.timestamp()))
    result = land_files(source, lake, [DAY], NOW)
    assert (result.planned, result.landed, result.failed) == (0, 0, 0)
    assert lake.attempts("huawei", "aicc", "cms_history", DAY) == []
    put(",".join(COLUMNS), row("2026-11-03 08:00:00"), "", name="quiet.csv")
    assert land_files(source, lake, [DAY], NOW).landed == 1


@pytest.mark.parametrize("name", ["half.csv", "half.zip"])
def test_half_a_file_is_waited_for_and_taken_at_last(tmp_path: Path, source: HuaweiConfig, put: Put, name: str) -> None:
    """If this fails, agents who stand in the other half look idle, or an export that broke off is never seen."""
    path = put(row("2026-11-03 08:00:00", "2026-11-03 08:10:00"), row("2026-11-03 09:00:00"), name=name)
    if name.endswith(".zip"):
        path.write_bytes(b"PK\x03\x04" + path.read_bytes())
        os.utime(path, (WRITTEN.timestamp(), WRITTEN.timestamp()))
    lake = Lake(tmp_path / "lake")
    assert land_files(source, lake, [DAY], WRITTEN + timedelta(minutes=59)).planned == 0
    assert land_files(source, lake, [DAY], WRITTEN + timedelta(minutes=61)).landed == 1


def test_a_folder_that_cannot_be_read_is_told_and_ends_nothing(tmp_path: Path) -> None:
    """If this fails, a mount that is gone looks like a vendor without news, or stops the capture of the others."""
    source = config("https://aicc.example.com", cms_files=str(tmp_path / "gone"))
    result = land_files(source, Lake(tmp_path), [DAY], NOW)
    assert "cms_files" in result.errors[0]
    [probe] = CmsHistoryClient(source).probe()
    assert (probe.name, probe.ok, "correct cms_files" in probe.message) == ("files", False, True)
    (tmp_path / "gone").mkdir()
    assert [(probe.name, probe.ok) for probe in CmsHistoryClient(source).probe()] == [("files", True)]


@given(
    payload=st.binary(max_size=100) | st.lists(st.datetimes().map(str)).map(lambda t: "\n".join(map(row, t)).encode())
)
def test_any_file_tells_of_a_stretch_or_of_none(payload: bytes) -> None:
    """If this fails, one odd file stops the landing of all."""
    told = stretch(csv_lines(payload, COLUMNS) or [], NOW)
    assert told is None or (told.start < told.end and told.end - told.start <= REACH + timedelta(days=1, seconds=1))


def test_files_alone_make_a_timeline(tmp_path: Path, put: Put) -> None:
    """If this fails, the parts work and the product does not: nothing runs them, or no day is built of them."""
    ends = [row("2026-11-03 08:10:00", "2026-11-03 08:30:00"), row("2026-11-03 09:00:00", "2026-11-03 10:00:00")]
    put(row("2026-11-03 08:00:00", "2026-11-03 08:10:00"), *ends)
    (tmp_path / "sources.yaml").write_text(
        "sources: [{name: aicc, vendor: huawei, base_url: 'https://aicc.example.com', cms_files: exports}]"
    )
    engine = Engine(load_settings(tmp_path / "home", tmp_path / "sources.yaml", {}))
    report = Runner(engine, DAY, DAY).backfill(DAY, DAY)
    assert report.ok, report
    with duckdb.connect(str(tmp_path / "home" / "warehouse.duckdb"), read_only=True) as warehouse:
        rows = warehouse.execute(
            "select agent_id, started_at, ended_at from marts.fct_agent_timeline where state = 'not_ready' order by all"
        )
        assert rows.fetchall()[:1] == [("101", *(datetime(2026, 11, 3, 8, minute, tzinfo=UTC) for minute in (0, 30)))]
