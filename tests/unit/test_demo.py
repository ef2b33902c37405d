"""The demo's arithmetic: which days it shows, and whether it would notice a wrong figure."""

import json
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration import demo
from orchestration.demo_truth import compare
from orchestration.inputs import midnight
from orchestration.resources import Engine
from simulator.truth import STATES, TRANSFERS
from tests.pipeline.site import day
from tests.pipeline.toy import HOUR, filled


def test_the_demo_ends_yesterday_and_has_as_many_days_as_asked_for(tmp_path: Path) -> None:
    """Days of the future cannot be captured."""
    first, last = demo._days(tmp_path, 3, 10, 1)
    assert last < datetime.now(UTC).date()
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
    with pytest.raises(demo.DemoError, match="10 agents and seed 1"):
        demo._days(tmp_path, 3, 11, 1)


def test_a_day_is_captured_shortly_after_its_end() -> None:
    """Captured before midnight, a day would lack its evening."""
    assert demo._capture_time(day(0)) - midnight(day(1)) == timedelta(minutes=20)


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


def compared(
    engine: Engine, folder: Path, states: list[dict[str, object]], moved: list[dict[str, object]]
) -> dict[str, object]:
    """What the demo's table says."""
    pq.write_table(pa.Table.from_pylist(states, STATES), folder / "agent_states.parquet")
    pq.write_table(pa.Table.from_pylist(moved, TRANSFERS), folder / "transfers.parquet")
    [row] = compare(engine.settings, folder)
    return row


def test_equal_figures_are_called_equal(engine: Engine, tmp_path: Path) -> None:
    """A demo that doubts right figures frightens everyone away."""
    row = compared(engine, tmp_path, true_states(), true_transfers())
    assert (row["equal"], row["days equal"], row["agents"], row["transfers"]) == (True, "2 of 2", 2, 2)
    assert row["occupancy"] == row["true occupancy"]


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
    assert not compared(engine, tmp_path, states, moved)["equal"]
