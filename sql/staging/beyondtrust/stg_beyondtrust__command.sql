-- Replies of the BeyondTrust Command API as received: one row per element of a reply, one per member of a team.
-- Replies differ by action, product and age, so each element is kept whole beside what of it is typed.
-- A table of who is in which team: element team_member, of get_support_teams.
-- grain: segment, sequence, record
with pages as (
    select
        source, segment, sequence, window_start, window_end, requested_at, received_at, payload_sha256,
        nullif(regexp_extract(request, '\baction=(\w+)', 1), '') as action,
        -- Bytes that are no UTF-8 are shown escaped; as received they stay in the raw segment.
        coalesce(try(decode(payload)), payload::varchar) as body,
        try(from_json(xml_to_json(payload), '"MAP(VARCHAR, JSON)"')) as document
    from raw.beyondtrust_command
),

roots as (
    select * exclude (document), map_keys(document)[1] as root,
        json_extract(map_values(document)[1], '$[0]') as content,
        json_extract_string(map_values(document)[1], '$[0]."#text"') as root_text
    from pages
),

-- Attributes and text of the root are passed over; what is left are lists of elements.
kinds as (
    select * exclude (body, content, content_entries), unnest(content_entries) as k,
        generate_subscripts(content_entries, 1) as kind_place
    from (select *, map_entries(try(from_json(content, '"MAP(VARCHAR, JSON)"'))) as content_entries from roots)
),

elements as (
    select * exclude (k, entries), unnest(entries) as fields, generate_subscripts(entries, 1) as element_place
    from (
        select *, k.key as element, try(from_json(k.value, '["JSON"]')) as entries
        from kinds
        where json_type(k.value) = 'ARRAY'
    )
),

typed as (
    select *,
        try(from_json(fields, '{
            "@id": "VARCHAR", "#text": "VARCHAR", "@ts": "VARCHAR", "@timestamp": "VARCHAR",
            "name": [{"#text": "VARCHAR"}], "private_display_name": [{"#text": "VARCHAR"}],
            "public_display_name": [{"#text": "VARCHAR"}], "display_name": [{"#text": "VARCHAR"}],
            "type": [{"#text": "VARCHAR"}], "support_session_count": [{"#text": "VARCHAR"}],
            "showing_on_rep_list": [{"#text": "VARCHAR"}],
            "logged_in_since": [{"@ts": "VARCHAR", "@timestamp": "VARCHAR", "#text": "VARCHAR"}],
            "members": [{"representative": [{"@id": "VARCHAR", "#text": "VARCHAR"}]}]
        }')) as f
    from elements
),

members as (
    select *, unnest(flatten(list_transform(f.members, lambda m: m.representative))) as member,
        generate_subscripts(flatten(list_transform(f.members, lambda m: m.representative)), 1) as member_place
    from typed
    where element = 'support_team'
),

records as (
    select source, segment, sequence, window_start, window_end, requested_at, received_at, payload_sha256, action, root,
        kind_place, element_place, 0 as member_place, element, fields, null::varchar as team_id, f."@id" as id,
        f."#text" as text_value,
        coalesce(
            f.private_display_name[1]."#text", f.name[1]."#text", f.public_display_name[1]."#text",
            f.display_name[1]."#text"
        ) as name,
        f.type[1]."#text" as rep_type,
        try_cast(f.support_session_count[1]."#text" as bigint) as support_sessions,
        try_cast(f.showing_on_rep_list[1]."#text" as boolean) as is_on_rep_list,
        coalesce(f.logged_in_since[1]."@ts", f.logged_in_since[1]."@timestamp") as since_seconds,
        f.logged_in_since[1]."#text" as since_text,
        f is null as is_unread
    from typed
    union all
    select source, segment, sequence, window_start, window_end, requested_at, received_at, payload_sha256, action, root,
        kind_place, element_place, member_place, 'team_member', to_json(member), f."@id", member."@id",
        null, member."#text", null, null, null, null, null, false
    from members
    union all
    -- An error may be the root itself, at HTTP 200, in the site's language.
    select source, segment, sequence, window_start, window_end, requested_at, received_at, payload_sha256, action, root,
        0, 0, 0, 'error', content, null, null, root_text, null, null, null, null, null, null, false
    from roots
    where root = 'error' and root_text is not null
),

numbered as (
    select *, row_number() over (
        partition by segment, sequence order by kind_place, element_place, member_place
    ) as record
    from records
)

select
    source,                                       -- name of the feed's source in sources.yaml
    segment,                                      -- raw segment that holds the reply
    sequence,                                     -- reply within the segment, from 0
    record::bigint as record,                     -- place within the reply, from 1; 0 stands for a whole reply that could not be read
    ---------- what was asked and what was answered
    action,                                       -- the vendor's name of the request
    root,                                         -- name of the reply's root element
    element,                                      -- name of the element: rep, support_team, permissions, …; team_member; error
    team_id,                                      -- of a team's member: the vendor's id of the team
    id,                                           -- the vendor's id: of a representative the user id, of a team the team's
    name,                                         -- name of the representative or team
    text_value,                                   -- text of the element
    rep_type,                                     -- Normal, Invited or, in older versions, Embassy
    support_sessions,                             -- sessions that the representative is in
    is_on_rep_list,                               -- whether customers see the representative in the list
    case when isfinite(coalesce(try(to_timestamp(try_cast(since_seconds as double))), try_cast(since_text as timestamptz)))
        then coalesce(try(to_timestamp(try_cast(since_seconds as double))), try_cast(since_text as timestamptz))
    end as logged_in_since,                       -- since when the representative has been signed in
    fields::varchar as fields,                    -- the element as JSON: attributes "@name", text "#text", elements as lists
    ---------- delivery
    requested_at,                                 -- when it was asked, by our clock
    received_at,                                  -- when it was answered, by our clock
    window_start,                                 -- start of the watched stretch
    window_end,                                   -- end of the watched stretch
    payload_sha256,                               -- sha256 of the reply
    case when not is_unread then received_at end as touched_from,  -- least event time that the record touches
    case when not is_unread then received_at end as touched_until, -- greatest event time that the record touches
    case when is_unread then 'the element cannot be read' end as reject_reason, -- why the record cannot be used; NULL when it can
    case when is_unread then coalesce(fields::varchar, '') end as reject_payload -- the unreadable part
from numbered
union all
select
    source, segment, sequence, 0, action, null, null, null, null, null, null, null, null, null, null, null,
    requested_at, received_at, window_start, window_end, payload_sha256, null, null,
    'the reply is no XML, or declares entities', body
from roots
where root is null
