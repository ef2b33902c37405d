-- Each session and event of a report is staged, as a row or as a reject. Counted by their tags, as no parser does.
with pages as (
    select source, segment, sequence, window_start,
        -- In a chat somebody may have written of tags.
        regexp_replace(try(decode(payload)), '(?s)<!\[CDATA\[.*?\]\]>|<!--.*?-->', '', 'g') as body
    from raw.beyondtrust_sessions
),

counted as (
    select source, segment, sequence, window_start,
        len(regexp_extract_all(body, '<(?:session|event)[\s/>]')) as elements
    from pages
    where body is not null
),

staged as (
    select segment, sequence,
        -- A reply that cannot be read, or an error, is one row.
        count(*) filter (kind in ('session', 'event', 'team_event')) as elements, bool_or(record = 0 or kind = 'error') as is_whole
    from staging.stg_beyondtrust__sessions
    group by segment, sequence
)

select c.source, c.segment, c.sequence, c.window_start, c.elements as elements_sent,
    coalesce(t.elements, 0) as elements_staged
from counted as c
left join staged as t on c.segment = t.segment and c.sequence = t.sequence
where c.elements > coalesce(t.elements, 0) and t.is_whole is not true
