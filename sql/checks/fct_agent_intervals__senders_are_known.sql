-- Who hands over work has a timeline then. A transfer by somebody whom no feed of states knows is in fct_transfers alone.
-- severity: warn
select t.source, t.from_agent_id as agent_id, t.started_at, t.transfer_id
from marts.fct_transfers as t
inner join intermediate.int_observed_until as o on t.source = o.source and t.date = o.date
left join marts.fct_agent_intervals as i
    on t.source = i.source and t.from_agent_id = i.agent_id
    and i.interval_start = time_bucket(interval 15 minutes, t.started_at)
where i.agent_id is null and t.started_at < o.observed_until
