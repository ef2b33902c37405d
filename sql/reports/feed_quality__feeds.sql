-- How much of the day was seen of each feed, and how soon. Not observed is never counted as any state.
-- title: Feeds
-- column source (text) Source: name of the source in sources.yaml
-- column feed (text) Feed: feed of that source
-- column tells_states (text) Tells states: yes for a feed from which timelines are made
-- column observed_seconds (seconds) Observed: time of the day that was observed
-- column missing_seconds (seconds) Missing: not observed, and still to be had from the vendor
-- column lost_seconds (seconds) Lost: not observed, and forgotten by the vendor
-- column coverage (ratio) Coverage: observed share of the day
-- column gaps (count) Gaps: unbroken stretches that are missing or lost
-- column longest_gap_seconds (seconds) Longest gap: the longest of them
-- column observed_until (time) Observed until: the last instant of the day that was observed
-- column attempts (count) Attempts: attempts to fetch windows that begin on the day
-- column failed (count) Failed: attempts that got nothing, or what could not be read
-- column lag_seconds (seconds) Lag, median: from the end of a window to when it was first got
-- column longest_lag_seconds (seconds) Lag, longest: the longest of them
-- column records (count) Records: records delivered by the windows of the day, duplicates too
-- column rejects (count) Rejects: records delivered on the UTC day that could not be read; kept as delivered
with stretches as (
    select *, row_number() over (partition by source, feed order by window_start)
        - row_number() over (partition by source, feed, status = 'observed' order by window_start) as run
    from report_coverage
),

gaps as (
    select source, feed, count(*) as gaps, max(us) as longest_us
    from (
        select source, feed, sum(epoch_us(window_end) - epoch_us(window_start))::bigint as us
        from stretches
        where status <> 'observed'
        group by source, feed, run
    )
    group by source, feed
),

covered as (
    select source, feed,
        coalesce(sum(us) filter (status = 'observed'), 0)::bigint as observed_us,
        coalesce(sum(us) filter (status = 'missing'), 0)::bigint as missing_us,
        coalesce(sum(us) filter (status = 'lost'), 0)::bigint as lost_us,
        max(window_end) filter (status = 'observed') as observed_until
    from (select *, epoch_us(window_end) - epoch_us(window_start) as us from report_coverage)
    group by source, feed
),

windows as (
    select source, feed, window_start, window_end, count(*) as attempts, count(*) filter (status <> 'ok') as failed,
        min(attempted_at) filter (status = 'ok') as got_at, max(records) filter (status = 'ok') as records
    from ops.capture_log
    where date between utc_day($from_time) and utc_day($to_time)
        and window_start >= $from_time::timestamptz and window_start < $to_time::timestamptz
    group by source, feed, window_start, window_end
),

attempted as (
    select source, feed, sum(attempts)::bigint as attempts, sum(failed)::bigint as failed,
        median(greatest(epoch_us(got_at) - epoch_us(window_end), 0)) / 1e6 as lag_seconds,
        max(greatest(epoch_us(got_at) - epoch_us(window_end), 0)) / 1e6 as longest_lag_seconds,
        coalesce(sum(records), 0)::bigint as records
    from windows
    group by source, feed
),

rejected as (
    select source, feed, count(*) as rejects
    from ops.rejects
    where date = $day::date
    group by source, feed
)

select c.source, c.feed, case when c.state_bearing then 'yes' else 'no' end as tells_states,
    coalesce(o.observed_us, 0) / 1e6 as observed_seconds,
    coalesce(o.missing_us, 0) / 1e6 as missing_seconds,
    coalesce(o.lost_us, 0) / 1e6 as lost_seconds,
    coalesce(o.observed_us, 0) / (epoch_us($to_time::timestamptz) - epoch_us($from_time::timestamptz)) as coverage,
    coalesce(g.gaps, 0)::bigint as gaps,
    g.longest_us / 1e6 as longest_gap_seconds,
    o.observed_until,
    coalesce(a.attempts, 0)::bigint as attempts,
    coalesce(a.failed, 0)::bigint as failed,
    a.lag_seconds, a.longest_lag_seconds,
    coalesce(a.records, 0)::bigint as records,
    coalesce(r.rejects, 0)::bigint as rejects
from ops.feed_clock as c
left join covered as o on c.source = o.source and c.feed = o.feed
left join gaps as g on c.source = g.source and c.feed = g.feed
left join attempted as a on c.source = a.source and c.feed = a.feed
left join rejected as r on c.source = r.source and c.feed = r.feed
where $sources::varchar[] is null or list_contains($sources::varchar[], c.source)
order by c.source, c.feed
