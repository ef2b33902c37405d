-- Each record of each reply is staged, as a row or as a reject, and each reply that cannot be read is one reject.
with pages as (
    select source, segment, window_start,
        -- Halves of characters, which are no JSON, count for nothing here.
        case
            when regexp_matches(text, '\\u[dD]') then
                regexp_replace(replace(text, '\\', '//'), '\\u[dD][89a-fA-F]..', '?', 'g')
            else text
        end as body
    from (select *, try(decode(payload)) as text from raw.cxengage_agent_states)
),

counted as (
    select source, segment, window_start,
        case when coalesce(json_valid(body), false) then json_array_length(body, '$.results') end as records
    from pages
),

sent as (
    select source, segment, min(window_start) as window_start, coalesce(sum(records), 0)::bigint as records,
        count(*) filter (records is null) as unreadable
    from counted
    group by source, segment
),

staged as (
    select segment, count(*) filter (record > 0) as records, count(*) filter (record = 0) as unreadable
    from staging.stg_cxengage__agent_states
    group by segment
)

select s.source, s.segment, s.window_start, s.records as records_sent, coalesce(t.records, 0) as records_staged,
    s.unreadable as unreadable_sent, coalesce(t.unreadable, 0) as unreadable_staged
from sent as s
left join staged as t on s.segment = t.segment
where s.records <> coalesce(t.records, 0) or s.unreadable > coalesce(t.unreadable, 0)
