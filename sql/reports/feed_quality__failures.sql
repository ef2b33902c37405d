-- Attempts that got nothing, or what could not be read, by what they said.
-- title: Failed attempts
-- column source (text) Source: name of the source in sources.yaml
-- column feed (text) Feed: feed of that source
-- column status (text) Status: failed (nothing was got) or unreadable (kept, but not understood)
-- column error (text) Error: what went wrong
-- column attempts (count) Attempts: how many said so
-- column first_at (time) First: when the first was made
-- column last_at (time) Last: when the last was made
select source, feed, status, error, count(*)::bigint as attempts, min(attempted_at) as first_at,
    max(attempted_at) as last_at
from ops.capture_log
where date between utc_day($from_time) and utc_day($to_time) and status <> 'ok'
    -- One attempt may stand for all windows of a UTC day.
    and window_end > $from_time::timestamptz and window_start < $to_time::timestamptz
    and ($sources::varchar[] is null or list_contains($sources::varchar[], source))
group by source, feed, status, error
order by source, feed, attempts desc, status, error
