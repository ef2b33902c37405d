"""What is said around the tables of a report: period, definitions, coverage, what is missing, whether more is to come.

A figure is only as good as what it rests on, so that stands on the face of every format. The sentences are made of the
same snapshot as the tables, and of nothing that changes by itself: the same day says the same tomorrow.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from assets.reports.catalogue import ReportKind
from assets.reports.config import ReportConfig
from assets.reports.queries import bound

_MOST_GAPS = 10
_FEEDS = """
select k.source, k.feed, k.state_bearing,
    coalesce(sum(c.us) filter (c.status = 'observed'), 0)::bigint / 1e6,
    coalesce(sum(c.us) filter (c.status = 'missing'), 0)::bigint / 1e6,
    coalesce(sum(c.us) filter (c.status = 'lost'), 0)::bigint / 1e6,
    max(c.window_end) filter (c.status = 'observed'), max(c.window_end)
from ops.feed_clock as k
inner join (select *, epoch_us(window_end) - epoch_us(window_start) as us from report_coverage) as c
    on k.source = c.source and k.feed = c.feed
group by k.source, k.feed, k.state_bearing
order by k.source, k.feed
"""
_GAPS = """
select source, feed, status, min(window_start), max(window_end)
from (
    select c.*, row_number() over (partition by c.source, c.feed order by c.window_start)
        - row_number() over (partition by c.source, c.feed, c.status order by c.window_start) as run
    from report_coverage as c
    inner join ops.feed_clock as k on c.source = k.source and c.feed = k.feed
    where k.state_bearing
)
where status <> 'observed'
group by source, feed, status, run
order by min(window_start), source, feed
"""
_AGENTS = """
select source, count(distinct agent_id), count(distinct agent_id) filter (staffed_seconds > 0),
    coverage(sum(observed_seconds), sum(unobserved_seconds))
from report_quarters
group by source
order by source
"""
_SIGNALS = """
select source, gives_available, gives_handling, gives_wrap_up, gives_participation
from intermediate.int_source_signals
where source in (select source from report_agents)
order by source
"""
_CHOSEN = "select list(distinct agent_id), list(distinct team) from report_agents"
_REJECTS = """
select count(*) from ops.rejects
where date = $day::date and ($sources::varchar[] is null or list_contains($sources::varchar[], source))
"""


@dataclass(frozen=True, slots=True)
class FeedSeen:
    """What was seen of a feed within a period; durations in seconds, times UTC."""

    source: str
    feed: str
    state_bearing: bool
    observed: float
    missing: float
    lost: float
    observed_until: datetime | None
    asked_until: datetime


@dataclass(frozen=True, slots=True)
class Found:
    """What the snapshot says of a period, apart from the figures."""

    feeds: Sequence[FeedSeen]
    gaps: Sequence[tuple[str, str, str, datetime, datetime]]
    agents: Sequence[tuple[str, int, int, float | None]]
    signals: Sequence[tuple[str, bool, bool, bool, bool]]
    chosen: tuple[Sequence[str] | None, Sequence[str] | None]
    rejects: int
    retired: Sequence[str]


@dataclass(frozen=True, slots=True)
class Told:
    """The same in words; ``ready`` are sources of whose available agents nobody knows whether they work."""

    facts: Sequence[tuple[str, str]]
    warnings: Sequence[str]
    complete: bool
    ready: Sequence[str]


def found_in(connection: duckdb.DuckDBPyConnection, parameters: dict[str, Any], retired: Sequence[str]) -> Found:
    """Ask a snapshot, in which the tables of ``scope.sql`` are made."""

    def ask(sql: str) -> list[Any]:
        return connection.execute(sql, bound(sql, parameters) or None).fetchall()

    [(rejects,)] = ask(_REJECTS)
    [chosen] = ask(_CHOSEN)
    feeds = [FeedSeen(*row) for row in ask(_FEEDS)]
    return Found(feeds, ask(_GAPS), ask(_AGENTS), ask(_SIGNALS), chosen, rejects, retired)


def is_complete(found: Found, end: datetime) -> bool:
    """Whether nothing more is expected of a period: all of it was asked for, and what is not there is lost for good."""
    return bool(found.feeds) and not any(_is_awaited(feed, found, end) for feed in found.feeds)


def _is_awaited(feed: FeedSeen, found: Found, end: datetime) -> bool:
    return feed.source not in found.retired and (feed.asked_until < end or feed.missing > 0)


def told(found: Found, kind: ReportKind, config: ReportConfig, zone: str, period: tuple[datetime, datetime]) -> Told:
    """The sentences about a report."""
    complete = is_complete(found, period[1])
    facts = [
        ("Period", _period(zone, period)),
        ("Who", _who(config, found)),
        ("Coverage", "; ".join(_coverage(found, period)) or "nothing was captured of this day"),
        ("Missing", "; ".join(_missing(found, zone, period[1])) or "nothing"),
        *(("Not told", text) for text in _not_told(found)),
        *kind.definitions,
    ]
    ready = [source for source, available, handling, *_ in found.signals if available and not handling]
    return Told(facts, list(_warnings(found, config, zone, period, complete=complete)), complete, ready)


def _period(zone: str, period: tuple[datetime, datetime]) -> str:
    start, end = (moment.astimezone(ZoneInfo(zone)) for moment in period)
    hours = (period[1] - period[0]).total_seconds() / 3600
    changed = f" ({hours:g} hours: the clocks change)" if start.utcoffset() != end.utcoffset() else ""
    return f"{start.isoformat(timespec='minutes')} to {end.isoformat(timespec='minutes')}, {zone}{changed}"


def _who(config: ReportConfig, found: Found) -> str:
    agents, staffed = sum(row[1] for row in found.agents), sum(row[2] for row in found.agents)
    chosen = [
        f"{name} {', '.join(values)}"
        for name, values in (("teams", config.teams), ("agents", config.agents), ("sources", config.sources))
        if values
    ]
    return f"{'; '.join(chosen) or 'all agents'}: {agents} seen, {staffed} of them signed in"


def _coverage(found: Found, period: tuple[datetime, datetime]) -> Iterator[str]:
    length = (period[1] - period[0]).total_seconds()
    shares = {source: share for source, _, _, share in found.agents}
    for source in sorted({feed.source for feed in found.feeds}):
        feeds = [f"{f.feed} {f.observed / length:.1%}" for f in found.feeds if f.source == source and f.state_bearing]
        known = f", {shares[source]:.1%} of the agents' time" if shares.get(source) is not None else ""
        yield f"{source}: {', '.join(feeds) or 'no feed that tells states'}{known}"


def _missing(found: Found, zone: str, end: datetime) -> Iterator[str]:
    for source, feed, status, start, until in found.gaps[:_MOST_GAPS]:
        what = "lost for good" if status == "lost" else "not fetched yet"
        yield f"{source} {feed} {_clock(start, zone)} to {_clock(until, zone)} ({what})"
    if len(found.gaps) > _MOST_GAPS:
        yield f"and {len(found.gaps) - _MOST_GAPS} more, in the report feed_quality"
    for seen in found.feeds:
        if seen.state_bearing and seen.asked_until < end:
            yield f"{seen.source} {seen.feed} from {_clock(seen.asked_until, zone)} on"


def _not_told(found: Found) -> Iterator[str]:
    for source, available, handling, wrap_up, participation in found.signals:
        if not handling and available:
            yield (
                f"{source} does not tell handling from waiting: its available time is ready, working or not, its "
                "handling and occupancy are empty."
            )
        elif not handling or not available:
            yield f"{source} does not tell handling from waiting: its handling, available and occupancy may be empty."
        if not wrap_up:
            yield f"{source} tells no after-contact work: its wrap-up is empty, and counts as none in ratios."
        if not participation:
            yield f"{source} names no interactions: its transfer rates are empty."


def _warnings(
    found: Found, config: ReportConfig, zone: str, period: tuple[datetime, datetime], *, complete: bool
) -> Iterator[str]:
    if not found.feeds:
        yield "Nothing was captured of this day. The tables are empty because nobody looked."
    elif not complete:
        awaited = [feed for feed in found.feeds if _is_awaited(feed, found, period[1])]
        # The others are told of by feed_quality.
        first = [feed for feed in awaited if feed.state_bearing] or awaited
        seen = [f"{feed.source} {feed.feed} was seen up to {_clock(feed.observed_until, zone)}" for feed in first]
        yield f"This day is not complete: {'; '.join(seen)}. A new edition follows when it is."
    for feed in found.feeds:
        if feed.lost and feed.state_bearing:
            yield f"{_length(feed.lost)} of {feed.source} {feed.feed} are lost: not fetched while the vendor had them."
    for what, asked, there in (("agent", config.agents, found.chosen[0]), ("team", config.teams, found.chosen[1])):
        if absent := [name for name in asked or () if name not in (there or ())]:
            yield f"Nobody was seen on this day of {what} {', '.join(absent)}."
    if found.rejects:
        yield f"{found.rejects} records could not be read; they are kept and listed in the report feed_quality."


def _clock(moment: datetime | None, zone: str) -> str:
    return moment.astimezone(ZoneInfo(zone)).isoformat(sep=" ", timespec="seconds") if moment else "no time at all"


def _length(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02} h"
