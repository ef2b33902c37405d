"""Holds the demo's figures against what the simulator knows really happened.

Only compares and counts; the simulator writes its truth itself, from its own events and not from what its API said.
"""

from pathlib import Path
from typing import Any

import duckdb

from orchestration.settings import Settings

# Integer microseconds on both sides: equal means equal.
_STATES = """
with true_days as (
    select d::date as date, agent_id, state,
        sum(epoch_us(least(ended_at, d + interval 1 day)) - epoch_us(greatest(started_at, d)))::bigint as us,
        sum(
            (epoch_us(least(ended_at, d + interval 1 day)) - epoch_us(greatest(started_at, d))) * work_items
        )::bigint as item_us
    from read_parquet($states)
    cross join (select distinct date::timestamptz as d from marts.agg_agent_days)
    where started_at < d + interval 1 day and ended_at > d and state <> 'offline'
    group by all
),

our_days as (
    select date, agent_id, state,
        sum(epoch_us(ended_at) - epoch_us(started_at))::bigint as us,
        sum((epoch_us(ended_at) - epoch_us(started_at)) * work_items)::bigint as item_us
    from marts.fct_agent_timeline
    where state not in ('offline', 'unobserved')
    group by all
),

compared as (
    select date, agent_id, t.state as true_state, t.us as true_us, o.state as our_state, o.us as our_us,
        t.us is not distinct from o.us and t.item_us is not distinct from o.item_us as is_equal
    from true_days as t
    full join our_days as o using (date, agent_id, state)
)

select
    count(distinct agent_id) as agents,
    count(distinct (date, agent_id)) as agent_days,
    count(distinct (date, agent_id)) filter (not is_equal) as differing,
    sum(true_us) filter (true_state in ('handling', 'wrap_up'))
        / sum(true_us) filter (true_state <> 'not_ready') as true_occupancy,
    sum(our_us) filter (our_state in ('handling', 'wrap_up'))
        / sum(our_us) filter (our_state <> 'not_ready') as our_occupancy
from compared
"""
_TRANSFERS = """
select count(t.interaction_id) as true_transfers, count(o.transfer_id) as our_transfers,
    count(*) filter (
        o.hop is distinct from t.hop or o.is_return is distinct from t.is_return
        or o.completed_at is distinct from t.completed_at
    ) as differing
from read_parquet($transfers) as t
full join marts.fct_transfers as o
    on t.interaction_id = o.interaction_id and t.from_agent_id = o.from_agent_id and t.to_agent_id = o.to_id
    and t.started_at = o.started_at
"""
_COVERAGE = """
select source, coverage(
    sum(epoch_us(window_end) - epoch_us(window_start)) filter (status = 'observed'),
    coalesce(sum(epoch_us(window_end) - epoch_us(window_start)) filter (status <> 'observed'), 0)
) as coverage
from ops.feed_coverage group by source
"""


def compare(settings: Settings, truth: Path) -> list[dict[str, Any]]:
    """One row per source: our figures beside the simulator's, and whether every agent-day and transfer is equal."""
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        rows = []
        for source, coverage in connection.execute(_COVERAGE).fetchall():
            states = _one(connection, _STATES, {"states": str(truth / "agent_states.parquet")})
            moved = _one(connection, _TRANSFERS, {"transfers": str(truth / "transfers.parquet")})
            same = states["agent_days"] - states["differing"]
            rows.append(
                {
                    "source": source,
                    "agents": states["agents"],
                    "observed": f"{coverage:.1%}",
                    "occupancy": f"{states['our_occupancy']:.4f}",
                    "true occupancy": f"{states['true_occupancy']:.4f}",
                    "transfers": moved["our_transfers"],
                    "true transfers": moved["true_transfers"],
                    "days equal": f"{same} of {states['agent_days']}",
                    "equal": states["differing"] == 0 and moved["differing"] == 0,
                }
            )
    return rows


def _one(connection: duckdb.DuckDBPyConnection, sql: str, parameters: dict[str, str]) -> dict[str, Any]:
    result = connection.execute(sql, parameters)
    names = [column[0] for column in result.description or []]
    row = result.fetchone() or [0] * len(names)
    return dict(zip(names, row, strict=True))
