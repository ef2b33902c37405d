-- What each of BeyondTrust's two feeds says by itself about each representative, per quarter of an hour: the live state
-- as it was recorded, and the archive. What the timeline takes is in int_beyondtrust_records; here they stand side by
-- side, so that one can be held against the other.
-- grain: source, feed, agent_id, interval_start
-- window: 0 days .. 0 days
-- window int_beyondtrust_points: -1 days .. 0 days
with said as (
    select source, feed, agent_id, changed_at,
        case
            when vendor_state = 'unknown' then 'unknown'
            when vendor_state = 'logged_out' then 'offline'
            when work_items > 0 then 'handling'
            when vendor_state = 'available' then 'available'
            else 'not_ready'
        end as state
    from intermediate.int_beyondtrust_points
),

changes as (
    select * from said
    qualify state is distinct from lag(state) over (partition by source, feed, agent_id order by changed_at)
),

stretches as (
    select source, feed, agent_id, state, greatest(epoch_us(changed_at), epoch_us($partition_start)) as s,
        epoch_us(lead(changed_at, 1, $partition_end) over (partition by source, feed, agent_id order by changed_at)) as e
    from changes
),

parts as (
    select source, feed, agent_id, state, bucket,
        least(e, (bucket + 1) * 900000000) - greatest(s, bucket * 900000000) as us
    from (select *, unnest(range(s // 900000000, (e - 1) // 900000000 + 1)) as bucket from stretches where e > s)
),

sums as (
    select source, feed, agent_id, bucket,
        sum(us) filter (state <> 'unknown') as known_us, sum(us) filter (state = 'available') as available_us,
        sum(us) filter (state = 'handling') as handling_us, sum(us) filter (state = 'not_ready') as not_ready_us
    from parts
    group by all
),

-- A change near an edge may lie in the next bucket by the other feed.
boundaries as (
    select source, feed, agent_id, bucket, count(*) as changes
    from (
        select distinct source, feed, agent_id, changed_at, unnest([
            (epoch_us(changed_at) - 20000000) // 900000000, (epoch_us(changed_at) + 20000000) // 900000000
        ]) as bucket
        from changes
    )
    group by all
),

looked as (
    select source, feed, epoch_us(window_start) as s, epoch_us(window_end) as e
    from intermediate.int_feed_windows
    where feed = 'state' and status = 'observed'
    union all
    -- For the last 20 seconds the archive is only the better of two.
    select source, 'archive', greatest(epoch_us(archived_from), epoch_us($partition_start)),
        least(epoch_us(archived_until) - 20000000, epoch_us($partition_end))
    from intermediate.int_beyondtrust_archived
),

looked_at as (
    select source, feed, bucket, sum(least(e, (bucket + 1) * 900000000) - greatest(s, bucket * 900000000)) as us
    from (select *, unnest(range(s // 900000000, (e - 1) // 900000000 + 1)) as bucket from looked where e > s)
    group by all
)

select
    s.source,                                     -- name of the source in sources.yaml
    s.feed,                                       -- state (live) or archive
    s.agent_id,                                   -- user id of the representative
    make_timestamptz(s.bucket * 900000000) as interval_start, -- start of the quarter of an hour, UTC
    least(coalesce(s.known_us, 0), l.us)::bigint as observed_us, -- microseconds in which the feed was looked at and says what the representative did
    coalesce(s.available_us, 0)::bigint as available_us, -- microseconds available and in no session
    coalesce(s.handling_us, 0)::bigint as handling_us, -- microseconds in at least one session
    coalesce(s.not_ready_us, 0)::bigint as not_ready_us, -- microseconds signed in, in no session and not available
    coalesce(b.changes, 0)::bigint as changes     -- changes in the interval or within 20 seconds of it, each of which the live feed may tell 20 seconds late
from sums as s
inner join looked_at as l on s.source = l.source and s.feed = l.feed and s.bucket = l.bucket
left join boundaries as b
    on s.source = b.source and s.feed = b.feed and s.agent_id = b.agent_id and s.bucket = b.bucket
order by s.source, s.feed, s.agent_id, interval_start
