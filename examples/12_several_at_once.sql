-- How much of their working time do agents spend with two or more interactions at once?
-- Asked by: a planner of chat, where staffing depends on it.
-- How to read it: of the last 24 hours. NULL where the platform counts no interactions, or not all that were handled.
select
    two.source,
    two.agent_name,
    round(one.seconds / 3600, 2) as hours_with_any,
    round(two.seconds / 3600, 2) as hours_with_two,
    round(two.seconds / nullif(one.seconds, 0), 3) as share,
    round(two.observed_seconds / 3600, 2) as observed_hours
from time_with_sessions(2, 24, now()) as two
inner join time_with_sessions(1, 24, now()) as one using (source, agent_id)
order by share desc nulls last, two.source, two.agent_id;
