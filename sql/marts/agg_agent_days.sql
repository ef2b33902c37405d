-- Seconds in each state per agent and UTC day: the sums of fct_agent_intervals.
-- grain: source, agent_id, date
-- window: 0 days .. 0 days
-- window int_session_days: 0 days .. +1 days
with summed as (
    select source, agent_id,
        sum(available_us)::bigint as available_us, sum(handling_us)::bigint as handling_us,
        sum(wrap_up_us)::bigint as wrap_up_us, sum(not_ready_us)::bigint as not_ready_us,
        sum(offline_us)::bigint as offline_us, sum(unobserved_us)::bigint as unobserved_us,
        sum(uncertainty_us)::bigint as uncertainty_us,
        case when count(load_us) = count(*) then sum(load_us)::bigint end as load_us,
        case when count(capacity_us) = count(*) then sum(capacity_us)::bigint end as capacity_us,
        case when count(work_item_us) = count(*) then sum(work_item_us)::bigint end as work_item_us
    from intermediate.int_agent_buckets
    group by source, agent_id
),

counted as (
    select source, agent_id, sum(transfers_out)::bigint as transfers_out, sum(transfers_in)::bigint as transfers_in,
        sum(logins)::bigint as logins
    from marts.fct_agent_intervals
    group by source, agent_id
),

signed_out as (
    select d.source, d.agent_id, max(d.last_ended_at) as last_logout_at
    from intermediate.int_session_days as d
    inner join (
        select source, max(observed_until) as observed_until from ops.feed_clock where state_bearing group by source
    ) as c on d.source = c.source and d.last_ended_at < c.observed_until
    where d.is_last and d.last_ended_at >= $partition_start
    group by d.source, d.agent_id
),

signed_in as (
    select source, agent_id, min(signed_in_at) as first_login_at
    from intermediate.int_session_days
    where signed_in_at >= $partition_start and signed_in_at < $partition_end
    group by source, agent_id
)

select
    s.source,                                     -- name of the source in sources.yaml
    s.agent_id,                                   -- the vendor's id of the agent
    (available_us + handling_us + wrap_up_us + not_ready_us) / 1e6 as staffed_seconds, -- signed in, in seconds
    case when gives_available then available_us / 1e6 end as available_seconds, -- ready and handling none, in seconds; where a source does not tell handling: ready, working or not
    case when gives_handling then handling_us / 1e6 end as handling_seconds, -- handling at least one interaction, in seconds
    case when gives_wrap_up then wrap_up_us / 1e6 end as wrap_up_seconds, -- after-contact work, in seconds; NULL where the source does not tell
    not_ready_us / 1e6 as not_ready_seconds,      -- signed in but not accepting work, in seconds
    offline_us / 1e6 as offline_seconds,          -- known to be signed out, in seconds
    unobserved_us / 1e6 as unobserved_seconds,    -- nobody was looking, in seconds
    (available_us + handling_us + wrap_up_us + not_ready_us + offline_us) / 1e6 as observed_seconds, -- staffed or offline, in seconds
    case when gives_load then load_us / 1e6 end as load_seconds, -- load in items × seconds
    case when gives_capacity then capacity_us / 1e6 end as capacity_seconds, -- capacity in items × seconds while available or handling
    case when gives_load then work_item_us / 1e6 end as work_item_seconds, -- interactions × seconds
    case when gives_transfers then coalesce(c.transfers_out, 0)::bigint end as transfers_out, -- transfers the agent initiated; NULL where the source tells of none
    case when gives_transfers then coalesce(c.transfers_in, 0)::bigint end as transfers_in, -- transfers that reached the agent; NULL likewise
    coalesce(c.logins, 0)::bigint as logins,      -- sign-ins; one that nobody saw is not counted
    i.first_login_at,                             -- first known sign-in of the day; NULL when there was none
    o.last_logout_at,                             -- last known sign-out of the day, which the next sign-in in place of one is not; NULL when there was none
    case when gives_available and gives_handling then uncertainty_us / 1e6 end as uncertainty_seconds -- of the seconds observed, so many at most were truly of another kind: working, available or neither
from summed as s
inner join intermediate.int_source_signals as g on s.source = g.source
left join counted as c on s.source = c.source and s.agent_id = c.agent_id
left join signed_out as o on s.source = o.source and s.agent_id = o.agent_id
left join signed_in as i on s.source = i.source and s.agent_id = i.agent_id
order by s.source, s.agent_id
