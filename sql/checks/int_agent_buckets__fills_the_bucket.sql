-- The seconds of a bucket's states add up to its length, which ends at the source's observed-until time.
with ends as (
    select source, date, max(ended_at) as day_ends_at from marts.fct_agent_timeline group by source, date
)

select b.source, b.agent_id, b.interval_start,
    available_us + handling_us + wrap_up_us + not_ready_us + offline_us + unobserved_us as us_of_states,
    least(900000000, epoch_us(e.day_ends_at) - epoch_us(b.interval_start)) as us_of_bucket
from intermediate.int_agent_buckets as b
inner join ends as e on b.source = e.source and b.date = e.date
where us_of_states <> us_of_bucket
