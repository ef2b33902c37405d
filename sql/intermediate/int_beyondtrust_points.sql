-- What each of BeyondTrust's feeds says of each representative, whenever it says something new on the day: one row per
-- instant, after all rows of that instant. The feeds stand side by side here.
-- A row that is absent from a later copy was not seen to go: 20 seconds into the copy the representative is unknown.
-- grain: source, feed, agent_id, changed_at
-- window: -1 days .. 0 days
with epochs as (
    select source, feed, epoch_at, lead(epoch_at) over (partition by source, feed order by epoch_at) as replaced_at
    from intermediate.int_beyondtrust_epochs
),

representatives as (
    select *, user_id as agent_id from intermediate.int_beyondtrust_rows
    where table_name = 'representative' and user_id is not null
),

users as (
    select source, feed, epoch_at, row_id, arg_max(agent_id, (changed_at, life)) as agent_id
    from representatives
    group by source, feed, epoch_at, row_id
),

changes as (
    select source, feed, agent_id, epoch_at, changed_at,
        case when kind = 'delete' then 0 else 1 end as place, row_id, life,
        is_arrival::int - (kind = 'delete')::int as presence, 0 as items,
        -- What a deleted row was last is nobody's state.
        case when kind <> 'delete' then {
            'agent_name': agent_name, 'created_at': created_at,
            'vendor_state': case
                when is_available then 'available'
                when not is_enabled then 'assignment_off'
                when is_idle then 'idle'
                when is_busy then 'busy'
                when is_available is not null then 'unavailable'
                else 'unknown'
            end,
            'flags': nullif(concat_ws('+',
                case when not is_enabled then 'assignment_off' end,
                case when is_idle then 'idle' end,
                case when is_busy then 'at_capacity' end
            ), '')
        } end as shown,
        is_exact, segment, window_start, received_at, payload_sha256
    from representatives
    where not is_late
    union all
    select r.source, r.feed, u.agent_id, r.epoch_at, r.changed_at, 2, r.row_id, r.life,
        0, r.is_arrival::int - (r.kind = 'delete')::int, null,
        r.is_exact, r.segment, r.window_start, r.received_at, r.payload_sha256
    from intermediate.int_beyondtrust_rows as r
    inner join users as u
        on r.source = u.source and r.feed = u.feed and r.epoch_at = u.epoch_at and r.representative_id = u.row_id
    where r.table_name = 'representative_support_session' and not r.is_late
),

swept as (
    select *,
        sum(presence) over so_far as present_rows, sum(items) over so_far as work_items,
        -- Signed in twice, a representative does what the later sign-in says.
        last_value(shown ignore nulls) over so_far as state
    from changes
    window so_far as (
        partition by source, feed, agent_id, epoch_at order by changed_at, place, shown.created_at, row_id, life
        rows unbounded preceding
    )
    qualify row_number() over (
        partition by source, feed, agent_id, epoch_at, changed_at order by place desc, shown.created_at desc, row_id desc, life desc
    ) = 1
),

heard as (
    select source, feed, agent_id, changed_at, epoch_at, false as is_late, present_rows > 0 as is_present, state, work_items,
        is_exact, segment, window_start, received_at, payload_sha256
    from swept
    where state is not null
    union all
    -- While one copy takes over from another, only the earlier connection may tell who went.
    select source, feed, agent_id, changed_at, epoch_at, true, false, null, 0,
        is_exact, segment, window_start, received_at, payload_sha256
    from representatives
    where is_late and kind = 'delete'
    qualify row_number() over (partition by source, feed, agent_id, changed_at order by epoch_at desc, row_id, life) = 1
),

judged as (
    select *,
        last_value(case when not is_late then epoch_at end ignore nulls) over before as known_epoch_at,
        last_value(case when not is_late then is_present end ignore nulls) over before as was_present
    from heard
    window before as (
        partition by source, feed, agent_id order by changed_at, is_late, epoch_at
        rows between unbounded preceding and 1 preceding
    )
),

believed as (
    select j.*, e.replaced_at,
        lead(j.changed_at) over (partition by j.source, j.feed, j.agent_id order by j.changed_at, j.is_late, j.epoch_at) as next_at
    from judged as j
    inner join epochs as e on j.source = e.source and j.feed = e.feed and j.epoch_at = e.epoch_at
    where not j.is_late or (j.was_present and j.known_epoch_at <= j.epoch_at)
),

told as (
    select source, feed, agent_id, changed_at, epoch_at, state.agent_name as agent_name, false as is_derived,
        case when is_present then state.vendor_state else 'logged_out' end as vendor_state,
        case when is_present then state.flags end as flags,
        case when is_present then work_items end as work_items,
        case when is_present then state.created_at end as logged_in_at,
        is_exact, segment, window_start, received_at, payload_sha256
    from believed
    union all
    select source, feed, agent_id, replaced_at + interval 20 seconds, replaced_at, state.agent_name, true,
        'unknown', null, null, null,
        false, segment, window_start, received_at, payload_sha256
    from believed
    where is_present and (next_at is null or next_at > replaced_at + interval 20 seconds)
)

select
    source,                                       -- name of the source in sources.yaml
    feed,                                         -- state or archive
    agent_id,                                     -- user id of the representative
    changed_at,                                   -- when
    epoch_at,                                     -- when the full copy began that says so
    agent_name,                                   -- name of the representative
    vendor_state,                                 -- available, assignment_off, idle, busy, unavailable; logged_out; unknown
    flags,                                        -- routing flags that are raised, joined by +: assignment_off, idle, at_capacity
    work_items::bigint as work_items,             -- support sessions that the representative is in
    logged_in_at,                                 -- when the representative signed in
    is_exact,                                     -- the time is the vendor's, rather than that of receipt
    is_derived,                                   -- nothing was said: a later copy lacks the representative
    segment,                                      -- raw segment that delivered the change
    window_start,                                 -- start of the stretch or window in which it was delivered
    received_at,                                  -- when it was received, by our clock
    payload_sha256                                -- sha256 of the message or file
from told
where changed_at >= $partition_start and changed_at < $partition_end
qualify row_number() over (
    partition by source, feed, agent_id, changed_at order by epoch_at desc, is_derived, vendor_state, segment
) = 1
order by source, feed, agent_id, changed_at
