"""Which checks fail on which days, by what runs over different days said one after the other."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import msgspec
import pytest

from orchestration.builder import Verdict
from orchestration.check_watch import Told, check_incidents, name_of, take_in
from orchestration.incidents import Incident
from orchestration.model_assets import FAILING_DAYS, JUDGED_DAYS, key_of, result_of
from orchestration.models import Check

MONDAY = date(2026, 11, 23)
DAYS = [MONDAY + timedelta(days=n) for n in range(6)]
TABLE = "marts.fct_sums"
CHECK = Check("positive", TABLE, "select 1", "n is positive", warn=False, tables=(TABLE,), path=Path("x.sql"))


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """Dagster's own storage on disk."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as made:
        yield made


class Course:
    """Runs that judge, and what is known after each."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.cursor = b"{}"

    def begin(self) -> str:
        """Let a run begin."""
        return self.instance.add_run(dg.DagsterRun("job", status=dg.DagsterRunStatus.STARTED)).run_id

    def judged(
        self, days: Sequence[date], failing: Sequence[date] = (), *, bad: bool = False, run: str | None = None
    ) -> None:
        """Let a run have judged these days; rows that fail say of which day they are, unless there is just ``bad``."""
        result = result_of(Verdict(CHECK, len(failing) or int(bad), (), frozenset(failing)), days)
        evaluation = dg.AssetCheckEvaluation(
            asset_key=key_of(CHECK.table),
            check_name=CHECK.name,
            passed=result.passed,
            metadata=result.metadata,
            description=result.description,
        )
        run = run or self.begin()
        kinds = dg.DagsterEventType
        event = dg.DagsterEvent(kinds.ASSET_CHECK_EVALUATION.value, "job", event_specific_data=evaluation)
        self.instance.report_dagster_event(event, run)
        self.instance.report_dagster_event(dg.DagsterEvent(kinds.RUN_SUCCESS.value, "job"), run)

    def look(self) -> list[Incident]:
        """What is wrong by now."""
        told = take_in(self.instance, [CHECK], msgspec.json.decode(self.cursor, type=Told), datetime.now(UTC))
        self.cursor = msgspec.json.encode(told)
        return list(check_incidents([CHECK], told))

    def wrong(self) -> bool:
        """Whether something is."""
        return bool(self.look())


def test_a_run_over_other_days_ends_nothing(instance: dg.DagsterInstance) -> None:
    """If this fails, one bad row is told of every quarter of an hour, and its end five minutes later."""
    course = Course(instance)
    keys = set()
    for _ in range(3):
        course.judged(DAYS[:4], [DAYS[0]])  # every quarter of an hour, the last four days
        [incident] = course.look()
        keys.add(incident.key)
        course.judged(DAYS[2:4])  # when segments come, the last two
        assert course.wrong()
    assert keys == {"check_failed:marts.fct_sums:positive"}
    assert "fails on 2026-11-23: 1 rows break this" in incident.cause
    course.judged(DAYS[:1])
    assert course.look() == []


def test_the_other_days_of_a_run_that_failed_are_well(instance: dg.DagsterInstance) -> None:
    """If this fails, an incident outlives its row by the days that were judged together with it."""
    course = Course(instance)
    course.judged(DAYS[:4], [DAYS[3]])
    assert course.wrong()
    course.judged(DAYS[3:5])
    assert not course.wrong()


def test_where_rows_do_not_say_their_day_all_days_must_pass(instance: dg.DagsterInstance) -> None:
    """If this fails, a check without a day in its rows is over while the row is still there."""
    course = Course(instance)
    course.judged(DAYS[:4], bad=True)
    course.judged(DAYS[2:4])
    assert course.wrong()
    course.judged(DAYS[:2])
    assert not course.wrong()


def test_nothing_between_two_looks_is_missed(instance: dg.DagsterInstance) -> None:
    """If this fails, a row is wrong in silence, because another run passed within the same minute."""
    course = Course(instance)
    course.judged(DAYS[:2])
    assert not course.wrong()
    course.judged(DAYS[:2], [DAYS[0]])
    for _ in range(25):
        course.judged(DAYS[1:3])
    assert course.wrong()


def test_a_long_run_is_heard_though_later_ones_were_before_it(instance: dg.DagsterInstance) -> None:
    """If this fails, what a backfill of hours finds wrong is hidden by the runs that began after it."""
    course = Course(instance)
    long = course.begin()
    for _ in range(12):
        course.judged(DAYS[4:])
    assert not course.wrong()
    course.judged(DAYS[:4], [DAYS[1]], run=long)
    course.judged(DAYS[4:])
    assert course.wrong()


def test_whole_tables_go_by_their_last_evaluation(instance: dg.DagsterInstance) -> None:
    """If this fails, checks of tables without days are never over."""
    course = Course(instance)
    course.judged([], bad=True)
    assert course.wrong()
    course.judged([])
    assert not course.wrong()


def test_an_evaluation_says_which_days_it_is_about() -> None:
    """If this fails, nobody can tell what a check that passes says."""
    passed = result_of(Verdict(CHECK, 0, ()), DAYS[:2])
    assert passed.metadata[JUDGED_DAYS].value == ["2026-11-23", "2026-11-24"]
    assert FAILING_DAYS not in passed.metadata
    failed = result_of(Verdict(CHECK, 2, (), frozenset({DAYS[1]})), DAYS[:2])
    assert failed.metadata[FAILING_DAYS].value == ["2026-11-24"]
    # A row's date may be NULL, or a day that was not judged: then it may be any.
    for dates in (frozenset({None}), frozenset({DAYS[5]})):
        vague = result_of(Verdict(CHECK, 1, (), dates), DAYS[:2])
        assert vague.metadata[FAILING_DAYS].value == ["2026-11-23", "2026-11-24"]
    assert name_of(CHECK) == "marts.fct_sums:positive"
