-- Seconds in each state per person of the roster and UTC day; time as several agents at once is counted once.
-- grain: person_id, date
-- window: 0 days .. 0 days
-- check overlap_within_staffed: overlap_seconds between 0 and staffed_seconds
with agents as (
    select distinct r.person_id, t.source, t.agent_id
    from marts.fct_agent_timeline as t
    inner join staging.roster as r on t.source = r.source and t.agent_id = r.agent_id
    where r.person_id is not null
),

-- A sum of which a part is not known is not known; after-contact work that a source does not tell counts as none.
signals as (
    select a.person_id, bool_and(g.gives_available) as gives_available, bool_and(g.gives_handling) as gives_handling,
        bool_or(g.gives_wrap_up) as gives_wrap_up
    from agents as a
    inner join intermediate.int_source_signals as g on a.source = g.source
    group by a.person_id
),

summed as (
    select person_id, max(agents) as agents,
        coalesce(sum(us) filter (state = 'available'), 0)::bigint as available_us,
        coalesce(sum(us) filter (state = 'handling'), 0)::bigint as handling_us,
        coalesce(sum(us) filter (state = 'wrap_up'), 0)::bigint as wrap_up_us,
        coalesce(sum(us) filter (state = 'not_ready'), 0)::bigint as not_ready_us,
        coalesce(sum(us) filter (state = 'offline'), 0)::bigint as offline_us,
        coalesce(sum(us) filter (state = 'unobserved'), 0)::bigint as unobserved_us,
        coalesce(sum(us) filter (is_overlap), 0)::bigint as overlap_us
    from (select *, epoch_us(ended_at) - epoch_us(started_at) as us from marts.fct_person_timeline)
    group by person_id
)

select
    s.person_id,                                  -- the person, as the roster names them
    s.agents,                                     -- the person's agents that have rows on the day
    (available_us + handling_us + wrap_up_us + not_ready_us) / 1e6 as staffed_seconds, -- signed in as any agent, in seconds
    case when gives_available then available_us / 1e6 end as available_seconds, -- ready and handling none, in seconds; where a source does not tell handling: ready, working or not
    case when gives_handling then handling_us / 1e6 end as handling_seconds, -- handling at least one interaction as any agent, in seconds; NULL where a source does not tell
    case when gives_wrap_up then wrap_up_us / 1e6 end as wrap_up_seconds, -- after-contact work, in seconds; NULL where no source tells
    not_ready_us / 1e6 as not_ready_seconds,      -- signed in but not accepting work, in seconds
    offline_us / 1e6 as offline_seconds,          -- known to be signed out as every agent, in seconds
    unobserved_us / 1e6 as unobserved_seconds,    -- nobody was looking, in seconds
    overlap_us / 1e6 as overlap_seconds,          -- signed in as more than one agent, in seconds; once in staffed_seconds
    (available_us + handling_us + wrap_up_us + not_ready_us + offline_us) / 1e6 as observed_seconds -- staffed or offline, in seconds
from summed as s
inner join signals as g on s.person_id = g.person_id
order by s.person_id
