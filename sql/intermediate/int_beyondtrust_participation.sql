-- Who took part in which BeyondTrust support session, by the day of joining. Rows of the live feed and the archive say
-- when a representative joined; reports add who they had not seen, who owned the session, and departures they missed.
-- grain: source, interaction_id, agent_id, joined_at
-- window: -1 days .. +1 days
-- window stg_beyondtrust__sessions: 0 days .. +1 days
-- check leaves_after_joining: left_at is null or left_at >= joined_at
with epochs as (
    select source, feed, epoch_at, lead(epoch_at) over (partition by source, feed order by epoch_at) as replaced_at
    from intermediate.int_beyondtrust_epochs
),

users as (
    select source, feed, epoch_at, row_id, max(user_id) as agent_id
    from intermediate.int_beyondtrust_rows
    where table_name = 'representative' and user_id is not null
    group by source, feed, epoch_at, row_id
),

sessions as (
    select source, feed, epoch_at, row_id, max(lsid) as interaction_id
    from intermediate.int_beyondtrust_rows
    where table_name = 'support_session' and lsid is not null
    group by source, feed, epoch_at, row_id
),

-- A web chat that went on to share a screen is no longer only a chat.
channels as (
    select s.source, s.interaction_id,
        case when bool_and(c.client_type = 'web_chat') then 'chat' else 'other' end as channel
    from intermediate.int_beyondtrust_rows as c
    inner join sessions as s
        on c.source = s.source and c.feed = s.feed and c.epoch_at = s.epoch_at and c.support_session_id = s.row_id
    where c.table_name = 'customer_client' and c.client_type is not null
    group by s.source, s.interaction_id
),

stays as (
    select r.source, r.feed, r.epoch_at, s.interaction_id, u.agent_id,
        -- Without a time of its own, a row that was there when the copy began was joined nobody knows when.
        coalesce(
            max(r.created_at), min(r.changed_at) filter (r.is_arrival and r.changed_at > r.epoch_at)
        ) as joined_at,
        min(r.changed_at) filter (r.kind = 'delete') as left_at
    from intermediate.int_beyondtrust_rows as r
    inner join users as u
        on r.source = u.source and r.feed = u.feed and r.epoch_at = u.epoch_at and r.representative_id = u.row_id
    inner join sessions as s
        on r.source = s.source and r.feed = s.feed and r.epoch_at = s.epoch_at and r.support_session_id = s.row_id
    where r.table_name = 'representative_support_session'
    group by r.source, r.feed, r.epoch_at, s.interaction_id, u.agent_id, r.row_id, r.life
),

-- Seen in many copies and by both feeds, it is one stay: the vendor's time of joining is the same in all.
seen as (
    select y.source, y.interaction_id, y.agent_id, y.joined_at,
        coalesce(
            min(y.left_at) filter (y.feed = 'archive'), min(y.left_at)
        ) as told_left_at,
        -- Not in the copy that followed the last it was in: gone by then.
        arg_max(e.replaced_at, (y.epoch_at, y.feed)) filter (e.replaced_at is not null) as absent_at,
        arg_max(e.replaced_at is null, (y.epoch_at, y.feed)) as is_there
    from stays as y
    inner join epochs as e on y.source = e.source and y.feed = e.feed and y.epoch_at = e.epoch_at
    where y.joined_at is not null
    group by y.source, y.interaction_id, y.agent_id, y.joined_at
),

watched as (
    select s.*,
        case
            when told_left_at is not null then greatest(told_left_at, joined_at)
            -- Over a gap nobody knows when it ended.
            when not is_there and not exists (
                select 1 from intermediate.int_feed_gaps as g
                where g.source = s.source and g.gap_end > g.gap_start
                    and g.gap_start < s.absent_at + interval 1 second and g.gap_end > s.absent_at - interval 1 minute
            ) then greatest(absent_at, joined_at)
        end as left_at
    from seen as s
),

-- Of a session that was delivered several times, the latest delivery.
reports as (
    select * from staging.stg_beyondtrust__sessions
    where reject_reason is null and lsid is not null
    qualify rank() over (
        partition by source, lsid order by received_at desc, payload_sha256 desc, segment desc, sequence desc
    ) = 1
),

members as (
    select source, lsid, gsnumber, representative_id as agent_id, max(is_owner) as is_owner
    from reports where kind = 'representative'
    group by source, lsid, gsnumber, representative_id
),

comings as (
    select e.source, e.lsid as interaction_id, e.event_at, e.record, e.event_type, e.ended_at,
        coalesce(
            list_filter(e.data, lambda d: d.name = 'user_id')[1].value, m.agent_id
        ) as agent_id
    from reports as e
    left join members as m
        on e.source = m.source and e.lsid = m.lsid and m.gsnumber = case
            when e.destination_type = 'representative' then e.destination_gsnumber
            when e.performed_by_type = 'representative' then e.performed_by_gsnumber
        end
    where e.kind = 'event' and e.event_type in ('Conference Member Added', 'Conference Member Departed')
),

paired as (
    select *,
        lag(event_type) over member as type_before,
        min(case when event_type = 'Conference Member Departed' then event_at end) over (
            partition by source, interaction_id, agent_id order by event_at, record
            rows between 1 following and unbounded following
        ) as departs_at
    from comings
    -- A member without a user's id is a customer or the system.
    where agent_id is not null
    window member as (partition by source, interaction_id, agent_id order by event_at, record)
),

reported as (
    select p.source, p.interaction_id, p.agent_id, p.event_at as joined_at,
        coalesce(p.departs_at, p.ended_at) as left_at, m.is_owner
    from paired as p
    left join (select source, lsid, agent_id, max(is_owner) as is_owner from members group by all) as m
        on p.source = m.source and p.interaction_id = m.lsid and p.agent_id = m.agent_id
    where p.event_type = 'Conference Member Added' and p.type_before is distinct from 'Conference Member Added'
),

together as (
    select w.source, w.interaction_id, w.agent_id, w.joined_at,
        coalesce(w.left_at, min(r.left_at) filter (r.left_at >= w.joined_at)) as left_at, max(r.is_owner) as is_owner
    from watched as w
    left join reported as r
        on w.source = r.source and w.interaction_id = r.interaction_id and w.agent_id = r.agent_id
        and r.joined_at between w.joined_at - interval 1 minute and w.joined_at + interval 1 minute
    group by w.source, w.interaction_id, w.agent_id, w.joined_at, w.left_at
    union all
    select r.source, r.interaction_id, r.agent_id, r.joined_at, min(r.left_at), max(r.is_owner)
    from reported as r
    where not exists (
        select 1 from watched as w
        where w.source = r.source and w.interaction_id = r.interaction_id and w.agent_id = r.agent_id
            and r.joined_at between w.joined_at - interval 1 minute and w.joined_at + interval 1 minute
    )
    group by r.source, r.interaction_id, r.agent_id, r.joined_at
)

select
    t.source,                                     -- name of the source in sources.yaml
    t.interaction_id,                             -- the vendor's id of the support session (lsid)
    t.agent_id,                                   -- user id of the representative
    t.joined_at,                                  -- when the representative joined, as the vendor says
    t.left_at,                                    -- when they left; NULL while taking part, and when nobody saw it
    case when t.is_owner then 'owner' when not t.is_owner then 'participant' end as role, -- as reports say; NULL without one
    c.channel                                     -- chat, or other once a screen or shell was shared; NULL without a customer's client
from together as t
left join channels as c on t.source = c.source and t.interaction_id = c.interaction_id
where t.joined_at >= $partition_start and t.joined_at < $partition_end
order by t.source, t.interaction_id, t.agent_id, t.joined_at
