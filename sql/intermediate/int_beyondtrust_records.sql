-- What BeyondTrust's representatives did, in the one shape for all vendors: a row per stretch of unchanged state that
-- begins on the day. The archive is followed where it reaches, the live feed elsewhere, so that nothing counts twice.
-- Where nobody looked, a stretch ends, and what is seen afterwards begins another.
-- grain: source, agent_id, started_at, record_id
-- window: -1 days .. 0 days
with archived as (
    select source, min(archived_from) as archived_from, max(archived_until) as archived_until
    from (
        select source, archived_from, archived_until, sum(case when archived_from <= reached then 0 else 1 end) over (
            partition by source order by archived_from rows unbounded preceding
        ) as run
        from (
            select source, archived_from, archived_until, max(archived_until) over (
                partition by source order by archived_from, archived_until rows between unbounded preceding and 1 preceding
            ) as reached
            from intermediate.int_beyondtrust_archived
        )
    )
    group by source, run
),

live as (
    select p.*, a.archived_until is null or p.changed_at >= a.archived_until as is_followed,
        lead(p.changed_at) over (partition by p.source, p.agent_id order by p.changed_at) as next_at
    from intermediate.int_beyondtrust_points as p
    asof left join archived as a on p.source = a.source and p.changed_at >= a.archived_from
    where p.feed = 'state'
),

followed as (
    select p.*, false as is_seam
    from intermediate.int_beyondtrust_points as p
    asof inner join archived as a on p.source = a.source and p.changed_at >= a.archived_from
    where p.feed = 'archive' and p.changed_at < a.archived_until
    union all
    select * exclude (is_followed, next_at), false from live where is_followed
    union all
    -- Where the archive ends, the live feed's state goes on.
    select l.* exclude (is_followed, next_at) replace (a.archived_until as changed_at, false as is_exact), true
    from live as l
    inner join archived as a
        on l.source = a.source and l.changed_at <= a.archived_until and coalesce(l.next_at > a.archived_until, true)
    union all
    -- Where it begins, it lacks who went just before; the live feed may still tell that they did.
    select l.* exclude (is_followed, next_at) replace (
        case when n.vendor_state = 'logged_out' then n.changed_at else a.archived_from + interval 20 seconds end
            as changed_at,
        case when n.vendor_state = 'logged_out' then 'logged_out' else 'unknown' end as vendor_state,
        null as flags, null as work_items, null as logged_in_at, false as is_exact, true as is_derived
    ), true
    from live as l
    inner join archived as a
        on l.source = a.source and l.changed_at < a.archived_from and coalesce(l.next_at >= a.archived_from, true)
    left join live as n
        on l.source = n.source and l.agent_id = n.agent_id and n.changed_at = l.next_at
        and n.changed_at <= a.archived_from + interval 40 seconds
    left join intermediate.int_beyondtrust_points as p
        on l.source = p.source and l.agent_id = p.agent_id and p.feed = 'archive' and not p.is_derived
        and p.changed_at between a.archived_from and a.archived_from + interval 20 seconds
    where p.changed_at is null and l.vendor_state not in ('logged_out', 'unknown')
),

gaps as (
    select source, gap_start, gap_end from intermediate.int_feed_gaps where gap_end > gap_start
    union all
    -- The day before, if nobody asked for it.
    select s.source, $partition_start - interval 1 day, $partition_start
    from (select distinct source from intermediate.int_beyondtrust_points) as s
    where not exists (
        select 1 from intermediate.int_feed_gaps as g
        where g.source = s.source and g.date = ($partition_start - interval 1 day)::date
    )
),

placed as (
    -- Looking begins with the copy that the first points come from: they may lie a moment before.
    select f.* exclude (changed_at), g.gap_start, g.gap_end,
        case when f.changed_at < g.gap_end and g.gap_end <= f.changed_at + interval 20 seconds
            and g.gap_end > f.changed_at then g.gap_end else f.changed_at
        end as changed_at
    from followed as f
    asof left join gaps as g on f.source = g.source and f.changed_at >= g.gap_start
    where not (f.is_seam and coalesce(f.changed_at < g.gap_end, false))
),

once as (
    select * from placed
    qualify row_number() over (
        partition by source, agent_id, changed_at order by is_seam, is_derived, feed, epoch_at desc, vendor_state
    ) = 1
),

sequenced as (
    select *,
        lag(vendor_state) over succession as vendor_state_before,
        gap_end > lag(changed_at) over succession as is_after_gap,
        -- What a copy shows anew while another connection was followed, that one was about to tell.
        is_exact and (
            changed_at <> epoch_at or coalesce(gap_end > lag(changed_at) over succession, false)
            or lag(changed_at) over succession is null
        ) as is_dated,
        (vendor_state, flags, work_items, logged_in_at) is not distinct from
            lag((vendor_state, flags, work_items, logged_in_at)) over succession as is_same
    from once
    window succession as (partition by source, agent_id order by changed_at)
)

select
    source,                                       -- name of the source in sources.yaml
    'beyondtrust' as vendor,                      -- vendor of the source
    feed,                                         -- state or archive
    agent_id,                                     -- user id of the representative
    agent_name,                                   -- name of the representative
    null::varchar as session_id,                  -- BeyondTrust gives sign-ins no id
    concat_ws('|', agent_id, epoch_us(changed_at)) as record_id, -- representative and start in microseconds
    logged_in_at,                                 -- when the representative signed in
    changed_at as started_at,                     -- when the stretch began
    null::timestamptz as ended_at,                -- open: it lasts until the next record
    vendor_state,                                 -- available, assignment_off, idle, busy, unavailable; logged_out; unknown
    flags as reason_code,                         -- routing flags that are raised, joined by +: assignment_off, idle, at_capacity
    case vendor_state
        when 'assignment_off' then 'Assignment off' when 'idle' then 'Idle' when 'busy' then 'At capacity'
    end as reason,                                -- why no sessions are assigned
    null::varchar as direction,                   -- not told
    work_items,                                   -- support sessions that the representative is in
    work_items as load,                           -- the same
    null::bigint as capacity,                     -- not told
    coalesce(work_items > 0, false) as is_handling, -- at least one session, whatever the flags say
    false as ends_session,                        -- signing out is a record of its own
    case when feed = 'archive' or is_dated then 1000000 else 20000000 end::bigint as uncertainty_us, -- a second by the vendor's own times; live messages are up to 20 seconds late
    is_derived or is_seam as is_derived,          -- absent from a later copy, or taken over from the other feed
    segment,                                      -- raw segment that delivered the change
    window_start,                                 -- start of the stretch or window in which it was delivered
    received_at,                                  -- when it was received, by our clock
    payload_sha256                                -- sha256 of the message or file
from sequenced
where changed_at >= $partition_start and changed_at < $partition_end
    and (is_same is not true or coalesce(is_after_gap, false))
    -- Who signed out is not missed.
    and not (vendor_state = 'unknown' and coalesce(vendor_state_before = 'logged_out', false))
order by source, agent_id, started_at
