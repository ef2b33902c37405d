-- The day so far beside the same weekday a week before, in whole quarters of an hour up to the same time on the clock.
-- What a source does not tell is empty, never 0; where sources are added up, it counts on neither side of occupancy.
-- title: The day so far
-- column part (text) Part: all, source, team or hour
-- column period (text) Period: today or last_week
-- column source (text) Source: name of the source in sources.yaml; empty where sources are added up
-- column team (text) Team: team as the roster has it now, or (no team); empty where teams are added up
-- column hour (count) Hour: hour of the local day; empty but for the part hour
-- column occupancy (ratio) Occupancy: (handling + wrap-up) / (handling + wrap-up + available)
-- column occupancy_low (ratio) Occupancy, at least: what the evidence allows at least
-- column occupancy_high (ratio) Occupancy, at most: what the evidence allows at most
-- column coverage (ratio) Coverage: share of the time that was observed
-- column transfers (count) Transfers: transfers initiated; empty where no source tells of any
with reached as (
    select source, timezone($zone, time_bucket(interval 15 minutes, max(observed_until))) as until
    from ops.feed_clock
    where state_bearing and list_contains($sources::varchar[], source)
    group by source
),

quarters as (
    select f.*, coalesce(a.team, '(no team)') as team, timezone($zone, f.interval_start) as clock, r.until,
        f.handling_seconds is not null and f.available_seconds is not null as is_told
    from marts.fct_agent_intervals as f
    inner join reached as r on f.source = r.source
    left join marts.dim_agents as a on f.source = a.source and f.agent_id = a.agent_id
    where f.date between $day::date - 8 and $day::date - 6 or f.date between $day::date - 1 and $day::date + 1
),

compared as (
    select *, case when clock::date = $day::date then 'today' else 'last_week' end as period, hour(clock) as hour
    from quarters
    where clock::date = $day::date and clock < until
        or clock::date = $day::date - 7 and clock + interval 7 days < until
),

summed as (
    select
        case
            when grouping(hour) = 0 then 'hour' when grouping(team) = 0 then 'team' when grouping(source) = 0 then 'source'
            else 'all'
        end as part,
        period, source, team, hour::bigint as hour,
        bool_or(is_told) as is_told,
        whole_sum(case when is_told then handling_seconds else 0 end) as handling,
        whole_sum(case when is_told then coalesce(wrap_up_seconds, 0) else 0 end) as wrap_up,
        whole_sum(case when is_told then available_seconds else 0 end) as available,
        whole_sum(case when is_told then unobserved_seconds else 0 end) as told_unobserved,
        whole_sum(case when is_told then uncertainty_seconds else 0 end) as uncertainty,
        whole_sum(observed_seconds) as observed,
        whole_sum(unobserved_seconds) as unobserved,
        sum(transfers_out)::bigint as transfers
    from compared
    group by grouping sets ((period), (period, source), (period, source, team), (period, hour))
)

select part, period, source, team, hour,
    case when is_told then occupancy(handling, wrap_up, available) end as occupancy,
    case when is_told then occupancy_low(handling, wrap_up, available, told_unobserved, uncertainty) end as occupancy_low,
    case when is_told then occupancy_high(handling, wrap_up, available, told_unobserved, uncertainty) end as occupancy_high,
    coverage(observed, unobserved) as coverage,
    transfers
from summed
order by part, period, source, team, hour
