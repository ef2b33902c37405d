-- How busy was each agent during the last seven days?
-- Asked by: a team leader before a one-to-one.
-- How to read it: occupancy is the share of the time available for work that was spent working; 1 is all of it. The
-- true figure lies between lowest and highest, which drift apart where part of the time was not observed. Agents
-- whose platform does not tell waiting from working have none.
select
    a.team,
    a.agent_name,
    d.source,
    round(sum(d.staffed_seconds) / 3600, 1) as staffed_hours,
    occupancy(sum(d.handling_seconds), sum(d.wrap_up_seconds), sum(d.available_seconds)) as occupancy,
    occupancy_low(
        sum(d.handling_seconds), sum(d.wrap_up_seconds), sum(d.available_seconds), sum(d.unobserved_seconds),
        sum(d.uncertainty_seconds)
    ) as lowest,
    occupancy_high(
        sum(d.handling_seconds), sum(d.wrap_up_seconds), sum(d.available_seconds), sum(d.unobserved_seconds),
        sum(d.uncertainty_seconds)
    ) as highest,
    coverage(sum(d.observed_seconds), sum(d.unobserved_seconds)) as coverage
from marts.agg_agent_days as d
inner join marts.dim_agents as a on d.source = a.source and d.agent_id = a.agent_id
where d.date between utc_day(now()) - 7 and utc_day(now()) - 1
group by a.team, a.agent_name, d.source, d.agent_id
order by a.team, a.agent_name, d.source;
