-- Each agent of the timeline has every bucket of the day up to the source's observed-until time, and the seconds of a
-- bucket's states add up to its length, which ends there.
with days as (
    select distinct t.source, t.agent_id, epoch_us(t.date::timestamptz) as starts_at, epoch_us(o.observed_until) as ends_at
    from marts.fct_agent_timeline as t
    inner join intermediate.int_observed_until as o on t.source = o.source and t.date = o.date
),

expected as (
    select source, agent_id, make_timestamptz(bucket) as interval_start, least(900000000, ends_at - bucket) as us
    from (select *, unnest(range(starts_at, ends_at, 900000000)) as bucket from days)
)

select source, agent_id, interval_start,
    available_us + handling_us + wrap_up_us + not_ready_us + offline_us + unobserved_us as us_of_states,
    e.us as us_of_bucket
from intermediate.int_agent_buckets as b
full join expected as e using (source, agent_id, interval_start)
where us_of_states is distinct from us_of_bucket
