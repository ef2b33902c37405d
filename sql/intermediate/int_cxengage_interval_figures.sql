-- What CxEngage itself sums per agent and stretch of time, as far as it can be compared: seconds under our figures' names,
-- of the last delivery of each. Times of contacts (conversation, wrap-up) are not here: whether they count where a contact
-- ended is not said, and several at once may be added up.
-- grain: source, agent_id, interval_start, interval_end, figure
-- window: 0 days .. 0 days
-- warn lies_within_a_day: interval_end <= interval_start + interval 1 day
-- warn lies_on_quarters: epoch_us(interval_start) % 900000000 = 0 and epoch_us(interval_end) % 900000000 = 0
-- warn fits_its_stretch: seconds is null or seconds between 0 and epoch(interval_end) - epoch(interval_start) + 1
-- warn is_given: seconds is not null
with latest as (
    select *
    from staging.stg_cxengage__agent_intervals
    where reject_reason is null and interval_start >= $partition_start and interval_start < $partition_end
    qualify row_number() over (
        partition by source, agent_id, interval_start, interval_end
        order by received_at desc, payload_sha256 desc, sequence desc, record desc
    ) = 1
),

figures as (
    select source, agent_id, interval_start, interval_end, segment, 'available_seconds' as figure, idle_time as units
    from latest
    union all
    select source, agent_id, interval_start, interval_end, segment, 'handling_seconds', busy_time
    from latest
)

select
    f.source,                                     -- name of the source in sources.yaml
    f.agent_id,                                   -- the vendor's id of the agent
    f.interval_start,                             -- start of the stretch
    f.interval_end,                               -- end of the stretch, as a rule a quarter of an hour later
    f.figure,                                     -- available_seconds (idleTime) or handling_seconds (busyTime)
    f.units * coalesce(t.sums_unit_seconds, 1) as seconds, -- the vendor's figure, in seconds by interval_unit of the source; NULL where it gives none
    f.segment                                     -- raw segment that delivered it
from figures as f
left join ops.tolerances as t on f.source = t.source
order by f.source, f.agent_id, f.interval_start, f.interval_end, f.figure
