-- Every agent has a row of the roster, where there is one, that is valid where they were last seen; who has none is in no
-- person's figures.
-- severity: warn
select a.source, a.agent_id, a.agent_name, a.last_seen_at
from marts.dim_agents as a
where exists (select 1 from staging.roster)
    and not exists (
        select 1
        from staging.roster as r
        where r.source = a.source and r.agent_id = a.agent_id
            and coalesce(r.valid_from <= a.last_seen_at::date, true)
            -- What ends at midnight was seen on the day before.
            and coalesce(r.valid_to > (a.last_seen_at - interval 1 microsecond)::date, true)
    )
