-- How many agents worked on each day and how long, beside the same weekday of the four weeks before: what falls to a
-- fraction is a feed that delivers part of what it should. Days that were not watched whole are compared with nothing.
-- grain: source, date
-- warn not_collapsed: not (is_recent and is_whole) or coalesce(agents >= agents_before / 2 and staffed_seconds >= staffed_seconds_before / 3, true)
with feeds as (
    select c.source, c.date,
        sum(epoch_us(c.window_end) - epoch_us(c.window_start)) filter (c.status = 'observed' or c.reason = 'broken_chain') as us
    from ops.feed_coverage as c
    inner join ops.feed_clock as f on c.source = f.source and c.feed = f.feed
    where f.state_bearing
    group by c.source, c.date, c.feed
),

-- One feed that tells of states is enough.
watched as (
    select source, date, coalesce(max(us), 0) >= 86400e6 * 0.999 as is_whole from feeds group by source, date
),

worked as (
    select source, date, count(*) filter (staffed_seconds > 0)::bigint as agents,
        sum((staffed_seconds * 1e6)::bigint)::bigint as staffed_us
    from marts.agg_agent_days
    group by source, date
),

-- A day on which nobody was seen has no row of its own.
days as (
    select w.source, w.date, w.is_whole, coalesce(a.agents, 0) as agents, coalesce(a.staffed_us, 0) as staffed_us,
        max(w.date) filter (w.is_whole) over (partition by w.source) as last_date
    from watched as w
    left join worked as a on w.source = a.source and w.date = a.date
),

before as (
    select d.source, d.date, count(*)::bigint as days, median(b.agents) as agents,
        median(b.staffed_us) / 1e6 as staffed_seconds
    from days as d
    inner join days as b
        on d.source = b.source and b.is_whole and b.date in (d.date - 7, d.date - 14, d.date - 21, d.date - 28)
    group by d.source, d.date
)

select
    d.source,                                     -- name of the source in sources.yaml
    d.date,                                       -- UTC day
    d.is_whole,                                   -- a feed that tells of states was watched all day
    coalesce(d.date > d.last_date - 7, false) as is_recent, -- one of the week that ends with the last such day
    d.agents,                                     -- agents who were signed in at some time
    d.staffed_us / 1e6 as staffed_seconds,        -- signed in, of all agents, in seconds
    coalesce(b.days, 0) as days_before,           -- days of the same weekday in the four weeks before that were watched whole
    case when b.days >= 2 and b.agents >= 4 then b.agents end as agents_before, -- the median of their agents; NULL with fewer than two such days or four agents
    case when b.days >= 2 and b.agents >= 4 then b.staffed_seconds end as staffed_seconds_before -- the median of their staffed seconds; NULL as before
from days as d
left join before as b on d.source = b.source and d.date = b.date
order by d.source, d.date
