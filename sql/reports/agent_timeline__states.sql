-- Every state of the day with its evidence, cut at the day's ends; what nobody observed is there as unobserved.
-- title: States
-- column source (text) Source: name of the source in sources.yaml
-- column agent_id (text) Agent id: the vendor's id of the agent
-- column agent_name (text) Agent: name as the roster has it, else the vendor
-- column team (text) Team: team on the day as the roster has it, or (no team)
-- column started_at (time) From: start of the row, not before the day's
-- column ended_at (time) To: end of the row, not after the day's
-- column seconds (seconds) Time: from start to end
-- column state (text) State: available, handling, wrap_up, not_ready, offline or unobserved
-- column vendor_state (text) Vendor's state: the vendor's own word
-- column reason_code (text) Reason code: the vendor's code of the reason
-- column reason (text) Reason: the reason in the vendor's words
-- column state_started_at (time) State since: true start of the state, perhaps on an earlier day
-- column evidence (text) Evidence: reported, derived (inferred), carried (began before the UTC day) or none
-- column uncertainty_seconds (seconds) Uncertainty: how far the reported start may be from the true one
-- column is_open (text) Still going on: yes where the state had not ended when last observed
-- column session_id (text) Session: the sign-in it belongs to
-- column work_items (number) Interactions: interactions at once; empty where the source does not count them
-- column direction (text) Direction: direction of the interaction where the vendor says
with cut as (
    select * replace (
        greatest(started_at, $from_time::timestamptz) as started_at, least(ended_at, $to_time::timestamptz) as ended_at
    )
    from marts.fct_agent_timeline
    where date between utc_day($from_time) and utc_day($to_time)
        and ended_at > $from_time::timestamptz and started_at < $to_time::timestamptz
)

select c.source, c.agent_id, a.agent_name, a.team, c.started_at, c.ended_at,
    (epoch_us(c.ended_at) - epoch_us(c.started_at)) / 1e6 as seconds,
    c.state, c.vendor_state, c.reason_code, c.reason, c.state_started_at, c.evidence, c.uncertainty_seconds,
    case when c.is_open then 'yes' else 'no' end as is_open, c.session_id, c.work_items::double as work_items,
    c.direction
from cut as c
inner join report_agents as a on c.source = a.source and c.agent_id = a.agent_id
order by a.team, c.source, a.agent_name, c.agent_id, c.started_at
