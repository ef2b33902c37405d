-- Full copies of BeyondTrust's tables that began on the day: what is known of rows starts anew with each.
-- A live copy begins with the first row of a connection, or with a truncation; an archived one with a snapshot.
-- grain: source, feed, epoch_at
-- window: -1 days .. 0 days
with first_rows as (
    select source, 'state' as feed, connected_at, min(received_at) as epoch_at
    from staging.stg_beyondtrust__state
    where kind = 'insert' and reject_reason is null
    group by source, connected_at
),

begun as (
    select source, feed, connected_at, epoch_at from first_rows
    union
    select source, 'state', connected_at, received_at
    from staging.stg_beyondtrust__state
    where kind = 'truncate'
    union
    -- The archive is one long connection.
    select source, 'archive', make_timestamptz(0), happened_at
    from staging.stg_beyondtrust__archive
    where kind in ('snapshot', 'truncate') and reject_reason is null
),

-- While a connection takes over from another both are open: what the earlier one still says begins nothing.
counted as (
    select *, connected_at >= max(connected_at) over (
        partition by source, feed order by epoch_at, connected_at rows unbounded preceding
    ) as is_newest
    from begun
)

select
    source,                                       -- name of the source in sources.yaml
    feed,                                         -- state or archive
    epoch_at,                                     -- when the copy began: by our clock for state, by the appliance's for archive
    max(connected_at) as connected_at             -- when the connection was opened; 1970 for the archive
from counted
where is_newest and epoch_at >= $partition_start and epoch_at < $partition_end
group by source, feed, epoch_at
order by source, feed, epoch_at
