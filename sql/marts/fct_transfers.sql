-- Work handed to another agent, queue or destination, each transfer once, on the UTC day it was initiated.
-- Hop and return follow the interaction's transfers of the last 7 days.
-- grain: source, transfer_id
-- window: 0 days .. 0 days
-- window int_transfers: -7 days .. 0 days
-- check known_receiver: to_kind in ('agent', 'queue', 'external', 'unknown')
-- check known_kind: kind in ('blind', 'consult', 'unknown')
-- check ends_after_start: completed_at is null or completed_at >= started_at
-- check hops_from_one: hop >= 1
with placed as (
    select *, row_number() over chain as place, array_agg(from_agent_id) over chain as senders,
        -- A queue may bear the number of an agent.
        array_agg(case when to_kind = 'agent' then to_id end) over chain as receivers
    from intermediate.int_transfers
    window chain as (
        partition by source, interaction_id order by started_at, completed_at, transfer_id rows unbounded preceding
    )
),

chains as (
    select *, min(place) over (
        partition by source, interaction_id order by started_at range between interval 7 days preceding and current row
    ) as first_place
    from placed
)

select
    source,                                       -- name of the source in sources.yaml
    transfer_id,                                  -- sha256 of source, interaction, sender, receiver and start in microseconds
    interaction_id,                               -- the vendor's id of the interaction
    from_agent_id,                                -- who handed over
    to_kind,                                      -- agent, queue, external or unknown
    to_id,                                        -- who or what received
    started_at,                                   -- when it was initiated
    completed_at,                                 -- when the receiver had it; NULL while in flight
    (epoch_us(completed_at) - epoch_us(started_at)) / 1e6 as seconds, -- from initiation to completion, in seconds
    kind,                                         -- blind, consult or unknown; CxEngage does not say
    place - first_place + 1 as hop,               -- place in the interaction's chain, from 1
    to_kind = 'agent' and (
        list_contains(senders[first_place:place], to_id) or list_contains(receivers[first_place:place - 1], to_id)
    ) as is_return                                -- goes back to an agent who already had it
from chains
where started_at >= $partition_start and started_at < $partition_end
order by source, started_at, transfer_id
