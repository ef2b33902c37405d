"""Pictures of a report: drawn from its figures, all of them, and readable without colour."""

import re
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from assets.reports.charts import Bar, Hour, Slot, Strip, bars, heat, hours, share, stacked, strips
from assets.reports.model import Report
from assets.reports.pictures import Picture, pictures
from tests.pages import PAIRS, REASONS, TEAMS, at, full, report, stretches, table


def drawn(made: Report, name: str) -> list[Picture]:
    """The pictures above a table."""
    return [p for t in made.tables if t.name == name for p in pictures(made, t)]


def boxes(svg: str) -> list[dict[str, float]]:
    """The boxes of a drawing."""
    found = [r.attrib for r in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}rect")]  # noqa: S314 - we drew it
    return [{k: float(r[k]) for k in ("x", "y", "width", "height")} for r in found if "x" in r]


def test_each_table_has_its_pictures_and_the_timeline_stands_above_the_agents() -> None:
    """A report without its pictures, or with one twice."""
    made = full()
    assert {t.name: [p.title for p in pictures(made, t)] for t in made.tables} == {
        "teams": ["Occupancy by team"],
        "agents": ["What each agent did"],
        "reasons": ["Not ready by reason"],
        "intervals": ["Agents by state: cx", "Agents by state: kore"],
        "pairs": ["Who hands over to whom"],
        "feeds": ["What was watched"],
        "gaps": [],
    }
    assert not drawn(report(table("teams", TEAMS, [])), "teams")


def test_bars_are_as_long_as_their_figures_and_whiskers_span_the_bounds() -> None:
    """A bar that does not start at zero, or a whisker elsewhere, lies."""
    svg = bars("b", "B", [Bar("x", 0.5, "50 %", 0.25, 0.75), Bar("y", None, "not known")], 1.0)
    [bar] = boxes(svg)
    assert bar["x"] + bar["width"] == pytest.approx(230 + 0.5 * 580)
    assert "M375.0 " in svg
    assert "H665.0" in svg
    assert "not known" in svg


def test_a_bar_without_bounds_has_no_whisker() -> None:
    """A whisker of no length looks like certainty where there is none."""
    assert "<path" not in bars("b", "B", [Bar("x", 0.5, "50 %")], 1.0)


def test_stacked_columns_add_up_to_the_agents() -> None:
    """States drawn over each other or to different scales hide agents."""
    slots = [Slot(at(n), {"handling": 2.0, "available": 1.0, "unobserved": 1.0}) for n in range(24)]
    columns = [b for b in boxes(stacked("s", "S", slots)) if b["y"] >= 40]
    assert len(columns) == 72
    first = sorted((b["y"], b["height"]) for b in columns if b["x"] == columns[0]["x"])
    assert sum(height for _, height in first) == pytest.approx(170)
    assert all(y + height == pytest.approx(below) for (y, height), (below, _) in pairwise(first))


def test_an_hour_that_the_clocks_show_twice_is_two_columns() -> None:
    """Columns by what the clock shows would put two hours into one."""
    start = at(0) - timedelta(days=27)
    slots = [Slot(at(n, start), {"handling": 1.0}) for n in range(25)]
    assert len([b for b in boxes(stacked("s", "S", slots)) if b["y"] >= 40]) == 25


def test_what_a_source_does_not_tell_apart_is_drawn_as_that() -> None:
    """Signed-in time of a source without handling would vanish, or be drawn as waiting."""
    made = full()
    intervals = made.tables[3]
    untold = [(*row[:4], None, None, None, 700.0, 0.0) for row in intervals.rows()]
    [first, _] = pictures(made, replace(intervals, rows=lambda: iter(untold)))
    assert "signed in, not told apart 2.2, " not in first.html
    assert "not ready 0.8, signed in, not told apart 2.2" in first.html


def test_the_matrix_holds_every_transfer_also_of_those_it_does_not_name() -> None:
    """Sums over the busiest alone would be too small."""
    rows = [("cx", str(n), f"Agent {n}", "queue", f"q{n}", None, n + 1) for n in range(40)]
    made = report(table("pairs", PAIRS, rows))
    [picture] = drawn(made, "pairs")
    assert picture.html.count("<tr>") == 1 + 14 + 1 + 1
    assert f'<td class="sum">{sum(range(1, 41))}</td></tr></tbody>' in picture.html
    assert "all others" in picture.html
    assert "queue q39" in picture.html


def test_the_matrix_tells_people_of_one_name_apart() -> None:
    """If this fails, the transfers of two people stand in one row, or of somebody called like the rest among theirs."""
    rows = [
        ("cx", "a1", "Ann", "agent", "b1", "Bob", 1),
        ("kore", "a1", "Ann", "agent", "b1", "Bob", 2),
        ("cx", "a2", "all others", "agent", "b2", "Bob", 4),
        *(("cx", f"c{n}", f"Cid {n}", "agent", "b1", "Bob", 10) for n in range(11)),
        ("cx", "z", "Zed", "agent", "b1", "Bob", 1),
        ("cx", "b1", "Bob", "agent", "b1", "Bob", 5),
    ]
    [picture] = drawn(report(table("pairs", PAIRS, rows)), "pairs")
    lines = [re.findall(r"<t[hd][^>]*>(?:<bdi>)?([^<]*)", line) for line in picture.html.split("<tr>")[1:]]
    assert lines[0] == ["from \\ to", "Bob · cx · b1", "Bob · cx · b2", "Bob · kore", "all"]
    told = {name: counts for name, *counts in lines[1:]}
    assert told["Ann · kore"] == ["·", "·", "2", "2"]
    assert (told["all others · cx"], told["all others"]) == (["·", "4", "·", "4"], ["2", "·", "·", "2"])
    assert told["Bob · cx · b1"] == ["5", "·", "·", "5"]
    assert told["all"] == ["117", "4", "2", "123"]


def test_reasons_of_several_sources_name_theirs() -> None:
    """If this fails, Kore.ai's 3 and Huawei's 3 are one reason, and nobody knows whose it is."""
    long = "A reason with very many words"
    rows = [("aicc", "3", 60.0, 1), ("kore", "3", 30.0, 1), ("kore", long, 20.0, 1)]
    [picture] = drawn(report(table("reasons", REASONS, rows)), "reasons")
    assert re.findall(r"</title>([^<]+)</text>", picture.html) == ["3 · aicc", "3 · kore", "A reason with ver… · kore"]
    assert f"{long} · kore: 0:00:20" in picture.html


def test_who_is_ready_is_not_drawn_as_waiting_where_nobody_tells() -> None:
    """If this fails, Kore.ai's agents, who may all be working, look idle."""
    made = full()
    intervals = made.tables[3]
    ready = [(*row[:4], 1900.0, None, 100.0, 700.0, 0.0) for row in intervals.rows()]
    [first, _] = pictures(made, replace(intervals, rows=lambda: iter(ready)))
    assert "wrap-up 0.1, ready: working or not 2.1, not ready 0.8" in first.html
    assert ">available<" not in first.html


def test_shades_follow_the_counts_and_every_cell_has_its_figure() -> None:
    """The darkest cell must be the greatest, and be read without its colour."""
    table_ = heat("H", {("a", "x"): 1, ("a", "y"): 50, ("b", "x"): 100}, {"a": "A", "b": "B"}, {"x": "X", "y": "Y"})
    assert re.findall(r'<td class="h(\d)">([^<]*)', table_) == [("1", "1"), ("3", "50"), ("5", "100"), ("0", "·")]


def test_gaps_are_drawn_where_they_are_and_told_apart() -> None:
    """Lost and missing need different answers; a gap of a second must still be seen."""
    row = Strip("cx · states", "90 %", [(at(6), at(12), "lost"), (at(13), at(13.0001), "missing")], at(18))
    svg = strips("strips", "S", [row], at(0), at(24))
    watched, *gaps, _ = [b for b in boxes(svg) if b["y"] > 40]
    assert watched["width"] == pytest.approx(580 * 0.75, abs=0.1)
    assert gaps[1]["x"] == pytest.approx(230 + 580 / 4)
    assert gaps[3]["width"] == 1.5
    assert "url(#strips-lost)" in svg
    assert "url(#strips-missing)" in svg


def test_a_feed_never_seen_has_an_empty_strip() -> None:
    """A sliver of green would say that something was seen."""
    svg = strips("strips", "S", [Strip("cx", "not watched", [], None)], at(0), at(24))
    assert len([b for b in boxes(svg) if b["y"] > 40]) == 1


def test_more_agents_than_fit_are_said_not_drawn_and_not_kept() -> None:
    """Ten thousand agents would make a picture that nobody can open; those left out must be owned up to."""
    made = replace(full(), timeline=lambda: stretches([f"Agent {n}" for n in range(130)]))
    found = drawn(made, "agents")
    assert [p.title for p in found][-1] == "What each agent did, 91 to 120 of 130"
    assert "10 more agents are not drawn" in found[-1].caption
    assert "Agent 119" in found[-1].html
    assert not any("Agent 120" in p.html for p in found)


def test_of_many_reasons_the_longest_are_drawn() -> None:
    """Reasons in another order bury the one that matters."""
    made = report(table("reasons", REASONS, [("cx", f"r{n}", float(n), 1) for n in range(20)]))
    [picture] = drawn(made, "reasons")
    assert re.findall(r">(r\d+)</text>", picture.html) == [f"r{n}" for n in range(19, 7, -1)]
    assert "8 more reasons are not drawn" in picture.caption


def test_hours_show_today_and_the_week_before() -> None:
    """An hour that is not known must not look like one without work."""
    svg = hours("h", "H", [Hour(0, 0.5, 0.75), Hour(1, None, None), Hour(2, 0.0, None)], "Sunday")
    bars_ = [b for b in boxes(svg) if b["y"] > 20]
    assert [b["height"] for b in bars_] == [75.0, 0.0]
    assert "1:00 not known, Sunday not known" in svg


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((0.5, 0.25, 0.75), "50.0\xa0% (25.0 to 75.0)"),
        ((0.5, 0.5, 0.5), "50.0\xa0%"),
        ((0.5, None, None), "50.0\xa0%"),
        ((None, None, None), "\N{EN DASH} not known"),
    ],
)
def test_a_ratio_is_said_with_its_bounds(given: tuple[float | None, float | None, float | None], said: str) -> None:
    """Bounds left out make a guess look like a measurement."""
    assert share(*given) == said
