-- Stretches of unchanged state that polls of CC-CMS show, by the day they begin on. Seconds in the state give the boundary
-- between two polls to a second, of the first poll that shows it, so that later ones move nothing; the state before and
-- its length give a change that was missed.
-- grain: source, agent_id, started_at
-- window: 0 days .. 0 days
-- Narrow rows, since a day may have tens of millions: where a change came from is looked up at the end.
with samples as (
    select s.source, s.agent_id, s.requested_at, s.received_at, s.window_start, s.window_end,
        -- Without a sign-in there is no state but signed out.
        case when s.logon_ms = 4294967295000 then 0 else s.current_state end as state,
        case when s.current_state = 8 and s.current_state_reason <> 65535 then s.current_state_reason end as reason,
        s.prev_state,
        case when s.prev_state_seconds between 0 and 4294967294 then to_seconds(s.prev_state_seconds) end as lasted,
        case when s.current_state_seconds between 0 and 4294967294 then s.current_state_seconds end as seconds,
        case when s.logon_ms < 4294967295000 then try(make_timestamptz(s.logon_ms * 1000)) end as logged_in_at,
        to_microseconds((1e6 * f.hold_seconds)::bigint) as patience
    from staging.stg_huawei__cms_status as s
    inner join ops.feed_clock as f on s.source = f.source and f.feed = 'cms_status'
    where s.reject_reason is null
        and s.received_at >= $partition_start - interval 10 minutes
        and s.received_at < $partition_end + interval 10 minutes
),

following as (
    select *,
        -- Whole seconds: the state began at most a second before the later of the two, between asking and answer.
        requested_at - to_seconds(seconds + 1) as earliest_at,
        received_at - to_seconds(seconds) as latest_at,
        lag(received_at) over succession as previous_at,
        -- A sample is of some instant between asking and answer.
        lag(requested_at) over succession as previous_requested_at,
        lag(state) over succession as state_before,
        lag(reason) over succession as reason_before,
        max(window_end) over (succession rows between unbounded preceding and 1 preceding) as watched_until
    from samples
    window succession as (
        partition by source, agent_id
        order by received_at, state, reason, seconds, requested_at, window_start
    )
),

judged as (
    select *,
        previous_at is null or received_at - previous_at > patience or window_start > watched_until as is_gap,
        -- The same state anew, if it began after the sample before.
        previous_at is null or state <> state_before or reason is distinct from reason_before
            or coalesce(earliest_at > previous_at, false) as is_change
    from following
),

dated as (
    select *,
        case
            when not is_change or seconds is null or latest_at < previous_requested_at then received_at
            else greatest(
                make_timestamptz((epoch_us(greatest(earliest_at, previous_requested_at)) + epoch_us(latest_at)) // 2),
                coalesce(previous_requested_at, $partition_start)
            )
        end as began_at,
        case
            when not is_change or seconds is null or latest_at < previous_requested_at then 0
            else (epoch_us(latest_at) - epoch_us(greatest(earliest_at, previous_requested_at)) + 1) // 2
        end as uncertainty_us
    from judged
    where is_gap or is_change
),

-- The state before this one began after the sample before: nobody saw it. It lasted up to a second longer than is said.
missed as (
    select *,
        case
            when previous_at is not null and is_change and began_at - lasted < began_at
                and (prev_state <> state_before or earliest_at - lasted - interval 1 second > previous_at)
            then greatest(began_at - lasted - interval 500 milliseconds, previous_at)
        end as missed_at,
        -- What was seen before the gap went on until this one began.
        previous_at is not null and (not is_change or prev_state = state_before) as is_proven
    from dated
),

changes as (
    select *,
        lead(began_at) over succession as next_at,
        lead(received_at) over succession as next_seen_at,
        lead(missed_at) over succession as next_missed_at,
        lead(previous_at) over succession as last_before_next,
        lead(is_proven) over succession as next_is_proven
    from missed
    window succession as (partition by source, agent_id order by received_at, state, reason, seconds, requested_at, window_start)
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
            when c.next_missed_at is null and c.next_is_proven then c.next_at
            when coalesce(c.next_missed_at, c.next_at) - c.last_before_next <= c.patience
                then coalesce(c.next_missed_at, c.next_at)
            when c.next_at is not null then c.last_before_next
            when n.any_last_at - n.last_at > c.patience then n.last_at
        end as ended_at
    from changes as c
    inner join newest as n on c.source = n.source and c.agent_id = n.agent_id
),

-- An open state holds only while somebody watches. Where it began before the watching, what the vendor says of that time
-- is a stretch of its own, which ends at the sample.
split as (
    select *, is_gap and ended_at is null as is_split,
        case when is_gap and ended_at is null then received_at else began_at end as held_from
    from stretches
),

told as (
    select source, agent_id, held_from as started_at, ended_at, last_at, state::varchar as vendor_state, reason, logged_in_at,
        case when is_split then 0 else uncertainty_us end as uncertainty_us, is_split or not is_change as is_derived,
        window_start, received_at
    from split
    union all
    select source, agent_id, began_at, received_at, received_at, state::varchar, reason, logged_in_at,
        uncertainty_us, began_at = $partition_start, window_start, received_at
    from split where is_split and is_change and began_at < received_at
    union all
    select source, agent_id, missed_at, began_at, began_at, prev_state::varchar, null, null,
        uncertainty_us + 500000, true, window_start, received_at
    from split where missed_at < began_at
    union all
    -- What was carried over midnight and is not told any more would go on without end.
    select source, agent_id, last_at, null, last_at, 'unknown', null, null, 0, true, window_start, last_at
    from split where held_from < $partition_start and ended_at = last_at and next_at is distinct from last_at
),

delivered as (
    select t.source, t.agent_id, t.received_at,
        min(s.segment) as segment, arg_min(s.payload_sha256, (s.segment, s.sequence)) as payload_sha256
    from (select distinct source, agent_id, received_at from told) as t
    inner join staging.stg_huawei__cms_status as s
        on t.source = s.source and t.agent_id = s.agent_id and t.received_at = s.received_at
    where s.reject_reason is null
    group by t.source, t.agent_id, t.received_at
)

select
    t.source,                                       -- name of the source in sources.yaml
    t.agent_id,                                     -- the agent's work number
    t.started_at,                                   -- when the state began
    t.ended_at,                                     -- when it ended; NULL when the day's last sample shows it still
    t.last_at,                                      -- the last instant that is known to lie in it
    t.vendor_state,                                 -- CTI code; unknown when nothing is told of the agent any more
    t.reason::varchar as reason,                    -- reason of a rest
    t.logged_in_at,                                 -- sign-in as the vendor says, by its clock
    t.uncertainty_us,                               -- how far started_at may be from the true instant, in microseconds
    t.is_derived,                                   -- a missed change, or the resumption after a gap
    d.segment,                                      -- raw segment of the first sample
    t.window_start,                                 -- start of the stretch watched
    t.received_at,                                  -- when the first sample was received
    d.payload_sha256                                -- sha256 of the first sample
from told as t
inner join delivered as d on t.source = d.source and t.agent_id = d.agent_id and t.received_at = d.received_at
where t.started_at >= $partition_start and t.started_at < $partition_end
    and (t.ended_at is null or t.ended_at > t.started_at)
order by t.source, t.agent_id, t.started_at
