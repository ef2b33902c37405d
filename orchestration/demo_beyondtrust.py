"""What two feeds of BeyondTrust say by themselves beside what really happened: its reports, and its Command API.

Both reach the marts only where other feeds are silent, so they are counted as staged. The other feeds' figures, and the
table of results, belong in ``demo_compare.py``.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from orchestration.demo_truth import SECOND, Truth, rows_of
from orchestration.inputs import midnight

# A session is delivered until nothing of it changes any more; the last delivery counts.
_INVOLVED = """
select representative_id, lsid, arg_max(seconds_involved, received_at)::bigint
from staging.stg_beyondtrust__sessions
where source = $source and kind = 'representative' and reject_reason is null
group by all
"""
_HANDED = """
select distinct m.representative_id, e.lsid, epoch_us(e.event_at)
from staging.stg_beyondtrust__sessions as e
inner join (
    select distinct lsid, gsnumber, representative_id from staging.stg_beyondtrust__sessions
    where source = $source and kind = 'representative'
) as m on e.lsid = m.lsid and e.performed_by_gsnumber = m.gsnumber
where e.source = $source and e.event_type = 'Session Transferred to Queue' and e.performed_by_type = 'representative'
    and e.event_at >= $since and e.event_at < $until
"""
_ASKED = """
select segment, sequence, epoch_us(requested_at), epoch_us(received_at) from raw.beyondtrust_command
where source = $source and requested_at >= $since and request like '%action=get_logged_in_reps%'
"""
_NAMED = """
select segment, sequence, id, name, epoch_us(logged_in_since), support_sessions
from staging.stg_beyondtrust__command
where source = $source and requested_at >= $since and action = 'get_logged_in_reps' and element = 'rep'
"""
_TEAMS = """
select distinct team_id, id, name from staging.stg_beyondtrust__command
where source = $source and requested_at >= $since and element = 'team_member'
"""
_HEALTH = """
select count(*) > 0 and bool_and(text_value = '1') from staging.stg_beyondtrust__command
where source = $source and requested_at >= $since and action = 'check_health' and element = 'success'
"""


@dataclass(slots=True)
class Found:
    """Some columns of a row of the table, whether all is equal, and differences in words."""

    figures: dict[str, Any]
    equal: bool
    differences: list[str] = field(default_factory=list)


def reports(connection: duckdb.DuckDBPyConnection, source: str, truth: Truth, days: Sequence[date]) -> Found:
    """Sessions and seconds of each representative, and what they handed over, by the vendor's reports alone.

    Args:
        connection: The warehouse.
        source: The source's name.
        truth: What happened, to the microsecond.
        days: Days that reports were asked for, without a gap.
    """
    since, until = midnight(days[0]), midnight(days[-1] + timedelta(days=1))
    given = {"source": source}
    true, unsettled = _involved(truth, int(until.timestamp()) * SECOND)
    ours = {(who, what): seconds for who, what, seconds in connection.execute(_INVOLVED, given).fetchall()}
    ours = {pair: seconds for pair, seconds in ours.items() if pair not in unsettled}
    wrong = {pair for pair in {**ours, **true} if ours.get(pair) != true.get(pair)}
    handed = connection.execute(_HANDED, {**given, "since": since, "until": until}).fetchall()
    edges = [int(moment.timestamp()) * SECOND for moment in (since, until)]
    moved = [
        (one.sender, one.interaction, one.start // SECOND * SECOND)
        for one in truth.transfers
        if edges[0] <= one.start < edges[1]
    ]
    people = {who for who, _ in {**ours, **true}}
    right = len(people - {who for who, _ in wrong})
    figures = {
        "agents": len(people),
        "transfers": len(handed),
        "true transfers": len(moved),
        "participations": len(ours),
        "true participations": len(true),
        "compared": f"{right} of {len(people)} agents, {sum(ours.values()):,} of {sum(true.values()):,} s",
    }
    told = [f"{source}: {who} in {what}: {ours.get((who, what))} s, truly {true.get((who, what))} s"
            for who, what in sorted(wrong)[:3]]  # fmt: skip
    strange = Counter(handed) - Counter(moved), Counter(moved) - Counter(handed)
    for words, counted in zip(("reported, and not true", "not reported"), strange, strict=True):
        told += [f"{source}: transfer {words}: {one}" for one in sorted(counted)[:3]]
    return Found(figures, not told and bool(people), told)


def _involved(truth: Truth, until: int) -> tuple[dict[tuple[str, str], int], set[tuple[str, str]]]:
    """Whole seconds in each session by representative, and pairs that a report could not settle yet."""
    stays: defaultdict[tuple[str, str], list[tuple[int, int | None]]] = defaultdict(list)
    for stay in truth.stays:
        stays[stay.agent_id, str(stay.interaction)].append((stay.start, stay.end))
    seconds, unsettled = {}, set()
    for pair, spans in stays.items():
        lengths = [end - start for start, end in spans if end is not None]
        if len(lengths) < len(spans) or min(start for start, _ in spans) >= until:
            unsettled.add(pair)
        else:
            seconds[pair] = sum(lengths) // SECOND
    return seconds, unsettled


def command(
    connection: duckdb.DuckDBPyConnection, source: str, truth: Truth, payroll: "Payroll", since: datetime
) -> Found:
    """Who is signed in since when with how many sessions, who is in which team, and whether the appliance is well.

    Args:
        connection: The warehouse.
        source: The source's name.
        truth: What happened, to the microsecond.
        payroll: Who is who.
        since: What was asked before does not count.
    """
    given = {"source": source, "since": since}
    found = _signed_in(connection, given, truth, payroll)
    teams: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    for team, agent_id, name in connection.execute(_TEAMS, given).fetchall():
        teams[team].add((agent_id, name))
    # Teams have other numbers at the vendor: they are the same when the same people are in them.
    right = [team for team in payroll.teams if team in teams.values()]
    if len(right) < max(len(payroll.teams), len(teams)):
        found.differences.append(f"{source}: teams are {list(teams.values())}, truly {payroll.teams}")
    [is_well] = connection.execute(_HEALTH, given).fetchone() or [False]
    if not is_well:
        found.differences.append(f"{source}: check_health does not say that the appliance is well")
    health = "healthy" if is_well else "not healthy"
    found.figures["compared"] += f", {len(right)} of {len(payroll.teams)} teams, {health}"
    return Found(found.figures, found.equal and not found.differences, found.differences)


@dataclass(frozen=True, slots=True)
class Payroll:
    """Who the vendor's agents are, by its ids: names, sign-ins in microseconds since 1970, and who is in a team."""

    names: Mapping[str, str]
    sign_ins: Mapping[str, list[int]]
    teams: list[set[tuple[str, str]]]

    @staticmethod
    def read(folder: Path, agent_ids: Mapping[str, str] | None) -> "Payroll":
        """Read the truth's Parquet."""
        teams: defaultdict[int, set[tuple[str, str]]] = defaultdict(set)
        sign_ins: defaultdict[str, list[int]] = defaultdict(list)
        for row in rows_of(folder, "agents", agent_ids):
            teams[row["team"]].add((row["agent_id"], row["agent_name"]))
        for row in rows_of(folder, "sessions", agent_ids):
            sign_ins[row["agent_id"]].append(row["logged_in_at"])
        names = dict(person for team in teams.values() for person in team)
        return Payroll(names, sign_ins, list(teams.values()))

    def since(self, agent_id: str, moment: int) -> int:
        """The last sign-in up to a moment, in whole seconds as the vendor tells it; 0 when there is none."""
        return max((at for at in self.sign_ins.get(agent_id, ()) if at <= moment), default=0) // SECOND * SECOND


def _signed_in(
    connection: duckdb.DuckDBPyConnection, given: Mapping[str, Any], truth: Truth, payroll: Payroll
) -> Found:
    """Hold each list of who is signed in against who truly was, between asking and answer."""
    told: defaultdict[tuple[str, int], dict[str, tuple[Any, ...]]] = defaultdict(dict)
    for segment, sequence, agent_id, *words in connection.execute(_NAMED, given).fetchall():
        told[segment, sequence][agent_id] = tuple(words)
    asked = connection.execute(_ASKED, given).fetchall()
    compared, seen, differences = 0, set(), []
    for segment, sequence, start, end in asked:
        said = told[segment, sequence]
        for agent_id in sorted({*said, *truth.signed_in(start, end)}):
            compared += 1
            true = {
                (payroll.names.get(agent_id), payroll.since(agent_id, end), one.items)
                for one in truth.around(agent_id, start, end)
                if one.state != "offline"
            }
            if said.get(agent_id) in true:
                seen.add(agent_id)
            else:
                differences.append(f"{given['source']}: {agent_id} is {said.get(agent_id)}, truly one of {true}")
    right = compared - len(differences)
    return Found({"agents": len(seen), "compared": f"{right} of {compared} signed in"}, bool(asked), differences)
