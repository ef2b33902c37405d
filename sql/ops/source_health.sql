-- How each configured feed is doing, evaluated when asked, on the vendor's clock.
-- kind: view
-- Coverage calls lost in whole hours what was missing: hours_to_loss stays at 0 until it does. A feed that was never asked
-- has no hours, where greatest() alone would make 0 of NULL.
with clock as (
    select *, now() + to_microseconds((coalesce(drift_seconds, 0) * 1e6)::bigint) as vendor_now from ops.feed_clock
),

gaps as (
    select c.source, c.feed,
        sum(epoch_us(g.window_end) - epoch_us(greatest(g.window_start, c.vendor_now - interval 7 days))) filter (
            g.window_end > c.vendor_now - interval 7 days
        ) / 1e6 as gap_seconds_7d,
        min(g.window_start) filter (g.status = 'missing') as oldest_missing
    from clock as c
    inner join ops.feed_coverage as g on c.source = g.source and c.feed = g.feed
    where g.status <> 'observed'
    group by c.source, c.feed
),

rejected as (
    select c.source, c.feed, count(*) as rejects_7d
    from clock as c
    inner join ops.rejects as r on c.source = r.source and c.feed = r.feed
    where r.date >= timezone('UTC', c.vendor_now - interval 7 days)::date
    group by c.source, c.feed
),

attempted as (
    select source, feed, arg_max(error, attempted_at) filter (status <> 'ok') as last_error,
        max(attempted_at) filter (status <> 'ok') > coalesce(max(attempted_at) filter (status = 'ok'), '-infinity') as is_failing
    from ops.capture_log
    group by source, feed
)

select
    c.source,                                     -- name of the source in sources.yaml
    c.feed,                                       -- feed of that source
    c.observed_until,                             -- the latest instant observed; NULL when the feed never answered
    (epoch_us(c.vendor_now) - epoch_us(c.observed_until)) / 1e6 as lag_seconds, -- how far that lies behind the vendor's clock, in seconds
    coalesce(g.gap_seconds_7d, 0)::double as gap_seconds_7d, -- time not observed in the last 7 days, in seconds
    case when c.retention_seconds > 0 and coalesce(g.oldest_missing, c.observed_until) is not null then greatest(
        0,
        c.retention_seconds / 3600 - (epoch_us(c.vendor_now) - epoch_us(coalesce(g.oldest_missing, c.observed_until))) / 3.6e9
    ) end as hours_to_loss,                       -- hours until the oldest missing instant is lost at the vendor, 0 where it just was; NULL where the vendor keeps nothing, or was never asked
    c.drift_seconds as clock_drift_seconds,       -- the vendor's clock less ours, in seconds
    coalesce(r.rejects_7d, 0)::bigint as rejects_7d, -- records of the last 7 days that could not be read
    case when a.is_failing then a.last_error end as last_error -- what the last attempt failed with; NULL when it did not
from clock as c
left join gaps as g on c.source = g.source and c.feed = g.feed
left join rejected as r on c.source = r.source and c.feed = r.feed
left join attempted as a on c.source = a.source and a.feed = c.feed
order by c.source, c.feed
