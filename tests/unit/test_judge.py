"""Checks beside other runs: what is half built is looked at again, what is wrong is said at once."""

import time
from pathlib import Path
from typing import Any

import pytest

from orchestration.builder import Builder
from orchestration.duck import show
from orchestration.models import Check, read_checks
from tests.unit.test_builder import DAY, DAYS, Shop, noon

ADDS_UP = """-- A day's sum is that of its events and those of the day before.
select s.n from marts.fct_sums as s where s.n <> (select sum(n) from intermediate.int_events)
"""
TOTAL = """-- The sums once more.
-- grain: n
-- window: 0 days .. 0 days
select n -- sum
from marts.fct_sums
"""
ADDS_UP_TWICE = """-- The total is that of the day's events and those of the day before.
select t.n from marts.agg_total as t where t.n <> (select sum(n) from intermediate.int_events)
"""
HOLDS = """-- Each event of each page is staged.
with sent as (select segment, sum(json_array_length(decode(payload))) as n from raw.toy_events group by segment)
select s.segment, s.n from sent as s
where s.n <> (select count(*) from staging.stg_toy__events as t where t.segment = s.segment)
"""
KNOWS = """-- Each staged event is one of the day.
select s.id from staging.stg_toy__events as s anti join intermediate.int_events as e on s.id = e.id
"""


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A lake with an event, and a check of one table against another."""
    made = Shop(tmp_path)
    (made.sql / "checks").mkdir()
    (made.sql / "checks" / "fct_sums__adds_up.sql").write_text(ADDS_UP)
    made.land(DAY, {"id": "a", "t": noon()})
    made.build()
    return made


def check_of(shop: Shop, builder: Builder, name: str) -> Check:
    """A check by its name."""
    checks = read_checks(shop.sql, builder.models.values())
    return next(check for found in checks.values() for check in found if check.name == name)


def test_tables_that_another_run_is_building_are_looked_at_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, of eight backfills side by side one ends with an error that is none."""
    shop.land(DAY, {"id": "b", "t": noon(), "n": 5}, source="b")
    builder = shop.builder()
    for table in ("staging.stg_toy__events", "intermediate.int_events"):
        builder.build_days(table, DAYS)
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            builder.build_days("marts.fct_sums", DAYS)  # as the other run goes on to do

    monkeypatch.setattr(time, "sleep", wait)
    assert builder.judge(check_of(shop, builder, "adds_up"), [DAY]).failing == 0
    assert len(waits) == 3


def test_what_lies_between_two_tables_is_looked_at_too(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, a sum is held against events that another run has built and not yet summed up."""
    (shop.sql / "marts" / "agg_total.sql").write_text(TOTAL)
    (shop.sql / "checks" / "agg_total__adds_up_twice.sql").write_text(ADDS_UP_TWICE)
    shop.build()
    shop.land(DAY, {"id": "b", "t": noon(), "n": 5}, source="b")
    builder = shop.builder()
    for table in ("staging.stg_toy__events", "intermediate.int_events"):
        builder.build_days(table, DAYS)

    def wait(_: float) -> None:
        for table in ("marts.fct_sums", "marts.agg_total"):
            builder.build_days(table, DAYS)  # as the other run goes on to do

    monkeypatch.setattr(time, "sleep", wait)
    assert builder.judge(check_of(shop, builder, "adds_up_twice"), [DAY]).failing == 0


def test_a_run_that_never_ends_its_building_does_not_hold_a_check_for_ever(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, a run that was killed while building makes every later one hang."""
    shop.land(DAY, {"id": "b", "t": noon(), "n": 5}, source="b")
    builder = shop.builder()
    for table in ("staging.stg_toy__events", "intermediate.int_events"):
        builder.build_days(table, DAYS)
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    assert builder.judge(check_of(shop, builder, "adds_up"), [DAY]).failing == 1
    assert sum(waits) <= 30


def test_what_is_wrong_and_not_being_built_is_said_at_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, each failing check costs half a minute."""
    shop.land(DAY, {"id": "b", "t": noon(), "n": -5}, source="b")
    shop.build()
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    builder = shop.builder()
    assert builder.judge(check_of(shop, builder, "positive"), [DAY]).failing == 1
    assert waits == []


def test_staged_rows_are_judged_beside_the_segments_that_were_parsed(shop: Shop) -> None:
    """If this fails, a segment that was just landed is an alarm, or what staging lost is none."""
    (shop.sql / "checks" / "stg_toy__events__holds_all.sql").write_text(HOLDS)
    check = check_of(shop, shop.builder(), "holds_all")
    shop.land(DAY, {"id": "b", "t": noon()}, {"id": "c", "t": noon()}, source="b")
    assert shop.builder().judge(check, [DAY]).failing == 0
    shop.change("staging/toy/stg_toy__events.sql", "from p\n", "from p where e.id <> 'c'\n")
    builder = shop.builder()
    builder.build_days("staging.stg_toy__events", DAYS)
    assert builder.judge(check, [DAY]).failing == 1
    assert builder.judge(check, [DAYS[0]]).failing == 0


def test_records_that_do_not_have_what_was_staged_meanwhile_are_looked_at_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, a capture beside a build makes it fail for a record that is merely newer."""
    (shop.sql / "checks" / "int_events__knows_all.sql").write_text(KNOWS)
    builder = shop.builder()
    shop.land(DAY, {"id": "b", "t": noon()}, source="b")
    builder.build_days("staging.stg_toy__events", DAYS)
    monkeypatch.setattr(time, "sleep", lambda _: builder.build_days("intermediate.int_events", DAYS))
    assert builder.judge(check_of(shop, builder, "knows_all"), [DAY]).failing == 0


def test_a_segment_that_passed_is_not_read_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, each refresh of a busy day reads all that was sent on it once more."""
    (shop.sql / "checks" / "stg_toy__events__holds_all.sql").write_text(HOLDS)
    read: list[str] = []

    def spy(connection: Any, table: str, paths: Any, types: Any, where: str = "true", **more: Any) -> None:
        if table == "raw.toy_events":
            read.append(where)
        show(connection, table, paths, types, where, **more)

    monkeypatch.setattr("orchestration.builder.show", spy)
    check = check_of(shop, shop.builder(), "holds_all")

    def failing() -> int:
        return shop.builder().judge(check, [DAY]).failing

    assert failing() == 0
    assert read[0] != "segment in ()"
    assert failing() == 0
    assert read[1:] == ["segment in ()"]
    shop.change("staging/toy/stg_toy__events.sql", "from p\n", "from p where e.id <> 'a'\n")
    shop.builder().build_days("staging.stg_toy__events", DAYS)
    assert [failing(), failing()] == [1, 1]


def test_what_passed_is_kept_of_the_newest_texts_alone_and_missed_by_nobody(shop: Shop) -> None:
    """A day's passed segments are half a megabyte for each check, and each new version would leave them behind."""
    (shop.sql / "checks" / "stg_toy__events__holds_all.sql").write_text(HOLDS)
    check = check_of(shop, shop.builder(), "holds_all")
    folder = shop.builder().builds.folder("staging.stg_toy__events", DAY)
    assert shop.builder().judge(check, [DAY]).failing == 0
    [first] = folder.glob("passed-*.json")
    shop.change("staging/toy/stg_toy__events.sql", "from p\n", "from p where e.id <> 'z'\n")
    shop.builder().build_days("staging.stg_toy__events", DAYS)
    assert shop.builder().judge(check, [DAY]).failing == 0
    [second] = folder.glob("passed-*.json")
    assert first != second
    told = second.read_bytes()
    second.write_bytes(told[:3])
    assert shop.builder().judge(check, [DAY]).failing == 0
    assert second.read_bytes() == told
