-- Microseconds each agent spent in each state, in 15-minute buckets: the integers that all sums are made of.
-- State time is split at every edge; items and capacity are integrated over time.
-- grain: source, agent_id, interval_start
-- window: 0 days .. 0 days
-- check a_bucket_at_most: available_us + handling_us + wrap_up_us + not_ready_us + offline_us + unobserved_us between 1 and 900000000
with spans as (
    select source, agent_id, state, work_items, load, capacity,
        epoch_us(started_at) as s, epoch_us(ended_at) as e,
        epoch_us(started_at) // 900000000 as first_bucket, (epoch_us(ended_at) - 1) // 900000000 as last_bucket
    from marts.fct_agent_timeline
),

-- Most states lie inside one bucket. Of the others, the head and the tail are cut off, and whole buckets lie between.
parts as (
    select source, agent_id, state, work_items, load, capacity, first_bucket as bucket,
        least(e, (first_bucket + 1) * 900000000) - s as us
    from spans
    union all
    select source, agent_id, state, work_items, load, capacity, last_bucket, e - last_bucket * 900000000
    from spans where last_bucket > first_bucket
    union all
    select source, agent_id, state, work_items, load, capacity, unnest(range(first_bucket + 1, last_bucket)), 900000000
    from spans where last_bucket - first_bucket > 1
)

select
    source,                                       -- name of the source in sources.yaml
    agent_id,                                     -- the vendor's id of the agent
    make_timestamptz(bucket * 900000000) as interval_start,             -- start of the quarter of an hour, UTC
    coalesce(sum(us) filter (state = 'available'), 0)::bigint as available_us,    -- microseconds available
    coalesce(sum(us) filter (state = 'handling'), 0)::bigint as handling_us,      -- microseconds handling at least one interaction
    coalesce(sum(us) filter (state = 'wrap_up'), 0)::bigint as wrap_up_us,        -- microseconds of after-contact work
    coalesce(sum(us) filter (state = 'not_ready'), 0)::bigint as not_ready_us,    -- microseconds signed in but not accepting work
    coalesce(sum(us) filter (state = 'offline'), 0)::bigint as offline_us,        -- microseconds known to be signed out
    coalesce(sum(us) filter (state = 'unobserved'), 0)::bigint as unobserved_us,  -- microseconds of which nothing is known
    -- A sum of which a part is not known would be too small: it is not known either.
    case when count(*) filter (state = 'handling' and work_items is null) = 0 then
        coalesce(sum(us * work_items), 0)::bigint
    end as work_item_us,                          -- interactions × microseconds; NULL where they were not counted
    case when count(*) filter (state = 'handling' and load is null) = 0 then
        coalesce(sum(us * load), 0)::bigint
    end as load_us,                               -- load in items × microseconds; NULL where it was not given
    case when count(*) filter (state in ('available', 'handling') and capacity is null) = 0 then
        coalesce(sum(us * capacity) filter (state in ('available', 'handling')), 0)::bigint
    end as capacity_us,                           -- capacity × microseconds while available or handling; NULL where it was not given
    max(work_items) as most_work_items            -- greatest number of interactions at once
from parts
group by source, agent_id, bucket
order by source, agent_id, bucket
