-- Exact sum of seconds, whatever the order; NULL where a part is NULL, since the rest would be too small a figure.
create macro whole_sum(seconds) as
    case when count(seconds) = count(*) then sum(round(seconds * 1e6)::bigint)::bigint / 1e6 end;

-- UTC day of an instant, whatever the session's time zone: with it a query reads only the files of the days it needs.
create macro utc_day(instant) as timezone('UTC', instant::timestamptz)::date;

-- UTC day on which intervals that start before to_time have ended; a local day may have 25 hours, so five minutes
-- are granted to each hour.
create macro last_day_of_intervals(grain_minutes, to_time) as
    utc_day(to_time::timestamptz + to_microseconds(grain_minutes * 65000000::bigint));

-- The sums of marts.fct_agent_intervals by 15, 30 or 60 minutes or, with 1440, calendar days, in the local time of any
-- IANA zone. Intervals that start in [from_time, to_time) are shown, each whole, so that consecutive calls show each
-- once; to_time may so lie before the end of the last one. They begin at full local hours, halves and quarters.
-- A day on which the clocks change has 23 or 25 hours; an hour that they show twice is two rows, told apart by the
-- offset in local_label. Where the clocks change amid an interval, each side of the change is one of its own.
-- interval_start: start, UTC
-- interval_end: end, UTC; figures may end earlier, at the source's observed-until time
-- local_label: local start and its offset from UTC, as in 2026-10-25T02:30+02:00
create macro agent_intervals(grain_minutes, zone, from_time, to_time) as table
    with asked as materialized (
        select
            case
                when grain_minutes in (15, 30, 60, 1440) then grain_minutes * 60000000::bigint
                else error('agent_intervals: grain_minutes is 15, 30, 60 or, for local days, 1440, not '
                    || coalesce(grain_minutes::varchar, 'NULL'))
            end as grain_us,
            case
                when timezone(zone::varchar, make_timestamptz(0)) is not null then zone::varchar
                else error('agent_intervals: zone is NULL; name an IANA zone such as Europe/Berlin')
            end as zone_name,
            case
                when isfinite(from_time::timestamptz) then epoch_us(from_time::timestamptz)
                else error('agent_intervals: from_time is an instant, not ' || coalesce(from_time::varchar, 'NULL'))
            end as asked_from_us,
            case
                when isfinite(to_time::timestamptz) then epoch_us(to_time::timestamptz)
                else error('agent_intervals: to_time is an instant, not ' || coalesce(to_time::varchar, 'NULL'))
            end as asked_to_us
    ),

    -- A local day begins up to a day before the UTC day that holds its end, and ends up to two days after it.
    reached as (
        select min(date) as first_date, max(date) as last_date
        from marts.fct_agent_intervals
        where date between utc_day(from_time) and last_day_of_intervals(grain_minutes, to_time)
    ),

    quarters as (
        select
            start_us, grain_us, asked_from_us, asked_to_us,
            case
                when (local_us - start_us) % 900000000 = 0 then local_us
                else error('agent_intervals: ' || zone_name || ' is not whole quarters of an hour from UTC')
            end as local_us
        from (
            select q.start_us, a.*,
                epoch_us(timezone(a.zone_name, make_timestamptz(q.start_us))) as local_us
            from asked as a
            left join (
                select unnest(range(
                    epoch_us((first_date - 2)::timestamp), epoch_us((last_date + 3)::timestamp), 900000000
                )) as start_us
                from reached
            ) as q on true
        ) as placed
        where start_us is not null
    ),

    edges as (
        select
            start_us, asked_from_us, asked_to_us,
            min(start_us) over same as from_us,
            max(start_us) over same + 900000000 as until_us,
            min_by(local_us, start_us) over same as from_local_us
        from quarters
        window same as (
            partition by local_us // grain_us, case when grain_us < 86400000000 then local_us - start_us end
        )
    ),

    labelled as (
        select
            make_timestamptz(start_us) as quarter_start,
            make_timestamptz(from_us) as interval_start,
            make_timestamptz(until_us) as interval_end,
            strftime(make_timestamp(from_local_us), '%Y-%m-%dT%H:%M')
            || case when from_local_us < from_us then '-' else '+' end
            || strftime(make_timestamp(abs(from_local_us - from_us)), '%H:%M') as local_label
        from edges
        where from_us >= asked_from_us and from_us < asked_to_us
    ),

    summed as (
        select
            f.source,
            f.agent_id,
            l.interval_start,
            whole_sum(f.staffed_seconds) as staffed_seconds,
            whole_sum(f.available_seconds) as available_seconds,
            whole_sum(f.handling_seconds) as handling_seconds,
            whole_sum(f.wrap_up_seconds) as wrap_up_seconds,
            whole_sum(f.not_ready_seconds) as not_ready_seconds,
            whole_sum(f.offline_seconds) as offline_seconds,
            whole_sum(f.unobserved_seconds) as unobserved_seconds,
            whole_sum(f.load_seconds) as load_seconds,
            whole_sum(f.capacity_seconds) as capacity_seconds,
            whole_sum(f.work_item_seconds) as work_item_seconds,
            sum(f.transfers_out)::bigint as transfers_out,
            sum(f.transfers_in)::bigint as transfers_in,
            sum(f.logins)::bigint as logins,
            whole_sum(f.uncertainty_seconds) as uncertainty_seconds,
            whole_sum(f.observed_seconds) as observed_seconds
        from marts.fct_agent_intervals as f
        inner join labelled as l on f.interval_start = l.quarter_start
        where f.date between utc_day(from_time) and last_day_of_intervals(grain_minutes, to_time)
        group by f.source, f.agent_id, l.interval_start
    )

    select s.source, s.agent_id, a.agent_name, s.interval_start, l.interval_end, l.local_label,
        s.* exclude (source, agent_id, interval_start)
    from summed as s
    inner join labelled as l on s.interval_start = l.quarter_start
    left join marts.dim_agents as a on s.source = a.source and s.agent_id = a.agent_id
    order by s.source, s.agent_id, s.interval_start;
