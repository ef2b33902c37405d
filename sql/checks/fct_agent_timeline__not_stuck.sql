-- No state lasts longer than 24 hours; a longer one is kept as reported, and worth a look.
-- severity: warn
select * from marts.fct_agent_timeline
where state not in ('offline', 'unobserved') and ended_at - state_started_at > interval 24 hours
