-- Seconds in and out of adherence per planned agent or person and quarter of an hour, additive; ratios are macros.
-- A row for each quarter in which something was planned or the agent was signed in, up to the observed-until time.
-- grain: source, agent_id, person_id, interval_start
-- window: 0 days .. 0 days
-- check at_most_a_bucket: round(adherent_seconds + out_of_adherence_seconds + neutral_seconds, 6) between 0 and 900 and observed_seconds <= 900
-- check work_within_the_plan: scheduled_work_seconds <= scheduled_seconds
with spans as (
    select *, epoch_us(started_at) as s, epoch_us(ended_at) as e,
        epoch_us(started_at) // 900000000 as first_bucket, (epoch_us(ended_at) - 1) // 900000000 as last_bucket
    from marts.fct_adherence
),

parts as (
    select * exclude (bucket), bucket, least(e, (bucket + 1) * 900000000) - greatest(s, bucket * 900000000) as us
    from (select *, unnest(range(first_bucket, last_bucket + 1)) as bucket from spans)
)

select
    source,                                       -- name of the source in sources.yaml; NULL where a person is planned
    agent_id,                                     -- the vendor's id of the agent; NULL where a person is planned
    person_id,                                    -- the person; NULL where an agent is planned
    make_timestamptz(bucket * 900000000) as interval_start, -- start of the quarter of an hour, UTC
    coalesce(sum(us) filter (activity is not null), 0)::bigint / 1e6 as scheduled_seconds, -- time for which anything was planned, in seconds
    coalesce(sum(us) filter (is_work and state <> 'unobserved'), 0)::bigint / 1e6 as scheduled_work_seconds, -- time planned for work, as far as it was observed, in seconds
    coalesce(sum(us) filter (state in ('available', 'handling', 'wrap_up')), 0)::bigint / 1e6 as worked_seconds, -- available, handling or after-contact work, planned or not, in seconds
    coalesce(sum(us) filter (adherence = 'in' or is_tolerated), 0)::bigint / 1e6 as adherent_seconds, -- doing what was planned, in seconds
    coalesce(sum(us) filter (adherence = 'out' and not is_tolerated), 0)::bigint / 1e6 as out_of_adherence_seconds, -- doing something else, in seconds
    coalesce(sum(us) filter (adherence = 'neutral'), 0)::bigint / 1e6 as neutral_seconds, -- neither: nothing was planned, nobody looked, or the map says so, in seconds
    coalesce(sum(us) filter (state <> 'unobserved'), 0)::bigint / 1e6 as observed_seconds -- staffed or offline, in seconds
from parts
group by source, agent_id, person_id, bucket
having count(*) filter (activity is not null or state not in ('offline', 'unobserved')) > 0
order by source, agent_id, person_id, bucket
