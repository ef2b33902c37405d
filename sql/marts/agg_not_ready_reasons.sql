-- Time signed in but not accepting work, by reason. An unbroken stretch is counted on the day it begins.
-- grain: source, agent_id, date, reason
-- window: 0 days .. 0 days
-- window fct_agent_timeline: -1 days .. 0 days
-- check reason_named: reason is not null
with stretches as (
    select source, agent_id, started_at, ended_at, coalesce(reason, '(none)') as reason,
        lag(ended_at) over own as previous_ended_at,
        lag(coalesce(reason, '(none)')) over own as previous_reason
    from marts.fct_agent_timeline
    where state = 'not_ready' and ended_at >= $partition_start
    window own as (partition by source, agent_id order by started_at)
)

select
    source,                                       -- name of the source in sources.yaml
    agent_id,                                     -- the vendor's id of the agent
    reason,                                       -- the reason in words; '(none)' where none was given
    sum(epoch_us(ended_at) - epoch_us(started_at))::bigint / 1e6 as seconds, -- time in this reason, in seconds
    count(*) filter (
        coalesce(previous_ended_at < started_at or previous_reason <> reason, true)
    )::bigint as occurrences                      -- unbroken stretches that begin on the day
from stretches
where started_at >= $partition_start
group by source, agent_id, reason
order by source, agent_id, reason
