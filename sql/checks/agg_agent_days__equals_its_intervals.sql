-- A day's seconds and counts are the sums of its quarter-hours'.
with summed as (
    select source, agent_id, date,
        sum(staffed_seconds) as staffed_seconds, sum(handling_seconds) as handling_seconds,
        sum(available_seconds) as available_seconds, sum(observed_seconds) as observed_seconds,
        sum(unobserved_seconds) as unobserved_seconds, sum(work_item_seconds) as work_item_seconds,
        sum(transfers_out) as transfers_out, sum(transfers_in) as transfers_in, sum(logins) as logins
    from marts.fct_agent_intervals
    group by all
)

select d.source, d.agent_id, d.date, d.observed_seconds, s.observed_seconds as observed_seconds_of_intervals
from marts.agg_agent_days as d
full join summed as s on d.source = s.source and d.agent_id = s.agent_id and d.date = s.date
where d.source is null or s.source is null
    -- Published seconds are doubles: a hundred of them may differ in the last microsecond.
    or greatest(
        abs(d.staffed_seconds - s.staffed_seconds), abs(d.handling_seconds - s.handling_seconds),
        abs(d.available_seconds - s.available_seconds), abs(d.observed_seconds - s.observed_seconds),
        abs(d.unobserved_seconds - s.unobserved_seconds), abs(d.work_item_seconds - s.work_item_seconds)
    ) > 1e-6
    or d.transfers_out <> s.transfers_out or d.transfers_in <> s.transfers_in or d.logins <> s.logins
