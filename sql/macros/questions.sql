-- The instant so many hours, also parts of hours, before another.
create macro hours_before(hours, as_of) as
    case
        when coalesce(hours < 0, true) then error('hours is 0 or more, not ' || coalesce(hours::varchar, 'NULL'))
        when not coalesce(isfinite(as_of::timestamptz), false)
            then error('as_of is an instant, not ' || coalesce(as_of::varchar, 'NULL'))
        else make_timestamptz(epoch_us(as_of::timestamptz) - round(hours * 3.6e9)::bigint)
    end;

-- The timeline between two instants: rows that reach into it, cut at both ends to the microsecond.
-- started_at: start, not before from_time
-- ended_at: end, not after to_time
-- us: length in microseconds
create macro timeline_between(from_time, to_time) as table
    select
        source, agent_id, started_at, ended_at, epoch_us(ended_at) - epoch_us(started_at) as us,
        state, vendor_state, reason_code, reason, session_id, work_items, uncertainty_seconds, evidence
    from (
        select * replace (
            greatest(started_at, from_time::timestamptz) as started_at, least(ended_at, to_time::timestamptz) as ended_at
        )
        from marts.fct_agent_timeline
        where date between utc_day(from_time) and utc_day(to_time)
    ) as cut
    where ended_at > started_at;

-- Time of each agent by state between two instants: the timeline and, of a day on which an agent who was known by then
-- has no rows there, being signed out as far as that is known, and the rest, which nobody observed. As in the timeline,
-- it is known from the agent's last record, at most 35 days before, as long as the source was looked at without a gap.
-- us: length in microseconds
create macro states_between(from_time, to_time) as table
    select source, agent_id, us, state, vendor_state, reason_code, work_items
    from timeline_between(from_time, to_time)
    union all
    -- No common table expressions: DuckDB 1.4.0 and 1.4.1 lose those of macros. No if(): 1.x knows it only as it parses.
    select source, agent_id,
        least(epoch_us(part.ended_at), epoch_us(to_time::timestamptz))
        - greatest(epoch_us(part.started_at), epoch_us(from_time::timestamptz)),
        part.state, part.vendor_state, null, null
    from (
        select source, agent_id, unnest([
            {'state': 'offline', 'vendor_state': vendor_state, 'started_at': midnight, 'ended_at': out_until},
            {'state': 'unobserved', 'vendor_state': null, 'started_at': out_until, 'ended_at': observed_until}
        ]) as part
        from (
            select a.source, a.agent_id, o.vendor_state, d.midnight, d.observed_until,
                case
                    when o.agent_id is null then d.midnight
                    else greatest(least(o.gap_at, d.observed_until), d.midnight)
                end as out_until
            from marts.dim_agents as a
            inner join (
                select source, date, make_timestamptz(epoch_us(date::timestamp)) as midnight, observed_until
                from intermediate.int_observed_until
                where date between utc_day(from_time) and utc_day(to_time)
            ) as d on a.source = d.source and a.first_seen_at < d.midnight
            left join (
                select r.source, r.agent_id, r.date, r.vendor_state,
                    min(greatest(g.gap_start, r.since)) filter (g.gap_end > greatest(g.gap_start, r.since)) as gap_at
                from (
                    select source, agent_id, date, coalesce(ended_at, started_at) as since,
                        case when ended_at is null then vendor_state end as vendor_state
                    from intermediate.int_agent_day_open
                    where date between utc_day(from_time) and utc_day(to_time)
                        and case when ended_at is null then state = 'offline' else ends_session end
                ) as r
                inner join intermediate.int_feed_gaps as g
                    on r.source = g.source and g.date between utc_day(r.since) and r.date
                where g.date between utc_day(from_time) - 35 and utc_day(to_time)
                group by r.source, r.agent_id, r.date, r.since, r.vendor_state
                -- A day that nobody asked for has no row.
                having count(distinct g.date) = r.date - utc_day(r.since) + 1
            ) as o on a.source = o.source and a.agent_id = o.agent_id and d.date = o.date
            where not exists (
                select 1 from marts.fct_agent_timeline as t
                where t.date between utc_day(from_time) and utc_day(to_time)
                    and t.source = a.source and t.agent_id = a.agent_id and t.date = d.date
            )
        ) as days
    ) as parts
    where least(part.ended_at, to_time::timestamptz) > greatest(part.started_at, from_time::timestamptz);

-- What each agent was doing at an instant. An agent has no row where the timeline has none: after the source's
-- observed-until time, and on a UTC day that the agent neither began in a state other than offline nor was seen on.
-- started_at: true start of the record that says so, perhaps on an earlier day
create macro agent_state_at(at_time) as table
    select t.source, t.agent_id, a.agent_name, t.state, t.vendor_state, t.reason, t.state_started_at as started_at, t.evidence
    from marts.fct_agent_timeline as t
    left join marts.dim_agents as a on t.source = a.source and t.agent_id = a.agent_id
    where t.date = utc_day(at_time) and t.started_at <= at_time::timestamptz and t.ended_at > at_time::timestamptz
    order by t.source, t.agent_id;

-- Time in each state in the last hours before as_of. What nobody observed is the state unobserved. All
-- agents known by then.
-- seconds: time in it, in seconds
-- observed_seconds: of the time asked for, what was observed of this agent, in seconds
create macro time_in_state(hours, as_of) as table
    select
        t.source, t.agent_id, any_value(a.agent_name) as agent_name, t.state, t.vendor_state,
        sum(t.us)::bigint / 1e6 as seconds,
        sum(coalesce(sum(t.us) filter (t.state <> 'unobserved'), 0)) over (partition by t.source, t.agent_id)::bigint / 1e6
            as observed_seconds
    from states_between(hours_before(hours, as_of), as_of) as t
    left join marts.dim_agents as a on t.source = a.source and t.agent_id = a.agent_id
    group by t.source, t.agent_id, t.state, t.vendor_state
    order by t.source, t.agent_id, t.state, t.vendor_state;

-- How long agents waited for work in the last hours before as_of, and how long the vendor flagged them as idle, which
-- is another thing: BeyondTrust may raise its flag amid a session, too. All agents known by then.
-- idle_seconds: available, in seconds; NULL where the source does not tell, or does not tell waiting from working
-- vendor_idle_seconds: the vendor's own idle flag was raised, in seconds; NULL where it has none
-- observed_seconds: of the time asked for, what was observed of this agent, in seconds
create macro idle_time(hours, as_of) as table
    select
        a.source, a.agent_id, a.agent_name,
        case when any_value(g.gives_available and g.gives_handling) then
            coalesce(sum(t.us) filter (t.state = 'available'), 0)::bigint / 1e6
        end as idle_seconds,
        case when any_value(g.gives_idle_flag) then
            coalesce(sum(t.us) filter (list_contains(string_split(t.reason_code, '+'), 'idle')), 0)::bigint / 1e6
        end as vendor_idle_seconds,
        coalesce(sum(t.us) filter (t.state <> 'unobserved'), 0)::bigint / 1e6 as observed_seconds
    from marts.dim_agents as a
    inner join intermediate.int_source_signals as g on a.source = g.source
    left join states_between(hours_before(hours, as_of), as_of) as t
        on a.source = t.source and a.agent_id = t.agent_id
    -- Where no day is read, nothing else looks at the hours.
    where a.first_seen_at < as_of::timestamptz and hours_before(hours, as_of) is not null
    group by a.source, a.agent_id, a.agent_name
    order by a.source, a.agent_id;

-- The state each agent is in, and since when: the unbroken time in this state, at most 35 days, whatever else changed,
-- the vendor's word, too: feeds of one source have words of their own for a state, and take turns. Beyond the source's
-- observed-until time nothing is known: then it is the state at that time and the seconds up to it, so that since +
-- seconds is the instant it is known up to; after a day without any observation there is no present state, and no row.
-- Nor is there one where the timeline has none (agent_state_at).
-- vendor_state: the vendor's word at the end of that time
-- since: when the state began
-- seconds: from then to as_of, or to where the timeline ends, in seconds
create macro current_state_age(as_of) as table
    with recent as (
        select source, agent_id, state, vendor_state, started_at, ended_at, state_started_at
        from marts.fct_agent_timeline
        where date between utc_day(as_of) - 1 and utc_day(as_of) and started_at <= as_of::timestamptz
    ),

    present as (
        select r.source, r.agent_id, r.state, r.vendor_state, least(r.ended_at, as_of::timestamptz) as known_until
        from recent as r
        inner join (select source, max(ended_at) as until from recent group by source) as seen on r.source = seen.source
        where r.ended_at > as_of::timestamptz
            -- A day ends without a next one also for who was signed out then: that is no end of observation.
            or (
                r.ended_at = seen.until and r.ended_at > hours_before(24, as_of)
                and (r.state not in ('offline', 'unobserved') or epoch_us(r.ended_at) % 86400000000 <> 0)
            )
    ),

    -- Few have been in one state for two days: only theirs is looked for in older files.
    unbroken as (
        select p.source, p.agent_id
        from present as p
        inner join recent as r on p.source = r.source and p.agent_id = r.agent_id
        group by p.source, p.agent_id
        having bool_and(r.state = p.state)
    ),

    told as (
        from recent
        union all
        select t.source, t.agent_id, t.state, t.vendor_state, t.started_at, t.ended_at, t.state_started_at
        from marts.fct_agent_timeline as t
        inner join unbroken as u on t.source = u.source and t.agent_id = u.agent_id
        where t.date between utc_day(as_of) - 35 and utc_day(as_of) - 2
    ),

    broken as (
        select p.source, p.agent_id, max(t.ended_at) as broken_at
        from present as p
        inner join told as t on p.source = t.source and p.agent_id = t.agent_id
        where t.state <> p.state
        group by p.source, p.agent_id
    ),

    begun as (
        select t.source, t.agent_id, min(t.state_started_at) as since
        from told as t
        left join broken as b on t.source = b.source and t.agent_id = b.agent_id
        where coalesce(t.started_at >= b.broken_at, true)
        group by t.source, t.agent_id
    )

    select p.source, p.agent_id, a.agent_name, p.state, p.vendor_state, b.since,
        (epoch_us(p.known_until) - epoch_us(b.since)) / 1e6 as seconds
    from present as p
    inner join begun as b on p.source = b.source and p.agent_id = b.agent_id
    left join marts.dim_agents as a on p.source = a.source and p.agent_id = a.agent_id
    order by p.source, p.agent_id;

-- Who took part in which interaction between two instants, cut at both ends. Stays that began up to 35 days before are
-- found. One whose end nobody saw is taken to last until its agent was next seen doing anything else, or not at all.
-- joined_at: when the agent joined, not before from_time
-- left_at: when the agent left or is known to have left, not after to_time
create macro participation_between(from_time, to_time) as table
    with stays as (
        select source, interaction_id, agent_id, joined_at, left_at
        from marts.fct_participation
        where date between utc_day(from_time) - 35 and utc_day(to_time)
            and joined_at < to_time::timestamptz
            and (left_at is null or left_at > from_time::timestamptz or joined_at >= from_time::timestamptz)
    ),

    seen as (
        select s.source, s.agent_id, s.joined_at,
            coalesce(
                min(greatest(t.state_started_at, t.started_at)) filter (
                    t.state <> 'handling'
                    -- What began within the vendor's latency may have begun before.
                    and epoch_us(t.state_started_at) - round(t.uncertainty_seconds * 1e6)::bigint > epoch_us(s.joined_at)
                ),
                max(t.ended_at)
            ) as until
        from (select distinct source, agent_id, joined_at from stays where left_at is null) as s
        inner join marts.fct_agent_timeline as t on s.source = t.source and s.agent_id = t.agent_id
        where t.date between utc_day(from_time) - 35 and utc_day(to_time) and t.ended_at > s.joined_at
        group by s.source, s.agent_id, s.joined_at
    ),

    ended as (
        select s.* replace (greatest(coalesce(s.left_at, n.until, s.joined_at), s.joined_at) as left_at)
        from stays as s
        left join seen as n on s.source = n.source and s.agent_id = n.agent_id and s.joined_at = n.joined_at
    )

    select source, interaction_id, agent_id,
        greatest(joined_at, from_time::timestamptz) as joined_at,
        least(left_at, to_time::timestamptz) as left_at
    from ended
    where joined_at >= from_time::timestamptz or left_at > from_time::timestamptz;

-- What each agent took part in during the last hours before as_of, and whether that is all they were seen handling:
-- work that is not named yet, or by no feed, would make every count of interactions too small.
-- sessions: distinct interactions
-- us: microseconds in at least so many at once
-- is_whole: each stretch of handling has a named interaction, give or take the boundaries' uncertainty
create macro participation_of_agents(at_least, hours, as_of) as table
    with stays as materialized (
        from participation_between(hours_before(hours, as_of), as_of)
    ),

    counted as (
        select source, agent_id, count(distinct interaction_id) as sessions from stays group by source, agent_id
    ),

    -- Stays of one interaction and agent never overlap: each is another interaction.
    running as (
        select source, agent_id,
            sum(step) over (own rows unbounded preceding) as at_once,
            lead(epoch_us(at_time)) over own - epoch_us(at_time) as us
        from (
            select source, agent_id, joined_at as at_time, 1 as step from stays
            union all
            select source, agent_id, left_at, -1 from stays
        ) as moments
        window own as (partition by source, agent_id order by at_time, step)
    ),

    timed as (
        select source, agent_id, sum(us) filter (at_once >= at_least) as us from running group by source, agent_id
    ),

    handled as (
        select source, agent_id, started_at, ended_at, to_microseconds(round(uncertainty_seconds * 1e6)::bigint) as give
        from timeline_between(hours_before(hours, as_of), as_of)
        where state = 'handling'
    ),

    nearest as (
        select source, agent_id, joined_at, max(left_at) over (
            -- By range: stays cut at from_time share one joined_at, and the join may take any of them.
            partition by source, agent_id order by joined_at range unbounded preceding
        ) as left_at
        from stays
    ),

    judged as (
        select h.source, h.agent_id, bool_and(coalesce(n.left_at >= h.started_at - h.give, false)) as is_whole
        from handled as h
        asof left join nearest as n
            on h.source = n.source and h.agent_id = n.agent_id and n.joined_at <= h.ended_at + h.give
        group by h.source, h.agent_id
    )

    select source, agent_id, coalesce(c.sessions, 0) as sessions, coalesce(t.us, 0)::bigint as us,
        coalesce(j.is_whole, true) as is_whole
    from counted as c
    full join timed as t using (source, agent_id)
    full join judged as j using (source, agent_id);

-- How many interactions each agent took part in during the last hours before as_of. All agents known by then.
-- sessions: distinct interactions; NULL where the source attributes none to agents, or not all that the agent handled
-- observed_seconds: of the time asked for, what was observed of this agent, in seconds
create macro sessions_participated(hours, as_of) as table
    with attributed as (
        from participation_of_agents(1, hours, as_of)
    ),

    observed as (
        select source, agent_id, sum(us) filter (state <> 'unobserved') as us
        from states_between(hours_before(hours, as_of), as_of)
        group by source, agent_id
    ),

    agents as (
        select source, agent_id from marts.dim_agents where first_seen_at < as_of::timestamptz
        union
        select source, agent_id from attributed
    )

    select a.source, a.agent_id, d.agent_name,
        case when g.gives_participation and coalesce(p.is_whole, true) then coalesce(p.sessions, 0) end as sessions,
        coalesce(o.us, 0)::bigint / 1e6 as observed_seconds
    from agents as a
    inner join intermediate.int_source_signals as g on a.source = g.source
    left join attributed as p on a.source = p.source and a.agent_id = p.agent_id
    left join observed as o on a.source = o.source and a.agent_id = o.agent_id
    left join marts.dim_agents as d on a.source = d.source and a.agent_id = d.agent_id
    -- Where no day is read, nothing else looks at the hours.
    where hours_before(hours, as_of) is not null
    order by a.source, a.agent_id;

-- Time in at least so many interactions at once in the last hours before as_of, by the timeline's work items; where
-- those are not counted, by participation. All agents known by then.
-- seconds: time in at least so many, in seconds; NULL where the source counts none, or not all that the agent handled
-- observed_seconds: of the time asked for, what was observed of this agent, in seconds
create macro time_with_sessions(at_least, hours, as_of) as table
    with asked as (
        select case
            when at_least >= 1 then at_least
            else error('time_with_sessions: at_least is 1 or more, not ' || coalesce(at_least::varchar, 'NULL'))
        end as threshold
    ),

    counted as (
        select source, agent_id,
            sum(us) filter (work_items >= threshold) as us,
            count(*) filter (state = 'handling' and work_items is null) = 0 as is_whole,
            sum(us) filter (state <> 'unobserved') as observed_us
        from states_between(hours_before(hours, as_of), as_of)
        cross join asked
        group by source, agent_id
    )

    select a.source, a.agent_id, a.agent_name,
        case
            when g.gives_load and coalesce(c.is_whole, true) then coalesce(c.us, 0)
            when g.gives_participation and coalesce(p.is_whole, true) then coalesce(p.us, 0)
        end::bigint / 1e6 as seconds,
        coalesce(c.observed_us, 0)::bigint / 1e6 as observed_seconds
    from marts.dim_agents as a
    inner join intermediate.int_source_signals as g on a.source = g.source
    left join counted as c on a.source = c.source and a.agent_id = c.agent_id
    left join participation_of_agents(at_least, hours, as_of) as p on a.source = p.source and a.agent_id = p.agent_id
    -- Where no day is read, nothing else looks at the hours.
    where a.first_seen_at < as_of::timestamptz and hours_before(hours, as_of) is not null
    order by a.source, a.agent_id;
