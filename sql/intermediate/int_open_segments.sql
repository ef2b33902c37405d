-- Until when the open records of a raw segment are known to have been open: its windows were asked for again and gave
-- the same reply. Clipped to the day, so that a later request changes nothing in earlier days.
-- grain: source, segment
-- window: -35 days .. 0 days
select
    c.source,                                     -- name of the source in sources.yaml
    c.segment,                                    -- raw segment
    least(
        max(c.vendor_time - to_microseconds((f.delay_seconds * 1e6)::bigint)), $partition_end
    ) as open_until                               -- the vendor's clock at the last such reply, less its delay
from ops.capture_log as c
inner join ops.feed_clock as f on c.source = f.source and c.feed = f.feed
where c.status = 'ok' and c.open_records > 0
group by c.source, c.segment
having open_until > $partition_start
order by c.source, c.segment
