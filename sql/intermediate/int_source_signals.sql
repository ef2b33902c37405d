-- What each source lets us know. A figure whose signal is not given is NULL for the whole source, never zero.
-- grain: source
with rows_of_feeds as (
    select f.source, f.feed, m.vendor_state, m.reason, m.state,
        (m.source is not null)::int * 4 + (m.reason is not null)::int * 2 + (m.feed is not null)::int as specificity
    from ops.feed_clock as f
    inner join staging.state_map as m
        on f.vendor = m.vendor and coalesce(m.source, f.source) = f.source and coalesce(m.feed, f.feed) = f.feed
),

-- A row says nothing where another one speaks in its place whatever the record.
meant as (
    select source, feed, state
    from rows_of_feeds as r
    where not exists (
        select 1 from rows_of_feeds as o
        where o.source = r.source and o.feed = r.feed and o.vendor_state = r.vendor_state
            and (o.reason is null or o.reason = r.reason) and o.specificity > r.specificity
    )
)

select
    f.source,                                     -- name of the source in sources.yaml
    f.vendor,                                     -- vendor of the source
    coalesce(bool_or(m.state = 'available'), false) as gives_available, -- some word means available
    -- CxEngage and BeyondTrust count interactions; others need a word that means handling.
    f.vendor in ('cxengage', 'beyondtrust') or coalesce(bool_or(m.state = 'handling'), false) as gives_handling, -- handling can be told from available
    coalesce(bool_or(m.state = 'wrap_up'), false) as gives_wrap_up, -- some word or reason means after-contact work
    f.vendor in ('cxengage', 'beyondtrust') as gives_load, -- interactions and load are counted
    f.vendor = 'cxengage' as gives_capacity, -- how many items an agent may handle is told
    bool_or(f.feed in ('state', 'archive', 'sessions', 'cms_history')) as gives_participation, -- some feed says who took part in which interaction
    bool_or(f.feed in ('agent_states', 'state', 'archive', 'sessions', 'cms_history')) as gives_transfers, -- some feed says who handed over what
    f.vendor = 'beyondtrust' as gives_idle_flag -- the vendor flags agents as idle, whatever it means by that
from ops.feed_clock as f
left join meant as m on f.source = m.source and f.feed = m.feed
group by f.source, f.vendor
order by f.source
