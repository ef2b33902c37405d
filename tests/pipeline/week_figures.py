"""Every figure of a week by brute force over its pieces: sums per bucket, reasons, chains of transfers; plain Python.

What can be known stands in ``week_truth.py``; how figures are defined, in docs/metrics.md. Times are microseconds.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from tests.pipeline.truth import DAY, micros
from tests.pipeline.week_pieces import Moved, Piece, day_of, merged, unknown

QUARTER = 900_000_000
WHOLE_DAY = 1440
STATES = ("available", "handling", "wrap_up", "not_ready", "offline", "unobserved")
SILENT: Mapping[str, frozenset[str]] = {
    "cx": frozenset(),
    "kore": frozenset({"handling", "load", "capacity", "work_item"}),
    "aicc": frozenset({"load", "capacity", "work_item"}),
    "support": frozenset({"wrap_up", "capacity"}),
}
"""What a source cannot tell (docs/metrics.md §1): NULL in each of its rows."""
COLUMNS = ("staffed", *STATES, "observed", "load", "capacity", "work_item")
Pieces = Mapping[str, Sequence[Piece]]
Key = tuple[str, int]


def split(pieces: Iterable[Piece], edges: Sequence[int]) -> Iterator[tuple[int, Piece]]:
    """Each part of a piece between two edges, with the edge that it lies behind; nothing outside the edges."""
    for one in pieces:
        at = max(one.start, edges[0])
        while at < min(one.end, edges[-1]):
            place = bisect_right(edges, at)
            upto = min(one.end, edges[place])
            yield edges[place - 1], replace(one, start=at, end=upto)
            at = upto


def seen_days(pieces: Sequence[Piece]) -> set[date]:
    """Days on which a state begins, or which begin in one that is known and not offline."""
    days = {day_of(one.start) for one in pieces if one.known}
    for one in pieces:
        if one.known and one.state != "offline":
            days |= {day_of(at) for at in range((one.start // DAY + 1) * DAY, one.end, DAY)}
    return days


def on_days(pieces: Sequence[Piece], days: set[date]) -> list[Piece]:
    """What lies on some days, cut at midnight; an agent's first day begins unobserved."""
    first = pieces[0].start // DAY * DAY
    edges = [first + n * DAY for n in range((pieces[-1].end - first) // DAY + 2)]
    parts = [unknown(first, pieces[0].start), *pieces]
    return [one for _, one in split((one for one in parts if one.start < one.end), edges) if day_of(one.start) in days]


def sums(source: str, pieces: Iterable[Piece], edges: Sequence[int]) -> dict[int, tuple[int | None, ...]]:
    """By bucket the microseconds of ``COLUMNS``; None where the source does not tell."""
    found: defaultdict[int, dict[str, int]] = defaultdict(lambda: dict.fromkeys(COLUMNS, 0))
    for edge, one in split(pieces, edges):
        row, length = found[edge], one.end - one.start
        row[one.state] += length
        row["staffed"] += length * (one.state not in {"offline", "unobserved"})
        row["observed"] += length * one.known
        row["load"] += length * (one.load or 0)
        row["work_item"] += length * (one.items or 0)
        row["capacity"] += length * (one.capacity or 0) * (one.state in {"available", "handling"})
    silent = SILENT[source]
    return {edge: tuple(None if name in silent else row[name] for name in COLUMNS) for edge, row in found.items()}


def local_edges(zone: str, minutes: int, since: datetime, until: datetime) -> list[int]:
    """Edges of intervals by the wall clock of a zone, from an instant to another, in order; 1440 minutes are a day.

    At every quarter of an hour we look at a clock on the wall: an interval begins where the minutes since midnight
    reach a multiple of its length, which an hour that is shown twice does twice.
    """
    wall, edges = ZoneInfo(zone), []
    at, last = since, None
    while at <= until:
        local = at.astimezone(wall)
        place = (local.hour * 60 + local.minute) // minutes
        grain = (local.date(), place, None if minutes == WHOLE_DAY else local.utcoffset())
        if grain != last:
            edges.append(micros(at))
        last, at = grain, at + timedelta(minutes=15)
    return edges


def label(at: int, zone: str) -> str:
    """What the wall clock of a zone shows, with its offset."""
    return moment(at).astimezone(ZoneInfo(zone)).isoformat(timespec="minutes")


def moment(at: int) -> datetime:
    """Microseconds since 1970 as an instant."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)


def reasons(pieces: Iterable[Piece]) -> dict[tuple[date, str], tuple[int, int]]:
    """Microseconds and unbroken stretches of not being ready, by UTC day and reason."""
    spans = merged(
        Piece(one.start, one.end, one.state, one.says or "(none)") for one in pieces if one.state == "not_ready"
    )
    found: defaultdict[tuple[date, str], list[int]] = defaultdict(lambda: [0, 0])
    for one in spans:
        edges = [(one.start // DAY + n) * DAY for n in range((one.end - one.start) // DAY + 3)]
        for edge, part in split([one], edges):
            row = found[day_of(edge), one.says or ""]
            row[0] += part.end - part.start
            row[1] += part.start == one.start
    return {key: (us, count) for key, (us, count) in found.items()}


def chained(moves: Iterable[Moved]) -> dict[Moved, tuple[int, bool]]:
    """Of each transfer its place in the chain, and whether it goes back to somebody who already had the work."""
    chains: defaultdict[str, list[Moved]] = defaultdict(list)
    for one in sorted(moves, key=lambda one: (one.start, one.end or 2**62)):
        chains[one.interaction].append(one)
    found = {}
    for chain in chains.values():
        had: set[str | None] = set()
        for hop, one in enumerate(chain, 1):
            had.add(one.sender)
            found[one] = hop, one.kind == "agent" and one.receiver in had
            had.add(one.receiver)
    return found


def at_instant(pieces: Sequence[Piece], at: int) -> Piece | None:
    """What is known of an agent at an instant."""
    return next((one for one in pieces if one.start <= at < one.end), None)


def overlapping(stays: Iterable[tuple[str, str, int, int | None]], since: int, until: int) -> dict[str, dict[str, int]]:
    """Of each agent the interactions between two instants, with their microseconds there."""
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for name, agent, start, end in stays:
        if start < until and ((end or until) > since or start >= since):
            found[agent][name] = found[agent].get(name, 0) + min(end or until, until) - max(start, since)
    return dict(found)


def at_once(stays: Iterable[tuple[str, str, int, int | None]], agent: str, least: int, since: int, until: int) -> int:
    """Microseconds between two instants in which an agent had so many interactions at once."""
    own = [(max(start, since), min(end or until, until)) for _, who, start, end in stays if who == agent]
    edges = sorted({at for one in own if one[0] < one[1] for at in one})
    return sum(b - a for a, b in pairwise(edges) if sum(start <= a and b <= end for start, end in own) >= least)


def clipped(pieces: Iterable[Piece], since: int, until: int) -> list[Piece]:
    """What lies between two instants."""
    return [one for _, one in split(pieces, [since, until])]


def unbroken(pieces: Sequence[Piece], at: int) -> int:
    """Since when an agent has been in the state of an instant, whatever the word."""
    before = [one for one in pieces if one.start <= at]
    since = before[-1].start
    for one in reversed(before):
        if one.state != before[-1].state:
            break
        since = one.start
    return since


Counts = dict[tuple[Any, ...], tuple[int, ...]]
End = tuple[str, int, str]


def counted(moved: Mapping[Moved, tuple[int, bool]], agents: set[str]) -> tuple[Counts, Counts, Counts]:
    """Transfers between pairs by day: how many, how many arrived, microseconds, returns; and out and in by quarter.

    Then these by day, that is by midnight.
    """
    pairs: defaultdict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for one, (_, is_return) in moved.items():
        row = pairs[day_of(one.start), one.sender, one.kind, one.receiver]
        for place, more in enumerate((1, one.end is not None, (one.end or one.start) - one.start, is_return)):
            row[place] += more
    quarters = by_edge(ends_of(moved, agents), lambda at: at // QUARTER * QUARTER)
    days = by_edge(ends_of(moved, agents), lambda at: at // DAY * DAY)
    return {key: tuple(row) for key, row in pairs.items()}, quarters, days


def ends_of(moved: Iterable[Moved], agents: set[str]) -> Iterator[End]:
    """Who handed something over, or got it, when."""
    for one in moved:
        yield one.sender, one.start, "out"
        if one.end is not None and one.kind == "agent" and one.receiver in agents:
            yield one.receiver, one.end, "in"


def by_edge(ends: Iterable[End], edge: Callable[[int], int]) -> Counts:
    """How often, by the edge that an instant lies behind."""
    return {key: (n,) for key, n in Counter((agent, edge(at), way) for agent, at, way in ends).items()}
