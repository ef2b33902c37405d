-- How long is after-contact work, and who takes much longer than others?
-- Asked by: a process manager who shortens forms.
-- How to read it: typical is the median of the unbroken stretches of wrap-up that ended during the last seven days;
-- nine in ten are shorter than nine_in_ten_below. Stretches whose beginning or end nobody saw are left away.
with stretches as (
    select source, agent_id, state_started_at, epoch_us(max(ended_at)) - epoch_us(state_started_at) as us
    from marts.fct_agent_timeline
    where date >= utc_day(now()) - 7 and state = 'wrap_up'
    group by source, agent_id, state_started_at
    having not bool_or(is_open)
)

select
    a.team,
    a.agent_name,
    s.source,
    count(*) as wrap_ups,
    round(median(s.us) / 1e6, 1) as typical_seconds,
    round(quantile_cont(s.us, 0.9) / 1e6, 1) as nine_in_ten_below,
    round(sum(s.us)::bigint / 3.6e9, 2) as hours
from stretches as s
inner join marts.dim_agents as a on s.source = a.source and s.agent_id = a.agent_id
group by a.team, a.agent_name, s.source, s.agent_id
order by typical_seconds desc, s.source, a.agent_name;
