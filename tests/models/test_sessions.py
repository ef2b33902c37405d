"""Sign-ins and agents: what spans days and is merged from one fragment per day."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from tests.models.workbench import DAY, Rows, Workbench, attempt, clock, record, shift

TABLE = "marts.fct_agent_sessions"
COLUMNS = ("session_id", "logged_in_at", "logged_out_at", "seconds", "is_open", "ended_by")


def sessions(
    bench: Workbench, *staged: Mapping[str, Any], until: str = "24:00", days: Sequence[int] = (-1, 0, 1)
) -> Rows:
    """Sign-ins made of staged rows on the days around ``DAY``."""
    span = [DAY + timedelta(days=offset) for offset in days]
    return bench.chain(span, TABLE, [clock(until)], staged=staged).rows(TABLE)


def test_a_closed_record_without_successor_ends_its_session(bench: Workbench) -> None:
    """CxEngage reports no sign-out; if this fails, no session ever ends."""
    rows = sessions(bench, *shift("08:00 ready", "09:00 not-ready", end="17:00"))
    assert rows.pick(*COLUMNS) == [("s", "08:00", "17:00", 32400.0, False, "derived")]


def test_a_session_is_one_across_midnight(bench: Workbench) -> None:
    """If this fails, night shifts are two sessions."""
    rows = sessions(bench, *shift("-1d 22:00 ready", "23:00 not-ready", end="+1d 06:00"), until="+1d 12:00")
    assert rows.pick(*COLUMNS) == [("s", "-1d 22:00", "+1d 06:00", 32 * 3600.0, False, "derived")]


def test_a_session_whose_last_record_is_open_is_open(bench: Workbench) -> None:
    """If this fails, those at work now look signed out."""
    rows = sessions(bench, *shift("08:00 ready", "09:00 not-ready"), until="12:00")
    assert rows.pick(*COLUMNS) == [("s", "08:00", None, 14400.0, True, "open")]


def test_an_end_that_is_not_observed_yet_does_not_end_a_session(bench: Workbench) -> None:
    """If this fails, a session ends before its end was seen."""
    rows = sessions(bench, *shift("08:00 ready", end="17:00"), until="12:00")
    assert rows.pick("ended_by", "logged_out_at") == [("open", None)]


def test_an_open_session_that_another_follows_was_replaced(bench: Workbench) -> None:
    """If this fails, an agent is signed in twice."""
    rows = sessions(bench, record("08:00"), *shift("12:00 ready", end="13:00", session_id="s2"))
    assert rows.pick(*COLUMNS) == [
        ("s", "08:00", "12:00", 14400.0, False, "replaced"),
        ("s2", "12:00", "13:00", 3600.0, False, "derived"),
    ]


@pytest.mark.parametrize("after", [[], shift("12:00 ready", end="13:00", session_id="s2")], ids=["alone", "followed"])
def test_a_session_whose_successor_record_is_absent_ends_at_an_unknown_time(
    bench: Workbench, after: list[dict[str, Any]]
) -> None:
    """If this fails, a sign-out is guessed from a broken chain."""
    rows = sessions(bench, *shift("08:00 ready", end="09:00", signs_out=False), *after)
    assert rows.pick(*COLUMNS)[0] == ("s", "08:00", None, None, False, "unknown")


def test_a_session_without_a_word_for_35_days_ended_at_an_unknown_time(bench: Workbench) -> None:
    """If this fails, somebody who left stays signed in for ever."""
    rows = sessions(bench, record("-36d 08:00"), days=[-36, 0])
    assert rows.pick("ended_by", "is_open") == [("unknown", False)]


@pytest.mark.parametrize("until", [None, "+1d 08:00"], ids=["open", "closed"])
def test_a_record_of_the_sign_out_ends_its_session_where_it_begins(bench: Workbench, until: str | None) -> None:
    """If this fails, who went home in the evening is signed in all night, and their next day begins no session."""
    night = {"session_id": "s", "logged_in_at": "08:00", "presence": "offline", "state": "offline"}
    staged = [
        record("08:00", "17:00", next_event_id="bye"),
        record("17:00", until, event_id="bye", next_event_id=until and "+1d 08:00", **night),
    ]
    after = shift("+1d 08:00 ready", end="+1d 09:00", session_id="s2") if until else []
    days = [DAY, DAY + timedelta(days=1)]
    seen = [attempt("00:00", "24:00", "+1d 00:20"), attempt("+1d 00:00", "+1d 12:00", "+1d 12:00:15")]
    made = bench.chain(days, "", [clock("+1d 12:00")], staged=[*staged, *after], attempts=seen)
    rows = made.rows(TABLE)
    assert rows.pick(*COLUMNS)[0] == ("s", "08:00", "17:00", 32400.0, False, "reported")
    assert rows.pick("session_id") == ["s", *({row["session_id"] for row in after})]
    timeline = made.rows("marts.fct_agent_timeline").pick("started_at", "ended_at", "state", "session_id")
    # Who is not seen on a day has no rows on it.
    morning = [("24:00", "+1d 08:00", "offline", None), ("+1d 08:00", "+1d 09:00", "available", "s2")]
    assert timeline[1:5] == [
        ("08:00", "17:00", "available", "s"),
        ("17:00", "24:00", "offline", None),
        *(morning if until else []),
    ]
    assert made.rows("marts.agg_agent_days").pick("logins", "last_logout_at")[0] == (1, "17:00")
    assert made.rows("ops.broken_chains") == []


def test_a_sign_in_before_its_first_record_is_the_vendors_login(bench: Workbench) -> None:
    """If this fails, a session loses the stretch whose rows are absent."""
    rows = sessions(bench, record("08:30", "09:00", logged_in_at="08:00"))
    assert rows.pick("logged_in_at", "seconds") == [("08:00", 3600.0)]


def test_a_sign_out_is_no_later_than_the_next_sign_in(bench: Workbench) -> None:
    """If this fails, two sessions of an agent overlap."""
    rows = sessions(bench, *shift("08:00 ready", end="12:00"), *shift("11:00 ready", end="13:00", session_id="s2"))
    assert rows.pick("logged_out_at") == ["11:00", "13:00"]


def test_sessions_of_different_agents_do_not_replace_each_other(bench: Workbench) -> None:
    """If this fails, one agent's sign-in signs another out."""
    rows = sessions(bench, record("08:00"), record("09:00", agent_id="bob", session_id="b"), until="12:00")
    assert rows.pick("ended_by") == ["open", "open"]


def test_agents_show_their_latest_name_and_first_and_last_time(bench: Workbench) -> None:
    """If this fails, reports show a name that was given up, or agents are missing."""
    staged = [
        record("-1d 08:00", "-1d 09:00", agent_name="Ann Old"),
        record("08:00", "09:00", agent_name="Ann New", session_id="s2"),
        record("10:00", agent_name=None, session_id="s3"),
        record("11:00", agent_id="bob", agent_name="Bob", session_id="s4"),
    ]
    span = [DAY - timedelta(days=1), DAY]
    rows = bench.chain(span, "marts.dim_agents", [clock()], staged=staged).rows("marts.dim_agents")
    assert rows.pick("agent_id", "vendor", "agent_name", "first_seen_at", "last_seen_at") == [
        ("ann", "cxengage", "Ann New", "-1d 08:00", "10:00"),
        ("bob", "cxengage", "Bob", "11:00", "11:00"),
    ]
    assert set(rows.pick("person_id", "team", "site")) == {(None, None, None)}
