-- Do our figures equal those of the platform's own reports?
-- Asked by: a controller before they are used for pay.
-- How to read it: only stretches that were observed whole are judged. off_by is the greatest difference, beyond
-- counts those above the tolerance. Empty where no source is asked for a second opinion (docs/metrics.md).
select
    source,
    feed,
    figure,
    count(*) as compared,
    count(*) filter (is_judged) as judged,
    max(abs(difference_seconds)) filter (is_judged) as off_by,
    count(*) filter (is_judged and abs(difference_seconds) > tolerance_seconds) as beyond
from ops.reconciliation
where date >= utc_day(now()) - 7
group by source, feed, figure
order by source, feed, figure;
