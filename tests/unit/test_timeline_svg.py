"""The picture of a day: what is drawn is what was given, whatever the names and the zone."""

import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from xml.etree.ElementTree import Element

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.reports.model import Stretch
from assets.reports.timeline_svg import LOOKS, timeline_svg

START = datetime(2026, 11, 20, tzinfo=UTC)
END = START + timedelta(days=1)
SVG = "{http://www.w3.org/2000/svg}"


def stretch(first: float, last: float, state: str = "handling", agent: str = "a1", name: str | None = None) -> Stretch:
    """From one hour of the day to another."""
    at = [START + timedelta(hours=hours) for hours in (first, last)]
    return Stretch("desk", agent, name, None, at[0], at[1], state)


def drawn(svg: str) -> Element:
    """The picture as a browser reads it; text that is no XML is an error."""
    return ET.fromstring(svg)  # noqa: S314 - made by ourselves a line above


def lengths(svg: str) -> dict[str, int]:
    """How far the pen goes in each state, in units of 48 s; the legend aside."""
    found: dict[str, int] = {}
    for group in drawn(svg).iter(f"{SVG}g"):
        title, paths = group.findtext(f"{SVG}title"), group.findall(f"{SVG}path")
        if title and "stroke" in group.attrib:
            path = "".join(p.attrib["d"] for p in paths)
            found[title] = sum(int(part.split("m")[0].split("M")[0]) for part in path.split("h")[1:])
    return found


def texts(svg: str) -> list[str]:
    """All that can be read in it."""
    return [element.text or "" for element in drawn(svg).iter(f"{SVG}text")]


def test_each_state_is_as_long_as_it_lasted() -> None:
    """If this fails, the picture lies about how long agents did what."""
    svg = timeline_svg(
        [stretch(8, 9, "available"), stretch(9, 9.5), stretch(9.5, 10), stretch(20, 26, "unobserved")], START, END
    )
    hour = 1800 / 24
    assert lengths(svg) == {
        "available": round(hour),
        "handling": round(hour),
        "unobserved: nobody knows": round(4 * hour),
    }


def test_no_state_is_told_by_colour_alone() -> None:
    """If this fails, people who do not see the colours take one state for another."""
    looks = [(look.thickness, bool(look.colour)) for state, look in LOOKS.items() if state != "wrap_up"]
    assert len(set(looks)) == len(looks)
    assert LOOKS["wrap_up"].colour != LOOKS["not_ready"].colour


@pytest.mark.parametrize(
    ("zone", "start", "labels", "said"),
    [
        ("UTC", START, ("00:00", "23:00"), "hours in UTC"),
        ("Asia/Kolkata", START, ("06:00", "05:00"), "Asia/Kolkata (+05:30)"),
        ("Europe/Berlin", datetime(2026, 10, 24, 22, tzinfo=UTC), ("00:00", "22:00"), "(+02:00, later +01:00)"),
    ],
)
def test_hours_are_those_of_the_zone(zone: str, start: datetime, labels: tuple[str, str], said: str) -> None:
    """If this fails, a half-hour zone or a change of clocks shifts the hours below the picture."""
    found = texts(timeline_svg([], start, start + timedelta(days=1), zone))
    hours = [text for text in found if text.endswith(":00") and len(text) == 5]
    assert (hours[0], hours[23]) == labels
    assert any(said in text for text in found)
    assert hours.count("02:00") == (2 if zone == "Europe/Berlin" else 1)


def test_rows_stand_under_their_team_and_source() -> None:
    """If this fails, two people of one name cannot be told apart, nor to whom a row belongs."""
    rows = [
        Stretch("cx", "a1", "Ann", "Care", START, END, "handling"),
        Stretch("cx", "a2", "Ann", "Care", START, END, "handling"),
        Stretch("kore", "a3", "Ann", "Care", START, END, "available"),
        Stretch("cx", "a4", "Bob", None, START, END, "handling"),
    ]
    found = texts(timeline_svg(rows, START, END))
    shown = [text for text in found if "Ann" in text or "Bob" in text or text.endswith(("cx", "kore"))]
    assert shown == ["Care · cx", "Ann · a1", "Ann · a2", "Care · kore", "Ann", "cx", "Bob"]
    assert "4 agents" in timeline_svg(rows, START, END)


def test_names_are_cut_between_what_people_see_and_not_at_the_edge() -> None:
    """If this fails, an emoji falls into its parts, or a wide name runs out of the picture."""
    coder = "\U0001f469\U0001f3fd\u200d\U0001f4bb"
    found = texts(timeline_svg([stretch(8, 9, name=coder * 20), stretch(8, 9, agent="b", name="漢" * 40)], START, END))
    assert f"{'漢' * 12}…" in found
    [cut] = [text for text in found if coder in text]
    assert cut == coder * (cut.count(coder)) + "…"


def test_what_is_left_out_is_said() -> None:
    """If this fails, a picture of some agents looks like one of all."""
    rows = [stretch(8, 9, agent=f"a{n}", name=f"Agent {n}") for n in range(70)]
    found = texts(timeline_svg(rows, START, END))
    assert ("Agent 59" in found, "Agent 60" in found) == (True, False)
    assert "10 more agents are not drawn." in found[-1]
    assert "No agent did anything that is known." in texts(timeline_svg([], START, END))[-1]


def test_a_pointer_and_a_screen_reader_are_told_the_figures() -> None:
    """If this fails, only those who see the picture learn what it says."""
    svg = timeline_svg([stretch(8, 9, name="Ann"), stretch(9, 9.25, "wrap_up", name="Ann")], START, END, tips=True)
    assert "Ann: wrap-up 09:00:00 to 09:15:00 (0:15:00)" in svg
    assert "Ann, desk: handling 1:00:00, wrap-up 0:15:00" in svg
    assert "1 agents" not in svg
    assert drawn(svg).attrib["aria-labelledby"] == "timeline-title timeline-said"


def test_a_state_without_a_picture_is_drawn_all_the_same() -> None:
    """If this fails, a word that no map knows vanishes from the picture."""
    assert lengths(timeline_svg([stretch(8, 9, "asleep")], START, END)) == {"a state that has no picture": 75}


def test_a_thousand_busy_agents_fit_into_a_page() -> None:
    """If this fails, the picture of a large centre swells the pages and the event log that hold it."""
    states = ("available", "handling", "wrap_up")
    rows = [
        stretch(6 + n / 12, 6 + (n + 1) / 12, states[n % 3], agent=str(agent))
        for agent in range(1000)
        for n in range(120)
    ]
    assert len(timeline_svg(rows, START, END)) < 75_000


@pytest.mark.parametrize(("hours", "zone", "said"), [(0, "UTC", "no width"), (1, "Mars/Base", "no IANA zone")])
def test_a_picture_that_cannot_be_is_refused(hours: int, zone: str, said: str) -> None:
    """If this fails, a wrong call draws a wrong picture."""
    with pytest.raises(ValueError, match=said):
        timeline_svg([], START, START + timedelta(hours=hours), zone)


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.text(max_size=40), st.floats(-30, 50), st.floats(0, 30), st.sampled_from([*LOOKS, "<b>", "\x00"])),
        max_size=12,
    )
)
def test_any_name_and_time_gives_a_picture(given_rows: list[tuple[str, float, float, str]]) -> None:
    """If this fails, one agent's name breaks the page for all, or smuggles markup into it."""
    rows = [stretch(at, at + long, state, agent=name, name=name) for name, at, long, state in given_rows]
    svg = timeline_svg(rows, START, END, tips=True)
    tags = {element.tag.removeprefix(SVG) for element in drawn(svg).iter()}
    assert tags <= {"svg", "title", "desc", "rect", "defs", "pattern", "path", "g", "text"}
    assert svg == timeline_svg(rows, START, END, tips=True)
    assert not set("\u202e\u2066\x00") & set(svg)
