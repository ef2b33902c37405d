-- Every agent has a row of the roster, where there is one; who has none is in no person's figures.
-- severity: warn
select a.source, a.agent_id, a.agent_name, a.last_seen_at
from marts.dim_agents as a
where exists (select 1 from staging.roster)
    and not exists (select 1 from staging.roster as r where r.source = a.source and r.agent_id = a.agent_id)
