-- What each agent did, without gap or overlap, from midnight to midnight UTC or up to the source's observed-until time.
-- An agent has rows on a day that a record of theirs touches, or that they begin in a known state other than offline.
-- grain: source, agent_id, started_at
-- window: 0 days .. 0 days
-- window int_feed_gaps: -35 days .. 0 days
-- check has_length: ended_at > started_at
-- check within_the_day: started_at >= date::timestamptz and ended_at <= date::timestamptz + interval 1 day
-- check known_state: state in ('available', 'handling', 'wrap_up', 'not_ready', 'offline', 'unobserved')
-- check known_evidence: evidence in ('reported', 'derived', 'carried', 'none') and (evidence = 'none') = (state = 'unobserved')
-- check session_known: session_id is not null or state in ('offline', 'unobserved')
with clock as (
    select source, observed_until, uncertainty_seconds from intermediate.int_observed_until
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

told as not materialized (
    select
        source, agent_id, session_id, ends_session, started_at, ended_at, state, vendor_state, reason_code, reason,
        work_items, load, capacity, direction, is_watched, uncertainty_us, is_derived, segment, window_start,
        following_started_at, session_goes_on, following_logged_in_at
    from intermediate.int_agent_records
    union all
    select
        source, agent_id, session_id, ends_session, started_at, ended_at, state, vendor_state, reason_code, reason,
        work_items, load, capacity, direction, is_watched, uncertainty_us, is_derived, segment, window_start,
        following_started_at, session_goes_on, following_logged_in_at
    from intermediate.int_agent_day_open
    where started_at is not null
),

records as not materialized (
    select * from told where session_id is not null or state in ('offline', 'unobserved')
    union all
    -- Signed in on an earlier day.
    select t.* replace (o.unnamed_session_id as session_id)
    from told as t
    inner join intermediate.int_agent_day_open as o on t.source = o.source and t.agent_id = o.agent_id
    where t.session_id is null and t.state not in ('offline', 'unobserved')
),

-- A closed record that names its successor is evidence for exactly its own length.
reported as not materialized (
    select r.*, null::timestamptz as held_until, c.observed_until,
        coalesce(r.uncertainty_us / 1e6, c.uncertainty_seconds) as uncertainty_seconds,
        least(r.ended_at, r.following_started_at) as state_ended_at,
        null::timestamptz as offline_ended_at
    from records as r
    inner join clock as c on r.source = c.source
    where r.ended_at is not null and (not r.ends_session or r.session_goes_on)
        and r.started_at < c.observed_until
),

-- An open record, and the absence after a session's last one, last only as long as the feed was watched without a gap.
watched as not materialized (
    select r.*,
        case
            when g.gap_start is null then c.observed_until
            else least(greatest(g.gap_start, coalesce(r.ended_at, r.started_at)), c.observed_until)
        end as held_until,
        c.observed_until, coalesce(r.uncertainty_us / 1e6, c.uncertainty_seconds) as uncertainty_seconds,
        case
            when r.window_start >= $partition_end then $partition_end else greatest(o.open_until, r.started_at)
        end as open_until,
        coalesce(r.following_logged_in_at, r.following_started_at, c.observed_until) as next_session_at
    from records as r
    inner join clock as c on r.source = c.source
    left join intermediate.int_open_segments as o on r.source = o.source and r.segment = o.segment
    asof left join gaps as g on r.source = g.source and coalesce(r.ended_at, r.started_at) < g.gap_end
    where (r.ended_at is null or (r.ends_session and not r.session_goes_on))
        and r.started_at < c.observed_until
),

-- least() and greatest() pass over NULL: a record without a following one is bounded by what remains.
held as not materialized (
    select * exclude (open_until, next_session_at),
        case
            when ended_at is not null then least(ended_at, following_started_at)
            -- Until it is fetched again, an open record ends at the session's next one; where records only begin, always.
            when session_goes_on or is_watched then least(following_started_at, held_until)
            -- Who is signed out stays so until they sign in: nothing has to repeat it.
            when state = 'offline' then least(held_until, following_started_at, greatest(next_session_at, started_at))
            else least(open_until, held_until, following_started_at, greatest(next_session_at, started_at))
        end as state_ended_at,
        case when ended_at < observed_until then
            least(held_until, following_started_at, greatest(next_session_at, ended_at))
        end as offline_ended_at
    from watched
),

-- Three stretches up to the agent's next record: the state, being signed out, and what nobody knows.
judged as not materialized (
    select *,
        least(state_ended_at, observed_until) as state_until,
        greatest(state_ended_at, offline_ended_at) as known_until,
        least(coalesce(following_started_at, observed_until), observed_until) as all_until
    from (select * from reported union all select * from held)
    where following_started_at is not null
        or started_at >= $partition_start
        or (state_ended_at > $partition_start and state <> 'offline')
),

pieces as (
    select source, agent_id, greatest(started_at, $partition_start) as started_at, state_until as ended_at,
        state, vendor_state, reason_code, reason, session_id, started_at as state_started_at,
        work_items, load, capacity, direction,
        ended_at is null and coalesce(following_started_at >= observed_until, true) and state_until >= observed_until
            and observed_until < $partition_end as is_open,
        uncertainty_seconds,
        case
            when state = 'unobserved' then 'none'
            when is_derived then 'derived'
            when ended_at > following_started_at and following_started_at < observed_until then 'derived'
            when ended_at is null and following_started_at is not null and not is_watched then 'derived'
            when ended_at is null and state_until = held_until
                and held_until < least(observed_until, following_started_at) then 'derived'
            when started_at < $partition_start then 'carried'
            else 'reported'
        end as evidence
    from judged
    where state_until > greatest(started_at, $partition_start)
    union all
    select source, agent_id, greatest(ended_at, $partition_start), offline_ended_at,
        'offline', null, null, null, null, ended_at, null, null, null, null,
        offline_ended_at >= observed_until and coalesce(following_started_at >= observed_until, true)
            and observed_until < $partition_end,
        uncertainty_seconds, 'derived'
    from judged
    where offline_ended_at > greatest(ended_at, $partition_start)
    union all
    select source, agent_id, greatest(known_until, $partition_start), all_until,
        'unobserved', null, null, null, null, known_until, null, null, null, null, false, uncertainty_seconds, 'none'
    from judged
    where all_until > greatest(known_until, $partition_start)
    union all
    -- Nothing is known of an agent before their first record.
    select d.source, d.agent_id, $partition_start, least(d.following_started_at, c.observed_until),
        'unobserved', null, null, null, null, $partition_start, null, null, null, null, false, c.uncertainty_seconds, 'none'
    from intermediate.int_agent_day_open as d
    inner join clock as c on d.source = c.source
    where d.started_at is null and least(d.following_started_at, c.observed_until) > $partition_start
)

select
    source,                                       -- name of the source in sources.yaml
    agent_id,                                     -- the vendor's id of the agent
    started_at,                                   -- start, not before midnight UTC
    ended_at,                                     -- end, not after midnight UTC nor after the source's observed-until time
    (epoch_us(ended_at) - epoch_us(started_at)) / 1e6 as seconds, -- length in seconds
    state,                                        -- available, handling, wrap_up, not_ready, offline or unobserved
    vendor_state,                                 -- the vendor's word for the state
    reason_code,                                  -- the vendor's id of the reason
    reason,                                       -- the reason in words
    session_id,                                   -- the sign-in; NULL only when offline or unobserved
    state_started_at,                             -- true start of the record, perhaps on an earlier day
    work_items,                                   -- interactions handled at once
    load,                                         -- items the vendor counts towards capacity
    capacity,                                     -- items that the agent may handle at once
    direction,                                    -- inbound or outbound, of voice interactions
    is_open,                                      -- still going on at the observed-until time
    uncertainty_seconds,                          -- how far the reported boundaries may be from the true ones, in seconds
    evidence                                      -- reported; derived: a boundary or the state was inferred; carried: the record began on an earlier day; none
from pieces
order by source, agent_id, started_at
