-- No state lasts longer than stuck_after_hours of its source (24 unless set), in one record or in several that join; a
-- longer one is kept as reported, and worth a look.
-- severity: warn
with placed as (
    select source, agent_id, state, state_started_at, started_at, ended_at,
        lag(ended_at) over own is distinct from started_at or lag(state) over own <> state as is_new
    from marts.fct_agent_timeline
    window own as (partition by source, agent_id order by started_at)
),

runs as (
    select *, count(*) filter (is_new) over (partition by source, agent_id order by started_at) as run from placed
)

select r.source, r.agent_id, r.state, min(r.state_started_at) as began_at, max(r.ended_at) as ended_at,
    (epoch_us(max(r.ended_at)) - epoch_us(min(r.state_started_at))) / 3.6e9 as hours
from runs as r
left join ops.limits as l on r.source = l.source
where r.state not in ('offline', 'unobserved')
group by r.source, r.agent_id, r.state, r.run, l.stuck_after_hours
having hours > coalesce(l.stuck_after_hours, 24)
