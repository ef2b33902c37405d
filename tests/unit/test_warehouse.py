"""The published warehouse: one moment, swapped in whole, and its builds kept as long as anyone may need them."""

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from assets.config import Origin, Secret
from assets.kore.config import KoreConfig
from assets.reports.config import OverviewConfig
from orchestration.builder import Builder
from orchestration.compaction import compact_closed_days
from orchestration.inputs import midnight
from orchestration.models import read_models
from orchestration.overview import write_overview
from orchestration.resources import Engine
from orchestration.settings import SettingsError, sql_dir
from orchestration.warehouse import Warehouse
from tests.pipeline.site import day, held, rows_of
from tests.pipeline.toy import ADDRESS, built, engine_at, filled, land, later, shift, site_of
from tests.pipeline.watch import NAMED

TIMELINE = "marts.fct_agent_timeline"
EARLY = {
    "ops.capture_log",
    *(f"intermediate.{name}" for name in ("int_agent_records", "int_agent_day_close", "int_feed_windows")),
    *(f"intermediate.{name}" for name in ("int_feed_gaps", "int_open_segments")),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days, built once."""
    made = tmp_path_factory.mktemp("warehouse") / "home"
    filled(made)
    return made


@pytest.fixture
def engine(home: Path, tmp_path: Path) -> Engine:
    """A copy of it to work on."""
    shutil.copytree(home, tmp_path / "home")
    made = engine_at(tmp_path / "home")
    made.warehouse.publish()
    return made


def agents(engine: Engine, number: int = 0) -> list[str]:
    """Who has a timeline on a day, as a new connection sees it."""
    sql = f"select distinct agent_id from {TIMELINE} where date = ? order by all"
    return [row[0] for row in site_of(engine).ask(sql, day(number))]


def build(engine: Engine, *tables: str) -> None:
    """Build the first day of these tables, or of all."""
    for model in engine.models.values():
        if model.kind in {"day", "segment"} and (not tables or model.table in tables):
            engine.build(model.table, [day(0)])


def test_a_connection_keeps_its_moment_and_a_new_one_sees_the_newest(engine: Engine, tmp_path: Path) -> None:
    """A report of several queries would mix two moments if tables changed under an open connection."""
    with held(engine.settings.home, tmp_path / "held") as connection:
        before = {m: rows_of(connection, m) for m, model in engine.models.items() if model.kind != "view"}
        land(engine, day(0), shift("cat", day(0)), windows=1)
        built(engine)
        engine.warehouse.clean()
        assert agents(engine) == ["ann", "bob", "cat"]
        assert {m: rows_of(connection, m) for m in before} == before


def test_a_day_in_the_midst_of_being_built_stays_as_it_was(engine: Engine) -> None:
    """Tables of one day that disagree would show seconds of agents that no other table knows."""
    land(engine, day(0), shift("cat", day(0)), windows=1)
    staged = "staging.stg_cxengage__agent_states"
    build(engine, staged, "intermediate.int_agent_records")
    engine.warehouse.publish([day(0)])
    assert agents(engine) == ["ann", "bob"]
    assert len(site_of(engine).ask(f"select distinct agent_id from {staged} where date = ?", day(0))) == 2
    build(engine)
    engine.warehouse.publish([day(0)])
    assert agents(engine) == ["ann", "bob", "cat"]


def test_the_overview_is_written_whole_and_of_captured_sources_alone(engine: Engine) -> None:
    """A screen on the wall would show half a page, or call a source stale that was retired on purpose."""
    page = write_overview(engine.settings, engine.lake, midnight(day(1)) + timedelta(hours=12, minutes=10))
    assert page == engine.settings.home / "exports" / "overview" / "index.html"
    assert {"Ann", "Bob"} <= set(re.findall(r"<bdi>(\w+)</bdi>", page.read_text(encoding="utf-8")))
    retired = [source.model_copy(update={"enabled": False}) for source in engine.settings.sources]
    write_overview(replace(engine.settings, sources=tuple(retired)), engine.lake)
    assert "nothing was seen yet" in page.read_text(encoding="utf-8")
    assert [path.name for path in page.parent.iterdir()] == ["index.html"]


def test_the_overview_can_hide_people_or_be_left_out(engine: Engine) -> None:
    """If this fails, a site that hides people in all reports still writes their names with every build."""
    key = Secret("KEY", {"KEY": "0123456789abcdef"})
    hiding = OverviewConfig().model_copy(update={"pseudonymise": True, "pseudonym_key": key})
    noon = midnight(day(1)) + timedelta(hours=12, minutes=10)
    page = write_overview(replace(engine.settings, overview=hiding), engine.lake, noon)
    assert page is not None
    text = page.read_text(encoding="utf-8")
    assert not re.findall(r"(?i)\b(?:ann|bob)\b", text)
    assert len(set(re.findall(r"agent-[0-9a-f]{16}", text))) == 2
    assert write_overview(replace(engine.settings, overview=OverviewConfig(enabled=False)), engine.lake) is None
    assert not page.exists()


def test_a_day_never_built_whole_is_not_published(engine: Engine) -> None:
    """A day with some tables only would show agents without sums."""
    land(engine, day(2), shift("ann", day(2)))
    engine.build("staging.stg_cxengage__agent_states", [day(2)])
    engine.build("intermediate.int_agent_records", [day(2)])
    engine.warehouse.publish()
    assert site_of(engine).ask("select max(date) from intermediate.int_agent_records") == [(day(1),)]


def test_publishing_one_day_leaves_the_others_as_they_are_published(engine: Engine) -> None:
    """A run over today must not take last month out of the warehouse."""
    before = rows_of_day(engine, 1)
    engine.warehouse.publish([day(0)])
    assert rows_of_day(engine, 1) == before != []


def rows_of_day(engine: Engine, number: int) -> list[tuple[object, ...]]:
    """The timeline of a day."""
    return site_of(engine).ask(f"select * from {TIMELINE} where date = ? order by all", day(number))


def test_superseded_builds_go_after_their_grace_and_not_before(engine: Engine) -> None:
    """Removed too early they break open connections; never removed they fill the disk."""
    folder = engine.builder.builds.folder(TIMELINE, day(0))
    land(engine, day(0), shift("cat", day(0)), windows=1)
    built(engine)
    assert len(list(folder.glob("*.parquet"))) == 2
    assert engine.warehouse.clean() == 0
    assert engine.warehouse.clean(grace=timedelta(seconds=-1)) > 0
    assert len(list(folder.glob("*.parquet"))) == 1
    assert agents(engine) == ["ann", "bob", "cat"]
    assert site_of(engine).ask("select count(*) from raw.cxengage_agent_states")[0][0] == 9
    assert set(built(engine)) == {"current"}


def test_a_publication_that_fails_leaves_the_old_warehouse(engine: Engine, tmp_path: Path) -> None:
    """A macro with a typing error must not take the warehouse away from everyone."""
    (tmp_path / "wrong.sql").write_text("create macro nonsense(")
    before = agents(engine)
    with pytest.raises(duckdb.Error):
        Warehouse(engine.settings.warehouse_path, engine.builder, tmp_path).publish()
    assert agents(engine) == before
    assert not [path for path in (engine.lake.root / ".tmp").iterdir() if path.name != "duckdb"]


def record_of(engine: Engine) -> Path:
    """What is remembered of the last publication."""
    return engine.lake.root / ".builds" / "published.json"


def test_what_is_remembered_of_a_day_does_not_grow_with_its_segments(engine: Engine) -> None:
    """A year of days of 5,760 segments each would be a gigabyte that is read and written every half minute."""
    before = record_of(engine).stat().st_size
    for number in range(20):
        land(engine, day(0), shift(f"agent-{number}", day(0)), windows=1)
    built(engine)
    assert record_of(engine).stat().st_size < before + 20 * 100  # a raw file's name each
    manifest = engine.builder.builds.manifest("staging.stg_cxengage__agent_states", day(0))
    assert manifest is not None
    assert sum(len(entry.parts) for entry in manifest.entries) == 24
    assert manifest.entries[0].parts[0].content not in record_of(engine).read_text()


@pytest.mark.parametrize("record", [b"", b'{"days": {"2026-', b'{"days": 1}', b"\xff"])
def test_a_damaged_record_of_what_is_published_is_written_anew(engine: Engine, record: bytes) -> None:
    """One bad file would end all publishing for good; and removing builds without it breaks open connections."""
    before = record_of(engine).read_bytes()
    rows = rows_of_day(engine, 1)
    record_of(engine).write_bytes(record)
    assert not engine.warehouse.shows([day(0)])
    assert engine.warehouse.clean(grace=timedelta(seconds=-1)) == 0
    engine.warehouse.publish([day(0)])
    assert record_of(engine).read_bytes() == before
    assert rows_of_day(engine, 1) == rows != []


def test_raw_folders_that_did_not_change_are_not_read_again(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading each closed day's merged file takes 4 ms: a year of ten feeds would hold up each publication for 15 s."""
    raw = "raw.cxengage_agent_states"
    for number in (0, 1):
        for path in (folder := engine.lake.raw_dir("cxengage", "agent_states", "cx", day(number))).iterdir():
            os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 60))
        os.utime(folder, (folder.stat().st_atime, folder.stat().st_mtime - 60))
    engine.warehouse.publish()
    rows = site_of(engine).ask(f"select count(*) from {raw}")
    looked: list[Path] = []
    read = Warehouse._readable

    def looking(warehouse: Warehouse, path: Path) -> list[Path]:
        looked.append(path)
        return read(warehouse, path)

    monkeypatch.setattr(Warehouse, "_readable", looking)
    engine.warehouse.publish()
    assert (looked, site_of(engine).ask(f"select count(*) from {raw}")) == ([], rows)
    land(engine, day(1), shift("cat", day(1)), windows=1)
    engine.warehouse.publish()
    assert [path.name for path in looked] == [f"date={day(1)}"]
    assert site_of(engine).ask(f"select count(*) from {raw}") == [(rows[0][0] + 1,)]


def test_days_of_an_earlier_version_do_not_stop_publishing(engine: Engine, tmp_path: Path) -> None:
    """After an upgrade with a new column, nobody would see anything new until years of days were built again."""
    sql = shutil.copytree(sql_dir(), tmp_path / "sql")
    model = sql / "marts" / "fct_agent_timeline.sql"
    model.write_text(
        model.read_text().replace("    evidence  ", "    'new' as novelty, -- what is new\n    evidence  ")
    )
    builder = Builder(engine.lake, read_models(sql), engine.builder.constants, wanted=engine.models)
    assert "novelty" in builder.types[TIMELINE]
    warehouse = Warehouse(engine.settings.warehouse_path, builder, engine.warehouse.macros)
    before = rows_of_day(engine, 0)
    warehouse.publish()
    assert rows_of_day(engine, 0) == before != []
    for number in (1, 0):
        for table in (model.table for model in builder.models.values() if model.kind in {"day", "segment"}):
            builder.build_days(table, [day(number)])
        warehouse.publish()
        found = site_of(engine).ask(f"select distinct date, novelty from {TIMELINE} order by all")
        assert found == [(day(0), "new" if number == 0 else None), (day(1), "new")]
    said = "select comment from duckdb_columns() where table_name = 'fct_agent_timeline' and column_name = 'novelty'"
    assert site_of(engine).ask(said) == [("what is new",)]


def test_files_that_are_merged_while_they_are_listed_do_not_fail_a_publication(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A publication and the nightly merging often meet; if this fails, one of them ends in an error."""
    land(engine, day(0), shift("cat", day(0)), windows=1)
    read = Warehouse._readable

    def merged_after(warehouse: Warehouse, path: Path) -> list[Path]:
        found = read(warehouse, path)
        monkeypatch.setattr(Warehouse, "_readable", read)
        later(engine)
        compact_closed_days(engine.builder, engine.feeds)
        return found

    monkeypatch.setattr(Warehouse, "_readable", merged_after)
    engine.warehouse.publish()
    assert site_of(engine).ask("select count(*) from raw.cxengage_agent_states where date = ?", day(0)) == [(5,)]


def test_a_vendor_that_is_taken_away_leaves_the_others_published(tmp_path: Path) -> None:
    """If this fails, a source that is configured and removed again before its first capture ends all publishing."""
    engine = engine_at(tmp_path / "home")
    land(engine, day(0), shift("ann", day(0)))
    keys = {"name": "kore_in", "vendor": "kore", "base_url": ADDRESS, "account_id": "a"}
    secrets = {"app_id": "${TOY_USER}", "client_secret": "${TOY_PASSWORD}"}
    kore = KoreConfig.model_validate(keys | secrets, context=Origin(environ={"TOY_USER": "u", "TOY_PASSWORD": "p"}))
    both = Engine(replace(engine.settings, sources=(*engine.settings.sources, kore)))
    assert "built" in built(both, 1)
    before = site_of(both).ask(f"from {TIMELINE} order by all")
    engine.warehouse.publish()
    assert site_of(engine).ask(f"from {TIMELINE} order by all") == before != []


@pytest.mark.parametrize("sources", [(), ("renamed",)])
def test_a_source_that_the_file_does_not_name_is_refused(engine: Engine, sources: Sequence[str]) -> None:
    """If this fails, its days stay in some tables and vanish from others, and the command ends with 0."""
    before = site_of(engine).ask("select * from marts.dim_agents")
    named = [engine.settings.sources[0].model_copy(update={"name": name}) for name in sources]
    other = Engine(replace(engine.settings, sources=tuple(named)))
    with pytest.raises(SettingsError, match=r"holds source cx of cxengage, .*--sources.*'enabled: false'"):
        other.warehouse.publish()
    assert site_of(engine).ask("select * from marts.dim_agents") == before != []


def test_an_empty_home_publishes_empty_tables(tmp_path: Path) -> None:
    """A first look before the first capture must find the tables, not an error."""
    engine = engine_at(tmp_path / "home")
    engine.warehouse.publish()
    for model in engine.models.values():
        expected = 1 if model.table == "ops.source_health" else 0
        found = site_of(engine).ask(f"select count(*) from {model.table}")[0][0]
        assert found == expected or not model.parents or model.table == "intermediate.int_source_signals", model.table


def test_a_day_published_beside_a_half_built_one_names_its_own_sessions(tmp_path: Path) -> None:
    """If this fails, a timeline carries a state in whose session and agent the same connection does not know."""
    engine = engine_at(tmp_path / "home")
    night = shift("cat", day(0), (20, 22, 23, 24))[:2]
    night[1]["end"] = night[1]["nextEventId"] = None
    land(engine, day(0), night)
    land(engine, day(1), shift("ann", day(1)))
    for model in engine.models.values():
        if model.schema == "staging" or model.table in EARLY:
            engine.build(model.table, [day(0)])
    site_of(engine).build([day(1)])
    with site_of(engine).warehouse() as connection:
        assert connection.execute(NAMED).fetchall() == []
        assert connection.execute("select count(*) from marts.fct_agent_sessions").fetchall() == [(2,)]
