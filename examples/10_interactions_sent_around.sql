-- Which interactions were sent around, and through whose hands?
-- Asked by: a quality manager who listens to the worst of them.
-- How to read it: one row per interaction with more than one transfer; * marks an agent who had it before.
select
    t.source,
    t.interaction_id,
    count(*) as transfers,
    count(*) filter (t.is_return) as returns,
    min(t.started_at) as first_transfer,
    round(epoch(max(coalesce(t.completed_at, t.started_at)) - min(t.started_at)) / 60, 1) as minutes,
    arg_min(coalesce(f.agent_name, t.from_agent_id), t.hop) || string_agg(
        ' > ' || coalesce(r.agent_name, t.to_id, t.to_kind) || if(t.is_return, '*', ''), '' order by t.hop, t.transfer_id
    ) as path
from marts.fct_transfers as t
left join marts.dim_agents as f on t.source = f.source and t.from_agent_id = f.agent_id
left join marts.dim_agents as r on t.source = r.source and t.to_id = r.agent_id and t.to_kind = 'agent'
where t.date >= utc_day(now()) - 7
group by t.source, t.interaction_id
having count(*) > 1
order by transfers desc, returns desc, t.source, t.interaction_id
limit 50;
