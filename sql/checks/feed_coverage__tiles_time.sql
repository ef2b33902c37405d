-- A feed's stretches of a day follow each other without gap or overlap.
with placed as (
    select *, lag(window_end) over (partition by source, feed, date order by window_start) as previous_end
    from ops.feed_coverage
)

select * from placed where previous_end <> window_start
