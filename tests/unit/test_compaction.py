"""Merging a closed day's files: no row changes, nothing is rebuilt, and being cut short does no harm."""

import shutil
from pathlib import Path
from typing import Any, NoReturn

import duckdb
import pyarrow.parquet as pq
import pytest

from orchestration import compaction, logs, staging
from orchestration.builder import Builder
from orchestration.builds import Builds
from orchestration.compaction import CompactionError, compact_closed_days, merge_raw
from orchestration.inputs import midnight
from orchestration.lake import segments_of
from orchestration.resources import Engine
from tests.pipeline.site import Rows, day, held, rows_of
from tests.pipeline.toy import built, engine_at, filled, land, later, shift, site_of
from tests.unit.test_builder import DAY, STAGING, Shop

STAGED = "staging.stg_cxengage__agent_states"
RAW = "raw.cxengage_agent_states"


class Cut(BaseException):
    """The process ends here."""


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with two days that the vendor has long forgotten, each segment staged by itself as on an open day."""
    home = tmp_path_factory.mktemp("closed") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(staging, "_PORTION_SEGMENTS", 1)
        made = filled(home)
        for number in (0, 1):  # others may have filled it before
            shutil.rmtree(made.builder.builds.folder(STAGED, day(number)))
        later(made)
        built(made)
    return home


@pytest.fixture
def engine(closed: Path, tmp_path: Path) -> Engine:
    """A copy of that home to work on."""
    shutil.copytree(closed, tmp_path / "home")
    made = engine_at(tmp_path / "home")
    built(made)
    made.warehouse.publish()
    return made


def folder(engine: Engine, number: int = 0) -> Path:
    """A raw partition."""
    return engine.lake.raw_dir("cxengage", "agent_states", "cx", day(number))


def everything(engine: Engine) -> dict[str, Rows]:
    """All rows of the warehouse, raw ones too, and of the plain tree."""
    tables = site_of(engine).tables()
    with site_of(engine).warehouse() as connection:
        tables["raw"] = rows_of(connection, RAW)
    glob = engine.lake.root / "staging" / "stg_cxengage__agent_states" / "**" / "*.parquet"
    tables["tree"] = duckdb.execute(f"select * from read_parquet('{glob}') order by all").fetchall()
    tables["attempts"] = sorted((str(attempt),) for attempt in attempts(engine))
    return tables


def attempts(engine: Engine) -> list[Any]:
    """The log of the first two days."""
    return [a for n in (0, 1) for a in engine.lake.attempts("cxengage", "cx", "agent_states", day(n))]


def assert_nothing_to_rebuild(engine: Engine) -> None:
    """Every partition was built from what is there."""
    for model in engine.models.values():
        if model.kind == "day":
            assert all(engine.builder.is_current(model, day(n)) for n in (0, 1)), model.table
    assert set(built(engine)) == {"current"}


def test_closed_days_become_one_file_each_and_no_row_changes(engine: Engine) -> None:
    """A row lost, doubled or changed by tidying up would be the worst kind of loss: one that nobody looks for."""
    before = everything(engine)
    assert compact_closed_days(engine.builder, engine.feeds) == 2
    assert_nothing_to_rebuild(engine)
    engine.warehouse.publish()
    assert everything(engine) == before
    tree = engine.lake.root / "staging" / "stg_cxengage__agent_states" / f"date={day(0)}"
    log = engine.lake.capture_dir("cxengage", "agent_states", "cx") / f"date={day(0)}"
    assert [len(list(place.glob("*.parquet"))) for place in (folder(engine), tree, log)] == [1, 1, 1]
    assert not [path for path in (engine.lake.root / ".tmp").iterdir() if path.name != "duckdb"]


def test_a_second_time_there_is_nothing_to_do(engine: Engine) -> None:
    """Files written anew every night would wear out disks and backups."""
    compact_closed_days(engine.builder, engine.feeds)
    files = {path: path.stat().st_ino for path in engine.lake.root.glob("[!.]*/**/*.parquet")}
    assert compact_closed_days(engine.builder, engine.feeds) == 0
    assert {path: path.stat().st_ino for path in engine.lake.root.glob("[!.]*/**/*.parquet")} == files


def test_segments_that_are_merged_away_while_they_are_staged_are_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, a build fails because a day was compacted beside it."""
    shop = Shop(tmp_path)
    for name in ("a", "b"):
        shop.land(DAY, {"id": name, "t": midnight(DAY)})

    def late(*args: Any) -> Any:
        merge_raw(shop.lake, shop.lake.raw_dir("toy", "events", "a", DAY), "a", "events", DAY)
        return staging.parse(*args)

    monkeypatch.setattr("orchestration.builder.parse", late)
    builder = shop.builder()
    assert builder.stage(builder.models[STAGING], DAY).rows == 2


def test_a_check_of_segments_that_are_merged_away_meanwhile_is_run(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, a build fails because a day that it checks was compacted beside it."""
    shown, merged = Builder._show_unproven, []

    def late(builder: Builder, *args: Any) -> Any:
        notes = shown(builder, *args)
        merged.append(merge_raw(engine.lake, folder(engine), "cx", "agent_states", day(0)))
        return notes

    monkeypatch.setattr(Builder, "_show_unproven", late)
    assert {engine.builder.judge(check, [day(0)]).failing for check in engine.checks[STAGED]} == {0}
    assert merged[0]


def test_days_that_may_still_change_are_left_alone(tmp_path: Path) -> None:
    """Merging a day under a running capture could pass over what it lands."""
    engine = filled(tmp_path / "home")
    assert compact_closed_days(engine.builder, engine.feeds, now=midnight(day(2))) == 0
    assert len(list(folder(engine).glob("*.parquet"))) == 4


def test_a_warehouse_opened_before_answers_all_its_tables(engine: Engine, tmp_path: Path) -> None:
    """A report that runs while days are merged must not find its files gone."""
    with held(engine.settings.home, tmp_path / "held") as connection:
        before = {m: rows_of(connection, m) for m, model in engine.models.items() if model.kind != "view"}
        raw = rows_of(connection, RAW)
        compact_closed_days(engine.builder, engine.feeds)
        engine.warehouse.publish()
        engine.warehouse.clean()
        assert {m: rows_of(connection, m) for m in before} == before
        assert rows_of(connection, RAW) == raw


def test_a_segment_that_comes_after_the_merging_counts_and_is_merged_later(engine: Engine) -> None:
    """Evidence added to a merged day would otherwise never be read."""
    compact_closed_days(engine.builder, engine.feeds)
    land(engine, day(0), shift("cat", day(0)), windows=1)
    assert "built" in built(engine)
    count = f"select count(*), count(distinct agent_id) from {STAGED} where date = ?"
    assert site_of(engine).ask(count, day(0)) == [(9, 3)]
    before = everything(engine)
    assert compact_closed_days(engine.builder, engine.feeds) == 1
    engine.warehouse.publish()
    assert everything(engine) == before
    assert len(segments_of(folder(engine))) == 5
    assert len(list(folder(engine).glob("*.parquet"))) == 1
    assert_nothing_to_rebuild(engine)


def test_a_file_that_cannot_be_merged_is_named_and_holds_up_no_other(engine: Engine) -> None:
    """One bad file would else keep all days from being merged, every night, and nobody would know which it is."""
    [bad, *_] = sorted(folder(engine, 0).glob("*.parquet"))
    bad.write_bytes(b"no Parquet")
    with pytest.raises(CompactionError, match=bad.name):
        compact_closed_days(engine.builder, engine.feeds)
    assert len(list(folder(engine, 0).glob("*.parquet"))) == 4
    assert len(list(folder(engine, 1).glob("*.parquet"))) == 1
    for number in (0, 1):
        log = engine.lake.capture_dir("cxengage", "agent_states", "cx") / f"date={day(number)}"
        assert len(list(log.glob("*.parquet"))) == 1


def cut(*_: Any, **__: Any) -> NoReturn:
    """Instead of going on."""
    raise Cut


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (Path, "unlink"),  # the merged raw file is there, the segments are too
        (compaction, "merge_staged"),  # raw files are merged, staged ones are not
        (Builds, "put"),  # the merged staged file is kept, nothing names it
        (Builds, "link"),  # the manifest names it, the plain tree does not show it
        (logs, "_merge"),  # before the log is merged
        (logs, "_remove_passed_over"),  # after it
    ],
    ids=["raw", "staged", "manifest", "tree", "log", "tidy"],
)
def test_being_cut_short_does_no_harm(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, owner: object, name: str
) -> None:
    """A run that is killed in the midst of merging must leave every row there once, and be made up for later."""
    before = everything(engine)
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, cut)
        with pytest.raises(Cut):
            compact_closed_days(engine.builder, engine.feeds)
    assert everything(engine) == before
    assert_nothing_to_rebuild(engine)
    assert everything(engine) == before
    compact_closed_days(engine.builder, engine.feeds)
    engine.warehouse.publish()
    assert everything(engine) == before
    assert_nothing_to_rebuild(engine)
    assert len(list(folder(engine).glob("*.parquet"))) == 1


def test_a_merged_file_is_parsed_by_as_few_statements_as_its_segments_were(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each statement reads all of it; if this fails, a new parser takes an hour for a day of 15 s windows."""
    compact_closed_days(engine.builder, engine.feeds)
    [path] = set(segments_of(folder(engine)).values())
    shutil.rmtree(engine.builder.builds.folder(STAGED, day(0)))
    monkeypatch.setattr(staging, "_PORTION_BYTES", path.stat().st_size)
    engine.builder.build_days(STAGED, [day(0)])
    manifest = engine.builder.builds.manifest(STAGED, day(0))
    assert manifest is not None
    assert [(len(entry.parts), entry.shown) for entry in manifest.entries] == [(4, ())]


def test_a_merged_file_names_its_segments_and_holds_their_pages_in_order(engine: Engine) -> None:
    """Without their names in the file, each build would look out of date; out of order, pages could not be checked."""
    names = sorted(segments_of(folder(engine)))
    compact_closed_days(engine.builder, engine.feeds)
    [path] = set(segments_of(folder(engine)).values())
    assert sorted(segments_of(folder(engine))) == names
    table = pq.read_table(path)
    assert [row["segment"] for row in table.select(["segment"]).to_pylist()] == names
