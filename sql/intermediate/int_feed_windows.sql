-- What was fetched of each feed: the day cut at every edge of a fetched window and of the feed's grid, without overlap.
-- A stretch counts as fetched once the vendor's clock, less its delay, had passed its end (docs/metrics.md, Completeness).
-- grain: source, feed, window_start
-- window: 0 days .. 0 days
with feeds as (
    select source, feed, delay_seconds, window_seconds, lost_before,
        greatest(first_requested_at, $partition_start) as starts_at,
        -- What was asked for in vain counts as missing, also when nothing after it was got.
        least(greatest(requested_until, observed_until), $partition_end) as ends_at
    from ops.feed_clock
    where first_requested_at < $partition_end and greatest(requested_until, observed_until) > $partition_start
),

fetched as (
    select distinct c.source, c.feed, c.window_start,
        least(c.window_end, c.vendor_time - to_microseconds((f.delay_seconds * 1e6)::bigint)) as window_end
    from ops.capture_log as c
    inner join feeds as f on c.source = f.source and c.feed = f.feed
    where c.status = 'ok'
        and least(c.window_end, c.vendor_time - to_microseconds((f.delay_seconds * 1e6)::bigint)) > c.window_start
        -- BeyondTrust's archive is a copy and what changed after it: a change that cannot be read may be any, so what the
        -- copy says is no evidence any more.
        and not exists (
            select 1 from ops.rejects as r
            where r.source = c.source and r.feed = c.feed and r.segment = c.segment and r.feed = 'archive'
        )
),

edges as (
    select source, feed, window_start as edge from fetched
    union
    select source, feed, window_end from fetched
    union
    select source, feed, unnest(generate_series(
        $partition_start, $partition_end, to_microseconds((window_seconds * 1e6)::bigint)
    )) from feeds
    union
    select source, feed, starts_at from feeds
    union
    select source, feed, ends_at from feeds
    union
    select source, feed, lost_before from feeds where lost_before is not null
),

cells as (
    select e.source, e.feed, e.edge as window_start,
        lead(e.edge) over (partition by e.source, e.feed order by e.edge) as window_end
    from edges as e
    inner join feeds as f on e.source = f.source and e.feed = f.feed and e.edge between f.starts_at and f.ends_at
),

reach as (
    -- Of all fetched stretches that begin by a cell's start, the one that reaches furthest covers it, or none does.
    select source, feed, window_start, max(window_end) over (
        partition by source, feed order by window_start rows unbounded preceding
    ) as reaches_to
    from (select source, feed, window_start, max(window_end) as window_end from fetched group by all)
),

judged as (
    select c.source, c.feed, c.window_start, c.window_end,
        coalesce(r.reaches_to >= c.window_end, false) as is_fetched,
        coalesce(c.window_end <= f.lost_before, false) as is_gone,
        time_bucket(to_microseconds((f.window_seconds * 1e6)::bigint), c.window_start, $partition_start) as grid
    from cells as c
    inner join feeds as f on c.source = f.source and c.feed = f.feed
    asof left join reach as r on c.source = r.source and c.feed = r.feed and c.window_start >= r.window_start
    where c.window_end > c.window_start
),

runs as (
    select *, row_number() over (partition by source, feed, grid order by window_start)
        - row_number() over (partition by source, feed, grid, is_fetched, is_gone order by window_start) as run
    from judged
),

tiles as (
    select source, feed, min(window_start) as window_start, max(window_end) as window_end, is_fetched, is_gone
    from runs
    group by source, feed, grid, is_fetched, is_gone, run
)

select
    source,                                       -- name of the source in sources.yaml
    feed,                                         -- feed of that source
    window_start,                                 -- start of the stretch
    window_end,                                   -- end of the stretch; the next one starts here
    case
        when is_fetched then 'observed' when is_gone then 'lost' else 'missing'
    end as status                                 -- observed; missing: can still be fetched; lost: the vendor has forgotten it
from tiles
order by source, feed, window_start
