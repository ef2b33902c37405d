-- No record lasts beyond the start of the agent's next one, on the same day or over midnight; the later one counts.
-- severity: warn
with told as (
    select source, agent_id, date, started_at, ended_at, following_started_at from intermediate.int_agent_records
    union all
    select source, agent_id, date, started_at, ended_at, following_started_at from intermediate.int_agent_day_open
)

select *, (epoch_us(ended_at) - epoch_us(following_started_at)) / 1e6 as clipped_seconds
from told
where ended_at > following_started_at
