-- How much of what an agent handled was handed on. Rates are empty where no feed names the interactions handled.
-- title: Rates
-- column source (text) Source: name of the source in sources.yaml
-- column agent_id (text) Agent id: the vendor's id of the agent
-- column agent_name (text) Agent: name as the roster has it, else the vendor
-- column team (text) Team: team on the day as the roster has it, or (no team)
-- column transfers_out (count) Transfers out: transfers the agent initiated; empty where the source tells of none
-- column returned (count) Returned: of these, to an agent who had the interaction before
-- column transfers_in (count) Transfers in: transfers that reached the agent
-- column handled (count) Interactions: distinct interactions the agent took part in; empty where the source names none
-- column transferred (count) Handed on: of these, those the agent transferred at least once
-- column transfer_rate (ratio) Transfer rate: handed on / interactions
-- column transfers_per_interaction (number) Per interaction: transfers of these interactions / interactions
with sent as (
    select source, from_agent_id as agent_id, count(*) as transfers_out, count(*) filter (is_return) as returned
    from report_transfers
    group by source, from_agent_id
),

received as (
    select source, agent_id, sum(transfers_in)::bigint as transfers_in from report_quarters group by source, agent_id
),

handled as (
    select p.source, p.agent_id, count(distinct p.interaction_id) as handled,
        count(distinct t.interaction_id) as transferred, count(distinct t.transfer_id) as transfers
    from participation_between($from_time, $to_time) as p
    left join report_transfers as t
        on p.source = t.source and p.interaction_id = t.interaction_id and p.agent_id = t.from_agent_id
    group by p.source, p.agent_id
)

select a.source, a.agent_id, a.agent_name, a.team,
    case when g.gives_transfers then coalesce(s.transfers_out, 0)::bigint end as transfers_out,
    case when g.gives_transfers then coalesce(s.returned, 0)::bigint end as returned,
    case when g.gives_transfers then coalesce(r.transfers_in, 0)::bigint end as transfers_in,
    case when g.gives_participation then coalesce(h.handled, 0)::bigint end as handled,
    case when g.gives_participation then coalesce(h.transferred, 0)::bigint end as transferred,
    case when g.gives_participation then transfer_rate(h.transferred, h.handled) end as transfer_rate,
    case when g.gives_participation then transfers_per_interaction(h.transfers, h.handled) end
        as transfers_per_interaction
from report_agents as a
inner join intermediate.int_source_signals as g on a.source = g.source
left join sent as s on a.source = s.source and a.agent_id = s.agent_id
left join received as r on a.source = r.source and a.agent_id = r.agent_id
left join handled as h on a.source = h.source and a.agent_id = h.agent_id
order by a.team, a.source, a.agent_name, a.agent_id
