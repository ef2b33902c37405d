"""Watched feeds, whatever was heard: tiled days, sums that agree, sessions that hold, as a second opinion has it."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.models.watched import SESSIONS, TIMELINE, feed_clock, said
from tests.models.workbench import DAY, Chain, Workbench, at, attempt, short
from tests.property.reference_watched import ONE_DAY, Stretch, Told, midnight, names, tiles, timeline

SPAN = [DAY - timedelta(days=1), DAY, DAY + timedelta(days=1)]
BEGIN, END = at("-1d 00:00"), at("+2d 00:00")
MINUTE = timedelta(minutes=1)
QUARTER = 15 * MINUTE


class Heard:
    """What one source's day models say, and when the source was watched."""

    def __init__(self, records: list[dict[str, Any]], watched: list[Stretch]) -> None:
        self.records = records
        self.watched = watched

    @property
    def until(self) -> datetime:
        """The source's observed-until time."""
        return max((end for _, end in self.watched), default=BEGIN)

    def __repr__(self) -> str:
        """Short enough to read when Hypothesis reports it."""
        fields = ("agent_id", "vendor_state", "logged_in_at", "started_at", "ended_at")
        rows = [[_brief(r[name]) for name in fields] for r in self.records]
        return "\n".join(["", *map(str, rows), str([tuple(map(short, pair)) for pair in self.watched])])


def _brief(value: Any) -> Any:
    return short(value) if isinstance(value, datetime) else value


# Mostly on a coarse grid, so that records, gaps and midnights coincide; sometimes anywhere.
moments = st.one_of(
    st.integers(0, 3 * 96 - 1).map(lambda n: BEGIN + n * QUARTER),
    st.integers(0, 3 * 86_400 * 1_000_000 - 1).map(lambda us: BEGIN + timedelta(microseconds=us)),
)


@st.composite
def agent_records(draw: st.DrawFn, agent: str) -> list[dict[str, Any]]:
    """An agent's records as a day model gives them: after a sign-out of the day they say when the next sign-in was."""
    rows: list[dict[str, Any]] = []
    is_named = draw(st.booleans())
    login: datetime | None = None
    day: date | None = None
    for start in sorted(draw(st.sets(moments, max_size=9))):
        word = draw(st.sampled_from(["available", "available", "busy", "logged_out", "unknown"]))
        if day != start.date() and not is_named:
            day, login = start.date(), None
        is_back = bool(rows) and rows[-1]["date"] == day and any(
            r["vendor_state"] == "logged_out" and r["date"] == day for r in rows
        )  # fmt: skip
        if word == "logged_out":
            login = None
        elif word != "unknown" and login is None and (is_named or is_back):
            before = start - draw(st.sampled_from([timedelta(0), timedelta(0), timedelta(milliseconds=1)]))
            # Nobody signs in while a record still speaks of the sign-in before.
            login = max(before, rows[-1]["started_at"]) if rows else before
        length = draw(st.one_of(st.none(), st.integers(1, 80).map(lambda n: n * QUARTER)))
        one = said("00:00", word, agent_id=agent, is_derived=draw(st.sampled_from([False, False, True])))
        rows.append(one | {
            "started_at": start, "ended_at": None if length is None else start + length, "date": start.date(),
            "logged_in_at": None if word in ("logged_out", "unknown") else login,
            "work_items": draw(st.integers(0, 2)),
        })  # fmt: skip
    return rows


@st.composite
def heard(draw: st.DrawFn) -> Heard:
    """Two agents of a source, watched in some stretches."""
    watched: list[Stretch] = []
    for n in range(9):
        start = BEGIN + n * timedelta(hours=8)
        kind = draw(st.sampled_from(["whole", "whole", "whole", "not", "late", "early"]))
        if kind != "not":
            cut = draw(st.integers(1, 31)) * QUARTER
            watched.append((start + (cut if kind == "late" else 0 * MINUTE),
                            start + (cut if kind == "early" else timedelta(hours=8))))  # fmt: skip
    return Heard([*draw(agent_records("ann")), *draw(agent_records("bob"))], watched)


several = st.lists(heard(), min_size=1, max_size=10)


def built(bench: Workbench, found: Sequence[Heard], *last: str) -> Chain:
    """All days of these, each a source of its own, up to these tables."""
    clocks, attempts, rows = [], [], []
    asked = {"first_requested_at": BEGIN, "requested_until": END}
    for n, one in enumerate(found):
        clocks.append({**feed_clock(source=f"bt{n}"), **asked, "observed_until": one.until})
        rows += [{**row, "source": f"bt{n}"} for row in one.records]
        attempts += [
            {**attempt("00:00", "00:00", "00:00", source=f"bt{n}", feed="state"), "window_start": start,
             "window_end": end, "vendor_time": end, "attempted_at": end}
            for start, end in one.watched
        ]  # fmt: skip
    given: dict[str, Any] = {"int_beyondtrust_records": rows, "int_kore_records": [], "int_huawei_records": []}
    return bench.chain(SPAN, last, clocks, attempts=attempts, **given)


def told(chain: Chain) -> dict[tuple[str, date, str], list[Told]]:
    """The timeline by source, day and agent."""
    found: dict[tuple[str, date, str], list[Told]] = {}
    for row in chain.rows(TIMELINE):
        one = Told(*(row[n] for n in ("started_at", "ended_at", "state", "session_id", "evidence", "is_open")))
        found.setdefault((row["source"], row["date"], row["agent_id"]), []).append(one)
    return found


@settings(max_examples=10)
@given(found=several)
def test_the_timeline_is_what_brute_force_makes_of_the_rules(bench: Workbench, found: list[Heard]) -> None:
    """If this fails, the SQL and docs/metrics.md say different things about what was heard."""
    expected = {
        (f"bt{n}", *key): rows
        for n, one in enumerate(found)
        for key, rows in timeline(one.records, one.watched, one.until, SPAN).items()
    }
    got = told(built(bench, found, TIMELINE))
    assert got == expected
    for (source, day, _), rows in got.items():
        assert tiles(rows, midnight(day), min(midnight(day) + ONE_DAY, found[int(source[2:])].until))


@settings(max_examples=5)
@given(found=several)
def test_sums_agree_and_stay_within_their_bounds(bench: Workbench, found: list[Heard]) -> None:
    """If this fails, time is lost or made between the timeline, the quarter-hours and the days."""
    chain = built(bench, found, "marts.agg_agent_days")
    key = "source, date, agent_id"
    names_of = ("available", "handling", "not_ready", "offline", "unobserved")
    whole = ", ".join(f"round(coalesce(sum({n}_seconds), 0), 6) as {n}" for n in names_of)
    each = ", ".join(f"round(coalesce(sum(seconds) filter (state = '{n}'), 0), 6) as {n}" for n in names_of)
    timelines, intervals, days = (
        bench.query(f'select {key}, {columns} from given."{table}" group by all order by all')
        for table, columns in (
            (TIMELINE, each), ("marts.fct_agent_intervals", whole), ("marts.agg_agent_days", whole),
        )
    )  # fmt: skip
    assert timelines == intervals == days
    for row in chain.rows("marts.fct_agent_intervals"):
        assert 0 < row["observed_seconds"] + row["unobserved_seconds"] <= 900
        assert row["capacity_seconds"] is None
    for row in chain.rows(TIMELINE):
        assert row["ended_at"] <= found[int(row["source"][2:])].until


@settings(max_examples=6)
@given(found=several)
def test_what_is_done_in_a_session_lies_within_it(bench: Workbench, found: list[Heard]) -> None:
    """If this fails, the list of sign-ins and the timeline tell different stories of who was there."""
    chain = built(bench, found, TIMELINE, SESSIONS)
    rows = [r for r in chain.rows(TIMELINE) if r["session_id"]]
    sessions = {(r["source"], r["session_id"]): r for r in chain.rows(SESSIONS)}
    for row in rows:
        session = sessions[row["source"], row["session_id"]]
        assert session["agent_id"] == row["agent_id"]
        assert session["logged_in_at"] <= row["started_at"]
        assert session["logged_out_at"] is None or row["ended_at"] <= session["logged_out_at"]
    for n, one in enumerate(found):
        for agent in ("ann", "bob"):
            own = sorted((r for r in one.records if r["agent_id"] == agent), key=lambda r: r["started_at"])
            expected = {name for name in names(own) if name}
            assert {s for source, s in sessions if source == f"bt{n}" and s.startswith(agent)} == expected


@settings(max_examples=4)
@given(found=several, data=st.data())
def test_any_order_gives_the_same(bench: Workbench, found: list[Heard], data: st.DataObject) -> None:
    """If this fails, results depend on the order of files."""
    last = "marts.agg_agent_days"
    first = built(bench, found, last)
    rows = [first.rows(table) for table in (TIMELINE, "marts.fct_agent_intervals", last)]
    mixed = [Heard(data.draw(st.permutations(h.records)), [*reversed(h.watched), *h.watched]) for h in found]
    again = built(bench, mixed, last)
    assert [again.rows(table) for table in (TIMELINE, "marts.fct_agent_intervals", last)] == rows
