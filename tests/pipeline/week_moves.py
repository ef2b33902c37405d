"""Transfers and stays of the week, ours beside the true ones; what a transfer is stands in docs/metrics.md."""

import hashlib
from collections import defaultdict

from tests.pipeline.truth import differences
from tests.pipeline.week_figures import Counts, chained, counted
from tests.pipeline.week_ours import START, Read
from tests.pipeline.week_pieces import Moved, day_of
from tests.pipeline.week_truth import GAP, OBSERVED, outside, unread
from tests.pipeline.week_work import ambiguous, moves, parts

NAMED = """
select transfer_id, interaction_id, from_agent_id, to_id, epoch_us(started_at), epoch_us(completed_at),
    round(seconds * 1e6)::bigint, date
from marts.fct_transfers where source = $source
"""
Chains = dict[Moved, tuple[int, bool]]
KINDS = {"cx": {"unknown"}, "aicc": {"blind", "unknown"}, "support": {"blind", "consult"}}
"""Whether they had talked before, as far as a vendor lets us know."""


def doubtful(week: Read, source: str) -> tuple[set[str], set[str]]:
    """Interactions of which a transfer may have been missed, and among them those whose sender cannot be told."""
    until, unclear = OBSERVED[source], ambiguous(week.week, source)
    missed = {
        one.interaction
        for one in moves(week.week, source)
        if not outside(one.start, one.end, until=until) or (source == "cx" and unread(one.start))
    }
    return missed | unclear, unclear


def compare_transfers(week: Read, source: str) -> None:
    """Hold each transfer of a source, and what is counted of them, against what was handed over.

    Raises:
        AssertionError: One is missing, told otherwise, or was not.
    """
    ours, true = week.moved(source), chained(moves(week.week, source))
    spoilt, unclear = doubtful(week, source)
    sure = {one: told for one, told in true.items() if one.interaction not in spoilt}
    assert not differences({one: told for one, told in ours.items() if one.interaction not in spoilt}, sure)
    begun = {(one.interaction, one.sender, one.receiver, one.start) for one in true}
    told = {(one.interaction, one.sender, one.receiver, one.start) for one in ours}
    assert {one for one in told if one[0] not in unclear} <= begun
    assert len(spoilt) < len(true) / 10
    assert sum(is_return for _, is_return in ours.values()) >= 10
    assert max(hop for hop, _ in ours.values()) >= 3
    assert {one.how for one in ours} == KINDS[source]
    for name, interaction, sender, receiver, start, end, us, day in week.ask(NAMED, source=source):
        hashed = hashlib.sha256("|".join((source, interaction, sender, receiver or "", str(start))).encode())
        assert (name, us, day) == (hashed.hexdigest(), None if end is None else end - start, day_of(start))


def compare_counts(week: Read, source: str) -> None:
    """Hold the sums over pairs, quarters of an hour and days against what was handed over.

    Where a transfer was perhaps not told of, as many may be missing as there are such transfers, and none be too many.
    Kore.ai tells of none: nobody knows how many there were.

    Raises:
        AssertionError: A sum is another.
    """
    for table in START:
        told = "select distinct transfers_out is null, transfers_in is null from {} where source = $source"
        assert week.ask(told.format(table), source=source) == [(source == "kore",) * 2]
    if source == "kore":
        return
    agents = set(week.week.ids[source].values())
    sure, perhaps, unclear = by_certainty(week, source)
    ours = week.pairs(source), week.handed(source), week.handed(source, "marts.agg_agent_days")
    for found, least, most, doubt in zip(
        ours,
        counted(sure, agents),
        counted(perhaps, agents),
        counted(unclear, agents),
        strict=True,
    ):
        between(found, least, most, doubt)


def between(found: Counts, least: Counts, most: Counts, doubt: Counts) -> None:
    """Hold counts against the least and the most that they may be, but those that nobody can tell.

    Raises:
        AssertionError: One is less or more, or few are known exactly.
    """
    for key in {*found, *most} - doubt.keys():
        one, low, high = (rows.get(key, (0, 0, 0, 0)) for rows in (found, least, most))
        assert all(a <= b <= c for a, b, c in zip(low, one, high, strict=False)), key
    assert len([key for key in most if least.get(key) == most[key] and key not in doubt]) > 0.8 * len(most)


def by_certainty(week: Read, source: str) -> tuple[Chains, Chains, Chains]:
    """Transfers that must be told, that may be told, and, ours among them, those whose sender cannot be told."""
    true = chained(moves(week.week, source))
    spoilt, unclear = doubtful(week, source)
    anybody = [one for one in [*week.moved(source), *true] if one.interaction in unclear]
    return (
        {one: told for one, told in true.items() if one.interaction not in spoilt},
        {one: told for one, told in true.items() if one.interaction not in unclear},
        dict.fromkeys(anybody, (1, False)),
    )


def compare_parts(week: Read, source: str) -> None:
    """Hold who took part in what against who did.

    Raises:
        AssertionError: A stay is missing, of another length, or was not.
    """
    sql = (
        "select interaction_id, agent_id, epoch_us(joined_at), epoch_us(left_at), round(seconds * 1e6)::bigint, date "
        "from marts.fct_participation where source = $source"
    )
    rows = week.ask(sql, source=source)
    assert all(us == (None if end is None else end - start) for _, _, start, end, us, _ in rows)
    assert all(day == day_of(start) for _, _, start, *_, day in rows)
    ours, true = {row[:4] for row in rows}, parts(week.week, source)
    spoilt = {
        one[0]
        for one in true
        if not outside(*one[2:], until=OBSERVED[source]) or (one[2] < GAP[1] and (one[3] or GAP[1]) > GAP[0])
    }
    assert not {one for one in ours if one[0] not in spoilt} ^ {one for one in true if one[0] not in spoilt}
    whole: defaultdict[tuple[str, str], list[tuple[int, int | None]]] = defaultdict(list)
    for name, agent, start, end in true:
        whole[name, agent].append((start, end))
    for name, agent, start, end in ours:
        assert any(
            first <= start and (end is None or last is None or end <= last) for first, last in whole[name, agent]
        )
    assert len(ours) > 1000 > 10 * len({one[0] for one in ours} & spoilt)
