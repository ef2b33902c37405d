-- Stretches of the day in which nobody looked at what agents do, by source, and how far it was looked at at all.
-- A source is looked at where any of its state-bearing feeds is. A whole day without a request has no row here.
-- grain: source, gap_start
-- window: 0 days .. 0 days
with edges as (
    select w.source, w.window_start, w.window_end, w.status = 'observed' as is_observed
    from intermediate.int_feed_windows as w
    inner join ops.feed_clock as f on w.source = f.source and w.feed = f.feed
    where f.state_bearing
),

observed as (
    select source, window_start,
        max(window_end) over (partition by source order by window_start, window_end rows unbounded preceding) as reached
    from edges
    where is_observed
),

after_each as (
    select source, reached as gap_start, lead(window_start) over (partition by source order by window_start, reached) as gap_end
    from observed
),

known as (
    select source, gap_start, coalesce(gap_end, $partition_end) as gap_end from after_each
    union all
    select source, $partition_start, coalesce(min(window_start) filter (where is_observed), $partition_end)
    from edges group by source
)

select
    source,                                       -- name of the source in sources.yaml
    gap_start,                                    -- when looking ended
    gap_end                                       -- when it began again, or the end of the day; equal to gap_start when there is no gap
from known
where gap_end > gap_start or gap_start = $partition_start
order by source, gap_start, gap_end
