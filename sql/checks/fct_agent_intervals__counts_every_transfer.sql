-- Each transfer is counted once where it began, for its sender, and once where it was completed, for its receiver; nothing
-- else is. Agents whom no feed knows have no rows, so theirs are in fct_transfers alone.
with moments as (
    select source, from_agent_id as agent_id, time_bucket(interval 15 minutes, started_at) as interval_start,
        1 as sent, 0 as received
    from marts.fct_transfers
    union all
    select source, to_id, time_bucket(interval 15 minutes, completed_at), 0, 1
    from marts.fct_transfers
    -- Who received counts what was sent on the day or the three before.
    where to_kind = 'agent' and completed_at::date <= date + 3
),

counted as (
    select source, agent_id, interval_start, sum(sent)::bigint as sent, sum(received)::bigint as received
    from moments
    group by source, agent_id, interval_start
),

days as (
    -- Where those days are not among the days judged, more may have been received than was sent on the others.
    select source, date, count(*) over (
        partition by source order by date range between interval 3 days preceding and current row
    ) = 4 as is_whole
    from (select distinct source, date from marts.fct_agent_intervals)
)

select i.source, i.agent_id, i.interval_start, i.transfers_out, coalesce(c.sent, 0) as sent,
    i.transfers_in, coalesce(c.received, 0) as received
from marts.fct_agent_intervals as i
inner join days as d on i.source = d.source and i.date = d.date
left join counted as c on i.source = c.source and i.agent_id = c.agent_id and i.interval_start = c.interval_start
where i.transfers_out <> coalesce(c.sent, 0)
    or i.transfers_in < coalesce(c.received, 0)
    or (d.is_whole and i.transfers_in > coalesce(c.received, 0))
