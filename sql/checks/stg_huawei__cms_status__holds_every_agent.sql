-- Each agent of each reply about the present is staged, as a row or as a reject.
with pages as (
    select source, segment, window_start, try(decode(payload)) as body from raw.huawei_cms_status
),

counted as (
    select source, segment, window_start,
        case
            when not coalesce(json_valid(body), false) then null
            when coalesce(
                json_extract_string(body, '$.resultCode'), json_extract_string(body, '$.result')
            ) in ('0100000', '0') then greatest(
                json_array_length(body, '$.resultDesc'), json_array_length(body, '$.resultDatas')
            )
        end as agents
    from pages
),

sent as (
    select source, segment, min(window_start) as window_start, coalesce(sum(agents), 0)::bigint as agents,
        count(*) filter (agents is null) as unreadable
    from counted
    group by source, segment
),

staged as (
    select segment, count(*) filter (record > 0) as agents, count(*) filter (record = 0) as unreadable
    from staging.stg_huawei__cms_status
    group by segment
)

select s.source, s.segment, s.window_start, s.agents as agents_sent, coalesce(t.agents, 0) as agents_staged,
    s.unreadable as unreadable_sent, coalesce(t.unreadable, 0) as unreadable_staged
from sent as s
left join staged as t on s.segment = t.segment
where s.agents <> coalesce(t.agents, 0) or s.unreadable > coalesce(t.unreadable, 0)
