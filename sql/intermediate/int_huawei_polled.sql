-- Stretches of unchanged state that polls of CC-Gateway show, by the day they begin on. A state holds from the sample that
-- first shows it until the next one, if that came within hold_polls intervals; else it ends at the sample
-- (docs/metrics.md, Polls and streams).
-- grain: source, agent_id, started_at
-- window: 0 days .. 0 days
-- Narrow rows, since a day may have tens of millions: where a change came from is looked up at the end.
with samples as (
    select s.source, s.agent_id, s.requested_at, s.received_at, s.window_start, s.window_end,
        coalesce(s.agent_state::varchar, 'error') as vendor_state,
        case when s.agent_state is null then coalesce(s.retcode, 'status ' || s.status) end as reason,
        coalesce(s.is_working, false) as is_handling,
        to_microseconds((1e6 * f.hold_seconds)::bigint) as patience,
        (5e5 * f.sample_seconds)::bigint as half_us
    from staging.stg_huawei__agent_status as s
    inner join ops.feed_clock as f on s.source = f.source and f.feed = 'agent_status'
    where s.reject_reason is null and s.event_type is null
        -- As far as one sample may speak for the time beyond midnight.
        and s.received_at >= $partition_start - interval 10 minutes
        and s.received_at < $partition_end + interval 10 minutes
),

following as (
    select *,
        lag(received_at) over succession as previous_at,
        lag(requested_at) over succession as previous_requested_at,
        lag(vendor_state) over succession as previous_state,
        lag(reason) over succession as previous_reason,
        lag(is_handling) over succession as was_handling,
        max(window_end) over (succession rows between unbounded preceding and 1 preceding) as watched_until
    from samples
    window succession as (
        partition by source, agent_id
        order by received_at, vendor_state, reason, is_handling, window_start
    )
),

changes as (
    select *,
        lead(received_at) over succession as next_at,
        lead(previous_at) over succession as last_before_next
    from following
    where previous_at is null or received_at - previous_at > patience or window_start > watched_until
        or vendor_state <> previous_state or reason is distinct from previous_reason or is_handling <> was_handling
    window succession as (partition by source, agent_id order by received_at, vendor_state, reason, is_handling, window_start)
),

newest as (
    select source, agent_id, max(received_at) as last_at, max(max(received_at)) over (partition by source) as any_last_at
    from samples
    group by source, agent_id
),

stretches as (
    select c.*,
        coalesce(c.last_before_next, n.last_at) as last_at,
        case
            when c.next_at - c.last_before_next <= c.patience then c.next_at
            when c.next_at is not null then c.last_before_next
            -- Others are still polled, this agent is not any more.
            when n.any_last_at - n.last_at > c.patience then n.last_at
        end as ended_at
    from changes as c
    inner join newest as n on c.source = n.source and c.agent_id = n.agent_id
),

told as (
    select source, agent_id, received_at as started_at, ended_at, last_at, vendor_state, reason, is_handling,
        case
            -- It may have begun just after the sample before, which is of some instant between asking and answer.
            when received_at - previous_at <= patience then epoch_us(received_at) - epoch_us(previous_requested_at)
            else half_us
        end as uncertainty_us,
        previous_at is null or received_at - previous_at > patience as is_derived, window_start, received_at
    from stretches
    where received_at >= $partition_start and received_at < $partition_end
        and (ended_at is null or ended_at > received_at)
    union all
    -- What was carried over midnight and is not polled any more would go on without end.
    select source, agent_id, last_at, null, last_at, 'unknown', null, false,
        half_us, true, window_start, last_at
    from stretches
    where received_at < $partition_start and ended_at = last_at
        and last_at >= $partition_start and last_at < $partition_end
),

delivered as (
    select t.source, t.agent_id, t.received_at,
        min(s.segment) as segment, arg_min(s.payload_sha256, (s.segment, s.sequence)) as payload_sha256
    from (select distinct source, agent_id, received_at from told) as t
    inner join staging.stg_huawei__agent_status as s
        on t.source = s.source and t.agent_id = s.agent_id and t.received_at = s.received_at
    where s.reject_reason is null and s.event_type is null
    group by t.source, t.agent_id, t.received_at
)

select
    t.source,                                       -- name of the source in sources.yaml
    t.agent_id,                                     -- the agent's work number
    t.started_at,                                   -- the sample that first shows the state
    t.ended_at,                                     -- the sample that shows another, or the last one; NULL when the day's last sample shows it still
    t.last_at,                                      -- the last sample that shows it
    t.vendor_state,                                 -- the gateway's code; error for an answer without one, unknown when the agent was not asked for
    t.reason,                                       -- what was wrong with an answer
    t.is_handling,                                  -- the gateway says that the agent is talking
    t.uncertainty_us,                               -- how far the state's true start may lie before, in microseconds: the distance to when the sample before was asked for
    t.is_derived,                                   -- the state began at some time before the sample
    d.segment,                                      -- raw segment of the first sample
    t.window_start,                                 -- start of the stretch watched
    t.received_at,                                  -- when the first sample was received
    d.payload_sha256                                -- sha256 of the first sample
from told as t
inner join delivered as d on t.source = d.source and t.agent_id = d.agent_id and t.received_at = d.received_at
order by t.source, t.agent_id, t.started_at
