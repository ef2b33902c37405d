-- Each row that an archived event inserts, updates or deletes is staged, or rejected with what it stood in.
with pages as (
    select source, segment, window_start, try(decode(gunzip(payload))) as body
    from raw.beyondtrust_archive
    where regexp_matches(request, '\bgenerate_report=Archive\b') and regexp_matches(request, '\btype=event\b')
),

texts as (
    select true as is_sent, source, segment, window_start, unnest(string_split(body, chr(10))) as line
    from pages
    -- That nothing was found is told in XML.
    where not regexp_matches(body, '^\s*<')
    union all
    -- One reject may be a whole line, all that a line inserts, or a table of it: so many rows are rejected.
    select false, source, segment, window_start,
        case
            when kind is null then reject_payload
            when table_name is null then '{"' || kind || '": ' || reject_payload || '}'
            else '{"' || kind || '": {"table": ' || reject_payload || '}}'
        end
    from staging.stg_beyondtrust__archive
    where archive_type = 'event' and record > 0 and row_id is null and reject_reason is not null
),

counted as (
    select is_sent, source, segment, window_start,
        case when coalesce(json_valid(line), false) then
            coalesce(list_sum(list_transform(json_extract(line, '$.insert.*'), lambda t: len(json_keys(t)))), 0)
            + coalesce(list_sum(list_transform(json_extract(line, '$.update.*'), lambda t: len(json_keys(t)))), 0)
            + coalesce(list_sum(list_transform(json_extract(line, '$.delete.*'), lambda t: json_array_length(t))), 0)
        else 1
        end as changes
    from texts
    where regexp_matches(line, '\S')
    union all
    select false, source, segment, window_start, 1
    from staging.stg_beyondtrust__archive
    where archive_type = 'event' and row_id is not null
),

summed as (
    select segment, min(source) filter (is_sent) as source, min(window_start) filter (is_sent) as window_start,
        coalesce(sum(changes) filter (is_sent), 0)::bigint as changes_sent,
        coalesce(sum(changes) filter (not is_sent), 0)::bigint as changes_staged
    from counted
    group by segment
)

select source, segment, window_start, changes_sent, changes_staged
from summed
where source is not null and changes_sent <> changes_staged
