"""Files of the lake that cannot be read: set aside and told of, their windows asked for again, all else goes on."""

import shutil
from datetime import timedelta
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from orchestration.aside import unreadable
from orchestration.compaction import merge_raw
from orchestration.files import UnreadableFileError
from orchestration.health import feed_health
from orchestration.incidents import unreadable_files
from orchestration.inputs import midnight
from orchestration.lake import segments_of
from orchestration.resources import Engine
from orchestration.sensors import look as sensed
from tests.pipeline.site import day
from tests.pipeline.toy import built, engine_at, filled, land, shift, site_of
from tests.watching import HOUR, MINUTE, NOW, home_with, look, watched

STAGED = "staging.stg_cxengage__agent_states"
GARBAGE = b"\0" * 500


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days, built and published once."""
    made = tmp_path_factory.mktemp("whole") / "home"
    filled(made)
    return made


@pytest.fixture
def engine(home: Path, tmp_path: Path) -> Engine:
    """A copy of it to work on."""
    shutil.copytree(home, tmp_path / "home")
    made = engine_at(tmp_path / "home")
    built(made)
    return made


def raw(engine: Engine, number: int = 1) -> Path:
    """A raw partition."""
    return engine.lake.raw_dir("cxengage", "agent_states", "cx", day(number))


def coverage(engine: Engine, number: int = 1) -> list[tuple[object, ...]]:
    """Stretches that were not observed."""
    query = "select window_start::varchar, status from ops.feed_coverage where date = ? and status <> 'observed'"
    return site_of(engine).ask(query, day(number))


def staged(engine: Engine) -> dict[object, object]:
    """Rows that were staged, by day."""
    return dict(site_of(engine).ask(f"select date::varchar, count(*) from {STAGED} group by all order by all"))


@pytest.mark.parametrize("data", [b"", GARBAGE, b"PAR1" + GARBAGE + b"PAR1"], ids=["empty", "zeros", "torn"])
def test_a_raw_file_that_cannot_be_read_harms_itself_alone(engine: Engine, data: bytes) -> None:
    """If this fails, one bad file stops the live day and all publishing, or hours are missing that look observed."""
    before = staged(engine)
    assert coverage(engine) == []
    land(engine, day(1), shift("cat", day(1)), windows=2)  # two more segments, of which the later one goes bad
    new = max(raw(engine).glob("*T1200*"), key=lambda path: path.stat().st_mtime)
    new.write_bytes(data)
    assert "built" in built(engine)
    [aside] = unreadable(engine.lake.root)
    assert aside.read_bytes() == data
    assert aside.name == new.name
    after = staged(engine)
    assert after[str(day(0))] == before[str(day(0))]
    assert after[str(day(1))] == before[str(day(1))] + 1  # type: ignore[operator]
    logged = engine.lake.attempts("cxengage", "cx", "agent_states", day(1))
    assert [one.status for one in logged if one.segment == new.stem] == ["unreadable"]
    assert len(logged) == 6
    [incident] = unreadable_files(engine.lake.root)
    assert str(aside) in incident.cause
    assert str(raw(engine)) in incident.next_step
    assert set(built(engine)) == {"current"}


def test_what_only_a_bad_file_held_is_not_observed(engine: Engine) -> None:
    """If this fails, an hour that nobody can prove counts as if nothing had happened in it."""
    [first, *_] = sorted(raw(engine).glob("*.parquet"))
    first.write_bytes(GARBAGE)
    shutil.rmtree(engine.builder.builds.folder(STAGED, day(1)))
    built(engine)
    assert [status for _, status in coverage(engine)] == ["missing"] * len(coverage(engine))
    assert coverage(engine)
    assert len(segments_of(raw(engine))) == 3


def test_what_was_observed_is_known_before_anything_is_made_of_it(engine: Engine) -> None:
    """If this fails, coverage that a run built before it met the bad file says that all of it was observed."""
    [first, *_] = sorted(raw(engine).glob("*.parquet"))
    first.write_bytes(GARBAGE)
    shutil.rmtree(engine.builder.builds.folder(STAGED, day(1)))
    assert engine.builder.build(engine.models["ops.capture_log"], day(1)).result == "current"
    engine.builder.stage(engine.models[STAGED], day(1))
    assert engine.builder.is_current(engine.models["ops.capture_log"], day(1))
    # What was fetched also hangs from what could be parsed, and so comes after it.
    order = list(engine.models)
    assert order.index(STAGED) < order.index("ops.rejects") < order.index("intermediate.int_feed_windows")
    for table in order[order.index("ops.rejects") : order.index("intermediate.int_feed_windows") + 1]:
        engine.build(table, [day(1)])
    [path] = engine.builder.builds.paths("intermediate.int_feed_windows", day(1))
    assert "missing" in pq.read_table(path, partitioning=None)["status"].to_pylist()


def test_a_merged_file_that_cannot_be_read_stops_nothing(engine: Engine) -> None:
    """If this fails, a closed day's bad file stops all publishing, though nobody asks for that day."""
    assert merge_raw(engine.lake, raw(engine, 0), "cx", "agent_states", day(0))
    [path] = raw(engine, 0).glob("*.parquet")
    path.write_bytes(GARBAGE)
    assert sensed(engine, day(1), {})
    engine.warehouse.publish([day(1)])
    assert len(unreadable(engine.lake.root)) == 1
    statuses = {one.status for one in engine.lake.attempts("cxengage", "cx", "agent_states", day(0))}
    assert statuses == {"unreadable"}


def test_a_build_that_cannot_be_read_is_made_anew(engine: Engine) -> None:
    """If this fails, one bad file of a table stops every reader of it, and what is built of it, for good."""
    query = "select count(*), sum(seconds) from marts.fct_agent_timeline"
    before = site_of(engine).ask(query), staged(engine)
    spoil(engine, STAGED, "marts.fct_agent_timeline", "intermediate.int_agent_records")
    assert not engine.builder.is_current(engine.models["marts.fct_agent_timeline"], day(1))
    built(engine)
    assert (site_of(engine).ask(query), staged(engine)) == before
    assert len(unreadable(engine.lake.root)) == 3
    [incident, *_] = unreadable_files(engine.lake.root)
    assert "made anew" in incident.next_step


def test_a_bad_build_of_any_day_does_not_stop_publishing(engine: Engine) -> None:
    """If this fails, a bad file of a day that nobody builds any more keeps today from being seen."""
    before = staged(engine)
    spoil(engine, STAGED, "marts.agg_agent_days", number=0)
    engine.warehouse.publish([day(1)])
    assert staged(engine) == before
    assert len(site_of(engine).ask("select * from marts.agg_agent_days")) == 4


def spoil(engine: Engine, *tables: str, number: int = 1) -> None:
    """Let a disk have lost what some tables hold of a day."""
    for table in tables:
        for path in engine.builder.builds.paths(table, day(number)):
            path.write_bytes(GARBAGE)


def test_what_a_build_reads_is_mended_first(engine: Engine) -> None:
    """If this fails, figures are made without rows that were there, or not at all."""
    table = "marts.agg_agent_days"
    before = site_of(engine).ask(f"select * from {table} order by all")
    [path] = engine.builder.builds.paths("marts.fct_agent_intervals", day(1))
    path.write_bytes(path.read_bytes()[:-100])
    shutil.rmtree(engine.builder.builds.folder(table, day(1)))
    assert engine.builder.build(engine.models[table], day(1)).result == "built"
    engine.warehouse.publish()
    assert site_of(engine).ask(f"select * from {table} order by all") == before


@pytest.mark.parametrize("listing", [b"", b'{"entries": [', b"[]", b"\xff"])
def test_a_damaged_list_of_builds_is_named_and_is_no_empty_day(engine: Engine, listing: bytes) -> None:
    """If this fails, a bad file takes a day out of all figures, or ends in an error that nobody can act upon."""
    timeline = "marts.fct_agent_timeline"
    path = engine.builder.builds.folder(timeline, day(0)) / "current.json"
    before = site_of(engine).ask(f"select * from {timeline} order by all")
    path.write_bytes(listing)
    with pytest.raises(UnreadableFileError, match=rf"{day(0)}/current.json cannot be read .* 'shiftbook backfill'"):
        built(engine)
    path.unlink()
    built(engine)
    assert site_of(engine).ask(f"select * from {timeline} order by all") == before != []


def test_a_log_that_cannot_be_read_counts_as_nothing_fetched(tmp_path: Path) -> None:
    """If this fails, one bad log silences all alarms, or its windows are never asked for again."""
    engine = home_with(tmp_path / "home")
    for n in range(3):
        watched(engine, NOW + n * MINUTE, NOW + (n + 1) * MINUTE)
    folder = engine.lake.capture_dir("cxengage", "agent_states", "cx") / f"date={NOW.date()}"
    [_, second, _] = sorted(folder.glob("*.parquet"), key=lambda path: path.name)
    second.write_bytes(GARBAGE)
    now = look(engine, NOW + 3 * MINUTE)
    assert engine.watch.failed == {}
    assert [path.name for path in unreadable(engine.lake.root)] == [second.name]
    assert [stretch.start for stretch in now.missing][:1] == [NOW + MINUTE]
    assert len(engine.lake.attempts("cxengage", "cx", "agent_states", NOW.date())) == 2


def test_sources_are_told_of_in_spite_of_a_bad_log(engine: Engine) -> None:
    """If this fails, 'shiftbook sources' says nothing at all because of one minute of one feed."""
    folder = engine.lake.capture_dir("cxengage", "agent_states", "cx") / f"date={day(1)}"
    [bad, *_] = sorted(folder.glob("*.parquet"))
    bad.write_bytes(GARBAGE)
    [row] = feed_health(engine, midnight(day(1)) + HOUR)
    assert row["source"] == "cx"
    assert [path.name for path in unreadable(engine.lake.root)] == [bad.name]


@pytest.mark.parametrize("data", [b"", b'{"first', b"[]"])
def test_a_clock_that_cannot_be_read_is_made_anew(tmp_path: Path, data: bytes) -> None:
    """If this fails, an empty clock.json silences all alarms, or a feed counts as first asked for today."""
    engine = home_with(tmp_path / "home")
    watched(engine, NOW - timedelta(days=2), NOW)
    before = engine.lake.clock("cxengage", "agent_states", "cx")
    path = engine.lake.capture_dir("cxengage", "agent_states", "cx") / "clock.json"
    path.write_bytes(data)
    assert look(engine, NOW).asked_since
    clock = engine.lake.clock("cxengage", "agent_states", "cx")
    assert (clock.first_requested_at, clock.requested_until) == (before.first_requested_at, before.requested_until)
    assert before.observed_until
    assert clock.observed_until
    assert clock.observed_until <= before.observed_until
    [aside] = unreadable(engine.lake.root)
    assert aside.read_bytes() == data
    watched(engine, NOW, NOW + MINUTE)
    assert engine.lake.clock("cxengage", "agent_states", "cx").observed_until == NOW + MINUTE


def test_a_fault_that_is_no_files_is_raised(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, whatever goes wrong is taken for a bad file, and good ones are set aside."""
    land(engine, day(1), shift("cat", day(1)), windows=1)
    held = segments_of(raw(engine))

    def broken(*_: object, **__: object) -> None:
        raise duckdb.OutOfMemoryException("not today")

    monkeypatch.setattr("orchestration.staging.copy_to", broken)
    with pytest.raises(duckdb.OutOfMemoryException):
        engine.builder.stage(engine.models[STAGED], day(1))
    assert segments_of(raw(engine)) == held
    assert unreadable(engine.lake.root) == []
    assert pq.read_metadata(next(iter(held.values()))).num_rows
