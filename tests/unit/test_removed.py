"""Raw segments removed on purpose: their staged rows count for good, and nothing is made as if they never were."""

import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from orchestration.lake import segments_of
from orchestration.removed import RawRemovedError, note, removed_days, removed_segments
from tests.unit.test_builder import DAY, STAGING, Shop

EVENTS = "staging/toy/stg_toy__events.sql"
DAY_TABLE = "intermediate.int_events"


def at(hour: int, day: date = DAY) -> datetime:
    """An hour of a day."""
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A day of two sources, staged; the raw segment of the first one is removed."""
    made = Shop(tmp_path)
    made.land(DAY, {"id": "one", "t": at(8)}, source="a")
    made.land(DAY, {"id": "two", "t": at(9)}, source="b")
    made.builder().build_days(STAGING, [DAY])
    remove(made, "a")
    return made


def remove(shop: Shop, source: str, day: date = DAY) -> None:
    """Remove raw segments as housekeeping does."""
    folder = shop.lake.raw_dir("toy", "events", source, day)
    note(shop.lake, "toy", "events", source, day, segments_of(folder))
    shutil.rmtree(folder)


def ids(shop: Shop, table: str = STAGING) -> list[str]:
    """What the day's partition holds."""
    shop.builder().build_days(STAGING, [DAY])
    if table != STAGING:
        shop.builder().build_days(table, [DAY])
    paths = [str(path) for path in shop.builder().builds.paths(table, DAY)]
    return [row[0] for row in duckdb.execute("select id from read_parquet(?) order by all", [paths]).fetchall()]


def test_staged_rows_outlive_their_raw_segments(shop: Shop) -> None:
    """If this fails, keeping less raw data means losing history."""
    assert ids(shop) == ids(shop, DAY_TABLE) == ["one", "two"]
    assert removed_days(shop.lake, "toy", "events") == {DAY} == shop.lake.days("toy", "events")
    assert len(removed_segments(shop.lake, "toy", "events", DAY)) == 1


def test_a_changed_parser_parses_what_there_is_and_keeps_the_rest(shop: Shop) -> None:
    """If this fails, an upgrade empties every day whose raw segments were removed, and nobody notices."""
    before = shop.builder().builds.manifest(STAGING, DAY)
    shop.change(EVENTS, "e.id as id", "upper(e.id) as id")
    assert ids(shop) == ids(shop, DAY_TABLE) == ["TWO", "one"]
    assert before != shop.builder().builds.manifest(STAGING, DAY)
    assert ids(shop) == ["TWO", "one"]  # a second time, too
    shop.land(DAY, {"id": "late", "t": at(10)}, source="c")
    assert ids(shop) == ["LATE", "TWO", "one"]
    remove(shop, "b")
    shop.change(EVENTS, "upper(e.id) as id", "lower(e.id) as id")
    assert ids(shop) == ids(shop, DAY_TABLE) == ["TWO", "late", "one"]


def test_many_small_files_of_several_versions_are_told_apart(shop: Shop) -> None:
    """If this fails, rows of a merged file are doubled or lost when its parser changes."""
    for number in range(8):
        shop.land(DAY, {"id": f"n{number}", "t": at(11)}, source=f"s{number}")
        shop.builder().build_days(STAGING, [DAY])
    remove(shop, "s3")
    shop.change(EVENTS, "e.id as id", "upper(e.id) as id")
    expected = sorted(["one", "n3", "TWO", *(f"N{number}" for number in range(8) if number != 3)])
    assert ids(shop) == expected
    shop.change(EVENTS, "upper(e.id) as id", "e.id || '' as id")
    assert ids(shop) == sorted(["one", "two", *(f"n{number}" for number in range(8))])


def test_other_columns_are_refused_and_the_day_stays(shop: Shop) -> None:
    """If this fails, a day is half of one shape and half of another, or its rows are gone."""
    before = shop.builder().builds.paths(STAGING, DAY)
    shop.change(EVENTS, "e.n as n, -- how many", "e.n as n, -- how many\n    e.n as m, -- again")
    with pytest.raises(RawRemovedError, match=f"{STAGING} {DAY}.*other columns"):
        shop.builder().build_days(STAGING, [DAY])
    assert shop.builder().builds.paths(STAGING, DAY) == before


@pytest.mark.parametrize("lost", ["staged", "one file"])
def test_nothing_is_made_where_staged_rows_are_missing(shop: Shop, lost: str) -> None:
    """If this fails, a home restored without its staged files shows figures of which nobody sees that they are less."""
    folder = shop.builder().builds.folder(STAGING, DAY)
    shutil.rmtree(folder)
    if lost == "one file":  # as it is when only another source's segment was staged again
        ledger = next(shop.lake.root.rglob("removed/*.json"))
        hidden = ledger.rename(ledger.with_suffix(".hidden"))
        shop.builder().build_days(STAGING, [DAY])
        hidden.rename(ledger)
    with pytest.raises(RawRemovedError, match="Restore"):
        shop.builder().build_days(STAGING, [DAY])
    with pytest.raises(RawRemovedError, match="no figure is made"):
        shop.builder().build_days(DAY_TABLE, [DAY - timedelta(days=1)])  # whose window reaches into the day
    assert shop.builder().builds.manifest(DAY_TABLE, DAY - timedelta(days=1)) is None


def test_raw_segments_that_are_put_back_are_parsed_again(shop: Shop) -> None:
    """If this fails, a restored backup is passed over."""
    shop.land(DAY, {"id": "one", "t": at(8)}, source="a")
    shop.change(EVENTS, "e.id as id", "upper(e.id) as id")
    assert ids(shop) == ["ONE", "TWO"]
