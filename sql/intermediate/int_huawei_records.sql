-- What Huawei says agents did, one row per stretch of unchanged state that begins on the day. Where feeds speak of the same
-- agent and time, what history tells beats polls of CC-CMS, those beat polls of the gateway, and these what is only derived
-- from history, which may hold no row of a talk that a poll saw.
-- grain: source, agent_id, started_at, record_id
-- window: -1 days .. 0 days
with told as (
    select source, 1 as rank, 'cms_history' as feed, agent_id, started_at, ended_at, last_at, vendor_state, reason,
        logged_in_at, null::boolean as is_handling, 1000000 as uncertainty_us, is_derived,
        segment, window_start, received_at, payload_sha256
    from intermediate.int_huawei_history
    union all
    select source, 2, 'cms_status', agent_id, started_at, ended_at, last_at, vendor_state, reason,
        logged_in_at, null, uncertainty_us, is_derived, segment, window_start, received_at, payload_sha256
    from intermediate.int_huawei_cms_polled
    union all
    select source, 3, 'agent_status', agent_id, started_at, ended_at, last_at, vendor_state, reason,
        null, is_handling, uncertainty_us, is_derived, segment, window_start, received_at, payload_sha256
    from intermediate.int_huawei_polled
),

-- An open stretch is evidence as far as it was seen. Stretches of one feed do not overlap, so of each feed the last one
-- that began is the one that may speak.
edges as (
    select source, agent_id, edge,
        any_value(stretch) filter (rank = 1) as h, any_value(stretch) filter (rank = 2) as c,
        any_value(stretch) filter (rank = 3) as g
    from (
        select source, agent_id, started_at as edge, rank, {
            'from': started_at, 'until': coalesce(ended_at, last_at), 'seen_until': last_at, 'open': ended_at is null,
            'known': vendor_state not in ('unknown', 'error'), 'derived': is_derived
        } as stretch
        from told
        union all
        select source, agent_id, coalesce(ended_at, last_at), null, null from told
    )
    group by source, agent_id, edge
),

-- Windows and not asof joins: DuckDB falls to loops over all pairs where it takes a side for small.
pieces as (
    select source, agent_id, edge as piece_from,
        lead(edge) over (partition by source, agent_id order by edge) as piece_until,
        last_value(h ignore nulls) over reached as h, last_value(c ignore nulls) over reached as c,
        last_value(g ignore nulls) over reached as g
    from edges
    window reached as (partition by source, agent_id order by edge rows between unbounded preceding and current row)
),

candidates as (
    select *, greatest(h."until", c."until", g."until") as seen_until,
        h."until" > piece_from or (h."open" and h."from" = piece_from) as h_covers,
        c."until" > piece_from or (c."open" and c."from" = piece_from) as c_covers,
        g."until" > piece_from or (g."open" and g."from" = piece_from) as g_covers,
        -- History is cut to seconds: a poll beside its edges does not speak against it.
        h_covers is not true or (
            h.derived and c.seen_until > h."from" + interval 1 second and c."from" < h."until" - interval 1 second
        ) as c_may_speak,
        h_covers is not true or (
            h.derived and g.seen_until > h."from" + interval 1 second and g."from" < h."until" - interval 1 second
        ) as g_may_speak
    from pieces
),

chosen as (
    select *,
        case
            when c_covers and c.known and c_may_speak then 2
            when g_covers and g.known and g_may_speak then 3
            when h_covers then 1
            when c_covers then 2
            when g_covers then 3
            -- Beyond what was seen a state lasts, unless another feed saw something after it.
            when h."open" and h."until" >= seen_until then 1
            when c."open" and c."until" >= seen_until then 2
            when g."open" and g."until" >= seen_until then 3
        end as rank
    from candidates
),

spoken as (
    select source, agent_id, rank, piece_from, piece_until,
        case rank when 1 then h."from" when 2 then c."from" else g."from" end as told_at
    from chosen
    where rank is not null
),

turns as (
    select *, count(*) filter (is_turn) over (partition by source, agent_id order by piece_from) as turn
    from (
        select *,
            rank is distinct from lag(rank) over succession or told_at is distinct from lag(told_at) over succession as is_turn
        from spoken
        window succession as (partition by source, agent_id order by piece_from)
    )
),

parts as (
    select source, agent_id, rank, told_at, min(piece_from) as started_at,
        -- The last piece of all has no end.
        case when count(*) = count(piece_until) then max(piece_until) end as until_at
    from turns
    group by source, agent_id, rank, told_at, turn
),

lasting as (
    select p.source, p.agent_id, p.rank, p.started_at, p.until_at, t.started_at as told_at, t.ended_at, t.last_at,
        t.feed, t.vendor_state, t.reason, t.logged_in_at, t.is_handling, t.is_derived, t.uncertainty_us,
        t.segment, t.window_start, t.received_at, t.payload_sha256,
        (t.feed, t.vendor_state) in (
            ('agent_status', '2'), ('cms_status', '0'), ('cms_history', '0'), ('cms_history', '29')
        ) as is_offline,
        not is_offline and t.vendor_state not in ('unknown', 'error') as is_signed_in,
        case
            when (t.feed, t.vendor_state) in (('agent_status', '8'), ('cms_status', '8'), ('cms_history', '26')) then 'rest'
            when (t.feed, t.vendor_state) in (('agent_status', '3'), ('cms_status', '7'), ('cms_history', '3')) then 'busy'
        end as not_ready_by,
        count(*) filter (is_offline) over own as sign_outs
    from parts as p
    inner join told as t
        on p.source = t.source and p.agent_id = t.agent_id and p.rank = t.rank and p.told_at = t.started_at
    window own as (partition by p.source, p.agent_id order by p.started_at)
),

-- The gateway never says when an agent signed in. Another feed may, else it was when they were first seen to be no longer
-- signed out. Feeds give one sign-in with and without its fraction of a second: the earliest time names it.
sign_ins as (
    select *,
        min(logged_in_at) over (
            partition by source, agent_id order by logged_in_at
            range between interval 2 seconds preceding and current row
        ) as said_at,
        case when sign_outs > 0 then min(started_at) filter (is_signed_in) over stay end as seen_at
    from lasting
    window stay as (partition by source, agent_id, sign_outs)
),

named as (
    select *,
        case when is_signed_in then coalesce(
            last_value(said_at ignore nulls) over (stay rows unbounded preceding),
            case when first_said_at <= started_at then first_said_at end,
            seen_at
        ) end as known_logged_in_at
    from (
        select *, first_value(said_at ignore nulls) over (
            partition by source, agent_id, sign_outs order by started_at rows between current row and unbounded following
        ) as first_said_at
        from sign_ins
    )
    window stay as (partition by source, agent_id, sign_outs order by started_at)
),

-- The gateway never says a reason: a rest that it goes on with, where another feed ends, keeps the one that was given.
rests as (
    select *, count(*) filter (is_another) over (partition by source, agent_id order by started_at) as rest
    from (
        select *, not coalesce(
            not_ready_by = lag(not_ready_by) over succession
            and lag(coalesce(ended_at, last_at)) over succession >= started_at, false
        ) as is_another
        from named
        window succession as (partition by source, agent_id order by started_at)
    )
),

reasoned as (
    select * replace (
        case
            when feed = 'agent_status' then last_value(reason ignore nulls) over (
                partition by source, agent_id, rest order by started_at rows unbounded preceding
            )
            else reason
        end as reason
    )
    from rests
)

select
    source,                                       -- name of the source in sources.yaml
    'huawei' as vendor,                           -- vendor of the source
    feed,                                         -- feed that says so
    agent_id,                                     -- the agent's work number
    null::varchar as agent_name,                  -- none of the feeds says it
    null::varchar as session_id,                  -- none of the feeds says it
    feed || '|' || agent_id || '|' || epoch_us(started_at) as record_id, -- feed, agent and start in microseconds
    known_logged_in_at as logged_in_at,           -- the sign-in, where a feed says it, or its first sign after a sign-out on this day or the one before
    started_at,                                   -- when the state began, or when this feed begins to speak for it
    case
        when ended_at is null and (until_at is null or until_at >= last_at) then null
        else least(until_at, ended_at)
    end as ended_at,                              -- when it ended; NULL while open
    vendor_state,                                 -- the vendor's code in the feed's own numbering
    reason as reason_code,                        -- the vendor's code of the reason
    reason,                                       -- the same: the vendor sends no words
    null::varchar as direction,                   -- none of the feeds says it
    null::bigint as work_items,                   -- none of the feeds counts
    null::bigint as load,                         -- none of the feeds counts
    null::bigint as capacity,                     -- none of the feeds says it
    is_handling,                                  -- the gateway says that the agent is talking
    false as ends_session,                        -- a sign-out is a record of its own
    case when started_at = told_at then uncertainty_us else 0 end::bigint as uncertainty_us, -- how far started_at may be from the true instant, in microseconds
    is_derived or started_at > told_at as is_derived, -- a boundary or the state was inferred
    segment,                                      -- raw segment that says so
    window_start,                                 -- start of the window, or of the stretch watched
    received_at,                                  -- when it was received
    payload_sha256                                -- sha256 of the reply
from reasoned
where started_at >= $partition_start and started_at < $partition_end
order by source, agent_id, started_at, feed
