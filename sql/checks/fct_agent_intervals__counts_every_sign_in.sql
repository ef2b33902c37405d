-- Each sign-in is counted in the quarter of an hour in which it was. On a day on which the agent has no rows, since their
-- first record begins on the next, it is in fct_agent_sessions alone.
-- severity: warn
with sign_ins as (
    select source, agent_id, session_id, min(signed_in_at) as logged_in_at
    from intermediate.int_session_days
    group by source, agent_id, session_id
),

asked as (
    -- What was before the first request nobody could count.
    select source, min(first_requested_at) as first_requested_at from ops.feed_clock where state_bearing group by source
)

select s.source, s.agent_id, s.session_id, s.logged_in_at, i.logins
from sign_ins as s
inner join asked as a on s.source = a.source and s.logged_in_at >= a.first_requested_at
inner join intermediate.int_observed_until as o
    on s.source = o.source and s.logged_in_at::date = o.date and s.logged_in_at < o.observed_until
left join marts.fct_agent_intervals as i
    on s.source = i.source and s.agent_id = i.agent_id
    and i.interval_start = time_bucket(interval 15 minutes, s.logged_in_at)
where coalesce(i.logins, 0) = 0
