-- Every agent that any feed has named, with the roster's row that is valid where the source was last observed.
-- grain: source, agent_id
with clock as (
    -- A day that ends where the source was last observed is the last one that was.
    select source, any_value(vendor) as vendor,
        (max(observed_until) filter (state_bearing) - interval 1 microsecond)::date as last_day
    from ops.feed_clock
    group by source
),

agents as (
    select source, agent_id, arg_max(agent_name, last_seen_at) as agent_name, min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at
    from intermediate.int_agents_seen
    group by source, agent_id
)

select
    a.source,                                     -- name of the source in sources.yaml
    c.vendor,                                     -- vendor of the source
    a.agent_id,                                   -- the vendor's id of the agent
    coalesce(a.agent_name, r.display_name) as agent_name, -- latest name that the vendor gave, else the roster's
    r.person_id,                                  -- the person behind the agent; NULL without a row of the roster
    r.team,                                       -- team; NULL without a row of the roster, and without BeyondTrust's
    r.site,                                       -- site; NULL without a row of the roster
    a.first_seen_at,                              -- start of the first record
    a.last_seen_at                                -- end of the last record, or its start while it is open
from agents as a
inner join clock as c on a.source = c.source
left join marts.dim_agent_roster as r
    on a.source = r.source and a.agent_id = r.agent_id
    and coalesce(r.valid_from <= c.last_day, true) and coalesce(r.valid_to > c.last_day, true)
order by a.source, a.agent_id
