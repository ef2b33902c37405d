-- Which breaks and wrap-ups of the last seven days took longer than they should?
-- Asked by: a team leader; half an hour of not-ready and ten minutes of wrap-up are the limits here.
-- How to read it: one row per unbroken stretch, over midnight, too; open ones still last. Uncertainty is how far its
-- start may be from the true one.
with stretches as (
    select source, agent_id, state, state_started_at, any_value(reason) as reason, max(ended_at) as ended_at,
        bool_or(is_open) as is_open, max(uncertainty_seconds) as uncertainty_seconds
    from marts.fct_agent_timeline
    where date >= utc_day(now()) - 7 and state in ('not_ready', 'wrap_up')
    group by source, agent_id, state, state_started_at
)

select
    a.team,
    a.agent_name,
    s.source,
    s.state,
    s.reason,
    s.state_started_at as started_at,
    round(epoch(s.ended_at - s.state_started_at) / 60, 1) as minutes,
    s.is_open,
    s.uncertainty_seconds
from stretches as s
inner join marts.dim_agents as a on s.source = a.source and s.agent_id = a.agent_id
where s.ended_at - s.state_started_at > if(s.state = 'wrap_up', interval 10 minutes, interval 30 minutes)
order by minutes desc, s.source, s.agent_id
limit 50;
