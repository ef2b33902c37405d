-- Each agent's records that start on the day, in one row: what the list of agents is put together from.
-- grain: source, agent_id
-- window: 0 days .. 0 days
select
    source,                                       -- name of the source in sources.yaml
    agent_id,                                     -- the vendor's id of the agent
    arg_max(agent_name, started_at) as agent_name, -- the name in the latest record that has one
    min(started_at) as first_seen_at,             -- start of the first record
    max(greatest(started_at, coalesce(ended_at, started_at))) as last_seen_at -- end of the last record, or its start while it is open
from intermediate.int_agent_records
group by source, agent_id
order by source, agent_id
