"""The demo's table of results: what the product found in each feed beside what really happened.

Reads the published warehouse and counts; what really happened comes from ``demo_truth.py``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from orchestration.demo_truth import SECOND, VIEWS, Sums, Transfer, Truth
from orchestration.inputs import midnight
from orchestration.settings import Settings

_SUMS = """
select date::date, agent_id, state,
    sum(epoch_us(ended_at) - epoch_us(started_at))::bigint,
    sum((epoch_us(ended_at) - epoch_us(started_at)) * coalesce(work_items, 0))::bigint
from marts.fct_agent_timeline
where source = $source and date between $first and $last and state not in ('offline', 'unobserved')
group by all
"""
_TRANSFERS = """
select from_agent_id, to_id, epoch_us(started_at), epoch_us(completed_at), interaction_id, hop, is_return
from marts.fct_transfers
where source = $source and date between $first and $last
"""
_COVERED = """
select coalesce(sum(epoch_us(least(window_end, $until)) - epoch_us(greatest(window_start, $since)))::bigint, 0)
from ops.feed_coverage
where source = $source and feed = $feed and status = 'observed' and window_start < $until and window_end > $since
"""
_SEEN = """
select agent_id, state, epoch_us(greatest(started_at, $since)), epoch_us(least(ended_at, $until)),
    greatest(uncertainty_seconds, coalesce(lead(uncertainty_seconds) over (
        partition by agent_id order by started_at
    ), 0))
from marts.fct_agent_timeline
where source = $source and state <> 'unobserved' and started_at < $until and ended_at > $since
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
) -> Result:
    """Hold the warehouse's figures against the truth in a folder.

    Args:
        settings: The demo's configuration.
        folder: The truth's Parquet files.
        agent_ids: Of each vendor its ids of agents by the true ones; None for all agents and the same ids.
        days: Days that the past was captured of, without a gap.
        watched: When the present was recorded.
    """
    result = Result()
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        for source in settings.sources:
            view, ids = VIEWS[source.vendor], agent_ids[source.vendor]
            _Book(connection, source.name, Truth.read(folder, view, ids), result).past(_PAST[source.vendor], days)
            if watched and source.vendor in _PRESENT:
                exact = Truth.read(folder, replace(view, grain=1), ids)
                _Book(connection, source.name, exact, result).present(_PRESENT[source.vendor], watched)
    return result


# Feeds whose records make up whole days, and those that the recorder heard.
_PAST = {"cxengage": "agent_states", "kore": "agent_activity", "huawei": "cms_history", "beyondtrust": "archive"}
_PRESENT = {"huawei": ("agent_status", "cms_status"), "beyondtrust": ("state",)}


@dataclass(slots=True)
class _Book:
    """One source's figures, ours and the true ones."""

    connection: duckdb.DuckDBPyConnection
    source: str
    truth: Truth
    result: Result

    def past(self, feed: str, days: Sequence[date]) -> None:
        """Compare whole days: equal means equal to the microsecond, as far as the vendor's times go."""
        view = self.truth.view
        given = {"source": self.source, "first": days[0], "last": days[-1]}
        found = self.connection.execute(_SUMS, given).fetchall()
        ours: Sums = {(day, agent, state): (us, items) for day, agent, state, us, items in found}
        true = self.truth.sums(days)
        if not view.tells_items:
            ours, true = _without_items(ours), _without_items(true)
        wrong = {key for key in {**ours, **true} if ours.get(key) != true.get(key)}
        agent_days = {key[:2] for key in {**ours, **true}}
        self._differ(wrong, ours, true)
        moved, really_moved, same = self._transfers(given, days)
        equal = len(agent_days) - len({key[:2] for key in wrong})
        covered = self._covered(feed, midnight(days[0]), midnight(days[-1] + timedelta(days=1)))
        self.result.rows.append(
            {
                "source": self.source,
                "feed": feed,
                "agents": len({agent for _, agent in agent_days}),
                "observed": f"{covered:.1%}",
                "occupancy": _occupancy(ours) if view.tells_handling else None,
                "true occupancy": _occupancy(true) if view.tells_handling else None,
                "transfers": moved,
                "true transfers": really_moved,
                "compared": f"{equal} of {len(agent_days)} agent-days",
                "equal": not wrong and same and bool(agent_days),
            }
        )

    def present(self, feeds: Sequence[str], watched: Watched) -> None:
        """Compare what was recorded: each row of the timeline must have been true within its stated uncertainty."""
        given = {"source": self.source, "since": watched.since, "until": watched.until}
        rows = self.connection.execute(_SEEN, given).fetchall()
        since, until = (int(moment.timestamp() * SECOND) for moment in (watched.since, watched.until))
        unseen = self.truth.signed_in(since, until) - {row[0] for row in rows}
        self.result.differences += [f"{self.source}: {agent} was signed in, and not seen" for agent in sorted(unseen)]
        wrong, compared = len(unseen), 0
        for agent, state, start, end, slack in rows:
            compared += end - start
            if not self.truth.holds(agent, state, start, end, int(slack * SECOND)):
                wrong += 1
                self.result.differences.append(f"{self.source}: {agent} was not {state} from {start} to {end} µs")
        covered = min(self._covered(feed, watched.since, watched.until) for feed in feeds)
        self.result.rows.append(
            {
                "source": self.source,
                "feed": ", ".join(feeds),
                "agents": len({row[0] for row in rows}),
                "observed": f"{covered:.1%}",
                "occupancy": None,
                "true occupancy": None,
                "transfers": None,
                "true transfers": None,
                "compared": f"{compared / SECOND:,.0f} agent-seconds in {len(rows)} states",
                "equal": wrong == 0 and covered > 0,
            }
        )

    def _transfers(self, given: Mapping[str, Any], days: Sequence[date]) -> tuple[int | None, int | None, bool]:
        """How many there are, ours and true ones, and whether they are the same."""
        view = self.truth.view
        if not view.tells_transfers:
            return None, None, True
        since, until = (int(midnight(day).timestamp()) * SECOND for day in (days[0], days[-1] + timedelta(days=1)))
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
        strange, missing = set(ours) - set(true), set(true) - set(ours)
        for words, found in (("not true", strange), ("not found", missing)):
            self.result.differences += [f"{self.source}: {words}: {one}" for one in sorted(found, key=str)[:3]]
        return len(ours), len(true), sorted(ours, key=str) == sorted(true, key=str)

    def _covered(self, feed: str, since: datetime, until: datetime) -> float:
        given = {"source": self.source, "feed": feed, "since": since, "until": until}
        [us] = self.connection.execute(_COVERED, given).fetchone() or [0]
        return us / ((until - since).total_seconds() * SECOND)

    def _differ(self, wrong: set[tuple[date, str, str]], ours: Sums, true: Sums) -> None:
        for key in sorted(wrong)[:5]:
            told = f"{ours.get(key, (0, 0))[0] / SECOND:.3f} s, truly {true.get(key, (0, 0))[0] / SECOND:.3f} s"
            self.result.differences.append(f"{self.source}: {key[0]} {key[1]} {key[2]}: {told}")


def _without_items(sums: Sums) -> Sums:
    return {key: (us, 0) for key, (us, _) in sums.items()}


def _occupancy(sums: Sums) -> str | None:
    by_state: dict[str, int] = {}
    for (_, _, state), (us, _) in sums.items():
        by_state[state] = by_state.get(state, 0) + us
    busy = by_state.get("handling", 0) + by_state.get("wrap_up", 0)
    total = busy + by_state.get("available", 0)
    return f"{busy / total:.4f}" if total else None
