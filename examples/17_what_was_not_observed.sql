-- How much of each feed did we see, and can the rest still be fetched?
-- Asked by: whoever keeps Shiftbook running, and whoever doubts a figure.
-- How to read it: hours of the last seven days. Missing can still be fetched from the vendor, within hours_to_loss;
-- lost cannot any more. Figures are silent about these stretches: they are unobserved, never zero.
select
    c.source,
    c.feed,
    round(sum(s.seconds) filter (c.status = 'observed') / 3600, 2) as observed_hours,
    round(coalesce(sum(s.seconds) filter (c.status = 'missing'), 0) / 3600, 2) as missing_hours,
    round(coalesce(sum(s.seconds) filter (c.status = 'lost'), 0) / 3600, 2) as lost_hours,
    round(max(s.seconds) filter (c.status <> 'observed') / 60, 1) as longest_gap_minutes,
    any_value(h.observed_until) as observed_until,
    any_value(h.hours_to_loss) as hours_to_loss,
    any_value(h.last_error) as last_error
from ops.feed_coverage as c
cross join lateral (select epoch(c.window_end - c.window_start) as seconds) as s
left join ops.source_health as h on c.source = h.source and c.feed = h.feed
where c.date >= utc_day(now()) - 7
group by c.source, c.feed
order by c.source, c.feed;
