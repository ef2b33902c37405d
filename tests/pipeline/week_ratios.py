"""Every ratio of the week by brute force, from sums of the truth; what each means stands in docs/metrics.md.

Times are whole microseconds since 1970; a figure that a vendor does not tell is None.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pytest

from tests.pipeline.truth import DAY
from tests.pipeline.week_figures import COLUMNS, QUARTER, SILENT, sums
from tests.pipeline.week_moves import doubtful
from tests.pipeline.week_ours import START, Read
from tests.pipeline.week_people import FIGURES, adherence, roster
from tests.pipeline.week_pieces import SECOND, Piece, day_of
from tests.pipeline.week_plans import planned
from tests.pipeline.week_truth import GAP, OBSERVED, SINCE, is_inferred_offline
from tests.pipeline.week_work import moves, parts

Sum = Mapping[str, int | None]
Ratio = float | None
CLASSES = {"wrap_up": "handling", "offline": "not_ready"}
"""States whose time is of one kind to a bound of occupancy."""
RATIOS = """
    occupancy(sum(handling_seconds), sum(wrap_up_seconds), sum(available_seconds)),
    occupancy_of_staffed(sum(handling_seconds), sum(wrap_up_seconds), sum(staffed_seconds)),
    load_ratio(sum(load_seconds), sum(capacity_seconds)),
    average_concurrency(sum(work_item_seconds), sum(handling_seconds)),
    availability(sum(available_seconds), sum(staffed_seconds)),
    not_ready_share(sum(not_ready_seconds), sum(staffed_seconds)),
    coverage(sum(observed_seconds), sum(unobserved_seconds)),
    occupancy_low(sum(handling_seconds), sum(wrap_up_seconds), sum(available_seconds), sum(unobserved_seconds),
        sum(uncertainty_seconds)),
    occupancy_high(sum(handling_seconds), sum(wrap_up_seconds), sum(available_seconds), sum(unobserved_seconds),
        sum(uncertainty_seconds))
"""
RATES = """
select d.source, {who},
    transfer_rate(count(distinct t.interaction_id), count(distinct p.interaction_id)),
    transfers_per_interaction(count(distinct t.transfer_id), count(distinct p.interaction_id))
from marts.dim_agents as d
left join marts.fct_participation as p
    on d.source = p.source and d.agent_id = p.agent_id and not list_contains($left_out, p.interaction_id)
left join marts.fct_transfers as t
    on p.source = t.source and p.interaction_id = t.interaction_id and p.agent_id = t.from_agent_id
where d.source = $source
group by all
"""


def over(part: int | None, whole: int | None) -> Ratio:
    """A share; none of nothing, and none of what is not told."""
    return None if part is None or not whole else part / whole


def plus(*values: int | None) -> int | None:
    """A sum; none where a part is not told."""
    return None if None in values else sum(value or 0 for value in values)


def ratios(row: Sum) -> tuple[Ratio, ...]:
    """All of ``RATIOS`` of a row of sums. After-contact work that a vendor does not tell counts as none."""
    working = plus(row["handling"], row["wrap_up"] or 0)
    ready, unseen, doubt = plus(working, row["available"]), row["unobserved"] or 0, row["uncertainty"]
    least = None if working is None or doubt is None else max(working - doubt, 0)
    most = None if working is None or ready is None or doubt is None else min(working + doubt + unseen, ready + unseen)
    return (
        over(working, ready),
        over(working, row["staffed"]),
        over(row["load"], row["capacity"]),
        over(row["work_item"], row["handling"]),
        over(row["available"], row["staffed"]),
        over(row["not_ready"], row["staffed"]),
        over(row["observed"], plus(row["observed"], row["unobserved"])),
        over(least, plus(ready, unseen)),
        over(most, plus(ready, unseen)),
    )


def uncertain(source: str, pieces: Sequence[Piece], known: Sequence[Piece]) -> dict[int, int]:
    """By quarter of an hour, how much of what was observed may be of another kind: of each change the greater side.

    A boundary is known to a second, but CxEngage's, who has milliseconds.
    """
    within, begun = 0 if source == "cx" else SECOND, {one.start for one in known}
    found: defaultdict[int, int] = defaultdict(int)
    before, day = "unobserved", None
    for one in pieces:
        kind, before = CLASSES.get(one.state, one.state), before if day_of(one.start) == day else "unobserved"
        # What is carried over midnight changed on another day; that nobody was at Huawei is found out on each day anew.
        is_new = one.start in begun or is_inferred_offline(source, one)
        changed = kind != before and (is_new or day_of(one.start) == day)
        day = day_of(one.start)
        for bucket in range((one.start - within) // QUARTER, (one.start + within) // QUARTER + 1) if changed else ():
            begin, end = bucket * QUARTER, (bucket + 1) * QUARTER
            if day_of(begin) == day:
                left = min(one.start, end) - max(one.start - within, begin)
                found[begin] += max(left, min(one.start + within, end) - max(one.start, begin))
        before = kind
    return found


def rows_of(week: Read, source: str) -> dict[tuple[str, int], Sum]:
    """Sums by agent and quarter of an hour, as far as they can be known."""
    edges = [*range(SINCE, OBSERVED[source], QUARTER), OBSERVED[source]]
    found: dict[tuple[str, int], Sum] = {}
    tells = not SILENT[source] & {"available", "handling"}
    for agent, pieces in week.tiles[source].items():
        doubt = uncertain(source, pieces, week.known[source][agent])
        for at, row in sums(source, pieces, edges).items():
            named = dict(zip(COLUMNS, row, strict=True))
            least = min(doubt.get(at, 0), named["observed"] or 0)
            found[agent, at] = named | {"uncertainty": least if tells else None}
    return found


def added(rows: Iterable[Sum]) -> Sum:
    """The sum of sums; what one does not tell none does."""
    found: dict[str, int | None] = {}
    for row in rows:
        found = {name: plus(value, found.get(name, 0)) for name, value in row.items()}
    return found


def compare_ratios(week: Read, source: str) -> None:
    """Hold each ratio of a source, its teams, its agents and their days against the truth.

    Raises:
        AssertionError: A ratio is another.
    """
    teams = {row[1]: row[4] for row in roster(week.week.ids, week.week.numbers) if row[0] == source and not row[7]}
    rows = rows_of(week, source)
    keys: dict[str, Callable[[str, int], tuple[Any, ...]]] = {
        "source": lambda _agent, _at: (source,),
        "source, team": lambda agent, _at: (source, teams.get(agent)),
        "source, agent_id": lambda agent, _at: (source, agent),
        "source, agent_id, date": lambda agent, at: (source, agent, day_of(at)),
    }
    for by, key in keys.items():
        groups: defaultdict[tuple[Any, ...], list[Sum]] = defaultdict(list)
        for (agent, at), row in rows.items():
            groups[key(agent, at)].append(row)
        true = {name: ratios(added(found)) for name, found in groups.items()}
        sql = (
            f"select {by}, {RATIOS} from marts.agg_agent_days join marts.dim_agents using (source, agent_id) "
            "where source = $source group by all"
        )
        width = by.count(",") + 1
        ours = {tuple(row[:width]): tuple(row[width:]) for row in week.ask(sql, source=source)}
        assert ours.keys() == true.keys()
        wrong = [(name, ours[name], told) for name, told in true.items() if ours[name] != pytest.approx(told, abs=1e-9)]
        assert not wrong[:10]
    silent = {"cx": (), "kore": (0, 1, 2, 3, 7, 8), "aicc": (2, 3), "support": (2,)}[source]
    assert [n for n, ratio in enumerate(ratios(added(rows.values()))) if ratio is None] == list(silent)


def compare_bounds(week: Read, source: str) -> None:
    """Hold the bounds of occupancy of each day against what was truly done on it, seen or not.

    Raises:
        AssertionError: The truth lies outside, or the bounds say nothing.
    """
    sql = (
        f"select agent_id, {START['marts.agg_agent_days']}, "
        "occupancy_low(handling_seconds, wrap_up_seconds, available_seconds, unobserved_seconds, uncertainty_seconds), "
        "occupancy_high(handling_seconds, wrap_up_seconds, available_seconds, unobserved_seconds, uncertainty_seconds) "
        "from marts.agg_agent_days where source = $source"
    )
    names, widths = {b: a for a, b in week.week.ids[source].items()}, []
    for agent, at, low, high in week.ask(sql, source=source):
        truly = sums(source, week.week.truly(source, names[agent]), [at, min(at + DAY, OBSERVED[source])]).get(at)
        if truly is not None and (true := ratios(dict(zip(COLUMNS, truly, strict=True)) | {"uncertainty": 0})[0]):
            assert low - 1e-9 <= true <= high + 1e-9
            widths.append(high - low)
    assert sorted(widths)[len(widths) // 2] < 0.05


def compare_rates(week: Read, source: str) -> None:
    """Hold both rates of transfers, of a source's agents and of all of it, against what was handed over.

    Raises:
        AssertionError: A rate is another.
    """
    spoilt, _ = doubtful(week, source) if source != "kore" else (set[str](), set[str]())
    names_nobody = source in {"cx", "kore"}
    stays = [] if names_nobody else [one for one in parts(week.week, source) if one[0] not in spoilt]
    # What happened while nobody looked may be unknown, or be told afterwards.
    unseen = {one[0] for one in stays if one[2] < GAP[1] and (one[3] or GAP[1]) > GAP[0]}
    unseen |= {one[0] for one in stays if one[2] >= OBSERVED[source] or one[3] is None or one[3] >= OBSERVED[source]}
    left_out = sorted(spoilt | unseen)
    moved = [] if names_nobody else [one for one in moves(week.week, source) if one.interaction not in left_out]
    for who in ("d.agent_id", "'all'"):
        handled: defaultdict[str, set[str]] = defaultdict(set)
        handed: defaultdict[str, list[str]] = defaultdict(list)
        for name, agent, *_ in stays:
            if name not in left_out:
                handled[agent if who == "d.agent_id" else "all"].add(name)
        for one in moved:
            handed[one.sender if who == "d.agent_id" else "all"].append(one.interaction)
        everybody = week.known[source] if who == "d.agent_id" else ["all"]
        true = {
            name: (over(len(set(handed[name])), len(handled[name])), over(len(handed[name]), len(handled[name])))
            for name in everybody
        }
        rows = week.ask(RATES.format(who=who), source=source, left_out=left_out)
        assert {row[1]: row[2:] for row in rows} == {name: pytest.approx(told) for name, told in true.items()}
        assert names_nobody == all(told == (None, None) for told in true.values())


def compare_conformance(week: Read) -> None:
    """Hold adherence and conformance of everybody who is planned against the truth.

    Raises:
        AssertionError: A ratio is another.
    """
    sql = (
        "select coalesce(agent_id, person_id), adherence(sum(adherent_seconds), sum(out_of_adherence_seconds)), "
        "conformance(sum(worked_seconds), sum(scheduled_work_seconds)) from marts.fct_adherence_intervals group by all"
    )
    true = {}
    for who, told in planned(week).items():
        rows = [dict(zip(FIGURES, row, strict=True)) for row in adherence(told).values()]
        whole = {name: sum(row[name] for row in rows) for name in FIGURES}
        true[who] = (
            over(whole["adherent"], whole["adherent"] + whole["out_of_adherence"]),
            over(whole["worked"], whole["scheduled_work"]),
        )
    assert {row[0]: row[1:] for row in week.ask(sql)} == {who: pytest.approx(told) for who, told in true.items()}
    assert all(told[0] != told[1] for told in true.values())
