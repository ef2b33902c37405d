-- Records that must exist and were not delivered; what the agent did in between is unobserved.
-- title: Broken chains
-- column source (text) Source: name of the source in sources.yaml
-- column agent_id (text) Agent id: the vendor's id of the agent
-- column agent_name (text) Agent: latest name that the vendor gave
-- column missing_from (time) From: start of the absent record; midnight where it began on the day before
-- column missing_until (time) To: start of the agent's next record; empty where there is none yet
-- column missing_id (text) Absent record: id of the absent record, or of the session whose beginning is absent
select b.source, b.agent_id, a.agent_name, b.missing_from, b.missing_until, b.missing_id
from ops.broken_chains as b
left join marts.dim_agents as a on b.source = a.source and b.agent_id = a.agent_id
where b.date between utc_day($from_time) and utc_day($to_time)
    and b.missing_from >= $from_time::timestamptz and b.missing_from < $to_time::timestamptz
    and ($sources::varchar[] is null or list_contains($sources::varchar[], b.source))
order by b.source, b.missing_from, b.agent_id
