-- CxEngage's own sums per agent and interval as delivered: one row per record of each reply, typed, the vendor's names
-- and meaning. Nothing is deduplicated here, and times are in the vendor's unit.
-- What could not be read is kept, with reject_reason and reject_payload filled.
-- grain: segment, sequence, record
with replies as (
    select
        source, segment, sequence, window_start, window_end, received_at, payload_sha256,
        -- Bytes that are no UTF-8 are shown escaped; as received they stay in the raw segment.
        coalesce(text, payload::varchar) as body,
        -- `try` because one bad byte must not lose the segment.
        try(json_extract(text, '$.results')) as results
    from (
        -- Half a character, as \ud800, is no JSON, and one name that ends in it must not lose the page.
        select * exclude (text),
            case when regexp_matches(text, '\\u[dD][89a-fA-F]') then pair_surrogates(text) else text end as text
        from (select *, try(decode(payload)) as text from raw.cxengage_agent_intervals)
    )
),

pages as (
    select source, segment, sequence, window_start, window_end, received_at, payload_sha256, body,
        -- The vendor's samples show one object in place of a list.
        case json_type(results) when 'ARRAY' then results::json[] when 'OBJECT' then [results] end as entries
    from replies
),

records as (
    select * exclude (entries), unnest(entries) as entry, generate_subscripts(entries, 1) as record
    from pages
    where entries is not null
    union all by name
    select * exclude (entries), null::json as entry, 0 as record from pages where entries is null
),

typed as (
    -- A field of the wrong type becomes NULL by itself.
    select *, try(from_json(entry, '{
        "agentId": "VARCHAR", "agentName": "VARCHAR", "startTimestamp": "VARCHAR", "endTimestamp": "VARCHAR",
        "idleTime": "DOUBLE", "busyTime": "DOUBLE", "conversationTime": "DOUBLE",
        "wrapUpTime": "DOUBLE", "agentWrapUpTime": "DOUBLE",
        "offeredCallCount": "BIGINT", "answeredCallCount": "BIGINT", "handledCallCount": "BIGINT"
    }')) as r
    from records
),

judged as (
    select *,
        try_cast(r.startTimestamp as timestamptz) as interval_start, try_cast(r.endTimestamp as timestamptz) as interval_end,
        case
            when record = 0 then 'the page is not a JSON object with "results"'
            when r.agentId is null then 'agentId is missing'
            when not coalesce(isfinite(interval_start), false) then 'startTimestamp is missing or no time'
            when not coalesce(isfinite(interval_end), false) then 'endTimestamp is missing or no time'
            when interval_end <= interval_start then 'endTimestamp does not lie after startTimestamp'
        end as reject_reason
    from typed
)

select
    source,                                               -- name of the feed's source in sources.yaml
    segment,                                              -- raw segment that delivered the record
    sequence,                                             -- page within the segment, from 0
    record::bigint as record,                             -- place within the page, from 1; 0 stands for a whole page that could not be read
    r.agentId as agent_id,                                -- the vendor's id of the agent
    r.agentName as agent_name,                            -- the agent's user name
    interval_start,                                       -- start of the stretch that the sums are of
    interval_end,                                         -- its end
    case when isfinite(r.idleTime) then r.idleTime end as idle_time, -- time ready and without work, in the vendor's unit
    case when isfinite(r.busyTime) then r.busyTime end as busy_time, -- time with work, in the vendor's unit
    case when isfinite(r.conversationTime) then r.conversationTime end as conversation_time, -- time in conversations, summed over them
    case when isfinite(r.wrapUpTime) then r.wrapUpTime end as wrap_up_time, -- time of after-contact work, summed over contacts
    case when isfinite(r.agentWrapUpTime) then r.agentWrapUpTime end as agent_wrap_up_time, -- the same under another name, which one who used it gives
    r.offeredCallCount as offered_call_count,             -- contacts offered
    r.answeredCallCount as answered_call_count,           -- contacts answered
    r.handledCallCount as handled_call_count,             -- contacts handled
    ---------- delivery
    window_start,                                         -- start of the window that was asked for
    window_end,                                           -- end of the window that was asked for
    received_at,                                          -- when the reply was received, by our clock
    payload_sha256,                                       -- sha256 of the page
    case when reject_reason is null then interval_start end as touched_from,  -- least event time that the record touches
    case when reject_reason is null then interval_start end as touched_until, -- greatest event time that the record touches
    reject_reason,                                        -- why the record cannot be used; NULL when it can
    case
        when reject_reason is null then null
        when record = 0 then body
        else coalesce(entry::varchar, 'null')
    end as reject_payload                                 -- the unreadable record, or page, as delivered
from judged
