-- Each agent's day is covered from midnight to the source's observed-until time, without gap or overlap.
with placed as (
    select source, agent_id, date, started_at, ended_at,
        lag(ended_at) over (partition by source, agent_id, date order by started_at) as previous_ended_at,
        lead(started_at) over (partition by source, agent_id, date order by started_at) as next_started_at
    from marts.fct_agent_timeline
)

select p.*, o.observed_until
from placed as p
left join intermediate.int_observed_until as o on p.source = o.source and p.date = o.date
where coalesce(p.previous_ended_at, p.date::timestamptz) <> p.started_at
    or (p.next_started_at is null and p.ended_at is distinct from o.observed_until)
