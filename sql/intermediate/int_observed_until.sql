-- How far each source was observed by the end of the day: where the day's tables end. It stands in a file of its own, so
-- that tables and checks of one build mean the same instant, while captures move the clock on.
-- grain: source
-- window: 0 days .. 0 days
select
    source,                                       -- name of the source in sources.yaml
    max(observed_until) as observed_until,        -- the latest instant observed of any state-bearing feed, within the day or at one of its ends
    max(uncertainty_seconds) as uncertainty_seconds -- how far the boundaries of its feeds may be from the true ones, in seconds
from ops.feed_clock
where state_bearing and observed_until is not null
group by source
order by source
