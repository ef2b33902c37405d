-- Stretches in which BeyondTrust's archive says what happened, so that the live feed is not asked: from a snapshot that
-- lies in a fetched window to the next one's due time or the end of what was fetched.
-- grain: source, archived_from
-- window: -1 days .. 0 days
with snapshots as (
    select source, epoch_at from intermediate.int_beyondtrust_epochs where feed = 'archive'
),

fetched as (
    select source, min(window_start) as window_start, max(window_end) as window_end
    from (
        select source, window_start, window_end,
            -- Windows that join are one.
            sum(case when window_start = before then 0 else 1 end) over (
                partition by source order by window_start rows unbounded preceding
            ) as stretch
        from (
            select source, window_start, window_end,
                lag(window_end) over (partition by source order by window_start) as before
            from intermediate.int_feed_windows
            where feed = 'archive' and status = 'observed'
        )
    )
    group by source, stretch
),

pieces as (
    select s.source, s.epoch_at as archived_from,
        -- A copy is taken every half hour. What the live feed says comes up to 20 seconds late: for so long the archive's
        -- last word is the better one.
        least(s.epoch_at + interval 31 minutes, f.window_end) + interval 20 seconds as archived_until
    from snapshots as s
    asof inner join fetched as f on s.source = f.source and s.epoch_at >= f.window_start
    where s.epoch_at < f.window_end
),

runs as (
    select *, sum(case when archived_from <= reached then 0 else 1 end) over (
        partition by source order by archived_from rows unbounded preceding
    ) as run
    from (
        select *, max(archived_until) over (
            partition by source order by archived_from rows between unbounded preceding and 1 preceding
        ) as reached
        from pieces
    )
),

stretches as (
    select source, min(archived_from) as archived_from, max(archived_until) as archived_until from runs
    group by source, run
)

select
    source,                                       -- name of the source in sources.yaml
    archived_from,                                -- when a snapshot was taken; perhaps on the day before
    archived_until                                -- until when the archive is followed
from stretches
where archived_until > $partition_start and archived_from < $partition_end
order by source, archived_from
