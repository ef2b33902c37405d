-- Each session that an agent had on the day, in one row: what sessions are put together from.
-- A session carried in is named again, so that a day's sessions are found in the day's own rows.
-- grain: source, session_id
-- window: 0 days .. 0 days
-- window int_feed_gaps: -35 days .. 0 days
with told as (
    select source, session_id, agent_id, state, logged_in_at, logged_in_at as signed_in_at, started_at, ended_at,
        following_started_at, ends_session, is_watched, is_derived
    from intermediate.int_agent_records
    union all
    -- The day of that record tells of the sign-in.
    select source, session_id, agent_id, state, logged_in_at, null, started_at, ended_at,
        following_started_at, ends_session, is_watched, is_derived
    from intermediate.int_agent_day_open
    where started_at is not null
),

gaps as (
    select source, gap_start, gap_end from intermediate.int_feed_gaps where gap_end > gap_start
    union all
    -- Days that nobody asked for.
    select s.source, d.day, d.day + interval 1 day
    from (select distinct source from intermediate.int_agent_day_open) as s
    cross join (
        select unnest(generate_series($partition_start - interval 35 days, $partition_start, interval 1 day)) as day
    ) as d
    where not exists (
        select 1 from intermediate.int_feed_gaps as g where g.source = s.source and g.date = d.day::date
    )
),

-- Who was known to be signed out up to the first record of a sign-in that no feed tells of signed in just then. Who was
-- not, as when capture begins or after a gap, did so nobody knows when.
signed_in as (
    select o.source, o.agent_id, o.unnamed_logged_in_at as signed_in_at
    from intermediate.int_agent_day_open as o
    where o.state = 'offline' and o.following_started_at = o.unnamed_logged_in_at
        and coalesce(o.ended_at >= o.following_started_at, true)
        and (o.ended_at is not null or not exists (
            select 1 from gaps as g
            where g.source = o.source and g.gap_end > o.started_at and g.gap_start < o.following_started_at
        ))
),

named as (
    select * from told where session_id is not null
    union all
    select t.* replace (
        o.unnamed_session_id as session_id, o.unnamed_logged_in_at as logged_in_at, s.signed_in_at as signed_in_at
    )
    from told as t
    inner join intermediate.int_agent_day_open as o on t.source = o.source and t.agent_id = o.agent_id
    left join signed_in as s on o.source = s.source and o.agent_id = s.agent_id
    where t.session_id is null and t.state not in ('offline', 'unobserved')
),

-- Where signing out is a record of its own, it ends the session that lasts until it. One that begins as nobody knows
-- what the agent does leaves open when the session before ended.
breaks as (
    select source, agent_id, started_at, state = 'offline' as is_sign_out, is_derived
    from told
    where session_id is null and (state = 'offline' or (is_watched and state = 'unobserved'))
),

records as (
    select n.source, n.session_id, n.agent_id, n.logged_in_at, n.signed_in_at, n.started_at,
        least(n.ended_at, b.started_at) as ended_at,
        coalesce(b.is_sign_out and (n.ended_at is null or n.ended_at >= b.started_at), false) as is_signed_out,
        n.ends_session or is_signed_out as ends_session,
        is_signed_out and not b.is_derived as is_reported
    from named as n
    left join breaks as b
        on n.source = b.source and n.agent_id = b.agent_id and n.following_started_at = b.started_at
)

select
    source,                                       -- name of the source in sources.yaml
    session_id,                                   -- id of the sign-in
    arg_max(agent_id, started_at) as agent_id,    -- the vendor's id of the agent
    min(coalesce(logged_in_at, started_at)) as logged_in_at, -- when the session began, as far as it was seen
    min(signed_in_at) as signed_in_at,            -- the sign-in, on the day that tells of it; NULL where nobody saw it
    max(started_at) as last_started_at,           -- start of its last record by the end of the day
    arg_max(coalesce(ended_at, 'infinity'::timestamptz), started_at) as last_ended_at, -- end of that record; infinity while open
    arg_max(ends_session, started_at) as is_last, -- that record names no successor, or a sign-out follows it
    arg_max(is_reported, started_at) as is_signed_out -- the vendor reports that sign-out
from records
group by source, session_id
order by source, session_id
