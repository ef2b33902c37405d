-- Rows of BeyondTrust's tables as they stood after each change on the day: updates merged column by column into what the
-- copy or insert before them said, per copy, since row ids mean nothing beyond one.
-- Only tables and columns that models read are here; the rest stays in staging.
-- grain: source, feed, epoch_at, table_name, row_id, life, changed_at
-- window: -1 days .. 0 days
-- warn representatives_are_users: kind = 'delete' or table_name <> 'representative' or user_id is not null
with delivered as (
    select source, 'state' as feed, connected_at, received_at as told_at, kind, table_name, row_id, fields,
        0 as file_number, sequence as place, record, payload_sha256 as batch, segment, window_start, received_at,
        payload_sha256
    from staging.stg_beyondtrust__state
    where reject_reason is null and kind in ('insert', 'update', 'delete')
        and table_name in (
            'representative', 'representative_support_session', 'support_session', 'queue', 'customer_client'
        )
    union all
    select source, 'archive', make_timestamptz(0), happened_at, kind, table_name, row_id, fields,
        epoch(archive_date)::bigint + archive_index, 0, record,
        concat_ws('|', archive_type, archive_date, archive_index), segment, window_start, received_at, payload_sha256
    from staging.stg_beyondtrust__archive
    where reject_reason is null and kind in ('insert', 'update', 'delete')
        and table_name in (
            'representative', 'representative_support_session', 'support_session', 'queue', 'customer_client'
        )
),

-- However often a message or a line of a file is delivered, it counts once.
once as (
    select source, feed, connected_at, told_at, kind, table_name, row_id, fields, record, batch,
        min(file_number) as file_number, min(place) as place, min(segment) as segment, min(window_start) as window_start,
        min(received_at) as received_at, min(payload_sha256) as payload_sha256
    from delivered
    group by source, feed, connected_at, told_at, kind, table_name, row_id, fields, record, batch
),

epochs as (
    select source, feed, connected_at, epoch_at,
        lead(epoch_at) over (partition by source, feed, connected_at order by epoch_at) as ends_at,
        lead(epoch_at) over (partition by source, feed order by epoch_at) as replaced_at
    from intermediate.int_beyondtrust_epochs
),

-- What happened in the second in which a copy was taken may be in it or not: it is applied before and after.
placed as (
    select o.*, e.epoch_at, o.told_at >= e.replaced_at as is_late,
        try(to_timestamp(try_cast(o.fields->>'$.created_timestamp' as double))) as told_created_at
    from once as o
    inner join epochs as e
        on o.source = e.source and o.feed = e.feed and o.connected_at = e.connected_at
        and o.told_at >= e.epoch_at and (e.ends_at is null or o.told_at <= e.ends_at)
    where o.kind = 'delete' or e.replaced_at is null or o.told_at < e.replaced_at
),

lives as (
    -- An id that comes again after a deletion is another row.
    select *, count(*) filter (kind = 'delete') over (
        partition by source, feed, epoch_at, table_name, row_id
        order by told_at, file_number, place, record rows between unbounded preceding and 1 preceding
    ) as life
    from placed
),

columns as (
    select * exclude (fields),
        -- A column that is absent is SQL's NULL here and unchanged; one that is null is JSON's and becomes null.
        json_extract(fields, '$.created_timestamp') as created_timestamp,
        json_extract(fields, '$.user_id') as user_id,
        json_extract(fields, '$.username') as username,
        json_extract(fields, '$.private_display_name') as private_display_name,
        json_extract(fields, '$.public_display_name') as public_display_name,
        json_extract(fields, '$.routing_available') as routing_available,
        json_extract(fields, '$.routing_idle') as routing_idle,
        json_extract(fields, '$.routing_busy') as routing_busy,
        json_extract(fields, '$.routing_enabled') as routing_enabled,
        json_extract(fields, '$.support_session_id') as support_session_id,
        json_extract(fields, '$.representative_id') as representative_id,
        json_extract(fields, '$.lsid') as lsid,
        json_extract(fields, '$.queue_id') as queue_id,
        json_extract(fields, '$.queue_entry_timestamp') as queue_entry_timestamp,
        json_extract(fields, '$.name') as name,
        json_extract(fields, '$.code_name') as code_name,
        json_extract(fields, '$.type') as type,
        json_extract(fields, '$.support_team_id') as support_team_id,
        json_extract(fields, '$.client_type') as client_type
    from lives
),

merged as (
    select source, feed, epoch_at, table_name, row_id, life, kind, told_at, coalesce(is_late, false) as is_late,
        file_number, place, record, segment, window_start, received_at, payload_sha256, told_created_at,
        last_value(created_timestamp ignore nulls) over so_far as created_timestamp,
        last_value(user_id ignore nulls) over so_far as user_id,
        last_value(username ignore nulls) over so_far as username,
        last_value(private_display_name ignore nulls) over so_far as private_display_name,
        last_value(public_display_name ignore nulls) over so_far as public_display_name,
        last_value(routing_available ignore nulls) over so_far as routing_available,
        last_value(routing_idle ignore nulls) over so_far as routing_idle,
        last_value(routing_busy ignore nulls) over so_far as routing_busy,
        last_value(routing_enabled ignore nulls) over so_far as routing_enabled,
        last_value(support_session_id ignore nulls) over so_far as support_session_id,
        last_value(representative_id ignore nulls) over so_far as representative_id,
        last_value(lsid ignore nulls) over so_far as lsid,
        last_value(queue_id ignore nulls) over so_far as queue_id,
        last_value(queue_entry_timestamp ignore nulls) over so_far as queue_entry_timestamp,
        last_value(name ignore nulls) over so_far as name,
        last_value(code_name ignore nulls) over so_far as code_name,
        last_value(type ignore nulls) over so_far as type,
        last_value(support_team_id ignore nulls) over so_far as support_team_id,
        last_value(client_type ignore nulls) over so_far as client_type,
        row_number() over so_far as change
    from columns
    window so_far as (
        partition by source, feed, epoch_at, table_name, row_id, life
        order by told_at, file_number, place, record rows unbounded preceding
    )
),

timed as (
    select *,
        case
            when kind <> 'insert' or change > 1 then told_at
            -- The rows of a copy arrive one after the other; those that are older than the copy were there when it began.
            when told_at <= epoch_at + interval 20 seconds and coalesce(told_created_at <= epoch_at, true)
                and epoch_at >= $partition_start then epoch_at
            -- A new row says when it came to be, which is sooner than we heard of it.
            when told_created_at between told_at - interval 20 seconds and told_at
                and told_created_at > epoch_at and told_created_at >= $partition_start then told_created_at
            else told_at
        end as changed_at,
        -- A row that is first heard of by an update was there before.
        kind <> 'delete' and change = 1 as is_first
    from merged
),

last_of_instant as (
    select *, bool_or(is_first) over (
        partition by source, feed, epoch_at, table_name, row_id, life, changed_at
    ) as is_arrival
    from timed
    qualify row_number() over (
        partition by source, feed, epoch_at, table_name, row_id, life, changed_at
        order by told_at desc, file_number desc, place desc, record desc
    ) = 1
)

select
    source,                                       -- name of the source in sources.yaml
    feed,                                         -- state or archive
    epoch_at,                                     -- when the full copy began that the row is part of
    table_name,                                   -- table of the vendor's system state model
    row_id,                                       -- the vendor's id of the row; means nothing beyond the copy
    life,                                         -- how often a row of this id was deleted before, in this copy
    changed_at,                                   -- when the row came to stand so
    kind,                                         -- insert, update or delete; a deleted row shows what it was last
    is_arrival,                                   -- the row is new to the copy, or part of it from the beginning
    is_late,                                      -- a later copy had begun: only what went is told here, in case that copy never showed it
    changed_at < told_at as is_exact,             -- the time is the row's own or the copy's, rather than that of receipt
    try(to_timestamp(try_cast(created_timestamp->>'$' as double))) as created_at, -- when the vendor made the row: of a representative, the sign-in; of one in a session, the joining
    ---------- representatives
    user_id->>'$' as user_id,                     -- the vendor's durable id of the representative
    coalesce(private_display_name->>'$', public_display_name->>'$', username->>'$') as agent_name, -- name shown to colleagues, else to customers, else of the account
    routing_available->>'$' in ('1', 'true') as is_available, -- sessions may be assigned
    routing_idle->>'$' in ('1', 'true') as is_idle,           -- no input for as long as the account's idle timeout
    routing_busy->>'$' in ('1', 'true') as is_busy,           -- at the greatest number of sessions: says nothing of fewer
    routing_enabled->>'$' in ('1', 'true') as is_enabled,     -- takes part in the assignment of sessions
    ---------- sessions
    support_session_id->>'$' as support_session_id, -- row id of the support session
    representative_id->>'$' as representative_id,   -- row id of the representative
    lsid->>'$' as lsid,                           -- the vendor's durable id of the support session
    queue_id->>'$' as queue_id,                   -- row id of the queue: of a session, where it waits; of a representative, their own
    try(to_timestamp(try_cast(queue_entry_timestamp->>'$' as double))) as queue_entered_at, -- when the session entered its queue
    client_type->>'$' as client_type,             -- how the customer is connected: desktop, mobile, web_chat, …
    ---------- queues
    name->>'$' as queue_name,                     -- name of the queue
    code_name->>'$' as queue_code,                -- code name of the queue
    type->>'$' as queue_type,                     -- team, or another kind
    support_team_id->>'$' as team_id,             -- the vendor's durable id of the queue's team
    ---------- delivery
    segment,                                      -- raw segment that delivered the change
    window_start,                                 -- start of the stretch or window in which it was delivered
    received_at,                                  -- when it was received, by our clock
    payload_sha256                                -- sha256 of the message or file
from last_of_instant
where changed_at >= $partition_start and changed_at < $partition_end
order by source, feed, epoch_at, table_name, row_id, life, changed_at
