-- Huawei operations of agents as delivered by CC-CMS, or in a CSV file of CC-FS: one row per operation, and one per reply
-- or file (record 0), which says whose operations of which stretch it tells. The names of the fields are those of the
-- CC-FS file, or their camel case.
-- grain: segment, sequence, record
with pages as (
    select
        source, segment, sequence, received_at, window_start, window_end, payload_sha256,
        try(from_json(regexp_extract(request, '\{.*\}$'), '{"currentAgentId": "VARCHAR"}')).currentAgentId as asked_for,
        coalesce(try(decode(payload)), payload::varchar) as body,
        coalesce(content_type in ('text/csv', 'application/zip'), false) as is_file,
        case when content_type in ('text/csv', 'application/zip') then csv_to_json(payload,
            'id,developer_id,account_id,agent_id,service_no,skill_id,call_id,begin_time,end_time,op_type,op_object,'
            || 'op_cause,media_type,vdn_id,cc_id,agent_type,phone_no,callIn_out,location_id,logon_sn,skillInfo_sn')
        end as lines,
        try(from_json(try(decode(payload)), '{
            "resultCode": "VARCHAR", "result": "VARCHAR", "resultDesc": "JSON", "resultDatas": "JSON"
        }')) as r
    from raw.huawei_cms_history
),

read as (
    select * exclude (r, lines),
        case when is_file then if(lines <> '[]', '0', 'no lines') else coalesce(r.resultCode, r.result) end as result_code,
        case when json_type(r.resultDesc) = 'ARRAY' then 'resultDesc' else 'resultDatas' end as place,
        try(from_json(
            case
                when is_file then lines::json
                when json_type(r.resultDesc) = 'ARRAY' then r.resultDesc
                else r.resultDatas
            end,
            '[{"id": "VARCHAR", "agent_id": "VARCHAR", "agentId": "VARCHAR", "currentAgentId": "VARCHAR",
               "skill_id": "VARCHAR", "skillId": "VARCHAR", "call_id": "VARCHAR", "callId": "VARCHAR",
               "begin_time": "VARCHAR", "beginTime": "VARCHAR", "end_time": "VARCHAR", "endTime": "VARCHAR",
               "op_type": "VARCHAR", "opType": "VARCHAR", "operateType": "VARCHAR",
               "op_object": "VARCHAR", "opObject": "VARCHAR", "operateObject": "VARCHAR",
               "op_cause": "VARCHAR", "opCause": "VARCHAR", "operateCause": "VARCHAR", "operateReason": "VARCHAR",
               "media_type": "VARCHAR", "mediaType": "VARCHAR", "phone_no": "VARCHAR", "phoneNo": "VARCHAR",
               "callIn_out": "VARCHAR", "callInOut": "VARCHAR", "logon_sn": "VARCHAR", "logonSn": "VARCHAR",
               "line": "VARCHAR"}]'
        )) as results
    from pages
),

replies as (
    select * exclude (results), 0 as record, null as o,
        case
            when is_file and result_code is distinct from '0' then 'the file is neither a CSV with lines nor a zip of one'
            when result_code is null then 'the page is not a JSON object with a resultCode'
            when result_code not in ('0100000', '0') then 'resultCode is ' || result_code
            when asked_for is null and not is_file then 'the request names no agent'
        end as reject_reason
    from read
    union all by name
    select * exclude (results), generate_subscripts(results, 1) as record, unnest(results) as o, null as reject_reason
    from read
    where result_code in ('0100000', '0')
),

-- 65535 and -1 stand where an operation has no such thing.
named as (
    select * exclude (o),
        nullif(trim(o.id), '') as id,
        o.line as line,
        coalesce(nullif(trim(o.agent_id), ''), o.agentId, o.currentAgentId, asked_for) as agent_id,
        trim(coalesce(o.op_type, o.opType, o.operateType)) as op_type,
        trim(coalesce(o.begin_time, o.beginTime)) as begin_time,
        trim(coalesce(o.end_time, o.endTime, '')) as end_time,
        coalesce(o.op_cause, o.opCause, o.operateCause, o.operateReason) as op_cause,
        coalesce(o.op_object, o.opObject, o.operateObject) as op_object,
        coalesce(o.call_id, o.callId) as call_id,
        coalesce(o.skill_id, o.skillId) as skill_id,
        coalesce(o.media_type, o.mediaType) as media_type,
        coalesce(o.phone_no, o.phoneNo) as phone_no,
        coalesce(o.callIn_out, o.callInOut) as call_in_out,
        coalesce(o.logon_sn, o.logonSn) as logon_sn
    from replies
),

-- Times come as texts in UTC, at some sites as milliseconds since 1970.
timed as (
    select * replace (case when reject_reason is null and record > 0 then
            case
                when is_file and op_type is null then 'the line has not 21 cells'
                when agent_id is null then 'the record names no agent'
                when op_type is null or not regexp_full_match(op_type, '[0-9]{1,4}') then 'op_type is missing or no number'
            end
        else reject_reason end as reject_reason),
        case
            when regexp_full_match(begin_time, '[0-9]{12,14}') then try(make_timestamptz(begin_time::bigint * 1000))
            else try_cast(begin_time as timestamptz)
        end as begin_at,
        case
            when regexp_full_match(end_time, '[0-9]{12,14}') then try(make_timestamptz(end_time::bigint * 1000))
            else try_cast(end_time as timestamptz)
        end as end_at
    from named
),

judged as (
    select * replace (case when reject_reason is null and record > 0 then
            case
                when not coalesce(isfinite(begin_at), false) then 'begin_time is missing or no time'
                when end_time <> '' and not coalesce(isfinite(end_at), false) then 'end_time is no time'
                when end_at < begin_at then 'end_time lies before begin_time'
            end
        else reject_reason end as reject_reason)
    from timed
),

-- Whether CC-FS picks operations by begin or by end is not known: between the first end and the last begin a file holds
-- all either way.
told as (
    select *,
        case when is_file then min(coalesce(end_at, begin_at)) filter (reject_reason is null) over file else window_start end as told_from,
        case when is_file then max(begin_at) filter (reject_reason is null) over file else window_end end as told_until
    from judged
    window file as (partition by segment, sequence)
)

select
    source,                                               -- name of the feed's source in sources.yaml
    segment,                                              -- raw segment that delivered the reply
    sequence,                                             -- place of the reply within the segment, from 0: one reply per agent, or a file
    record::bigint as record,                             -- place of the operation within the reply, from 1; 0 is the reply itself
    agent_id,                                             -- the agent's work number; NULL for a file, which tells of all agents
    id,                                                   -- the vendor's id of the operation
    op_type,                                              -- 0 sign-out, 1 sign-in, 2 idle, 3 busy, 4 talking, 26 rest, 27 working, 45 and others hand-overs; NULL for a reply
    op_cause,                                             -- why; for talking 1 means that it goes on
    op_object,                                            -- on whom or what; 65535 or -1 mean nothing
    call_id,                                              -- the vendor's id of the call
    skill_id,                                             -- skill queue
    media_type,                                           -- kind of contact, the vendor's code
    phone_no,                                             -- address or number of the seat, or the number called
    call_in_out,                                          -- inbound or outbound, the vendor's code
    logon_sn,                                             -- the vendor's number of the sign-in
    begin_at,                                             -- when the operation began
    end_at,                                               -- when it ended; NULL while it goes on
    ---------- delivery
    window_start,                                         -- start of the window that was asked for
    window_end,                                           -- end of the window that was asked for
    received_at,                                          -- when the reply was received, by our clock
    payload_sha256,                                       -- sha256 of the reply
    case when reject_reason is null then coalesce(begin_at, told_from) end as touched_from, -- least event time that the record touches
    case when reject_reason is null then coalesce(end_at, begin_at, greatest(told_from, told_until)) end as touched_until, -- greatest event time that the record touches
    reject_reason,                                        -- why the record cannot be used; NULL when it can
    case
        when reject_reason is null then null
        when record = 0 then body
        when is_file then line
        else coalesce(json_extract(body, '$.' || place || '[' || (record - 1) || ']')::varchar, '')
    end as reject_payload                                 -- the unreadable record, or reply, as delivered
from told
order by segment, sequence, record
