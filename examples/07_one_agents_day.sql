-- What did one agent do yesterday, and how do we know?
-- Asked by: an agent who disagrees with a figure. Here the one with the most time signed in; name yours instead.
-- How to read it: every stretch of the UTC day. Evidence says how it is known: reported by the platform, carried in
-- from the day before, derived from something else, or none; then nobody looked, and the state is unobserved.
with chosen as (
    select source, agent_id
    from marts.agg_agent_days
    where date between utc_day(now()) - 2 and utc_day(now()) - 1
    order by staffed_seconds desc nulls last, source, agent_id
    limit 1
)

select t.source, a.agent_name, t.started_at, t.ended_at, t.seconds, t.state, t.vendor_state, t.reason, t.work_items,
    t.evidence, t.uncertainty_seconds
from marts.fct_agent_timeline as t
inner join chosen as c on t.source = c.source and t.agent_id = c.agent_id
left join marts.dim_agents as a on t.source = a.source and t.agent_id = a.agent_id
where t.date between utc_day(now()) - 2 and utc_day(now()) - 1
order by t.started_at;
