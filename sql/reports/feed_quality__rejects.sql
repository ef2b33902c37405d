-- Records that could not be read, by reason; all of them, as delivered, are in ops.rejects.
-- title: Rejects
-- column source (text) Source: name of the source in sources.yaml
-- column feed (text) Feed: feed of that source
-- column reason (text) Reason: why they could not be read
-- column records (count) Records: how many were delivered on the UTC day
-- column segment (text) Segment: raw segment that delivered the first of them
select source, feed, reason, count(*)::bigint as records, min(segment) as segment
from ops.rejects
where date = $day::date and ($sources::varchar[] is null or list_contains($sources::varchar[], source))
group by source, feed, reason
order by source, feed, records desc, reason
