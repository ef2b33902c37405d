-- Stretches of the day that were not observed, and whether they can still be had.
-- title: Gaps
-- column source (text) Source: name of the source in sources.yaml
-- column feed (text) Feed: feed of that source
-- column gap_start (time) From: start of the stretch
-- column gap_end (time) To: end of the stretch
-- column seconds (seconds) Time: from start to end
-- column status (text) Status: missing (can still be fetched) or lost (the vendor has forgotten it)
-- column reason (text) Reason: not_fetched (nobody looked) or broken_chain (records of some agents are absent)
with runs as (
    select *, row_number() over (partition by source, feed order by window_start)
        - row_number() over (partition by source, feed, status, reason order by window_start) as run
    from report_coverage
)

select source, feed, min(window_start) as gap_start, max(window_end) as gap_end,
    sum(epoch_us(window_end) - epoch_us(window_start))::bigint / 1e6 as seconds, status, reason
from runs
where status <> 'observed'
group by source, feed, status, reason, run
order by source, feed, gap_start
