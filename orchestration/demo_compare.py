"""The demo's table of results: what the product found in each feed beside what really happened.

Reads the published warehouse and counts; what really happened comes from ``demo_truth.py``. What only one vendor's
own tables tell is counted in ``demo_beyondtrust.py``.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from orchestration.demo_beyondtrust import Payroll, command, reports
from orchestration.demo_truth import HOUR, SECOND, VIEWS, Stay, Sums, Transfer, Truth
from orchestration.inputs import midnight
from orchestration.settings import Settings, sql_dir

_SUMS = """
select date::date, agent_id, state,
    sum(epoch_us(ended_at) - epoch_us(started_at))::bigint,
    sum((epoch_us(ended_at) - epoch_us(started_at)) * coalesce(work_items, 0))::bigint
from marts.fct_agent_timeline
where source = $source and date between $first and $last and state not in ('offline', 'unobserved')
group by all
"""
_UNSEEN = """
select agent_id, epoch_us(started_at), epoch_us(ended_at)
from marts.fct_agent_timeline
where source = $source and date between $first and $last and state = 'unobserved'
"""
_TRANSFERS = """
select from_agent_id, to_id, epoch_us(started_at), epoch_us(completed_at), interaction_id, hop, is_return
from marts.fct_transfers
where source = $source and date between $first and $last
"""
_STAYS = """
select agent_id, interaction_id, epoch_us(joined_at), epoch_us(left_at)
from marts.fct_participation
where source = $source and date between $first and $last
"""
_COVERED = """
select coalesce(sum(epoch_us(least(window_end, $until)) - epoch_us(greatest(window_start, $since)))::bigint, 0)
from ops.feed_coverage
where source = $source and feed = $feed and status = 'observed' and window_start < $until and window_end > $since
"""
_OPINIONS = """
select count(*), count(*) filter (abs(difference_seconds) <= tolerance_seconds), count(distinct agent_id)
from ops.reconciliation
where source = $source and feed = $feed and date between $first and $last and is_judged
"""
_SEEN = """
select agent_id, state, epoch_us(greatest(started_at, $since)), epoch_us(least(ended_at, $until)),
    greatest(uncertainty_seconds, coalesce(lead(uncertainty_seconds) over (
        partition by agent_id order by started_at
    ), 0))
from marts.fct_agent_timeline
where source = $source and state <> 'unobserved' and started_at < $until and ended_at > $since
"""
# Where CC-CMS is asked, too, the timeline follows that; what polls of the gateway say stands in a table of theirs.
_POLLED = """
select agent_id, state, epoch_us(greatest(started_at, $since)), epoch_us(least(until, $until)),
    greatest(uncertainty, coalesce(lead(uncertainty) over (partition by agent_id order by started_at), 0))
from (
    select p.agent_id, p.started_at, coalesce(p.ended_at, p.last_at) as until, p.uncertainty_us / 1e6 as uncertainty,
        case when p.is_handling then 'handling' else m.state end as state
    from intermediate.int_huawei_polled as p
    left join read_csv($state_map, all_varchar = true) as m
        on m.vendor = 'huawei' and m.feed = 'agent_status' and m.vendor_state = p.vendor_state
    where p.source = $source
)
where coalesce(state, '') <> 'unobserved' and started_at < $until and until > $since
"""


@dataclass(slots=True)
class Result:
    """What came of a comparison: rows of the table, and some of the differences in words."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether there is something to compare, and all of it is equal."""
        return bool(self.rows) and all(row["equal"] for row in self.rows)


@dataclass(frozen=True, slots=True)
class Watched:
    """The stretch that the recorder listened for."""

    since: datetime
    until: datetime


def compare(
    settings: Settings,
    folder: Path,
    agent_ids: Mapping[str, Mapping[str, str] | None],
    days: Sequence[date],
    watched: Watched | None = None,
    looks: Sequence[datetime] = (),
) -> Result:
    """Hold the warehouse's figures against the truth in a folder.

    Args:
        settings: The demo's configuration.
        folder: The truth's Parquet files.
        agent_ids: Of each vendor its ids of agents by the true ones; None for all agents and the same ids.
        days: Days that the past was captured of, without a gap.
        watched: When the present was recorded.
        looks: When vendors that soon forget were asked for the past.
    """
    result = Result()
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        for source in settings.sources:
            vendor, ids = source.vendor, agent_ids[source.vendor]
            book = _Book(connection, source.name, Truth.read(folder, VIEWS[vendor], ids), result)
            book.past(_PAST[vendor], days, looks)
            if vendor in _OPINION and source.captures(_OPINION[vendor]):
                book.second_opinion(_OPINION[vendor], days)
            exact = _Book(connection, source.name, Truth.read(folder, replace(VIEWS[vendor], grain=1), ids), result)
            if watched is None:
                continue
            for feed, query in _PRESENT.get(vendor, {}).items():
                exact.present(feed, query, watched)
            if vendor == "beyondtrust":
                exact.told(days, watched, Payroll.read(folder, ids))
    return result


_FIGURES = (
    "agents",
    "observed",
    "occupancy",
    "true occupancy",
    "transfers",
    "true transfers",
    "participations",
    "true participations",
    "compared",
)
# Feeds whose records make up whole days, those that hold the vendor's own sums, and those that the recorder heard.
_PAST = {"cxengage": "agent_states", "kore": "agent_activity", "huawei": "cms_history", "beyondtrust": "archive"}
_OPINION = {"cxengage": "agent_intervals"}
_PRESENT = {"huawei": {"agent_status": _POLLED, "cms_status": _SEEN}, "beyondtrust": {"state": _SEEN}}


@dataclass(slots=True)
class _Book:
    """One source's figures, ours and the true ones."""

    connection: duckdb.DuckDBPyConnection
    source: str
    truth: Truth
    result: Result

    def past(self, feed: str, days: Sequence[date], looks: Sequence[datetime] = ()) -> None:
        """Compare whole days: equal means equal to the microsecond, as far as the vendor's times go.

        What the vendor told at none of the looks is to be unobserved, or right.
        """
        view = self.truth.view
        given = {"source": self.source, "first": days[0], "last": days[-1]}
        found = self.connection.execute(_SUMS, given).fetchall()
        ours: Sums = {(day, agent, state): (us, items) for day, agent, state, us, items in found}
        told = self.truth.told(
            [int(look.timestamp() * SECOND) for look in looks], self.connection.execute(_UNSEEN, given).fetchall()
        )
        true = told.sums(days)
        untold = sum(us for us, _ in self.truth.sums(days).values()) - sum(us for us, _ in true.values())
        if not view.tells_items:
            ours, true = _without_items(ours), _without_items(true)
        wrong = {key for key in {**ours, **true} if ours.get(key) != true.get(key)}
        agent_days = {key[:2] for key in {**ours, **true}}
        self._differ(wrong, ours, true)
        moved, really_moved, same_moved = self._transfers(given, days)
        took, really_took, same_took = self._stays(given, days)
        equal = len(agent_days) - len({key[:2] for key in wrong})
        self._add(
            feed,
            {
                "agents": len({agent for _, agent in agent_days}),
                "observed": self._observed(feed, days),
                "occupancy": _occupancy(ours) if view.tells_handling else None,
                "true occupancy": _occupancy(true) if view.tells_handling else None,
                "transfers": moved,
                "true transfers": really_moved,
                "participations": took,
                "true participations": really_took,
                "compared": f"{equal} of {len(agent_days)} agent-days"
                + (f", {untold / HOUR:.1f} h of them never told" if untold else ""),
            },
            equal=not wrong and same_moved and same_took and bool(agent_days),
        )

    def present(self, feed: str, query: str, watched: Watched) -> None:
        """Compare what was recorded: each stretch that we tell of must have been true within its stated uncertainty."""
        given: dict[str, Any] = {"source": self.source, "since": watched.since, "until": watched.until}
        if query is _POLLED:
            given["state_map"] = str(sql_dir() / "seeds" / "state_map.csv")
        rows = self.connection.execute(query, given).fetchall()
        since, until = (int(moment.timestamp() * SECOND) for moment in (watched.since, watched.until))
        present = self.truth.signed_in(since, until)
        unseen = present - {row[0] for row in rows}
        self.result.differences += [f"{self.source}: {agent} was signed in, and not seen" for agent in sorted(unseen)]
        wrong, compared = len(unseen), 0
        for agent, state, start, end, slack in rows:
            compared += end - start
            if not self.truth.holds(agent, state, start, end, int(slack * SECOND)):
                wrong += 1
                self.result.differences.append(f"{self.source}: {agent} was not {state} from {start} to {end} µs")
        covered = self._covered(feed, watched.since, watched.until)
        figures = {
            "agents": len({row[0] for row in rows}),
            "observed": f"{covered:.1%}",
            "compared": f"{compared / SECOND:,.0f} agent-seconds in {len(rows)} states",
        }
        # At night nobody may be signed in, and who polls agent by agent has nobody to ask.
        self._add(feed, figures, equal=wrong == 0 and (covered > 0 or not present))

    def second_opinion(self, feed: str, days: Sequence[date]) -> None:
        """Count what the vendor's own sums say of whole days, and how much of it agrees with ours."""
        given = {"source": self.source, "feed": feed, "first": days[0], "last": days[-1]}
        compared, within, agents = self.connection.execute(_OPINIONS, given).fetchone() or (0, 0, 0)
        figures = {
            "agents": agents,
            "observed": self._observed(feed, days),
            "compared": f"{within:,} of {compared:,} sums within tolerance",
        }
        self._add(feed, figures, equal=within == compared > 0)

    def told(self, days: Sequence[date], watched: Watched, payroll: Payroll) -> None:
        """Compare what BeyondTrust's reports say of whole days, and its Command API of the present."""
        found = reports(self.connection, self.source, self.truth, days)
        self._add("sessions", {"observed": self._observed("sessions", days), **found.figures}, equal=found.equal)
        asked = command(self.connection, self.source, self.truth, payroll, watched.since)
        self._add("command", asked.figures, equal=asked.equal)
        self.result.differences += [*found.differences, *asked.differences]

    def _add(self, feed: str, figures: Mapping[str, Any], *, equal: bool) -> None:
        """Add a row; a feed that does not tell of something has None there."""
        row = {"source": self.source, "feed": feed, **dict.fromkeys(_FIGURES), **figures, "equal": equal}
        self.result.rows.append(row)

    def _stays(self, given: Mapping[str, Any], days: Sequence[date]) -> tuple[int | None, int | None, bool]:
        """How often somebody took part in something, ours and truly, and whether that is the same."""
        if not self.truth.view.tells_stays:
            return None, None, True
        since, until = _edges(days)
        names = self.truth.view.interaction("") is not None
        ours = [
            Stay(agent, interaction if names else None, start, end)
            for agent, interaction, start, end in self.connection.execute(_STAYS, dict(given)).fetchall()
        ]
        true = [one for one in self.truth.stays if since <= one.start < until]
        return len(ours), len(true), self._same(ours, true)

    def _transfers(self, given: Mapping[str, Any], days: Sequence[date]) -> tuple[int | None, int | None, bool]:
        """How many there are, ours and true ones, and whether they are the same."""
        view = self.truth.view
        if not view.tells_transfers:
            return None, None, True
        since, until = _edges(days)
        colleagues = set(self.truth.stretches)
        ours = [
            Transfer(
                sender,
                receiver if view.tells_hops or receiver in colleagues else None,
                start,
                end,
                interaction if view.interaction("") is not None else None,
                hop if view.tells_hops else None,
                is_return if view.tells_hops else None,
            )
            for sender, receiver, start, end, interaction, hop, is_return in self.connection.execute(
                _TRANSFERS, dict(given)
            ).fetchall()
        ]
        true = [one for one in self.truth.transfers if since <= one.start < until]
        return len(ours), len(true), self._same(ours, true)

    def _same(self, ours: Sequence[object], true: Sequence[object]) -> bool:
        strange, missing = Counter(ours) - Counter(true), Counter(true) - Counter(ours)
        for words, found in (("not true", strange), ("not found", missing)):
            self.result.differences += [f"{self.source}: {words}: {one}" for one in sorted(found, key=str)[:3]]
        return not strange and not missing

    def _observed(self, feed: str, days: Sequence[date]) -> str:
        return f"{self._covered(feed, midnight(days[0]), midnight(days[-1] + timedelta(days=1))):.1%}"

    def _covered(self, feed: str, since: datetime, until: datetime) -> float:
        given = {"source": self.source, "feed": feed, "since": since, "until": until}
        [us] = self.connection.execute(_COVERED, given).fetchone() or [0]
        return us / ((until - since).total_seconds() * SECOND)

    def _differ(self, wrong: set[tuple[date, str, str]], ours: Sums, true: Sums) -> None:
        for key in sorted(wrong)[:5]:
            told = f"{ours.get(key, (0, 0))[0] / SECOND:.3f} s, truly {true.get(key, (0, 0))[0] / SECOND:.3f} s"
            self.result.differences.append(f"{self.source}: {key[0]} {key[1]} {key[2]}: {told}")


def _edges(days: Sequence[date]) -> tuple[int, int]:
    """The first instant of some days and the first after them, microseconds since 1970."""
    first, after = (int(midnight(day).timestamp()) * SECOND for day in (days[0], days[-1] + timedelta(days=1)))
    return first, after


def _without_items(sums: Sums) -> Sums:
    return {key: (us, 0) for key, (us, _) in sums.items()}


def _occupancy(sums: Sums) -> str | None:
    by_state: dict[str, int] = {}
    for (_, _, state), (us, _) in sums.items():
        by_state[state] = by_state.get(state, 0) + us
    busy = by_state.get("handling", 0) + by_state.get("wrap_up", 0)
    total = busy + by_state.get("available", 0)
    return f"{busy / total:.4f}" if total else None
