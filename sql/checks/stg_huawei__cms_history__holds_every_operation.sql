-- Each operation of each reply, and each line of a file, is staged, as a row or as a reject, and each reply itself is one.
-- Lines inside a zip are not counted.
with pages as (
    select source, segment, window_start, content_type, try(decode(payload)) as body from raw.huawei_cms_history
),

counted as (
    select source, segment, window_start,
        case
            when content_type = 'text/csv' then len(list_filter(
                string_split(body, chr(10)),
                lambda line: regexp_matches(line, '\S') and not contains(line, 'id,developer_id,')
            ))
            when not coalesce(json_valid(body), false) then null
            when coalesce(
                json_extract_string(body, '$.resultCode'), json_extract_string(body, '$.result')
            ) in ('0100000', '0') then greatest(
                json_array_length(body, '$.resultDesc'), json_array_length(body, '$.resultDatas')
            )
        end as operations
    from pages
),

sent as (
    select source, segment, min(window_start) as window_start, coalesce(sum(operations), 0)::bigint as operations,
        count(*) as replies
    from counted
    group by source, segment
),

staged as (
    select segment, count(*) filter (record > 0) as operations, count(*) filter (record = 0) as replies
    from staging.stg_huawei__cms_history
    group by segment
)

select s.source, s.segment, s.window_start, s.operations as operations_sent,
    coalesce(t.operations, 0) as operations_staged, s.replies as replies_sent, coalesce(t.replies, 0) as replies_staged
from sent as s
left join staged as t on s.segment = t.segment
where s.operations > coalesce(t.operations, 0) or s.replies <> coalesce(t.replies, 0)
