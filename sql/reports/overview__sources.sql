-- How far each source was observed, and which states it tells.
-- title: Sources
-- column source (text) Source: name of the source in sources.yaml
-- column observed_until (time) Observed until: the latest instant for which it was seen what agents do; empty when there is none
-- column gives_available (text) Tells available: yes or no
-- column gives_handling (text) Tells handling: yes or no
-- column gives_wrap_up (text) Tells wrap-up: yes or no
select k.source, max(k.observed_until) as observed_until,
    case when any_value(g.gives_available) then 'yes' else 'no' end as gives_available,
    case when any_value(g.gives_handling) then 'yes' else 'no' end as gives_handling,
    case when any_value(g.gives_wrap_up) then 'yes' else 'no' end as gives_wrap_up
from ops.feed_clock as k
left join intermediate.int_source_signals as g on k.source = g.source
where k.state_bearing
group by k.source
order by k.source
