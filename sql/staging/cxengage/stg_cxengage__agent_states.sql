-- CxEngage agent state records as delivered: one row per record of each reply, typed, the vendor's names and meaning.
-- Nothing is deduplicated here. What could not be read is kept, with reject_reason and reject_payload filled.
-- grain: segment, sequence, record
with pages as (
    select
        source, segment, sequence, window_start, window_end, received_at, payload_sha256,
        -- Bytes that are no UTF-8 are shown escaped; as received they stay in the raw segment.
        coalesce(text, payload::varchar) as body,
        -- `try` because one bad byte must not lose the segment; a field of the wrong type becomes NULL by itself.
        try(from_json(text, '{"results": [{
            "eventId": "VARCHAR", "nextEventId": "VARCHAR", "sessionId": "VARCHAR",
            "agentId": "VARCHAR", "agentName": "VARCHAR", "platformAgentId": "VARCHAR", "tenantAgentId": "VARCHAR",
            "eventType": "VARCHAR", "presence": "VARCHAR", "state": "VARCHAR", "allocation": "VARCHAR",
            "direction": "VARCHAR", "reasonId": "VARCHAR", "reasonName": "VARCHAR",
            "reasonListId": "VARCHAR", "reasonListName": "VARCHAR",
            "start": "TIMESTAMPTZ", "end": "VARCHAR", "loginTimestamp": "TIMESTAMPTZ", "durationSeconds": "DOUBLE",
            "capacity": [{"channels": {"voice": "BIGINT", "email": "BIGINT", "messaging": "BIGINT", "sms": "BIGINT",
                                       "workItem": "BIGINT"},
                          "allocation": "VARCHAR", "load": "DOUBLE", "capacity": "BIGINT"}],
            "transfers": [{"interactionId": "VARCHAR", "toAgentId": "VARCHAR",
                           "transferStartTimestamp": "TIMESTAMPTZ", "transferEndTimestamp": "TIMESTAMPTZ"}]
        }]}')).results as results
    from (
        -- Half a character, as \ud800, is no JSON, and one name that ends in it must not lose the page.
        select * exclude (text),
            case when regexp_matches(text, '\\u[dD][89a-fA-F]') then pair_surrogates(text) else text end as text
        from (select *, try(decode(payload)) as text from raw.cxengage_agent_states)
    )
),

records as (
    select * exclude (results), unnest(results) as r, generate_subscripts(results, 1) as record
    from pages
    where results is not null
    union all by name
    select * exclude (results), null as r, 0 as record from pages where results is null
),

judged as (
    select *,
        try_cast(r."end" as timestamptz) as ended_at,
        case
            when record = 0 then 'the page is not a JSON object with a list "results"'
            when r.eventId is null then 'eventId is missing'
            when r.agentId is null then 'agentId is missing'
            when r.start is null or not isfinite(r.start) then 'start is missing or no time'
            -- Read as open, a record with an unreadable end would run on.
            when r."end" is not null and not coalesce(isfinite(ended_at), false) then 'end is no time'
            when ended_at < r.start then 'end lies before start'
        end as reject_reason
    from records
)

select
    source,                                               -- name of the feed's source in sources.yaml
    segment,                                              -- raw segment that delivered the record
    sequence,                                             -- page within the segment, from 0
    record::bigint as record,                             -- place within the page, from 1; 0 stands for a whole page that could not be read
    ---------- ids
    r.eventId as event_id,                                -- the vendor's id of the record (UUIDv1)
    r.nextEventId as next_event_id,                       -- id of the record that follows in the session; known once this one ended
    r.sessionId as session_id,                            -- the vendor's id of the sign-in
    r.agentId as agent_id,                                -- the vendor's id of the agent
    r.platformAgentId as platform_agent_id,               -- the agent's number on the platform
    r.tenantAgentId as tenant_agent_id,                   -- the agent's number on the tenant
    ---------- words
    r.agentName as agent_name,                            -- the agent's user name
    r.eventType as event_type,                            -- agent-session-start, agent-capacity, agent-ready or agent-not-ready
    r.presence as presence,                               -- ready or not-ready
    r.state as state,                                     -- the vendor's state: idle, away, perhaps busy or offline
    r.allocation as allocation,                           -- not-allocated, allocated or fully-allocated, for the whole agent
    r.direction as direction,                             -- inbound or outbound, of voice interactions
    r.reasonId as reason_id,                              -- id of the presence reason
    r.reasonName as reason_name,                          -- name of the presence reason
    r.reasonListId as reason_list_id,                     -- id of the list that holds the reason
    r.reasonListName as reason_list_name,                 -- name of the list that holds the reason
    ---------- times and lengths
    r.start as started_at,                                -- when the state began
    ended_at,                                             -- when it ended; NULL while it is open
    r.durationSeconds as duration_seconds,                -- length in seconds as the vendor states it
    r.loginTimestamp as logged_in_at,                     -- when the session began
    ---------- lists
    r.capacity as capacity,                               -- per capacity rule: interactions per channel, load as a share, capacity in items
    r.transfers as transfers,                             -- transfers that the agent initiated
    ---------- delivery
    window_start,                                         -- start of the window that was asked for
    window_end,                                           -- end of the window that was asked for
    received_at,                                          -- when the reply was received, by our clock
    payload_sha256,                                       -- sha256 of the page
    case when reject_reason is null then
        least(r.start, list_min(list_transform(r.transfers, lambda t: t.transferStartTimestamp)))
    end as touched_from,                                  -- least event time that the record touches
    case when reject_reason is null then
        greatest(r.start, list_max(list_transform(r.transfers, lambda t: t.transferStartTimestamp)))
    end as touched_until,                                 -- greatest event time that the record touches
    reject_reason,                                        -- why the record cannot be used; NULL when it can
    case
        when reject_reason is null then null
        when record = 0 then body
        else coalesce(json_extract(body, '$.results[' || (record - 1) || ']')::varchar, '')
    end as reject_payload                                 -- the unreadable record, or page, as delivered
from judged
