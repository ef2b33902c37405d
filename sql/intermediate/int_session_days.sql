-- Each session that an agent had on the day, in one row: what sessions are put together from.
-- A session carried in is named again, so that a day's sessions are found in the day's own rows.
-- grain: source, session_id
-- window: 0 days .. 0 days
with told as (
    select source, session_id, agent_id, state, logged_in_at, started_at, ended_at, following_started_at, ends_session,
        session_goes_on, is_watched
    from intermediate.int_agent_records
    union all
    select source, session_id, agent_id, state, logged_in_at, started_at, ended_at, following_started_at, ends_session,
        session_goes_on, is_watched
    from intermediate.int_agent_day_open
),

named as (
    select * from told where session_id is not null
    union all
    select t.* replace (o.unnamed_session_id as session_id)
    from told as t
    inner join intermediate.int_agent_day_open as o on t.source = o.source and t.agent_id = o.agent_id
    where t.session_id is null and t.state <> 'offline'
),

records as (
    select source, session_id, agent_id, logged_in_at, started_at,
        -- Where signing out is a record of its own, it ends the session.
        is_watched and ended_at is null and following_started_at is not null and not session_goes_on as is_signed_out,
        case when is_signed_out then following_started_at else ended_at end as ended_at,
        ends_session or is_signed_out as ends_session
    from named
)

select
    source,                                       -- name of the source in sources.yaml
    session_id,                                   -- id of the sign-in
    arg_max(agent_id, started_at) as agent_id,    -- the vendor's id of the agent
    min(coalesce(logged_in_at, started_at)) as logged_in_at, -- when the session began
    max(started_at) as last_started_at,           -- start of its last record by the end of the day
    arg_max(coalesce(ended_at, 'infinity'::timestamptz), started_at) as last_ended_at, -- end of that record; infinity while open
    arg_max(ends_session, started_at) as is_last, -- that record names no successor, or a sign-out follows it
    arg_max(is_signed_out, started_at) as is_signed_out -- the vendor reports the sign-out
from records
where session_id is not null and started_at is not null
group by source, session_id
order by source, session_id
