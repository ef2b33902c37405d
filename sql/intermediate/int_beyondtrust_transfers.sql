-- BeyondTrust support sessions handed to a queue or to another representative, by the day on which that began.
-- A session that enters a queue while a representative is in it was handed there; one that a colleague joins and then
-- keeps, alone or in their own queue, was handed over after talking, from their joining on; one that waits for nobody and
-- is joined next by another was handed to them.
-- Reports are asked about sessions that neither the live feed nor the archive saw.
-- grain: source, interaction_id, from_agent_id, to_kind, to_id, started_at
-- window: -1 days .. +1 days
-- check somebody_else: to_kind <> 'agent' or to_id <> from_agent_id
-- check ends_after_start: completed_at is null or completed_at >= started_at
with stays as (
    select source, interaction_id, agent_id, joined_at, left_at from intermediate.int_beyondtrust_participation
),

sessions as (
    select source, feed, epoch_at, changed_at, lsid as interaction_id, queue_id, queue_entered_at, is_arrival
    from intermediate.int_beyondtrust_rows
    where table_name = 'support_session' and kind <> 'delete' and not is_late and lsid is not null
),

queues as (
    select source, feed, epoch_at, row_id,
        coalesce(max(case when queue_type = 'team' then team_id end), max(queue_code), max(queue_name)) as queue
    from intermediate.int_beyondtrust_rows
    where table_name = 'queue'
    group by source, feed, epoch_at, row_id
),

own_queues as (
    select source, feed, epoch_at, queue_id, max(user_id) as agent_id
    from intermediate.int_beyondtrust_rows
    where table_name = 'representative' and queue_id is not null
    group by source, feed, epoch_at, queue_id
),

-- Queues by what outlasts a copy, so that a session can be followed from one copy into the next.
queued as (
    select s.*, o.agent_id as to_agent_id, q.queue as to_queue,
        case when s.queue_id is not null then coalesce('rep:' || o.agent_id, 'queue:' || q.queue, 'queue') end as place
    from sessions as s
    left join own_queues as o
        on s.source = o.source and s.feed = o.feed and s.epoch_at = o.epoch_at and s.queue_id = o.queue_id
    left join queues as q
        on s.source = q.source and s.feed = q.feed and s.epoch_at = q.epoch_at and s.queue_id = q.row_id
),

followed as (
    select *,
        lag(changed_at) over life as before,
        lag(place) over life as place_before,
        lag(queue_entered_at) over life as entered_before
    from queued
    window life as (partition by source, feed, interaction_id order by changed_at, epoch_at)
),

archived as (
    select source, archived_from, max(archived_until) as archived_until
    from intermediate.int_beyondtrust_archived
    group by source, archived_from
),

directed as (
    select f.source, f.interaction_id, f.changed_at, f.to_agent_id, f.to_queue,
        -- The vendor's own time of entering the queue is nearer than that of hearing of it.
        case
            when f.queue_entered_at is distinct from f.entered_before
                and f.queue_entered_at between f.before - interval 20 seconds and f.changed_at then f.queue_entered_at
            else f.changed_at
        end as started_at
    from followed as f
    asof left join archived as a on f.source = a.source and f.changed_at >= a.archived_from
    where f.before is not null and f.place is not null
        and (f.place is distinct from f.place_before or f.queue_entered_at > f.entered_before)
        -- What a copy shows for the first time happened before, and only the vendor knows when.
        and (not f.is_arrival or (
            f.queue_entered_at is distinct from f.entered_before
            and f.queue_entered_at between f.before - interval 20 seconds and f.changed_at
        ))
        -- Of two feeds one is followed, as for states.
        and (f.feed = 'archive' or coalesce(f.changed_at >= a.archived_until, true))
),

-- Who is in the session hands it over: of several the one who then leaves first, else the one who joined last. Messages
-- of one act lie a moment apart.
handed as (
    select d.source, d.interaction_id, s.agent_id as from_agent_id, d.started_at, d.to_agent_id, d.to_queue,
        -- Whose queue it enters may be in the session already, asked in by who now leaves it to them.
        (
            select max(greatest(b.joined_at, s.joined_at)) from stays as b
            where b.source = d.source and b.interaction_id = d.interaction_id and b.agent_id = d.to_agent_id
                and greatest(b.joined_at, s.joined_at) < d.started_at - interval 2 seconds
                and coalesce(b.left_at > d.started_at, true)
        ) as asked_in_at
    from directed as d
    inner join stays as s
        on d.source = s.source and d.interaction_id = s.interaction_id
        and s.joined_at < d.started_at
        and coalesce(s.left_at >= least(d.started_at, d.changed_at) - interval 2 seconds, true)
    where s.agent_id is distinct from d.to_agent_id
    qualify row_number() over (
        partition by d.source, d.interaction_id, d.started_at, d.to_agent_id, d.to_queue
        order by coalesce(s.left_at, 'infinity'), s.joined_at desc, s.agent_id
    ) = 1
),

by_queue as (
    select source, interaction_id, from_agent_id,
        case when to_agent_id is not null then 'agent' else 'queue' end as to_kind,
        coalesce(to_agent_id, to_queue) as to_id, coalesce(asked_in_at, started_at) as started_at,
        case when to_agent_id is null or asked_in_at is not null then started_at else (
            select min(greatest(s.joined_at, h.started_at)) from stays as s
            where s.source = h.source and s.interaction_id = h.interaction_id and s.agent_id = h.to_agent_id
                and s.joined_at >= h.started_at - interval 2 seconds
        ) end as completed_at,
        case when asked_in_at is null then 'blind' else 'consult' end as kind
    from handed as h
),

-- Of a leaving, what the session was left with: a colleague who had joined meanwhile, or who joins next.
leavings as (
    select a.source, a.interaction_id, a.agent_id, a.joined_at, a.left_at
    from stays as a
    where a.left_at is not null and not exists (
        select 1 from by_queue as q
        where q.source = a.source and q.interaction_id = a.interaction_id and q.from_agent_id = a.agent_id
            and q.started_at between a.joined_at and a.left_at + interval 1 minute
    )
),

kept as (
    select a.source, a.interaction_id, a.agent_id as from_agent_id, b.agent_id as to_agent_id,
        b.joined_at as started_at, a.left_at as completed_at
    from leavings as a
    inner join stays as b
        on a.source = b.source and a.interaction_id = b.interaction_id and a.agent_id <> b.agent_id
        -- Joining is dated by the vendor, leaving perhaps by a message that came 20 seconds late.
        and b.joined_at > a.joined_at and b.joined_at < a.left_at - interval 20 seconds
        -- When a session ends, all leave within moments.
        and coalesce(b.left_at > a.left_at + interval 30 seconds, true)
    qualify row_number() over (
        partition by a.source, a.interaction_id, a.agent_id, a.left_at order by b.joined_at, b.agent_id
    ) = 1
),

abandoned as (
    select a.source, a.interaction_id, a.agent_id as from_agent_id, b.agent_id as to_agent_id,
        least(a.left_at, b.joined_at) as started_at, b.joined_at as completed_at
    from leavings as a
    inner join stays as b
        on a.source = b.source and a.interaction_id = b.interaction_id
        and b.joined_at >= a.left_at - interval 20 seconds
    where not exists (
        select 1 from stays as c
        where c.source = a.source and c.interaction_id = a.interaction_id
            and c.joined_at < a.left_at - interval 20 seconds and coalesce(c.left_at > a.left_at, true)
            and (c.agent_id <> a.agent_id or c.joined_at <> a.joined_at)
    )
    qualify row_number() over (
        partition by a.source, a.interaction_id, a.agent_id, a.left_at order by b.joined_at, b.agent_id
    ) = 1
),

-- Sessions that no feed saw are told of by their reports alone, of which the latest counts.
reports as (
    select r.* from staging.stg_beyondtrust__sessions as r
    where r.reject_reason is null and r.kind in ('event', 'representative') and not exists (
        select 1 from sessions as v where v.source = r.source and v.interaction_id = r.lsid
    )
    qualify rank() over (
        partition by r.source, r.lsid order by r.received_at desc, r.payload_sha256 desc, r.segment desc, r.sequence desc
    ) = 1
),

members as (
    select source, lsid, gsnumber, max(representative_id) as agent_id
    from reports where kind = 'representative'
    group by source, lsid, gsnumber
),

owners as (
    select e.source, e.lsid as interaction_id, e.event_at, e.record, e.event_type, e.destination,
        case
            when e.event_type = 'Session Transferred to Queue' then p.agent_id
            -- That nobody owns it any longer is told, too.
            else coalesce(d.agent_id, '')
        end as agent_id
    from reports as e
    left join members as d
        on e.source = d.source and e.lsid = d.lsid and e.destination_type = 'representative'
        and e.destination_gsnumber = d.gsnumber
    left join members as p
        on e.source = p.source and e.lsid = p.lsid and e.performed_by_type = 'representative'
        and e.performed_by_gsnumber = p.gsnumber
    where e.event_type in ('Session Transferred to Queue', 'Conference Owner Changed')
),

owned as (
    select *,
        last_value(case when event_type = 'Conference Owner Changed' then agent_id end ignore nulls) over before as owner,
        lag(event_type) over so_far as type_before
    from owners
    window before as (
        partition by source, interaction_id order by event_at, record rows between unbounded preceding and 1 preceding
    ), so_far as (partition by source, interaction_id order by event_at, record)
),

-- A queue that bears the name of one who took part is that representative's own.
named as (
    select source, lsid, name, max(representative_id) as agent_id from reports
    where kind = 'representative' and name is not null
    group by source, lsid, name
    having count(distinct representative_id) = 1
),

told as (
    select o.source, o.interaction_id, coalesce(o.agent_id, nullif(o.owner, '')) as from_agent_id,
        case when n.agent_id is null then 'queue' else 'agent' end as to_kind,
        coalesce(n.agent_id, o.destination) as to_id, o.event_at as started_at,
        case when n.agent_id is null then o.event_at else (
            select min(s.joined_at) from stays as s
            where s.source = o.source and s.interaction_id = o.interaction_id and s.agent_id = n.agent_id
                and s.joined_at >= o.event_at
        ) end as completed_at,
        'blind' as kind
    from owned as o
    left join named as n on o.source = n.source and o.interaction_id = n.lsid and o.destination = n.name
    where o.event_type = 'Session Transferred to Queue'
        and coalesce(o.agent_id, nullif(o.owner, '')) is distinct from n.agent_id
    union all
    select source, interaction_id, owner, 'agent', agent_id, coalesce(asked_in_at, event_at), event_at,
        case when asked_in_at is null then 'blind' else 'consult' end
    from (
        select o.*, (
            select max(s.joined_at) from stays as s
            where s.source = o.source and s.interaction_id = o.interaction_id and s.agent_id = o.agent_id
                and s.joined_at < o.event_at - interval 2 seconds and coalesce(s.left_at > o.event_at, true)
        ) as asked_in_at
        from owned as o
    ) as o
    where o.event_type = 'Conference Owner Changed' and o.agent_id <> '' and o.owner <> '' and o.owner <> o.agent_id
        and o.type_before = 'Conference Owner Changed'
),

everything as (
    select * from by_queue
    union all
    select source, interaction_id, from_agent_id, 'agent', to_agent_id, started_at, completed_at, 'consult' from kept
    where exists (select 1 from sessions as v where v.source = kept.source and v.interaction_id = kept.interaction_id)
    union all
    select source, interaction_id, from_agent_id, 'agent', to_agent_id, started_at, completed_at, 'blind' from abandoned
    where from_agent_id <> to_agent_id
        and exists (
            select 1 from sessions as v
            where v.source = abandoned.source and v.interaction_id = abandoned.interaction_id
        )
    union all
    select * from told where from_agent_id is not null
)

select
    source,                                       -- name of the source in sources.yaml
    interaction_id,                               -- the vendor's id of the support session (lsid)
    from_agent_id,                                -- user id of the representative who handed over
    case when to_id is null then 'unknown' else to_kind end as to_kind, -- agent, queue; unknown when the queue has no name
    to_id,                                        -- user id of the receiver; of a team's queue the team's id, of another its code or name
    started_at,                                   -- when it began
    min(completed_at) as completed_at,            -- when the receiver had it, which a queue has at once; NULL while in flight
    max(kind) as kind                             -- consult: the receiver had joined before the sender left; blind
from everything
where started_at >= $partition_start and started_at < $partition_end
group by source, interaction_id, from_agent_id, to_kind, to_id, started_at
order by source, interaction_id, started_at, from_agent_id, to_kind, to_id
