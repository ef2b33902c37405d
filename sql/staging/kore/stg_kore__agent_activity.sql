-- Kore.ai agent updates as delivered: one row per update of each reply, typed, the vendor's names and meaning.
-- Nothing is deduplicated here. What could not be read is kept, with reject_reason and reject_payload filled.
-- event_time carries no zone: int_kore_records places it by the source's event_timezone.
-- grain: segment, sequence, record
with pages as (
    select
        source, segment, sequence, status, window_start, window_end, received_at, payload_sha256,
        -- Bytes that are no UTF-8 are shown escaped; as received they stay in the raw segment.
        coalesce(text, payload::varchar) as body,
        -- `try` because one bad byte must not lose the segment.
        try_cast(text as json) as page
    from (
        -- Half a character, as \ud800, is no JSON, and one name that ends in it must not lose the page.
        select * exclude (text),
            case when regexp_matches(text, '\\u[dD][89a-fA-F]') then pair_surrogates(text) else text end as text
        from (select *, try(decode(payload)) as text from raw.kore_agent_activity)
    )
),

-- The vendor's field table is in camelCase, its sample in PascalCase. A list that is null or absent beside the account
-- is a reply without updates, as is status 204; anything else without a list is no reply of this feed.
envelopes as (
    select * exclude (page),
        json_extract_string(page, '$.accountId') as account_id,
        coalesce(
            nullif(json_extract(page, '$.AgentUpdates')::varchar, 'null'),
            nullif(json_extract(page, '$.agentUpdates')::varchar, 'null')
        ) as updates,
        coalesce(
            (status = 204 and body = '') or (
                updates is null and json_type(page) = 'OBJECT' and list_contains(json_keys(page), 'accountId')
                and len(list_filter(
                    json_keys(page), lambda k: k not in ('accountId', 'AgentUpdates', 'agentUpdates')
                )) = 0
            ),
            false
        ) as is_empty,
        coalesce(json_type(updates) = 'ARRAY', false) as is_list
    from pages
),

records as (
    select * exclude (updates),
        unnest(json_extract(updates, '$[*]')) as r,
        generate_subscripts(json_extract(updates, '$[*]'), 1) as record
    from envelopes
    where is_list
    union all by name
    select * exclude (updates), null as r, 0 as record from envelopes where not is_list and not is_empty
),

fields as (
    select *,
        nullif(trim(coalesce(json_extract_string(r, '$.AgentId'), json_extract_string(r, '$.agentId'))), '') as agent_id,
        nullif(trim(coalesce(json_extract_string(r, '$.EventTime'), json_extract_string(r, '$.eventTime'))), '') as said_time,
        nullif(trim(coalesce(json_extract_string(r, '$.Activity'), json_extract_string(r, '$.activity'))), '') as activity,
        nullif(trim(coalesce(json_extract_string(r, '$.ReasonCode'), json_extract_string(r, '$.reasonCode'))), '') as reason_code,
        coalesce(json_type(r, '$.AgentId'), json_type(r, '$.agentId')) in ('OBJECT', 'ARRAY') as has_odd_agent,
        coalesce(json_type(r, '$.Activity'), json_type(r, '$.activity')) in ('OBJECT', 'ARRAY') as has_odd_activity,
        -- The vendor writes 10/20/2020 2:13:12: the hour without a leading zero, no zone, no fraction.
        try_strptime(said_time, '%m/%d/%Y %H:%M:%S') as event_time
    from records
),

judged as (
    select *,
        case
            when record = 0 then 'the page is not a JSON object with a list "AgentUpdates"'
            when json_type(r) <> 'OBJECT' then 'the update is no JSON object'
            when agent_id is null or has_odd_agent then 'AgentId is missing or no text'
            when activity is null or has_odd_activity then 'Activity is missing or no text'
            when event_time is null then 'EventTime is missing or no time as MM/DD/YYYY HH:MM:SS'
            -- Days look for their records in the segments of a day before and 35 days after (docs/models.md).
            when event_time < window_start::date - interval 34 days
                or event_time >= window_start::date + interval 38 hours
                then 'EventTime is not near the window that was asked for'
        end as reject_reason
    from fields
)

select
    source,                                               -- name of the source in sources.yaml
    segment,                                              -- raw segment that delivered the update
    sequence,                                             -- page within the segment, from 0
    record::bigint as record,                             -- place within the page, from 1; 0 stands for a whole page that could not be read
    account_id,                                           -- the vendor's id of the account, as the reply names it
    agent_id,                                             -- the vendor's id of the agent, a-…
    event_time,                                           -- when the activity began, to the second, in the source's event_timezone
    activity,                                             -- the vendor's word for what the agent does, as notready
    reason_code,                                          -- the vendor's code of the reason
    ---------- delivery
    window_start,                                         -- start of the window that was asked for
    window_end,                                           -- end of the window that was asked for
    received_at,                                          -- when the reply was received, by our clock
    payload_sha256,                                       -- sha256 of the page
    -- A clock on the wall is at most 14 hours ahead of UTC and 12 behind it.
    case when reject_reason is null then
        event_time::timestamptz - interval 14 hours
    end as touched_from,                                  -- earliest instant that event_time can mean
    case when reject_reason is null then
        event_time::timestamptz + interval 12 hours
    end as touched_until,                                 -- latest instant that event_time can mean
    reject_reason,                                        -- why the update cannot be used; NULL when it can
    case
        when reject_reason is null then null
        when record = 0 then body
        else r::varchar
    end as reject_payload                                 -- the unreadable update, or page, as delivered
from judged
