-- Records that could not be read, kept as delivered with the reason; a day holds what its windows delivered.
-- grain: segment, sequence, record
-- window: 0 days .. 0 days
-- day: delivery
-- warn nothing_rejected: reason is null
with rejected as (
    select 'agent_states' as feed, source, segment, sequence, record, reject_reason, reject_payload
    from staging.stg_cxengage__agent_states
    union all
    select 'state', source, segment, sequence, record, reject_reason, reject_payload
    from staging.stg_beyondtrust__state
    union all
    select 'archive', source, segment, sequence, record, reject_reason, reject_payload
    from staging.stg_beyondtrust__archive
    union all
    select 'command', source, segment, sequence, record, reject_reason, reject_payload
    from staging.stg_beyondtrust__command
    union all
    select 'sessions', source, segment, sequence, record, reject_reason, reject_payload
    from staging.stg_beyondtrust__sessions
)

select
    source,                                       -- name of the source in sources.yaml
    feed,                                         -- feed of that source
    segment,                                      -- raw segment that delivered the record
    sequence,                                     -- page within the segment, from 0
    record,                                       -- place within the page, from 1; 0 stands for the whole page
    reject_reason as reason,                      -- why it could not be read
    reject_payload as payload                     -- the record, or the page, as delivered
from rejected
where reject_reason is not null
order by segment, sequence, record
