-- What were the longest stretches in which somebody did something else than planned?
-- Asked by: a real-time analyst after the fact.
-- How to read it: activity is what was planned, state what was done. Short deviations that the configuration
-- tolerates, and what nobody observed, are not here.
select
    f.source,
    coalesce(a.agent_name, f.person_id) as who,
    f.activity,
    f.state,
    f.reason,
    f.started_at,
    f.ended_at,
    round(f.seconds / 60, 1) as minutes
from marts.fct_adherence as f
left join marts.dim_agents as a on f.source = a.source and f.agent_id = a.agent_id
where f.date >= utc_day(now()) - 7 and f.adherence = 'out' and not f.is_tolerated
order by f.seconds desc, f.started_at, who
limit 25;
