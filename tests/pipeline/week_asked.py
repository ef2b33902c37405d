"""The table macros over the week, ours beside the truth: states at an instant, their ages, and the last hours.

Times are whole microseconds since 1970.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from tests.pipeline.truth import DAY, differences, micros
from tests.pipeline.week_figures import (
    Counts,
    End,
    at_instant,
    at_once,
    by_edge,
    clipped,
    ends_of,
    moment,
    on_days,
    overlapping,
    unbroken,
)
from tests.pipeline.week_moves import between, by_certainty
from tests.pipeline.week_ours import Read
from tests.pipeline.week_pieces import Piece, day_of, unknown
from tests.pipeline.week_plans import names
from tests.pipeline.week_rows import said_of
from tests.pipeline.week_seen import stays, uncertain
from tests.pipeline.week_truth import GAP, OBSERVED, SINCE
from tests.pipeline.week_work import parts

STATES = """
select source, agent_id, agent_name, state, vendor_state, reason, epoch_us(started_at), evidence
from agent_state_at($at)
"""
AGES = """
select source, agent_id, agent_name, state, vendor_state, epoch_us(since), round(seconds * 1e6)::bigint
from current_state_age($at)
"""
SPENT = """
select source, agent_id, state, vendor_state, agent_name, round(seconds * 1e6)::bigint,
    round(observed_seconds * 1e6)::bigint
from time_in_state($hours, $at)
"""
IDLE = """
select source, agent_id, agent_name, round(idle_seconds * 1e6)::bigint, round(vendor_idle_seconds * 1e6)::bigint,
    round(observed_seconds * 1e6)::bigint
from idle_time($hours, $at)
"""
TOOK_PART = """
select source, agent_id, agent_name, sessions, null, round(observed_seconds * 1e6)::bigint
from sessions_participated($hours, $at)
"""
WITH_SESSIONS = """
select source, agent_id, agent_name, round(seconds * 1e6)::bigint, $least, round(observed_seconds * 1e6)::bigint
from time_with_sessions($least, $hours, $at)
"""
COUNTS = """
select agent_id, epoch_us(interval_start), agent_name, transfers_out, transfers_in, logins
from agent_intervals($minutes, $zone, $since, $until) where source = $source
"""
Who = tuple[str, str]


def _agents(week: Read) -> Iterator[tuple[Who, list[Piece]]]:
    for source, told in week.tiles.items():
        for agent, pieces in told.items():
            yield (source, agent), pieces


def _of_all_days(week: Read) -> Iterator[tuple[Who, list[Piece]]]:
    """Days without rows, too: from the midnight before an agent's first record on."""
    for source, told in week.known.items():
        for agent, pieces in told.items():
            days = {day_of(at) for at in range(pieces[0].start // DAY * DAY, pieces[-1].end, DAY)}
            yield (source, agent), on_days(pieces, days)


def compare_states(week: Read, at: datetime) -> None:
    """Hold the state of everybody at an instant against what is known of it.

    Raises:
        AssertionError: It is another, since another time, or known otherwise.
    """
    now, true = micros(at), {}
    for (source, agent), pieces in _agents(week):
        if shown := at_instant(pieces, now):
            midday = now // DAY * DAY
            one = at_instant(week.known[source][agent], now) or shown
            since, _, evidence = said_of(source, one, midday, shown.end)
            true[source, agent] = (names(week, source)[agent], one.state, one.word, one.says, since, evidence)
    rows = week.ask(STATES, at=at)
    # Since when nobody knows anything is told, too; of that there is no truth.
    ours = {row[:2]: (*row[2:6], row[6] if row[3] != "unobserved" else None, row[7]) for row in rows}
    assert not differences(ours, true)
    assert all(row[6] <= now for row in rows)


def compare_ages(week: Read, at: datetime) -> None:
    """Hold how long the present state has lasted against what is known of it.

    Raises:
        AssertionError: It is another, or has lasted longer or less long.
    """
    true = {}
    for (source, agent), tiles in _agents(week):
        until = min(micros(at), OBSERVED[source])
        if at_instant(tiles, min(micros(at), OBSERVED[source] - 1)):
            known = week.known[source][agent]
            pieces = clipped([unknown(SINCE, known[0].start), *known], SINCE, until)
            since = unbroken(pieces, until) if pieces[-1].known else None
            true[source, agent] = names(week, source)[agent], pieces[-1].state, pieces[-1].word, since, until
    rows = week.ask(AGES, at=at)
    ours = {row[:2]: (*row[2:5], row[5] if row[3] != "unobserved" else None, row[5] + row[6]) for row in rows}
    assert not differences(ours, true)


def compare_hours(week: Read, hours: float, at: datetime) -> None:
    """Hold what everybody did in the last hours against what is known of it.

    Raises:
        AssertionError: A length is another.
    """
    since, until = micros(at) - round(hours * 3_600_000_000), micros(at)
    spent: defaultdict[tuple[Any, ...], int] = defaultdict(int)
    idle: dict[Who, tuple[Any, ...]] = {}
    for (source, agent), pieces in _of_all_days(week):
        shown, name = clipped(pieces, since, until), names(week, source)[agent]
        for one in shown:
            spent[source, agent, one.state, one.word] += one.end - one.start
        flagged = _length(shown, lambda one: "idle" in (one.code or "").split("+"))
        waited = _length(shown, lambda one: one.state == "available")
        if week.known[source][agent][0].start < until:
            # Where ready means ready, working or not, nobody knows who waited.
            told = None if source == "kore" else waited, flagged if source == "support" else None
            idle[source, agent] = name, *told, _observed(shown)
    rows = week.ask(SPENT, hours=hours, at=at)
    assert not differences({row[:4]: row[5] for row in rows}, spent)
    assert all((row[4], row[6]) == (idle[row[:2]][0], idle[row[:2]][3]) for row in rows if row[:2] in idle)
    ours = {row[:2]: row[2:] for row in week.ask(IDLE, hours=hours, at=at)}
    assert not differences(ours, idle)
    assert any(told[2] for (source, _), told in ours.items() if source == "support")


def compare_local_counts(week: Read, source: str, minutes: int, zone: str, edges: Sequence[int]) -> None:
    """Hold what is counted in the intervals of a wall clock against what happened in them.

    Args:
        week: The warehouse.
        source: Of whom.
        minutes: How long the intervals are.
        zone: Of the clock.
        edges: Where they begin, and where the last one ends.

    Raises:
        AssertionError: A transfer or a sign-in is in another interval, or of somebody else.
    """
    until = moment(edges[-1])
    rows = week.ask(COUNTS, source=source, minutes=minutes, zone=zone, since=moment(edges[0]), until=until)
    ends = [(agent, at, way, n) for agent, at, _, *both, _ in rows for way, n in zip(("out", "in"), both, strict=True)]
    assert all(row[2] == names(week, source)[row[0]] for row in rows)
    agents = set(week.week.ids[source].values())

    def shown(found: Iterable[End]) -> Counts:
        inside = (one for one in found if edges[0] <= one[1] < edges[-1])
        return by_edge(inside, lambda at: edges[bisect_right(edges, at) - 1])

    if source != "kore":
        sure, perhaps, unclear = (shown(ends_of(told, agents)) for told in by_certainty(week, source))
        between({(agent, at, way): (n,) for agent, at, way, n in ends if n}, sure, perhaps, unclear)
    assert {n is None for *_, n in ends} == {source == "kore"}
    lost = {at for at, end in pairwise(edges) if at < GAP[1] and end > GAP[0]}
    untold = uncertain(week.week, source)
    signed_in = [(agent, start) for agent, start, _ in stays(week.week, source)]
    true = shown((*one, "login") for one in signed_in if one not in untold)
    ours = {(row[0], row[1], "login"): (row[5],) for row in rows if row[5]}
    assert not differences(*({key: n for key, n in told.items() if key[1] not in lost} for told in (ours, true)))


def _length(pieces: list[Piece], counts: Any) -> int:
    return sum(one.end - one.start for one in pieces if counts(one))


def _observed(pieces: list[Piece]) -> int:
    return _length(pieces, lambda one: one.known)


def compare_sessions_of_hours(week: Read, hours: float, at: datetime, *, is_whole: bool) -> None:
    """Hold in how much everybody took part in the last hours, and how long in how much at once, against the truth.

    Args:
        week: The warehouse.
        hours: How many.
        at: Until when.
        is_whole: All of it was looked at; else some may be missing, and how much was seen is told.

    Raises:
        AssertionError: A count or a length is another, or a number where nobody can know.
    """
    since, until = micros(at) - round(hours * 3_600_000_000), micros(at)
    all_parts = {source: parts(week.week, source) for source in ("aicc", "support")}
    had = {source: overlapping(found, since, until) for source, found in all_parts.items()}
    agents = {who: clipped(found, since, until) for who, found in _of_all_days(week)}
    agents = {who: shown for who, shown in agents.items() if week.known[who[0]][who[1]][0].start < until}
    for least, sql in ((0, TOOK_PART), (1, WITH_SESSIONS), (2, WITH_SESSIONS)):
        rows = week.ask(sql, hours=hours, at=at, **({"least": least} if least else {}))
        assert {row[:2] for row in rows} == agents.keys()
        for source, agent, name, found, _, seen in rows:
            shown = agents[source, agent]
            assert (name, seen) == (names(week, source)[agent], _observed(shown))
            true = _true(source, shown, least)
            if least == 0 and source in had:
                true = len(had[source].get(agent, ()))
            elif source == "aicc":
                true = at_once(all_parts[source], agent, least, since, until)
            if is_whole or true is None or (source in {"cx", "support"} and least):
                assert found == true
            else:
                assert found is None or found <= true
    partly = [shown for shown in agents.values() if shown and shown[0].known and _observed(shown) < until - since]
    assert is_whole or len(partly) > len(agents) / 2


def _true(source: str, shown: list[Piece], least: int) -> int | None:
    """Time in at least so many at once by what a platform counts; none of one that does not count."""
    if source == "kore" or not least:
        return None
    return _length(shown, lambda one: (one.items or 0) >= least)
