-- The last record of each agent that starts on the day: what later days look back to for the state they begin in.
-- grain: source, agent_id
-- window: 0 days .. 0 days
select
    source,                                       -- name of the source in sources.yaml
    agent_id,                                     -- the vendor's id of the agent
    session_id,                                   -- id of the sign-in; NULL when signed out, or signed in on an earlier day
    min(started_at) filter (session_id is null and state <> 'offline') over (
        partition by source, agent_id
    ) as unnamed_from,                            -- start of the agent's first record of a sign-in on an earlier day; NULL without one
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
from intermediate.int_agent_records
qualify following_started_at is null
order by source, agent_id
