"""Runs from the command line: which days they take in, what they refuse, and what they report."""

import errno
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

from orchestration.backfill import BackfillError, Finding, Report, Runner, prepare_dagster_home, raw_keys
from orchestration.resources import Engine
from orchestration.room import DiskFullError
from tests.pipeline.site import day
from tests.pipeline.toy import built, engine_at, filled, land, shift


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days, built once."""
    made = tmp_path_factory.mktemp("backfill") / "home"
    filled(made, 3)
    return made


@pytest.fixture
def engine(home: Path, tmp_path: Path) -> Engine:
    """A copy of it to work on."""
    shutil.copytree(home, tmp_path / "home")
    return engine_at(tmp_path / "home")


def test_a_range_that_ends_before_it_begins_is_refused(engine: Engine) -> None:
    """Swapped days would else be a run that does nothing and says that all is well."""
    with pytest.raises(BackfillError, match="swap them"):
        Runner(engine, day(1), day(0))


def test_an_unknown_source_is_refused_with_the_known_ones(engine: Engine) -> None:
    """A typing error in a name would else capture nothing and say that all is well."""
    with pytest.raises(BackfillError, match=r"no enabled source cy .*there are: cx"):
        Runner(engine, day(0), day(0)).backfill(day(0), day(0), ["cy"])


@pytest.mark.parametrize(
    ("select", "said"),
    [
        ("marts.fct_transfer", r"'marts\.fct_transfer' selects no asset; .*marts/fct_transfers"),
        ("marts/agg_agent_day+", "the nearest are marts/agg_agent_days"),
        ("group:nothing", "there are, for instance, "),
        ("bad((", "selects no asset"),
    ],
)
def test_a_selection_of_nothing_is_refused_with_the_nearest(engine: Engine, select: str, said: str) -> None:
    """A typing error would else be a traceback of Dagster's, or a run that does nothing and says that all is well."""
    with pytest.raises(BackfillError, match=said):
        Runner(engine, day(0), day(0)).backfill(day(0), day(0), select=select)


def test_a_report_is_well_unless_a_step_or_an_error_check_failed() -> None:
    """Exit codes that people's schedulers act on hang on this."""
    warning, error = (Finding("marts/x", "c", error, "m") for error in (False, True))
    assert Report().ok
    assert Report(findings=[warning]).ok
    assert not Report(findings=[warning, error]).ok
    assert not Report(ran=False).ok
    assert not Report(failures=["2026-11-03: still out of date"]).ok


def test_raw_assets_are_those_of_the_sources_asked_for(engine: Engine) -> None:
    """--source must not capture the others."""
    assert [key.to_user_string() for key in raw_keys(engine, ["cx"])] == ["raw/cx/agent_states"]
    assert raw_keys(engine, []) == []


def test_dagsters_home_is_written_once_and_then_the_users(engine: Engine) -> None:
    """Settings that a user changed must outlive the next run."""
    home = prepare_dagster_home(engine)
    assert "telemetry" in (home / "dagster.yaml").read_text()
    (home / "dagster.yaml").write_text("# mine\n")
    assert prepare_dagster_home(engine) == home
    assert (home / "dagster.yaml").read_text() == "# mine\n"


def test_dagsters_home_is_there_whole_or_not_at_all(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, a full disk leaves an empty configuration, which is kept for good: no limit of runs, telemetry."""
    path = engine.settings.dagster_home / "dagster.yaml"

    def full(_: Path, *__: object, **___: object) -> NoReturn:
        raise OSError(errno.ENOSPC, "no space left on device")

    path.unlink(missing_ok=True)
    with monkeypatch.context() as patch:
        patch.setattr("orchestration.lake.sync", full)
        with pytest.raises(DiskFullError):
            prepare_dagster_home(engine)
    assert not path.exists()
    path.write_bytes(b"")
    prepare_dagster_home(engine)
    assert "telemetry" in path.read_text()


def test_a_late_record_makes_the_days_after_it_out_of_date(engine: Engine) -> None:
    """A state that ran over midnight, learned of late, must reach the days that begin in it."""
    assert engine.stale_days(day(0)) == []
    night = shift("cat", day(0), (20, 22, 23, 24))[:2]
    night[1]["end"] = night[1]["nextEventId"] = None
    land(engine, day(0), night, windows=1)
    for model in engine.models.values():
        if model.kind in {"day", "segment"}:
            engine.build(model.table, [day(0)])
    assert engine.stale_days(day(0)) == [day(1), day(2)]
    built(engine, 3)
    assert engine.stale_days(day(0)) == []


def test_days_that_only_follow_a_quiet_day_are_left_alone(engine: Engine) -> None:
    """Rebuilding five weeks for each late segment would make every run slow."""
    land(engine, day(0), shift("ann", day(0)), windows=2)  # the same records once more
    for model in engine.models.values():
        if model.kind in {"day", "segment"}:
            engine.build(model.table, [day(0)])
    assert "marts.fct_agent_timeline" not in {
        model.table
        for model in engine.models.values()
        if model.kind == "day" and not engine.builder.is_current(model, day(2))
    }
