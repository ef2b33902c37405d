-- What agents did, in one shape for all vendors: one row per state record that starts on the day, each delivered copy
-- of a record but the best dropped, with the agent's record that follows beside it.
-- A closed copy beats an open one, then the later receipt, then the greater payload hash (docs/metrics.md, Order).
-- grain: source, agent_id, started_at
-- window: 0 days .. 0 days
-- check load_is_what_is_handled: coalesce(load = work_items, true)
-- warn words_are_mapped: not is_unmapped
-- warn not_clipped: coalesce(ended_at <= following_started_at, true)
-- Not materialized: writing two million wide rows aside takes longer than reading a few columns of them again.
with cxengage as not materialized (
    select
        source, 'cxengage' as vendor, 'agent_states' as feed,
        agent_id, agent_name, session_id, event_id as record_id, next_event_id as next_record_id,
        logged_in_at, started_at, ended_at,
        presence as vendor_state, reason_id as reason_code, reason_name as reason, direction,
        -- The greatest count of any capacity rule, per channel: several rules repeat the same interactions.
        case when len(capacity) > 0 then
            coalesce(list_max(list_transform(capacity, lambda c: c.channels.voice)), 0)
            + coalesce(list_max(list_transform(capacity, lambda c: c.channels.email)), 0)
            + coalesce(list_max(list_transform(capacity, lambda c: c.channels.messaging)), 0)
            + coalesce(list_max(list_transform(capacity, lambda c: c.channels.sms)), 0)
            + coalesce(list_max(list_transform(capacity, lambda c: c.channels.workItem)), 0)
        end as work_items,
        list_sum(list_transform(capacity, lambda c: round(c.load * c.capacity)::bigint))::bigint as load,
        list_sum(list_transform(capacity, lambda c: c.capacity))::bigint as capacity,
        allocation <> 'not-allocated' as is_allocated,
        segment, window_start, received_at, payload_sha256
    from staging.stg_cxengage__agent_states
    where reject_reason is null and started_at >= $partition_start and started_at < $partition_end
),

everything as not materialized (
    select * from cxengage
),

-- A record of no length says nothing about time, and its open copies say something wrong: it gives way to any other
-- record of that instant. As the last of a session it still says that the session ended.
delivered as not materialized (
    select e.*, exists (
        select 1 from everything as z
        where z.ended_at = z.started_at and z.source = e.source and z.record_id = e.record_id
    ) as is_nothing
    from everything as e
),

-- Each spoken word is looked up once. The most specific row of the map wins: source over feed over reason.
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

ordered as (
    -- Copies of one record share agent and start, so all but the last in this order have no length: no pass over
    -- record ids is needed.
    select *,
        lead(started_at) over succession as following_started_at,
        lead(record_id) over succession as following_record_id,
        lead(session_id) over succession as following_session_id,
        lead(logged_in_at) over succession as following_logged_in_at
    from delivered
    window succession as (
        partition by source, agent_id
        order by started_at, not is_nothing, record_id, ended_at is not null, received_at, payload_sha256, ended_at
    )
)

select
    o.source,                                     -- name of the source in sources.yaml
    o.agent_id,                                   -- the vendor's id of the agent
    o.agent_name,                                 -- the agent's name as the record has it
    o.session_id,                                 -- the vendor's id of the sign-in
    o.record_id,                                  -- the vendor's id of the record
    o.next_record_id,                             -- id of the record that follows, as this one names it
    o.logged_in_at,                               -- when the session began
    o.started_at,                                 -- when the state began
    o.ended_at,                                   -- when it ended, as reported; NULL while open
    o.following_started_at,                       -- start of the agent's next record on the day; NULL for the last
    o.following_record_id,                        -- id of that record
    o.following_session_id,                       -- session of that record
    o.following_logged_in_at,                     -- sign-in of that record
    case
        when o.work_items > 0 or (o.work_items is null and o.is_allocated) then 'handling'
        else coalesce(m.state, 'unobserved')
    end as state,                                 -- available, handling, wrap_up, not_ready, offline; unobserved when the word is not in the map
    m.state is null as is_unmapped,               -- the vendor's word is not in the map
    o.vendor_state,                               -- the vendor's word for the state
    o.reason_code,                                -- the vendor's id of the reason
    o.reason,                                     -- the reason in words
    o.work_items::bigint as work_items,           -- interactions handled at once
    o.load,                                       -- items the vendor counts towards capacity
    o.capacity,                                   -- items that the agent may handle at once
    o.direction,                                  -- inbound or outbound
    o.segment,                                    -- raw segment that delivered the copy used
    o.window_start                                -- start of the window in which it was delivered
from ordered as o
inner join mapped as m
    on o.source = m.source and o.feed = m.feed
    and o.vendor_state is not distinct from m.vendor_state and o.reason is not distinct from m.reason
where o.following_started_at is null or o.following_started_at > o.started_at
order by o.source, o.agent_id, o.started_at
