"""The figures equal what really happened, to the millisecond, however badly the vendor behaves."""

from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path

from orchestration.inputs import midnight
from simulator.centre import Centre
from simulator.faults import Faults
from tests.pipeline.conftest import MakeSite
from tests.pipeline.site import FIRST, Site, after, day, utc
from tests.pipeline.truth import Truth, differences, state_sums, transfer_keys, truth

BAD = Faults(
    seed=3,
    duplicate_rows=0.02,
    late_rows=0.02,
    late_seconds=300,
    shuffled=True,
    unstable_pages=True,
    error_rate=0.03,
    reset_rate=0.01,
    short_rate=0.01,
    truncated_rate=0.01,
    stringly_limit=True,
)
TIMELINE = "select agent_id, started_at, ended_at, state, work_items, load from marts.fct_agent_timeline"


def dictionaries(site: Site, sql: str, *parameters: object) -> list[dict[str, object]]:
    """The rows of a query as dictionaries."""
    with site.warehouse() as connection:
        result = connection.execute(sql, list(parameters) or None)
        names = [column[0] for column in result.description or []]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def assert_equal_to(site: Site, real: Truth) -> None:
    """Every figure of every agent and day is the true one."""
    ours = state_sums(dictionaries(site, f"{TIMELINE} where state <> 'unobserved'"))
    assert not differences(ours, state_sums(real.states))
    moved = dictionaries(site, "select * from marts.fct_transfers")
    assert not differences(Counter(transfer_keys(moved, "to_id")), Counter(transfer_keys(real.transfers)))
    sessions = Counter((r["session_id"], r["agent_id"], r["logged_in_at"], r["logged_out_at"]) for r in real.sessions)
    found = site.ask("select session_id, agent_id, logged_in_at, logged_out_at from marts.fct_agent_sessions")
    assert not differences(Counter(found), sessions)
    sums: dict[object, list[int]] = {}
    for (date_, agent, state), (us, items, load) in ours.items():
        one = sums.setdefault((date_, agent), [0, 0, 0, 0, 0, 0])
        one[["available", "handling", "wrap_up", "not_ready"].index(state)] += us
        one[4] += items
        one[5] += load
    states = "available_seconds, handling_seconds, wrap_up_seconds, not_ready_seconds"
    for table in ("agg_agent_days", "fct_agent_intervals"):
        columns = ", ".join(
            f"sum(round({c} * 1e6)::bigint)" for c in f"{states}, work_item_seconds, load_seconds".split(", ")
        )
        rows = site.ask(
            f"select date, agent_id, {columns} from marts.{table} group by all having sum(staffed_seconds) > 0"
        )
        assert not differences({(d, a): list(map(int, figures)) for d, a, *figures in rows}, sums), table


def test_two_hundred_agents_over_three_days_with_every_fault(make_site: MakeSite, tmp_path: Path) -> None:
    """If duplicates, late rows, disorder or broken connections cost or added one millisecond, this would show it."""
    centre = Centre.simulate(11, 200, FIRST, 4)
    site = make_site(used=centre, faults=BAD)
    for number in range(3):
        assert site.capture(after(number, 7), [day(n) for n in range(number + 1)]).failed == 0
    last = utc("2026-11-05T02:17:31")
    assert site.capture(last, [day(2), day(3)]).failed == 0
    site.build([day(n) for n in range(4)])
    until = last - timedelta(seconds=15)
    assert_equal_to(site, truth(centre, tmp_path / "truth", until))
    assert site.ask("select max(ended_at) from marts.fct_agent_timeline") == [(until,)]
    assert site.ask("select count(*) from ops.broken_chains") == [(0,)]
    # Nothing is known of an agent before the first record.
    unknown = "from marts.fct_agent_timeline join marts.dim_agents using (source, agent_id) where state = 'unobserved'"
    assert site.ask(f"select count(*) {unknown} and ended_at > first_seen_at") == [(0,)]


def test_what_came_late_is_there_after_another_look(make_site: MakeSite, tmp_path: Path, centre: Centre) -> None:
    """Rows that the vendor shows minutes late would stay missing if a window were looked at only once."""
    site = make_site(faults=Faults(late_rows=0.3, late_seconds=900))
    noon = midnight(day(0)) + timedelta(hours=12)
    site.capture(noon, [day(0)])
    site.build([day(0)])
    count = "select count(distinct event_id) from staging.stg_cxengage__agent_states where started_at < ?"
    early = site.ask(count, noon - timedelta(seconds=15))
    site.capture(noon + timedelta(hours=2), [day(0)])
    site.build([day(0)])
    assert site.ask(count, noon - timedelta(seconds=15)) > early
    real = truth(centre, tmp_path / "truth", noon)
    cut = f"select agent_id, started_at, least(ended_at, ?) as ended_at, state, work_items, load from ({TIMELINE})"
    ours = dictionaries(site, f"{cut} where started_at < ? and state <> 'unobserved'", noon, noon)
    assert not differences(state_sums(ours), state_sums(real.states))


def test_every_agent_and_day_is_tiled_without_gap_or_overlap(make_site: MakeSite) -> None:
    """An instant counted twice or not at all would make every share of a day wrong."""
    site = make_site(faults=BAD)
    site.fill(2)
    rows = site.ask("select date, agent_id, started_at, ended_at from marts.fct_agent_timeline order by all")
    until = after(1) - timedelta(seconds=15)
    reached: dict[tuple[date, str], datetime] = {}
    for date_, agent, start, end in rows:
        assert start == reached.get((date_, agent), midnight(date_))
        assert start < end
        reached[date_, agent] = end
    assert {end for (date_, _), end in reached.items() if date_ < day(2)} == {midnight(day(1)), midnight(day(2))}
    assert {end for (date_, _), end in reached.items() if date_ >= day(2)} <= {until}
