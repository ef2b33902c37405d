-- What agents did, in one shape for all vendors: one row per state record that starts on the day, each delivered copy
-- of a record but the best dropped, with what matters of the agent's record that follows beside it.
-- A closed copy beats an open one, then the later receipt, then the greater payload hash (docs/metrics.md, Order).
-- Ids that differ from row to row are kept only where something is read off them: two million of them take longer to
-- write than all the rest.
-- grain: source, agent_id, started_at
-- window: 0 days .. 0 days
-- check load_is_what_is_handled: coalesce(load = work_items, true)
-- warn words_are_mapped: not is_unmapped
-- Not materialized: writing two million wide rows aside takes longer than reading a few columns of them again.
with cxengage as not materialized (
    select
        source, 'cxengage' as vendor, 'agent_states' as feed,
        agent_id, agent_name, session_id, event_id as record_id, next_event_id as next_record_id,
        logged_in_at, started_at, ended_at,
        presence as vendor_state, reason_id as reason_code, reason_name as reason, direction,
        -- Entries of which none counts anything say nothing: NULL, not 0.
        case when greatest(voice, email, messaging, sms, work_item) is not null then
            coalesce(voice, 0) + coalesce(email, 0) + coalesce(messaging, 0) + coalesce(sms, 0) + coalesce(work_item, 0)
        end as work_items,
        list_sum(list_transform(capacity, lambda c: round(c.load * c.capacity)::bigint))::bigint as load,
        list_sum(list_transform(capacity, lambda c: c.capacity))::bigint as capacity,
        coalesce(work_items > 0, allocation <> 'not-allocated') as is_handling,
        next_event_id is null as ends_session, false as is_watched, null::bigint as uncertainty_us, false as is_derived,
        segment, window_start, received_at, payload_sha256
    from (
        -- The greatest count of any capacity rule, per channel: several rules repeat the same interactions.
        select *, list_max(list_transform(capacity, lambda c: c.channels.voice)) as voice,
            list_max(list_transform(capacity, lambda c: c.channels.email)) as email,
            list_max(list_transform(capacity, lambda c: c.channels.messaging)) as messaging,
            list_max(list_transform(capacity, lambda c: c.channels.sms)) as sms,
            list_max(list_transform(capacity, lambda c: c.channels.workItem)) as work_item
        from staging.stg_cxengage__agent_states
        where reject_reason is null and started_at >= $partition_start and started_at < $partition_end
    )
),

everything as not materialized (
    select * from cxengage
    union all by name
    select *, true as is_watched from intermediate.int_kore_records
    union all by name
    select *, true as is_watched from intermediate.int_huawei_records
    union all by name
    select *, true as is_watched from intermediate.int_beyondtrust_records
),

-- A record of no length says nothing about time, and its open copies say something wrong: it gives way to any other
-- record of that instant. As the last of a session it still says that the session ended.
nothing as (
    select distinct source, record_id from everything where ended_at = started_at
),

-- Each spoken word is looked up once. The most specific row of the map wins: source over reason over feed.
spoken as (
    select distinct vendor, source, feed, vendor_state, reason from everything
),

mapped as (
    select s.*, arg_max(
        m.state, (m.source is not null)::int * 4 + (m.reason is not null)::int * 2 + (m.feed is not null)::int
    ) as state
    from spoken as s
    left join staging.state_map as m
        on s.vendor = m.vendor and s.vendor_state = m.vendor_state
        and coalesce(m.source, s.source) = s.source
        and coalesce(m.feed, s.feed) = s.feed
        and (m.reason is null or m.reason = s.reason)
    group by all
),

delivered as not materialized (
    select e.* replace (
            case when e.ended_at is null then e.segment end as segment,
            -- A vendor without ids of sign-ins may still say when they were. A sign-out is part of none, whatever it names.
            case
                when m.state = 'offline' and not coalesce(e.is_handling, false) then 'offline'
                when e.session_id is not null then e.session_id
                when e.logged_in_at is not null then
                    e.agent_id || '|' || replace(strftime(e.logged_in_at, '%Y-%m-%dT%H:%M:%S.%fZ'), '.000000Z', 'Z')
            end as session_id,
            case
                when m.state is distinct from 'offline' or coalesce(e.is_handling, false) then e.logged_in_at
            end as logged_in_at
        ),
        m.state as mapped_state, n.record_id is not null as is_nothing
    from everything as e
    left join mapped as m
        on e.source = m.source and e.feed = m.feed
        and e.vendor_state is not distinct from m.vendor_state and e.reason is not distinct from m.reason
    left join nothing as n on e.source = n.source and e.record_id = n.record_id
),

ordered as (
    -- Copies of one record share agent and start, so all but the last in this order have no length: no pass over
    -- record ids is needed.
    select * exclude (record_id, is_nothing, received_at, payload_sha256),
        lead(started_at) over succession as following_started_at,
        lead(session_id) over succession as following_session_id,
        lead(logged_in_at) over succession as following_logged_in_at
    from delivered
    window succession as (
        partition by source, agent_id
        order by started_at, not is_nothing, record_id, ended_at is not null, received_at, payload_sha256, ended_at
    )
)

select
    source,                                       -- name of the source in sources.yaml
    agent_id,                                     -- the vendor's id of the agent
    agent_name,                                   -- the agent's name as the record has it
    nullif(session_id, 'offline') as session_id,  -- id of the sign-in: the vendor's, or agent and instant; NULL when signed out, or signed in on an earlier day
    logged_in_at,                                 -- when the session began
    started_at,                                   -- when the state began
    ended_at,                                     -- when it ended, as reported; NULL while open
    ends_session,                                 -- its end, if there is one, is the session's: the record names no successor
    case when coalesce(following_started_at > ended_at, true) then next_record_id end as next_record_id, -- id of the record that follows, as this one names it; NULL where a record was delivered that begins as this one ends
    following_started_at,                         -- start of the agent's next record on the day; NULL for the last
    following_started_at is not null and following_session_id is not distinct from session_id as session_goes_on, -- that record is of the same session
    case when not session_goes_on then nullif(following_session_id, 'offline') end as following_session_id, -- session of that record where it is another
    case when not session_goes_on then following_logged_in_at end as following_logged_in_at, -- sign-in of that session
    case
        when is_handling then 'handling'
        else coalesce(mapped_state, 'unobserved')
    end as state,                                 -- available, handling, wrap_up, not_ready, offline; unobserved when the word is not in the map
    mapped_state is null as is_unmapped,          -- the vendor's word is not in the map
    vendor_state,                                 -- the vendor's word for the state
    reason_code,                                  -- the vendor's id of the reason
    reason,                                       -- the reason in words
    work_items::bigint as work_items,             -- interactions handled at once
    load,                                         -- items the vendor counts towards capacity
    capacity,                                     -- items that the agent may handle at once
    direction,                                    -- inbound or outbound
    is_watched,                                   -- an open record lasts as long as the feed is watched; else as far as it was delivered as open
    uncertainty_us,                               -- how far started_at may be from the true instant, in microseconds; NULL: as the feed has it
    is_derived,                                   -- a boundary or the state was inferred
    segment,                                      -- raw segment that delivered the copy used, of an open record
    window_start                                  -- start of the window in which it was delivered
from ordered
where following_started_at is null or following_started_at > started_at
order by source, agent_id, started_at
