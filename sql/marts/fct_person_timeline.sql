-- What each person of the roster did, whatever number of agents they are: the days of their agents laid over each other.
-- Where agents differ, the first of these counts: handling, wrap_up, not_ready, available, unobserved, offline. Time is
-- counted once. A person has rows on a day on which one of their agents has; agents that have none take no part in it.
-- grain: person_id, started_at
-- window: 0 days .. 0 days
-- check has_length: ended_at > started_at
-- check within_the_day: started_at >= date::timestamptz and ended_at <= date::timestamptz + interval 1 day
-- check staffed_as_the_state_says: (staffed_agents > 0) = (state not in ('offline', 'unobserved')) and staffed_agents <= agents
with told as not materialized (
    select r.person_id, t.source, t.agent_id, t.started_at, t.ended_at, t.state, t.reason
    from marts.fct_agent_timeline as t
    inner join staging.roster as r on t.source = r.source and t.agent_id = r.agent_id
    where r.person_id is not null
),

-- What lies beyond an agent's own observed-until time is not known of that agent.
reach as (
    select *, max(ended_at) over (partition by person_id) as day_ends_at, count(*) over (partition by person_id) as agents
    from (select person_id, source, agent_id, max(ended_at) as ended_at from told group by all)
),

spans as (
    select person_id, source, agent_id, started_at, state, reason from told
    union all
    select person_id, source, agent_id, ended_at, 'unobserved', null from reach where ended_at < day_ends_at
),

edges as (
    select distinct person_id, started_at as edge from spans
),

-- Each of a person's agents at each edge of any of them.
laid as (
    select e.person_id, e.edge, s.state, s.reason,
        case s.state
            when 'handling' then 1 when 'wrap_up' then 2 when 'not_ready' then 3 when 'available' then 4
            when 'unobserved' then 5 else 6
        end as rank,
        min(rank) over (partition by e.person_id, e.edge) as first_rank
    from (
        select e.person_id, r.source, r.agent_id, e.edge
        from edges as e
        inner join reach as r on e.person_id = r.person_id
    ) as e
    asof inner join spans as s
        on e.person_id = s.person_id and e.source = s.source and e.agent_id = s.agent_id and e.edge >= s.started_at
),

states as (
    select person_id, edge, min_by(state, rank) as state, min(reason) filter (rank = first_rank) as reason,
        count(*) filter (rank <= 4) as staffed_agents
    from laid
    group by person_id, edge
),

turns as (
    select * from states
    window person as (partition by person_id order by edge)
    qualify lag(edge) over person is null or state <> lag(state) over person
        or staffed_agents <> lag(staffed_agents) over person or reason is distinct from lag(reason) over person
),

ends as (
    select person_id, any_value(day_ends_at) as day_ends_at, any_value(agents)::bigint as agents
    from reach
    group by person_id
)

select
    t.person_id,                                  -- the person, as the roster names them
    t.edge as started_at,                         -- start, not before midnight UTC
    coalesce(lead(t.edge) over (partition by t.person_id order by t.edge), e.day_ends_at) as ended_at, -- end, not after midnight UTC nor after the last observed-until time of the person's sources
    (epoch_us(ended_at) - epoch_us(t.edge)) / 1e6 as seconds, -- length in seconds
    t.state,                                      -- available, handling, wrap_up, not_ready, offline or unobserved
    t.reason,                                     -- the vendor's reason of that state; of several the first in the alphabet
    e.agents,                                     -- the person's agents that have rows on the day
    t.staffed_agents::bigint as staffed_agents,   -- how many of them were signed in at once
    t.staffed_agents > 1 as is_overlap            -- signed in as more than one agent
from turns as t
inner join ends as e on t.person_id = e.person_id
order by t.person_id, t.edge
