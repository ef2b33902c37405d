"""What a built day looks like, for the pages of the orchestrator: figures that it plots over days, and a picture.

Reads builds only, so it can be told of any day at any time. What is told of every table (rows, bytes, seconds) and
how Dagster is told belongs in ``model_assets.py``; what the figures mean stands in docs/metrics.md.
"""

import base64
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final

import duckdb
from assets.reports.model import Stretch
from assets.reports.timeline_svg import timeline_svg

from orchestration.builder import Builder, Outcome
from orchestration.duck import connect, show
from orchestration.inputs import midnight

FIGURES: Final = {
    "marts.agg_agent_days": """
        select count(distinct (source, agent_id)) as agents,
            -- A source that tells no after-contact work has none; one that tells no handling is on neither side.
            100 * sum(handling_seconds + coalesce(wrap_up_seconds, 0))
                / nullif(sum(handling_seconds + coalesce(wrap_up_seconds, 0) + available_seconds), 0)
                as occupancy_percent,
            100 * sum(observed_seconds) / nullif(sum(observed_seconds + unobserved_seconds), 0) as observed_percent
        from marts.agg_agent_days""",
    "marts.fct_transfers": "select count(*) as transfers from marts.fct_transfers",
    "ops.feed_coverage": """
        select 100 * sum(epoch_us(window_end) - epoch_us(window_start)) filter (status = 'observed')
                / nullif(sum(epoch_us(window_end) - epoch_us(window_start)), 0) as coverage_percent,
            coalesce(sum(epoch_us(window_end) - epoch_us(window_start)) filter (status = 'missing'), 0) / 3.6e9
                as missing_hours,
            coalesce(sum(epoch_us(window_end) - epoch_us(window_start)) filter (status = 'lost'), 0) / 3.6e9
                as lost_hours
        from ops.feed_coverage""",
    "ops.rejects": "select count(*) as rejects from ops.rejects",
}
"""Figures of one day by table. NULL is left out: no point in the plot is better than a wrong one."""

_STRETCHES = """
select t.source, t.agent_id, coalesce(d.agent_name, t.agent_id)
        -- One person may be an agent of several sources.
        || if((select count(distinct source) from marts.fct_agent_timeline) > 1, ' · ' || t.source, ''),
    t.started_at, t.ended_at, t.state
from marts.fct_agent_timeline as t
left join marts.dim_agents as d using (source, agent_id)
-- Who signed in that day comes first: where there are too many agents, those who did nothing are left out.
order by bool_and(t.state in ('offline', 'unobserved')) over (partition by t.source, t.agent_id),
    t.source, coalesce(d.agent_name, t.agent_id), t.agent_id, t.started_at
"""
_PICTURE_BYTES = 72_000
# A run repeats what it tells of the last two days every few minutes, and each picture is kept with its run: small ones.
_REPEATED_BYTES = 16_000
_AGENTS = (60, 30, 15, 8, 4)


def figures(builder: Builder, table: str, day: date) -> Mapping[str, float | int]:
    """A day's figures of a table as it is built now; none when the table has none, or knows none."""
    if table not in FIGURES:
        return {}
    with connect(builder.lake, 1, builder.memory_limit) as connection:
        _show(connection, builder, table, day)
        result = connection.execute(FIGURES[table])
        names = [column[0] for column in result.description or []]
        row = result.fetchone() or ()
    found = dict(zip(names, row, strict=True))
    return {
        name: value if isinstance(value, int) else round(value, 2) for name, value in found.items() if value is not None
    }


def picture(builder: Builder, outcome: Outcome, now: datetime | None = None) -> str | None:
    """What each agent did on a day, as Markdown with the picture within; below 100 kB.

    The last two days, which runs come back to all the time, have fewer agents in theirs. None when nothing is known of
    anyone, and for an older day that was not built anew: the picture of its last build is still there.
    """
    day = outcome.day
    recent = day is not None and day >= (now or datetime.now(UTC)).date() - timedelta(days=1)
    if day is None or not (recent or outcome.result == "built"):
        return None
    with connect(builder.lake, 1, builder.memory_limit) as connection:
        connection.execute("set timezone = 'UTC'")
        _show(connection, builder, "marts.fct_agent_timeline", day)
        _show(connection, builder, "marts.dim_agents", None)
        rows = connection.execute(_STRETCHES).fetchall()
    if not rows:
        return None
    stretches = [
        Stretch(source, agent, name, None, start, end, state) for source, agent, name, start, end, state in rows
    ]
    start = midnight(day)
    most = _REPEATED_BYTES if recent else _PICTURE_BYTES
    svg = ""
    for agents in _AGENTS:
        svg = timeline_svg(
            stretches, start, start + timedelta(days=1), title=f"What each agent did on {day}", most_agents=agents
        )
        if len(svg.encode()) <= most:
            break
    return f"![What each agent did on {day}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"


def _show(connection: duckdb.DuckDBPyConnection, builder: Builder, table: str, day: date | None) -> None:
    show(connection, table, builder.builds.paths(table, day), builder.types[table])
