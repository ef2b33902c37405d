-- Huawei CC-Gateway answers as received: one row per poll of an agent's state, or per event of a seat that we signed in.
-- An answer with an error says that this agent was not observed: its agent_state is NULL.
-- grain: segment, sequence, record
with pages as (
    select
        source, segment, sequence, requested_at, received_at, window_start, window_end, status, payload_sha256,
        regexp_extract(request, '/(?:onlineagent|agentevent)/([^/?[:space:]]+)', 1) as agent_id,
        contains(request, '/agentevent/') as is_event,
        -- Bytes that are no UTF-8 are shown escaped; as received they stay in the raw segment.
        coalesce(try(decode(payload)), payload::varchar) as body,
        try(from_json(try(decode(payload)), '{
            "retcode": "VARCHAR", "message": "VARCHAR", "result": "JSON",
            "event": {"eventType": "VARCHAR", "workNo": "VARCHAR", "content": "JSON", "eventGenTime": "VARCHAR"}
        }')) as r
    from raw.huawei_agent_status
),

-- The vendor's table calls result an array, its sample shows an object.
read as (
    select *,
        try_cast(coalesce(r.result ->> '$.agentState', r.result ->> '$[0].agentState') as bigint) as agent_state,
        try_cast(coalesce(r.result ->> '$.isWorking', r.result ->> '$[0].isWorking') as boolean) as is_working
    from pages
),

judged as (
    select *,
        case
            when agent_id = '' then 'the request names no agent'
            when status <> 200 then null
            when r.retcode is null then 'the reply is not a JSON object with a retcode'
            when is_event and r.event.eventType is null then 'eventType is missing'
            when not is_event and r.retcode = '0' and agent_state is null then 'agentState is missing or no number'
        end as reject_reason
    from read
)

select
    source,                                               -- name of the feed's source in sources.yaml
    segment,                                              -- raw segment that delivered the answer
    sequence,                                             -- place of the answer within the segment, from 0
    case
        when r.retcode is null and status = 200 then 0 else 1
    end::bigint as record,                                -- 1; 0 stands for an answer that could not be read
    agent_id,                                             -- the agent's work number, as asked for
    status,                                               -- HTTP status
    r.retcode as retcode,                                 -- the gateway's code: 0 or what was wrong
    r.message as message,                                 -- what the gateway says of it
    case when r.retcode = '0' then agent_state end as agent_state, -- 2 signed out, 3 busy, 4 and 6 idle, 5 wrap-up, 7 talking, 8 rest, 9 pre-rest, 0 unknown; NULL with an error
    case when r.retcode = '0' then is_working end as is_working,   -- whether the agent is talking
    r.event.eventType as event_type,                      -- the event of a seat that we signed in; NULL for a poll
    r.event.content::varchar as event_content,            -- what the event says beside its type, JSON
    try(make_timestamptz(try_cast(r.event.eventGenTime as bigint) * 1000)) as event_at, -- when it happened, where the gateway says so
    ---------- delivery
    requested_at,                                         -- when it was asked for, by our clock
    received_at,                                          -- when the answer was received, by our clock
    window_start,                                         -- start of the watched stretch
    window_end,                                           -- end of the watched stretch
    payload_sha256,                                       -- sha256 of the answer
    -- A sample speaks for the time up to the next one; ten minutes are the most that hold_polls allows.
    case when reject_reason is null then received_at - interval 10 minutes end as touched_from, -- least event time that the answer touches
    case when reject_reason is null then received_at + interval 10 minutes end as touched_until, -- greatest event time that the answer touches
    reject_reason,                                        -- why the answer cannot be used; NULL when it can
    case when reject_reason is not null then body end as reject_payload -- the unreadable answer as received
from judged
