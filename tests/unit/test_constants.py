"""Tables that no model makes: each as it matters to one day, so that today changes nothing of yesterday."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from orchestration.constants import LakeConstants, read_people
from orchestration.csv_tables import TableError
from orchestration.lake import Attempt, Lake
from orchestration.models import read_models
from orchestration.settings import Settings, sql_dir

DAY = date(2026, 11, 3)
NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
FEED = {
    "source": "cx", "vendor": "cxengage", "feed": "agent_states", "delay_seconds": 15.0,
    "retention_seconds": 259200.0, "window_seconds": 600.0, "state_bearing": True, "uncertainty_seconds": 0.0,
    "event_timezone": "UTC",
}  # fmt: skip
HEADER = "vendor,source,feed,vendor_state,reason,state\n"


def constants(tmp_path: Path, *maps: str) -> LakeConstants:
    """One feed, and state maps with these rows."""
    paths = []
    for number, rows in enumerate(maps):
        path = tmp_path / f"map{number}.csv"
        path.write_text(rows if rows.startswith("vendor") else HEADER + rows, encoding="utf-8")
        paths.append(path)
    return LakeConstants(Lake(tmp_path), [FEED], paths)


def attempted(tmp_path: Path, *starts: datetime) -> None:
    """Windows of ten minutes that were fetched a minute after their end."""
    ten, minute = timedelta(minutes=10), timedelta(minutes=11)
    rows = [Attempt("cx", "agent_states", s, s + ten, s + minute, "ok", vendor_time=s + minute) for s in starts]
    Lake(tmp_path).log("cxengage", rows, timedelta(seconds=15))


def test_a_later_capture_changes_nothing_that_an_earlier_day_sees(tmp_path: Path) -> None:
    """If this fails, each poll rebuilds every day."""
    both = constants(tmp_path, "")
    attempted(tmp_path, NOON - timedelta(days=1), NOON)
    before = [both.input(table, DAY - timedelta(days=1)) for table in ("ops.feed_clock", "raw.capture_attempts")]
    attempted(tmp_path, NOON + timedelta(minutes=10))
    after = [both.input(table, DAY - timedelta(days=1)) for table in ("ops.feed_clock", "raw.capture_attempts")]
    assert [item.identity for item in after] == [item.identity for item in before]


def test_the_clock_is_cut_to_the_day(tmp_path: Path) -> None:
    """If this fails, what lies beyond a day makes a difference to it."""
    attempted(tmp_path, NOON)
    whole = constants(tmp_path, "")
    [today] = whole.input("ops.feed_clock", DAY).rows or ()
    assert (today["observed_until"], today["first_requested_at"]) == (NOON + timedelta(minutes=10), NOON)
    [tomorrow] = whole.input("ops.feed_clock", DAY + timedelta(days=1)).rows or ()
    assert tomorrow["observed_until"] == datetime(2026, 11, 4, tzinfo=UTC)
    [table] = whole.input("ops.feed_clock", None).rows or ()
    assert table["drift_seconds"] == 0.0
    assert table["lost_before"] == NOON + timedelta(minutes=11) - timedelta(days=3)


def test_a_feed_that_was_never_asked_has_a_clock_without_times(tmp_path: Path) -> None:
    """If this fails, a configured feed is not listed until it answers."""
    [row] = constants(tmp_path, "").input("ops.feed_clock", DAY).rows or ()
    assert (row["source"], row["observed_until"], row["lost_before"]) == ("cx", None, None)


def test_what_a_vendor_that_never_answered_forgets_is_lost_by_our_clock(tmp_path: Path) -> None:
    """If this fails, the windows of a vendor that is down since last month are said to be there for the fetching."""
    lake, now = Lake(tmp_path), datetime.now(UTC)
    lake.log("cxengage", [Attempt("cx", "agent_states", NOON, NOON + timedelta(minutes=10), now, "failed")])
    lake.note_drift("cxengage", "agent_states", "cx", -7200.0)
    [row] = constants(tmp_path, "").input("ops.feed_clock", None).rows or ()
    late = now - timedelta(hours=2, days=3) - row["lost_before"]
    assert timedelta(0) <= late + timedelta(seconds=60) < timedelta(hours=1, minutes=2)


def test_attempts_of_a_day_are_its_own_files(tmp_path: Path) -> None:
    """If this fails, a day is built from other days' attempts."""
    attempted(tmp_path, NOON, NOON + timedelta(days=1))
    whole = constants(tmp_path, "")
    assert len(whole.input("raw.capture_attempts", DAY).paths) == 1
    assert len(whole.input("raw.capture_attempts", None).paths) == 2


def test_the_users_rows_take_the_place_of_equal_keys(tmp_path: Path) -> None:
    """If this fails, an overlay cannot change a built-in row."""
    whole = constants(
        tmp_path, "cxengage,,agent_states,ready,,available\ncxengage,,,x,,offline\n",
        "cxengage,,agent_states,ready,,not_ready\ncxengage,,agent_states,ready,Lunch,wrap_up\n",
    )  # fmt: skip
    rows = {(row["vendor_state"], row["reason"]): row["state"] for row in whole.state_map}
    assert rows == {("ready", None): "not_ready", ("ready", "Lunch"): "wrap_up", ("x", None): "offline"}


def test_a_map_may_leave_out_columns_and_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    """Spreadsheets write one; if this fails, their files are refused."""
    path = tmp_path / "excel.csv"
    path.write_text("vendor,vendor_state,state\ncxengage, ready ,available\n", encoding="utf-8-sig")
    assert LakeConstants(Lake(tmp_path), [FEED], [path]).state_map[0]["vendor_state"] == "ready"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cxengage,,,ready,,working\n", r"map0\.csv, line 2.*'working'"),
        ("cxengage,,,,,available\n", r"line 2: vendor and vendor_state"),
        ("vendor,state\n", r"line 1: the columns are .*missing \['vendor_state'\]"),
        ("vendor,vendor_state,state,colour\n", r"unknown \['colour'\]"),
    ],
)
def test_a_map_that_cannot_be_read_says_where(tmp_path: Path, text: str, said: str) -> None:
    """If this fails, a typo in a state map is found in the figures."""
    with pytest.raises(TableError, match=said):
        constants(tmp_path, text)


def test_the_tolerance_of_a_source_stands_once_however_many_its_feeds(tmp_path: Path) -> None:
    """If this fails, figures are compared twice, or a tolerance changes what timelines are made from."""
    feeds = [{**FEED, "feed": name, "tolerance_seconds": 5.0, "sums_unit_seconds": 0.001} for name in ("a", "b")]
    found = LakeConstants(Lake(tmp_path), feeds, [])
    assert found.input("ops.tolerances", DAY).rows == (
        {"source": "cx", "tolerance_seconds": 5.0, "sums_unit_seconds": 0.001},
    )
    assert "tolerance_seconds" not in found.types["ops.feed_clock"]


def test_what_checks_alone_allow_is_apart_from_what_tables_are_made_from(tmp_path: Path) -> None:
    """If this fails, another stuck_after_hours builds every day anew."""
    found = LakeConstants(
        Lake(tmp_path), [{**FEED, "stuck_after_hours": 30.0}, {**FEED, "stuck_after_hours": 30.0}], []
    )
    assert found.input("ops.limits", None).rows == ({"source": "cx", "stuck_after_hours": 30.0},)
    assert not [model.table for model in read_models(sql_dir()).values() if "ops.limits" in model.parents]


def test_an_unknown_table_says_what_to_do(tmp_path: Path) -> None:
    """If this fails, a model that reads a vendor without source stops with a riddle."""
    with pytest.raises(KeyError, match=r"is its vendor in sources\.yaml"):
        constants(tmp_path, "").input("raw.kore_agent_activity", DAY)


def people(tmp_path: Path, roster: str, schedule: str) -> LakeConstants:
    """A roster and a schedule with these rows."""
    (tmp_path / "roster.csv").write_text("source,agent_id,team,valid_from,valid_to\n" + roster)
    (tmp_path / "schedule.csv").write_text("source,agent_id,started_at,ended_at,activity\n" + schedule)
    known = read_people(Settings(tmp_path, roster=tmp_path / "roster.csv", schedule=tmp_path / "schedule.csv"))
    return LakeConstants(Lake(tmp_path), [FEED], [], known)


def test_a_change_of_who_or_when_concerns_its_own_days_alone(tmp_path: Path) -> None:
    """If this fails, tomorrow's plan or a new team rebuilds every day of the past."""
    plan = "cx,7,2026-11-03T08:00Z,2026-11-03T09:00Z,phone\n"
    before = people(tmp_path, "cx,7,A,,\n", plan)
    after = people(tmp_path, "cx,7,A,,2026-11-04\ncx,7,B,2026-11-04,\n", plan + plan.replace("11-03", "11-04"))
    for table in ("staging.roster", "staging.schedule"):
        assert before.input(table, DAY).identity == after.input(table, DAY).identity
        tomorrow = DAY + timedelta(days=1)
        assert before.input(table, tomorrow).identity != after.input(table, tomorrow).identity
    assert [row["team"] for row in after.input("staging.roster", None).rows or ()] == ["A", "B"]


def test_without_a_schedule_the_map_of_adherence_is_empty(tmp_path: Path) -> None:
    """If this fails, an edited map rebuilds homes that plan nothing."""
    without, with_one = people(tmp_path, "", ""), people(tmp_path, "", "cx,7,2026-11-03T08:00Z,2026-11-03T09:00Z,x\n")
    assert without.input("staging.adherence_map", DAY).rows == ()
    assert with_one.input("staging.adherence_map", DAY).rows
