-- Who handed over to whom. Transfers initiated on the day; completed are those that reached the receiver.
-- title: Pairs
-- column source (text) Source: name of the source in sources.yaml
-- column from_agent_id (text) From id: the vendor's id of who handed over
-- column from_agent_name (text) From: name as the roster has it, else the vendor
-- column team (text) Team: team of who handed over, on the day, or (no team)
-- column to_kind (text) To kind: agent, queue, external or unknown
-- column to_id (text) To id: the vendor's id of the receiver
-- column to_agent_name (text) To: name of the receiving agent; empty for other receivers
-- column transfers (count) Transfers: transfers initiated
-- column completed (count) Completed: those that reached the receiver
-- column returns (count) Returns: those to an agent who had the interaction before
-- column seconds (seconds) Time: from initiation to completion, summed over the completed; empty where none was
-- column mean_seconds (seconds) Mean time: the same per completed transfer
select source, from_agent_id, any_value(from_agent_name) as from_agent_name, any_value(team) as team, to_kind, to_id,
    any_value(to_agent_name) as to_agent_name,
    count(*)::bigint as transfers,
    count(completed_at)::bigint as completed,
    count(*) filter (is_return)::bigint as returns,
    sum(epoch_us(completed_at) - epoch_us(started_at))::bigint / 1e6 as seconds,
    sum(epoch_us(completed_at) - epoch_us(started_at))::bigint / 1e6 / nullif(count(completed_at), 0) as mean_seconds
from report_transfers
group by source, from_agent_id, to_kind, to_id
order by source, from_agent_name, from_agent_id, to_kind, to_agent_name, to_id
