"""What the week's feeds gave and kept back, and a vendor's own sums: what ops.* says of it beside the truth.

Times are whole microseconds since 1970.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest

from orchestration.inputs import midnight
from simulator.facts import SECOND as MS_A_SECOND
from simulator.facts import iso, time_uuid
from simulator.faults import altered
from tests.pipeline.truth import DAY, differences, micros
from tests.pipeline.week_days import COMPARED, DAYS, FORGOTTEN, OUTAGE, SPOILT, UNTIL
from tests.pipeline.week_figures import QUARTER, STATES, Counts, sums
from tests.pipeline.week_ours import Read
from tests.pipeline.week_pieces import SECOND, day_of
from tests.pipeline.week_site import FAULTS, FEEDS
from tests.pipeline.week_truth import GAP, OBSERVED, SINCE, Week, unread
from tests.pipeline.week_words import by_cxengage

HOUR = 3600 * SECOND
KEPT = {
    "agent_states": 72,
    "agent_intervals": 168,
    "agent_activity": 96,
    "cms_history": 24,
    "archive": 168,
    "sessions": 90 * 24,
}
"""Hours for which each vendor keeps what a feed gives."""
GRID = {"cx": 600 * SECOND}
"""How long the windows are by whose edges coverage is told."""
TOLERANCE = 2 * SECOND
HEALTH = """
select source, feed, epoch_us(observed_until), lag_seconds, gap_seconds_7d, hours_to_loss, clock_drift_seconds,
    rejects_7d, last_error
from ops.source_health
"""
COMPARISON = """
select agent_id, epoch_us(interval_start), epoch_us(interval_end), figure, round(ours_seconds * 1e6)::bigint,
    round(theirs_seconds * 1e6)::bigint, round(difference_seconds * 1e6)::bigint,
    round(tolerance_seconds * 1e6)::bigint, round(coverage * 900e6)::bigint, is_judged
from ops.reconciliation where source = 'cx' and feed = 'agent_intervals'
"""
VOLUMES = """
select source, date, is_whole, is_recent, agents, round(staffed_seconds * 1e6)::bigint, days_before, agents_before,
    staffed_seconds_before
from ops.day_volumes
"""
Tile = tuple[str, str | None, int, int]


def broken_chains(week: Week) -> Counts:
    """By agent and start of what is missing: when the agent's next record begins, and the missing one's id."""
    found: dict[tuple[Any, ...], Any] = {}
    for true_id, changes in week.changes.items():
        first = None
        for change in changes:
            if not unread(change.at * 1000):
                if first is not None:
                    found[true_id, first.at * 1000] = change.at * 1000, _id(week, true_id, first)
                first = None
            elif first is None:
                first = change
    return found


def _id(week: Week, true_id: str, change: Any) -> str:
    """The id of a record; of the first of a session that of the session."""
    if change.kind == "session-start":
        return str(change.session.session_id)
    return time_uuid(change.at, week.agents[true_id].node, change.ordinal)


def compare_broken(week: Read) -> None:
    """Hold the broken chains and the rejected records against what was kept back and garbled.

    Raises:
        AssertionError: One is missing, another, or was not.
    """
    sql = (
        "select agent_id, epoch_us(missing_from), epoch_us(missing_until), missing_id, source, date "
        "from ops.broken_chains"
    )
    rows = week.ask(sql)
    assert {(source, day == day_of(start)) for _, start, *_, source, day in rows} == {("cx", True)}
    true = broken_chains(week.week)
    assert not differences({tuple(row[:2]): tuple(row[2:4]) for row in rows}, true)
    assert len(true) >= 2 * len((*FORGOTTEN, SPOILT))
    spoilt = {
        (time_uuid(change.at, week.week.agents[true_id].node, change.ordinal), f"about {iso(change.at)}")
        for true_id, changes in week.week.changes.items()
        for change in changes
        if micros(SPOILT[0]) <= change.at * 1000 < micros(SPOILT[1])
    }
    told = week.ask("select source, feed, reason, record > 0, payload from ops.rejects")
    assert {row[:4] for row in told} == {("cx", "agent_states", "start is missing or no time", True)}
    assert {(record["eventId"], record["start"]) for *_, text in told for record in [json.loads(text)]} == spoilt


def _holes(week: Week, source: str) -> Iterator[Tile]:
    """What a source's coverage does not count as observed."""
    lost = micros(UNTIL) - KEPT[FEEDS[source].name] * HOUR
    yield "lost" if GAP[1] <= lost else "missing", "not_fetched", *GAP
    cells = set()
    for (_, start), (end, _) in broken_chains(week).items() if source == "cx" else ():
        cells |= set(range(start // GRID[source], (end - 1) // GRID[source] + 1))
    for cell in cells:
        at = cell * GRID[source]
        yield "lost" if at + GRID[source] <= lost else "missing", "broken_chain", at, at + GRID[source]


def _joined(tiles: Iterable[Tile]) -> list[Tile]:
    found: list[Tile] = []
    for tile in sorted(tiles, key=lambda one: one[2]):
        if found and found[-1][:2] == tile[:2] and found[-1][3] == tile[2]:
            found[-1] = *tile[:2], found[-1][2], tile[3]
        else:
            found.append(tile)
    return found


def compare_coverage(week: Read, source: str) -> None:
    """Hold what is said to have been looked at against what was.

    Raises:
        AssertionError: It is another.
    """
    sql = (
        "select status, reason, epoch_us(window_start), epoch_us(window_end) from ops.feed_coverage "
        "where source = $source and feed = $feed"
    )
    tiles = _joined(tuple(row) for row in week.ask(sql, source=source, feed=FEEDS[source].name))
    holes = _joined(_holes(week.week, source))
    assert [tile for tile in tiles if tile[0] != "observed"] == holes
    edges = [SINCE, *(at for tile in holes for at in tile[2:]), OBSERVED[source]]
    seen = [("observed", None, *pair) for pair in zip(edges[::2], edges[1::2], strict=True) if pair[0] < pair[1]]
    assert [tile for tile in tiles if tile[0] == "observed"] == seen


def compare_log(week: Read) -> None:
    """Hold the log of attempts against what was asked for, and answered.

    Raises:
        AssertionError: It says otherwise.
    """
    failed = "select distinct window_start >= $start and window_end <= $end from ops.capture_log where status <> 'ok'"
    assert week.ask(failed, start=OUTAGE[0], end=OUTAGE[1]) == [(True,)]
    sql = (
        "select status, vendor_time is null, error is null, segment is null, min(vendor_time), max(vendor_time) "
        "from ops.capture_log group by all order by all"
    )
    looks = micros(UNTIL), SINCE
    for status, is_silent, is_well, is_empty, first, last in week.ask(sql):
        assert (is_silent, is_well) == ((False, True) if status == "ok" else (True, False))
        assert status == "ok" or is_empty
        assert first is None or looks[1] < micros(first) <= micros(last) <= looks[0]
    until = "select source, max(epoch_us(observed_until)) from ops.feed_clock where state_bearing group by source"
    assert dict(week.ask(until)) == OBSERVED


def compare_health(week: Read) -> None:
    """Hold the health of each feed against the truth.

    Raises:
        AssertionError: It is another.
    """
    rows = {(source, feed): told for source, feed, *told in week.ask(HEALTH)}
    others = {("support", "sessions"), ("cx", "agent_intervals")}
    assert rows.keys() == {(source, feed.name) for source, feed in FEEDS.items()} | others
    missing = {feed.name: list(_holes(week.week, source)) for source, feed in FEEDS.items()}
    missing |= {"sessions": [("missing", None, *GAP)], "agent_intervals": []}
    drifts = [(UNTIL - ours).total_seconds() for ours in week.week.looked]
    for (_, feed), (until, lag, gap, hours, drift, rejects, error) in rows.items():
        # Since the last look the clock has gone on; the vendor's still stands there.
        passed = lag - (micros(UNTIL) - until) / 1e6
        assert 0 <= passed < 3600
        assert gap == sum(end - start for *_, start, end in missing[feed]) / 1e6
        oldest = min((start for status, _, start, _ in missing[feed] if status == "missing"), default=until)
        assert hours == pytest.approx(KEPT[feed] - (micros(UNTIL) - oldest) / HOUR - passed / 3600, abs=1e-6)
        assert (rejects, error) == (len(week.ask("from ops.rejects")) if feed == "agent_states" else 0, None)
        assert drifts[1] - 1 <= drift <= drifts[0] + 1


def compare_volumes(week: Read) -> None:
    """Hold how much was worked on each day against the truth.

    Raises:
        AssertionError: It is another.
    """
    worked: defaultdict[tuple[str, Any], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for source, told in week.tiles.items():
        for agent, pieces in told.items():
            for at, row in sums(source, pieces, [*range(SINCE, OBSERVED[source], DAY), OBSERVED[source]]).items():
                worked[source, day_of(at)][agent] += row[0] or 0
    partly = {day_of(GAP[0]), day_of(micros(UNTIL))}
    true = {
        (source, day): (
            day not in partly,
            True,
            sum(us > 0 for us in found.values()),
            sum(found.values()),
            0,
            None,
            None,
        )
        for (source, day), found in worked.items()
    }
    assert not differences({tuple(row[:2]): tuple(row[2:]) for row in week.ask(VOLUMES)}, true)
    assert len(true) == len(FEEDS) * len(DAYS)


def compare_second_opinion(week: Read) -> None:
    """Hold our figures beside CxEngage's own against both, as they really were and as it tells them.

    Raises:
        AssertionError: A figure, their difference or the judgement is another.
    """
    start = micros(midnight(COMPARED))
    edges = [*range(start, start + DAY + 1, QUARTER)]
    true: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for true_id in week.week.ids["cx"].values():
        rows = [row for row in week.week.real.states if row["agent_id"] == true_id]
        theirs = sums("cx", week.week.told(rows, by_cxengage), edges)
        ours = sums("cx", week.tiles["cx"].get(true_id, ()), edges)
        for at, row in theirs.items():
            if row[0] and not any(at < micros(until) and at + QUARTER > micros(since) for since, until in FORGOTTEN):
                true |= _compared(true_id, at, row, ours.get(at))
    found = {tuple(row[:4]): tuple(row[4:]) for row in week.ask(COMPARISON)}
    assert not differences(found, true)
    wrong = [row for row in found.values() if row[-1] and abs(row[2]) > TOLERANCE]
    assert 5 < len(wrong) < len([row for row in found.values() if row[-1]]) / 5
    assert any(not row[-1] for row in found.values())


def _compared(
    agent: str, at: int, theirs: tuple[int | None, ...], ours: tuple[int | None, ...] | None
) -> Mapping[tuple[Any, ...], tuple[Any, ...]]:
    """Rows of a quarter of an hour; none of a figure that is nothing on either side.

    Of who began the day unobserved, and of whom nothing was heard on it, there is nothing to compare with.
    """
    by = altered(FAULTS, f"{agent}/{at // MS_A_SECOND}/{(at + QUARTER) // MS_A_SECOND}") * MS_A_SECOND
    found = {}
    for figure, sign in (("available", -1), ("handling", 1)):
        place = 1 + STATES.index(figure)
        their, our = max((theirs[place] or 0) + sign * by, 0), (ours or theirs)[place] or 0
        compared = (None, their, None) if ours is None else (our, their, our - their)
        seen = 0 if ours is None else ours[7]
        if any(compared):
            key = agent, at, at + QUARTER, f"{figure}_seconds"
            found[key] = *compared, TOLERANCE, seen, seen == QUARTER
    return found
