"""Building partitions: only what has changed, exactly the days it touches, and rows that are new or not put in place.

The models are four small ones of these tests, over a vendor called toy; each stands for a kind that the product has.
"""

import json
import shutil
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from orchestration.builder import Builder
from orchestration.builds import Builds, Manifest
from orchestration.constants import RAW_TYPES
from orchestration.inputs import Input, rows_input
from orchestration.lake import Lake, Page, Segment
from orchestration.models import read_models

STAGING = "staging.stg_toy__events"

DAY = date(2026, 11, 3)
DAYS = [DAY + timedelta(days=n) for n in (-1, 0, 1, 2)]

MODELS = {
    "staging/toy/stg_toy__events.sql": """-- Events as delivered.
-- grain: segment, id
with p as (
    select source, segment, unnest(from_json(decode(payload), '[{"id":"VARCHAR","t":"TIMESTAMPTZ","n":"BIGINT"}]')) as e
    from raw.toy_events
)
select source, -- source
    segment, -- segment
    e.id as id, -- id
    e.t as t, -- when
    e.n as n, -- how many
    e.t as touched_from, -- least
    e.t as touched_until -- greatest
from p
""",
    "intermediate/int_events.sql": """-- Events of the day, each once.
-- grain: id
-- window: 0 days .. 0 days
-- check positive: n > 0
select distinct id, -- id
    t, -- when
    n -- how many
from staging.stg_toy__events where t >= $partition_start and t < $partition_end order by id
""",
    "marts/fct_sums.sql": """-- Sums of the day and the day before.
-- grain: n
-- window: -1 days .. 0 days
select sum(n)::bigint as n, -- sum
    max(f.factor)::bigint as factor -- factor
from intermediate.int_events cross join ops.factors as f
""",
    "marts/dim_ids.sql": """-- All ids.
-- grain: id
select id -- id
from intermediate.int_events group by id order by id
""",
    "ops/late.sql": """-- What a day's windows delivered.
-- grain: id
-- window: 0 days .. 0 days
-- day: delivery
select id -- id
from staging.stg_toy__events order by id
""",
}


class Factors:
    """The one table that no model makes."""

    def __init__(self) -> None:
        self.factor = 1

    @property
    def types(self) -> Mapping[str, Mapping[str, str]]:
        """Columns and types by table."""
        return {"raw.toy_events": RAW_TYPES, "ops.factors": {"factor": "BIGINT"}}

    def input(self, table: str, day: date | None) -> Input:
        """The same for each day."""
        assert day is None or day in DAYS
        return rows_input(table, [{"factor": self.factor}])


class Shop:
    """A lake with toy models."""

    def __init__(self, root: Path) -> None:
        self.sql = root / "sql"
        for name, text in MODELS.items():
            path = self.sql / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.lake = Lake(root / "lake")
        self.factors = Factors()

    def change(self, name: str, old: str, new: str) -> None:
        """Edit a model."""
        path = self.sql / name
        path.write_text(path.read_text().replace(old, new))

    def builder(self) -> Builder:
        """A builder of the models as they are now."""
        return Builder(self.lake, read_models(self.sql), self.factors, "500MB")

    def land(self, day: date, *events: Mapping[str, Any], source: str = "a") -> Segment:
        """A segment delivered on a day."""
        start = datetime(day.year, day.month, day.day, 8, tzinfo=UTC)
        payload = json.dumps([{"n": 1, **event, "t": event["t"].isoformat()} for event in events]).encode()
        page = Page(start, start, "GET /", 200, None, payload)
        segment = Segment("toy", source, "events", start, start + timedelta(hours=1), (page,))
        self.lake.land(segment)
        return segment

    def build(self) -> dict[tuple[str, str], str]:
        """Build everything; results that are not ``current``, by table and day."""
        builder = self.builder()
        outcomes = []
        for table, model in builder.models.items():
            if model.kind == "whole":
                outcomes.append(builder.build(model, None))
            else:
                outcomes += builder.build_days(table, DAYS)
        return {(o.table.split(".")[1], str(o.day)): o.result for o in outcomes if o.result != "current"}

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        """What a reader of the plain tree sees."""
        folder = self.lake.root / table.replace(".", "/")
        files = [str(path) for path in sorted(folder.rglob("*.parquet"))]
        with duckdb.connect() as connection:
            return connection.execute("select * from read_parquet($1, hive_partitioning = true)", [files]).fetchall()


def noon(day: date = DAY, minute: int = 0) -> datetime:
    """Noon of a day and some minutes."""
    return datetime(day.year, day.month, day.day, 12, minute, tzinfo=UTC)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A lake with toy models and one event on the day."""
    made = Shop(tmp_path)
    made.land(DAY, {"id": "a", "t": noon()})
    return made


def names(built: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Tables and days as a set."""
    return set(built)


def test_the_second_build_finds_everything_current(shop: Shop) -> None:
    """If this fails, each run does all the work again."""
    assert set(shop.build().values()) == {"built"}
    assert shop.build() == {}
    builder = shop.builder()
    assert all(builder.is_current(m, None if m.kind == "whole" else DAY) for m in builder.models.values()
               if m.kind != "segment")  # fmt: skip


def test_a_late_segment_changes_exactly_the_days_it_touches(shop: Shop) -> None:
    """If this fails, late data is missed, or rebuilds days that it has no part in."""
    shop.build()
    shop.land(DAYS[2], {"id": "late", "t": noon()})
    assert shop.build() == {
        ("stg_toy__events", str(DAYS[2])): "built",
        ("int_events", str(DAY)): "built",
        ("fct_sums", str(DAY)): "built",
        ("fct_sums", str(DAYS[2])): "built",
        ("dim_ids", "None"): "built",
        ("late", str(DAYS[2])): "built",
    }
    assert shop.rows("marts.dim_ids") == [("a",), ("late",)]


def test_what_days_deliver_is_looked_at_again_once_they_delivered_more(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, a process that lives long misses late data, or each table reads a month of megabytes again."""
    shop.land(DAYS[2], {"id": "other", "t": noon() + timedelta(days=2)})
    shop.build()
    builder, manifest = shop.builder(), Builds.manifest
    read: list[tuple[str, date | None]] = []

    def reading(builds: Builds, table: str, day: date | None) -> Manifest | None:
        read.append((table, day))
        return manifest(builds, table, day)

    monkeypatch.setattr(Builds, "manifest", reading)
    staged = ("staging.stg_toy__events", DAYS[2])
    for times in (1, 0):
        read.clear()
        assert builder.build_days("intermediate.int_events", [DAY])[0].result == "current"
        assert read.count(staged) == times
    shop.land(DAYS[2], {"id": "late", "t": noon()}, source="b")
    builder.build_days("staging.stg_toy__events", DAYS)
    assert builder.build_days("intermediate.int_events", [DAY])[0].result == "built"


def test_a_segment_that_repeats_known_rows_changes_nothing_downstream(shop: Shop) -> None:
    """If this fails, fetching a window twice rebuilds all that depends on it."""
    shop.build()
    before = shop.builder().builds.manifest("intermediate.int_events", DAY)
    shop.land(DAY, {"id": "a", "t": noon()}, source="b")
    assert shop.build() == {
        ("stg_toy__events", str(DAY)): "built",
        ("int_events", str(DAY)): "same",
        ("late", str(DAY)): "built",
    }
    after = shop.builder().builds.manifest("intermediate.int_events", DAY)
    assert before is not None
    assert after is not None
    assert (after.entries, after.content) == (before.entries, before.content)
    assert shop.build() == {}


def test_a_changed_query_rebuilds_its_table_and_a_comment_does_not(shop: Shop) -> None:
    """If this fails, a mended model keeps its old rows, or a typo in a comment rebuilds years."""
    shop.build()
    shop.change("marts/fct_sums.sql", "-- Sums of", "-- The sums of")
    assert shop.build() == {}
    shop.change("marts/fct_sums.sql", "sum(n)::bigint as n", "sum(n + 1)::bigint as n")
    assert names(shop.build()) == {("fct_sums", str(day)) for day in DAYS}
    shop.change("intermediate/int_events.sql", "order by id", "order by id, t")
    assert set(shop.build().values()) == {"same"}


def test_a_changed_parser_reads_every_segment_again(shop: Shop) -> None:
    """If this fails, a parser that was wrong stays wrong for what is parsed already."""
    shop.build()
    shop.change("staging/toy/stg_toy__events.sql", "e.n as n", "e.n * 10 as n")
    assert {("stg_toy__events", str(DAY)), ("int_events", str(DAY))} <= names(shop.build())
    assert [row[2] for row in shop.rows("intermediate.int_events")] == [10]


def test_changed_configuration_rebuilds_what_reads_it(shop: Shop) -> None:
    """If this fails, a new state map has no effect on days that were built."""
    shop.build()
    shop.factors.factor = 2
    assert names(shop.build()) == {("fct_sums", str(day)) for day in DAYS}


def test_a_window_reaches_as_far_as_the_header_says(shop: Shop) -> None:
    """If this fails, a day is built from too few or too many days."""
    shop.land(DAYS[0], {"id": "b", "t": noon(DAYS[0]), "n": 5})
    shop.build()
    sums = {str(row[-1]): row[0] for row in shop.rows("marts.fct_sums")}
    assert [sums[str(day)] for day in DAYS] == [5, 6, 1, None]


def test_a_staged_file_names_the_segments_that_it_holds_and_what_they_touch(shop: Shop) -> None:
    """If this fails, a new segment makes a whole day parse again, or an empty one is parsed for ever."""
    empty = shop.land(DAY, source="b")
    two = shop.land(DAY, {"id": "x", "t": noon(DAYS[0])}, {"id": "y", "t": noon(minute=5)}, source="c")
    shop.build()
    manifest = shop.builder().builds.manifest(STAGING, DAY)
    assert manifest is not None
    parts = {part.segment: part for entry in manifest.entries for part in entry.parts}
    assert len(parts) == 3
    assert parts[empty.name].low is None
    assert (parts[two.name].low, parts[two.name].high) == (noon(DAYS[0]), noon(minute=5))
    tree = shop.lake.root / "staging" / "stg_toy__events" / f"date={DAY}"
    assert [path.name for path in tree.iterdir()] == [entry.link for entry in manifest.entries]
    [entry] = manifest.entries
    held = pq.read_table(tree / entry.link, partitioning=None)["segment"].to_pylist()
    assert (held.count(two.name), held.count(empty.name), len(held)) == (2, 0, entry.rows)


def test_many_small_files_become_one_while_the_plain_tree_keeps_what_readers_have_listed(shop: Shop) -> None:
    """If this fails, the last refresh of a day opens a hundred files, or a reader's listed file is gone."""
    tree = shop.lake.root / "staging" / "stg_toy__events" / f"date={DAY}"
    listed: set[str] = set()
    for minute in range(12):
        shop.land(DAY, {"id": f"m{minute}", "t": noon(minute=minute)}, source=f"s{minute}")
        shop.build()
        manifest = shop.builder().builds.manifest(STAGING, DAY)
        assert manifest is not None
        assert len(manifest.entries) <= 4
        assert manifest.rows == minute + 2
        now = {path.name for path in tree.iterdir()}
        assert listed < now
        listed = now
        assert len(shop.rows(STAGING)) == minute + 2


def test_a_tree_whose_listed_files_are_lost_shows_the_merged_one(shop: Shop) -> None:
    """If this fails, a tree that somebody removed comes back with holes."""
    for minute in range(6):
        shop.land(DAY, {"id": f"m{minute}", "t": noon(minute=minute)}, source=f"s{minute}")
        shop.build()
    before = sorted(shop.rows(STAGING))
    shutil.rmtree(shop.lake.root / "staging")
    folder = shop.builder().builds.folder(STAGING, DAY)
    current = {path.name for path in shop.builder().builds.paths(STAGING, DAY)}
    for path in folder.glob("*.parquet"):
        if path.name not in current:
            path.unlink()
    shop.build()
    assert sorted(shop.rows(STAGING)) == before


def test_only_new_segments_are_parsed(shop: Shop) -> None:
    """If this fails, the open day costs more with every hour."""
    shop.build()
    before = shop.builder().builds.manifest(STAGING, DAY)
    shop.land(DAY, {"id": "new", "t": noon()})
    shop.build()
    after = shop.builder().builds.manifest(STAGING, DAY)
    assert before is not None
    assert after is not None
    assert set(before.entries) < set(after.entries)


def test_an_empty_result_has_its_columns_and_types(shop: Shop) -> None:
    """If this fails, a quiet day cannot be read beside a busy one."""
    shop.build()
    files = [shop.lake.root / "intermediate" / "int_events" / f"date={day}" / "data.parquet" for day in (DAY, DAYS[3])]
    full, empty = (pq.read_schema(path) for path in files)
    assert (full.names, full.types) == (empty.names, empty.types)
    assert pq.read_metadata(files[1]).num_rows == 0


def test_the_plain_tree_holds_the_current_rows_once(shop: Shop) -> None:
    """If this fails, any reader of the lake counts rows twice."""
    for n in range(3):
        shop.land(DAY, {"id": f"more{n}", "t": noon(minute=n)})
        shop.build()
    assert [row[0] for row in shop.rows("intermediate.int_events")] == ["a", "more0", "more1", "more2"]
    tree = shop.lake.root / "intermediate" / "int_events" / f"date={DAY}"
    assert [path.name for path in tree.iterdir()] == ["data.parquet"]


def test_a_tree_that_lost_its_file_is_mended_though_nothing_changed(shop: Shop) -> None:
    """If this fails, a crash while linking hides rows until the next change."""
    shop.build()
    rows = shop.rows("intermediate.int_events")
    for path in (shop.lake.root / "intermediate").rglob("*.parquet"):
        path.unlink()
    assert shop.build() == {}
    assert shop.rows("intermediate.int_events") == rows


def test_a_build_that_fails_leaves_the_old_rows(shop: Shop) -> None:
    """If this fails, a mistake in a model takes its table away."""
    shop.build()
    shop.land(DAY, {"id": "b", "t": noon()})
    shop.change(
        "intermediate/int_events.sql", "distinct id,", "distinct case when id = 'b' then error('no') else id end as id,"
    )
    builder = shop.builder()
    builder.build_days("staging.stg_toy__events", [DAY])
    with pytest.raises(duckdb.Error, match="no"):
        builder.build(builder.models["intermediate.int_events"], DAY)
    assert [row[0] for row in shop.rows("intermediate.int_events")] == ["a"]
    assert not builder.is_current(builder.models["intermediate.int_events"], DAY)
    assert [path for path in (shop.lake.root / ".tmp").iterdir() if path.is_file()] == []


def test_a_check_is_judged_over_the_days_asked_for(shop: Shop) -> None:
    """If this fails, a bad row is not found, or yesterday's is found again every day."""
    shop.land(DAY, {"id": "bad", "t": noon(), "n": -1})
    shop.build()
    builder = shop.builder()
    [check] = builder.models["intermediate.int_events"].checks
    verdict = builder.judge(check, [DAY])
    assert (verdict.failing, verdict.sample[0]["id"], verdict.sample[0]["n"]) == (1, "bad", -1)
    assert builder.judge(check, [DAYS[0]]).failing == 0


def test_a_sample_of_failing_rows_is_short(shop: Shop) -> None:
    """If this fails, a broken day floods the log."""
    shop.land(DAY, *({"id": f"bad{n}", "t": noon(), "n": -1} for n in range(25)))
    shop.build()
    builder = shop.builder()
    verdict = builder.judge(builder.models["intermediate.int_events"].checks[0], [DAY])
    assert (verdict.failing, len(verdict.sample)) == (25, 10)


def test_many_segments_are_staged_in_batches_each_row_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, a day of 15 s windows mixes segments up, or opens a file for each."""
    monkeypatch.setattr("orchestration.staging._PORTION_SEGMENTS", 50)
    landed = [shop.land(DAY, {"id": f"i{n}", "t": noon(minute=n % 60)}, source=f"s{n}") for n in range(60)]
    shop.build()
    tables = [pq.ParquetFile(path).read() for path in shop.builder().builds.paths(STAGING, DAY)]
    found = {row["segment"]: row["id"] for table in tables for row in table.to_pylist()}
    assert {one.name: f"i{n}" for n, one in enumerate(landed)}.items() <= found.items()
    assert sum(len(table) for table in tables) == len(found) == 61
    assert len(tables) == 2
