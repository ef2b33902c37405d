-- Calls that agents handed over on the day, as CC-CMS writes it in their operations.
-- grain: source, interaction_id, from_agent_id, to_id, started_at
-- window: 0 days .. 0 days
with handed as (
    select source, call_id as interaction_id, agent_id as from_agent_id,
        -- The vendor names a receiver for 45 alone, by work number (cec_07_0838). A call may be released to an agent,
        -- an IVR or an access code: what a number there would mean is not said.
        case op_type when 45 then 'agent' when 46 then 'external' else 'unknown' end as to_kind,
        op_object as to_id, begin_at as started_at, end_at,
        case op_type when 54 then 'blind' else 'unknown' end as kind
    from intermediate.int_huawei_operations
    where call_id is not null and op_type in (45, 46, 54, 55)
)

select
    source,                                       -- name of the source in sources.yaml
    interaction_id,                               -- the vendor's id of the call
    from_agent_id,                                -- who handed over
    coalesce(min(to_kind) filter (to_kind <> 'unknown'), 'unknown') as to_kind, -- agent, external or unknown
    to_id,                                        -- the operation's object, where there is one
    started_at,                                   -- when the operation began
    max(end_at) as completed_at,                  -- when it ended; NULL while in flight
    min(kind) as kind                             -- blind when the call was released to the receiver; else unknown
from handed
group by source, interaction_id, from_agent_id, to_id, started_at
order by source, started_at, interaction_id, from_agent_id, to_id
