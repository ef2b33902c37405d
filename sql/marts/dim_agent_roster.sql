-- Who an agent is and was: the rows of the roster, and where an agent has none, the teams that BeyondTrust names.
-- grain: source, agent_id, valid_from
-- check ends_after_start: coalesce(valid_to > valid_from, true)
-- check known_origin: origin in ('roster', 'beyondtrust team')
with told as (
    select source, agent_id, team, date,
        lag(team) over (partition by source, agent_id order by date) as team_before,
        lag(date) over (partition by source, agent_id order by date) as date_before
    from intermediate.int_beyondtrust_teams
),

-- Days on which the source told of teams at all: who is not named on one is in no team.
days as (
    select source, date, lag(date) over (partition by source order by date) as date_before
    from (select distinct source, date from intermediate.int_beyondtrust_teams)
),

stays as (
    select t.source, t.agent_id, t.team, t.date, count(*) filter (
        t.team_before is distinct from t.team or t.date_before is distinct from d.date_before
    ) over (partition by t.source, t.agent_id order by t.date) as stay
    from told as t
    inner join days as d on t.source = d.source and t.date = d.date
),

teams as (
    select s.source, s.agent_id, any_value(s.team) as team, min(s.date) as valid_from, max(s.date) as last_day
    from stays as s
    group by s.source, s.agent_id, s.stay
)

select
    source,                                       -- name of the source in sources.yaml
    agent_id,                                     -- the vendor's id of the agent
    person_id,                                    -- the person behind the agent; NULL where the roster names none
    display_name,                                 -- the person's name as the roster has it
    team,                                         -- the team; of several of BeyondTrust's the names with commas between
    site,                                         -- the site
    valid_from,                                   -- first day, UTC; NULL: ever since
    valid_to,                                     -- first day no more, UTC; NULL: still
    'roster' as origin                            -- roster, or beyondtrust team: how it is known
from staging.roster
union all
select t.source, t.agent_id, null, null, t.team, null, t.valid_from,
    (select min(d.date) from days as d where d.source = t.source and d.date > t.last_day), 'beyondtrust team'
from teams as t
where not exists (select 1 from staging.roster as r where r.source = t.source and r.agent_id = t.agent_id)
order by source, agent_id, valid_from
