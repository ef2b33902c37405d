-- What was observed of each feed and what was not, without overlap, from the first instant ever asked for.
-- grain: source, feed, window_start
-- window: 0 days .. 0 days
-- check known_status: status in ('observed', 'missing', 'lost')
-- check has_length: window_end > window_start
-- warn nothing_lost: status <> 'lost'
with broken as (
    select source, missing_from, coalesce(missing_until, $partition_end) as missing_until from ops.broken_chains
),

judged as (
    select w.*, f.lost_before,
        w.status = 'observed' and f.state_bearing and exists (
            select 1 from broken as b
            where b.source = w.source and b.missing_from < w.window_end and b.missing_until > w.window_start
        ) as is_broken
    from intermediate.int_feed_windows as w
    inner join ops.feed_clock as f on w.source = f.source and w.feed = f.feed
)

select
    source,                                       -- name of the source in sources.yaml
    feed,                                         -- feed of that source
    window_start,                                 -- start of the stretch
    window_end,                                   -- end of the stretch; the next one starts here
    case
        when not is_broken then status when window_end <= lost_before then 'lost' else 'missing'
    end as status,                                -- observed; missing: can still be fetched; lost: the vendor has forgotten it
    case
        when is_broken then 'broken_chain' when status <> 'observed' then 'not_fetched'
    end as reason                                 -- not_fetched (nobody looked) or broken_chain (records of some agents are absent)
from judged
order by source, feed, window_start
