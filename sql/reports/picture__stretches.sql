-- Stretches of one state, for a picture of the day; neighbours in the same state are one.
-- title: Picture
-- column source (text) Source: name of the source in sources.yaml
-- column agent_id (text) Agent id: the vendor's id of the agent
-- column agent_name (text) Agent: name as the roster has it, else the vendor
-- column team (text) Team: team on the day
-- column started_at (time) From: start, not before the day's
-- column ended_at (time) To: end, not after the day's
-- column state (text) State: available, handling, wrap_up, not_ready, offline or unobserved
with marked as (
    select *, row_number() over (partition by source, agent_id order by started_at)
        - row_number() over (partition by source, agent_id, state order by started_at) as run
    from timeline_between($from_time, $to_time)
)

select m.source, m.agent_id, any_value(a.agent_name) as agent_name, any_value(a.team) as team,
    min(m.started_at) as started_at, max(m.ended_at) as ended_at, m.state
from marked as m
inner join report_agents as a on m.source = a.source and m.agent_id = a.agent_id
group by m.source, m.agent_id, m.state, m.run
order by team, m.source, agent_name, m.agent_id, started_at
