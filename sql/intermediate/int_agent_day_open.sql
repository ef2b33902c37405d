-- What each agent was last known to do when the day began, beside their first record on it.
-- Looks back 35 days and no further: after that long without a word a state is given up (docs/metrics.md, Stuck states).
-- grain: source, agent_id
-- window: 0 days .. 0 days
-- window int_agent_day_close: -35 days .. -1 days
with firsts as (
    select source, agent_id, min(started_at) as following_started_at,
        arg_min(session_id, started_at) as following_session_id,
        arg_min(logged_in_at, started_at) as following_logged_in_at,
        min(started_at) filter (session_id is null and state <> 'offline') as unnamed_from
    from intermediate.int_agent_records
    group by source, agent_id
),

closes as (
    select *,
        count(*) filter (state = 'offline') over (
            partition by source, agent_id order by date desc rows unbounded preceding
        ) as sign_outs
    from intermediate.int_agent_day_close
),

-- Days on which an agent does not sign in do not name the sign-in; the latest that does names it, as far as it lasts.
sign_ins as (
    select source, agent_id, coalesce(
        arg_max(session_id, date),
        agent_id || '|' || replace(strftime(min(unnamed_from), '%Y-%m-%dT%H:%M:%S.%fZ'), '.000000Z', 'Z')
    ) as session_id
    from closes
    where sign_outs = 0
    group by source, agent_id
),

carried as (
    select c.* replace (coalesce(c.session_id, s.session_id) as session_id)
    from closes as c
    left join sign_ins as s on c.source = s.source and c.agent_id = s.agent_id
    qualify row_number() over (partition by c.source, c.agent_id order by c.date desc) = 1
)

select
    coalesce(c.source, f.source) as source,       -- name of the source in sources.yaml
    coalesce(c.agent_id, f.agent_id) as agent_id, -- the vendor's id of the agent
    c.session_id,                                 -- id of the sign-in; NULL when signed out or not known before
    coalesce(
        c.session_id,
        f.agent_id || '|' || replace(strftime(f.unnamed_from, '%Y-%m-%dT%H:%M:%S.%fZ'), '.000000Z', 'Z')
    ) as unnamed_session_id,                      -- sign-in of the day's records that name none: the one carried in, else the first of them
    c.ends_session,                               -- the last record before the day names no successor
    c.next_record_id,                             -- id of the record that follows, as that one names it
    c.logged_in_at,                               -- when the session began
    c.started_at,                                 -- when the state began; NULL when the agent was not known before
    c.ended_at,                                   -- when it ended, as reported; NULL while open
    c.state,                                      -- one of the canonical states
    c.vendor_state,                               -- the vendor's word for the state
    c.reason_code,                                -- the vendor's id of the reason
    c.reason,                                     -- the reason in words
    c.work_items,                                 -- interactions handled at once
    c.load,                                       -- items the vendor counts towards capacity
    c.capacity,                                   -- items that the agent may handle at once
    c.direction,                                  -- inbound or outbound
    c.is_watched,                                 -- an open record lasts as long as the feed is watched
    c.uncertainty_us,                             -- how far started_at may be from the true instant, in microseconds; NULL: as the feed has it
    c.is_derived,                                 -- a boundary or the state was inferred
    c.segment,                                    -- raw segment that delivered the copy used
    c.window_start,                               -- start of the window in which it was delivered
    f.following_started_at,                       -- start of the agent's first record on the day; NULL when there is none
    c.started_at is not null and f.following_started_at is not null and f.following_session_id is not distinct from c.session_id as session_goes_on, -- that record is of the same session
    case when not session_goes_on then f.following_session_id end as following_session_id, -- session of that record where it is another
    case when not session_goes_on then f.following_logged_in_at end as following_logged_in_at -- sign-in of that session
from carried as c
full join firsts as f on c.source = f.source and c.agent_id = f.agent_id
order by 1, 2
