"""Tables that people write by hand or in a spreadsheet: what is read of them, and what is said of a mistake."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.csv_tables import (
    Schedule,
    TableError,
    read_adherence_map,
    read_roster,
    read_schedule,
    read_state_map,
    valid_on,
)
from orchestration.inputs import midnight
from orchestration.settings import sql_dir

DAY = date(2026, 11, 3)
ROSTER = "source,agent_id,person_id,display_name,team,site,valid_from,valid_to\n"
SCHEDULE = "source,agent_id,person_id,started_at,ended_at,activity\n"
MAP = "activity,state,reason,adherence,threshold_seconds\n"
READERS: dict[str, Callable[[Path], object]] = {
    ROSTER: read_roster,
    SCHEDULE: read_schedule,
    MAP: lambda path: read_adherence_map([path]),
}


def written(folder: Path, text: str) -> Path:
    """A file with this text."""
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8")
    return path


def brief(rows: list[Any]) -> list[tuple[str, str, str | None]]:
    """Hours of the day and activities."""
    return [(f"{r['started_at']:%d %H:%M}", f"{r['ended_at']:%d %H:%M}", r["activity"]) for r in rows]


def test_a_roster_is_read_as_a_spreadsheet_writes_it(tmp_path: Path) -> None:
    """A byte order mark, blanks, columns left out, empty lines: if this fails, a good file is refused."""
    text = "\ufeffsource, agent_id ,team,\ncx, 7 ,Night,\n,,,\n\ncx,8\n"
    rows = read_roster(written(tmp_path, text))
    assert [(row["agent_id"], row["team"], row["person_id"], row["valid_from"]) for row in rows] == [
        ("7", "Night", None, None),
        ("8", None, None, None),
    ]


def test_who_an_agent_is_may_change_from_day_to_day(tmp_path: Path) -> None:
    """``valid_to`` is the first day no more; if this fails, a day of moving counts for two teams or none."""
    rows = read_roster(
        written(
            tmp_path, ROSTER + "cx,7,p1,Ann,B,,2026-11-03,\ncx,7,p1,Ann,A,,,2026-11-03\ncx,8,p2,Bob,A,,2027-01-01,\n"
        )
    )
    assert [row["team"] for row in valid_on(rows, DAY - timedelta(days=1))] == ["A"]
    [today] = valid_on(rows, DAY)
    assert (today["team"], today["valid_from"], today["valid_to"]) == ("B", DAY, DAY + timedelta(days=1))


def test_a_plan_is_given_to_each_day_that_it_touches(tmp_path: Path) -> None:
    """Over midnight and on the days the clocks change; if this fails, planned hours are lost or moved."""
    rows = (
        "cx,7,,2026-10-24T22:00:00+02:00,2026-10-25T06:00:00+01:00,phone\n"
        "cx,7,,2026-10-25T06:00:00+01:00,2026-10-25T06:30:00Z,Lunch\n"
    )
    plan = read_schedule(written(tmp_path, SCHEDULE + rows))
    assert brief(plan.on(date(2026, 10, 24))) == [
        ("24 00:00", "24 20:00", None),
        ("24 20:00", "25 00:00", "phone"),
    ]
    assert brief(plan.on(date(2026, 10, 25))) == [
        ("25 00:00", "25 05:00", "phone"),
        ("25 05:00", "25 06:30", "Lunch"),
        ("25 06:30", "26 00:00", None),
    ]


def test_days_off_are_seen_for_a_week_and_later_plans_are_not(tmp_path: Path) -> None:
    """If this fails, unplanned work is passed over, or a new plan rebuilds days that are over."""
    one = "cx,7,,2026-11-03T08:00:00Z,2026-11-03T09:00:00Z,phone\n"
    before = read_schedule(written(tmp_path, SCHEDULE + one))
    more = one.replace("11-03", "11-12") + "cx,8,,2026-11-11T08:00:00Z,2026-11-11T09:00:00Z,phone\n"
    after = read_schedule(written(tmp_path, SCHEDULE + one + more))
    days = [DAY + timedelta(days=n) for n in range(-1, 8)]
    assert [len(before.on(day)) for day in days] == [0, 3, 1, 1, 1, 1, 1, 1, 1]
    assert [before.on(day) for day in days] == [after.on(day) for day in days]
    assert [row["activity"] for row in after.on(DAY + timedelta(days=8))] == [None, "phone", None]


def test_a_plan_may_be_for_a_person(tmp_path: Path) -> None:
    """If this fails, who works as several agents cannot be planned once."""
    plan = read_schedule(
        written(tmp_path, "person_id,started_at,ended_at,activity\np1,2026-11-03T08:00Z,2026-11-04T00:00Z,phone\n")
    )
    assert [(row["source"], row["person_id"], row["activity"]) for row in plan.on(DAY)] == [
        (None, "p1", None),
        (None, "p1", "phone"),
    ]


def test_the_users_map_is_laid_over_the_built_in_one(tmp_path: Path) -> None:
    """If this fails, a planner's own meaning of an activity is not heard."""
    own = written(tmp_path, MAP + "Lunch,offline,,neutral,\nlunch,not_ready,Personal,out,120\nBackoffice,,,in,\n")
    rows = read_adherence_map([sql_dir() / "seeds" / "adherence_map.csv", own], 60)
    found = {(r["activity"], r["state"], r["reason"]): (r["adherence"], r["threshold_seconds"]) for r in rows}
    assert found["lunch", "offline", None] == ("neutral", 60)
    assert found["lunch", "not_ready", "personal"] == ("out", 120)
    assert found["lunch", "not_ready", None] == ("in", 60)
    assert found["backoffice", None, None] == ("in", 60)
    assert found[None, "handling", None] == ("neutral", 60)


@pytest.mark.parametrize(
    ("own", "left"),
    [
        # Fewer fields than the built-in row, the same ones, and more or others: there both stand side by side.
        ("kore,,,ready,,handling", {(None, None, None): "handling"}),
        ("kore,,agent_activity,ready,,handling", {(None, "agent_activity", None): "handling"}),
        (
            "kore,kore_in,,ready,,handling",
            {(None, "agent_activity", None): "available", ("kore_in", None, None): "handling"},
        ),
        ("kore,,,ready,7,wrap_up", {(None, "agent_activity", None): "available", (None, None, "7"): "wrap_up"}),
        (
            "kore,,,ready,,handling\nkore,,agent_activity,ready,,wrap_up",
            {(None, None, None): "handling", (None, "agent_activity", None): "wrap_up"},
        ),
        ("cxengage,,,ready,,not_ready\nkore,,other_feed,ready,,handling",
            {(None, "agent_activity", None): "available", (None, "other_feed", None): "handling"}),
    ],
)  # fmt: skip
def test_a_users_row_stands_in_place_of_all_built_in_rows_that_it_covers(
    tmp_path: Path, own: str, left: dict[tuple[str | None, ...], str]
) -> None:
    """If this fails, a row that names no feed is silently passed over, since each built-in row names one."""
    path = written(tmp_path, f"vendor,source,feed,vendor_state,reason,state\n{own}\n")
    rows = read_state_map([sql_dir() / "seeds" / "state_map.csv", path])
    ready = [row for row in rows if (row["vendor"], row["vendor_state"]) == ("kore", "ready")]
    assert {(row["source"], row["feed"], row["reason"]): row["state"] for row in ready} == left
    assert [row["state"] for row in rows if (row["vendor"], row["vendor_state"]) == ("kore", "logout")] == ["offline"]


def test_a_users_row_without_a_state_is_for_all_states_of_its_activity_alone(tmp_path: Path) -> None:
    """If this fails, a planner's row for a whole activity is not heard, or time without a plan swallows the others."""
    own = written(tmp_path, MAP + "Training,,,neutral,\n,,,out,\nLunch,,Personal,out,\n")
    rows = read_adherence_map([sql_dir() / "seeds" / "adherence_map.csv", own])
    cells = {name: {r["state"]: r["adherence"] for r in rows if r["activity"] == name} for name in ("training", None)}
    assert cells == {"training": {None: "neutral"}, None: {None: "out"}}
    lunch = {(r["state"], r["reason"]): r["adherence"] for r in rows if r["activity"] == "lunch"}
    assert (len(lunch), lunch["offline", None], lunch[None, "personal"]) == (7, "in", "out")


@pytest.mark.parametrize(
    ("header", "rows", "said"),
    [
        ("source,team\n", "", r"line 1: the columns are source, agent_id, .*missing \['agent_id'\]"),
        ("source;agent_id\n", "", "separated by commas"),
        ("source,agent_id,agent_id\n", "", "each once"),
        ("source,agent_id,colour\n", "", r"unknown \['colour'\]"),
        (ROSTER, "cx,7,,,,,,\ncx,,,,,,,\n", "line 3: agent_id is empty"),
        (ROSTER, "cx,7,,,,,31.01.2026,\n", r"line 2: valid_from must be a day as 2026-01-31, not '31\.01\.2026'"),
        (ROSTER, "cx,7,,,,,2026-01-02,2026-01-02\n", "line 2: valid_to is the first day no more"),
        (ROSTER, "cx,7,,,,,,\ncx,8,,,,,,\ncx,7,,,,,2026-01-01,\n", "lines 2 and 4: two rows of agent 7 of cx"),
        (ROSTER, "cx,7,,Ann, Jr,,,,\n", "line 2: more fields than columns"),
        (ROSTER, 'cx,7,"Ann\n', "cannot be read as CSV"),
        (SCHEDULE, "cx,7,p1,2026-11-03T08:00Z,2026-11-03T09:00Z,x\n", "line 2: fill source and agent_id, or person_id"),
        (SCHEDULE, "cx,,,2026-11-03T08:00Z,2026-11-03T09:00Z,x\n", "line 2: fill source and agent_id, or person_id"),
        (SCHEDULE, "cx,7,,2026-11-03T08:00,2026-11-03T09:00Z,x\n", "line 2: started_at must be a time with its offset"),
        (SCHEDULE, "cx,7,,2026-11-03T08:00Z,9 am,x\n", "line 2: ended_at must be a time .* not '9 am'"),
        (SCHEDULE, "cx,7,,2026-11-03T08:00Z,2026-11-03T09:00+01:00,x\n", "line 2: ended_at must be after started_at"),
        (SCHEDULE, "cx,7,,2026-11-03T08:00Z,2026-11-03T09:00Z,\n", "line 2: activity is empty"),
        (
            SCHEDULE,
            "cx,7,,2026-11-03T10:00Z,2026-11-03T12:00Z,x\ncx,7,,2026-11-03T08:00Z,2026-11-03T10:00:01Z,y\n",
            r"lines 3 and 2: cx 7 is planned twice at 2026-11-03T10:00:00\+00:00",
        ),
        (MAP, "lunch,away,,in,\n", "line 2: state must be one of available, .* not 'away'"),
        (MAP, "lunch,offline,,yes,\n", "line 2: adherence must be one of in, neutral, out, not 'yes'"),
        (MAP, "lunch,offline,,in,soon\n", "line 2: threshold_seconds must be a number"),
        (MAP, "lunch,offline,,in,-1\n", "line 2: threshold_seconds must be a number"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_the_way_out(tmp_path: Path, header: str, rows: str, said: str) -> None:
    """If this fails, a slip in a spreadsheet is found in the figures."""
    read = READERS.get(header, read_roster)
    with pytest.raises(TableError, match=said) as caught:
        read(written(tmp_path, header + rows))
    assert str(tmp_path / "table.csv") in str(caught.value)


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    """A workbook saved as .xlsx and renamed must not end in a traceback."""
    path = tmp_path / "table.csv"
    path.write_bytes(b"PK\x03\x04\xff\xfe")
    with pytest.raises(TableError, match="cannot be read as CSV in UTF-8"):
        read_state_map([path])


@given(
    marks=st.lists(st.integers(0, 4 * 96), min_size=2, max_size=12, unique=True).map(sorted),
    shift=st.sampled_from(["+00:00", "+05:45", "-09:30", "+14:00"]),
    number=st.integers(-1, 5),
)
@settings(max_examples=40)
def test_a_day_of_a_plan_is_tiled_and_loses_no_minute(
    tmp_path_factory: pytest.TempPathFactory, marks: list[int], shift: str, number: int
) -> None:
    """If this fails, hours are planned twice or not at all where days meet."""
    begin = datetime(2026, 11, 3, tzinfo=UTC)
    zone = datetime.fromisoformat(f"2026-11-03T00:00{shift}").tzinfo
    times = [begin + mark * timedelta(minutes=15) for mark in marks]
    spans = list(zip(times[::2], times[1::2], strict=False))
    lines = "".join(f"cx,7,,{s.astimezone(zone).isoformat()},{e.astimezone(zone).isoformat()},x\n" for s, e in spans)
    plan: Schedule = read_schedule(written(tmp_path_factory.mktemp("plan"), SCHEDULE + lines))
    day = DAY + timedelta(days=number)
    rows = plan.on(day)
    low, high = midnight(day), midnight(day + timedelta(days=1))
    expected = sum((max(min(e, high) - max(s, low), timedelta(0)) for s, e in spans), timedelta(0))
    planned = [row for row in rows if row["activity"]]
    assert sum((row["ended_at"] - row["started_at"] for row in planned), timedelta(0)) == expected
    edges = [row["started_at"] for row in rows] + [row["ended_at"] for row in rows[-1:]]
    assert [row["ended_at"] for row in rows] == edges[1:]
    assert not rows or (edges[0], edges[-1]) == (low, high)
