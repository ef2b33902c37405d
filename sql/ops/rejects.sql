-- Records that could not be read, kept as delivered with the reason; a day holds what its windows delivered.
-- grain: segment, sequence, record
-- window: 0 days .. 0 days
-- day: delivery
-- warn nothing_rejected: reason is null
with rejected as (
    select source, 'agent_states' as feed, segment, sequence, record, reject_reason, reject_payload
    from staging.stg_cxengage__agent_states where reject_reason is not null
    union all
    select source, 'agent_intervals', segment, sequence, record, reject_reason, reject_payload
    from staging.stg_cxengage__agent_intervals where reject_reason is not null
    union all
    select source, 'agent_activity', segment, sequence, record, reject_reason, reject_payload
    from staging.stg_kore__agent_activity where reject_reason is not null
    union all
    select source, 'agent_status', segment, sequence, record, reject_reason, reject_payload
    from staging.stg_huawei__agent_status where reject_reason is not null
    union all
    select source, 'cms_status', segment, sequence, record, reject_reason, reject_payload
    from staging.stg_huawei__cms_status where reject_reason is not null
    union all
    select source, 'cms_history', segment, sequence, record, reject_reason, reject_payload
    from staging.stg_huawei__cms_history where reject_reason is not null
    union all
    select source, 'state', segment, sequence, record, reject_reason, reject_payload
    from staging.stg_beyondtrust__state where reject_reason is not null
    union all
    select source, 'archive', segment, sequence, record, reject_reason, reject_payload
    from staging.stg_beyondtrust__archive where reject_reason is not null
    union all
    select source, 'command', segment, sequence, record, reject_reason, reject_payload
    from staging.stg_beyondtrust__command where reject_reason is not null
    union all
    select source, 'sessions', segment, sequence, record, reject_reason, reject_payload
    from staging.stg_beyondtrust__sessions where reject_reason is not null
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
order by segment, sequence, record
