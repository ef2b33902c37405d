-- Sign-ins, from first to last record, across midnight.
-- Without a record of the sign-out, a closed record that names no successor ends its session.
-- grain: source, session_id
-- check known_end: ended_by in ('reported', 'derived', 'replaced', 'open', 'unknown')
-- check ends_after_start: logged_out_at is null or logged_out_at >= logged_in_at
with merged as (
    select source, session_id,
        arg_max(agent_id, last_started_at) as agent_id,
        min(logged_in_at) as logged_in_at,
        -- A later day names the same record again, perhaps from a copy that was still open, or with the sign-out after it.
        arg_max(last_ended_at, (last_started_at, isfinite(last_ended_at), is_last, is_signed_out)) as last_ended_at,
        arg_max(is_last, (last_started_at, isfinite(last_ended_at), is_last, is_signed_out)) as is_last,
        arg_max(is_signed_out, (last_started_at, isfinite(last_ended_at), is_last, is_signed_out)) as is_signed_out
    from intermediate.int_session_days
    group by source, session_id
),

clock as (
    select source, max(observed_until) as observed_until from ops.feed_clock where state_bearing group by source
),

followed as (
    select m.*, c.observed_until,
        lead(m.logged_in_at) over (partition by m.source, m.agent_id order by m.logged_in_at, m.session_id) as replaced_at
    from merged as m
    inner join clock as c on m.source = c.source
),

judged as (
    select *,
        case
            when last_ended_at < observed_until and is_signed_out then 'reported'
            when last_ended_at < observed_until and is_last then 'derived'
            -- Also a closed record lasts up to the next sign-in where that begins as it ends (Huawei's history).
            when replaced_at is not null then case when last_ended_at < replaced_at then 'unknown' else 'replaced' end
            -- No record runs for 35 days: the feed was not watched, and the session ended unseen.
            when observed_until - logged_in_at > interval 35 days and not isfinite(last_ended_at) then 'unknown'
            when last_ended_at >= observed_until then 'open'
            else 'unknown'
        end as ended_by
    from followed
),

ended as (
    select *,
        case ended_by
            when 'reported' then least(last_ended_at, replaced_at)
            when 'derived' then least(last_ended_at, replaced_at)
            when 'replaced' then replaced_at
        end as logged_out_at
    from judged
)

select
    source,                                       -- name of the source in sources.yaml
    agent_id,                                     -- the vendor's id of the agent
    session_id,                                   -- the vendor's id of the sign-in
    logged_in_at,                                 -- when the session began; where nobody saw the sign-in, when it was first seen
    logged_out_at,                                -- when it ended; NULL while open or when nobody knows
    case
        when ended_by <> 'unknown' then
            (epoch_us(coalesce(logged_out_at, observed_until)) - epoch_us(logged_in_at)) / 1e6
    end as seconds,                               -- length in seconds, up to the observed-until time while open
    ended_by = 'open' as is_open,                 -- still signed in at the source's observed-until time
    ended_by                                      -- reported, derived, replaced by a new sign-in, open, unknown
from ended
order by source, agent_id, logged_in_at, session_id
