-- What was planned, kept to and not, is the same in the quarters of an hour as in the stretches that they are cut from.
with stretches as (
    select source, agent_id, person_id, date,
        sum(seconds) filter (activity is not null) as scheduled,
        sum(seconds) filter (adherence = 'in' or is_tolerated) as adherent,
        sum(seconds) filter (adherence = 'out' and not is_tolerated) as out_of_adherence,
        sum(seconds) filter (state in ('available', 'handling', 'wrap_up')) as worked
    from marts.fct_adherence
    group by all
),

intervals as (
    select source, agent_id, person_id, date, sum(scheduled_seconds) as scheduled, sum(adherent_seconds) as adherent,
        sum(out_of_adherence_seconds) as out_of_adherence, sum(worked_seconds) as worked
    from marts.fct_adherence_intervals
    group by all
)

select coalesce(s.source, i.source) as source, coalesce(s.agent_id, i.agent_id) as agent_id,
    coalesce(s.person_id, i.person_id) as person_id, coalesce(s.date, i.date) as date,
    s.scheduled, i.scheduled as scheduled_in_intervals, s.adherent, i.adherent as adherent_in_intervals,
    s.out_of_adherence, i.out_of_adherence as out_in_intervals, s.worked, i.worked as worked_in_intervals
from stretches as s
full join intervals as i
    on s.source is not distinct from i.source and s.agent_id is not distinct from i.agent_id
    and s.person_id is not distinct from i.person_id and s.date = i.date
where abs(coalesce(s.scheduled, 0) - coalesce(i.scheduled, 0)) > 1e-6
    or abs(coalesce(s.worked, 0) - coalesce(i.worked, 0)) > 1e-6
    or abs(coalesce(s.out_of_adherence, 0) - coalesce(i.out_of_adherence, 0)) > 1e-6
    -- Outside a plan an agent who is signed out may be in a row of no quarter.
    or coalesce(i.adherent, 0) > coalesce(s.adherent, 0) + 1e-6
