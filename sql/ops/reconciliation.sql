-- Shiftbook's figures beside a second opinion: CxEngage's own sums, and of BeyondTrust the archive beside what was
-- recorded live. Only stretches that were observed whole are judged; the others are listed. Where both say 0 nothing is.
-- grain: source, feed, agent_id, interval_start, interval_end, figure
-- window: 0 days .. 0 days
-- check within_tolerance: not is_judged or abs(difference_seconds) <= tolerance_seconds
-- warn everybody_is_known: ours_seconds is not null or theirs_seconds <= tolerance_seconds
with cxengage as (
    select f.source, 'agent_intervals' as feed, f.agent_id, f.interval_start, f.interval_end, f.figure,
        sum(case f.figure when 'available_seconds' then b.available_us else b.handling_us end)::bigint as ours_us,
        round(any_value(f.seconds) * 1e6)::bigint as theirs_us,
        coalesce(sum(b.available_us + b.handling_us + b.wrap_up_us + b.not_ready_us + b.offline_us), 0)::bigint as observed_us,
        0::bigint as changes
    from intermediate.int_cxengage_interval_figures as f
    left join intermediate.int_agent_buckets as b
        on f.source = b.source and f.agent_id = b.agent_id
        and b.interval_start >= f.interval_start and b.interval_start < f.interval_end
    where f.seconds is not null
    group by f.source, f.agent_id, f.interval_start, f.interval_end, f.figure
),

readings as (
    select source, feed, agent_id, interval_start, observed_us, changes, 'available_seconds' as figure, available_us as us
    from intermediate.int_beyondtrust_readings
    union all
    select source, feed, agent_id, interval_start, observed_us, changes, 'handling_seconds', handling_us
    from intermediate.int_beyondtrust_readings
    union all
    select source, feed, agent_id, interval_start, observed_us, changes, 'not_ready_seconds', not_ready_us
    from intermediate.int_beyondtrust_readings
),

beyondtrust as (
    select l.source, a.feed, l.agent_id, l.interval_start, l.interval_start + interval 15 minutes as interval_end,
        l.figure, l.us as ours_us, a.us as theirs_us,
        least(l.observed_us, a.observed_us) as observed_us, greatest(l.changes, a.changes) as changes
    from readings as l
    inner join readings as a
        on l.source = a.source and l.agent_id = a.agent_id and l.interval_start = a.interval_start
        and l.figure = a.figure
    where l.feed = 'state' and a.feed = 'archive'
),

compared as (
    select c.*, epoch_us(c.interval_end) - epoch_us(c.interval_start) as length_us,
        -- A live change is told up to 20 seconds late, by whole seconds at the other side.
        coalesce(t.tolerance_seconds, 2) + 21 * c.changes as tolerance_seconds
    from (select * from cxengage union all by name select * from beyondtrust) as c
    left join ops.tolerances as t on c.source = t.source
    where c.ours_us > 0 or c.theirs_us > 0
)

select
    source,                                       -- name of the source in sources.yaml
    feed,                                         -- feed that gives the second opinion: agent_intervals or archive
    agent_id,                                     -- the vendor's id of the agent
    interval_start,                               -- start of the stretch compared
    interval_end,                                 -- end of the stretch compared, as a rule a quarter of an hour later
    figure,                                       -- name of the figure: available_seconds, handling_seconds or not_ready_seconds
    ours_us / 1e6 as ours_seconds,                -- Shiftbook's figure (of BeyondTrust, by the live feed alone); NULL for an agent of whom it knows nothing that day
    theirs_us / 1e6 as theirs_seconds,            -- the second opinion
    (ours_us - theirs_us) / 1e6 as difference_seconds, -- ours less theirs
    tolerance_seconds::double as tolerance_seconds, -- by how much they may differ: tolerance_seconds of the source, and for live feeds what each change may be late
    observed_us / length_us as coverage,          -- share of the stretch that was observed, where there are two feeds by both
    observed_us = length_us as is_judged          -- it was observed whole, so that a difference says that a figure is wrong
from compared
order by source, feed, agent_id, interval_start, interval_end, figure
