-- Each agent's day is covered from midnight to the source's observed-until time, without gap or overlap.
with placed as (
    select source, agent_id, date, started_at, ended_at,
        lag(ended_at) over (partition by source, agent_id, date order by started_at) as previous_ended_at,
        lead(started_at) over (partition by source, agent_id, date order by started_at) as next_started_at,
        max(ended_at) over (partition by source, date) as day_ends_at
    from marts.fct_agent_timeline
)

select * from placed
where coalesce(previous_ended_at, date::timestamptz) <> started_at
    or (next_started_at is null and ended_at <> day_ends_at)
