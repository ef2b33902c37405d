"""The overview of now: who does what, how old that is, and what it is compared with."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from assets.reports.board import STALE_AFTER, Board
from assets.reports.overview import ago, render
from assets.reports.page import UNKNOWN
from tests.pages import Page, at, board


def shown(made: Board, folder: Path) -> Page:
    """The overview, read."""
    render(made, folder / "index.html")
    return Page((folder / "index.html").read_text(encoding="utf-8"))


def test_the_day_is_set_beside_the_same_weekday_before(tmp_path: Path) -> None:
    """A supervisor would compare a Saturday with a Friday, or a part of a day with a whole one."""
    text = shown(board(), tmp_path).text
    for said in (
        "75.0\xa0%",
        "the evidence allows 70.0 to 80.0 %",
        "Saturday 14 November: 70.0\xa0%, ▲\xa0+5.0 points",
        "98.0\xa0%",
        "1,234",
        "Saturday 14 November: 1,200",
    ):
        assert said in text


def test_teams_show_what_their_source_tells_and_nothing_else(tmp_path: Path) -> None:
    """A zero where a source cannot tell reads as nobody working."""
    [teams, _] = shown(board(), tmp_path).tables
    assert teams[1][:9] == ["cx", "Sales", "1", "0", "0", "1", "0", "0", "75.0\xa0%"]
    assert teams[1][9:14] == ["80.0\xa0%", "▼\xa0\N{MINUS SIGN}5.0 points", "98.0\xa0%", "1,234", "1,200"]
    assert teams[2] == ["kore", UNKNOWN, UNKNOWN, UNKNOWN, "0", "0", "0", "0", *[UNKNOWN] * 6, "never"]


def test_agents_stand_by_state_the_longest_first(tmp_path: Path) -> None:
    """Who waits longest is looked for at the top."""
    [_, agents] = shown(board(["Ann", "Bob", "Cid"]), tmp_path).tables
    assert [(row[0], row[3], row[6]) for row in agents[1:]] == [
        ("Cid", "Handling", "0:59:02"),
        ("Bob", "Handling", "0:59:01"),
        ("Ann", "Not ready", "0:59:00"),
    ]


def test_a_source_that_fell_silent_is_unmistakable(tmp_path: Path) -> None:
    """A wall screen that shows an hour ago as now is worse than none."""
    made = at(14)
    read = shown(board(seen=made - STALE_AFTER - timedelta(seconds=1), made=made), tmp_path)
    assert "Stale: nothing new from cx, kore" in read.text
    assert "stale: 15 minutes ago" in read.text
    assert [a["data-fresh"] for a in read.all("tr") if "data-fresh" in a] == ["no", "no"]
    tiles = [a["class"] for a in read.all("li")]
    assert tiles[-1] == "tile unobserved"
    assert "Not known2" in read.text.replace("\n", "")
    [teams, agents] = read.tables
    assert teams[1][:8] == ["cx", "Sales", "0", "0", "0", "0", "0", "2"]
    assert len(agents) == 1
    assert "Nobody." in read.text


def test_what_is_fresh_is_not_called_stale(tmp_path: Path) -> None:
    """An alarm that is always on is not seen."""
    made = board(seen=at(14) - STALE_AFTER)
    read = shown(Board(made.made_at, made.zone, made.sources[:1], made.agents, made.day), tmp_path)
    [banner] = [a for a in read.all("p") if a.get("id") == "stale"]
    assert "hidden" in banner
    assert [a["data-fresh"] for a in read.all("tr") if "data-fresh" in a] == ["yes"]


def test_a_page_of_nothing_says_that(tmp_path: Path) -> None:
    """The first build of a new home has no agents, and must not fail for it."""
    text = shown(Board(at(14), "Europe/Berlin", [], [], {}), tmp_path).text
    assert "nothing was seen yet" in text
    assert "nothing is known of Saturday 14 November" in text


def test_the_page_is_read_again_by_itself(tmp_path: Path) -> None:
    """Nobody presses a key at a wall; with scripts the page does it, without them the browser."""
    read = shown(board(), tmp_path)
    assert {"http-equiv": "refresh", "content": "60"} in read.all("meta")
    tags = [tag for tag, _ in read.elements]
    assert tags[tags.index("noscript") + 1] == "meta"
    assert read.all("main")[0]["data-refresh"] == "60"


def test_who_is_ready_may_be_working(tmp_path: Path) -> None:
    """If this fails, agents of a source that tells no calls look idle to who looks for somebody to help."""
    made = board()
    told = [replace(source, observed_until=at(13.99)) for source in made.sources]
    agents = [replace(agent, source="kore", state="available") for agent in made.agents[:1]] + [*made.agents[1:]]
    read = shown(replace(made, sources=told, agents=agents), tmp_path)
    assert "of kore: ready, working or not" in read.text
    assert [row[3] for row in read.tables[1][1:]] == ["Handling", "Ready, working or not"]


def test_a_code_of_the_vendors_is_said_in_words(tmp_path: Path) -> None:
    """If this fails, a supervisor reads 5 and has to know what Huawei means by it."""
    made = board()
    read = shown(replace(made, agents=[replace(made.agents[1], vendor_state="7")]), tmp_path)
    assert read.tables[1][1][4] == "handling (code 7)"
    assert "1 agent." in read.text


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "just now"),
        (9.9, "just now"),
        (119, "119 seconds ago"),
        (120, "2 minutes ago"),
        (7199, "119 minutes ago"),
        (7200, "2 hours ago"),
        (172_799, "47 hours ago"),
        (172_800, "2 days ago"),
    ],
)
def test_ages_are_said_in_words(seconds: float, said: str) -> None:
    """One that rounds up says that something is older than it is, and is not what the browser says."""
    assert ago(seconds) == said
