-- When did each agent begin and end work on each day?
-- Asked by: payroll.
-- How to read it: of the sign-ins that began on a UTC day. ended_by says how an end is known: reported by the
-- platform, derived, replaced by the next sign-in; open ones have no end yet. Breaks are in signed_in_hours: it is
-- time signed in. Who was at work when capture began, or after a gap, begins here with what was seen first; agg_agent_days
-- counts no login then.
select
    s.logged_in_at::date as day,
    a.person_id,
    a.agent_name,
    s.source,
    min(s.logged_in_at) as first_sign_in,
    case when not bool_or(s.is_open) then max(s.logged_out_at) end as last_sign_out,
    count(*) as sign_ins,
    round(sum(s.seconds) / 3600, 2) as signed_in_hours,
    string_agg(distinct s.ended_by, ', ' order by s.ended_by) as ended_by
from marts.fct_agent_sessions as s
inner join marts.dim_agents as a on s.source = a.source and s.agent_id = a.agent_id
where s.logged_in_at >= utc_day(now()) - 7
group by day, a.person_id, a.agent_name, s.source, s.agent_id
order by day, a.agent_name, s.source;
