-- Time signed in but not accepting work, by reason. An unbroken stretch counts once, on the day it begins.
-- title: Not ready by reason
-- column team (text) Team: team on the day as the roster has it, or (no team)
-- column source (text) Source: name of the source in sources.yaml
-- column agent_id (text) Agent id: the vendor's id of the agent
-- column agent_name (text) Agent: name as the roster has it, else the vendor
-- column reason (text) Reason: the reason in the vendor's words; (none) where none was given
-- column seconds (seconds) Time: time in this reason
-- column occurrences (count) Times: unbroken stretches that begin on the day
with stretches as (
    select source, agent_id, started_at, ended_at, coalesce(reason, '(none)') as reason,
        lag(ended_at) over own as previous_ended_at,
        lag(coalesce(reason, '(none)')) over own as previous_reason
    from timeline_between($from_time::timestamptz - interval 1 day, $to_time)
    where state = 'not_ready'
    window own as (partition by source, agent_id order by started_at)
),

-- One that began before the day is cut at its start, and counted the day before.
cut as (
    select source, agent_id, reason, ended_at, greatest(started_at, $from_time::timestamptz) as started_at,
        started_at >= $from_time::timestamptz
        and coalesce(previous_ended_at < started_at or previous_reason <> reason, true) as begins
    from stretches
    where ended_at > $from_time::timestamptz
)

select a.team, c.source, c.agent_id, a.agent_name, c.reason,
    sum(epoch_us(c.ended_at) - epoch_us(c.started_at))::bigint / 1e6 as seconds,
    count(*) filter (c.begins)::bigint as occurrences
from cut as c
inner join report_agents as a on c.source = a.source and c.agent_id = a.agent_id
group by a.team, c.source, c.agent_id, a.agent_name, c.reason
order by a.team, c.source, a.agent_name, c.agent_id, c.reason
