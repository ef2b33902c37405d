"""A week on four platforms, the clocks going back amid it: every figure held against what really happened.

What can be known is worked out by plain Python over the simulator's truth (``week_truth.py``, ``week_figures.py``), an
hour that nobody could fetch included; what is unobserved there must be unobserved here, and nothing else.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestration.inputs import midnight
from tests.pipeline import week_seen
from tests.pipeline.site import build, opened
from tests.pipeline.truth import DAY, differences, micros
from tests.pipeline.week_asked import (
    compare_ages,
    compare_hours,
    compare_local_counts,
    compare_sessions_of_hours,
    compare_states,
)
from tests.pipeline.week_days import DAYS, OUTAGE, UNTIL
from tests.pipeline.week_figures import (
    QUARTER,
    label,
    local_edges,
    moment,
    reasons,
    sums,
)
from tests.pipeline.week_moves import compare_counts, compare_parts, compare_transfers
from tests.pipeline.week_ops import (
    compare_broken,
    compare_coverage,
    compare_health,
    compare_log,
    compare_second_opinion,
    compare_volumes,
)
from tests.pipeline.week_ours import Read
from tests.pipeline.week_pieces import day_of, merged
from tests.pipeline.week_plans import compare_adherence, compare_agents, compare_persons
from tests.pipeline.week_ratios import compare_bounds, compare_conformance, compare_rates, compare_ratios
from tests.pipeline.week_rows import compare_rows
from tests.pipeline.week_sessions import compare_sessions
from tests.pipeline.week_site import FORGET, week_site
from tests.pipeline.week_truth import GAP, OBSERVED, SINCE, read

SOURCES = ("cx", "kore", "aicc", "support")
SHOWN = (midnight(DAYS[0]), midnight(DAYS[4]))
"""The days whose intervals are looked at by wall clocks, from the night in which they go back to the outage."""
INSTANTS = (
    datetime(2026, 10, 25, 10, 30, 0, 250_000, UTC),
    datetime(2026, 10, 26, 20, 15, tzinfo=UTC),
    datetime(2026, 10, 27, 14, 5, tzinfo=UTC),
    datetime(2026, 10, 30, 12, tzinfo=UTC),
    UNTIL,
)
"""On the day of 25 hours, in the evening of a full day, after the outage, late in the week, and when it is over."""


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Iterator[Read]:
    """The week, captured and built once."""
    folder = tmp_path_factory.mktemp("week")
    (folder / "home" / "lake").mkdir(parents=True)
    (folder / "home" / "lake" / ".cache").symlink_to(cache_dir)
    with week_site(folder) as site:
        site.capture()
        build(site.engine, DAYS)
        told = read(site, folder / "truth")
    with opened(folder / "home") as connection:
        yield Read(connection, told)


@pytest.mark.parametrize("source", SOURCES)
def test_the_timeline_is_what_can_be_known(week: Read, source: str) -> None:
    """If this fails, somebody was shown as working who was not, or an hour that nobody saw as known."""
    ours, true = week.timeline(source), {agent: merged(one) for agent, one in week.tiles[source].items()}
    assert not differences(
        {(agent, one.start): one for agent, found in ours.items() for one in found},
        {(agent, one.start): one for agent, found in true.items() for one in found},
    )


@pytest.mark.parametrize("source", SOURCES)
def test_each_row_says_since_when_and_how_it_is_known(week: Read, source: str) -> None:
    """If this fails, a guess passes for a report, or a state looks as if it began at midnight."""
    compare_rows(week, source)


@pytest.mark.parametrize("source", SOURCES)
def test_quarters_and_days_are_its_sums(week: Read, source: str) -> None:
    """If this fails, a sum over the timeline is not what the timeline says, or has a figure the vendor cannot tell."""
    for table, length in (("marts.fct_agent_intervals", QUARTER), ("marts.agg_agent_days", DAY)):
        edges = [*range(SINCE, OBSERVED[source], length), OBSERVED[source]]
        true = {
            (agent, at): figures
            for agent, pieces in week.tiles[source].items()
            for at, figures in sums(source, pieces, edges).items()
        }
        assert not differences(week.figures(table, source), true), table


@pytest.mark.parametrize("source", SOURCES)
def test_reasons_are_told_by_seconds_and_stretches(week: Read, source: str) -> None:
    """If this fails, a break over midnight counts twice, or one that a session ends in counts as two."""
    sql = (
        "select agent_id, date, reason, round(seconds * 1e6)::bigint, occurrences from marts.agg_not_ready_reasons "
        "where source = $source"
    )
    ours = {(agent, day, reason): tuple(row) for agent, day, reason, *row in week.ask(sql, source=source)}
    true = {(agent, *key): row for agent, pieces in week.tiles[source].items() for key, row in reasons(pieces).items()}
    assert not differences(ours, true)


@pytest.mark.parametrize("source", SOURCES)
def test_sessions_begin_and_end_as_people_signed_in_and_out(week: Read, source: str) -> None:
    """If this fails, a shift over midnight is two, or one that nobody saw end is given an end."""
    compare_sessions(week, source)


@pytest.mark.parametrize("source", SOURCES)
def test_sign_ins_are_counted_when_they_were(week: Read, source: str) -> None:
    """If this fails, somebody came twice who came once, or left on another day than they left on."""
    ours, true = week.logins(source), week_seen.sign_ins(week.week, source)
    assert not differences(
        *({key: n for key, n in told.items() if not week_seen.unseen(key[1])} for told in (ours, true))
    )
    assert all(n <= true.get(key, 0) for key, n in ours.items())
    days = week.first_and_last(source)
    assert not week_seen.strange(days, week_seen.first_and_last(week.week, source))
    per_day = Counter({key: told[2] for key, told in days.items()})
    assert per_day == Counter((agent, day_of(at)) for (agent, at), n in ours.items() for _ in range(n))


@pytest.mark.parametrize("source", SOURCES)
def test_who_was_seen_first_and_last_when(week: Read, source: str) -> None:
    """If this fails, the list of agents has somebody too many or too few, or seen when they were not."""
    assert not differences(week.seen(source), week_seen.seen_between(week.week, source, week.known[source]))


@pytest.mark.parametrize("source", ["aicc", "support"])
def test_in_which_part_and_by_which_channel(week: Read, source: str) -> None:
    """If this fails, who helped counts as who had the work, or a chat is taken for something else."""
    ours, true = week.roles(source), week_seen.roles(week.week, source)
    assert not differences(ours, {key: told for key, told in true.items() if key in ours})
    assert len(set(ours.values())) == {"aicc": 1, "support": 6}[source]


@pytest.mark.parametrize("source", ["cx", "aicc", "support"])
def test_transfers_are_those_that_were_made(week: Read, source: str) -> None:
    """If this fails, work was handed over that was not, or its way through several hands is told wrongly."""
    compare_transfers(week, source)


@pytest.mark.parametrize("source", SOURCES)
def test_transfers_are_counted_between_whom_and_when_they_were(week: Read, source: str) -> None:
    """If this fails, a pair, a quarter of an hour or a day has a transfer too many or too few."""
    compare_counts(week, source)


@pytest.mark.parametrize("source", ["aicc", "support"])
def test_who_took_part_in_what_and_when(week: Read, source: str) -> None:
    """If this fails, two chats at once are one, or a call that came back is the one that went."""
    compare_parts(week, source)


@pytest.mark.parametrize("source", SOURCES)
def test_coverage_says_what_was_looked_at_and_why_not(week: Read, source: str) -> None:
    """If this fails, an outage is not owned up to, or is blamed for more than its hour."""
    compare_coverage(week, source)


def test_the_log_of_attempts_says_what_was_answered(week: Read) -> None:
    """If this fails, a request that failed looks like an hour in which nothing happened."""
    compare_log(week)


def test_what_was_kept_back_and_what_was_garbled_is_told(week: Read) -> None:
    """If this fails, records that nobody delivered, or nobody could read, are missing without a word."""
    compare_broken(week)


def test_health_reckons_with_the_outage(week: Read) -> None:
    """If this fails, an hour that can be fetched no longer looks as if there were time, or one that can as if not."""
    compare_health(week)


def test_volumes_are_those_of_the_days(week: Read) -> None:
    """If this fails, a day of half the agents passes for a whole one, or the other way round."""
    compare_volumes(week)


def test_the_vendors_own_sums_stand_beside_ours(week: Read) -> None:
    """If this fails, a vendor's error is ours, or ours is not found."""
    compare_second_opinion(week)


@pytest.mark.parametrize("source", ["cx", "aicc", "support"])
def test_an_hour_without_a_feed_is_no_idle_hour(week: Read, source: str) -> None:
    """If this fails, an outage reads as waiting, or a ratio over it as if everything had been seen."""
    sql = (
        "select agent_id, epoch_us(interval_start), "
        "occupancy_low(handling_seconds, wrap_up_seconds, available_seconds, unobserved_seconds, uncertainty_seconds), "
        "occupancy_high(handling_seconds, wrap_up_seconds, available_seconds, unobserved_seconds, "
        "uncertainty_seconds), coverage(observed_seconds, unobserved_seconds) from marts.fct_agent_intervals "
        "where source = $source and interval_start >= $start and interval_start < $end"
    )
    edges, names = [*range(GAP[0], GAP[1] + 1, QUARTER)], {b: a for a, b in week.week.ids[source].items()}
    rows = week.ask(sql, source=source, start=OUTAGE[0], end=OUTAGE[1])
    assert len(rows) >= 4 * 5
    assert sum(share for *_, share in rows) / len(rows) < 0.5
    for agent, at, low, high, share in rows:
        known = sums(source, week.known[source][agent], edges)[at]
        assert share == pytest.approx((known[7] or 0) / QUARTER)
        true = sums(source, week.week.truly(source, names[agent]), edges)[at]
        working = (true[2] or 0) + (true[3] or 0)
        if working + (true[1] or 0):
            assert low - 1e-9 <= working / (working + (true[1] or 0)) <= high + 1e-9


def test_who_forgot_to_sign_out_is_shown_for_days_and_told_of(week: Read) -> None:
    """If this fails, somebody who left without signing out looks like days of work, or is quietly cut short."""
    sql = (
        "select source, agent_id, max(epoch_us(ended_at) - epoch_us(state_started_at)) from marts.fct_agent_timeline "
        "where state not in ('offline', 'unobserved') group by all "
        "having max(ended_at - state_started_at) > interval 24 hours"
    )
    ours = {(source, agent): us for source, agent, us in week.ask(sql)}
    true = {
        (source, agent): max(one.end - one.start for one in found if one.known and one.state != "offline")
        for source, told in week.known.items()
        for agent, found in told.items()
    }
    assert ours == {key: us for key, us in true.items() if us > DAY}
    people = {name for name, number in week.week.numbers.items() if number in FORGET}
    assert {agent for _, agent in ours} <= {own.get(name) for own in week.week.ids.values() for name in people}
    assert {source for source, _ in ours} == set(SOURCES)


@pytest.mark.parametrize(
    ("minutes", "zone"),
    [
        (15, "Europe/Berlin"),
        (30, "Asia/Kolkata"),
        (60, "Asia/Kathmandu"),
        (1440, "Europe/Berlin"),
        (1440, "Asia/Tokyo"),
    ],
)
def test_intervals_of_a_wall_clock_are_its_sums(week: Read, minutes: int, zone: str) -> None:
    """If this fails, the night in which the clocks go back has an hour too few, or a zone of odd minutes is askew."""
    edges = local_edges(zone, minutes, SHOWN[0], SHOWN[1] + timedelta(days=2))
    kept = {at for at in edges if micros(SHOWN[0]) < at < micros(SHOWN[1])}
    ours, ends = week.local(minutes, zone, moment(min(kept)), SHOWN[1])
    for source in SOURCES:
        true = {
            (source, agent, at): figures
            for agent, pieces in week.tiles[source].items()
            for at, figures in sums(source, pieces, edges).items()
            if at in kept
        }
        assert not differences({key: row for key, row in ours.items() if key[0] == source}, true)
        compare_local_counts(week, source, minutes, zone, [*sorted(kept), min(at for at in edges if at > max(kept))])
    assert ends == {(at, edges[edges.index(at) + 1], label(at, zone)) for at, _, _ in ends}
    if zone == "Europe/Berlin":
        autumn = [at for at in sorted(kept) if label(at, zone).startswith("2026-10-25")]
        assert len(autumn) == {15: 100, 1440: 1}[minutes]


@pytest.mark.parametrize("at", INSTANTS, ids=str)
def test_the_state_of_everybody_at_an_instant(week: Read, at: datetime) -> None:
    """If this fails, what an agent was doing depends on who asks, or a state has lasted longer than it has."""
    compare_states(week, at)
    compare_ages(week, at)


@pytest.mark.parametrize(("hours", "at"), [(1.5, INSTANTS[0]), (30, INSTANTS[1]), (2, INSTANTS[2]), (24, INSTANTS[3])])
def test_the_questions_of_the_last_hours(week: Read, hours: float, at: datetime) -> None:
    """If this fails, the questions that a state API cannot answer are answered wrongly."""
    compare_hours(week, hours, at)


@pytest.mark.parametrize(
    ("hours", "at", "is_whole"), [(1.5, INSTANTS[0], True), (8, INSTANTS[1], True), (3, INSTANTS[2], False)]
)
def test_what_agents_took_part_in_during_the_last_hours(
    week: Read, hours: float, at: datetime, *, is_whole: bool
) -> None:
    """If this fails, chats at once count as one, or a source that names no interaction says that there were none."""
    compare_sessions_of_hours(week, hours, at, is_whole=is_whole)


def test_a_person_on_several_platforms_is_one(week: Read) -> None:
    """If this fails, somebody signed in on four platforms is four people at work, or one at rest while working."""
    compare_persons(week)


def test_who_kept_to_the_plan(week: Read) -> None:
    """If this fails, an outage counts for or against somebody, or work by night as none."""
    compare_adherence(week)


@pytest.mark.parametrize("source", SOURCES)
def test_who_is_who(week: Read, source: str) -> None:
    """If this fails, an agent has another one's name, person or team, or the team of last week."""
    compare_agents(week, source)


@pytest.mark.parametrize("source", SOURCES)
def test_each_ratio_is_that_of_the_truth(week: Read, source: str) -> None:
    """If this fails, a share is of another whole, an average of averages, or a number where there is none."""
    compare_ratios(week, source)


@pytest.mark.parametrize("source", ["cx", "aicc", "support"])
def test_the_true_occupancy_of_each_day_lies_in_its_bounds(week: Read, source: str) -> None:
    """If this fails, the bounds promise more than was seen."""
    compare_bounds(week, source)


@pytest.mark.parametrize("source", SOURCES)
def test_both_rates_of_transfers_are_those_of_the_truth(week: Read, source: str) -> None:
    """If this fails, work handed over twice counts as two pieces of work, or nothing as something."""
    compare_rates(week, source)


def test_adherence_and_conformance_are_those_of_the_truth(week: Read) -> None:
    """If this fails, one ratio passes for the other, or unseen time for or against somebody."""
    compare_conformance(week)
