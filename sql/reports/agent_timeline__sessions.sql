-- Sign-ins that reach into the day, at their true times.
-- title: Sign-ins
-- column source (text) Source: name of the source in sources.yaml
-- column agent_id (text) Agent id: the vendor's id of the agent
-- column agent_name (text) Agent: name as the roster has it, else the vendor
-- column session_id (text) Session: the vendor's id, else agent and sign-in
-- column logged_in_at (time) Signed in: when the agent signed in; where nobody saw it, when they were first seen
-- column logged_out_at (time) Signed out: when the agent signed out; empty while signed in or where it is not known
-- column seconds (seconds) Time: from sign-in to sign-out
-- column ended_by (text) Ended by: reported, derived, replaced (by the next sign-in), open or unknown
select s.source, s.agent_id, a.agent_name, s.session_id, s.logged_in_at, s.logged_out_at, s.seconds, s.ended_by
from marts.fct_agent_sessions as s
inner join report_agents as a on s.source = a.source and s.agent_id = a.agent_id
where s.logged_in_at < $to_time::timestamptz
    and case
        when s.logged_out_at is not null then s.logged_out_at > $from_time::timestamptz
        when s.ended_by = 'open' then true
        else s.logged_in_at >= $from_time::timestamptz
    end
order by a.team, s.source, a.agent_name, s.agent_id, s.logged_in_at, s.session_id
