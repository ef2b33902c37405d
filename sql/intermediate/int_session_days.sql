-- Each session that an agent had on the day, in one row: what sessions are put together from.
-- A session carried in is named again, so that a day's sessions are found in the day's own rows.
-- grain: source, session_id
-- window: 0 days .. 0 days
with records as (
    select source, session_id, agent_id, logged_in_at, started_at, ended_at, ends_session
    from intermediate.int_agent_records
    union all
    select source, session_id, agent_id, logged_in_at, started_at, ended_at, ends_session
    from intermediate.int_agent_day_open
)

select
    source,                                       -- name of the source in sources.yaml
    session_id,                                   -- the vendor's id of the sign-in
    arg_max(agent_id, started_at) as agent_id,    -- the vendor's id of the agent
    min(coalesce(logged_in_at, started_at)) as logged_in_at, -- when the session began
    max(started_at) as last_started_at,           -- start of its last record by the end of the day
    arg_max(coalesce(ended_at, 'infinity'::timestamptz), started_at) as last_ended_at, -- end of that record; infinity while open
    arg_max(ends_session, started_at) as is_last -- that record names no successor
from records
where session_id is not null and started_at is not null
group by source, session_id
order by source, session_id
