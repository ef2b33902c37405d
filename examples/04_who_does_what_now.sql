-- Who is doing what, and since when?
-- Asked by: a floor supervisor.
-- How to read it: known_until is how far each source has been observed; what came after it nobody knows. Agents who
-- are signed out are left away, and so are sources without any observation during the last day.
select
    a.team,
    n.agent_name,
    n.source,
    n.state,
    n.vendor_state,
    n.since,
    round(n.seconds / 60, 1) as minutes,
    n.since + to_microseconds(round(n.seconds * 1e6)::bigint) as known_until
from current_state_age(now()) as n
inner join marts.dim_agents as a on n.source = a.source and n.agent_id = a.agent_id
where n.state <> 'offline'
order by n.state, n.seconds desc, n.source, n.agent_id;
