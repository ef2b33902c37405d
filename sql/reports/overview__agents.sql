-- The state each agent is in, as far as their source was observed.
-- title: Agents now
-- column source (text) Source: name of the source in sources.yaml
-- column team (text) Team: team as the roster has it now, or (no team)
-- column agent_id (text) Agent id: the vendor's id of the agent
-- column agent_name (text) Agent: name as the roster has it, else the vendor
-- column state (text) State: available, handling, wrap_up, not_ready, offline or unobserved
-- column vendor_state (text) Vendor's state: the vendor's own word
-- column since (time) Since: since when, unbroken, in this state, under whatever words of the vendor's
-- column seconds (seconds) For: from then up to where the source was observed
select s.source, coalesce(a.team, '(no team)') as team, s.agent_id, s.agent_name, s.state, s.vendor_state, s.since,
    s.seconds
from current_state_age($as_of) as s
inner join marts.dim_agents as a on s.source = a.source and s.agent_id = a.agent_id
order by s.source, a.team, s.state, s.seconds desc, s.agent_id
