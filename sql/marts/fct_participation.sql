-- Who took part in which interaction, where a feed says so. CxEngage counts interactions but names none, so it has no
-- rows here: counts are not identities, and a transfer does not date a joining (docs/metrics.md, Participation).
-- grain: source, interaction_id, agent_id, joined_at
-- window: 0 days .. 0 days
select
    null::varchar as source,                      -- name of the source in sources.yaml
    null::varchar as interaction_id,              -- the vendor's id of the interaction
    null::varchar as agent_id,                    -- the vendor's id of the agent
    null::timestamptz as joined_at,               -- when the agent joined
    null::timestamptz as left_at,                 -- when the agent left; NULL while taking part
    null::double as seconds,                      -- between joining and leaving, in seconds
    null::varchar as role,                        -- owner or participant
    null::varchar as channel                      -- voice, chat, email, sms or other
where false
