-- What each source lets us know. A figure whose signal is not given is NULL for the whole source, never zero.
-- grain: source
select
    f.source,                                     -- name of the source in sources.yaml
    f.vendor,                                     -- vendor of the source
    coalesce(bool_or(m.state = 'available'), false) as gives_available, -- some word means available
    -- CxEngage and BeyondTrust count interactions; others need a word that means handling.
    f.vendor in ('cxengage', 'beyondtrust') or coalesce(bool_or(m.state = 'handling'), false) as gives_handling, -- handling can be told from available
    coalesce(bool_or(m.state = 'wrap_up'), false) as gives_wrap_up, -- some word or reason means after-contact work
    f.vendor in ('cxengage', 'beyondtrust') as gives_load, -- interactions and load are counted
    f.vendor = 'cxengage' as gives_capacity, -- how many items an agent may handle is told
    f.gives_participation, -- some feed says who took part in which interaction
    f.gives_transfers, -- some feed says who handed over what
    f.vendor = 'beyondtrust' as gives_idle_flag -- the vendor flags agents as idle, whatever it means by that
from (
    select source, vendor, bool_or(feed in ('state', 'archive', 'sessions', 'cms_history')) as gives_participation,
        bool_or(feed in ('agent_states', 'state', 'archive', 'sessions', 'cms_history')) as gives_transfers
    from ops.feed_clock
    group by source, vendor
) as f
left join staging.state_map as m on f.vendor = m.vendor and coalesce(m.source, f.source) = f.source
group by f.source, f.vendor, f.gives_participation, f.gives_transfers
order by f.source
