-- How many agents were signed in, waiting, working and away in each half hour of yesterday?
-- Asked by: a planner who loads actual staffing into a workforce management tool.
-- How to read it: averages over the half hour, so 2.5 is two agents all the time and one half of it. Where a half
-- hour was not observed whole, the figures are too small by at most unobserved agents.
select
    source,
    local_label,
    interval_start,
    round(sum(staffed_seconds) / 1800, 2) as staffed_agents,
    round(sum(available_seconds) / 1800, 2) as available_agents,
    round((sum(handling_seconds) + coalesce(sum(wrap_up_seconds), 0)) / 1800, 2) as working_agents,
    round(sum(not_ready_seconds) / 1800, 2) as not_ready_agents,
    round(sum(unobserved_seconds) / 1800, 2) as unobserved_agents
from agent_intervals(30, 'Europe/Berlin', utc_day(now()) - 1, utc_day(now()))
group by source, local_label, interval_start
order by source, interval_start;
