-- What Kore.ai says agents did: one row per stretch of an unchanged activity and reason that begins on the day.
-- Updates have no ids: exact repeats collapse. Of several in one second the last in reply order counts; of deliveries
-- that disagree on it, the one with most of them, then the lexically smallest (docs/metrics.md, Order).
-- grain: source, agent_id, started_at, record_id
-- window: 0 days .. 0 days
-- warn local_times_are_certain: uncertainty_us <= 1000000
-- warn deliveries_agree: not is_derived or uncertainty_us > 1000000
with updates as (
    select s.*, f.event_timezone, timezone(f.event_timezone, s.event_time) as near
    from staging.stg_kore__agent_activity as s
    inner join ops.feed_clock as f on s.source = f.source and f.feed = 'agent_activity'
    where s.reject_reason is null and s.touched_from < $partition_end and s.touched_until >= $partition_start
),

-- All instants at which the zone's clocks show event_time: one; two or more in autumn; none in spring.
instants as (
    select *,
        list_filter(
            list_transform(range(-4, 5), lambda n: near + to_minutes(n * 30)),
            lambda t: timezone(event_timezone, t) = event_time
        ) as possible,
        -- A window is asked for in UTC, a second wider at each end, so it mostly tells which of the two is meant.
        list_filter(
            possible, lambda t: t between window_start - interval 1 second and window_end + interval 1 second
        ) as fitting,
        len(possible) = 1 or len(fitting) = 1 as is_certain
    from updates
),

placed as (
    select * exclude (near, possible, fitting),
        case
            when len(fitting) = 1 then fitting[1]
            when len(possible) > 0 then possible[1]
            else near
        end as started_at,
        1000000 + case
            when is_certain then 0
            when len(possible) > 0 then epoch_us(possible[-1]) - epoch_us(possible[1])
            else abs(epoch_us(timezone(event_timezone, near)) - epoch_us(event_time))
        end as uncertainty_us
    from instants
    -- Another delivery of the update, in a window that tells, says which instant was meant.
    qualify is_certain
        or not bool_or(is_certain) over (partition by source, agent_id, event_time, activity, reason_code)
),

of_day as (
    select *, lag(event_time) over (partition by source, segment, sequence order by record) as earlier_in_reply
    from placed
    where started_at >= $partition_start and started_at < $partition_end
),

-- The order of a reply is not documented: where its times only ever fall it is read from its end.
ordered as (
    select * exclude (earlier_in_reply),
        case when bool_and(coalesce(event_time <= earlier_in_reply, true)) over reply
            and bool_or(coalesce(event_time < earlier_in_reply, false)) over reply
            then -record else record end as place
    from of_day
    window reply as (partition by source, segment, sequence)
),

-- What each reply says of an agent's second.
deliveries as (
    select
        source, agent_id, started_at, segment, sequence,
        count(distinct (activity, reason_code)) as words,
        arg_max({'activity': activity, 'reason_code': coalesce(reason_code, '')}, place) as last_word,
        min(received_at) as received_at, min(payload_sha256) as payload_sha256
    from ordered
    group by all
),

ranked as (
    select d.*,
        row_number() over (
            partition by d.source, d.agent_id, d.started_at
            order by d.words desc, d.last_word, d.received_at, d.payload_sha256, d.segment, d.sequence
        ) as rank,
        a.words > d.words or min(d.last_word) over alike <> max(d.last_word) over alike as is_disputed
    from deliveries as d
    inner join (
        select source, agent_id, started_at, count(distinct (activity, reason_code)) as words from ordered group by all
    ) as a using (source, agent_id, started_at)
    window alike as (partition by d.source, d.agent_id, d.started_at, d.words)
),

chosen as (
    select o.*, r.is_disputed
    from ordered as o
    inner join ranked as r using (source, agent_id, started_at, segment, sequence)
    where r.rank = 1
),

-- Only the map knows which words mean signed out. Its most specific row wins: source over reason over feed.
words as (
    select w.source, w.activity, w.reason_code,
        coalesce(arg_max(
            m.state, (m.source is not null)::int * 4 + (m.reason is not null)::int * 2 + (m.feed is not null)::int
        ) = 'offline', false) as is_offline
    from (select distinct source, activity, reason_code from chosen) as w
    left join staging.state_map as m
        on m.vendor = 'kore' and w.activity = m.vendor_state
        and coalesce(m.source, w.source) = w.source
        and coalesce(m.feed, 'agent_activity') = 'agent_activity'
        and (m.reason is null or m.reason = w.reason_code)
    group by all
),

sessions as (
    select c.*, w.is_offline,
        count(*) filter (w.is_offline) over (
            partition by c.source, c.agent_id order by c.started_at, c.place rows unbounded preceding
        ) as sign_outs
    from chosen as c
    inner join words as w
        on c.source = w.source and c.activity = w.activity and c.reason_code is not distinct from w.reason_code
),

seconds as (
    select *,
        case when sign_outs > 0 and not is_offline then
            min(started_at) filter (not is_offline) over (partition by source, agent_id, sign_outs)
        end as logged_in_at
    from sessions
    qualify row_number() over (partition by source, agent_id, started_at order by place desc) = 1
),

succession as (
    select *,
        lag(started_at) over own as previous_at,
        lag(activity) over own as previous_activity,
        lag(reason_code) over own as previous_reason_code,
        lag(logged_in_at) over own as previous_logged_in_at
    from seconds
    window own as (partition by source, agent_id order by started_at)
)

select
    s.source,                                     -- name of the source in sources.yaml
    'kore' as vendor,                             -- vendor of the source
    'agent_activity' as feed,                     -- feed of that source
    s.agent_id,                                   -- the vendor's id of the agent
    null::varchar as agent_name,                  -- NULL: the feed names nobody
    null::varchar as session_id,                  -- NULL: the vendor has no id of a sign-in
    s.agent_id || '|' || strftime(s.started_at, '%Y-%m-%dT%H:%M:%SZ') || '|' || s.activity || '|'
        || coalesce(s.reason_code, '') as record_id, -- agent, instant, activity and reason: the vendor has no id of an update
    s.logged_in_at,                               -- first activity after being signed out on this day; NULL when signed in before the day
    s.started_at,                                 -- when the activity began, to the second
    null::timestamptz as ended_at,                -- NULL: it lasts until the agent's next record
    s.activity as vendor_state,                   -- the vendor's word for what the agent does
    s.reason_code,                                -- the vendor's code of the reason
    s.reason_code as reason,                      -- the code, too: the feed has no words for it
    null::varchar as direction,                   -- NULL: not told
    null::bigint as work_items,                   -- NULL: not told
    null::bigint as load,                         -- NULL: not told
    null::bigint as capacity,                     -- NULL: not told
    null::boolean as is_handling,                 -- NULL: the word decides
    false as ends_session,                        -- signing out is a record of its own
    s.uncertainty_us::bigint as uncertainty_us,   -- how far started_at may be from the true instant, in microseconds
    s.is_disputed or s.uncertainty_us > 1000000 as is_derived, -- deliveries disagree, or the local time is ambiguous or missing
    s.segment,                                    -- raw segment that delivered the copy used
    s.window_start,                               -- start of the window in which it was delivered
    s.received_at,                                -- when that was received, by our clock
    s.payload_sha256                              -- sha256 of the page
from succession as s
where s.previous_at is null
    or s.activity <> s.previous_activity
    or s.reason_code is distinct from s.previous_reason_code
    or s.logged_in_at is distinct from s.previous_logged_in_at
    -- After a gap a repeat is news: what held before it does not resume by itself.
    or exists (
        select 1 from intermediate.int_feed_gaps as g
        where g.source = s.source and g.gap_start < s.started_at and g.gap_end > s.previous_at
            and g.gap_end > g.gap_start
    )
order by s.source, s.agent_id, s.started_at
