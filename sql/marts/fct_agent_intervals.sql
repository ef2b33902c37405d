-- Seconds in each state per agent and quarter of an hour, additive; ratios are macros over sums of these.
-- A bucket ends at the source's observed-until time: the last one is not padded.
-- grain: source, agent_id, interval_start
-- window: 0 days .. 0 days
-- window int_session_days: 0 days .. +1 days
-- window fct_transfers: -3 days .. 0 days
-- check union_at_most_the_sum: coalesce(handling_seconds <= work_item_seconds or work_item_seconds is null, true)
-- check not_negative: least(available_seconds, handling_seconds, not_ready_seconds, offline_seconds, unobserved_seconds, transfers_out, transfers_in, logins) >= 0
-- Published seconds are doubles, whose sum may be off in the last digit.
-- check at_most_a_bucket: observed_seconds + unobserved_seconds < 900.0000005
with sent as (
    select source, from_agent_id as agent_id, time_bucket(interval 15 minutes, started_at) as interval_start, count(*) as n
    from marts.fct_transfers
    where started_at >= $partition_start and started_at < $partition_end
    group by all
),

received as (
    select source, to_id as agent_id, time_bucket(interval 15 minutes, completed_at) as interval_start, count(*) as n
    from marts.fct_transfers
    where to_kind = 'agent' and completed_at >= $partition_start and completed_at < $partition_end
    group by all
),

signed_in as (
    select source, agent_id, time_bucket(interval 15 minutes, signed_in_at) as interval_start,
        count(distinct session_id) as n
    from intermediate.int_session_days
    where signed_in_at >= $partition_start and signed_in_at < $partition_end
    group by all
)

select
    b.source,                                     -- name of the source in sources.yaml
    b.agent_id,                                   -- the vendor's id of the agent
    b.interval_start,                             -- start of the quarter of an hour, UTC
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
    case when gives_load then work_item_us / 1e6 end as work_item_seconds, -- interactions × seconds: two chats for a minute are 120
    case when gives_transfers then coalesce(sent.n, 0)::bigint end as transfers_out, -- transfers the agent initiated in the bucket; NULL where the source tells of none
    case when gives_transfers then coalesce(received.n, 0)::bigint end as transfers_in, -- transfers that reached the agent in the bucket; NULL likewise
    coalesce(signed_in.n, 0)::bigint as logins,   -- sign-ins in the bucket; one that nobody saw is in none
    case when gives_available and gives_handling then uncertainty_us / 1e6 end as uncertainty_seconds -- of the seconds observed, so many at most were truly of another kind: working, available or neither
from intermediate.int_agent_buckets as b
inner join intermediate.int_source_signals as g on b.source = g.source
left join sent on b.source = sent.source and b.agent_id = sent.agent_id and b.interval_start = sent.interval_start
left join received
    on b.source = received.source and b.agent_id = received.agent_id and b.interval_start = received.interval_start
left join signed_in
    on b.source = signed_in.source and b.agent_id = signed_in.agent_id and b.interval_start = signed_in.interval_start
order by b.source, b.agent_id, b.interval_start
