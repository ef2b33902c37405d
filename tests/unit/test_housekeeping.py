"""Daily chores: what goes, what stays, and that one that fails stops no other."""

import fcntl
import json
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner

from orchestration import cli, housekeeping
from orchestration.backfill import recorded
from orchestration.compaction import compact_closed_days
from orchestration.definitions import build_defs
from orchestration.housekeeping import BRIEF_JOBS, KEEP_RUNS, Chore, forget_raw, housekeep, remove_locks, remove_remains
from orchestration.inputs import midnight
from orchestration.lake import Lake
from orchestration.pruning import Limits, prune, remove_tick_logs
from orchestration.removed import RawRemovedError
from orchestration.resources import Engine
from orchestration.standing import Standing, heard, tell
from orchestration.warehouse import Warehouse
from tests.pipeline.site import day
from tests.pipeline.toy import built, engine_at, filled, later, site_of

NOW = datetime.now(UTC)
THEN = midnight(day(10))
RAW = "raw.cxengage_agent_states"
STAGED = "staging.stg_cxengage__agent_states"
ASSET = dg.AssetKey(["marts", "fct_agent_intervals"])


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a day that the vendor has long forgotten."""
    home = tmp_path_factory.mktemp("kept") / "home"
    made = filled(home, 1)
    later(made)
    built(made, 1)
    return home


@pytest.fixture
def engine(closed: Path, tmp_path: Path) -> Engine:
    """A copy of it, whose source keeps raw segments for a week."""
    shutil.copytree(closed, tmp_path / "home")
    made = engine_at(tmp_path / "home")
    sources = tuple(source.model_copy(update={"retain_raw_days": 7}) for source in made.settings.sources)
    return Engine(replace(made.settings, sources=sources))


def age(path: Path, days: int) -> None:
    """Let a file look as if nobody had touched it for so many days."""
    os.utime(path, (time.time() - days * 86_400,) * 2)


def raw_days(engine: Engine) -> list[str]:
    """Days with raw segments."""
    return sorted(path.name for path in engine.lake.root.glob("raw/*/*/source=*/date=*"))


def test_old_raw_segments_go_and_every_figure_stays(engine: Engine) -> None:
    """If this fails, keeping less raw data changes what was reported, or keeps nothing small."""
    before = site_of(engine).tables()
    links = engine.lake.root / ".builds" / "raw"
    assert list(links.rglob(f"date={day(0)}/*.parquet"))
    assert forget_raw(engine, THEN) == 1
    assert forget_raw(engine, THEN) == 0
    assert raw_days(engine) == [f"date={day(9)}"]
    assert set(built(engine, 1)) == {"current"}
    engine.warehouse.publish()
    engine.warehouse.clean(grace=timedelta(seconds=-1))
    assert not list(links.rglob(f"date={day(0)}/*.parquet"))  # the room is free
    assert site_of(engine).tables() == before
    assert site_of(engine).ask(f"select count(*) from {RAW} where date < ?", day(1)) == [(0,)]
    checks = engine.checks[STAGED]
    assert {engine.builder.judge(check, [day(0)]).failing for check in checks} == {0}
    assert engine.first_day() <= day(0)
    assert compact_closed_days(engine.builder, engine.feeds) == 0


def test_days_that_may_still_change_keep_their_raw_segments(engine: Engine) -> None:
    """If this fails, a late record is staged beside nothing, and a retention longer than asked for loses evidence."""
    clock = engine.lake.capture_dir("cxengage", "agent_states", "cx") / "clock.json"
    told = json.loads(clock.read_text())
    clock.write_text(json.dumps({**told, "vendor_now": f"{day(3)}T00:00:00Z", "drift_seconds": -7 * 86_400.0}))
    assert forget_raw(engine, THEN) == 0
    clock.write_text(json.dumps(told))
    assert forget_raw(engine, datetime(day(6).year, day(6).month, day(6).day, tzinfo=UTC)) == 0
    assert len(raw_days(engine)) == 2


@pytest.mark.parametrize("retired", [{"enabled": False}, {"feeds": ("agent_intervals",)}], ids=["source", "feed"])
def test_what_is_captured_no_more_keeps_no_raw_segments_for_it(engine: Engine, retired: dict[str, Any]) -> None:
    """If this fails, replies of a retired source or feed, full of personal data, stay for ever: its clock stands."""
    sources = tuple(source.model_copy(update=retired) for source in engine.settings.sources)
    assert forget_raw(Engine(replace(engine.settings, sources=sources)), THEN + timedelta(days=400)) == 2
    assert raw_days(engine) == []


def test_what_is_not_staged_whole_is_staged_before_its_raw_segments_go(engine: Engine) -> None:
    """If this fails, raw segments are removed of which a torn file is all that was left."""
    before = site_of(engine).tables()
    [staged] = engine.builder.builds.paths(STAGED, day(0))
    staged.write_bytes(b"torn")
    assert forget_raw(engine, THEN) == 1
    built(engine, 1)
    assert site_of(engine).tables() == before


def test_what_cannot_be_staged_whole_keeps_its_raw_segments(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, the only good copy of a day is removed."""
    [staged] = engine.builder.builds.paths(STAGED, day(0))
    shutil.copyfile(next(engine.lake.root.glob("raw/*/*/source=*/date=*/*.parquet")), staged)
    monkeypatch.setattr(engine.builder, "stage", lambda *_: None)
    [chore] = [one for one in housekeep_quickly(engine) if one.chore == "raw days removed"]
    assert chore.error
    assert len(raw_days(engine)) == 2


def test_being_cut_short_while_removing_does_no_harm(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, a power cut in the midst of it doubles rows or hides those that are still there."""
    before = site_of(engine).tables()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rmdir", cut)
        patch.setattr(Path, "unlink", cut)
        with pytest.raises(KeyboardInterrupt):
            forget_raw(engine, THEN)
    assert set(built(engine, 1)) == {"current"}
    assert forget_raw(engine, THEN) == 1
    assert set(built(engine, 1)) == {"current"}
    assert site_of(engine).tables() == before


def test_a_backup_is_restored_as_the_page_says(engine: Engine, tmp_path: Path) -> None:
    """If this fails, the backup that everybody relies on is none; or one without staged rows shows less in silence."""
    before = site_of(engine).tables()
    forget_raw(engine, THEN)
    whole, without = (engine_at(tmp_path / name / "home") for name in ("whole", "without"))
    for made, kept in ((whole, [".capture", "raw", ".builds/staging"]), (without, [".capture", "raw"])):
        for name in kept:
            shutil.copytree(engine.lake.root / name, made.lake.root / name)
    built(whole, 1)
    assert site_of(whole).tables() == before
    with pytest.raises(RawRemovedError, match="Restore"):
        built(without, 1)
    assert not without.settings.warehouse_path.exists()


def cut(*_: object, **__: object) -> None:
    """The process ends here."""
    raise KeyboardInterrupt


def housekeep_quickly(engine: Engine) -> Sequence[Chore]:
    """All chores, on a storage in memory."""
    with dg.DagsterInstance.ephemeral() as instance:
        return list(housekeep(engine, instance, THEN))


def test_a_chore_that_fails_stops_no_other(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, one broken file keeps everything else from making room, or nobody learns of it."""
    monkeypatch.setattr(Warehouse, "clean", lambda _: 1 / 0)
    monkeypatch.setattr(housekeeping, "prune", lambda *_: (3, 4))
    done = {chore.chore: chore for chore in housekeep_quickly(engine)}
    assert done["superseded builds removed"].error == "division by zero"
    assert done["raw days removed"].done == 1
    assert done["runs and events removed"].done == 7
    assert [chore.chore for chore in done.values() if chore.error] == ["superseded builds removed"]
    words = ["--home", str(engine.settings.home), "--sources", str(engine.settings.sources_file)]
    result = CliRunner().invoke(cli.main, [*words, "housekeeping", "--json"])
    assert result.exit_code == 1
    assert "division by zero" in result.stdout


def test_what_killed_processes_left_goes_after_a_day(engine: Engine) -> None:
    """If this fails, half-written files fill the disk, or those of a run that goes on are taken from it."""
    waiting = engine.lake.root / ".tmp"
    (waiting / "duckdb").mkdir(parents=True, exist_ok=True)
    (waiting / "abc.links").mkdir()
    made = [waiting / "abc.links" / "one.parquet", waiting / "def.tmp", waiting / "duckdb" / "spill"]
    for path in made:
        path.write_bytes(b"half")
    assert remove_remains(engine, NOW + timedelta(hours=1)) == 0
    assert remove_remains(engine, NOW + timedelta(days=2)) == 3
    assert not any(path.exists() for path in made)
    assert (waiting / "duckdb").is_dir()


def test_what_recorders_left_in_the_spool_goes_in_time(engine: Engine) -> None:
    """If this fails, the spool fills with remains, or what stands with a recorder is removed under it."""
    spool = engine.settings.spool_dir
    tell(spool, "cx/agent_states", Standing(NOW))
    half, torn = spool / ".standing" / "cx" / "agent_states.4711", spool / "cx" / "agent_states" / "1.torn"
    for path in (half, torn):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert remove_remains(engine, NOW + timedelta(days=2)) == 1
    assert (half.exists(), torn.exists()) == (False, True)
    assert remove_remains(engine, NOW + KEEP_RUNS + timedelta(days=1)) == 1
    assert not torn.exists()
    assert heard(spool, "cx/agent_states", NOW)


def test_locks_that_somebody_has_stay(tmp_path: Path) -> None:
    """If this fails, two processes build one partition at once."""
    lake = Lake(tmp_path)
    for name in ("held", "free", "fresh"):
        with lake.lock(name):
            pass
        if name != "fresh":
            age(tmp_path / ".locks" / f"{name}.lock", 2)
    with (tmp_path / ".locks" / "held.lock").open("r+") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        assert remove_locks(tmp_path / ".locks", datetime.now(UTC)) == 1
    assert sorted(path.stem for path in (tmp_path / ".locks").iterdir()) == ["fresh", "held"]


def test_a_lock_that_is_removed_while_others_wait_for_it_excludes_them_still(tmp_path: Path) -> None:
    """If this fails, housekeeping lets two builds of one partition run at once."""
    lake, inside, worst, going = Lake(tmp_path), [0], [0], threading.Event()

    def work() -> None:
        for _ in range(30):
            with lake.lock("one"):
                inside[0] += 1
                worst[0] = max(worst[0], inside[0])
                time.sleep(0)
                inside[0] -= 1

    def tidy() -> None:
        while not going.is_set():
            remove_locks(tmp_path / ".locks", datetime.now(UTC) + timedelta(days=2))

    threads = [threading.Thread(target=work) for _ in range(4)]
    tidying = threading.Thread(target=tidy)
    for thread in [tidying, *threads]:
        thread.start()
    for thread in threads:
        thread.join()
    going.set()
    tidying.join()
    assert worst == [1]


def test_old_runs_go_but_not_what_a_partition_shows(tmp_path: Path) -> None:
    """If this fails, Dagster's storage grows for ever, or old days look as if they had never been built."""
    engine = engine_at(tmp_path / "home")
    with recorded(engine) as instance:
        runs = [
            dg.materialize([built_asset], instance=instance, partition_key=name).run_id
            for name in ("one", "two", "one")
        ]
        for _ in range(3):
            instance.report_runless_asset_event(dg.AssetMaterialization("raw", partition="one"))
        assert prune(instance, limits(timedelta(days=30))) == (0, 0)
        assert prune(instance, limits(timedelta(seconds=-1)))[0] == 1
        assert prune(instance, limits(timedelta(seconds=-1))) == (0, 0)
        assert sorted(instance.get_run_ids()) == sorted(runs[1:])
        assert instance.get_materialized_partitions(ASSET) == {"one", "two"}
        assert instance.get_materialized_partitions(dg.AssetKey("raw")) == {"one"}
        home = Path(instance.root_directory)
        assert not [path for run in runs for path in (home / "history" / "runs").glob(f"{run}*")]
        with closing(sqlite3.connect(home / "history" / "runs" / "index.db")) as database:
            assert database.execute("select count(*) from event_logs").fetchall() == [(3,)]


def test_runs_of_every_few_minutes_go_soon_and_failures_stay(tmp_path: Path) -> None:
    """If this fails, a run a minute fills the disk, or why one failed last week cannot be found out."""

    @dg.op
    def work(context: dg.OpExecutionContext) -> None:
        if context.run.tags.get("fails"):
            raise ValueError

    jobs = [dg.GraphDefinition(name, node_defs=[work]).to_job() for name in ("often", "seldom")]
    with recorded(engine_at(tmp_path / "home")) as instance:
        stay = [jobs[1].execute_in_process(instance=instance).run_id]
        failed = jobs[0].execute_in_process(instance=instance, tags={"fails": "yes"}, raise_on_error=False)
        jobs[0].execute_in_process(instance=instance)
        assert prune(instance, limits(timedelta(days=30), timedelta(days=2))) == (0, 0)
        assert prune(instance, limits(timedelta(days=30), timedelta(seconds=-1))) == (1, 0)
        assert sorted(instance.get_run_ids()) == sorted([*stay, failed.run_id])


def test_of_each_check_the_newest_verdict_stays_and_no_plan(tmp_path: Path) -> None:
    """If this fails, a row per day and check stays of every run, or a check looks as if it had never been run."""
    key = dg.AssetCheckKey(ASSET, "well")
    dated = {"dagster/asset_partition_range_start": "one", "dagster/asset_partition_range_end": "two"}
    with recorded(engine_at(tmp_path / "home")) as instance:
        runs = [dg.materialize([built_asset], instance=instance, tags=dated).run_id for _ in range(3)]
        home = Path(instance.root_directory)
        with closing(sqlite3.connect(home / "history" / "runs" / "index.db", isolation_level=None)) as database:
            plan = "insert into asset_check_executions (asset_key, check_name, partition, run_id, execution_status) "
            for run in runs:  # as Dagster's daemon does for a run over two days
                for name in ("one", "two"):
                    values = (ASSET.to_string(), "well", name, run, "PLANNED")
                    database.execute(f"{plan} values (?, ?, ?, ?, ?)", values)
            count = "select execution_status, count(*) from asset_check_executions group by 1 order by 1"
            assert database.execute(count).fetchall() == [("PLANNED", 6), ("SUCCEEDED", 3)]
            prune(instance, limits(timedelta(days=30)))
            assert database.execute(count).fetchall() == [("SUCCEEDED", 3)]
            prune(instance, limits(timedelta(seconds=-1)))
            assert database.execute(count).fetchall() == [("SUCCEEDED", 1)]
        found = instance.event_log_storage.get_latest_asset_check_execution_by_key([key])
        assert found[key].run_id == runs[-1]


def test_old_verdicts_that_no_run_has_go_but_the_newest(tmp_path: Path) -> None:
    """If this fails, 288 verdicts a feed and day stay for ever, or a feed looks as if nobody ever looked at it."""
    with recorded(engine_at(tmp_path / "home")) as instance:
        for name in ("one", "one", "two", "one"):
            instance.report_runless_asset_event(dg.AssetCheckEvaluation(ASSET, name, passed=True))
        database = Path(instance.root_directory) / "history" / "runs" / "index.db"
        kept = "select check_name, id from asset_check_executions order by id"
        assert prune(instance, limits(timedelta(days=30), timedelta(days=1))) == (0, 0)
        with closing(sqlite3.connect(database)) as connection:
            before = connection.execute(kept).fetchall()
            # Two verdicts, and what was noted of all four.
            assert prune(instance, limits(timedelta(days=30), timedelta(days=-1))) == (0, 2 + 4)
            assert connection.execute(kept).fetchall() == before[2:] != []


def test_logs_of_ticks_go_and_empty_ones_sooner(tmp_path: Path) -> None:
    """If this fails, a file a minute stays for ever, and the file system runs out of them."""
    ages = {"alarms/1.err": 3, "alarms/2.err": 1, "alarms/3.err": 31, "alarms/4.err": 3}
    (tmp_path / "alarms").mkdir()
    for name, days in ages.items():
        path = tmp_path / name
        path.write_text("" if name in ("alarms/1.err", "alarms/2.err") else "told")
        os.utime(path, (0, (NOW - timedelta(days=days)).timestamp()))
    assert remove_tick_logs(tmp_path, NOW, timedelta(days=30), timedelta(days=2)) == 2
    assert sorted(path.name for path in tmp_path.rglob("*.err")) == ["2.err", "4.err"]


def test_jobs_that_are_kept_briefly_are_there(engine: Engine) -> None:
    """If this fails, a job was renamed, and its runs of every minute are kept for a month."""
    assert set(BRIEF_JOBS) <= {job.name for job in build_defs(engine=engine, lineage=False).jobs or []}


def limits(age: timedelta, brief: timedelta | None = None) -> Limits:
    """All that is older than this goes, of the job ``often`` what is older than ``brief``."""
    now = datetime.now(UTC)
    return Limits(now - age, now - (age if brief is None else brief), ["often"])


@dg.asset(
    key=ASSET,
    partitions_def=dg.StaticPartitionsDefinition(["one", "two"]),
    backfill_policy=dg.BackfillPolicy.single_run(),
    check_specs=[dg.AssetCheckSpec("well", asset=ASSET)],
)
def built_asset() -> Iterator[Any]:
    """An asset of two days with a check."""
    yield dg.MaterializeResult(check_results=[dg.AssetCheckResult(check_name="well", passed=True)])
