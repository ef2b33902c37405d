"""Persons: who an agent is, from the roster or BeyondTrust's teams, and what one human did as several agents."""

from datetime import date, timedelta
from typing import Any

import pytest

from tests.models.people import DAYS, PERSONS, member, tiled
from tests.models.workbench import DAY, Rows, Workbench, at, clock

DIM = "marts.dim_agents"
ROSTER = "marts.dim_agent_roster"
TEAMS = "intermediate.int_beyondtrust_teams"


def reply(received: str, *elements: tuple[str, str | None, str, str], **fields: Any) -> list[dict[str, Any]]:
    """Elements of a reply about teams: element, team, id, name."""
    return [
        {"source": "bt", "segment": "seg", "sequence": 0, "record": n, "action": "get_support_teams",
         "element": element, "team_id": team, "id": id_, "name": name, "received_at": at(received),
         "payload_sha256": "p", **fields}
        for n, (element, team, id_, name) in enumerate(elements, 1)
    ]  # fmt: skip


FIRST, SECOND = ("support_team", None, "2", "First"), ("support_team", None, "3", "Alpha")


def test_the_last_answer_of_a_day_says_who_is_in_which_team(bench: Workbench) -> None:
    """If this fails, somebody moved is shown in both teams, or a name hides that there are two."""
    rows = [
        *reply("08:00", FIRST, ("team_member", "2", "5", "Ann"), ("team_member", "2", "6", "Bob"), segment="early"),
        *reply("09:00", FIRST, SECOND, ("team_member", "2", "5", "Ann"), ("team_member", "3", "5", "Ann"),
               ("team_member", "9", "7", "Cat")),
        *reply("09:30", ("rep", None, "6", "Bob"), action="get_logged_in_reps"),
        *reply("+1d 00:00", FIRST, ("team_member", "2", "6", "Bob")),
    ]  # fmt: skip
    found = bench.run(TEAMS, stg_beyondtrust__command=rows)
    assert found.pick("source", "agent_id", "team") == [("bt", "5", "Alpha, First"), ("bt", "7", "9")]


def teams(*days: tuple[int, str, str]) -> list[dict[str, Any]]:
    """Teams as days tell them: days after ``DAY``, agent, team."""
    return [{"source": "bt", "date": DAY + timedelta(days=n), "agent_id": a, "team": t} for n, a, t in days]


def test_teams_of_days_become_stays_with_their_dates(bench: Workbench) -> None:
    """If this fails, an agent who left a team, or came back, is shown in it all the time."""
    found = bench.run(
        ROSTER, None, int_beyondtrust_teams=teams((0, "5", "A"), (1, "5", "A"), (4, "5", "B"), (0, "6", "A"),
                                                  (4, "6", "A"), (5, "5", "B"))
    )  # fmt: skip
    days = {DAY + timedelta(days=n): n for n in range(9)}
    assert [(row["agent_id"], row["team"], days[row["valid_from"]], days.get(row["valid_to"])) for row in found] == [
        ("5", "A", 0, 4),
        ("5", "B", 4, None),
        ("6", "A", 0, 1),
        ("6", "A", 4, 5),
    ]
    assert set(found.pick("origin")) == {"beyondtrust team"}


def test_the_roster_comes_before_the_vendors_teams(bench: Workbench) -> None:
    """If this fails, a site's own word is contradicted by the appliance's."""
    own = {**member("p1", "bt", "5"), "team": "Own", "valid_from": date(2020, 1, 1)}
    found = bench.run(ROSTER, None, roster=[own], int_beyondtrust_teams=teams((0, "5", "A"), (0, "6", "A")))
    assert found.pick("agent_id", "team", "origin") == [("5", "Own", "roster"), ("6", "A", "beyondtrust team")]


def agents(bench: Workbench, *rows: dict[str, Any], until: str = "24:00", name: str | None = "Ann Vendor") -> Rows:
    """The list of agents with these rows of the roster, when the source was observed until then."""
    seen = {"source": "cx", "agent_id": "ann", "agent_name": name, "first_seen_at": at("08:00"),
            "last_seen_at": at("09:00")}  # fmt: skip
    return bench.run(DIM, None, int_agents_seen=[seen], dim_agent_roster=rows, feed_clock=[clock(until)])


@pytest.mark.parametrize(("until", "team"), [("24:00", "A"), ("+1d 00:00:01", "B"), ("-1d 12:00", None)])
def test_an_agent_is_shown_as_when_the_source_was_last_seen(bench: Workbench, until: str, team: str | None) -> None:
    """If this fails, tomorrow's team is shown today, or one of last year."""
    a = member("p1", team="A", valid_from=DAY, valid_to=DAY + timedelta(days=1))
    b = member("p1", team="B", valid_from=DAY + timedelta(days=1))
    assert agents(bench, a, b, until=until).pick("team") == [team]


def test_the_vendors_name_of_an_agent_stays_and_a_missing_one_is_filled(bench: Workbench) -> None:
    """If this fails, Kore.ai's agents have no names, or others two."""
    row = member("p1", display_name="Ann Roster", site="Cork")
    assert agents(bench, row).pick("agent_name", "person_id", "site") == [("Ann Vendor", "p1", "Cork")]
    assert agents(bench, row, name=None).pick("agent_name") == ["Ann Roster"]
    assert agents(bench).pick("agent_name", "person_id", "team") == [("Ann Vendor", None, None)]


BOTH = [member("p1"), member("p1", "kore", "7"), member(None, "cx", "bob")]


def person(bench: Workbench, *timeline: dict[str, Any]) -> Rows:
    """The timeline of a person who is two agents."""
    return bench.run(PERSONS, fct_agent_timeline=timeline, roster=BOTH)


def test_one_human_on_two_platforms_is_staffed_once(bench: Workbench) -> None:
    """If this fails, an hour signed in on both platforms counts as two, or nobody sees that it was on both."""
    rows = person(
        bench,
        *tiled("00:00 offline", "08:00 available", "09:00 handling", "10:00 not_ready Lunch", "12:00 offline"),
        *tiled("00:00 offline", "09:30 available", "10:30 handling", "11:00 wrap_up", "13:00 offline",
               source="kore", agent_id="7"),
        *tiled("00:00 handling", agent_id="bob"),
    )  # fmt: skip
    assert rows.pick("person_id", "started_at", "ended_at", "state", "reason", "staffed_agents", "is_overlap") == [
        ("p1", "00:00", "08:00", "offline", None, 0, False),
        ("p1", "08:00", "09:00", "available", None, 1, False),
        ("p1", "09:00", "09:30", "handling", None, 1, False),
        ("p1", "09:30", "10:00", "handling", None, 2, True),
        ("p1", "10:00", "10:30", "not_ready", "Lunch", 2, True),
        ("p1", "10:30", "11:00", "handling", None, 2, True),
        ("p1", "11:00", "12:00", "wrap_up", None, 2, True),
        ("p1", "12:00", "13:00", "wrap_up", None, 1, False),
        ("p1", "13:00", "24:00", "offline", None, 0, False),
    ]
    signals = [{"source": s, "gives_available": True, "gives_handling": True, "gives_wrap_up": s == "kore"}
               for s in ("cx", "kore")]  # fmt: skip
    seen = [*tiled("00:00 offline"), *tiled("00:00 offline", source="kore", agent_id="7")]
    days = bench.run(DAYS, fct_person_timeline=rows, roster=BOTH, int_source_signals=signals, fct_agent_timeline=seen)
    assert days.pick("agents", "staffed_seconds", "handling_seconds", "overlap_seconds", "wrap_up_seconds") == [
        (2, 5 * 3600.0, 1.5 * 3600, 2.5 * 3600, 2 * 3600.0)
    ]
    [day] = days
    assert (day["observed_seconds"], day["unobserved_seconds"]) == (86400.0, 0.0)


@pytest.mark.parametrize(
    ("one", "other", "state"),
    [
        ("unobserved", "handling", "handling"),
        ("unobserved", "available", "available"),
        ("unobserved", "offline", "unobserved"),
        ("available", "not_ready", "not_ready"),
        ("not_ready", "wrap_up", "wrap_up"),
        ("handling", "wrap_up", "handling"),
    ],
)
def test_what_counts_where_agents_differ(bench: Workbench, one: str, other: str, state: str) -> None:
    """If this fails, time nobody watched shows as signed out, or working is hidden by waiting elsewhere."""
    for first, second in ((one, other), (other, one)):
        [row] = person(bench, *tiled(f"00:00 {first}"), *tiled(f"00:00 {second}", source="kore", agent_id="7"))
        assert row["state"] == state


def test_beyond_an_agents_observed_time_that_agent_is_unobserved(bench: Workbench) -> None:
    """If this fails, a platform that fell silent looks like one that was signed out of."""
    rows = person(
        bench, *tiled("00:00 available", "10:00 offline", end="12:00"),
        *tiled("00:00 offline", end="11:00", source="kore", agent_id="7"),
    )  # fmt: skip
    assert rows.pick("started_at", "ended_at", "state") == [
        ("00:00", "10:00", "available"),
        ("10:00", "11:00", "offline"),
        ("11:00", "12:00", "unobserved"),
    ]


def test_an_agent_without_rows_takes_no_part(bench: Workbench) -> None:
    """If this fails, an account that is hardly ever used makes each day unobserved."""
    assert person(bench, *tiled("00:00 available", "10:00 offline")).pick("state", "agents") == [
        ("available", 1),
        ("offline", 1),
    ]


def test_a_person_on_a_platform_that_cannot_tell_handling_has_none(bench: Workbench) -> None:
    """If this fails, a sum of which a part is unknown is shown as if it were the whole."""
    timeline = [*tiled("00:00 handling"), *tiled("00:00 available", source="kore", agent_id="7")]
    signals = [{"source": s, "gives_available": True, "gives_handling": s == "cx", "gives_wrap_up": False}
               for s in ("cx", "kore")]  # fmt: skip
    rows = person(bench, *timeline)
    [day] = bench.run(DAYS, fct_person_timeline=rows, roster=BOTH, int_source_signals=signals,
                      fct_agent_timeline=timeline)  # fmt: skip
    assert (day["handling_seconds"], day["wrap_up_seconds"], day["staffed_seconds"]) == (None, None, 86400.0)


def test_without_a_roster_there_are_no_persons(bench: Workbench) -> None:
    """If this fails, agents whose person nobody knows are taken for persons."""
    assert bench.run(PERSONS, fct_agent_timeline=tiled("00:00 handling")) == []
