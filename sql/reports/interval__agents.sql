-- Each agent by intervals of local time, for planning. What a source does not tell is empty, never 0.
-- title: Agents by interval
-- column source (text) Source: name of the source in sources.yaml
-- column agent_id (text) Agent id: the vendor's id of the agent
-- column agent_name (text) Agent: name as the roster has it, else the vendor
-- column team (text) Team: team on the day as the roster has it, or (no team)
-- column local_label (text) Local start: local start with its offset; an hour that clocks show twice is two rows
-- column interval_start (time) From: start of the interval
-- column interval_end (time) To: end of the interval; figures end earlier where the source was not observed so far
-- column staffed_seconds (seconds) Staffed: signed in: available, handling, wrap-up or not ready
-- column available_seconds (seconds) Available: ready and handling none; of a source that does not tell handling: ready, working or not
-- column handling_seconds (seconds) Handling: handling at least one interaction; empty where the source does not tell
-- column wrap_up_seconds (seconds) Wrap-up: after-contact work; empty where the source does not tell
-- column not_ready_seconds (seconds) Not ready: signed in but not accepting work
-- column unobserved_seconds (seconds) Unobserved: nobody was looking
-- column occupancy (ratio) Occupancy: (handling + wrap-up) / (handling + wrap-up + available)
-- column occupancy_low (ratio) Occupancy, at least: what the evidence allows at least; unobserved time was all waiting
-- column occupancy_high (ratio) Occupancy, at most: what the evidence allows at most; unobserved time was all work
-- column occupancy_of_staffed (ratio) Occupancy of staffed: (handling + wrap-up) / staffed
-- column coverage (ratio) Coverage: share of the time that was observed
-- column transfers_out (count) Transfers out: transfers initiated; empty where the source tells of none
-- column transfers_in (count) Transfers in: transfers received
-- column logins (count) Sign-ins: times somebody was seen to sign in
with edges as materialized (
    select distinct interval_start, interval_end, local_label
    from agent_intervals($grain_minutes, $zone, $from_time, $to_time)
),

summed as (
    select q.source, q.agent_id, any_value(q.agent_name) as agent_name, any_value(q.team) as team,
        e.interval_start, any_value(e.interval_end) as interval_end,
        any_value(e.local_label) as local_label,
        whole_sum(q.staffed_seconds) as staffed_seconds,
        whole_sum(q.available_seconds) as available_seconds,
        whole_sum(q.handling_seconds) as handling_seconds,
        whole_sum(q.wrap_up_seconds) as wrap_up_seconds,
        whole_sum(q.not_ready_seconds) as not_ready_seconds,
        whole_sum(q.unobserved_seconds) as unobserved_seconds,
        whole_sum(q.observed_seconds) as observed_seconds,
        whole_sum(q.uncertainty_seconds) as uncertainty_seconds,
        sum(q.transfers_out)::bigint as transfers_out,
        sum(q.transfers_in)::bigint as transfers_in,
        sum(q.logins)::bigint as logins
    from report_quarters as q
    inner join edges as e on q.interval_start >= e.interval_start and q.interval_start < e.interval_end
    group by q.source, q.agent_id, e.interval_start
)

select source, agent_id, agent_name, team, local_label, interval_start, interval_end, staffed_seconds,
    available_seconds, handling_seconds, wrap_up_seconds, not_ready_seconds, unobserved_seconds,
    occupancy(handling_seconds, wrap_up_seconds, available_seconds) as occupancy,
    occupancy_low(handling_seconds, wrap_up_seconds, available_seconds, unobserved_seconds, uncertainty_seconds)
        as occupancy_low,
    occupancy_high(handling_seconds, wrap_up_seconds, available_seconds, unobserved_seconds, uncertainty_seconds)
        as occupancy_high,
    occupancy_of_staffed(handling_seconds, wrap_up_seconds, staffed_seconds) as occupancy_of_staffed,
    coverage(observed_seconds, unobserved_seconds) as coverage,
    transfers_out, transfers_in, logins
from summed
order by team, source, agent_name, agent_id, interval_start
