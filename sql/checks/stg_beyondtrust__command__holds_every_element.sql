-- Each representative, team and member of a reply is staged, as a row or as a reject. Counted by their tags, as no parser
-- does.
with pages as (
    select source, segment, sequence, window_start,
        regexp_replace(try(decode(payload)), '(?s)<!\[CDATA\[.*?\]\]>|<!--.*?-->', '', 'g') as body
    from raw.beyondtrust_command
),

counted as (
    select source, segment, sequence, window_start,
        len(regexp_extract_all(body, '<(?:rep|support_team|representative|connected_representative)[\s/>]')) as elements
    from pages
    where body is not null
),

staged as (
    select segment, sequence,
        count(*) filter (
            element in ('rep', 'support_team', 'team_member', 'representative', 'connected_representative')
        ) as elements,
        -- A reply that cannot be read, or an error, is one row.
        bool_or(record = 0 or element = 'error') as is_whole
    from staging.stg_beyondtrust__command
    group by segment, sequence
)

select c.source, c.segment, c.sequence, c.window_start, c.elements as elements_sent,
    coalesce(t.elements, 0) as elements_staged
from counted as c
left join staged as t on c.segment = t.segment and c.sequence = t.sequence
where c.elements > coalesce(t.elements, 0) and t.is_whole is not true
