-- A person's states follow each other from midnight on without gap or overlap, and the day's seconds are their sum.
with placed as (
    select person_id, date, started_at, ended_at,
        lag(ended_at) over (partition by person_id, date order by started_at) as previous_ended_at
    from marts.fct_person_timeline
),

summed as (
    select person_id, date, sum(epoch_us(ended_at) - epoch_us(started_at)) / 1e6 as seconds,
        count(*) filter (coalesce(previous_ended_at, date::timestamptz) <> started_at) as breaks
    from placed
    group by all
)

select d.person_id, d.date, d.observed_seconds + d.unobserved_seconds as seconds, s.seconds as seconds_of_timeline, s.breaks
from marts.agg_person_days as d
full join summed as s on d.person_id = s.person_id and d.date = s.date
where d.person_id is null or s.person_id is null or s.breaks > 0
    or abs(d.observed_seconds + d.unobserved_seconds - s.seconds) > 1e-6
