-- Each row that a message inserts, updates or deletes is staged, or rejected with what it stood in.
with read as (
    select source, segment, sequence, window_start, try(decode(payload)) as body from raw.beyondtrust_state
),

counted as (
    select source, segment, sequence, window_start,
        case when coalesce(json_valid(body), false) then
            coalesce(list_sum(list_transform(json_extract(body, '$.insert.*'), lambda t: len(json_keys(t)))), 0)
            + coalesce(list_sum(list_transform(json_extract(body, '$.update.*'), lambda t: len(json_keys(t)))), 0)
            + coalesce(list_sum(list_transform(json_extract(body, '$.delete.*'), lambda t: json_array_length(t))), 0)
        else 1
        end as changes
    from read
),

sent as (
    select source, segment, min(window_start) as window_start, sum(changes)::bigint as changes
    from counted
    group by source, segment
),

staged as (
    select segment, count(*) as changes from staging.stg_beyondtrust__state group by segment
)

select s.source, s.segment, s.window_start, s.changes as changes_sent, coalesce(t.changes, 0) as rows_staged
from sent as s
left join staged as t on s.segment = t.segment
where s.changes > coalesce(t.changes, 0)
