-- Each state's time in the buckets of a day is its time in the timeline, to the microsecond.
with told as (
    select source, agent_id, date, state, sum(epoch_us(ended_at) - epoch_us(started_at))::bigint as us
    from marts.fct_agent_timeline
    group by all
),

summed as (
    select source, agent_id, date,
        unnest(['available', 'handling', 'wrap_up', 'not_ready', 'offline', 'unobserved']) as state,
        unnest([
            sum(available_us), sum(handling_us), sum(wrap_up_us), sum(not_ready_us), sum(offline_us), sum(unobserved_us)
        ])::bigint as us
    from intermediate.int_agent_buckets
    group by source, agent_id, date
)

select coalesce(t.source, b.source) as source, coalesce(t.agent_id, b.agent_id) as agent_id,
    coalesce(t.date, b.date) as date, coalesce(t.state, b.state) as state,
    t.us as us_of_timeline, b.us as us_of_buckets
from told as t
full join (select * from summed where us <> 0) as b
    on t.source = b.source and t.agent_id = b.agent_id and t.date = b.date and t.state = b.state
where t.us is distinct from b.us
