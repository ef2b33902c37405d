-- Who was in which team of a BeyondTrust site, as its last answer of the day about teams says.
-- grain: source, agent_id
-- window: 0 days .. 0 days
with replies as (
    select source, segment, sequence, element, team_id, id, name, received_at, payload_sha256
    from staging.stg_beyondtrust__command
    where action = 'get_support_teams' and element in ('support_team', 'team_member') and reject_reason is null
        and received_at >= $partition_start and received_at < $partition_end
),

latest as (
    select * from replies
    qualify dense_rank() over (
        partition by source order by received_at desc, payload_sha256 desc, segment desc, sequence desc
    ) = 1
),

names as (
    select source, id as team_id, min(name) as name from latest where element = 'support_team' group by all
)

select
    m.source,                                     -- name of the source in sources.yaml
    m.id as agent_id,                             -- the vendor's id of the representative
    array_to_string(list_sort(list_distinct(list(coalesce(n.name, m.team_id)))), ', ') as team -- names of the representative's teams, in order of the alphabet
from latest as m
left join names as n on m.source = n.source and m.team_id = n.team_id
where m.element = 'team_member' and m.id is not null
group by m.source, m.id
order by m.source, m.id
