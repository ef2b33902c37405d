-- Interactions that were handed over more than once on the day, the longest first.
-- title: Chains
-- column source (text) Source: name of the source in sources.yaml
-- column interaction_id (text) Interaction: the vendor's id of the interaction
-- column transfers (count) Transfers: transfers of the interaction on the day
-- column hops (count) Hops: how often it was handed over in all, within the last 7 days
-- column returns (count) Returns: transfers to an agent who had it before
-- column started_at (time) First: when the first transfer of the day was initiated
-- column last_started_at (time) Last: when the last one was
-- column path (text) Path: who had it in turn, names or ids; * marks a return
select source, interaction_id,
    count(*)::bigint as transfers,
    max(hop)::bigint as hops,
    count(*) filter (is_return)::bigint as returns,
    min(started_at) as started_at,
    max(started_at) as last_started_at,
    coalesce(arg_min(coalesce(from_agent_name, from_agent_id), (hop, transfer_id)), '(unknown)') || string_agg(
        ' > ' || case when to_kind = 'agent' then '' else to_kind || ' ' end
        || coalesce(to_agent_name, to_id, '(unknown)') || case when is_return then '*' else '' end,
        '' order by hop, transfer_id
    ) as path
from report_transfers
group by source, interaction_id
having count(*) > 1
order by transfers desc, source, interaction_id
