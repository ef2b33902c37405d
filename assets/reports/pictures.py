"""Which pictures a report has: found by what its tables hold, so that a report somebody adds has its pictures too.

How they look belongs in ``charts.py`` and ``timeline_svg.py``.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from assets.reports.charts import Bar, Slot, Strip, bars, heat, length, share, stacked, strips
from assets.reports.model import Report, Stretch, Table
from assets.reports.page import percent
from assets.reports.safe import shortened
from assets.reports.timeline_svg import timeline_svg

_MOST_BARS = 25
_MOST_REASONS = 12
_MOST_SIDES = 14
_ROWS_A_PICTURE = 30  # as many as stand on a sheet of A4 and can be read
_MOST_PICTURES = 4
_TOLD = ("handling", "wrap_up", "available", "not_ready")
_SHORT_NAME, _SHORT_ID = 20, 10  # of who bears one name with another
_ROUNDING = 1e-3  # seconds: what is left of sums of microseconds is no state


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a report: ``html`` is safe, title and caption are plain text; one may show its title itself."""

    title: str
    html: str
    caption: str
    says_title: bool = False


def pictures(report: Report, table: Table) -> Iterator[Picture]:
    """The pictures that stand above a table, each made in one pass over rows.

    The agents' day stands above the first table about single agents.
    """
    columns = _names(table)
    for needed, without, draw in _KINDS:
        if needed <= columns and not without & columns and table.count:
            yield from draw(report, table)
    if report.timeline and table is next((t for t in report.tables if "agent_id" in _names(t)), None):
        yield from _timelines(report, report.timeline)


def _names(table: Table) -> set[str]:
    return {column.name for column in table.columns}


def _each(table: Table) -> Iterator[dict[str, Any]]:
    names = [column.name for column in table.columns]
    return (dict(zip(names, row, strict=True)) for row in table.rows())


def _occupancy(_: Report, table: Table) -> Iterator[Picture]:
    rows = [
        Bar(
            row["team"],
            row["occupancy"],
            share(row["occupancy"], row["occupancy_low"], row["occupancy_high"]),
            row["occupancy_low"],
            row["occupancy_high"],
            row["source"],
        )
        for row in _each(table)
    ]
    axis = [(x / 4, f"{x * 25} %") for x in range(5)]
    yield Picture(
        "Occupancy by team",
        bars("occupancy", "Occupancy by team", rows[:_MOST_BARS], 1.0, axis),
        "(Handling + wrap-up) / (handling + wrap-up + available). The whisker spans what the evidence allows: what "
        "nobody observed may all have been waiting, or all work. Not known: the source does not tell handling from "
        "waiting." + _left_out(len(rows) - _MOST_BARS, "teams"),
    )


def _reasons(_: Report, table: Table) -> Iterator[Picture]:
    seconds: Counter[tuple[str, str]] = Counter()
    for row in _each(table):
        seconds[row["reason"], row["source"]] += row["seconds"] or 0
    found = sorted(seconds.items(), key=lambda item: (-item[1], item[0]))
    # The same word, or code, of two vendors is two reasons.
    several = len({source for _, source in seconds}) > 1
    rows = [
        Bar(reason, total, length(total), source=source if several else "")
        for (reason, source), total in found[:_MOST_REASONS]
    ]
    most = max((total for _, total in found), default=1) or 1
    yield Picture(
        "Not ready by reason",
        bars("reasons", "Not ready by reason", rows, most),
        "Time signed in but not accepting work, all agents together, h:mm:ss, in the words of the vendor. The bars "
        "compare the reasons with the longest." + _left_out(len(found) - _MOST_REASONS, "reasons"),
    )


def _through_the_day(_: Report, table: Table) -> Iterator[Picture]:
    found: dict[str, dict[datetime, Counter[str]]] = {}
    for row in _each(table):
        slot = found.setdefault(row["source"], {}).setdefault(row["interval_start"], Counter())
        length_of = (row["interval_end"] - row["interval_start"]).total_seconds()
        for state, seconds in _parts(row).items():
            slot[state] += seconds / length_of
    for number, source in enumerate(sorted(found), 1):
        slots = [Slot(start, found[source][start]) for start in sorted(found[source])]
        title = f"Agents by state: {source}"
        caption = (
            "Seconds in each state over the length of the interval: how many agents, on average. Time signed out is "
            "not drawn; hatched grey is what nobody observed. Ready, working or not: the source does not tell handling "
            "from waiting."
        )
        yield Picture(title, stacked(f"{table.name}-{number}", title, slots), caption if number == len(found) else "")


def _parts(row: dict[str, Any]) -> dict[str, float]:
    """The seconds of an interval by state; what a source does not tell apart is the rest of what it calls staffed.

    Who is available is ready, working or not, where the source does not tell handling.
    """
    told = {state: row.get(f"{state}_seconds") or 0.0 for state in _TOLD}
    rest = max((row["staffed_seconds"] or 0.0) - sum(told.values()), 0.0)
    if row.get("handling_seconds") is None:
        told["ready"] = told.pop("available")
    return {**told, "rest": rest if rest > _ROUNDING else 0.0, "unobserved": row["unobserved_seconds"] or 0.0}


_Side = tuple[str, ...]
"""Who hands over or receives: source, kind and id. Two may bear one name."""
_OTHERS: _Side = ()


def _pairs(_: Report, table: Table) -> Iterator[Picture]:
    counts: Counter[tuple[_Side, _Side]] = Counter()
    names: list[dict[_Side, str]] = [{_OTHERS: "all others"}, {_OTHERS: "all others"}]
    for row in _each(table):
        sender: _Side = (row["source"], "agent", row["from_agent_id"] or "")
        receiver: _Side = (row["source"], row["to_kind"], row["to_id"] or "")
        names[0][sender] = row["from_agent_name"] or row["from_agent_id"] or "unknown"
        names[1][receiver] = row["to_agent_name"] or f"{row['to_kind']} {row['to_id'] or ''}".strip()
        counts[sender, receiver] += row["transfers"]
    senders, receivers = (_busiest(counts, side, called) for side, called in enumerate(names))
    shown: Counter[tuple[_Side, _Side]] = Counter()
    for pair, count in counts.items():
        shown[pair[0] if pair[0] in senders else _OTHERS, pair[1] if pair[1] in receivers else _OTHERS] += count
    called = _told_apart(names[1] | names[0])
    sides = [
        {side: called[side] for side in [*busiest, _OTHERS] if any(pair[n] == side for pair in shown)}
        for n, busiest in enumerate((senders, receivers))
    ]
    yield Picture(
        "Who hands over to whom",
        heat("Transfers by sender and receiver", shown, *sides),
        f"Transfers initiated on the day, from the row to the column; the {_MOST_SIDES} with most on each side by "
        "name. The darker, the more.",
    )


def _busiest(counts: Counter[tuple[_Side, _Side]], side: int, called: Mapping[_Side, str]) -> list[_Side]:
    totals: Counter[_Side] = Counter()
    for pair, count in counts.items():
        totals[pair[side]] += count
    return sorted(totals, key=lambda whose: (-totals[whose], called[whose], whose))[:_MOST_SIDES]


def _told_apart(called: Mapping[_Side, str]) -> dict[_Side, str]:
    """Names by side; one that several bear, with the source, and within one source with the id."""
    bearers: dict[str, list[_Side]] = {}
    for side, name in called.items():
        bearers.setdefault(name, []).append(side)
    return {side: _whose(name, side, bearers[name]) for side, name in called.items()}


def _whose(name: str, side: _Side, bearers: Sequence[_Side]) -> str:
    if len(bearers) == 1 or side == _OTHERS:
        return name
    alone = sum(other[:1] == side[:1] for other in bearers) == 1
    return " · ".join([shortened(name, _SHORT_NAME), side[0], *([] if alone else [shortened(side[2], _SHORT_ID)])])


def _coverage(report: Report, table: Table) -> Iterator[Picture]:
    listed = next((t for t in report.tables if {"gap_start", "gap_end", "status"} <= _names(t)), None)
    gaps: dict[tuple[str, str], list[tuple[datetime, datetime, str]]] = {}
    for row in _each(listed) if listed else ():
        gaps.setdefault((row["source"], row["feed"]), []).append((row["gap_start"], row["gap_end"], row["status"]))
    rows = [
        Strip(
            f"{row['source']} · {row['feed']}",
            "not watched" if row["coverage"] is None else f"{percent(row['coverage'])} observed",
            gaps.get((row["source"], row["feed"]), []),
            row["observed_until"],
        )
        for row in _each(table)
    ]
    yield Picture(
        "What was watched",
        strips("strips", "What was watched", rows, report.period_start, report.period_end),
        "Each feed's day. Blank is what was not asked for, or has not come yet.",
    )


def _timelines(report: Report, timeline: Callable[[], Iterator[Stretch]]) -> Iterator[Picture]:
    """The agents' day, some thirty agents a picture; only those are kept in memory."""
    pages: list[list[Stretch]] = []
    last, agents = None, 0
    for stretch in timeline():
        if (stretch.source, stretch.agent_id) != last:
            last = (stretch.source, stretch.agent_id)
            if agents % _ROWS_A_PICTURE == 0 and len(pages) < _MOST_PICTURES:
                pages.append([])
            agents += 1
        if agents <= _ROWS_A_PICTURE * _MOST_PICTURES:
            pages[-1].append(stretch)
    drawn = min(agents, _ROWS_A_PICTURE * _MOST_PICTURES)
    for number, page in enumerate(pages, 1):
        first = (number - 1) * _ROWS_A_PICTURE + 1
        of = f", {first} to {min(first + _ROWS_A_PICTURE - 1, agents)} of {agents}" if len(pages) > 1 else ""
        title = f"What each agent did{of}"
        yield Picture(
            title,
            timeline_svg(
                page, report.period_start, report.period_end, report.zone, title=title, name=f"agents-{number}"
            ),
            "The thicker, the busier; hatched is what nobody observed."
            + "".join(f" Available of {source} is ready, working or not." for source in report.ready)
            + _left_out(agents - drawn, "agents")
            if number == len(pages)
            else "",
            says_title=True,
        )


def _left_out(many: int, what: str) -> str:
    return f" {many:,} more {what} are not drawn; the tables have them." if many > 0 else ""


_Draw = Callable[[Report, Table], Iterator[Picture]]
_KINDS: Sequence[tuple[set[str], set[str], _Draw]] = (
    ({"team", "source", "occupancy", "occupancy_low", "occupancy_high"}, {"agent_id", "interval_start"}, _occupancy),
    (
        {"source", "interval_start", "interval_end", "staffed_seconds", "unobserved_seconds"},
        {"agent_id"},
        _through_the_day,
    ),
    ({"source", "reason", "seconds", "occurrences"}, set(), _reasons),
    ({"source", "from_agent_name", "to_kind", "to_id", "transfers"}, {"started_at"}, _pairs),
    ({"source", "feed", "coverage", "observed_until"}, set(), _coverage),
)
