-- Who took part in which interaction, where a feed says so. CxEngage counts interactions but names none, and Kore and
-- CC-Gateway say nothing of them, so they have no rows here: counts are not identities, and a transfer does not date a
-- joining (docs/metrics.md, Participation).
-- grain: source, interaction_id, agent_id, joined_at
-- window: 0 days .. 0 days
-- check leaves_after_joining: left_at is null or left_at >= joined_at
-- check known_role: coalesce(role in ('owner', 'participant'), true)
with everything as (
    select * from intermediate.int_huawei_participation
    union all by name
    select * from intermediate.int_beyondtrust_participation
)

select
    source,                                       -- name of the source in sources.yaml
    interaction_id,                               -- the vendor's id of the interaction
    agent_id,                                     -- the vendor's id of the agent
    joined_at,                                    -- when the agent joined
    left_at,                                      -- when the agent left; NULL while taking part
    (epoch_us(left_at) - epoch_us(joined_at)) / 1e6 as seconds, -- between joining and leaving, in seconds
    role,                                         -- owner or participant; NULL where the vendor does not say
    channel                                       -- voice, chat, email, sms or other; NULL where the vendor does not say
from everything
order by source, interaction_id, joined_at, agent_id
