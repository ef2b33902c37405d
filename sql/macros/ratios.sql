-- Ratios of sums: give them sums of seconds, never average them. NULL where the denominator is 0 or a needed signal is
-- missing; a NULL wrap-up counts as none (docs/metrics.md).

-- Share of the time available for work that was spent working; not-ready is outside (Amazon Connect, Genesys, Calabrio).
-- Over several sources sum only rows `where handling_seconds is not null`: not all tell working from waiting.
create macro occupancy(handling, wrap_up, available) as
    (handling + coalesce(wrap_up, 0)) / nullif(handling + coalesce(wrap_up, 0) + available, 0);

-- Share of the signed-in time that was spent working; not-ready is in the denominator (Call Centre Helper).
create macro occupancy_of_staffed(handling, wrap_up, staffed) as
    (handling + coalesce(wrap_up, 0)) / nullif(staffed, 0);

-- Least occupancy that the observed time allows: all unobserved time was spent waiting.
create macro occupancy_low(handling, wrap_up, available, unobserved, uncertainty := 0) as
    greatest(handling + coalesce(wrap_up, 0) - uncertainty, 0)
    / nullif(handling + coalesce(wrap_up, 0) + available + unobserved, 0);

-- Greatest occupancy that the observed time allows: all unobserved time was spent working.
create macro occupancy_high(handling, wrap_up, available, unobserved, uncertainty := 0) as
    least(handling + coalesce(wrap_up, 0) + unobserved + uncertainty, handling + coalesce(wrap_up, 0) + available + unobserved)
    / nullif(handling + coalesce(wrap_up, 0) + available + unobserved, 0);

-- How full multi-channel agents were: load over capacity, both in items × seconds.
create macro load_ratio(load, capacity) as load / nullif(capacity, 0);

-- Interactions handled at once while handling any.
create macro average_concurrency(work_item, handling) as work_item / nullif(handling, 0);

-- Share of the signed-in time spent waiting for work.
create macro availability(available, staffed) as available / nullif(staffed, 0);

-- Share of the signed-in time spent not accepting work.
create macro not_ready_share(not_ready, staffed) as not_ready / nullif(staffed, 0);

-- Share of the time that was really observed.
create macro coverage(observed, unobserved) as observed / nullif(observed + unobserved, 0);

-- Share of the handled interactions that were transferred at least once.
create macro transfer_rate(transferred, handled) as transferred / nullif(handled, 0);

-- Transfers per handled interaction.
create macro transfers_per_interaction(transfers, handled) as transfers / nullif(handled, 0);
