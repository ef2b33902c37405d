-- What do teams spend their not-ready time on?
-- Asked by: an operations manager.
-- How to read it: share is of the team's signed-in time on the source during the last seven days, so its shares add
-- up to its not-ready share. (none) is not-ready time for which the platform gave no reason.
with staffed as (
    select a.team, d.source, sum(d.staffed_seconds) as seconds
    from marts.agg_agent_days as d
    inner join marts.dim_agents as a on d.source = a.source and d.agent_id = a.agent_id
    where d.date between utc_day(now()) - 7 and utc_day(now()) - 1
    group by a.team, d.source
)

select
    a.team,
    r.source,
    r.reason,
    round(sum(r.seconds) / 3600, 1) as hours,
    sum(r.occurrences)::bigint as occurrences,
    round(sum(r.seconds) / nullif(sum(r.occurrences), 0) / 60, 1) as minutes_each,
    not_ready_share(sum(r.seconds), any_value(s.seconds)) as share
from marts.agg_not_ready_reasons as r
inner join marts.dim_agents as a on r.source = a.source and r.agent_id = a.agent_id
left join staffed as s on a.team is not distinct from s.team and r.source = s.source
where r.date between utc_day(now()) - 7 and utc_day(now()) - 1
group by a.team, r.source, r.reason
order by a.team, r.source, hours desc, r.reason;
