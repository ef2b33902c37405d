-- Each reported transfer names its interaction and when it started; without either it cannot be counted.
-- severity: warn
select source, segment, sequence, record, agent_id, started_at, event_id, t as transfer
from (
    select source, segment, sequence, record, agent_id, started_at, event_id, unnest(transfers) as t
    from staging.stg_cxengage__agent_states
    where reject_reason is null
)
where t.interactionId is null or not coalesce(isfinite(t.transferStartTimestamp), false)
