-- Interactions × time lie between the time with at least one interaction and that time × the highest concurrency.
select source, agent_id, interval_start, work_item_us, handling_us, most_work_items
from intermediate.int_agent_buckets
where work_item_us is not null
    and not (work_item_us >= handling_us and work_item_us <= handling_us * greatest(most_work_items, 1))
