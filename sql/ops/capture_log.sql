-- Every attempt to fetch a window of a feed, also the failed and the empty ones; a day holds the windows that start on it.
-- Of a source that cannot be asked one row stands for all windows of the day.
-- grain: source, feed, window_start, attempted_at
-- window: 0 days .. 0 days
-- check known_status: status in ('ok', 'unreadable', 'failed')
select
    source,                                       -- name of the source in sources.yaml
    feed,                                         -- feed of that source
    window_start,                                 -- start of the window that was asked for
    window_end,                                   -- end of the window that was asked for
    attempted_at,                                 -- when, by our clock
    status,                                       -- ok; unreadable: kept, but not understood; failed: nothing was got
    records,                                      -- records in the reply
    vendor_time,                                  -- when, by the vendor's clock, by ours where its replies carry none; NULL when it did not answer
    error,                                        -- what went wrong
    segment,                                      -- raw segment that the reply makes, new or already there
    len(open_ids)::bigint as open_records         -- records in the reply that had not ended yet
from raw.capture_attempts
order by source, feed, window_start, attempted_at
