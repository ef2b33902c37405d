-- Every agent that any feed has named.
-- grain: source, agent_id
select
    s.source,                                     -- name of the source in sources.yaml
    any_value(f.vendor) as vendor,                -- vendor of the source
    s.agent_id,                                   -- the vendor's id of the agent
    arg_max(s.agent_name, s.last_seen_at) as agent_name, -- latest name
    null::varchar as person_id,                   -- the person behind the agent; NULL without a roster
    null::varchar as team,                        -- team; NULL without a roster
    null::varchar as site,                        -- site; NULL without a roster
    min(s.first_seen_at) as first_seen_at,        -- start of the first record
    max(s.last_seen_at) as last_seen_at           -- end of the last record, or its start while it is open
from intermediate.int_agents_seen as s
inner join (select distinct source, vendor from ops.feed_clock) as f on s.source = f.source
group by s.source, s.agent_id
order by s.source, s.agent_id
