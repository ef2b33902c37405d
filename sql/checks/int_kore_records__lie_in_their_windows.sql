-- What Kore.ai sends for a window lies in it, give or take a minute; all of it hours off is a wrong event_timezone.
-- severity: warn
select r.*
from intermediate.int_kore_records as r
inner join ops.feed_clock as f on r.source = f.source and r.feed = f.feed
where r.started_at < r.window_start - interval 1 minute
    or r.started_at > r.window_start + to_seconds(f.window_seconds) + interval 1 minute
