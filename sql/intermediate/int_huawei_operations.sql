-- Operations of agents that began on the day, each once however often CC-CMS delivered it: a copy with an end beats one
-- without, then the later receipt, then the greater payload hash.
-- grain: source, agent_id, begin_at, op_type, operation_id
-- window: 0 days .. 0 days
with delivered as (
    select *, coalesce(id, concat_ws('|', call_id, op_cause, op_object)) as operation_id
    from staging.stg_huawei__cms_history
    where reject_reason is null and record > 0
        and begin_at >= $partition_start and begin_at < $partition_end
)

select
    source,                                       -- name of the source in sources.yaml
    agent_id,                                     -- the agent's work number
    begin_at,                                     -- when the operation began
    op_type::bigint as op_type,                   -- the vendor's code of the operation
    operation_id,                                 -- the vendor's id, or what tells operations of an instant apart
    end_at,                                       -- when it ended; NULL while it goes on
    op_cause,                                     -- why; for talking 1 means that it goes on
    -- 65535 and -1 stand where an operation has no such thing.
    case when op_object not in ('65535', '-1', '') then op_object end as op_object, -- on whom or what
    case when call_id not in ('65535', '-1', '0', '') then call_id end as call_id, -- the vendor's id of the call
    segment,                                      -- raw segment that delivered the copy used
    window_start,                                 -- start of the window in which it was delivered
    window_end,                                   -- end of that window
    received_at,                                  -- when it was received
    payload_sha256                                -- sha256 of the reply
from delivered
qualify row_number() over (
    partition by source, agent_id, begin_at, op_type, operation_id
    order by end_at is null, received_at desc, payload_sha256 desc, segment, record
) = 1
order by source, agent_id, begin_at, op_type, operation_id
