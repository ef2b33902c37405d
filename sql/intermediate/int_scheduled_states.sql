-- What everybody who is planned did, from midnight to the observed-until time: agents by their own timeline, persons by
-- theirs. Who has no timeline on the day was signed out as long as that is known, and after that nobody knows.
-- grain: source, agent_id, person_id, started_at
-- window: 0 days .. 0 days
-- window int_feed_gaps: -35 days .. 0 days
-- warn planned_are_known: is_known
with planned as (
    select distinct source, agent_id, person_id from staging.schedule
),

clock as (
    select source, least(max(observed_until) filter (state_bearing), $partition_end) as observed_until
    from ops.feed_clock
    group by source
),

-- The agents that count for each: of a planned person all that the roster names.
members as (
    select source, agent_id, person_id, source as of_source, agent_id as of_agent_id from planned where agent_id is not null
    union all
    select null, null, p.person_id, r.source, r.agent_id
    from planned as p
    inner join staging.roster as r on p.person_id = r.person_id
),

gaps as (
    select source, gap_start, gap_end from intermediate.int_feed_gaps where gap_end > gap_start
    union all
    -- Days that nobody asked for.
    select c.source, d.day, d.day + interval 1 day
    from clock as c
    cross join (
        select unnest(generate_series($partition_start - interval 35 days, $partition_start, interval 1 day)) as day
    ) as d
    where not exists (
        select 1 from intermediate.int_feed_gaps as g where g.source = c.source and g.date = d.day::date
    )
),

-- A sign-out holds as far as the feed was watched without a gap, as it does in the timeline.
signed_out as (
    select o.source, o.agent_id, least(coalesce(g.gap_start, c.observed_until), c.observed_until) as known_until
    from (
        select source, agent_id, coalesce(ended_at, started_at) as since
        from intermediate.int_agent_day_open
        where case when ended_at is null then state = 'offline' else ends_session end
    ) as o
    inner join clock as c on o.source = c.source
    asof left join gaps as g on o.source = g.source and o.since < g.gap_end
),

absent as (
    select m.source, m.agent_id, m.person_id,
        min(coalesce(s.known_until, $partition_start)) filter (o.agent_id is not null) as known_until,
        coalesce(max(c.observed_until), (select max(observed_until) from clock)) as observed_until,
        count(o.agent_id) > 0 as is_known
    from members as m
    left join clock as c on m.of_source = c.source
    left join intermediate.int_agent_day_open as o on m.of_source = o.source and m.of_agent_id = o.agent_id
    left join signed_out as s on m.of_source = s.source and m.of_agent_id = s.agent_id
    group by m.source, m.agent_id, m.person_id
    union all
    select null, null, p.person_id, null, (select max(observed_until) from clock), false
    from planned as p
    where p.person_id is not null and not exists (select 1 from staging.roster as r where r.person_id = p.person_id)
),

states as (
    select t.source, t.agent_id, null::varchar as person_id, t.started_at, t.ended_at, t.state, t.reason
    from marts.fct_agent_timeline as t
    inner join planned as p on t.source = p.source and t.agent_id = p.agent_id
    union all
    select null, null, t.person_id, t.started_at, t.ended_at, t.state, t.reason
    from marts.fct_person_timeline as t
    inner join planned as p on t.person_id = p.person_id
),

alone as (
    select a.*, greatest(coalesce(known_until, $partition_start), $partition_start) as out_until
    from absent as a
    where not exists (
        select 1 from states as s
        where s.source is not distinct from a.source and s.agent_id is not distinct from a.agent_id
            and s.person_id is not distinct from a.person_id
    )
),

everything as (
    select *, true as is_known from states
    union all
    select source, agent_id, person_id, $partition_start, least(out_until, observed_until), 'offline', null, is_known
    from alone
    union all
    select source, agent_id, person_id, out_until, observed_until, 'unobserved', null, is_known from alone
)

select
    source,                                       -- name of the source in sources.yaml; NULL where a person is planned
    agent_id,                                     -- the vendor's id of the agent; NULL where a person is planned
    person_id,                                    -- the person; NULL where an agent is planned
    started_at,                                   -- start, not before midnight UTC
    ended_at,                                     -- end, not after midnight UTC nor after the observed-until time
    state,                                        -- available, handling, wrap_up, not_ready, offline or unobserved
    reason,                                       -- the vendor's reason
    is_known                                      -- some record of the last 35 days is the agent's, or one of the person's agents'
from everything
where ended_at > started_at
order by source, agent_id, person_id, started_at
