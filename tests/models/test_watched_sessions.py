"""Sign-ins of vendors that give them no id: what they are called on every day they last, and how they end."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from tests.models.watched import NIGHT, SESSIONS, TIMELINE, WHOLE, build, feed_clock, looked, said, sessions
from tests.models.workbench import DAY, Chain, Workbench

WEEK = (("00:00", "24:00"), *((f"+{n}d 00:00", f"+{n + 1}d 00:00") for n in range(1, 5)))
COLUMNS = ("session_id", "logged_in_at", "logged_out_at", "is_open", "ended_by")
ANN = "ann|2026-11-03T"


def named(chain: Chain, day: int = 0) -> list[Any]:
    """Starts, states and sessions of a day."""
    where = f"date = '{DAY + timedelta(days=day)}'"
    return chain.rows(TIMELINE, where).pick("started_at", "state", "session_id")


def test_a_sign_in_without_an_id_is_named_by_agent_and_instant(bench: Workbench) -> None:
    """If this fails, sessions of such vendors have no id, or not the one that the contract promises."""
    rows = [
        said("08:00", logged_in_at="07:59:58.25"),
        said("10:00", logged_in_at="10:00"),
        said("11:00", session_id="x"),
    ]
    assert [session for _, _, session in named(build(bench, rows))[1:]] == [
        f"{ANN}07:59:58.250000Z",
        f"{ANN}10:00:00Z",
        "x",
    ]


def test_signed_out_has_no_session(bench: Workbench) -> None:
    """If this fails, time at home belongs to a session."""
    rows = [said("08:00", logged_in_at="08:00"), said("09:00", "logged_out", logged_in_at="08:00")]
    assert named(build(bench, rows))[2] == ("09:00", "offline", None)


def test_the_first_record_ever_names_a_sign_in_that_nobody_saw(bench: Workbench) -> None:
    """If this fails, those at work when recording begins have no session, or one for each record."""
    rows = [said("08:00", "unknown"), said("08:10"), said("09:00", "busy"), said("17:00", "logged_out")]
    assert [session for _, _, session in named(build(bench, rows))] == [
        None,
        None,
        f"{ANN}08:10:00Z",
        f"{ANN}08:10:00Z",
        None,
    ]
    assert sessions(bench, rows).pick(*COLUMNS) == [(f"{ANN}08:10:00Z", "08:10", "17:00", False, "reported")]


@pytest.mark.parametrize("login", ["08:00", None], ids=["seen", "not seen"])
def test_a_session_keeps_its_name_over_midnight_and_days_without_a_record(bench: Workbench, login: str | None) -> None:
    """If this fails, one sign-in is another session every day."""
    rows = [
        said("08:00", logged_in_at=login),
        said("10:00", "busy", logged_in_at=login),
        said("+1d 09:00"),
        said("+3d 09:00", "idle"),
        said("+3d 10:00"),
        said("+4d 06:00", "logged_out"),
    ]
    staffed = build(bench, rows, WEEK).rows(TIMELINE, "state not in ('offline', 'unobserved')")
    assert sorted(set(staffed.pick("session_id", "date"))) == [
        (f"{ANN}08:00:00Z", DAY + timedelta(days=n)) for n in range(5)
    ]
    assert sessions(bench, rows, WEEK).pick(*COLUMNS) == [(f"{ANN}08:00:00Z", "08:00", "+4d 06:00", False, "reported")]


def test_a_session_that_lasts_counts_as_one_login_on_one_day(bench: Workbench) -> None:
    """If this fails, whoever stays signed in signs in every day as reports have it."""
    rows = [said("08:00", logged_in_at="08:00"), said("+1d 09:00"), said("+2d 10:00"), said("+2d 17:00", "logged_out")]
    chain = build(bench, rows, WEEK, "marts.agg_agent_days")
    days = chain.rows("marts.agg_agent_days", "agent_id = 'ann'")
    assert days.pick("logins", "first_login_at", "last_logout_at") == [
        (1, "08:00", None),
        (0, None, None),
        (0, None, "+2d 17:00"),
    ]


@pytest.mark.parametrize(
    ("rows", "spans", "logins"),
    [
        ([said("10:07")], [("10:07", "24:00")], [(0, None)]),
        ([said("00:00")], WHOLE, [(0, None)]),
        ([said("08:00", "unknown"), said("10:07")], WHOLE, [(0, None)]),
        ([said("10:07", logged_in_at="10:07")], [("10:07", "24:00")], [(1, "10:07")]),
        ([said("10:07", logged_in_at="08:00")], [("10:07", "24:00")], [(1, "08:00")]),
        ([said("20:00", "logged_out"), said("+1d 10:07")], NIGHT, [(0, None), (1, "+1d 10:07")]),
        ([said("20:00", "logged_out"), said("+1d 00:00")], NIGHT, [(0, None), (1, "24:00")]),
        ([said("20:00", "logged_out"), said("+1d 10:07")], [*WHOLE, ("+1d 10:07", "+2d 00:00")], [(0, None)] * 2),
        ([said("20:00", "logged_out"), said("+1d 00:00")], [("00:00", "23:00"), NIGHT[1]], [(0, None), (0, None)]),
        ([said("20:00", "logged_out"), said("+2d 00:00")], [WHOLE[0], WEEK[2]], [(0, None), (0, None)]),
        ([said("20:00", "logged_out"), said("+2d 00:00")], WEEK[:3], [(0, None), (1, "+2d 00:00")]),
        ([said("20:00", "logged_out", "22:00"), said("+1d 09:00")], NIGHT, [(0, None), (0, None)]),
        ([said("20:00", "logged_out", "+1d 09:00"), said("+1d 09:00")], [*WHOLE, ("+1d 10:00", "+2d 00:00")],
         [(0, None), (1, "+1d 09:00")]),
        ([said("10:07"), said("+1d 09:00", "busy")], NIGHT, [(0, None), (0, None)]),
    ],
    ids=["capture begins", "at midnight", "after nothing", "told", "told before", "was out", "was out until midnight",
         "gap", "gap before midnight", "a day not asked for", "a day off", "out for a while", "out across a gap",
         "goes on"],
)  # fmt: skip
def test_a_sign_in_that_nobody_saw_is_not_counted(
    bench: Workbench, rows: list[dict[str, Any]], spans: Sequence[tuple[str, str]], logins: list[Any]
) -> None:
    """If this fails, all who are at work when capture begins signed in just then, or one that was seen is missed."""
    days = build(bench, rows, spans, "marts.agg_agent_days").rows("marts.agg_agent_days")
    assert days.pick("logins", "first_login_at") == logins


def test_signed_out_since_midnight_is_no_sign_out(bench: Workbench) -> None:
    """Histories say so of whoever signs in later; if this fails, a report shows a sign-out at midnight."""
    rows = [said("00:00", "logged_out", end="08:00"), said("08:00", logged_in_at="08:00")]
    [day] = build(bench, rows, last="marts.agg_agent_days").rows("marts.agg_agent_days")
    assert (day["last_logout_at"], day["logins"]) == (None, 1)


def test_after_a_night_signed_out_the_first_record_names_the_new_sign_in(bench: Workbench) -> None:
    """If this fails, yesterday's session comes back to life."""
    rows = [said("08:00"), said("17:00", "logged_out"), said("+1d 08:00"), said("+1d 09:00", "busy")]
    assert named(build(bench, rows, NIGHT), 1) == [
        ("24:00", "offline", None),
        ("+1d 08:00", "available", "ann|2026-11-04T08:00:00Z"),
        ("+1d 09:00", "not_ready", "ann|2026-11-04T08:00:00Z"),
    ]
    assert sessions(bench, rows, NIGHT).pick(*COLUMNS) == [
        (f"{ANN}08:00:00Z", "08:00", "17:00", False, "reported"),
        ("ann|2026-11-04T08:00:00Z", "+1d 08:00", None, True, "open"),
    ]


def test_a_sign_out_ends_a_session_also_when_the_day_ends_with_something_else(bench: Workbench) -> None:
    """If this fails, an answer that says nothing brings back a session that was signed out before it."""
    rows = [
        said("08:00", logged_in_at="08:00"),
        said("17:00", "logged_out"),
        said("20:00", "unknown"),
        said("+1d 08:00"),
        said("08:00", agent_id="bob", logged_in_at="08:00"),
        said("20:00", "unknown", agent_id="bob"),
        said("+1d 08:00", agent_id="bob"),
    ]
    chain = build(bench, rows, NIGHT)
    assert chain.rows(TIMELINE, "started_at = '2026-11-04 08:00:00Z'").pick("agent_id", "session_id") == [
        ("ann", "ann|2026-11-04T08:00:00Z"),
        ("bob", "bob|2026-11-03T08:00:00Z"),
    ]


def test_a_last_record_that_ends_with_the_next_days_sign_out_ends_its_session(bench: Workbench) -> None:
    """Histories close a record over midnight; if this fails, whoever was signed out the next morning never left."""
    rows = [said("20:00", "busy", "+1d 09:00", logged_in_at="08:00"), said("+1d 09:00", "logged_out")]
    assert sessions(bench, rows, NIGHT).pick(*COLUMNS) == [(f"{ANN}08:00:00Z", "08:00", "+1d 09:00", False, "reported")]


def test_a_sign_out_of_a_later_day_ends_a_sign_in_of_an_earlier_one(bench: Workbench) -> None:
    """If this fails, a session that ended days ago comes back to life."""
    rows = [said("08:00", logged_in_at="08:00"), said("+1d 17:00", "logged_out"), said("+3d 08:00")]
    assert named(build(bench, rows, WEEK), 3)[-1] == ("+3d 08:00", "available", "ann|2026-11-06T08:00:00Z")


def test_a_second_sign_in_of_a_day_names_the_days_that_follow(bench: Workbench) -> None:
    """If this fails, the next day goes on with the session that was signed out at noon."""
    rows = [
        said("08:00"),
        said("12:00", "logged_out"),
        said("13:00", logged_in_at="13:00"),
        said("+1d 09:00", "busy"),
        said("+1d 17:00", "logged_out"),
    ]
    assert named(build(bench, rows, NIGHT), 1)[:2] == [
        ("24:00", "available", f"{ANN}13:00:00Z"),
        ("+1d 09:00", "not_ready", f"{ANN}13:00:00Z"),
    ]
    assert sessions(bench, rows, NIGHT).pick(*COLUMNS) == [
        (f"{ANN}08:00:00Z", "08:00", "12:00", False, "reported"),
        (f"{ANN}13:00:00Z", "13:00", "+1d 17:00", False, "reported"),
    ]


@pytest.mark.parametrize(
    ("after", "end"),
    [
        ([said("12:00", "logged_out")], ("12:00", False, "reported")),
        ([said("12:00", "logged_out", is_derived=True)], ("12:00", False, "derived")),
        ([said("12:00", "logged_out", end="13:00")], ("12:00", False, "reported")),
        ([said("12:00", logged_in_at="11:50")], ("11:50", False, "replaced")),
        ([said("12:00", "unknown")], (None, False, "unknown")),
        ([said("12:00", "unknown"), said("12:05", "logged_out")], (None, False, "unknown")),
        ([said("12:00", "unknown"), said("12:05", logged_in_at="08:00")], (None, True, "open")),
        ([said("+1d 09:00", "logged_out")], ("+1d 09:00", False, "reported")),
        ([said("+2d 09:00", "logged_out")], ("+2d 09:00", False, "reported")),
        ([said("+5d 09:00", "logged_out")], (None, True, "open")),
        ([], (None, True, "open")),
    ],
    ids=[
        "out",
        "inferred",
        "out a while",
        "anew",
        "unknown",
        "then out",
        "then in",
        "next day",
        "later",
        "not yet",
        "no word",
    ],
)
def test_an_open_session_ends_as_what_follows_says(
    bench: Workbench, after: list[dict[str, Any]], end: tuple[Any, ...]
) -> None:
    """If this fails, a sign-out is missed, guessed, or told as if the vendor had said it."""
    rows = sessions(bench, [said("08:00", logged_in_at="08:00"), *after], WEEK)
    assert rows.pick(*COLUMNS)[0] == (f"{ANN}08:00:00Z", "08:00", *end)


@pytest.mark.parametrize(
    ("after", "end"),
    [
        ([said("12:00", "logged_out")], ("12:00", False, "reported")),
        ([said("12:00:00.000001", "logged_out")], (None, False, "unknown")),
        ([said("11:00", "logged_out")], ("11:00", False, "reported")),
        ([said("12:00", "unknown")], (None, False, "unknown")),
        ([said("13:00", logged_in_at="13:00")], (None, False, "unknown")),
        ([said("12:00", logged_in_at="12:00")], ("12:00", False, "replaced")),
        ([said("11:00", logged_in_at="11:00")], ("11:00", False, "replaced")),
        ([], (None, False, "unknown")),
    ],
    ids=["at once", "after a while", "within", "unknown", "anew", "anew at once", "anew within", "no word"],
)
def test_a_session_whose_last_record_is_closed_ends_where_that_is_known(
    bench: Workbench, after: list[dict[str, Any]], end: tuple[Any, ...]
) -> None:
    """A sample speaks for itself only; if this fails, a sign-out that nobody saw has a time."""
    rows = sessions(bench, [said("08:00", end="12:00", logged_in_at="08:00"), *after])
    assert rows.pick(*COLUMNS)[0] == (f"{ANN}08:00:00Z", "08:00", *end)


def test_sessions_of_one_agent_do_not_overlap(bench: Workbench) -> None:
    """Who signs in at a second desk is signed in once; if this fails, one agent's sessions sum to more than the day."""
    rows = [said("08:00", logged_in_at="08:00"), said("10:00", "logged_out"), said("10:30", logged_in_at="09:30")]
    assert sessions(bench, rows).pick("logged_in_at", "logged_out_at") == [("08:00", "09:30"), ("09:30", None)]


def test_a_session_says_how_long_it_lasted(bench: Workbench) -> None:
    """If this fails, lengths are wrong, or given for a session whose end nobody knows."""
    rows = [
        said("08:00", logged_in_at="07:30"),
        said("12:00", "logged_out"),
        said("13:00", logged_in_at="13:00"),
        said("08:00", end="09:00", agent_id="bob", logged_in_at="08:00"),
    ]
    assert sessions(bench, rows, [("00:00", "14:00")]).pick("agent_id", "seconds") == [
        ("ann", 16200.0),
        ("ann", 3600.0),
        ("bob", None),
    ]


def test_agents_of_several_sources_keep_their_own_sessions(bench: Workbench) -> None:
    """If this fails, one source's sign-out ends the session of an agent with the same id at another."""
    rows = [
        said("08:00", logged_in_at="08:00"),
        said("09:00", "logout", source="kore", vendor="kore"),
        said("08:00", "ready", source="kore", vendor="kore"),
    ]
    inputs: dict[str, Sequence[Any]] = {
        "clocks": [feed_clock(), feed_clock(source="kore", vendor="kore")],
        "attempts": [*looked(("00:00", "24:00")), *looked(("00:00", "24:00"), source="kore", feed="agent_activity")],
    }
    found = build(bench, rows, last=SESSIONS, **inputs).rows(SESSIONS)
    assert found.pick("source", "ended_by") == [("bt", "open"), ("kore", "reported")]
