"""An afternoon by samples and streams: what polls of Huawei and the words of BeyondTrust make of what really happened.

A boundary may be off by what its row says and no more, and a state may be missed that is shorter than two samples are
apart, or than a message may be late.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pytest

from simulator.centre import Centre
from tests.pipeline.hours_site import LOST, POLL, SILENT, SINCE, UNTIL, Afternoon
from tests.pipeline.site import Rows, opened
from tests.pipeline.truth import micros, truth
from tests.pipeline.week_figures import QUARTER, clipped, overlapping
from tests.pipeline.week_pieces import SECOND, Piece, merged
from tests.pipeline.week_truth import interactions
from tests.pipeline.week_words import by_beyondtrust, by_huawei

SOURCES = ("gateway", "present", "live")
FROM, TO = micros(SINCE), micros(UNTIL)
GAP = micros(LOST[0]), micros(LOST[1])
LATE = 20 * SECOND
"""So late a message of the live feed may be."""
SHORT = {"gateway": 2 * POLL.seconds * SECOND, "present": 2 * POLL.seconds * SECOND, "live": LATE}
"""A state that is shorter may be missed."""
WORKING = {"handling", "wrap_up"}
TIMELINE = """
select agent_id, epoch_us(started_at), epoch_us(ended_at), state, round(uncertainty_seconds * 1e6)::bigint
from marts.fct_agent_timeline where source = $source order by agent_id, started_at
"""
BOUNDS = """
select agent_id, epoch_us(interval_start),
    occupancy_low(handling_seconds, wrap_up_seconds, available_seconds, unobserved_seconds, uncertainty_seconds),
    occupancy_high(handling_seconds, wrap_up_seconds, available_seconds, unobserved_seconds, uncertainty_seconds)
from marts.fct_agent_intervals
where source = $source and interval_start >= $since and interval_start < $until
"""
TOGETHER = """
select occupancy_low(sum(handling_seconds), sum(wrap_up_seconds), sum(available_seconds), sum(unobserved_seconds),
        sum(uncertainty_seconds)),
    occupancy_high(sum(handling_seconds), sum(wrap_up_seconds), sum(available_seconds), sum(unobserved_seconds),
        sum(uncertainty_seconds))
from marts.fct_agent_intervals
where source = $source and interval_start >= $since and interval_start < $until
"""


class Shown(NamedTuple):
    """A row of the timeline; microseconds."""

    start: int
    end: int
    state: str
    uncertainty: int


@dataclass
class Hours:
    """The warehouse of the afternoon, and what happened."""

    connection: duckdb.DuckDBPyConnection
    states: list[dict[str, Any]]
    ids: Mapping[str, Mapping[str, str]]
    teams: Mapping[str, str]
    stays: list[tuple[str, str, int, int | None]]

    def ask(self, sql: str, **given: Any) -> Rows:
        """One query."""
        return self.connection.execute(sql, given or None).fetchall()

    def shown(self, source: str) -> dict[str, list[Shown]]:
        """The timeline by agent."""
        found: defaultdict[str, list[Shown]] = defaultdict(list)
        for agent, *row in self.ask(TIMELINE, source=source):
            found[agent].append(Shown(*row))
        return found

    @cached_property
    def really(self) -> Mapping[str, Mapping[str, list[Piece]]]:
        """What everybody did that day, by source and agent, in the states that the vendor tells."""
        found = {}
        for source in SOURCES:
            say = by_beyondtrust if source == "live" else by_huawei
            own: dict[str, list[Piece]] = {name: [] for name in self.ids[source].values()}
            for row in self.states:
                piece = Piece(micros(row["started_at"]), micros(row["ended_at"]), say(row).state)
                own[self.ids[source][row["agent_id"]]].append(piece)
            found[source] = {
                name: merged([Piece(0, pieces[0].start if pieces else TO, "offline"), *pieces])
                for name, pieces in own.items()
            }
        return found


@pytest.fixture(scope="module")
def hours(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path, centre: Centre) -> Iterator[Hours]:
    """The afternoon, recorded and built once."""
    folder = tmp_path_factory.mktemp("hours")
    (folder / "home" / "lake").mkdir(parents=True)
    (folder / "home" / "lake" / ".cache").symlink_to(cache_dir)
    afternoon = Afternoon(folder / "home", centre)
    try:
        afternoon.record()
        huawei, support = afternoon.huawei.agent_ids, afternoon.support.agent_ids
    finally:
        afternoon.close()
    states = truth(centre, folder / "truth", UNTIL).states
    stays = [
        (
            row["interaction_id"],
            support[row["agent_id"]],
            micros(row["joined_at"]),
            row["left_at"] and micros(row["left_at"]),
        )
        for row in interactions(folder / "truth")
    ]
    teams = {support[agent.agent_id]: f"Team {agent.team + 1}" for agent in centre.agents}
    with opened(folder / "home") as connection:
        yield Hours(connection, states, {"gateway": huawei, "present": huawei, "live": support}, teams, stays)


def known(shown: list[Shown]) -> Iterator[tuple[Shown | None, Shown, Shown | None]]:
    """Each row of which something is known, between the rows before and after it."""
    for before, one, after in zip([None, *shown], shown, [*shown[1:], None], strict=False):
        if one.state != "unobserved":
            yield before, one, after


@pytest.mark.parametrize("source", SOURCES)
def test_each_state_was_true_but_for_its_uncertainty(hours: Hours, source: str) -> None:
    """If this fails, agents are told to have done for longer what they did not."""
    wrong = []
    for agent, rows in hours.shown(source).items():
        for _, one, after in known(rows):
            slack = max(one.uncertainty, after.uncertainty if after else 0)
            inside = clipped(hours.really[source][agent], one.start + slack, one.end - slack)
            wrong += [(agent, one, other) for other in inside if other.state != one.state]
    assert not [found for found in wrong if found[2].end - found[2].start >= SHORT[source]]
    assert len(wrong) < 10


@pytest.mark.parametrize("source", SOURCES)
def test_each_boundary_lies_where_its_uncertainty_says(hours: Hours, source: str) -> None:
    """If this fails, a change was sooner or later than the row of it allows."""
    off = []
    for agent, rows in hours.shown(source).items():
        true = defaultdict[str, list[int]](list)
        for one in hours.really[source][agent]:
            true[one.state].append(one.start)
        off += [
            (min((abs(start - one.start) for start in true[one.state]), default=TO), one.uncertainty)
            for before, one, _ in known(rows)
            if before and before.state not in {"unobserved", one.state} and one.start >= FROM
        ]
    assert not [pair for pair in off if pair[0] > pair[1]]
    assert len(off) > 300
    # Not by saying that anything may be: CC-CMS tells by seconds, and BeyondTrust when somebody joins.
    least = {"gateway": 4 * SECOND, "present": SECOND // 2, "live": SECOND}[source]
    assert sorted(uncertainty for _, uncertainty in off)[len(off) // 4] <= 1.3 * least


@pytest.mark.parametrize("source", SOURCES)
def test_no_state_is_lost_that_lasted(hours: Hours, source: str) -> None:
    """If this fails, work or a rest that went on for long enough to be seen is nowhere."""
    shown, lasted = hours.shown(source), 0
    for agent, pieces in hours.really[source].items():
        for one in clipped(pieces, FROM, TO - LATE):
            # Who is not there is not asked about at the gateway, and not named by the appliance.
            is_seen = watched(source, agent, one) and (source == "present" or one.state != "offline")
            if is_seen and one.end - one.start > SHORT[source]:
                lasted += 1
                assert any(
                    row.state == one.state and row.start - row.uncertainty < one.end and row.end > one.start
                    for row in shown[agent]
                ), (agent, one)
    assert lasted > 300


def watched(source: str, agent: str, one: Piece) -> bool:
    """Whether somebody could see an agent long enough: the connection stood, and answers came."""
    gaps = [GAP]
    if source == "gateway" and int(agent) % 3 == 0:
        gaps.append((micros(SILENT[0]), micros(SILENT[1])))
    return all(one.end < start - LATE or one.start > end + LATE for start, end in gaps)


@pytest.mark.parametrize("source", SOURCES)
def test_the_true_occupancy_lies_in_its_bounds(hours: Hours, source: str) -> None:
    """If this fails, the bounds promise more than samples, or late words, can tell."""
    span = {"source": source, "since": SINCE, "until": UNTIL}
    total, seen = [0, 0], 0
    for agent, at, low, high in hours.ask(BOUNDS, **span):
        inside = clipped(hours.really[source][agent], at, min(at + QUARTER, TO))
        worked = sum(one.end - one.start for one in inside if one.state in WORKING)
        waited = sum(one.end - one.start for one in inside if one.state == "available")
        total = [total[0] + worked, total[1] + waited]
        if worked + waited:
            assert low - 1e-9 <= worked / (worked + waited) <= high + 1e-9, (agent, at)
            seen += 1
    assert seen > 80
    [(low, high)] = hours.ask(TOGETHER, **span)
    assert low <= total[0] / sum(total) <= high


@pytest.mark.parametrize("source", SOURCES)
def test_what_was_watched_is_known_and_nothing_else(hours: Hours, source: str) -> None:
    """If this fails, a lost connection looks like an idle agent, or an agent who was asked about like a lost one."""
    shown, present = hours.shown(source), 0
    for agent, pieces in hours.really[source].items():
        if any(one.state == "offline" for one in clipped(pieces, FROM, TO)):
            continue
        present += 1
        rows = [row for row in shown[agent] if row.state != "unobserved"]
        assert all(
            later.start == sooner.end or not watched(source, agent, Piece(sooner.end, later.start, ""))
            for sooner, later in pairwise(rows)
        )
        assert rows[0].start <= FROM + POLL.seconds * SECOND
        assert rows[-1].end >= TO - 3 * POLL.seconds * SECOND
        # Of the time between CC-CMS tells, too, since it says for how long a state has lasted.
        lost = GAP[0] + POLL.seconds * SECOND, GAP[1]
        assert source == "present" or not any(row.start < lost[1] and row.end > lost[0] for row in rows)
    assert present >= 4


def test_how_many_took_part_in_what_is_known_only_where_it_is_told(hours: Hours) -> None:
    """If this fails, a source that counts no interactions says there were none, or a late word makes two of one."""
    at = UNTIL - timedelta(minutes=10)
    sql = "select source, agent_id, sessions from sessions_participated(1, $at)"
    since, until = micros(at) - 3600 * SECOND, micros(at)
    # Joining is told in whole seconds, leaving late.
    least, most = overlapping(hours.stays, since, until), overlapping(hours.stays, since - LATE, until + SECOND)
    told = hours.ask(sql, at=at)
    assert all(sessions is None for source, _, sessions in told if source != "live")
    for agent, sessions in ((agent, sessions) for source, agent, sessions in told if source == "live"):
        assert len(least.get(agent, ())) <= sessions <= len(most.get(agent, ()))
    assert sum(map(len, least.values())) > 30


def test_teams_are_those_that_the_appliance_named(hours: Hours) -> None:
    """If this fails, a team's figures leave somebody out whom only the Command API names."""
    told = "select agent_id, team, valid_from, valid_to, origin from marts.dim_agent_roster where source = 'live'"
    true = {(agent, team, SINCE.date(), None, "beyondtrust team") for agent, team in hours.teams.items()}
    assert set(hours.ask(told)) == true
    seen: dict[str, str] = dict(hours.ask("select agent_id, team from marts.dim_agents where source = 'live'"))
    assert seen == {agent: team for agent, team in hours.teams.items() if agent in seen}
    assert len(seen) >= len(hours.shown("live"))
