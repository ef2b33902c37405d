"""Bare DuckDB: the fastest plain statements for each task, and the typical ones that people write first."""

from pathlib import Path

import duckdb

from benchmarks import data as made
from orchestration.builds import Builds
from orchestration.lake import Lake

_COLUMNS = """STRUCT(
    "eventId" VARCHAR, "nextEventId" VARCHAR, "sessionId" VARCHAR, "agentId" VARCHAR, "agentName" VARCHAR,
    "platformAgentId" VARCHAR, "tenantAgentId" VARCHAR, "eventType" VARCHAR, presence VARCHAR, state VARCHAR,
    allocation VARCHAR, direction VARCHAR, "reasonId" VARCHAR, "reasonName" VARCHAR, "reasonListId" VARCHAR,
    "reasonListName" VARCHAR, "start" TIMESTAMPTZ, "end" TIMESTAMPTZ, "durationSeconds" DOUBLE,
    "loginTimestamp" TIMESTAMPTZ,
    capacity STRUCT(channels STRUCT(voice BIGINT, email BIGINT, messaging BIGINT, sms BIGINT, "workItem" BIGINT),
                    allocation VARCHAR, load DOUBLE, capacity BIGINT)[],
    transfers STRUCT("interactionId" VARCHAR, "toAgentId" VARCHAR, "transferStartTimestamp" TIMESTAMPTZ,
                     "transferEndTimestamp" TIMESTAMPTZ)[])[]"""

ZSTD = "(format parquet, compression zstd)"
SNAPPY = "(format parquet, compression snappy, parquet_version v2)"

# What a record says, in the words of our timeline; the greatest count of any capacity rule is what is handled.
_TOLD = """
select source, agent_id, session_id, event_id, next_event_id, started_at, ended_at, received_at,
    presence as vendor_state, reason_id as reason_code, reason_name as reason, direction,
    coalesce(list_max([c.channels.voice for c in capacity]), 0)
        + coalesce(list_max([c.channels.email for c in capacity]), 0)
        + coalesce(list_max([c.channels.messaging for c in capacity]), 0)
        + coalesce(list_max([c.channels.sms for c in capacity]), 0)
        + coalesce(list_max([c.channels.workItem for c in capacity]), 0) as work_items,
    list_sum([round(c.load * c.capacity)::bigint for c in capacity])::bigint as load,
    list_sum([c.capacity for c in capacity])::bigint as capacity,
    case when work_items > 0 then 'handling' when presence = 'ready' then 'available'
        when reason_name = 'After Call Work' then 'wrap_up' else 'not_ready' end as state
from staged
where started_at >= timestamptz '{day}' and started_at < timestamptz '{day}' + interval 1 day
"""

_CARRIED = """
select source, agent_id, session_id, '', next_record_id, timestamptz '{day}', ended_at, '-infinity'::timestamptz,
    vendor_state, reason_code, reason, direction, work_items, load, capacity, state
from carried
"""

_SHAPE = """source, agent_id, session_id, vendor_state, reason_code, reason, direction, work_items, load, capacity,
    state, started_at, ended_at"""


def read_json(data: Path, out: Path) -> None:
    """Typed ``read_json`` with ``records=true``: without it DuckDB takes twelve times as long."""
    pages = [str(path) for path in sorted((data / "pages").iterdir())]
    with _connect() as connection:
        connection.execute(_read_json(pages, out / "events.parquet"))


def timeline(data: Path, out: Path) -> None:
    """The fastest form: one window over one order, copies and replays dropped as states of no length."""
    with _connect() as connection:
        staged_and_carried(connection, data)
        connection.execute(_one_window(out / "timeline.parquet"))


def timeline_typical(data: Path, out: Path) -> None:
    """The usual form: the best copy of each event by ``row_number``, then ``lead``."""
    with _connect() as connection:
        staged_and_carried(connection, data)
        told = (
            f"{_TOLD} qualify row_number() over (partition by event_id order by ended_at is null, received_at desc) = 1"
        )
        connection.execute(
            f"""copy (
                select {_SHAPE} from (
                    select * replace (lead(started_at, 1, timestamptz '{made.DAY}' + interval 1 day)
                        over (partition by source, agent_id order by started_at, event_id) as ended_at)
                    from ({told} union all {_CARRIED}))
                where ended_at > started_at
                order by source, agent_id, started_at
            ) to '{out / "timeline.parquet"}' {SNAPPY}""".replace("{day}", str(made.DAY))
        )


def sort_floor(data: Path, out: Path) -> None:
    """The same columns ordered and written, with nothing worked out: what any timeline has to do at least."""
    with _connect() as connection:
        staged_and_carried(connection, data)
        connection.execute(
            f"""copy (
                select source, agent_id, session_id, vendor_state, reason_code, reason, direction, work_items, load,
                    capacity, state, started_at, ended_at
                from ({_TOLD}) order by source, agent_id, started_at
            ) to '{out / "timeline.parquet"}' {SNAPPY}""".replace("{day}", str(made.DAY))
        )


def buckets_series(data: Path, out: Path) -> None:
    """Quarters of an hour by ``generate_series``, in microseconds."""
    _buckets(
        """select t.*, epoch_us(b) // 900000000 as bucket,
            least(epoch_us(ended_at), epoch_us(b) + 900000000) - greatest(epoch_us(started_at), epoch_us(b)) as us
        from timeline as t, unnest(generate_series(
            time_bucket(interval 15 minutes, started_at), ended_at - interval 1 microsecond, interval 15 minutes
        )) as u(b)""",
        data,
        out,
    )


def buckets_arithmetic(data: Path, out: Path) -> None:
    """Quarters of an hour with head, tail and whole buckets apart: the fastest form found."""
    _buckets(_ARITHMETIC, data, out)


def end_to_end(data: Path, out: Path) -> None:
    """A day's pages to typed Parquet, its timeline, its quarters of an hour."""
    pages = [str(path) for path in sorted((data / "centre-pages").iterdir())]
    carried = Builds(Lake(data / "centre" / "lake")).paths(made.DAY_CLOSE, made.EVENING)
    events, day = out / "events.parquet", out / "timeline.parquet"
    with _connect() as connection:
        connection.execute(_read_json(pages, events))
        connection.execute(
            f"""create view staged as select 'bench' as source, "agentId" as agent_id, "sessionId" as session_id,
                "eventId" as event_id, "nextEventId" as next_event_id, "start" as started_at, "end" as ended_at,
                "start" as received_at, presence, "reasonId" as reason_id, "reasonName" as reason_name, direction,
                capacity
            from read_parquet('{events}')"""
        )
        connection.execute(f"create view carried as from read_parquet({[str(path) for path in carried]})")
        connection.execute(_one_window(day))
        _write_buckets(connection, _ARITHMETIC, day, out / "buckets.parquet")


_ARITHMETIC = """select *, first as bucket, least(e, (first + 1) * 900000000) - s as us from spans
    union all select *, last, e - last * 900000000 from spans where last > first
    union all select *, unnest(range(first + 1, last)), 900000000 from spans where last - first > 1"""


def _read_json(pages: list[str], path: Path) -> str:
    return f"""copy (select unnest(results, max_depth := 2) from read_json({pages}, columns = {{results: '{_COLUMNS}'}},
        auto_detect = false, records = true, format = 'newline_delimited', maximum_object_size = 4000000)
    ) to '{path}' {ZSTD}"""


def _one_window(path: Path) -> str:
    return f"""copy (
        select {_SHAPE} from (
            select * replace (lead(started_at, 1, timestamptz '{{day}}' + interval 1 day) over (
                partition by source, agent_id order by started_at, event_id, ended_at is not null, received_at
            ) as ended_at)
            from ({_TOLD} union all {_CARRIED}))
        where ended_at > started_at
        order by source, agent_id, started_at
    ) to '{path}' {SNAPPY}""".replace("{day}", str(made.DAY))


def _buckets(parts: str, data: Path, out: Path) -> None:
    with _connect() as connection:
        _write_buckets(connection, parts, data / "timeline.parquet", out / "buckets.parquet")


def _write_buckets(connection: duckdb.DuckDBPyConnection, parts: str, timeline: Path, path: Path) -> None:
    states = ("available", "handling", "wrap_up", "not_ready", "offline", "unobserved")
    sums = ", ".join(f"coalesce(sum(us) filter (state = '{s}'), 0)::bigint as {s}_us" for s in states)
    connection.execute(f"create or replace view timeline as from read_parquet('{timeline}')")
    connection.execute(
        f"""copy (
            with spans as (
                select source, agent_id, state, work_items, load, capacity, epoch_us(started_at) as s,
                    epoch_us(ended_at) as e, epoch_us(started_at) // 900000000 as first,
                    (epoch_us(ended_at) - 1) // 900000000 as last
                from timeline
            ), parts as ({parts})
            select source, agent_id, make_timestamptz(bucket * 900000000) as interval_start, {sums},
                sum(us * work_items)::bigint as work_item_us, sum(us * load)::bigint as load_us,
                sum(us * capacity) filter (state in ('available', 'handling'))::bigint as capacity_us
            from parts group by source, agent_id, bucket order by source, agent_id, bucket
        ) to '{path}' {SNAPPY}"""
    )


def staged_and_carried(connection: duckdb.DuckDBPyConnection, data: Path) -> None:
    """Views on what the product staged, and on its states at the end of the day before."""
    builds = Builds(Lake(data / "day" / "lake"))
    staged = [str(path) for path in builds.paths(made.STAGING, made.DAY)]
    carried = [str(path) for path in builds.paths(made.DAY_CLOSE, made.EVENING)]
    connection.execute(f"create view staged as from read_parquet({staged})")
    connection.execute(f"create view carried as from read_parquet({carried})")


def _connect() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": 2})
    connection.execute("set timezone = 'UTC'; set preserve_insertion_order = false")
    return connection
