"""A roster and a schedule, from the file to the warehouse, and what a change in them rebuilds."""

import re
from pathlib import Path

import pytest

from orchestration.resources import Engine
from tests.pipeline.site import day, opened
from tests.pipeline.toy import engine_at, land, shift, site_of

PAGE = Path(__file__).parents[2] / "docs" / "people.md"
ROSTER = "source,agent_id,person_id,team,valid_from,valid_to\ncx,ann,p1,Sales,,\ncx,bob,p1,Sales,,\n"


def plan(number: int, activity: str = "phone") -> str:
    """A row of the schedule: Ann from 8 to 16 on one of the days."""
    return f"cx,ann,{day(number)}T08:00:00Z,{day(number)}T16:00:00Z,{activity}\n"


def configured(home: Path, roster: str, schedule: str) -> Engine:
    """The product on a home with these tables."""
    home.parent.mkdir(parents=True, exist_ok=True)
    (home.parent / "roster.csv").write_text(roster)
    (home.parent / "schedule.csv").write_text("source,agent_id,started_at,ended_at,activity\n" + schedule)
    return engine_at(home, roster="roster.csv", schedule="schedule.csv")


def built(engine: Engine) -> dict[str, str]:
    """Build the first day; what became of each day table."""
    return {out.table: out.result for out in site_of(engine).build([day(0)]) if out.day}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day of two agents who are one person, one of them planned."""
    made = tmp_path_factory.mktemp("people") / "home"
    engine = configured(made, ROSTER, plan(0))
    land(engine, day(0), shift("ann", day(0)) + shift("bob", day(0), (9, 11, 12, 20)))
    built(engine)
    return made


def test_persons_and_adherence_come_from_the_files(home: Path) -> None:
    """Ann is ready from 8, at work from 12 to 13, Bob from 11 to 12: if this fails, a file is read for nothing."""
    with opened(home) as connection:
        persons = connection.execute(
            "select person_id, agents, staffed_seconds / 3600, overlap_seconds / 3600 from marts.agg_person_days"
        ).fetchall()
        kept = connection.execute(
            "select sum(scheduled_seconds) / 3600, sum(out_of_adherence_seconds) / 3600, sum(worked_seconds) / 3600 "
            "from marts.fct_adherence_intervals"
        ).fetchall()
        who = connection.execute("select agent_id, person_id, team from marts.dim_agents order by all").fetchall()
    assert persons == [("p1", 2, 12.0, 8.0)]
    assert kept == [(8.0, 0.0, 9.0)]
    assert who == [("ann", "p1", "Sales"), ("bob", "p1", "Sales")]


def test_the_queries_of_the_page_run(home: Path) -> None:
    """If this fails, whoever copies an example gets an error."""
    queries = re.findall(r"^```sql\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    with opened(home) as connection:
        assert [connection.execute(query).fetchall() for query in queries] == [[], [("ann", 1.0, 1.125)]]


def test_a_row_for_tomorrow_rebuilds_nothing_and_one_of_the_day_what_it_changes(home: Path) -> None:
    """If this fails, each export of the planners' tool rebuilds all days, or changes none."""
    tomorrow = f"cx,ann,p1,Sales,,{day(1)}\ncx,ann,p1,Care,{day(1)},\ncx,bob,p1,Sales,,\n"
    later = configured(home, ROSTER.splitlines()[0] + "\n" + tomorrow, plan(0) + plan(1))
    assert set(built(later).values()) == {"current"}
    lunch = configured(home, ROSTER, plan(0, "lunch"))
    assert {table for table, result in built(lunch).items() if result == "built"} == {
        "marts.fct_adherence",
        "marts.fct_adherence_intervals",
    }
    alone = configured(home, ROSTER.replace("cx,bob,p1", "cx,bob,p2"), plan(0, "lunch"))
    assert {table for table, result in built(alone).items() if result == "built"} == {
        "marts.fct_person_timeline",
        "marts.agg_person_days",
    }
