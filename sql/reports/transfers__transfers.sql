-- Each transfer initiated on the day.
-- title: Transfers
-- column source (text) Source: name of the source in sources.yaml
-- column interaction_id (text) Interaction: the vendor's id of the interaction
-- column hop (count) Hop: place in the interaction's chain of the last 7 days, from 1
-- column started_at (time) Initiated: when it was initiated
-- column completed_at (time) Completed: when the receiver had it; empty while in flight
-- column seconds (seconds) Time: from initiation to completion
-- column from_agent_id (text) From id: the vendor's id of who handed over
-- column from_agent_name (text) From: name as the roster has it, else the vendor
-- column team (text) Team: team of who handed over, on the day, or (no team)
-- column to_kind (text) To kind: agent, queue, external or unknown
-- column to_id (text) To id: the vendor's id of the receiver
-- column to_agent_name (text) To: name of the receiving agent; empty for other receivers
-- column kind (text) Kind: blind, consult or unknown
-- column is_return (text) Return: yes where it went to an agent who had the interaction before
select source, interaction_id, hop::bigint as hop, started_at, completed_at, seconds, from_agent_id, from_agent_name,
    team, to_kind, to_id, to_agent_name, kind, case when is_return then 'yes' else 'no' end as is_return
from report_transfers
order by started_at, source, interaction_id, hop, transfer_id
