-- Transfers between each sender and receiver, on the UTC day they were initiated.
-- grain: source, date, from_agent_id, to_kind, to_id
-- window: 0 days .. 0 days
select
    source,                                       -- name of the source in sources.yaml
    from_agent_id,                                -- who handed over
    to_kind,                                      -- agent, queue, external or unknown
    to_id,                                        -- who or what received
    count(*)::bigint as transfers,                -- transfers initiated
    count(completed_at)::bigint as completed,     -- those that reached the receiver
    sum(epoch_us(completed_at) - epoch_us(started_at))::bigint / 1e6 as seconds, -- from initiation to completion, summed over the completed, in seconds
    count(*) filter (is_return)::bigint as returns -- those that went back to an agent who already had it
from marts.fct_transfers
group by source, from_agent_id, to_kind, to_id
order by source, from_agent_id, to_kind, to_id
