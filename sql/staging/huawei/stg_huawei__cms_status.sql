-- Huawei CC-CMS replies about agents' present as received: one row per agent of each reply, typed, the vendor's meaning.
-- grain: segment, sequence, record
with pages as (
    select
        source, segment, sequence, requested_at, received_at, window_start, window_end, status, payload_sha256,
        coalesce(try(decode(payload)), payload::varchar) as body,
        try(from_json(try(decode(payload)), '{
            "resultCode": "VARCHAR", "result": "VARCHAR", "resultDesc": "JSON", "resultDatas": "JSON"
        }')) as r
    from raw.huawei_cms_status
),

-- The rows stand in resultDesc, and once more in resultDatas for old clients.
read as (
    select * exclude (r), coalesce(r.resultCode, r.result) as result_code,
        case when json_type(r.resultDesc) = 'ARRAY' then 'resultDesc' else 'resultDatas' end as place,
        try(from_json(
            case when json_type(r.resultDesc) = 'ARRAY' then r.resultDesc else r.resultDatas end,
            '[{"agentId": "VARCHAR", "currentState": "BIGINT", "currentStateTime": "BIGINT", "currentStateReason": "BIGINT",
               "prevState": "BIGINT", "prevStateTime": "BIGINT", "logonTime": "BIGINT", "locationId": "BIGINT",
               "agentRelease": "BIGINT", "currentPrivateCallNum": "BIGINT"}]'
        )) as results
    from pages
),

records as (
    select * exclude (results), unnest(results) as a, generate_subscripts(results, 1) as record
    from read
    where result_code in ('0100000', '0') and results is not null
    union all by name
    select * exclude (results), null as a, 0 as record
    from read
    where result_code is null or result_code not in ('0100000', '0') or results is null
),

judged as (
    select *,
        case
            when record = 0 and result_code is null then 'the page is not a JSON object with a resultCode'
            when record = 0 and result_code not in ('0100000', '0') then 'resultCode is ' || result_code
            when record = 0 then 'the page has no list resultDesc or resultDatas'
            when a.agentId is null then 'agentId is missing'
            when a.currentState is null then 'currentState is missing or no number'
        end as reject_reason
    from records
)

select
    source,                                               -- name of the feed's source in sources.yaml
    segment,                                              -- raw segment that delivered the reply
    sequence,                                             -- place of the reply within the segment, from 0
    record::bigint as record,                             -- place within the reply, from 1; 0 stands for a whole reply that could not be read
    a.agentId as agent_id,                                -- the agent's work number
    a.currentState as current_state,                      -- CTI code: 0 signed out, 1 idle, 2 to 5 on a call, 6 working, 7 busy, 8 rest, 9 study, 10 adjusting
    a.currentStateTime as current_state_seconds,          -- whole seconds in this state
    a.currentStateReason as current_state_reason,         -- reason of a rest; 65535 means none
    a.prevState as prev_state,                            -- CTI code of the state before
    a.prevStateTime as prev_state_seconds,                -- how many seconds that lasted; 4294967295 means that it is not known
    a.logonTime as logon_ms,                              -- sign-in in milliseconds since 1970; 4294967295000 means not signed in
    a.locationId as location_id,                          -- node that the agent is signed in at; 65535 means none
    a.agentRelease as agent_release,                      -- calls that the agent ended
    a.currentPrivateCallNum as current_private_calls,     -- private calls at the moment
    ---------- delivery
    requested_at,                                         -- when it was asked for, by our clock
    received_at,                                          -- when the reply was received, by our clock
    window_start,                                         -- start of the watched stretch
    window_end,                                           -- end of the watched stretch
    payload_sha256,                                       -- sha256 of the reply
    -- A sample speaks for the time up to the next one; ten minutes are the most that hold_polls allows. A state that began
    -- still earlier was seen then, or nobody was looking.
    case when reject_reason is null then received_at - interval 10 minutes end as touched_from, -- least event time that the record touches
    case when reject_reason is null then received_at + interval 10 minutes end as touched_until, -- greatest event time that the record touches
    reject_reason,                                        -- why the record cannot be used; NULL when it can
    case
        when reject_reason is null then null
        when record = 0 then body
        else coalesce(json_extract(body, '$.' || place || '[' || (record - 1) || ']')::varchar, '')
    end as reject_payload                                 -- the unreadable record, or reply, as received
from judged
