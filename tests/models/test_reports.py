"""What the queries of the reports make of a day: local days, teams of that day, what is not told or not complete."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from assets.reports.catalogue import REPORTS
from assets.reports.compose import Asked, compose
from assets.reports.config import ReportConfig
from assets.reports.model import Report, Stretch
from assets.reports.queries import QueryError, read_queries
from orchestration.settings import sql_dir
from tests.models.macros import GIVES, create_macros, quarters, stay, told
from tests.models.workbench import DAY, Workbench, at, clock

QUERIES = sql_dir() / "reports"
Make = Callable[..., Report]
Row = dict[str, Any]


@pytest.fixture
def make(bench: Workbench, tmp_path: Path) -> Make:
    """Makes a report of a day when the warehouse's tables hold exactly these rows."""

    def composed(
        kind: str,
        timeline: Iterable[Mapping[str, Any]] = (),
        day: date = DAY,
        zone: str = "UTC",
        retired: tuple[str, ...] = (),
        tables: Mapping[str, Iterable[Mapping[str, Any]]] | None = None,
        **config: Any,
    ) -> Report:
        rows = list(timeline)
        given: dict[str, Iterable[Mapping[str, Any]]] = {
            "marts.fct_agent_timeline": rows,
            "marts.fct_agent_intervals": quarters(rows),
            "marts.dim_agents": [_agent(name) for name in sorted({row["agent_id"] for row in rows})],
            "intermediate.int_source_signals": [{"source": "cx"} | {f"gives_{s}": s != "participation" for s in GIVES}],
            "ops.feed_clock": [clock()],
            "ops.feed_coverage": [covered("00:00", "24:00")],
            **dict.fromkeys(EMPTY, ()),
            **(tables or {}),
        }
        for table, rows_of in given.items():
            bench.give(table, rows_of)
        create_macros(bench)
        folder = tmp_path / f"{kind}-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        choice = ReportConfig(name="x", report=kind, **config)
        return compose(bench.connection, Asked(choice, day, zone, QUERIES, retired), folder)

    return composed


EMPTY = [
    *(f"marts.{name}" for name in ("dim_agent_roster", "fct_transfers", "fct_participation", "fct_agent_sessions")),
    *(f"ops.{name}" for name in ("capture_log", "rejects", "broken_chains")),
]


def _agent(name: str) -> Row:
    return {"source": "cx", "agent_id": name, "agent_name": name.title()}


def covered(start: str, end: str, status: str = "observed", feed: str = "agent_states", source: str = "cx") -> Row:
    """A row of ``ops.feed_coverage``."""
    first, last = at(start), at(end)
    told_of = {"source": source, "feed": feed, "status": status}
    return {"date": first.date(), **told_of, "window_start": first, "window_end": last}


def rows_of(report: Report, table: str, *names: str) -> list[Any]:
    """These columns of a table as tuples; of one column, its values."""
    [found] = [t for t in report.tables if t.name == table]
    places = [[column.name for column in found.columns].index(name) for name in names]
    picked = [tuple(row[place] for place in places) for row in found.rows()]
    return [values[0] for values in picked] if len(names) == 1 else picked


@pytest.mark.parametrize("kind", REPORTS)
def test_every_query_returns_what_its_header_describes(make: Make, kind: str) -> None:
    """If this fails, a report of a day without anything cannot run, or a column means another than it says."""
    made = make(kind)
    assert [table.count for table in made.tables if table.name != "feeds"] == [0] * (
        len(made.tables) - (kind == "feed_quality")
    )
    for query in read_queries(QUERIES, kind, REPORTS[kind].tables):
        assert all(len(column.description) > 3 for column in query.columns), query.path


def test_a_query_that_returns_other_columns_is_refused(make: Make, tmp_path: Path, bench: Workbench) -> None:
    """If this fails, figures stand under the wrong heads after a change in SQL."""
    make("feed_quality")
    changed = tmp_path / "sql"
    changed.mkdir()
    for path in QUERIES.glob("*.sql"):
        text = path.read_text(encoding="utf-8")
        (changed / path.name).write_text(text.replace("-- column gap_start", "-- column gap_begin"), encoding="utf-8")
    with pytest.raises(QueryError, match=r"feed_quality__gaps\.sql: returns"):
        compose(bench.connection, Asked(ReportConfig(name="feed_quality"), DAY, "UTC", changed), tmp_path)


def test_the_day_per_team_and_agent_is_the_sum_of_its_quarters(make: Make) -> None:
    """If this fails, the first figure that a manager reads is wrong."""
    timeline = [
        *told("08:00", "09:00", "handling"),
        *told("09:00", "10:00"),
        *told("10:00", "10:30", "not_ready", reason="Lunch"),
        *told("10:30", "11:00", "unobserved"),
        *told("08:00", "10:00", agent="bob"),
    ]
    roster = [
        {"source": "cx", "agent_id": "ann", "team": "Old", "valid_to": DAY, "origin": "roster"},
        {"source": "cx", "agent_id": "ann", "team": "New", "valid_from": DAY, "display_name": "Ann B."},
    ]
    made = make("daily_operations", timeline, tables={"marts.dim_agent_roster": roster})
    assert rows_of(made, "teams", "team", "agents", "staffed_seconds", "occupancy", "coverage") == [
        ("(no team)", 1, 7200.0, 0.0, 1.0),
        ("New", 1, 9000.0, 0.5, pytest.approx(2.5 / 3)),
    ]
    assert rows_of(made, "agents", "agent_name", "team") == [("Bob", "(no team)"), ("Ann B.", "New")]
    assert rows_of(make("daily_operations", timeline, teams=["(no team)"]), "agents", "agent_id") == ["ann", "bob"]
    narrowed = make("daily_operations", timeline, teams=["New"], tables={"marts.dim_agent_roster": roster})
    assert rows_of(narrowed, "agents", "agent_id") == ["ann"]
    assert rows_of(narrowed, "not_ready", "agent_id", "reason", "seconds") == [("ann", "Lunch", 1800.0)]


def test_what_a_source_does_not_tell_is_empty(make: Make) -> None:
    """If this fails, no signal looks like no work."""
    timeline = told("08:00", "09:00", "not_ready")
    unknown = [{**row, "handling_seconds": None, "available_seconds": None} for row in quarters(timeline)]
    signals = [{"source": "cx", "gives_available": False, "gives_handling": False}]
    given = {"marts.fct_agent_intervals": unknown, "intermediate.int_source_signals": signals}
    made = make("daily_operations", timeline, tables=given)
    assert rows_of(made, "teams", "handling_seconds", "occupancy", "not_ready_seconds") == [(None, None, 3600.0)]
    assert any(name == "Not told" and "handling" in text for name, text in made.facts)


def test_available_is_said_to_be_ready_where_nobody_tells_who_works(make: Make) -> None:
    """If this fails, Kore.ai's agents, who may all be working, are reported as idle."""
    signals = [{"source": "cx", "gives_available": True, "gives_handling": False, "gives_wrap_up": True}]
    made = make("daily_operations", told("08:00", "09:00"), tables={"intermediate.int_source_signals": signals})
    said = [text for name, text in made.facts if name == "Not told"]
    assert said[0].startswith("cx does not tell handling from waiting: its available time is ready, working or not")
    assert made.ready == ["cx"]
    [table] = [table for table in made.tables if table.name == "agents"]
    [column] = [column for column in table.columns if column.name == "available_seconds"]
    assert "ready, working or not" in column.description


def test_one_agents_report_is_about_them_alone(make: Make) -> None:
    """If this fails, its title does not say whose it is, and a source that does not know them makes it incomplete."""
    tables = {
        "ops.feed_clock": [clock(), {**clock(), "source": "kore"}],
        "ops.feed_coverage": [covered("00:00", "24:00"), covered("00:00", "12:00", "missing", source="kore")],
    }
    timeline = [*told("08:00", "09:00"), *told("08:00", "09:00", agent="bob")]
    one = make("agent_timeline", timeline, tables=tables, agents=["ann"])
    assert (one.title, one.complete, one.warnings) == ("Agent timeline of Ann 2026-11-03", True, [])
    assert "kore" not in dict(one.facts)["Coverage"]
    both = make("agent_timeline", timeline, tables=tables)
    assert (both.title, both.complete) == ("Agent timeline 2026-11-03", False)
    nobody = make("agent_timeline", timeline, tables=tables, agents=["cid"])
    assert "kore" in dict(nobody.facts)["Coverage"]


def test_a_local_day_is_cut_out_of_two_utc_days(make: Make) -> None:
    """If this fails, a report in another zone has hours of the day before."""
    timeline = [*told("-1d 20:00", "01:00"), *told("22:30", "24:00", "handling")]
    made = make("agent_timeline", timeline, zone="Europe/Berlin")  # 23:00 to 23:00 UTC
    spans = rows_of(made, "states", "started_at", "ended_at", "seconds", "evidence", "state")
    assert [(start.isoformat(), end.isoformat(), *rest) for start, end, *rest in spans] == [
        ("2026-11-03T00:00:00+01:00", "2026-11-03T01:00:00+01:00", 3600.0, "reported", "available"),
        ("2026-11-03T01:00:00+01:00", "2026-11-03T02:00:00+01:00", 3600.0, "carried", "available"),
        ("2026-11-03T23:30:00+01:00", "2026-11-04T00:00:00+01:00", 1800.0, "reported", "handling"),
    ]
    assert made.timeline is not None
    drawn = list(made.timeline())
    assert [(s.agent_name, s.state, s.ended_at - s.started_at) for s in drawn if isinstance(s, Stretch)] == [
        ("Ann", "available", at("02:00") - at("00:00")),
        ("Ann", "handling", at("00:30") - at("00:00")),
    ]


def test_a_break_over_local_midnight_is_counted_on_the_day_it_begins(make: Make) -> None:
    """If this fails, a night shift takes twice as many breaks."""
    timeline = told("-1d 22:30", "-1d 23:30", "not_ready", reason="Break")
    found = [
        rows_of(make("daily_operations", timeline, day, "Europe/Berlin"), "not_ready", "seconds", "occurrences")
        for day in (date(2026, 11, 2), DAY)
    ]
    assert found == [[(1800.0, 1)], [(1800.0, 0)]]


def test_the_hour_that_clocks_show_twice_is_two_rows(make: Make) -> None:
    """If this fails, a planning tool adds two hours into one, or refuses the file."""
    timeline = told("-10d 22:00", "-9d 24:00")  # 2026-10-25 in Berlin has 25 hours
    made = make("interval", timeline, date(2026, 10, 25), "Europe/Berlin", grain_minutes=60)
    labels = rows_of(made, "agents", "local_label")
    assert len(labels) == len(set(labels)) == 25
    assert labels[2:4] == ["2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00"]
    assert sum(rows_of(made, "teams", "staffed_seconds")) == 25 * 3600
    assert made.facts[0][1].endswith("Europe/Berlin (25 hours: the clocks change)")


def _transfer(number: int, sender: str, receiver: str, start: str, hop: int, **more: Any) -> Row:
    return {
        "date": DAY,
        "source": "cx",
        "transfer_id": f"t{number}",
        "interaction_id": "i1",
        "from_agent_id": sender,
        "to_kind": "agent",
        "to_id": receiver,
        "started_at": at(start),
        "completed_at": at(start),
        "seconds": 0.0,
        "kind": "unknown",
        "hop": hop,
        "is_return": False,
        **more,
    }


def test_transfers_are_paired_chained_and_rated(make: Make) -> None:
    """If this fails, who hands over to whom is wrong, or a rate is made of nothing."""
    timeline = [*told("08:00", "10:00"), *told("08:00", "10:00", agent="bob")]
    moved = [
        _transfer(1, "ann", "bob", "08:30", 1, completed_at=at("08:31")),
        _transfer(2, "bob", "ann", "08:40", 2, is_return=True, completed_at=None),
        _transfer(3, "ann", "q", "08:50", 3, to_kind="queue", completed_at=at("08:52")),
        {**_transfer(4, "ann", "bob", "-1d 08:50", 1), "date": date(2026, 11, 2), "interaction_id": "i0"},
    ]
    stays = [stay("i1", "08:20", "08:31"), stay("i2", "09:00", "09:10")]
    given: dict[str, Any] = {"marts.fct_transfers": moved, "marts.fct_participation": stays}
    made = make("transfers", timeline, tables=given)
    assert rows_of(made, "pairs", "from_agent_name", "to_id", "transfers", "completed", "returns", "mean_seconds") == [
        ("Ann", "bob", 1, 1, 0, 60.0),
        ("Ann", "q", 1, 1, 0, 120.0),
        ("Bob", "ann", 1, 0, 1, None),
    ]
    assert rows_of(made, "chains", "transfers", "path") == [(3, "Ann > Bob > Ann* > queue q")]
    assert rows_of(made, "agents", "agent_id", "transfers_out", "handled", "transfer_rate")[0] == ("ann", 2, None, None)
    given["intermediate.int_source_signals"] = [{"source": "cx"} | {f"gives_{s}": True for s in GIVES}]
    rated = make("transfers", timeline, tables=given)
    assert rows_of(rated, "agents", "agent_id", "handled", "transferred", "transfer_rate")[0] == ("ann", 2, 1, 0.5)
    assert rows_of(rated, "agents", "transfers_per_interaction")[0] == 1.0
    assert rows_of(rated, "transfers", "hop", "is_return") == [(1, "no"), (2, "yes"), (3, "no")]


def test_feed_quality_tells_gaps_lags_and_failures(make: Make) -> None:
    """If this fails, an operator does not see what is about to be lost."""
    tiles = [
        *(covered("00:00", "08:00"), covered("08:00", "08:10", "missing"), covered("08:10", "08:30", "missing")),
        *(covered("08:30", "09:00", "lost"), covered("09:00", "20:00")),
    ]
    tried = [
        {"date": DAY, "source": "cx", "feed": "agent_states", "window_start": at(start), "window_end": at(end)}
        | {"attempted_at": at(heard), "status": status, "records": 5, "error": error}
        for start, end, heard, status, error in [
            ("00:00", "00:10", "00:11", "ok", None),
            ("00:10", "00:20", "00:21", "failed", "timeout"),
            ("00:10", "00:20", "00:23", "ok", None),
        ]
    ]
    made = make("feed_quality", tables={"ops.feed_coverage": tiles, "ops.capture_log": tried})
    columns = ("missing_seconds", "lost_seconds", "gaps", "longest_gap_seconds", "lag_seconds", "failed", "records")
    assert rows_of(made, "feeds", *columns) == [(1800.0, 1800.0, 1, 3600.0, 120.0, 1, 10)]
    assert rows_of(made, "gaps", "status", "seconds") == [("missing", 1800.0), ("lost", 1800.0)]
    assert rows_of(made, "failures", "error", "attempts") == [("timeout", 1)]
    assert not made.complete
    seen = f"cx agent_states was seen up to {DAY} 20:00:00+00:00"
    assert made.warnings == [
        f"This day is not complete: {seen}. A new edition follows when it is.",
        "0:30:00 h of cx agent_states are lost: not fetched while the vendor had them.",
    ]
    missing = dict(made.facts)["Missing"]
    assert missing.startswith(
        "cx agent_states 2026-11-03 08:00:00+00:00 to 2026-11-03 08:30:00+00:00 (not fetched yet)"
    )
    assert missing.endswith("cx agent_states from 2026-11-03 20:00:00+00:00 on")


def test_an_outage_is_told_in_each_report_that_it_touches(make: Make) -> None:
    """If this fails, a report of a day in another zone lacks the reason of its gaps, which stands at UTC midnight."""
    outage = {
        "date": DAY, "source": "cx", "feed": "agent_states", "window_start": at("00:00"), "window_end": at("20:00"),
        "attempted_at": at("20:00"), "status": "failed", "error": "no answer",
    }  # fmt: skip
    made = make("feed_quality", tables={"ops.capture_log": [outage]}, zone="America/New_York")
    assert rows_of(made, "failures", "error", "attempts") == [("no answer", 1)]


@pytest.mark.parametrize(
    ("tiles", "retired", "complete"),
    [
        ([covered("00:00", "24:00")], (), True),
        ([covered("00:00", "08:00"), covered("08:00", "24:00", "lost")], (), True),
        ([covered("00:00", "08:00"), covered("08:00", "24:00", "missing")], (), False),
        ([covered("00:00", "08:00")], (), False),
        ([covered("00:00", "08:00")], ("cx",), True),
        ([], (), False),
    ],
    ids=["all of it", "lost for good", "missing", "running", "switched off", "nothing"],
)
def test_a_day_is_complete_when_nothing_more_can_come(
    make: Make, tiles: list[Row], retired: tuple[str, ...], *, complete: bool
) -> None:
    """If this fails, a report waits for ever for what is lost, or half a day is called whole."""
    made = make("feed_quality", retired=retired, tables={"ops.feed_coverage": tiles})
    assert made.complete is complete
    assert complete or made.warnings


def test_whoever_was_chosen_and_not_seen_is_named(make: Make) -> None:
    """If this fails, a slip in reports.yaml is an empty report that looks like a day off."""
    made = make("interval", told("08:00", "09:00"), agents=["ann", "eve"], teams=["(no team)", "Slaes"])
    assert made.warnings == [
        "Nobody was seen on this day of agent eve.",
        "Nobody was seen on this day of team Slaes.",
    ]
