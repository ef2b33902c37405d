"""The demo's arithmetic: which days it shows, when it looks, and whether it would notice a wrong figure."""

import json
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration import demo
from orchestration.constants import read_people
from orchestration.demo_centre import Centre, DemoError
from orchestration.demo_compare import Result, _Book, compare
from orchestration.demo_sources import write_sources
from orchestration.demo_truth import VIEWS, Truth
from orchestration.inputs import midnight
from orchestration.resources import Engine
from orchestration.settings import Settings
from simulator.truth import STATES, TRANSFERS
from tests.pipeline.site import day
from tests.pipeline.toy import HOUR, filled

CODES = {"After Call Work": "7"}


def test_the_demo_ends_yesterday_and_has_as_many_days_as_asked_for(tmp_path: Path) -> None:
    """Days of the future cannot be captured."""
    first, last = demo._days(tmp_path, 3, 10, 1)
    assert midnight(last + timedelta(days=1)) + demo._SETTLED_AFTER <= datetime.now(UTC)
    assert last - first == timedelta(days=2)


def test_a_second_demo_goes_on_from_the_first_day(tmp_path: Path) -> None:
    """Tomorrow's demo on the same home must still know today's days."""
    first, _ = demo._days(tmp_path, 3, 10, 1)
    told = tmp_path / "demo" / "centre.json"
    early = str(first - timedelta(days=4))
    told.write_text(json.dumps({**json.loads(told.read_text()), "first_day": early}))
    assert demo._days(tmp_path, 3, 10, 1)[0] == date.fromisoformat(early)


def test_a_home_of_another_centre_is_refused(tmp_path: Path) -> None:
    """Two centres in one home would be compared with the wrong truth."""
    demo._days(tmp_path, 3, 10, 1)
    with pytest.raises(DemoError, match="10 agents and seed 1"):
        demo._days(tmp_path, 3, 11, 1)


@given(st.integers(0, 72), st.integers(1, 20))
def test_looks_leave_no_vendor_time_to_forget(hours: int, days: int) -> None:
    """Looks further apart would lose what Huawei forgets, and all asked seldom what the others do."""
    since, until = midnight(day(0)) + timedelta(hours=hours), midnight(day(days)) + timedelta(hours=2)
    looks = list(demo._looks(since, until))
    assert all(after - before <= timedelta(hours=3) for before, after in pairwise([since, *looks]))
    assert looks == sorted(set(looks))
    assert (looks[-1:] == [until]) if since < until else not looks


def test_everybody_of_the_demo_is_in_its_roster_and_planned_without_contradiction(tmp_path: Path) -> None:
    """If this fails, the demo's own files are refused, or its schedule overlaps itself."""
    staff = demo._staff(5, 40, day(0), 14)
    ids = {person.agent_id: str(number) for number, person in enumerate(staff[:9], 101)}
    names = ("cxengage", "huawei", "beyondtrust")
    vendors: dict[str, Any] = {name: defaultdict(str, agent_ids=ids if name == "huawei" else {}) for name in names}
    centre = Centre({**vendors, "kore": defaultdict(str, reason_codes=CODES)})
    path, _ = write_sources(tmp_path, centre, day(0), staff)
    settings = Settings(tmp_path, roster=path.parent / "roster.csv", schedule=path.parent / "schedule.csv")
    people = read_people(settings)
    assert sorted(row["person_id"] for row in people.roster if row["source"] == "aicc_demo") == [
        f"P{1000 + number}" for number in range(9)
    ]
    assert {row["person_id"] for row in people.roster} == {person.person_id for person in staff}
    planned = people.schedule.on(day(7))
    assert {row["source"] for row in planned} == {"cx_demo", None}
    assert {"On Queue", "Lunch", "Break"} <= {row["activity"] for row in planned}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """One day of two agents, whose truth is known by heart."""
    return filled(tmp_path_factory.mktemp("demo") / "home", 1)


def true_states(shift_seconds: int = 0) -> list[dict[str, object]]:
    """What the toy shifts really were; the first boundary moved by some seconds."""
    rows = []
    for agent, hours in (("ann", (8, 12, 13, 17)), ("bob", (9, 11, 12, 20))):
        edges = [midnight(day(0)) + HOUR * hour for hour in hours]
        edges[1] += timedelta(seconds=shift_seconds)
        for number, (start, end) in enumerate(pairwise(edges)):
            rows.append({"agent_id": agent, "started_at": start, "ended_at": end, "work_items": number % 2,
                         "state": "handling" if number == 1 else "available"})  # fmt: skip
    return rows


def true_transfers() -> list[dict[str, object]]:
    """The two transfers of the toy shifts."""
    rows = []
    for sender, receiver, hour in (("ann", "bob", 17), ("bob", "ann", 20)):
        start = midnight(day(0)) + HOUR * hour - timedelta(minutes=10)
        rows.append({"interaction_id": f"i-{sender}-{day(0)}", "from_agent_id": sender, "to_agent_id": receiver,
                     "started_at": start, "completed_at": start + timedelta(minutes=1), "hop": 1,
                     "is_return": False})  # fmt: skip
    return rows


def compared(engine: Engine, folder: Path, states: list[dict[str, object]], moved: list[dict[str, object]]) -> Result:
    """What the demo finds."""
    pq.write_table(pa.Table.from_pylist(states, STATES), folder / "agent_states.parquet")
    pq.write_table(pa.Table.from_pylist(moved, TRANSFERS), folder / "transfers.parquet")
    return compare(engine.settings, folder, {"cxengage": None}, [day(0)])


def test_equal_figures_are_called_equal(engine: Engine, tmp_path: Path) -> None:
    """A demo that doubts right figures frightens everyone away."""
    found = compared(engine, tmp_path, true_states(), true_transfers())
    [row] = found.rows
    assert (row["equal"], row["compared"], row["agents"], row["transfers"]) == (True, "2 of 2 agent-days", 2, 2)
    assert row["occupancy"] == row["true occupancy"]
    assert (found.ok, found.differences) == (True, [])


@pytest.mark.parametrize("wrong", ["state", "items", "lost transfer", "hop"])
def test_one_wrong_figure_is_noticed(engine: Engine, tmp_path: Path, wrong: str) -> None:
    """A demo that calls anything equal proves nothing."""
    states, moved = true_states(1 if wrong == "state" else 0), true_transfers()
    if wrong == "items":
        states[1]["work_items"] = 2
    if wrong == "lost transfer":
        moved = moved[:1]
    if wrong == "hop":
        moved[0]["hop"] = 2
    found = compared(engine, tmp_path, states, moved)
    assert not found.ok
    assert found.differences


def test_nothing_is_not_equal_to_nothing(engine: Engine, tmp_path: Path) -> None:
    """A demo that captured nothing at all would end well."""
    pq.write_table(pa.Table.from_pylist([], STATES), tmp_path / "agent_states.parquet")
    pq.write_table(pa.Table.from_pylist([], TRANSFERS), tmp_path / "transfers.parquet")
    assert not compare(engine.settings, tmp_path, {"cxengage": None}, [day(5)]).ok


@pytest.mark.parametrize(
    ("differences", "said", "equal"),
    [
        ((0.0, -2.0), "2 of 2 sums within tolerance", True),
        ((0.0, 2.5), "1 of 2 sums within tolerance", False),
        ((0.0, None), "1 of 2 sums within tolerance", False),
        ((), "0 of 0 sums within tolerance", False),
    ],
)
def test_a_second_opinion_agrees_when_every_sum_does(
    differences: tuple[float | None, ...], said: str, *, equal: bool
) -> None:
    """If this fails, the vendor's own sums may contradict ours, or be missing, and the demo ends well."""
    with duckdb.connect() as connection:
        connection.execute("create schema ops")
        connection.execute(
            "create table ops.reconciliation (source varchar, feed varchar, agent_id varchar, date date, "
            "is_judged boolean, difference_seconds double, tolerance_seconds double)"
        )
        connection.execute(
            "create table ops.feed_coverage (source varchar, feed varchar, status varchar, window_start timestamptz, "
            "window_end timestamptz)"
        )
        rows = [("cx", "sums", "ann", day(0), True, found, 2.0) for found in differences]
        others = [("cy", "sums", "ann", day(0), True, 9.0, 2.0), ("cx", "sums", "ann", day(0), False, 9.0, 2.0)]
        connection.executemany("insert into ops.reconciliation values (?, ?, ?, ?, ?, ?, ?)", rows + others)
        result = Result()
        _Book(connection, "cx", Truth(VIEWS["cxengage"], {}, []), result).second_opinion("sums", [day(0)])
    [row] = result.rows
    assert (row["feed"], row["compared"], row["equal"]) == ("sums", said, equal)
