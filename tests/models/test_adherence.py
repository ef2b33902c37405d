"""Adherence: what was planned beside what was done, and what counts as keeping to it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from orchestration.settings import sql_dir
from tests.models.people import ANN, PERSON, STATES, judged, member, plan, quarters, signed_out, tiled, total, watched
from tests.models.workbench import DAY, Rows, Workbench, at, clock

NINE_TO_TEN = plan(ANN, ("09:00", "10:00", "Phone"))


def verdicts(rows: Rows) -> list[Any]:
    """Stretches in short."""
    return rows.pick("started_at", "ended_at", "activity", "state", "adherence")


def ratios(bench: Workbench, rows: Rows) -> tuple[float | None, float | None]:
    """Adherence and conformance of all quarters together, by the macros."""
    text = (sql_dir() / "macros" / "adherence.sql").read_text(encoding="utf-8")
    bench.connection.execute(text.replace("create macro", "create or replace macro"))
    bench.give("marts.fct_adherence_intervals", rows)
    [row] = bench.query(
        "select adherence(sum(adherent_seconds), sum(out_of_adherence_seconds)) as adherence, conformance("
        "sum(worked_seconds), sum(scheduled_work_seconds)) as conformance from marts.fct_adherence_intervals"
    )
    return row["adherence"], row["conformance"]


def test_scheduled_9_to_10_and_worked_a_quarter_later(bench: Workbench) -> None:
    """Adherence is 75 % and conformance 100 %; if this fails, planners read other figures than they mean."""
    timeline = tiled("00:00 offline", "09:15 available", "09:30 handling", "10:15 offline")
    rows = judged(bench, NINE_TO_TEN, fct_agent_timeline=timeline)
    found = quarters(bench, rows)
    assert total(found) == {"scheduled": 60, "scheduled_work": 60, "worked": 60, "adherent": 45, "out_of_adherence": 15,
                            "neutral": 15, "observed": 75}  # fmt: skip
    assert ratios(bench, found) == (0.75, 1.0)
    assert found.pick("interval_start", "adherent_seconds", "out_of_adherence_seconds", "worked_seconds") == [
        ("09:00", 0, 900, 0),
        ("09:15", 900, 0, 900),
        ("09:30", 900, 0, 900),
        ("09:45", 900, 0, 900),
        ("10:00", 0, 0, 900),
    ]


def test_a_day_is_judged_state_by_state(bench: Workbench) -> None:
    """If this fails, a break taken late, or a meeting, is judged like work."""
    shift = plan(
        ANN, ("08:00", "10:00", "On queue"), ("10:00", "10:30", "Lunch"), ("10:30", "11:00", "Training"),
        ("11:00", "12:00", "Vacation"),
    )  # fmt: skip
    timeline = tiled(
        "00:00 offline", "08:00 available", "09:00 not_ready Personal", "09:10 wrap_up", "09:20 handling",
        "10:05 not_ready Lunch", "10:35 offline", "10:40 not_ready Training", "10:50 available", "11:10 offline",
    )  # fmt: skip
    rows = judged(bench, shift, fct_agent_timeline=timeline)
    assert verdicts(rows) == [
        ("00:00", "08:00", None, "offline", "neutral"),
        ("08:00", "09:00", "On queue", "available", "in"),
        ("09:00", "09:10", "On queue", "not_ready", "out"),
        ("09:10", "09:20", "On queue", "wrap_up", "in"),
        ("09:20", "10:00", "On queue", "handling", "in"),
        ("10:00", "10:05", "Lunch", "handling", "out"),
        ("10:05", "10:30", "Lunch", "not_ready", "in"),
        ("10:30", "10:35", "Training", "not_ready", "in"),
        ("10:35", "10:40", "Training", "offline", "neutral"),
        ("10:40", "10:50", "Training", "not_ready", "in"),
        ("10:50", "11:00", "Training", "available", "out"),
        ("11:00", "11:10", "Vacation", "available", "neutral"),
        ("11:10", "12:00", "Vacation", "offline", "neutral"),
        ("12:00", "24:00", None, "offline", "neutral"),
    ]
    assert {row["activity"] for row in rows if row["is_work"]} == {"On queue"}


@pytest.mark.parametrize(
    ("threshold", "out"),
    [(0.0, 20), (300.0, 20), (301.0, 15), (900.0, 15), (900.000001, 0)],
)
def test_a_deviation_shorter_than_the_threshold_is_adherent(bench: Workbench, threshold: float, out: float) -> None:
    """A quarter in two states is one deviation; if this fails, many short absences are forgiven piece by piece."""
    timeline = tiled(
        "00:00 offline", "09:00 available", "09:10 not_ready", "09:15 available", "09:30 not_ready", "09:40 offline",
        "09:45 handling", "10:00 offline",
    )  # fmt: skip
    found = total(quarters(bench, judged(bench, NINE_TO_TEN, threshold=threshold, fct_agent_timeline=timeline)))
    assert (found["out_of_adherence"], found["adherent"]) == (out, 60 - out)


def overlay(folder: Path, *rows: str) -> Sequence[Path]:
    """A user's own map."""
    path = folder / "adherence.csv"
    path.write_text("activity,state,reason,adherence,threshold_seconds\n" + "\n".join(rows) + "\n")
    return [path]


def test_the_most_specific_row_of_the_map_wins(bench: Workbench, tmp_path: Path) -> None:
    """If this fails, a reason cannot excuse what its state does not, or one activity borrows another's threshold."""
    own = overlay(
        tmp_path, "phone,not_ready,Toilet,in,", "phone,,outage,neutral,", "phone,offline,,out,600",
        "phone,unobserved,,out,", ",available,,out,",
    )  # fmt: skip
    timeline = tiled(
        "00:00 offline", "08:55 available", "09:00 not_ready toilet", "09:05 not_ready Personal",
        "09:10 handling Outage", "09:15 available", "09:20 offline", "09:29 available",
        "09:50 unobserved", "10:00 offline",
    )  # fmt: skip
    rows = judged(bench, NINE_TO_TEN, own, fct_agent_timeline=timeline)
    assert [(row["state"], row["adherence"], row["is_tolerated"]) for row in rows] == [
        ("offline", "neutral", False),
        ("available", "out", False),
        ("not_ready", "in", False),
        ("not_ready", "out", False),
        ("handling", "neutral", False),
        ("available", "in", False),
        ("offline", "out", True),
        ("available", "in", False),
        ("unobserved", "out", False),
        ("offline", "neutral", False),
    ]


def test_an_activity_that_nobody_mapped_is_neutral_and_listed(bench: Workbench) -> None:
    """If this fails, a misspelt activity is judged by a guess, or passed over in silence."""
    timeline = tiled("00:00 offline", "09:00 available", "09:30 unobserved")
    rows = judged(bench, plan(ANN, ("09:00", "10:00", "Fone")), fct_agent_timeline=timeline)
    assert [(row["state"], row["adherence"], row["is_unmapped"], row["is_work"]) for row in rows[1:3]] == [
        ("available", "neutral", True, False),
        ("unobserved", "neutral", False, False),
    ]


def test_time_that_nobody_observed_is_neither_kept_nor_broken(bench: Workbench) -> None:
    """If this fails, an outage of a feed looks like an absent agent, or makes a short day of a full one."""
    timeline = tiled("00:00 offline", "09:00 available", "09:15 unobserved", "09:45 available", "10:00 offline")
    found = quarters(bench, judged(bench, NINE_TO_TEN, fct_agent_timeline=timeline))
    assert total(found) == {"scheduled": 60, "scheduled_work": 30, "worked": 30, "adherent": 30, "out_of_adherence": 0,
                            "neutral": 30, "observed": 30}  # fmt: skip
    assert ratios(bench, found) == (1.0, 1.0)


def test_what_lies_beyond_the_observed_time_is_not_judged(bench: Workbench) -> None:
    """If this fails, the rest of today counts as missed."""
    timeline = tiled("00:00 offline", "09:00 available", end="09:20")
    found = quarters(bench, judged(bench, NINE_TO_TEN, fct_agent_timeline=timeline, feed_clock=[clock("09:20")]))
    assert (total(found)["scheduled"], total(found)["adherent"]) == (20, 20)


@pytest.mark.parametrize(
    ("opened", "gaps", "expected"),
    [
        (signed_out("-1d 18:00"), watched(), [("offline", "00:00", "24:00", True)]),
        (signed_out("-5d 18:00", ended_at=None, state="offline", is_watched=True, ends_session=False), watched(),
         [("offline", "00:00", "24:00", True)]),
        (signed_out("-5d 18:00", ended_at=None, state="offline", is_watched=False, ends_session=False), watched(),
         [("offline", "00:00", "24:00", True)]),
        (signed_out("-1d 18:00"), watched(until="10:00"),
         [("offline", "00:00", "10:00", True), ("unobserved", "10:00", "24:00", True)]),
        (signed_out("-1d 18:00"), watched()[:1], [("unobserved", "00:00", "24:00", True)]),
        (signed_out("-1d 18:00", ends_session=False), watched(), [("unobserved", "00:00", "24:00", True)]),
        (signed_out("-1d 18:00", agent_id="bob"), watched(), [("unobserved", "00:00", "24:00", False)]),
    ],
)  # fmt: skip
def test_who_never_signed_in_is_out_only_as_far_as_that_is_known(
    bench: Workbench, opened: dict[str, Any], gaps: list[dict[str, Any]], expected: list[Any]
) -> None:
    """If this fails, a no-show is passed over, or a gap in a feed is held against an agent."""
    inputs = {"int_agent_day_open": [opened], "int_feed_gaps": gaps}
    rows = bench.run(STATES, DAY, schedule=NINE_TO_TEN, **inputs)
    assert rows.pick("state", "started_at", "ended_at", "is_known") == expected


def test_a_no_show_is_an_hour_out_of_adherence(bench: Workbench) -> None:
    """If this fails, who stays at home keeps to every plan."""
    rows = judged(bench, NINE_TO_TEN, int_agent_day_open=[signed_out("-1d 18:00")], int_feed_gaps=watched())
    assert total(quarters(bench, rows))["out_of_adherence"] == 60


def test_who_is_planned_and_known_to_no_feed_is_listed(bench: Workbench) -> None:
    """A source or id misspelt in a schedule: if this fails, nobody learns of it."""
    for who in (("elsewhere", "ann", None), PERSON):
        rows = bench.run(STATES, schedule=plan(who, ("09:00", "10:00", "phone")))
        assert rows.pick("source", "agent_id", "person_id", "state", "is_known") == [(*who, "unobserved", False)]


def test_a_person_keeps_to_a_plan_on_any_platform(bench: Workbench) -> None:
    """If this fails, who works on the other platform is out of adherence on this one."""
    states = [
        {"person_id": "p1", "started_at": at(start), "ended_at": at(end), "state": state, "reason": reason}
        for start, end, state, reason in [
            ("00:00", "09:00", "offline", None),
            ("09:00", "09:30", "handling", None),
            ("09:30", "24:00", "not_ready", "Lunch"),
        ]
    ]
    schedule = plan(PERSON, ("09:00", "09:40", "phone"), ("09:40", "10:00", "lunch"))
    rows = judged(bench, schedule, fct_person_timeline=states, fct_agent_timeline=tiled("00:00 offline"))
    assert set(rows.pick("source", "agent_id", "person_id")) == {(None, None, "p1")}
    found = total(quarters(bench, rows))
    assert (found["adherent"], found["out_of_adherence"]) == (50, 10)


def test_a_person_is_absent_when_every_agent_of_theirs_is(bench: Workbench) -> None:
    """If this fails, one platform that was watched makes a no-show of who may have worked on another."""
    roster = [member("p1"), member("p1", "kore", "7"), member("p1", "kore", "never seen")]
    opened = [signed_out("-1d 18:00"), signed_out("-1d 18:00", source="kore", agent_id="7")]
    clocks = [clock(), clock(source="kore")]
    rows = bench.run(
        STATES, schedule=plan(PERSON, ("09:00", "10:00", "phone")), roster=roster,
        int_agent_day_open=opened, int_feed_gaps=[*watched(), *watched("kore", "08:00")], feed_clock=clocks,
    )  # fmt: skip
    assert rows.pick("state", "started_at", "ended_at") == [
        ("offline", "00:00", "08:00"),
        ("unobserved", "08:00", "24:00"),
    ]


def test_work_on_a_day_without_a_plan_is_seen(bench: Workbench) -> None:
    """Overtime after midnight: if this fails, conformance misses it."""
    rest = [{"source": "cx", "agent_id": "ann", "started_at": at("00:00"), "ended_at": at("24:00"), "activity": None}]
    found = quarters(bench, judged(bench, rest, fct_agent_timeline=tiled("00:00 handling", "00:10 offline")))
    assert found.pick("interval_start", "worked_seconds", "scheduled_seconds") == [("00:00", 600.0, 0.0)]


def test_without_a_schedule_there_is_nothing(bench: Workbench) -> None:
    """If this fails, sites that plan elsewhere get rows of no meaning."""
    assert judged(bench, [], fct_agent_timeline=tiled("00:00 available")) == []
