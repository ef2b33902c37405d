"""Persons, plans and names of the week, ours beside the true ones; the rules are those of docs/people.md."""

from collections import defaultdict
from datetime import date
from typing import Any

from tests.pipeline import week_seen
from tests.pipeline.truth import differences
from tests.pipeline.week_days import UNTIL
from tests.pipeline.week_ours import Read
from tests.pipeline.week_people import (
    FIGURES,
    NIGHT,
    PLAN,
    PLANNED,
    UNLISTED,
    WORKER,
    Stretch,
    adherence,
    of_agent,
    of_person,
    persons,
    roster,
    stretches,
    verdict,
)
from tests.pipeline.week_pieces import Piece, day_of, merged
from tests.pipeline.week_truth import OBSERVED

PERSONS = """
select person_id, epoch_us(started_at), epoch_us(ended_at), state, reason, staffed_agents, agents, is_overlap,
    round(seconds * 1e6)::bigint, date
from marts.fct_person_timeline order by person_id, started_at
"""
BESIDE = """
select coalesce(agent_id, person_id), epoch_us(started_at), epoch_us(ended_at), activity, state, reason, adherence,
    is_work, round(seconds * 1e6)::bigint, is_tolerated, is_unmapped, date, source, person_id
from marts.fct_adherence
"""
VENDORS = {"cx": "cxengage", "kore": "kore", "aicc": "huawei", "support": "beyondtrust"}
NAMING = {"cx", "support"}
"""Whose feeds have names of agents; elsewhere the roster's counts."""


def compare_persons(week: Read) -> None:
    """Hold what each person did, and the sums of it, against what all their agents did.

    Raises:
        AssertionError: A state or a sum is another.
    """
    true = persons(week.tiles, week.week.ids, week.week.numbers)
    ours: defaultdict[str, list[Piece]] = defaultdict(list)
    days = week_seen.person_days(true, week.tiles, week.week)
    for person, start, end, state, reason, staffed, agents, is_overlap, us, day in week.ask(PERSONS):
        ours[person].append(Piece(start, end, state, reason, items=staffed))
        assert (agents, is_overlap, us, day) == (days[person, day][0], staffed > 1, end - start, day_of(start))
    assert not differences(
        {(person, one.start): one for person, found in ours.items() for one in merged(found)},
        {(person, one.start): one for person, found in true.items() for one in found},
    )
    assert max(one.items or 0 for found in true.values() for one in found) == len(week.week.ids)
    assert not differences(week.person_days(), days)


def planned(week: Read) -> dict[str, list[Stretch]]:
    """What everybody who is planned did beside it, by agent or person."""
    names = {number: name for name, number in week.week.numbers.items()}
    found = {names[number]: stretches(of_agent(week.known["cx"][names[number]]), PLAN) for number in PLANNED}
    laid = persons(week.tiles, week.week.ids, week.week.numbers)[f"P{WORKER}"]
    own = [
        week.known[source][ids[names[WORKER]]]
        for source, ids in week.week.ids.items()
        if names[WORKER] in ids and (source, WORKER) not in UNLISTED
    ]
    return found | {f"P{WORKER}": stretches(of_person(laid, own, max(OBSERVED.values())), NIGHT)}


def compare_adherence(week: Read) -> None:
    """Hold what was done beside the plan, by stretches and by quarters of an hour, against what can be known.

    Raises:
        AssertionError: A stretch, a judgement or a sum is another.
    """
    told = planned(week)
    true = {
        (who, start): (end, activity, state, says, verdict(activity, state), activity == "On Queue")
        for who, found in told.items()
        for start, end, activity, state, says in found
    }
    rows = week.ask(BESIDE)
    assert not differences({tuple(row[:2]): tuple(row[2:8]) for row in rows}, true)
    for who, start, end, *_, us, is_tolerated, is_unmapped, day, source, person in rows:
        assert (us, is_tolerated, is_unmapped, day) == (end - start, False, False, day_of(start))
        assert (source, person) == ((None, who) if who == f"P{WORKER}" else ("cx", None))
    figures = ", ".join(f"round({name}_seconds * 1e6)::bigint" for name in FIGURES)
    sql = (
        f"select coalesce(agent_id, person_id), epoch_us(interval_start), {figures} from marts.fct_adherence_intervals"
    )
    ours = {(who, at): tuple(row) for who, at, *row in week.ask(sql)}
    assert not differences(
        ours, {(who, at): row for who, found in told.items() for at, row in adherence(found).items()}
    )


def names(week: Read, source: str) -> dict[str, str | None]:
    """The name of each agent that is known: the vendor's, else the roster's."""
    listed = {row[:2]: row[3] for row in roster(week.week.ids, week.week.numbers)}
    return {
        agent: week.week.agents[true_id].name if source in NAMING else listed.get((source, agent))
        for true_id, agent in week.week.ids[source].items()
        if agent in week.known[source]
    }


def compare_agents(week: Read, source: str) -> None:
    """Hold who an agent is, and was, against payroll and roster.

    Raises:
        AssertionError: A name, person, team or site is another.
    """
    rows = [row for row in roster(week.week.ids, week.week.numbers) if row[0] == source]
    told = "agent_id, person_id, display_name, team, site, valid_from, valid_to"
    listed = {tuple(None if value == "" else value for value in row[1:]) for row in rows}
    ours = {
        (*row[:5], *(one and str(one) for one in row[5:]))
        for row in week.ask(f"select {told} from marts.dim_agent_roster where source = $source", source=source)
    }
    assert ours == listed
    origin = "select distinct origin from marts.dim_agent_roster where source = $source"
    assert week.ask(origin, source=source) == [("roster",)]
    current = {row[1]: row[2:6] for row in rows if _is_current(row)}
    assert len(current) < len(rows)
    true: dict[str, tuple[Any, ...]] = {}
    for agent, name in names(week, source).items():
        person, _, team, site = current.get(agent, (None,) * 4)
        true[agent] = VENDORS[source], name, person, team, site
    found = week.ask("select * from marts.dim_agents where source = $source", source=source)
    columns = [column[0] for column in week.connection.description or []]
    wanted = [columns.index(name) for name in ("vendor", "agent_name", "person_id", "team", "site")]
    assert not differences({row[columns.index("agent_id")]: tuple(row[n] for n in wanted) for row in found}, true)


def _is_current(row: tuple[str, ...]) -> bool:
    today = UNTIL.date()
    first, last = (date.fromisoformat(day) if day else None for day in row[6:])
    return (first is None or first <= today) and (last is None or last > today)
