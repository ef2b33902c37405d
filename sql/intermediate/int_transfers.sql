-- Transfers that were initiated on the day, each once however often it was reported.
-- grain: source, transfer_id
-- window: 0 days .. 0 days
with reported as (
    select source, agent_id, started_at, event_id, ended_at is not null as is_closed, received_at, payload_sha256,
        unnest(transfers) as t
    from staging.stg_cxengage__agent_states
    where reject_reason is null and len(transfers) > 0
),

-- The sender's rows repeat a transfer while it lasts; the copy that knows its end, then the later receipt, counts.
once as (
    select source, t.interactionId as interaction_id, t.toAgentId as to_id, t.transferStartTimestamp as started_at,
        arg_min(agent_id, (started_at, event_id)) as from_agent_id,
        arg_max(
            t.transferEndTimestamp, (received_at, is_closed, payload_sha256, t.transferEndTimestamp)
        ) filter (t.transferEndTimestamp is not null) as completed_at
    from reported
    where t.interactionId is not null
        and t.transferStartTimestamp >= $partition_start and t.transferStartTimestamp < $partition_end
    group by all
),

everything as (
    select source, interaction_id, from_agent_id, case when to_id is null then 'unknown' else 'agent' end as to_kind, to_id,
        started_at, completed_at, 'unknown' as kind  -- CxEngage does not say
    from once
    union all by name
    select * from intermediate.int_huawei_transfers
    union all by name
    select * from intermediate.int_beyondtrust_transfers
)

select
    source,                                       -- name of the source in sources.yaml
    sha256(concat_ws('|', source, interaction_id, from_agent_id, coalesce(to_id, ''), epoch_us(started_at))) as transfer_id, -- sha256 of source, interaction, sender, receiver and start in microseconds
    interaction_id,                               -- the vendor's id of the interaction
    from_agent_id,                                -- who handed over
    to_kind,                                      -- agent, queue, external or unknown
    to_id,                                        -- who or what received
    started_at,                                   -- when it was initiated
    completed_at,                                 -- when the receiver had it; NULL while in flight
    kind                                          -- blind, consult or unknown
from everything
order by source, started_at, transfer_id
