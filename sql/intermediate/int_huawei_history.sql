-- What the operations of CC-CMS say agents did, by the day it began: at each instant the operation that says most counts,
-- a signed-in agent without one is idle, and before a sign-in and after a sign-out the agent is offline.
-- grain: source, agent_id, started_at
-- window: -1 days .. 1 days
with kinds as (
    -- Of operations at one instant a call says most, then after-call work, not ready, ready, and what is not known.
    select op_type, rank from (values
        (4, 1), (10, 1), (13, 1), (32, 1), (38, 1), (40, 1), (41, 1), (43, 1), (57, 1), (58, 1),
        (27, 2), (3, 3), (26, 3), (31, 3), (34, 3), (2, 4), (30, 4), (20, 5), (22, 5)
    ) as t(op_type, rank)
),

operations as (
    select o.*, k.rank,
        o.op_type = 4 and o.op_cause = '1' and o.end_at >= max(o.end_at) over (
            partition by o.source, o.agent_id, o.call_id, o.op_type
        ) as goes_on
    from intermediate.int_huawei_operations as o
    left join kinds as k on o.op_type = k.op_type
    where k.rank is not null or o.op_type in (0, 1, 29)
),

begins as (
    select distinct source, agent_id, begin_at from operations
),

-- A talk is written at each full five minutes, so up to the next one it goes on. What has no end lasts until something
-- else begins, as far as the window was asked for.
lasting as (
    select o.*,
        case
            when o.rank is null then o.begin_at
            when o.goes_on and n.begin_at <= o.end_at + interval 5 minutes then n.begin_at
            else coalesce(o.end_at, least(n.begin_at, greatest(o.window_end, o.begin_at)))
        end as until_at
    from operations as o
    asof left join begins as n
        on o.source = n.source and o.agent_id = n.agent_id
        and coalesce(o.end_at, o.begin_at + interval 1 microsecond) <= n.begin_at
),

-- An operation that cannot be read was at some time of its reply: of nothing there can be said that it was not.
unread as (
    select source, segment, sequence, agent_id
    from staging.stg_huawei__cms_history
    where reject_reason is not null and record > 0
),

-- A file tells of all agents.
told as (
    select t.source, t.agent_id, t.touched_from, t.touched_until, t.received_at
    from staging.stg_huawei__cms_history as t
    where t.reject_reason is null and t.record = 0 and t.agent_id is not null and not exists (
        select 1 from unread as u where u.source = t.source and u.segment = t.segment and u.sequence = t.sequence
    )
    union all
    select f.source, a.agent_id, f.touched_from, f.touched_until, f.received_at
    from staging.stg_huawei__cms_history as f
    inner join (select distinct source, agent_id from begins) as a on f.source = a.source
    where f.reject_reason is null and f.record = 0 and f.agent_id is null and f.touched_from < f.touched_until
        and not exists (
            select 1 from unread as u
            where u.source = f.source and u.segment = f.segment and u.sequence = f.sequence
                and coalesce(u.agent_id = a.agent_id, true)
        )
),

asked as (
    select source, agent_id, touched_from, touched_until,
        touched_from > max(touched_until) over (
            partition by source, agent_id order by touched_from, touched_until
            rows between unbounded preceding and 1 preceding
        ) as is_apart
    from told
),

-- Stretches of which the agent's operations were asked for without a gap.
runs as (
    select source, agent_id, min(touched_from) as run_from, max(touched_until) as run_until
    from (select *, count(*) filter (is_apart) over (
        partition by source, agent_id order by touched_from, touched_until
    ) as run from asked)
    group by source, agent_id, run
),

-- When what began in a stretch was asked for last. Windows of several lengths overlap.
windows as (
    select source, agent_id, touched_from, touched_until, max(received_at) as looked_at from told group by all
),

cuts as (
    select source, agent_id, touched_from as cut from windows
    union
    select source, agent_id, touched_until from windows
),

cells as (
    select source, agent_id, cut as cell_from,
        lead(cut) over (partition by source, agent_id order by cut) as cell_until
    from cuts
),

looked as (
    select c.source, c.agent_id, c.cell_from, c.cell_until, max(w.looked_at) as looked_at
    from cells as c
    inner join windows as w
        on c.source = w.source and c.agent_id = w.agent_id
        and w.touched_from <= c.cell_from and w.touched_until >= c.cell_until
    group by all
),

edges as (
    select source, agent_id, begin_at as edge from lasting
    union
    select source, agent_id, until_at from lasting
),

pieces as (
    select source, agent_id, edge as began_at,
        lead(edge) over (partition by source, agent_id order by edge) as next_at
    from edges
),

-- An operation may be written only when it has ended. Time without one is idle if it was asked for after it was over, the
-- five minutes that the vendor takes included; else a long rest would pass for waiting.
unproven as (
    select distinct p.source, p.agent_id, p.began_at
    from pieces as p
    inner join looked as l
        on p.source = l.source and p.agent_id = l.agent_id
        and l.cell_from < p.next_at and l.cell_until > p.began_at
        and l.looked_at - interval 5 minutes < p.next_at
),

-- The innermost operation of those that say most.
covering as (
    select p.source, p.agent_id, p.began_at,
        arg_min(o.op_type, (o.rank, -epoch_us(o.begin_at), o.op_type, o.operation_id)) as op_type,
        arg_min(case when o.op_type <> 4 then o.op_cause end, (o.rank, -epoch_us(o.begin_at), o.op_type, o.operation_id)) as cause,
        arg_min({'segment': o.segment, 'window_start': o.window_start, 'received_at': o.received_at, 'sha256': o.payload_sha256},
            (o.rank, -epoch_us(o.begin_at), o.op_type, o.operation_id)) as delivery
    from pieces as p
    inner join lasting as o
        on p.source = o.source and p.agent_id = o.agent_id and o.rank is not null
        and o.begin_at <= p.began_at and o.until_at >= p.next_at
    group by p.source, p.agent_id, p.began_at
),

-- The last thing that happened up to a piece, when nothing covers it. At one instant a sign-in comes after a sign-out.
before as (
    select source, agent_id, until_at as at,
        arg_max(
            {'op_type': op_type, 'cause': op_cause, 'goes_on': goes_on, 'has_end': end_at is not null or rank is null, 'segment': segment,
             'window_start': window_start, 'received_at': received_at, 'sha256': payload_sha256},
            (coalesce(rank, 9), case op_type when 1 then 2 when 0 then 1 when 29 then 1 else 0 end, operation_id)
        ) as last
    from lasting
    group by source, agent_id, until_at
),

sign_ins as (
    select source, agent_id, begin_at from lasting where op_type = 1 group by all
),

filled as (
    select p.source, p.agent_id, p.began_at,
        -- A sign-out without a sign-in after it lasts on; one in time that was not asked for would not have been seen.
        c.op_type is null and b.last.op_type in (0, 29) and coalesce(p.next_at > r.run_until, true) as is_open,
        case when is_open then greatest(r.run_until, p.began_at) else p.next_at end as until_at,
        case
            when c.op_type is not null then c.op_type
            when b.last.op_type in (0, 29) then b.last.op_type
            when p.next_at <= r.run_until and not b.last.goes_on and b.last.has_end and u.began_at is null then 2
        end as op_type,
        case when c.op_type is not null then c.cause when b.last.op_type in (0, 29) then b.last.cause end as cause,
        c.op_type is null and b.last.op_type not in (0, 29) as is_derived,
        coalesce(c.delivery.segment, b.last.segment) as segment,
        coalesce(c.delivery.window_start, b.last.window_start) as window_start,
        coalesce(c.delivery.received_at, b.last.received_at) as received_at,
        coalesce(c.delivery.sha256, b.last.sha256) as payload_sha256
    from pieces as p
    left join covering as c on p.source = c.source and p.agent_id = c.agent_id and p.began_at = c.began_at
    left join before as b on p.source = b.source and p.agent_id = b.agent_id and p.began_at = b.at
    left join unproven as u on p.source = u.source and p.agent_id = u.agent_id and p.began_at = u.began_at
    asof left join runs as r on p.source = r.source and p.agent_id = r.agent_id and p.began_at >= r.run_from
    union all
    -- Who signs in first of all, or first after time that was not asked for, was signed out before, on this day.
    select f.source, f.agent_id, greatest(f.run_from, $partition_start), false, least(f.first_at, $partition_end), 0, null, true,
        f.delivery.segment, f.delivery.window_start, f.delivery.received_at, f.delivery.payload_sha256
    from (
        select r.source, r.agent_id, r.run_from, min(o.begin_at) as first_at, arg_min(o.op_type, (o.begin_at, o.op_type)) as op_type,
            arg_min({'segment': o.segment, 'window_start': o.window_start, 'received_at': o.received_at, 'payload_sha256': o.payload_sha256},
                (o.begin_at, o.op_type, o.operation_id)) as delivery
        from runs as r
        inner join operations as o
            on r.source = o.source and r.agent_id = o.agent_id
            and coalesce(o.end_at, o.begin_at) >= r.run_from and o.begin_at <= r.run_until
        group by r.source, r.agent_id, r.run_from
    ) as f
    where f.op_type = 1 and f.run_from < least(f.first_at, $partition_end) and f.first_at > $partition_start
),

changes as (
    select *,
        op_type is distinct from lag(op_type) over succession or cause is distinct from lag(cause) over succession
            or began_at is distinct from lag(until_at) over succession or is_derived is distinct from lag(is_derived) over succession
            as is_change
    from filled
    where op_type is not null and until_at >= began_at and (until_at > began_at or is_open)
    window succession as (partition by source, agent_id order by began_at)
),

stretches as (
    select *, count(*) filter (is_change) over (partition by source, agent_id order by began_at) as stretch
    from changes
),

joined as (
    select source, agent_id, min(began_at) as started_at, max(until_at) as until_at, bool_or(is_open) as is_open,
        any_value(op_type) as op_type, any_value(cause) as cause, any_value(is_derived) as is_derived,
        arg_min(segment, began_at) as segment, arg_min(window_start, began_at) as window_start,
        arg_min(received_at, began_at) as received_at, arg_min(payload_sha256, began_at) as payload_sha256
    from stretches
    group by source, agent_id, stretch
)

select
    j.source,                                     -- name of the source in sources.yaml
    j.agent_id,                                   -- the agent's work number
    j.started_at,                                 -- when it began
    case when not j.is_open then j.until_at end as ended_at, -- when it ended; NULL after a sign-out without a sign-in
    j.until_at as last_at,                        -- until when history speaks for it
    j.op_type::varchar as vendor_state,           -- the vendor's code of the operation; 2 also where idle is derived
    case when j.cause not in ('65535', '-1', '') then j.cause end as reason, -- the vendor's code of the cause
    case when j.op_type not in (0, 29) then i.begin_at end as logged_in_at, -- the sign-in, where it was seen on this day or the one before
    j.is_derived,                                 -- not written by the vendor, but inferred
    j.segment,                                    -- raw segment that says so
    j.window_start,                               -- start of the window in which it was delivered
    j.received_at,                                -- when it was received
    j.payload_sha256                              -- sha256 of the reply
from joined as j
asof left join sign_ins as i on j.source = i.source and j.agent_id = i.agent_id and j.started_at >= i.begin_at
where j.started_at >= $partition_start and j.started_at < $partition_end
order by j.source, j.agent_id, j.started_at
