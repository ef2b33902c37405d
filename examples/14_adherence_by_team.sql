-- How well do teams keep to their schedules?
-- Asked by: a workforce manager.
-- How to read it: adherence is doing the planned thing at the planned time; conformance is working as long as
-- planned, whenever. A team at 100 % conformance and low adherence works the right amount at the wrong time. Needs
-- `schedule:`.
select
    coalesce(a.team, p.team) as team,
    adherence(sum(i.adherent_seconds), sum(i.out_of_adherence_seconds)) as adherence,
    conformance(sum(i.worked_seconds), sum(i.scheduled_work_seconds)) as conformance,
    round(sum(i.scheduled_seconds) / 3600, 1) as scheduled_hours,
    round(sum(i.out_of_adherence_seconds) / 3600, 1) as hours_out
from marts.fct_adherence_intervals as i
left join marts.dim_agents as a on i.source = a.source and i.agent_id = a.agent_id
left join (select person_id, any_value(team) as team from marts.dim_agents group by person_id) as p
    on i.person_id = p.person_id
where i.date between utc_day(now()) - 7 and utc_day(now()) - 1
group by coalesce(a.team, p.team)
order by adherence, team;
