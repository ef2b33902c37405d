-- Is this week busier than the last?
-- Asked by: the head of the centre on Monday.
-- How to read it: the last seven whole days beside the seven before, per team and source: sums over sources would
-- count people who work on two twice. A change counts for little where either week's coverage is low.
with weeks as (
    select
        a.team,
        d.source,
        d.date >= utc_day(now()) - 7 as is_latest,
        sum(d.staffed_seconds) as staffed,
        occupancy(sum(d.handling_seconds), sum(d.wrap_up_seconds), sum(d.available_seconds)) as occupancy,
        coverage(sum(d.observed_seconds), sum(d.unobserved_seconds)) as coverage
    from marts.agg_agent_days as d
    inner join marts.dim_agents as a on d.source = a.source and d.agent_id = a.agent_id
    where d.date between utc_day(now()) - 14 and utc_day(now()) - 1
    group by a.team, d.source, is_latest
)

select
    team,
    source,
    round(max(staffed) filter (is_latest) / 3600, 1) as staffed_hours,
    round(max(staffed) filter (not is_latest) / 3600, 1) as staffed_hours_before,
    max(occupancy) filter (is_latest) as occupancy,
    max(occupancy) filter (not is_latest) as occupancy_before,
    max(coverage) filter (is_latest) as coverage,
    max(coverage) filter (not is_latest) as coverage_before
from weeks
group by team, source
order by team, source;
