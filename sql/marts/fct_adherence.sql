-- What was planned beside what was done, stretch by stretch, of everybody who is planned; empty without a schedule.
-- The map of adherence says what keeps to a plan: of the rows for an activity and state the most specific, reason before
-- state. What it does not name is neutral, as is time that nobody observed unless a row names it.
-- grain: source, agent_id, person_id, started_at
-- window: 0 days .. 0 days
-- check has_length: ended_at > started_at
-- check known_adherence: adherence in ('in', 'out', 'neutral')
-- warn activities_are_mapped: not is_unmapped
with cells as (
    select s.source, s.agent_id, s.person_id, greatest(p.started_at, s.started_at) as started_at,
        least(p.ended_at, s.ended_at) as ended_at, p.activity, s.state, s.reason
    from staging.schedule as p
    inner join intermediate.int_scheduled_states as s
        on p.source is not distinct from s.source and p.agent_id is not distinct from s.agent_id
        and p.person_id is not distinct from s.person_id
        and p.started_at < s.ended_at and p.ended_at > s.started_at
),

turns as (
    select * from cells
    window planned as (partition by source, agent_id, person_id order by started_at)
    qualify lag(started_at) over planned is null or activity is distinct from lag(activity) over planned
        or state <> lag(state) over planned or reason is distinct from lag(reason) over planned
),

stretches as (
    select t.* replace (
        coalesce(
            lead(t.started_at) over (partition by t.source, t.agent_id, t.person_id order by t.started_at), e.day_ends_at
        ) as ended_at
    )
    from turns as t
    inner join (
        select source, agent_id, person_id, max(ended_at) as day_ends_at from cells group by all
    ) as e
        on t.source is not distinct from e.source and t.agent_id is not distinct from e.agent_id
        and t.person_id is not distinct from e.person_id
),

-- Each combination is looked up once.
verdicts as (
    select s.activity, s.state, s.reason,
        arg_max(
            {'adherence': m.adherence, 'threshold_us': (m.threshold_seconds * 1e6)::bigint},
            (m.reason is not null)::int * 2 + (m.state is not null)::int
        ) filter (m.adherence is not null) as verdict
    from (select distinct activity, state, reason from stretches) as s
    left join staging.adherence_map as m
        on coalesce(m.activity, '') = coalesce(lower(s.activity), '')
        and coalesce(m.state, nullif(s.state, 'unobserved')) = s.state
        and (m.reason is null or m.reason = lower(s.reason))
    group by all
),

-- Work is what a contact keeps to.
work as (
    select activity, arg_max(adherence, (state is not null)::int) = 'in' as is_work
    from staging.adherence_map
    where activity is not null and reason is null and coalesce(state, 'handling') = 'handling'
    group by activity
),

judged as (
    select s.*, epoch_us(s.ended_at) - epoch_us(s.started_at) as us,
        coalesce(w.is_work, false) as is_work, coalesce(v.verdict.adherence, 'neutral') as adherence,
        v.verdict.threshold_us as threshold_us,
        v.verdict is null and s.activity is not null and s.state <> 'unobserved' as is_unmapped
    from stretches as s
    left join verdicts as v
        on s.activity is not distinct from v.activity and s.state = v.state and s.reason is not distinct from v.reason
    left join work as w on lower(s.activity) = w.activity
),

-- A deviation lasts as long as nothing keeps to the plan, whatever else changes.
runs as (
    select *, row_number() over (partition by source, agent_id, person_id order by started_at)
        - row_number() over (partition by source, agent_id, person_id, adherence order by started_at) as run
    from judged
)

select
    source,                                       -- name of the source in sources.yaml; NULL where a person is planned
    agent_id,                                     -- the vendor's id of the agent; NULL where a person is planned
    person_id,                                    -- the person; NULL where an agent is planned
    started_at,                                   -- start, not before midnight UTC
    ended_at,                                     -- end, not after midnight UTC nor after the observed-until time
    us / 1e6 as seconds,                          -- length in seconds
    activity,                                     -- what was planned; NULL where nothing was
    is_work,                                      -- handling a contact keeps to that activity
    state,                                        -- what was done: available, handling, wrap_up, not_ready, offline or unobserved
    reason,                                       -- the vendor's reason of that state
    adherence,                                    -- in, out or neutral, as the map says
    adherence = 'out' and sum(us) over (partition by source, agent_id, person_id, adherence, run) < threshold_us as is_tolerated, -- the whole deviation is shorter than the threshold: it counts as adherent
    is_unmapped                                   -- the map has no row for the activity and state: neutral
from runs
order by source, agent_id, person_id, started_at
