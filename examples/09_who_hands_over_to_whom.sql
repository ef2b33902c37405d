-- Who hands interactions over to whom, and how often do they come back?
-- Asked by: an operations manager who looks for missing skills.
-- How to read it: completed reached the receiver; returns went to an agent who had the interaction before. Many
-- returns of one pair are two people of whom neither feels responsible.
select
    p.source,
    coalesce(f.agent_name, p.from_agent_id) as from_agent,
    p.to_kind,
    coalesce(t.agent_name, p.to_id) as receiver,
    sum(p.transfers)::bigint as transfers,
    sum(p.completed)::bigint as completed,
    sum(p.returns)::bigint as returns,
    round(sum(p.seconds) / nullif(sum(p.completed), 0), 1) as seconds_each
from marts.agg_transfer_pairs as p
left join marts.dim_agents as f on p.source = f.source and p.from_agent_id = f.agent_id
left join marts.dim_agents as t on p.source = t.source and p.to_id = t.agent_id and p.to_kind = 'agent'
where p.date >= utc_day(now()) - 7
group by p.source, from_agent, p.to_kind, receiver
order by transfers desc, p.source, from_agent, receiver;
