-- The last record of each agent that starts on the day: what later days look back to for the state they begin in.
-- grain: source, agent_id
-- window: 0 days .. 0 days
with days as (
    select source, agent_id, max(started_at) filter (state = 'offline') as signed_out_at,
        max_by(
            {'started_at': started_at, 'session_id': session_id, 'logged_in_at': logged_in_at}, started_at
        ) filter (is_watched and session_id is not null) as named,
        min(started_at) filter (session_id is null and state not in ('offline', 'unobserved')) as first_unnamed_at
    from intermediate.int_agent_records
    group by source, agent_id
)

select
    r.source,                                     -- name of the source in sources.yaml
    r.agent_id,                                   -- the vendor's id of the agent
    session_id,                                   -- id of the sign-in; NULL when signed out, or signed in on an earlier day
    case
        when session_id is not null then session_id
        when coalesce(named.started_at > signed_out_at, true) then named.session_id
    end as sign_in_id,                            -- the sign-in that was last known on the day, unless it ended on it
    case
        when session_id is not null then logged_in_at
        when coalesce(named.started_at > signed_out_at, true) then named.logged_in_at
    end as sign_in_at,                            -- when that began
    signed_out_at is not null as signed_out,      -- the agent was signed out at some time of the day: no earlier sign-in lasts
    case
        when signed_out_at is null then first_unnamed_at
        when session_id is null and state not in ('offline', 'unobserved') then started_at
    end as unnamed_from,                          -- start of the agent's first record of a sign-in on an earlier day; NULL without one, and where that ended on the day
    ends_session,                                 -- the record names no successor
    next_record_id,                               -- id of the record that follows, as this one names it
    logged_in_at,                                 -- when the session began
    started_at,                                   -- when the state began
    ended_at,                                     -- when it ended, as reported; NULL while open
    state,                                        -- one of the canonical states
    vendor_state,                                 -- the vendor's word for the state
    reason_code,                                  -- the vendor's id of the reason
    reason,                                       -- the reason in words
    work_items,                                   -- interactions handled at once
    load,                                         -- items the vendor counts towards capacity
    capacity,                                     -- items that the agent may handle at once
    direction,                                    -- inbound or outbound
    is_watched,                                   -- an open record lasts as long as the feed is watched
    uncertainty_us,                               -- how far started_at may be from the true instant, in microseconds; NULL: as the feed has it
    is_derived,                                   -- a boundary or the state was inferred
    segment,                                      -- raw segment that delivered the copy used
    window_start                                  -- start of the window in which it was delivered
from intermediate.int_agent_records as r
inner join days as d on r.source = d.source and r.agent_id = d.agent_id
where r.following_started_at is null
order by r.source, r.agent_id
