-- What each agent was last known to do when the day began, beside their first record on it.
-- Looks back 35 days and no further: after that long without a word a state is given up (docs/metrics.md, Stuck states).
-- grain: source, agent_id
-- window: 0 days .. 0 days
-- window int_agent_day_close: -35 days .. -1 days
with edges as (
    select source, agent_id, min(started_at) as started_at,
        min(started_at) filter (session_id is null and state not in ('offline', 'unobserved')) as unnamed_from
    from intermediate.int_agent_records
    group by source, agent_id
),

firsts as (
    select e.source, e.agent_id, e.started_at, e.unnamed_from,
        r.session_id, r.logged_in_at, r.state, r.is_watched
    from edges as e
    inner join intermediate.int_agent_records as r
        on e.source = r.source and e.agent_id = r.agent_id and e.started_at = r.started_at
),

-- Days on which an agent does not sign in do not name the sign-in; the latest that does names it, unless the agent was
-- signed out since. Where none does, its first record names it.
lasting as (
    select *, coalesce(bool_or(signed_out) over (
        partition by source, agent_id order by date desc rows between unbounded preceding and 1 preceding
    ), false) as is_over
    from intermediate.int_agent_day_close
),

sign_ins as (
    select source, agent_id,
        max_by({'session_id': sign_in_id, 'logged_in_at': sign_in_at}, date) filter (sign_in_id is not null) as named,
        min(unnamed_from) as unnamed_from
    from lasting
    where not is_over
    group by source, agent_id
),

sign_in_names as (
    select source, agent_id,
        coalesce(
            named.session_id,
            agent_id || '|' || replace(strftime(unnamed_from, '%Y-%m-%dT%H:%M:%S.%fZ'), '.000000Z', 'Z')
        ) as session_id,
        case when named.session_id is null then unnamed_from else named.logged_in_at end as logged_in_at
    from sign_ins
),

opened as (
    select c.* replace (
            coalesce(c.source, f.source) as source, coalesce(c.agent_id, f.agent_id) as agent_id,
            coalesce(c.is_watched, f.is_watched) as is_watched,
            -- A state that nobody knows is part of no sign-in.
            case
                when c.session_id is null and c.state not in ('offline', 'unobserved') then s.session_id else c.session_id
            end as session_id,
            case when c.session_id is null then s.logged_in_at else c.logged_in_at end as logged_in_at
        ),
        coalesce(
            s.session_id,
            f.agent_id || '|' || replace(strftime(f.unnamed_from, '%Y-%m-%dT%H:%M:%S.%fZ'), '.000000Z', 'Z')
        ) as unnamed_session_id,
        case when s.session_id is null then f.unnamed_from else s.logged_in_at end as unnamed_logged_in_at,
        f.started_at as following_started_at,
        case
            when f.session_id is null and f.state not in ('offline', 'unobserved') then unnamed_session_id
            else f.session_id
        end as first_session_id,
        f.logged_in_at as first_logged_in_at
    from (
        select * from intermediate.int_agent_day_close
        qualify row_number() over (partition by source, agent_id order by date desc) = 1
    ) as c
    left join sign_in_names as s on c.source = s.source and c.agent_id = s.agent_id
    full join firsts as f on c.source = f.source and c.agent_id = f.agent_id
)

select
    source,                                       -- name of the source in sources.yaml
    agent_id,                                     -- the vendor's id of the agent
    session_id,                                   -- id of the sign-in; NULL when signed out or not known before
    unnamed_session_id,                           -- sign-in of the day's records that name none: the one carried in, else the first of them
    unnamed_logged_in_at,                         -- when that began, as far as it is known
    ends_session,                                 -- the last record before the day names no successor
    next_record_id,                               -- id of the record that follows, as that one names it
    logged_in_at,                                 -- when the session began
    started_at,                                   -- when the state began; NULL when the agent was not known before
    ended_at,                                     -- when it ended, as reported; NULL while open
    state,                                        -- one of the canonical states
    vendor_state,                                 -- the vendor's word for the state
    reason_code,                                  -- the vendor's id of the reason
    reason,                                       -- the reason in words
    work_items,                                   -- interactions handled at once
    load,                                         -- items the vendor counts towards capacity
    capacity,                                     -- items that the agent may handle at once
    direction,                                    -- inbound or outbound
    is_watched,                                   -- an open record lasts as long as the feed is watched; of an agent not known before, that of the first record
    uncertainty_us,                               -- how far started_at may be from the true instant, in microseconds; NULL: as the feed has it
    is_derived,                                   -- a boundary or the state was inferred
    segment,                                      -- raw segment that delivered the copy used
    window_start,                                 -- start of the window in which it was delivered
    following_started_at,                         -- start of the agent's first record on the day; NULL when there is none
    started_at is not null and following_started_at is not null and first_session_id is not distinct from session_id as session_goes_on, -- that record is of the same session
    case when not session_goes_on then first_session_id end as following_session_id, -- session of that record where it is another
    case when not session_goes_on then first_logged_in_at end as following_logged_in_at -- sign-in of that session
from opened
order by source, agent_id
