"""The truth tables: they must follow from what people did, whatever any API says."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from simulator import truth
from simulator.centre import Centre
from simulator.facts import (
    VOICE,
    WRAP_UP_REASON,
    Agent,
    Bucket,
    Participation,
    Presence,
    Reason,
    Session,
    millis,
    moment_of,
)

FIRST = date(2026, 3, 2)
UNTIL = datetime(2026, 3, 3, 15, 20, 7, 123000, tzinfo=UTC)
Table = list[dict[str, Any]]


@pytest.fixture(scope="module")
def centre() -> Centre:
    """Play one centre for all tests that only look."""
    return Centre.simulate(21, 24, FIRST, 2)


@pytest.fixture(scope="module")
def folder(centre: Centre, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write that centre's truth once."""
    folder = tmp_path_factory.mktemp("truth") / "made"
    centre.write_truth(folder, UNTIL)
    return folder


def read(folder: Path, name: str) -> Table:
    """Return a table of the truth as rows."""
    rows: Table = pq.read_table(folder / f"{name}.parquet").to_pylist()
    return rows


def by_agent(rows: Table) -> dict[str, Table]:
    """Return rows by agent, in their order."""
    agents: dict[str, Table] = {}
    for row in rows:
        agents.setdefault(row["agent_id"], []).append(row)
    return agents


def test_times_are_utc_microseconds(folder: Path) -> None:
    """If this failed, readers would have to guess zone and unit."""
    schema = pq.read_schema(folder / "agent_states.parquet")
    assert schema.field("started_at").type == pa.timestamp("us", tz="UTC")
    assert schema.equals(truth.STATES)


def test_everybody_on_the_payroll_is_named_with_their_team(folder: Path, centre: Centre) -> None:
    """If this failed, a vendor's teams and names could not be held against anything."""
    rows = read(folder, "agents")
    assert [(row["agent_id"], row["agent_name"], row["team"]) for row in rows] == [
        (agent.agent_id, agent.name, agent.team) for agent in centre.agents
    ]


def test_states_tile_time_from_the_first_sign_in(folder: Path, centre: Centre) -> None:
    """If this failed, the truth itself would have gaps or overlaps."""
    agents = by_agent(read(folder, "agent_states"))
    first_in = {
        stays[0].agent.agent_id: stays[0].started
        for stays in centre.sessions
        if stays and stays[0].started < millis(UNTIL)
    }
    assert set(agents) == set(first_in)
    for agent_id, rows in agents.items():
        assert rows[0]["started_at"] == moment_of(first_in[agent_id])
        assert rows[-1]["ended_at"] == UNTIL
        for row in rows:
            assert row["started_at"] < row["ended_at"]
        for before, after in pairwise(rows):
            assert before["ended_at"] == after["started_at"]


def test_neighbouring_states_differ(folder: Path) -> None:
    """If this failed, occurrences could not be counted from the truth."""
    told = ("state", "reason", "session_id", "work_items", "load", "capacity", "is_ready")
    for rows in by_agent(read(folder, "agent_states")).values():
        for before, after in pairwise(rows):
            assert [before[name] for name in told] != [after[name] for name in told]


def test_work_items_agree_with_interactions_by_brute_force(folder: Path) -> None:
    """If this failed, handling time would not follow from who had what."""
    interactions = by_agent(read(folder, "interactions"))
    for agent_id, rows in by_agent(read(folder, "agent_states")).items():
        mine = interactions.get(agent_id, [])
        for row in rows[::7]:
            middle = row["started_at"] + (row["ended_at"] - row["started_at"]) / 2
            live = sum(
                part["joined_at"] <= middle and (part["left_at"] is None or part["left_at"] > middle) for part in mine
            )
            assert row["work_items"] == row["load"] == live
            assert (row["state"] == "handling") == (live > 0)


def test_item_seconds_are_the_sum_of_interactions(folder: Path) -> None:
    """If this failed, load would not be the integral of interactions."""
    interactions = by_agent(read(folder, "interactions"))
    for agent_id, rows in by_agent(read(folder, "agent_states")).items():
        spent = sum(((row["ended_at"] - row["started_at"]) * row["work_items"] for row in rows), timedelta())
        had = sum(
            ((part["left_at"] or UNTIL) - part["joined_at"] for part in interactions.get(agent_id, [])), timedelta()
        )
        assert spent == had


def test_offline_lies_outside_sessions_and_the_rest_inside(folder: Path) -> None:
    """If this failed, staffed time would not be session time."""
    sessions = by_agent(read(folder, "sessions"))
    for agent_id, rows in by_agent(read(folder, "agent_states")).items():
        staffed = sum((row["ended_at"] - row["started_at"] for row in rows if row["state"] != "offline"), timedelta())
        signed_in = sum(
            ((stay["logged_out_at"] or UNTIL) - stay["logged_in_at"] for stay in sessions[agent_id]), timedelta()
        )
        assert staffed == signed_in
        for row in rows:
            assert (row["session_id"] is None) == (row["state"] == "offline")
            assert (row["capacity"] == 0) == (row["state"] == "offline")


def test_the_canonical_words_are_used(folder: Path) -> None:
    """If this failed, the truth would speak the vendor's language."""
    words = {row["state"] for row in read(folder, "agent_states")}
    assert words == {"available", "handling", "wrap_up", "not_ready", "offline"}


def test_reasons_belong_to_not_ready_presence(folder: Path) -> None:
    """If this failed, a ready agent would have a reason."""
    for row in read(folder, "agent_states"):
        if row["state"] in {"available", "offline"}:
            assert row["reason"] is None
        if row["state"] == "wrap_up":
            assert row["reason"] == WRAP_UP_REASON


def test_nothing_after_until_is_told(folder: Path, centre: Centre) -> None:
    """If this failed, the truth would know the future."""
    transfers = read(folder, "transfers")
    assert len(transfers) == sum(fact.started < millis(UNTIL) for fact in centre.transfers)
    for name, start, end in (
        ("transfers", "started_at", "completed_at"),
        ("sessions", "logged_in_at", "logged_out_at"),
        ("interactions", "joined_at", "left_at"),
    ):
        rows = read(folder, name)
        assert all(row[start] < UNTIL for row in rows)
        assert all(row[end] is None or row[end] <= UNTIL for row in rows)


def test_what_is_under_way_at_until_is_open(centre: Centre, tmp_path: Path) -> None:
    """If this failed, a transfer in flight could not be told from one that arrived."""
    transfer = next(fact for fact in centre.transfers if fact.completed)
    centre.write_truth(tmp_path, moment_of(transfer.started + 1))
    row = next(
        row
        for row in read(tmp_path, "transfers")
        if row["interaction_id"] == transfer.interaction_id and row["hop"] == transfer.hop
    )
    assert row["completed_at"] is None
    assert any(row["left_at"] is None for row in read(tmp_path, "interactions"))
    assert any(row["logged_out_at"] is None for row in read(tmp_path, "sessions"))


def test_an_earlier_until_is_a_prefix(folder: Path, centre: Centre, tmp_path: Path) -> None:
    """If this failed, two reports of one morning would disagree."""
    early = UNTIL - timedelta(hours=3)
    centre.write_truth(tmp_path, early)
    clipped = [
        {**row, "ended_at": min(row["ended_at"], early)}
        for row in read(folder, "agent_states")
        if row["started_at"] < early
    ]
    assert read(tmp_path, "agent_states") == clipped


def test_before_anything_happened_the_tables_are_empty(centre: Centre, tmp_path: Path) -> None:
    """If this failed, an empty result would have no schema."""
    centre.write_truth(tmp_path, datetime(2026, 3, 1, tzinfo=UTC))
    for name in ("agent_states", "transfers", "sessions", "interactions"):
        assert read(tmp_path, name) == []
    assert pq.read_schema(tmp_path / "transfers.parquet").equals(truth.TRANSFERS)


def hand_made(
    presences: list[Presence], parts: list[Participation], stay: Session, until: int
) -> list[tuple[object, ...]]:
    """Return the states of one made-up session: start, end, state, reason, items."""
    rows = truth.agent_states([stay.agent], [(stay,)], [tuple(presences)], parts, until)
    return [(row[2], row[3], *row[4:6], row[7]) for row in rows]


AGENT = Agent(0, "a", "Ana", 1, 2, 0, "day", (Bucket((0,), 1), Bucket((1,), 2)), 1)
WRAP_UP = Reason(WRAP_UP_REASON, "Wrap-Up Reasons", "r", "l")
LUNCH = Reason("Lunch", "Away Reasons", "r", "l")


def test_handling_wins_over_everything() -> None:
    """If this failed, a chat during lunch or wrap-up would vanish from handling."""
    stay = Session("s", AGENT, 100, 900)
    presences = [
        Presence(100, stay, ready=False, reason=None),
        Presence(200, stay, ready=True, reason=None),
        Presence(400, stay, ready=False, reason=WRAP_UP),
        Presence(600, stay, ready=False, reason=LUNCH),
    ]
    parts = [Participation("x", AGENT, VOICE, 300, 500), Participation("y", AGENT, 1, 450, 700)]
    assert hand_made(presences, parts, stay, 1000) == [
        (100, 200, "not_ready", None, 0),
        (200, 300, "available", None, 0),
        (300, 400, "handling", None, 1),
        (400, 450, "handling", WRAP_UP_REASON, 1),
        (450, 500, "handling", WRAP_UP_REASON, 2),
        (500, 600, "handling", WRAP_UP_REASON, 1),
        (600, 700, "handling", "Lunch", 1),
        (700, 900, "not_ready", "Lunch", 0),
        (900, 1000, "offline", None, 0),
    ]


def test_several_changes_in_one_instant_are_one() -> None:
    """If this failed, the truth would hold states that lasted no time."""
    stay = Session("s", AGENT, 100)
    presences = [Presence(100, stay, ready=True, reason=None), Presence(300, stay, ready=False, reason=WRAP_UP)]
    parts = [Participation("x", AGENT, VOICE, 100, 300), Participation("y", AGENT, 1, 300, 400)]
    assert hand_made(presences, parts, stay, 500) == [
        (100, 300, "handling", None, 1),
        (300, 400, "handling", WRAP_UP_REASON, 1),
        (400, 500, "wrap_up", WRAP_UP_REASON, 0),
    ]
