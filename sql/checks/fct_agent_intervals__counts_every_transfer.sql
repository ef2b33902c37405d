-- Each transfer of the day is counted for its sender; one by somebody who has no timeline then is in fct_transfers alone.
-- severity: warn
with until as (
    select source, date, max(interval_start) as last_start from marts.fct_agent_intervals group by source, date
)

select t.source, t.from_agent_id as agent_id, t.started_at, t.transfer_id, i.transfers_out
from marts.fct_transfers as t
inner join until as u on t.source = u.source and t.date = u.date
left join marts.fct_agent_intervals as i
    on t.source = i.source and t.from_agent_id = i.agent_id
    and i.interval_start = time_bucket(interval 15 minutes, t.started_at)
where coalesce(i.transfers_out, 0) = 0 and t.started_at < u.last_start
