-- A day's seconds and counts are the sums of its quarter-hours'; a sum with a part that is not known is not known.
with summed as (
    select source, agent_id, date,
        sum(staffed_seconds) as staffed, sum(available_seconds) as available, sum(handling_seconds) as handling,
        sum(wrap_up_seconds) as wrap_up, sum(not_ready_seconds) as not_ready, sum(offline_seconds) as offline,
        sum(observed_seconds) as observed, sum(unobserved_seconds) as unobserved,
        sum(uncertainty_seconds) as uncertainty,
        case when count(load_seconds) = count(*) then sum(load_seconds) end as load,
        case when count(capacity_seconds) = count(*) then sum(capacity_seconds) end as capacity,
        case when count(work_item_seconds) = count(*) then sum(work_item_seconds) end as work_item,
        sum(transfers_out) as transfers_out, sum(transfers_in) as transfers_in, sum(logins) as logins
    from marts.fct_agent_intervals
    group by all
),

compared as (
    select coalesce(d.source, s.source) as source, coalesce(d.agent_id, s.agent_id) as agent_id,
        coalesce(d.date, s.date) as date, d.source is null or s.source is null as is_alone,
        unnest([
            {'figure': 'staffed_seconds', 'of_day': d.staffed_seconds::double, 'of_intervals': s.staffed::double},
            {'figure': 'available_seconds', 'of_day': d.available_seconds, 'of_intervals': s.available},
            {'figure': 'handling_seconds', 'of_day': d.handling_seconds, 'of_intervals': s.handling},
            {'figure': 'wrap_up_seconds', 'of_day': d.wrap_up_seconds, 'of_intervals': s.wrap_up},
            {'figure': 'not_ready_seconds', 'of_day': d.not_ready_seconds, 'of_intervals': s.not_ready},
            {'figure': 'offline_seconds', 'of_day': d.offline_seconds, 'of_intervals': s.offline},
            {'figure': 'observed_seconds', 'of_day': d.observed_seconds, 'of_intervals': s.observed},
            {'figure': 'unobserved_seconds', 'of_day': d.unobserved_seconds, 'of_intervals': s.unobserved},
            {'figure': 'uncertainty_seconds', 'of_day': d.uncertainty_seconds, 'of_intervals': s.uncertainty},
            {'figure': 'load_seconds', 'of_day': d.load_seconds, 'of_intervals': s.load},
            {'figure': 'capacity_seconds', 'of_day': d.capacity_seconds, 'of_intervals': s.capacity},
            {'figure': 'work_item_seconds', 'of_day': d.work_item_seconds, 'of_intervals': s.work_item},
            {'figure': 'transfers_out', 'of_day': d.transfers_out, 'of_intervals': s.transfers_out},
            {'figure': 'transfers_in', 'of_day': d.transfers_in, 'of_intervals': s.transfers_in},
            {'figure': 'logins', 'of_day': d.logins, 'of_intervals': s.logins}
        ]) as f
    from marts.agg_agent_days as d
    full join summed as s on d.source = s.source and d.agent_id = s.agent_id and d.date = s.date
)

select source, agent_id, date, f.figure, f.of_day, f.of_intervals
from compared
where is_alone
    or (f.of_day is null) <> (f.of_intervals is null)
    -- Published seconds are doubles: a hundred of them may differ in the last microsecond.
    or abs(f.of_day - f.of_intervals) > 1e-6
