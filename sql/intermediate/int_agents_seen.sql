-- Each agent that was known on the day, in one row: what the list of agents is put together from.
-- An agent carried in is named again, without a name, so that a day's agents are found in the day's own rows.
-- grain: source, agent_id
-- window: 0 days .. 0 days
with records as (
    select source, agent_id, agent_name, started_at, ended_at from intermediate.int_agent_records
    union all
    select source, agent_id, null, started_at, ended_at from intermediate.int_agent_day_open
)

select
    source,                                       -- name of the source in sources.yaml
    agent_id,                                     -- the vendor's id of the agent
    arg_max(agent_name, started_at) as agent_name, -- the name in the latest record that has one
    min(started_at) as first_seen_at,             -- start of the first record
    max(greatest(started_at, coalesce(ended_at, started_at))) as last_seen_at -- end of the last record, or its start while it is open
from records
where started_at is not null
group by source, agent_id
order by source, agent_id
