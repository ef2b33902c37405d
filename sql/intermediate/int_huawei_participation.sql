-- Who took part in which call, as CC-CMS names calls in its operations: from the first operation on a call to the last.
-- grain: source, interaction_id, agent_id, joined_at
-- window: -1 days .. 1 days
with operations as (
    select source, call_id as interaction_id, agent_id, begin_at, op_type,
        -- A talk that goes on is written every five minutes: until then it is the same presence.
        case when op_type = 4 and op_cause = '1' then coalesce(end_at, begin_at) + interval 5 minutes else end_at end as reach,
        end_at,
        op_type = 4 and op_cause = '1' or end_at is null as goes_on
    from intermediate.int_huawei_operations
    -- Operations in which the agent has the call, or a part in it.
    where call_id is not null and op_type in (4, 10, 13, 20, 32, 38, 40, 41, 43, 57, 58)
),

returns as (
    select *,
        -- The one that ended last says whether the agent is still there: a talk that has ended reaches no further.
        begin_at > arg_max(
            coalesce(reach, 'infinity'::timestamptz),
            (coalesce(end_at, 'infinity'::timestamptz), not goes_on, coalesce(reach, 'infinity'::timestamptz))
        ) over (
            partition by source, interaction_id, agent_id order by begin_at, op_type, end_at, goes_on
            rows between unbounded preceding and 1 preceding
        ) as is_return
    from operations
),

presences as (
    select *, count(*) filter (is_return) over (
        partition by source, interaction_id, agent_id order by begin_at, op_type, end_at, goes_on
    ) as presence
    from returns
),

joined as (
    select source, interaction_id, agent_id, min(begin_at) as joined_at,
        -- Still there when the last that is known says that it goes on.
        case
            when not arg_max(goes_on, (coalesce(end_at, 'infinity'::timestamptz), not goes_on)) then max(end_at)
        end as left_at,
        bool_or(op_type = 4) as talked
    from presences
    group by source, interaction_id, agent_id, presence
)

select
    source,                                       -- name of the source in sources.yaml
    interaction_id,                               -- the vendor's id of the call
    agent_id,                                     -- the agent's work number
    joined_at,                                    -- when the agent had it first
    left_at,                                      -- when the agent had left it; NULL while it goes on
    case when talked then 'owner' else 'participant' end as role, -- owner: talked to the customer; participant: listened, helped or was asked
    null::varchar as channel                      -- the vendor's codes of media are not known
from joined
where joined_at >= $partition_start and joined_at < $partition_end
order by source, interaction_id, agent_id, joined_at
