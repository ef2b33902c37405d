-- Who is signed in on two platforms at once, and are they counted twice?
-- Asked by: a controller who adds up hours.
-- How to read it: staffed is the person's own time, each second once; overlap is the part of it on more than one
-- platform. Adding up agents instead of persons would count it again. Needs `roster:`.
select
    d.date,
    d.person_id,
    n.agents,
    round(d.staffed_seconds / 3600, 2) as staffed_hours,
    round(d.overlap_seconds / 3600, 2) as overlap_hours,
    occupancy(d.handling_seconds, d.wrap_up_seconds, d.available_seconds) as occupancy
from marts.agg_person_days as d
left join (
    select person_id, string_agg(source || ' ' || agent_id, ', ' order by source, agent_id) as agents
    from marts.dim_agents
    group by person_id
) as n on d.person_id = n.person_id
where d.date >= utc_day(now()) - 7 and d.overlap_seconds > 0
order by d.overlap_seconds desc, d.date, d.person_id;
