-- How full are multi-channel agents, and would another chat per head be too much?
-- Asked by: a planner who sets the number of interactions that one agent may have at once.
-- How to read it: load_ratio is the share of their places that was taken while signed in; average_concurrency is how
-- many interactions there were at once while there were any. Only sources that tell capacity are here.
select
    d.date,
    d.source,
    load_ratio(sum(d.load_seconds), sum(d.capacity_seconds)) as load_ratio,
    average_concurrency(sum(d.work_item_seconds), sum(d.handling_seconds)) as average_concurrency,
    round(sum(d.capacity_seconds) / nullif(sum(d.staffed_seconds), 0), 2) as places_per_agent
from marts.agg_agent_days as d
where d.date between utc_day(now()) - 7 and utc_day(now()) - 1 and d.capacity_seconds is not null
group by d.date, d.source
order by d.date, d.source;
