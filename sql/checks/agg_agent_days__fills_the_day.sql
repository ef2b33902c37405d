-- What was observed and what was not add up to the day, which ends at the source's observed-until time.
select d.source, d.agent_id, d.date, d.observed_seconds, d.unobserved_seconds,
    (epoch_us(o.observed_until) - epoch_us(d.date::timestamptz)) / 1e6 as seconds_of_the_day
from marts.agg_agent_days as d
left join intermediate.int_observed_until as o on d.source = o.source and d.date = o.date
where coalesce(abs(d.observed_seconds + d.unobserved_seconds - seconds_of_the_day) > 1e-6, true)
