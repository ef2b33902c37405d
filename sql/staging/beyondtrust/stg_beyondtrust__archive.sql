-- Files of the BeyondTrust state archive as delivered: full copies of the tables every half hour, and what changed in
-- between, in the shape of stg_beyondtrust__state, with the appliance's own times. Nothing is merged or deduplicated here.
-- A copy does not say when it was taken: the listing does, which is delivered with it. Which key carries an event's
-- time is not documented, so several are looked for.
-- grain: segment, sequence, record
with pages as (
    select
        source, segment, sequence, window_start, window_end, received_at, payload_sha256,
        regexp_extract(request, '\bgenerate_report=(\w+)', 1) as report,
        nullif(regexp_extract(request, '\btype=(\w+)', 1), '') as archive_type,
        try_cast(nullif(regexp_extract(request, '\bdate=([\d-]+)', 1), '') as date) as archive_date,
        try_cast(nullif(regexp_extract(request, '\bindex=(\d+)', 1), '') as bigint) as archive_index,
        payload,
        -- `try` because one bad byte must not lose the segment.
        try(decode(gunzip(payload))) as body
    from raw.beyondtrust_archive
),

sorted as (
    select *,
        case
            when report not in ('Archive', 'ArchiveListing') then 'unknown'
            when body is null then 'broken'
            -- A listing is XML, and so is the word that nothing was found, whether asked for a listing or a file.
            when report = 'ArchiveListing' or regexp_matches(body, '^\s*<') then 'document'
            else coalesce(archive_type, 'unknown')
        end as sort
    from pages
),

documents as (
    select * exclude (payload, body, document), body,
        map_keys(document)[1] as root,
        try(from_json(json_extract(map_values(document)[1], '$[0]'), '{
            "#text": "VARCHAR", "error": [{"#text": "VARCHAR"}],
            "state_archive": [{"time": [{"@timestamp": "VARCHAR", "@ts": "VARCHAR", "#text": "VARCHAR"}],
                               "index": [{"#text": "BIGINT"}]}]
        }')) as content
    from (
        select *, try(from_json(xml_to_json(gunzip(payload)), '"MAP(VARCHAR, JSON)"')) as document
        from sorted where sort = 'document'
    )
),

copies_listed as (
    -- One element per file, or one for all with times and indexes in turn: how they nest is not established.
    select segment, archive_date, unnest(list_zip(a.time, a.index)) as pair
    from (select segment, archive_date, unnest(content.state_archive) as a from documents)
),

-- Two listings of a segment agree in what both know.
copy_times as (
    select segment, archive_date, pair[2]."#text" as archive_index,
        min(coalesce(
            try(to_timestamp(try_cast(coalesce(pair[1]."@timestamp", pair[1]."@ts") as double))),
            try_cast(pair[1]."#text" as timestamptz)
        )) as taken_at
    from copies_listed
    group by all
),

copies as (
    select s.* exclude (payload), try_cast(s.body as json) as content,
        case when isfinite(t.taken_at) then t.taken_at end as happened_at
    from sorted as s
    left join copy_times as t
        on s.segment = t.segment and s.archive_date = t.archive_date and s.archive_index = t.archive_index
    where s.sort = 'state'
),

-- Each line of an event file is read by itself: one that is broken must not lose the others.
event_lines as (
    select * exclude (texts), unnest(texts) as line, generate_subscripts(texts, 1) as line_number
    from (
        select * exclude (payload, body), string_split(body, chr(10)) as texts from sorted where sort = 'event'
    )
),

events as (
    select * exclude (m), m."insert" as inserted, m."update" as updated, m."delete" as deleted, m.type as message_type,
        coalesce(m."timestamp", m."time", m.ts, m."when", m.event_time) as time_text
    from (
        select *,
            try(from_json(line, '{
                "type": "VARCHAR", "insert": "JSON", "update": "JSON", "delete": "JSON",
                "timestamp": "VARCHAR", "time": "VARCHAR", "ts": "VARCHAR", "when": "VARCHAR", "event_time": "VARCHAR"
            }')) as m
        from event_lines
        where regexp_matches(line, '\S')
    )
),

timed as (
    select *, case when isfinite(told_at) then told_at end as happened_at
    from (
        select *,
            coalesce(
                -- Since 1970, in seconds, milliseconds or microseconds: three digits apart each.
                try(make_timestamptz((try_cast(time_text as double) * case
                    when abs(try_cast(time_text as double)) < 1e11 then 1e6
                    when abs(try_cast(time_text as double)) < 1e14 then 1e3
                    else 1
                end)::bigint)),
                try_cast(time_text as timestamptz)
            ) as told_at
        from events
    )
),

judged as (
    select *,
        message_type in ('truncate_model', 'model_truncate') as is_truncation,
        case
            when happened_at is null then 'the event has no time that can be read'
            when inserted is null and updated is null and deleted is null
                and coalesce(message_type not in ('update_model', 'model_update', 'truncate_model', 'model_truncate'), true)
                then 'the event is no JSON object that changes or truncates the model'
        end as line_reason
    from timed
),

-- Inside one event inserts come first, then updates, then deletions, as in live messages.
operations as (
    select source, segment, sequence, window_start, window_end, received_at, payload_sha256,
        archive_type, archive_date, archive_index,
        happened_at, line_number, 1 as place, 'insert' as kind, inserted as content
    from judged
    where inserted is not null and line_reason is null
    union all
    select source, segment, sequence, window_start, window_end, received_at, payload_sha256,
        archive_type, archive_date, archive_index,
        happened_at, line_number, 2, 'update', updated
    from judged
    where updated is not null and line_reason is null
    union all
    select source, segment, sequence, window_start, window_end, received_at, payload_sha256,
        archive_type, archive_date, archive_index,
        happened_at, line_number, 3, 'delete', deleted
    from judged
    where deleted is not null and line_reason is null
    union all
    select source, segment, sequence, window_start, window_end, received_at, payload_sha256,
        archive_type, archive_date, archive_index,
        happened_at, 0, 1, 'insert', content
    from copies
    where happened_at is not null and json_type(content) = 'OBJECT'
),

tabled as (
    select * exclude (tables), unnest(tables) as t, generate_subscripts(tables, 1) as table_place
    from (
        select * exclude (content),
            -- What is no object is passed on whole, without a table's name.
            coalesce(
                map_entries(try(from_json(content, '"MAP(VARCHAR, JSON)"'))), [{'key': null::varchar, 'value': content}]
            ) as tables
        from operations
    )
),

listed_rows as (
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
    -- An empty table is written as null.
    where t.key is null or t.value is not null
),

changes as (
    select source, segment, sequence, window_start, window_end, received_at, payload_sha256,
        archive_type, archive_date, archive_index,
        happened_at, line_number, place, kind, table_place, generate_subscripts(entries, 1) as row_place, table_name,
        unnest(entries) as e, null::varchar as line, null::varchar as line_reason
    from listed_rows
    union all
    select source, segment, sequence, window_start, window_end, received_at, payload_sha256,
        archive_type, archive_date, archive_index,
        happened_at, 0, 0, 'snapshot', 0, 0, null, null, null, null
    from copies
    where happened_at is not null and json_type(content) = 'OBJECT'
    union all
    select source, segment, sequence, window_start, window_end, received_at, payload_sha256,
        archive_type, archive_date, archive_index,
        happened_at, line_number, 0, 'truncate', 0, 0, null, null, null, null
    from judged
    where is_truncation and line_reason is null
    union all
    select source, segment, sequence, window_start, window_end, received_at, payload_sha256,
        archive_type, archive_date, archive_index,
        null, line_number, 0, null, 0, 0, null, null, line, line_reason
    from judged
    where line_reason is not null
),

records as (
    select source, segment, sequence, window_start, window_end, received_at, payload_sha256,
        archive_type, archive_date, archive_index, kind, table_name, e.key as row_id, e.value::varchar as fields,
        null::varchar as message, happened_at,
        row_number() over (
            partition by segment, sequence order by line_number, place, table_place, row_place
        ) as record,
        case
            when line_reason is not null then line_reason
            when kind in ('snapshot', 'truncate') then null
            when table_name is null then 'the "' || kind || '" of the event is no JSON object'
            when e.key is null then 'the table''s "' || kind || '" names no rows'
            when kind <> 'delete' and json_type(e.value) is distinct from 'OBJECT' then 'the row is no JSON object'
        end as reject_reason,
        coalesce(line, e.value::varchar) as reject_payload
    from changes
    union all
    select source, segment, sequence, window_start, window_end, received_at, payload_sha256,
        archive_type, archive_date, archive_index, 'error', null, null, null,
        coalesce(content.error[1]."#text", content."#text", ''), null, 1, null, null
    from documents
    where root = 'error' or content.error is not null
    union all
    select source, segment, sequence, window_start, window_end, received_at, payload_sha256,
        archive_type, archive_date, archive_index, null, null, null, null, null, null, 0,
        'the document is neither a listing of archives nor an error', body
    from documents
    where root is null or (root <> 'error' and content.error is null and report <> 'ArchiveListing')
    union all
    select source, segment, sequence, window_start, window_end, received_at, payload_sha256,
        archive_type, archive_date, archive_index, null, null, null, null, null, null, 0,
        case
            when happened_at is null then 'no listing in the segment says when the copy was taken'
            else 'the copy is no JSON object'
        end,
        body
    from copies
    where happened_at is null or json_type(content) is distinct from 'OBJECT'
    union all
    select source, segment, sequence, window_start, window_end, received_at, payload_sha256,
        archive_type, archive_date, archive_index, null, null, null, null, null, null, 0,
        case
            when sort = 'broken' then 'the file cannot be unpacked to text'
            else 'the request asks for no listing, copy or events'
        end,
        coalesce(body, payload::varchar)
    from sorted
    where sort not in ('document', 'state', 'event')
)

select
    source,                                       -- name of the feed's source in sources.yaml
    segment,                                      -- raw segment that holds the file
    sequence,                                     -- file within the segment, from 0
    record::bigint as record,                     -- place within the file, from 1; 0 stands for a whole file that could not be read
    ---------- the file
    archive_type,                                 -- state: a copy of all tables; event: what changed in ten minutes
    archive_date,                                 -- the date that the file was asked for by
    archive_index,                                -- its number on that date, from 1
    ---------- what changed
    kind,                                         -- snapshot: a copy begins; insert (also each row of a copy), update or delete of a row; truncate of all rows; error instead of a file
    table_name,                                   -- table of the vendor's system state model
    row_id,                                       -- the vendor's id of the row; means nothing beyond the appliance's restart
    case when reject_reason is null then fields end as fields, -- the row's columns as sent, a JSON object; NULL when deleted
    message,                                      -- the text of an error, in the site's language
    ---------- times
    happened_at,                                  -- when it changed, or when the copy was taken, by the appliance's clock
    received_at,                                  -- when the file was received, by our clock
    ---------- delivery
    window_start,                                 -- start of the window that was asked for
    window_end,                                   -- end of the window that was asked for
    payload_sha256,                               -- sha256 of the file as received
    case when reject_reason is null then happened_at end as touched_from,  -- least event time that the record touches
    case when reject_reason is null then happened_at end as touched_until, -- greatest event time that the record touches
    reject_reason,                                -- why the record cannot be used; NULL when it can
    case when reject_reason is not null then coalesce(reject_payload, '') end as reject_payload -- the unreadable part, unpacked
from records
