-- Records that must exist and were not delivered: a named successor that is absent, or the beginning of a session.
-- What the agent did in between is unobserved; the windows concerned are fetched again while the vendor has them.
-- grain: source, agent_id, missing_from
-- window: 0 days .. 0 days
-- window int_feed_gaps: -1 days .. 0 days
-- warn nothing_missing: missing_from is null
with records as (
    select source, agent_id, session_id, next_record_id, ended_at, following_started_at, following_session_id,
        session_goes_on, following_logged_in_at
    from intermediate.int_agent_records
    where not is_watched
    union all
    select source, agent_id, session_id, next_record_id, ended_at, following_started_at, following_session_id,
        session_goes_on, following_logged_in_at
    from intermediate.int_agent_day_open
    where not is_watched
),

broken as (
    select source, agent_id, ended_at as broken_at, following_started_at as missing_until, next_record_id as missing_id,
        -- A chain that broke on the day before has its row there, up to midnight, and one here once it is taken up again.
        greatest(ended_at, $partition_start) as missing_from
    from records
    where next_record_id is not null and ended_at < $partition_end
        and (ended_at >= $partition_start or following_started_at > $partition_start)
        and coalesce(following_started_at > ended_at, true)
    union all
    select source, agent_id, following_logged_in_at, following_started_at, following_session_id, following_logged_in_at
    from records
    where not session_goes_on and following_logged_in_at < following_started_at
),

clock as (
    select source, max(observed_until) as observed_until from ops.feed_clock where state_bearing group by source
)

select
    b.source,                                     -- name of the source in sources.yaml
    b.agent_id,                                   -- the vendor's id of the agent
    b.missing_from,                               -- start of the absent record; midnight where it began on the day before
    min(b.missing_until) as missing_until,        -- start of the agent's next record on the day; NULL when there is none yet
    min(b.missing_id) as missing_id               -- id of the absent record; of the session when its beginning is absent
from broken as b
inner join clock as c on b.source = c.source
where b.missing_from < c.observed_until
    -- What was not fetched is missing for that reason, and listed in ops.feed_coverage.
    and exists (
        select 1 from intermediate.int_feed_gaps as d where d.source = b.source and d.date = b.broken_at::date
    )
    and not exists (
        select 1 from intermediate.int_feed_gaps as g
        where g.source = b.source and b.broken_at >= g.gap_start and b.broken_at < g.gap_end
    )
group by b.source, b.agent_id, b.missing_from
order by b.source, b.agent_id, b.missing_from
