-- What all reports are about, made once per report as temporary tables: who, and what was seen of each feed.

-- Agents with a row on the day, with the team and site of the roster's row that is valid on it.
create or replace temp table report_agents as
    with seen as (
        select distinct source, agent_id
        from marts.fct_agent_intervals
        where date between utc_day($from_time) and utc_day($to_time)
            and interval_start >= $from_time::timestamptz and interval_start < $to_time::timestamptz
    )

    select s.source, s.agent_id, coalesce(r.display_name, a.agent_name) as agent_name,
        coalesce(r.team, '(no team)') as team, r.site
    from seen as s
    left join marts.dim_agents as a on s.source = a.source and s.agent_id = a.agent_id
    left join marts.dim_agent_roster as r
        on s.source = r.source and s.agent_id = r.agent_id
        and coalesce(r.valid_from <= $day::date, true) and coalesce(r.valid_to > $day::date, true)
    where ($teams::varchar[] is null or list_contains($teams::varchar[], coalesce(r.team, '(no team)')))
        and ($agents::varchar[] is null or list_contains($agents::varchar[], s.agent_id))
        and ($sources::varchar[] is null or list_contains($sources::varchar[], s.source));

-- Quarters of an hour of these agents. A zone's clocks are whole quarters of an hour from UTC.
create or replace temp table report_quarters as
    select a.agent_name, a.team, a.site, f.*
    from marts.fct_agent_intervals as f
    inner join report_agents as a on f.source = a.source and f.agent_id = a.agent_id
    where f.date between utc_day($from_time) and utc_day($to_time)
        and f.interval_start >= $from_time::timestamptz and f.interval_start < $to_time::timestamptz;

-- Coverage of the day, cut at its ends.
create or replace temp table report_coverage as
    select source, feed, status, reason, greatest(window_start, $from_time::timestamptz) as window_start,
        least(window_end, $to_time::timestamptz) as window_end
    from ops.feed_coverage
    where date between utc_day($from_time) and utc_day($to_time)
        and window_end > $from_time::timestamptz and window_start < $to_time::timestamptz
        and ($sources::varchar[] is null or list_contains($sources::varchar[], source))
        -- What was seen elsewhere says nothing of these agents; of agents who are not found anything may.
        and (
            $agents::varchar[] is null
            or source in (select source from report_agents)
            or not exists (select 1 from report_agents)
        );

-- Transfers initiated on the day by these agents; without a choice of agents also those of agents who have no row.
create or replace temp table report_transfers as
    select t.*, coalesce(a.team, '(no team)') as team, coalesce(a.agent_name, s.agent_name) as from_agent_name,
        case when t.to_kind = 'agent' then r.agent_name end as to_agent_name
    from marts.fct_transfers as t
    left join report_agents as a on t.source = a.source and t.from_agent_id = a.agent_id
    left join marts.dim_agents as s on t.source = s.source and t.from_agent_id = s.agent_id
    left join marts.dim_agents as r on t.source = r.source and t.to_id = r.agent_id
    where t.date between utc_day($from_time) and utc_day($to_time)
        and t.started_at >= $from_time::timestamptz and t.started_at < $to_time::timestamptz
        and (
            a.agent_id is not null
            or $teams::varchar[] is null and $agents::varchar[] is null
            and ($sources::varchar[] is null or list_contains($sources::varchar[], t.source))
        );
