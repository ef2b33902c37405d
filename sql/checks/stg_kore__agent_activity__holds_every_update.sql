-- Each update of each reply is staged, as a row or as a reject, and a reply without an account is one reject.
with pages as (
    select source, segment, window_start, status,
        -- Halves of characters, which are no JSON, count for nothing here.
        case
            when regexp_matches(text, '\\u[dD]') then
                regexp_replace(replace(text, '\\', '//'), '\\u[dD][89a-fA-F]..', '?', 'g')
            else text
        end as body
    from (select *, try(decode(payload)) as text from raw.kore_agent_activity)
),

counted as (
    select source, segment, window_start,
        case
            when not coalesce(json_valid(body), false) then null
            when coalesce(json_type(body, '$.AgentUpdates'), 'NULL') = 'NULL' then json_array_length(body, '$.agentUpdates')
            else json_array_length(body, '$.AgentUpdates')
        end as records,
        case
            when status = 204 then false
            when not coalesce(json_valid(body), false) then true
            else json_type(body, '$.accountId') is null
        end as is_strange
    from pages
),

sent as (
    select source, segment, min(window_start) as window_start, coalesce(sum(records), 0)::bigint as records,
        count(*) filter (records is null and is_strange) as unreadable
    from counted
    group by source, segment
),

staged as (
    select segment, count(*) filter (record > 0) as records, count(*) filter (record = 0) as unreadable
    from staging.stg_kore__agent_activity
    group by segment
)

select s.source, s.segment, s.window_start, s.records as records_sent, coalesce(t.records, 0) as records_staged,
    s.unreadable as unreadable_sent, coalesce(t.unreadable, 0) as unreadable_staged
from sent as s
left join staged as t on s.segment = t.segment
where s.records <> coalesce(t.records, 0) or s.unreadable > coalesce(t.unreadable, 0)
