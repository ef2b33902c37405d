-- Microseconds each agent spent in each state, in 15-minute buckets: the integers that all sums are made of.
-- State time is split at every edge; items and capacity are integrated over time.
-- grain: source, agent_id, interval_start
-- window: 0 days .. 0 days
-- check a_bucket_at_most: available_us + handling_us + wrap_up_us + not_ready_us + offline_us + unobserved_us between 1 and 900000000
-- check uncertain_at_most_the_observed: uncertainty_us between 0 and available_us + handling_us + wrap_up_us + not_ready_us + offline_us
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
),

summed as (
    select source, agent_id, bucket,
        coalesce(sum(us) filter (state = 'available'), 0)::bigint as available_us,
        coalesce(sum(us) filter (state = 'handling'), 0)::bigint as handling_us,
        coalesce(sum(us) filter (state = 'wrap_up'), 0)::bigint as wrap_up_us,
        coalesce(sum(us) filter (state = 'not_ready'), 0)::bigint as not_ready_us,
        coalesce(sum(us) filter (state = 'offline'), 0)::bigint as offline_us,
        coalesce(sum(us) filter (state = 'unobserved'), 0)::bigint as unobserved_us,
        -- A sum of which a part is not known would be too small: it is not known either.
        case when count(*) filter (state = 'handling' and work_items is null) = 0 then
            coalesce(sum(us * work_items), 0)::bigint
        end as work_item_us,
        case when count(*) filter (state = 'handling' and load is null) = 0 then
            coalesce(sum(us * load), 0)::bigint
        end as load_us,
        case when count(*) filter (state in ('available', 'handling') and capacity is null) = 0 then
            coalesce(sum(us * capacity) filter (state in ('available', 'handling')), 0)::bigint
        end as capacity_us,
        max(work_items) as most_work_items
    from parts
    group by source, agent_id, bucket
),

-- Sources whose times are not exact: the others are not looked at again.
classes as (
    select source, agent_id, started_at, epoch_us(state_started_at) as t,
        (uncertainty_seconds * 1e6)::bigint as u,
        case state when 'wrap_up' then 'handling' when 'offline' then 'not_ready' else state end as class
    from marts.fct_agent_timeline
    where source in (select source from marts.fct_agent_timeline where uncertainty_seconds > 0)
),

-- What began on an earlier day changed then, which may reach into this one.
changes as (
    select *, lag(class, 1, 'unobserved') over own as class_before, lag(t - u) over own as earliest_before
    from classes
    window own as (partition by source, agent_id order by started_at)
),

-- A change said to be at t was truly at some instant up to u before or after it: in each bucket, the greater of the two
-- stretches is the most that it put on the wrong side.
misplaced as (
    select source, agent_id, bucket,
        sum(greatest(
            least(t, (bucket + 1) * 900000000) - greatest(t - u, bucket * 900000000),
            least(t + u, (bucket + 1) * 900000000) - greatest(t, bucket * 900000000)
        )) as us
    from (
        select *, unnest(range((t - u) // 900000000, (t + u) // 900000000 + 1)) as bucket
        from changes
        -- A change that may be older than one told before it hides what was done between the two.
        where u > 0 and (class <> class_before or coalesce(t - u < earliest_before, false))
    )
    group by source, agent_id, bucket
)

select
    s.source,                                     -- name of the source in sources.yaml
    s.agent_id,                                   -- the vendor's id of the agent
    make_timestamptz(s.bucket * 900000000) as interval_start, -- start of the quarter of an hour, UTC
    s.available_us,                               -- microseconds available
    s.handling_us,                                -- microseconds handling at least one interaction
    s.wrap_up_us,                                 -- microseconds of after-contact work
    s.not_ready_us,                               -- microseconds signed in but not accepting work
    s.offline_us,                                 -- microseconds known to be signed out
    s.unobserved_us,                              -- microseconds of which nothing is known
    s.work_item_us,                               -- interactions × microseconds; NULL where they were not counted
    s.load_us,                                    -- load in items × microseconds; NULL where it was not given
    s.capacity_us,                                -- capacity × microseconds while available or handling; NULL where it was not given
    s.most_work_items,                            -- greatest number of interactions at once
    least(
        coalesce(m.us, 0), s.available_us + s.handling_us + s.wrap_up_us + s.not_ready_us + s.offline_us
    )::bigint as uncertainty_us                   -- of the microseconds observed, so many at most were truly of another kind: working, available or neither
from summed as s
left join misplaced as m on s.source = m.source and s.agent_id = m.agent_id and s.bucket = m.bucket
order by s.source, s.agent_id, s.bucket
