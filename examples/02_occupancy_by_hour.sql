-- At which hours of the day is there too little, and at which too much to do?
-- Asked by: a planner who moves shifts.
-- How to read it: one row per source and local hour of the day over the last seven days; agents is how many were
-- signed in on average. A high occupancy with few agents asks for an earlier start, a low one with many for a break
-- there.
select
    source,
    left(local_label[12:], 2) || ':00' as local_hour,
    round(sum(staffed_seconds) / sum(epoch(interval_end) - epoch(interval_start)) filter (is_first), 1) as agents,
    occupancy(sum(handling_seconds), sum(wrap_up_seconds), sum(available_seconds)) as occupancy,
    coverage(sum(observed_seconds), sum(unobserved_seconds)) as coverage
from (
    select *, row_number() over (partition by source, interval_start order by agent_id) = 1 as is_first
    from agent_intervals(60, 'Europe/Berlin', now() - interval 7 days, now())
) as hours
group by source, local_hour
order by source, local_hour;
