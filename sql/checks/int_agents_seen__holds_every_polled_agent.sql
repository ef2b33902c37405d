-- Each agent whose state an answer of Huawei told is known on the day.
with polled as (
    select source, agent_id, received_at::date as date, min(received_at) as received_at
    from staging.stg_huawei__agent_status
    where reject_reason is null and agent_state is not null and received_at::date = date
    group by all
    union all
    select source, agent_id, received_at::date, min(received_at)
    from staging.stg_huawei__cms_status
    where reject_reason is null and received_at::date = date
    group by all
)

select distinct p.source, p.agent_id, p.date, p.received_at, a.agent_id as known_agent_id
from polled as p
left join intermediate.int_agents_seen as a on p.source = a.source and p.agent_id = a.agent_id and p.date = a.date
where a.agent_id is null
