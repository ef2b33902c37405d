-- Messages of the BeyondTrust Real-Time State API as received: one row per table row that a message inserts, updates or
-- deletes, one for a truncation, one for a reply. Nothing is merged or deduplicated here.
-- Row ids are unique only until the appliance restarts; updates may be partial, so a column that is absent is unchanged.
-- grain: segment, sequence, record
with pages as (
    select
        source, segment, sequence, window_start, window_end, requested_at, received_at, payload_sha256,
        -- Bytes that are no UTF-8 are shown escaped; as received they stay in the raw segment.
        coalesce(text, payload::varchar) as body,
        -- `try` because one bad byte must not lose the segment.
        try(from_json(text, '{
            "type": "VARCHAR", "success": "VARCHAR", "insert": "JSON", "update": "JSON", "delete": "JSON"
        }')) as m
    from (
        -- Half a character, as \ud800, is no JSON, and one name that ends in it must not lose the page.
        select * exclude (text),
            case when regexp_matches(text, '\\u[dD][89a-fA-F]') then pair_surrogates(text) else text end as text
        from (select *, try(decode(payload)) as text from raw.beyondtrust_state)
    )
),

read as (
    select * exclude (m), m.type as message_type, m.success as success, m."insert" as inserted, m."update" as updated,
        m."delete" as deleted,
        m.type in ('truncate_model', 'model_truncate') as is_truncation,
        m."insert" is not null or m."update" is not null or m."delete" is not null
            or m.type in ('update_model', 'model_update') as is_change
    from pages
),

-- Inside one message inserts come first, then updates, then deletions, as the vendor's own client applies them.
operations as (
    select source, segment, sequence, window_start, window_end, requested_at, received_at, payload_sha256, message_type,
        1 as place, 'insert' as kind, inserted as content
    from read
    where inserted is not null
    union all
    select source, segment, sequence, window_start, window_end, requested_at, received_at, payload_sha256, message_type,
        2, 'update', updated
    from read
    where updated is not null
    union all
    select source, segment, sequence, window_start, window_end, requested_at, received_at, payload_sha256, message_type,
        3, 'delete', deleted
    from read
    where deleted is not null
),

listed as (
    select * exclude (content),
        -- What is no object is passed on whole, without a table's name.
        coalesce(
            map_entries(try(from_json(content, '"MAP(VARCHAR, JSON)"'))), [{'key': null::varchar, 'value': content}]
        ) as tables
    from operations
),

tabled as (
    select * exclude (tables), unnest(tables) as t, generate_subscripts(tables, 1) as table_place from listed
),

split as (
    select * exclude (t), t.key as table_name,
        case
            when t.key is null then [{'key': null::varchar, 'value': t.value}]
            when kind = 'delete' then coalesce(
                list_transform(try(from_json(t.value, '["VARCHAR"]')), lambda i: {'key': i, 'value': null::json}),
                [{'key': null::varchar, 'value': t.value}]
            )
            else coalesce(
                map_entries(try(from_json(t.value, '"MAP(VARCHAR, JSON)"'))), [{'key': null::varchar, 'value': t.value}]
            )
        end as entries
    from tabled
    -- An empty table may be written as null.
    where t.key is null or t.value is not null
),

changes as (
    select source, segment, sequence, window_start, window_end, requested_at, received_at, payload_sha256, message_type,
        place, kind, table_place, generate_subscripts(entries, 1) as row_place, table_name, unnest(entries) as e
    from split
    union all
    select source, segment, sequence, window_start, window_end, requested_at, received_at, payload_sha256, message_type,
        0, 'truncate', 0, 0, null, null
    from read
    where is_truncation
),

records as (
    select source, segment, sequence, window_start, window_end, requested_at, received_at, payload_sha256, message_type,
        null::varchar as success, kind, table_name, e.key as row_id, e.value::varchar as fields,
        row_number() over (partition by segment, sequence order by place, table_place, row_place) as record,
        case
            when kind = 'truncate' then null
            when table_name is null then 'the "' || kind || '" of the message is no JSON object'
            when e.key is null then 'the table''s "' || kind || '" names no rows'
            when kind <> 'delete' and json_type(e.value) is distinct from 'OBJECT' then 'the row is no JSON object'
        end as reject_reason,
        e.value::varchar as reject_payload
    from changes
    union all
    select source, segment, sequence, window_start, window_end, requested_at, received_at, payload_sha256, message_type,
        success,
        case when success is not null then 'reply' end, null, null, null,
        (success is not null)::int,
        case when success is null then
            'the message is no JSON object that changes or truncates the model, or replies'
        end,
        body
    from read
    where is_change is not true and is_truncation is not true
)

select
    source,                                       -- name of the feed's source in sources.yaml
    segment,                                      -- raw segment that holds the message
    sequence,                                     -- message within the segment, from 0
    record::bigint as record,                     -- place within the message, from 1; 0 stands for a whole message that could not be read
    ---------- what changed
    message_type,                                 -- the vendor's type of the message
    kind,                                         -- insert, update or delete of a row; truncate of all rows; reply to a request of ours
    table_name,                                   -- table of the vendor's system state model
    row_id,                                       -- the vendor's id of the row; means nothing beyond its connection
    case when reject_reason is null then fields end as fields, -- the row's columns as sent, a JSON object; NULL when deleted
    success,                                      -- of a reply: true or false
    ---------- times
    requested_at as connected_at,                 -- when the connection was opened: each begins with a full copy of its own
    received_at,                                  -- when the message was received, by our clock
    ---------- delivery
    window_start,                                 -- start of the watched stretch
    window_end,                                   -- end of the watched stretch
    payload_sha256,                               -- sha256 of the message
    case when reject_reason is null then received_at end as touched_from,  -- least event time that the record touches
    case when reject_reason is null then received_at end as touched_until, -- greatest event time that the record touches
    reject_reason,                                -- why the record cannot be used; NULL when it can
    case when reject_reason is not null then coalesce(reject_payload, '') end as reject_payload -- the unreadable part, as received
from records
