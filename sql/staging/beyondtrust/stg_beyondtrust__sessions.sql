-- Reports of the BeyondTrust Reporting API as delivered: one row per support session, per representative in it, per event
-- of it, and per event of a team. A session is delivered again as long as it is asked for; nothing is deduplicated here.
-- grain: segment, sequence, record
with pages as (
    select
        source, segment, sequence, window_start, window_end, received_at, payload_sha256,
        nullif(regexp_extract(request, '\bgenerate_report=(\w+)', 1), '') as report,
        -- Bytes that are no UTF-8 are shown escaped; as received they stay in the raw segment.
        coalesce(try(decode(payload)), payload::varchar) as body,
        try(from_json(xml_to_json(payload), '"MAP(VARCHAR, JSON)"')) as document
    from raw.beyondtrust_sessions
),

roots as (
    select * exclude (document), map_keys(document)[1] as root,
        try(from_json(json_extract(map_values(document)[1], '$[0]'), '{
            "#text": "VARCHAR", "error": [{"#text": "VARCHAR"}], "session": ["JSON"], "team_activity": ["JSON"]
        }')) as content
    from pages
),

-- Each list of elements becomes rows; what a row is part of goes with it.
sessions as (
    select * exclude (fields), fields,
        s."@lsid" as lsid, s.session_type[1]."#text" as session_type,
        try(to_timestamp(try_cast(s.start_time[1]."@timestamp" as double))) as started_at,
        try(to_timestamp(try_cast(s.end_time[1]."@timestamp" as double))) as ended_at,
        s.primary_rep[1]."@id" as representative_id, s.primary_rep[1]."@gsnumber" as gsnumber,
        s.primary_rep[1]."#text" as name
    from (
        select *, try(from_json(fields, '{
            "@lsid": "VARCHAR", "session_type": [{"#text": "VARCHAR"}],
            "start_time": [{"@timestamp": "VARCHAR"}], "end_time": [{"@timestamp": "VARCHAR"}],
            "primary_rep": [{"@id": "VARCHAR", "@gsnumber": "VARCHAR", "#text": "VARCHAR"}],
            "rep_list": [{"representative": ["JSON"]}], "session_details": [{"event": ["JSON"]}]
        }')) as s
        from (
            select * exclude (body, root, content, entries),
                unnest(entries) as fields, generate_subscripts(entries, 1) as place
            from (select *, content.session as entries from roots)
        )
    )
),

representatives as (
    select * exclude (s, r), r."@id" as representative_id, r."@gsnumber" as gsnumber,
        coalesce(r.private_display_name[1]."#text", r.display_name[1]."#text", r.username[1]."#text") as name,
        r.session_owner[1]."#text" = '1' as is_owner,
        try_cast(r.seconds_involved[1]."#text" as bigint) as seconds_involved
    from (
        select *, try(from_json(fields, '{
            "@id": "VARCHAR", "@gsnumber": "VARCHAR", "private_display_name": [{"#text": "VARCHAR"}],
            "display_name": [{"#text": "VARCHAR"}], "username": [{"#text": "VARCHAR"}],
            "session_owner": [{"#text": "VARCHAR"}], "seconds_involved": [{"#text": "VARCHAR"}]
        }')) as r
        from (
            select * exclude (fields, representative_id, gsnumber, name, entries),
                unnest(entries) as fields, generate_subscripts(entries, 1) as part_place
            from (select *, flatten(list_transform(s.rep_list, lambda l: l.representative)) as entries from sessions)
        )
    )
),

teams as (
    select * exclude (team), team."@id" as team_id, team."@name" as team_name,
        flatten(list_transform(team.events, lambda l: l.event)) as entries
    from (
        select * exclude (fields),
            try(from_json(fields, '{"@id": "VARCHAR", "@name": "VARCHAR", "events": [{"event": ["JSON"]}]}')) as team
        from (
            select * exclude (body, root, content, entries),
                unnest(entries) as fields, generate_subscripts(entries, 1) as place
            from (select *, content.team_activity as entries from roots)
        )
    )
),

events as (
    select * exclude (v), v."@event_type" as event_type,
        try(to_timestamp(try_cast(v."@timestamp" as double))) as event_at,
        v.performed_by[1]."@type" as performed_by_type, v.performed_by[1]."@gsnumber" as performed_by_gsnumber,
        v.performed_by[1]."@id" as performed_by_id, v.performed_by[1]."#text" as performed_by,
        v.destination[1]."@type" as destination_type, v.destination[1]."@gsnumber" as destination_gsnumber,
        v.destination[1]."@id" as destination_id, v.destination[1]."#text" as destination,
        list_transform(
            flatten(list_transform(v.data, lambda d: d.value)), lambda d: {'name': d."@name", 'value': d."@value"}
        ) as data
    from (
        select *, try(from_json(fields, '{
            "@timestamp": "VARCHAR", "@event_type": "VARCHAR",
            "performed_by": [{"@type": "VARCHAR", "@gsnumber": "VARCHAR", "@id": "VARCHAR", "#text": "VARCHAR"}],
            "destination": [{"@type": "VARCHAR", "@gsnumber": "VARCHAR", "@id": "VARCHAR", "#text": "VARCHAR"}],
            "data": [{"value": [{"@name": "VARCHAR", "@value": "VARCHAR"}]}]
        }')) as v
        from (
            select source, segment, sequence, window_start, window_end, received_at, payload_sha256, report,
                place, lsid, session_type, started_at, ended_at, null::varchar as team_id, null::varchar as team_name,
                unnest(entries) as fields, generate_subscripts(entries, 1) as part_place
            from (select *, flatten(list_transform(s.session_details, lambda l: l.event)) as entries from sessions)
            union all
            select source, segment, sequence, window_start, window_end, received_at, payload_sha256, report,
                place, null, null, null, null, team_id, team_name,
                unnest(entries), generate_subscripts(entries, 1)
            from teams
        )
    )
),

records as (
    select source, segment, sequence, window_start, window_end, received_at, payload_sha256, report,
        'session' as kind, place, 0 as part, 0 as part_place, fields, null::varchar as message,
        lsid, session_type, started_at, ended_at, representative_id, gsnumber, name,
        null::boolean as is_owner, null::bigint as seconds_involved, null::varchar as team_id, null::varchar as team_name,
        null::varchar as event_type, null::timestamptz as event_at,
        null::varchar as performed_by_type, null::varchar as performed_by_gsnumber, null::varchar as performed_by_id,
        null::varchar as performed_by, null::varchar as destination_type, null::varchar as destination_gsnumber,
        null::varchar as destination_id, null::varchar as destination,
        null::struct(name varchar, "value" varchar)[] as data,
        coalesce(started_at, ended_at) as low, coalesce(ended_at, started_at) as high,
        case
            when lsid is null then 'the session has no lsid'
            when not coalesce(isfinite(started_at), false) then 'start_time is missing or no time'
            when ended_at < started_at then 'end_time lies before start_time'
        end as reject_reason
    from sessions
    union all
    select source, segment, sequence, window_start, window_end, received_at, payload_sha256, report,
        'representative', place, 1, part_place, fields, null,
        lsid, session_type, started_at, ended_at, representative_id, gsnumber, name, is_owner, seconds_involved,
        null, null, null, null, null, null, null, null, null, null, null, null, null,
        started_at, coalesce(ended_at, started_at),
        case
            when representative_id is null then 'the representative has no id'
            when lsid is null then 'the session has no lsid'
            when not coalesce(isfinite(started_at), false) then 'start_time is missing or no time'
        end
    from representatives
    union all
    select source, segment, sequence, window_start, window_end, received_at, payload_sha256, report,
        case when lsid is null then 'team_event' else 'event' end, place, 2, part_place, fields, null,
        lsid, session_type, started_at, ended_at, null, null, null, null, null, team_id, team_name, event_type, event_at,
        performed_by_type, performed_by_gsnumber, performed_by_id, performed_by,
        destination_type, destination_gsnumber, destination_id, destination, data,
        event_at, event_at,
        case
            when event_type is null then 'the event has no event_type'
            when not coalesce(isfinite(event_at), false) then 'timestamp is missing or no time'
        end
    from events
    union all
    -- That nothing was found is told as an error, at HTTP 200, in the site's language.
    select source, segment, sequence, window_start, window_end, received_at, payload_sha256, report,
        'error', 0, 0, 0, null, coalesce(content.error[1]."#text", content."#text", ''), null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null,
        null, null, null
    from roots
    where root = 'error' or content.error is not null
    union all
    select source, segment, sequence, window_start, window_end, received_at, payload_sha256, report,
        null, -1, 0, 0, to_json(body), null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null,
        null, null, 'the reply is no report in XML, or declares entities'
    from roots
    where root is null or content is null
        or (root <> 'error' and content.error is null and root not in ('session_list', 'team_activity_list'))
),

numbered as (
    select *, case when place >= 0 then row_number() over (
        partition by segment, sequence order by place, part, part_place, kind
    ) else 0 end as record
    from records
)

select
    source,                                       -- name of the feed's source in sources.yaml
    segment,                                      -- raw segment that holds the reply
    sequence,                                     -- reply within the segment, from 0
    record::bigint as record,                     -- place within the reply, from 1; 0 stands for a whole reply that could not be read
    ---------- whose
    report,                                       -- the vendor's name of the report
    kind,                                         -- session; representative in it; event of it; team_event; error
    lsid,                                         -- the vendor's id of the session
    team_id,                                      -- of a team's event: the vendor's id of the team
    team_name,                                    -- of a team's event: its name
    ---------- sessions and representatives
    session_type,                                 -- support, presentation, …
    started_at,                                   -- when the session began
    ended_at,                                     -- when it ended; NULL while it lasts or when it ended abnormally
    representative_id,                            -- user id of the representative; of a session, of the primary one
    gsnumber,                                     -- number of the representative within this session, which its events use
    name,                                         -- name of the representative
    is_owner,                                     -- whether the representative owned the session at its end
    seconds_involved,                             -- seconds that the representative spent in the session
    ---------- events
    event_type,                                   -- the vendor's name of the event
    event_at,                                     -- when it happened
    performed_by_type,                            -- representative, customer, system, …
    performed_by_gsnumber,                        -- number within the session of who did it; 0 is the system
    performed_by_id,                              -- id of who did it, where given
    performed_by,                                 -- name of who did it
    destination_type,                             -- kind of whom or what it was done to
    destination_gsnumber,                         -- number within the session of whom it was done to
    destination_id,                               -- id of whom it was done to, where given
    destination,                                  -- name of whom or what it was done to
    data,                                         -- further values by name
    message,                                      -- text of an error
    ---------- delivery
    window_start,                                 -- start of the window that was asked for
    window_end,                                   -- end of the window that was asked for
    received_at,                                  -- when the reply was received, by our clock
    payload_sha256,                               -- sha256 of the reply
    case when reject_reason is null then low end as touched_from,   -- least event time that the record touches
    case when reject_reason is null then high end as touched_until, -- greatest event time that the record touches
    reject_reason,                                -- why the record cannot be used; NULL when it can
    case
        when reject_reason is null then null
        when record = 0 then fields->>'$'
        else coalesce(fields::varchar, '')
    end as reject_payload                         -- the unreadable element as JSON, or the reply as received
from numbered
