-- What was observed and what was not add up to the day, which ends at the source's observed-until time.
with ends as (
    select source, date, epoch_us(max(ended_at)) - epoch_us(date::timestamptz) as us
    from marts.fct_agent_timeline
    group by source, date
)

select d.source, d.agent_id, d.date, d.observed_seconds, d.unobserved_seconds, e.us / 1e6 as seconds_of_the_day
from marts.agg_agent_days as d
inner join ends as e on d.source = e.source and d.date = e.date
where abs(d.observed_seconds + d.unobserved_seconds - e.us / 1e6) > 1e-6
