-- Each row that an archived event inserts, updates or deletes is staged, or rejected with what it stood in.
with lines as (
    select source, segment, window_start, unnest(string_split(try(decode(gunzip(payload))), chr(10))) as line
    from raw.beyondtrust_archive
    where regexp_matches(request, '\bgenerate_report=Archive\b') and regexp_matches(request, '\btype=event\b')
),

counted as (
    select source, segment, window_start,
        case when coalesce(json_valid(line), false) then
            coalesce(list_sum(list_transform(json_extract(line, '$.insert.*'), lambda t: len(json_keys(t)))), 0)
            + coalesce(list_sum(list_transform(json_extract(line, '$.update.*'), lambda t: len(json_keys(t)))), 0)
            + coalesce(list_sum(list_transform(json_extract(line, '$.delete.*'), lambda t: json_array_length(t))), 0)
        else 1
        end as changes
    from lines
    -- That nothing was found is told in XML.
    where regexp_matches(line, '\S') and not regexp_matches(line, '^\s*<')
),

sent as (
    select source, segment, min(window_start) as window_start, sum(changes)::bigint as changes
    from counted
    group by source, segment
),

staged as (
    select segment, count(*) filter (archive_type = 'event') as changes,
        -- An event without a time is one reject, however many rows it changes.
        count(*) filter (archive_type = 'event' and reject_reason is not null) as rejects
    from staging.stg_beyondtrust__archive
    group by segment
)

select s.source, s.segment, s.window_start, s.changes as changes_sent, coalesce(t.changes, 0) as rows_staged
from sent as s
left join staged as t on s.segment = t.segment
where s.changes > coalesce(t.changes, 0) and coalesce(t.rejects, 0) = 0
