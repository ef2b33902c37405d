-- Each CxEngage record that could be read is in the records of the day it began: itself, or a better copy of its instant.
select s.source, s.agent_id, s.started_at, s.event_id, s.segment, r.started_at as started_at_of_record
from staging.stg_cxengage__agent_states as s
left join intermediate.int_agent_records as r
    on s.source = r.source and s.agent_id = r.agent_id and s.started_at = r.started_at
where s.reject_reason is null and r.agent_id is null
    -- Delivered on the day; those of the night before are records of the day before.
    and s.started_at::date = s.date
