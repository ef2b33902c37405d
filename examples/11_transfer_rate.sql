-- Which share of what each agent handled was handed over?
-- Asked by: a quality manager.
-- How to read it: of the interactions that the agent took part in during the last seven days, the share that the
-- agent handed over at least once. Sources that do not name interactions are not here.
with handled as (
    select source, agent_id, interaction_id
    from marts.fct_participation
    where date >= utc_day(now()) - 7
    group by source, agent_id, interaction_id
),

handed_over as (
    select distinct source, from_agent_id as agent_id, interaction_id
    from marts.fct_transfers
    where date >= utc_day(now()) - 7
)

select
    a.team,
    a.agent_name,
    h.source,
    count(*) as handled,
    count(o.interaction_id) as transferred,
    transfer_rate(count(o.interaction_id), count(*)) as transfer_rate
from handled as h
left join handed_over as o using (source, agent_id, interaction_id)
inner join marts.dim_agents as a on h.source = a.source and h.agent_id = a.agent_id
group by a.team, a.agent_name, h.source, h.agent_id
order by transfer_rate desc, h.source, a.agent_name;
