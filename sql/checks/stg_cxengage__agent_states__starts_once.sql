-- A record's start is the same in all its deliveries: copies are told apart by agent and start, so one that moved is two.
-- severity: warn
select source, event_id, min(agent_id) as agent_id, min(started_at) as earliest_start, max(started_at) as latest_start
from staging.stg_cxengage__agent_states
where reject_reason is null
group by source, event_id
having min(started_at) <> max(started_at)
