"""The published warehouse of the week as an analyst reads it, in the shapes of ``week_truth.py``; no expectations."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any

import duckdb

from tests.pipeline.site import Rows
from tests.pipeline.truth import DAY
from tests.pipeline.week_figures import COLUMNS, Key, on_days, seen_days
from tests.pipeline.week_people import PERSON
from tests.pipeline.week_pieces import Moved, Piece, day_of, merged
from tests.pipeline.week_truth import Week

TIMELINE = """
select agent_id, epoch_us(t.started_at), epoch_us(t.ended_at), t.state, t.reason,
    t.work_items, t.load, t.capacity, epoch_us(s.logged_in_at), t.vendor_state, t.reason_code, t.direction
from marts.fct_agent_timeline as t
left join marts.fct_agent_sessions as s using (source, session_id, agent_id)
where source = $source order by agent_id, t.started_at
"""
FIGURES = ", ".join(f"round({name}_seconds * 1e6)::bigint" for name in COLUMNS)
START = {
    "marts.fct_agent_intervals": "epoch_us(interval_start)",
    "marts.agg_agent_days": "epoch_us(date::timestamptz)",
}


@dataclass
class Read:
    """The warehouse, and the truth that it is held against.

    Attributes:
        connection: The warehouse, opened once for all tests.
        week: What happened.
    """

    connection: duckdb.DuckDBPyConnection
    week: Week

    def ask(self, sql: str, **given: Any) -> Rows:
        """One query."""
        return self.connection.execute(sql, given or None).fetchall()

    @cached_property
    def known(self) -> Mapping[str, Mapping[str, list[Piece]]]:
        """What can be known, by source and agent."""
        return {source: self.week.known(source) for source in self.week.ids}

    @cached_property
    def tiles(self) -> Mapping[str, Mapping[str, list[Piece]]]:
        """What can be known, by source and agent, on the days that the agent has rows on."""
        return {
            source: {agent: on_days(pieces, self._days(source)[agent]) for agent, pieces in told.items()}
            for source, told in self.known.items()
        }

    def timeline(self, source: str) -> dict[str, list[Piece]]:
        """What the timeline says, by agent; neighbours that tell the same are one."""
        found: defaultdict[str, list[Piece]] = defaultdict(list)
        for agent, *row in self.ask(TIMELINE, source=source):
            found[agent].append(Piece(*row))
        return {agent: merged(pieces) for agent, pieces in found.items()}

    def figures(self, table: str, source: str) -> dict[Key, tuple[int | None, ...]]:
        """Sums of a table by agent and start, microseconds."""
        rows = self.ask(
            f"select agent_id, {START[table]}, {FIGURES} from {table} where source = $source", source=source
        )
        return {(agent, at): tuple(row) for agent, at, *row in rows}

    def local(
        self, minutes: int, zone: str, since: datetime, until: datetime
    ) -> tuple[dict[tuple[str, str, int], tuple[int | None, ...]], set[tuple[int, int, str]]]:
        """Sums by source, agent and start of a wall clock's intervals, and these as start, end and label."""
        rows = self.ask(
            f"select source, agent_id, epoch_us(interval_start), epoch_us(interval_end), local_label, {FIGURES} "
            "from agent_intervals($minutes, $zone, $since, $until)",
            minutes=minutes,
            zone=zone,
            since=since,
            until=until,
        )
        return {tuple(row[:3]): tuple(row[5:]) for row in rows}, {tuple(row[2:5]) for row in rows}

    def moved(self, source: str) -> dict[Moved, tuple[int, bool]]:
        """Transfers with hop and return."""
        rows = self.ask(
            "select interaction_id, from_agent_id, to_kind, to_id, epoch_us(started_at), epoch_us(completed_at), kind, "
            "hop, is_return from marts.fct_transfers where source = $source",
            source=source,
        )
        return {Moved(*row[:7]): (row[7], row[8]) for row in rows}

    def pairs(self, source: str) -> dict[tuple[Any, ...], tuple[Any, ...]]:
        """Transfers between pairs by day: how many, how many arrived, microseconds, returns."""
        rows = self.ask(
            "select date, from_agent_id, to_kind, to_id, transfers, completed, round(seconds * 1e6)::bigint, returns "
            "from marts.agg_transfer_pairs where source = $source",
            source=source,
        )
        return {tuple(row[:4]): tuple(row[4:]) for row in rows}

    def handed(self, source: str, table: str = "marts.fct_agent_intervals") -> dict[tuple[str, int, str], tuple[int]]:
        """Transfers out and in by agent and start of the quarter of an hour, or day, of a table."""
        rows = self.ask(
            f"select agent_id, {START[table]}, transfers_out, transfers_in from {table} where source = $source",
            source=source,
        )
        return {
            (agent, at, way): (n,) for agent, at, *both in rows for way, n in zip(("out", "in"), both, strict=True) if n
        }

    def logins(self, source: str) -> dict[Key, int]:
        """Sign-ins by agent and quarter of an hour."""
        rows = self.ask(
            "select agent_id, epoch_us(interval_start), logins from marts.fct_agent_intervals "
            "where source = $source and logins > 0",
            source=source,
        )
        return {(agent, at): n for agent, at, n in rows}

    def first_and_last(self, source: str) -> dict[tuple[str, date], tuple[Any, ...]]:
        """First sign-in, last sign-out and sign-ins by agent and UTC day."""
        rows = self.ask(
            "select agent_id, date, epoch_us(first_login_at), epoch_us(last_logout_at), logins "
            "from marts.agg_agent_days where source = $source",
            source=source,
        )
        return {(agent, day): tuple(told) for agent, day, *told in rows}

    def seen(self, source: str) -> dict[str, tuple[int, int]]:
        """When each agent was seen first and last."""
        rows = self.ask(
            "select agent_id, epoch_us(first_seen_at), epoch_us(last_seen_at) from marts.dim_agents "
            "where source = $source",
            source=source,
        )
        return {agent: (first, last) for agent, first, last in rows}

    def roles(self, source: str) -> dict[tuple[str, str, int], tuple[str | None, ...]]:
        """Role and channel by interaction, agent and joining."""
        rows = self.ask(
            "select interaction_id, agent_id, epoch_us(joined_at), role, channel from marts.fct_participation "
            "where source = $source",
            source=source,
        )
        return {tuple(row[:3]): tuple(row[3:]) for row in rows}

    def person_days(self) -> dict[tuple[str, date], tuple[int | None, ...]]:
        """Agents, and sums of ``PERSON`` in microseconds, by person and UTC day."""
        sums = ", ".join(f"round({name}_seconds * 1e6)::bigint" for name in PERSON)
        rows = self.ask(f"select person_id, date, agents, {sums} from marts.agg_person_days")
        return {(person, day): tuple(told) for person, day, *told in rows}

    def _days(self, source: str) -> Mapping[str, set[date]]:
        """Days with rows, by agent: all that must have them, and those on which the agent is told to be offline."""
        found: defaultdict[str, set[date]] = defaultdict(set)
        for agent, pieces in self.known[source].items():
            found[agent] = seen_days(pieces)
        sql = (
            "select distinct agent_id, epoch_us(date::timestamptz) from marts.fct_agent_timeline where source = $source"
        )
        for agent, at in self.ask(sql, source=source):
            pieces = [one for one in self.known[source][agent] if one.start < at + DAY and one.end > at]
            if all(one.state in {"offline", "unobserved"} for one in pieces):
                found[agent].add(day_of(at))
        return found
