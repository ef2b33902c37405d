-- The reasons' seconds add up to the day's not-ready seconds.
with summed as (
    select source, agent_id, date, sum(seconds) as seconds from marts.agg_not_ready_reasons group by all
),

days as (
    select source, agent_id, date, sum(seconds) as seconds
    from marts.fct_agent_timeline
    where state = 'not_ready'
    group by all
)

select d.source, d.agent_id, d.date, d.seconds, s.seconds as seconds_of_reasons
from days as d
full join summed as s on d.source = s.source and d.agent_id = s.agent_id and d.date = s.date
where abs(coalesce(d.seconds, 0) - coalesce(s.seconds, 0)) > 1e-6
