"""Reports and the overview in a real browser: silent, offline, sortable, readable, and on paper."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from assets.reports import html, overview
from assets.reports.catalogue import REPORTS
from assets.reports.model import Table
from assets.reports.overview import ago
from assets.reports.page import CLIPPED_AT, UNKNOWN
from assets.reports.queries import read_queries
from orchestration.settings import sql_dir
from tests.pages import DAY, HOSTILE, TEAMS, at, board, full, report, table
from tests.ui.browser import Visit, chromium

WIDTH_OF_A4 = 1046  # between the margins of a sheet on its side, at 96 px an inch
WIDEST = "Math.max(...Array.from(document.querySelectorAll('table, svg'), e => e.getBoundingClientRect().right))"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for all."""
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a report, the overview, and both about people with hostile names."""
    folder = tmp_path_factory.mktemp("pages")
    now = datetime.now(UTC)
    for name, people in (("plain", ("Ann", "Bob", "Cid")), ("hostile", HOSTILE)):
        html.render(full(people), folder / f"report-{name}.html")
        overview.render(board(people, made=now), folder / f"overview-{name}.html")
    return folder


@pytest.mark.parametrize("name", ["report-plain", "report-hostile", "overview-plain", "overview-hostile"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_is_silent_asks_for_nothing_and_can_be_read(
    browser: Browser, pages: Path, name: str, scheme: str
) -> None:
    """An error, a request, a dialog that a hostile name opened, or grey on grey."""
    visit = Visit(browser, pages / f"{name}.html", color_scheme=scheme)
    assert visit.said == []
    assert [url for url in visit.asked if not url.startswith(("data:", pages.as_uri()))] == []
    assert [found for found in visit.contrasts() if found["ratio"] < found["least"]] == []
    assert any(found["least"] == 3 for found in visit.contrasts())


@pytest.mark.parametrize("name", ["report-hostile", "overview-hostile"])
@pytest.mark.parametrize("width", [360, 1280])
def test_a_page_fits_its_screen(browser: Browser, pages: Path, name: str, width: int) -> None:
    """A name of 10,000 characters pushes everything else off the screen; wide tables scroll in themselves."""
    visit = Visit(browser, pages / f"{name}.html", viewport={"width": width, "height": 800})
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width


def test_pictures_are_there_and_have_names(browser: Browser, pages: Path) -> None:
    """A picture that is not drawn, or that nobody hears of."""
    page = Visit(browser, pages / "report-plain.html").page
    drawn = page.locator("figure svg")
    assert drawn.count() == 6
    assert all(drawn.nth(n).bounding_box() for n in range(6))
    assert page.get_by_role("img", name="Occupancy by team").count() == 1
    assert page.get_by_role("table", name="Transfers by sender and receiver").count() == 1


def test_tables_sort_by_mouse_and_keyboard_and_say_so(browser: Browser, tmp_path: Path) -> None:
    """Ten hours before two, or what is not known as if it were nothing."""
    figures = [(0.5, 36_000.0), (0.25, 100.0), (None, None), (1.0, 10_000.0)]
    rows = [(f"T{n}", "cx", ratio, None, None, seconds, n) for n, (ratio, seconds) in enumerate(figures)]
    html.render(report(table("teams", TEAMS, rows)), tmp_path / "report.html")
    visit = Visit(browser, tmp_path / "report.html")
    heads = visit.page.locator(".wide thead button")
    heads.nth(5).click()
    assert visit.column(".wide", 6) == ["0:01:40", "2:46:40", "10:00:00", UNKNOWN]
    heads.nth(5).focus()
    visit.page.keyboard.press("Enter")
    assert visit.column(".wide", 6) == ["10:00:00", "2:46:40", "0:01:40", UNKNOWN]
    assert visit.page.locator("[aria-sort]").get_attribute("aria-sort") == "descending"
    assert "Teams: sorted by Handling seconds, descending" in visit.page.locator("#said").inner_text()
    heads.nth(0).click()
    assert visit.column(".wide", 1) == ["T0", "T1", "T2", "T3"]
    assert visit.page.locator("[aria-sort]").count() == 1


def test_a_long_name_opens_to_its_whole(browser: Browser, pages: Path) -> None:
    """A name that is clipped for good is lost."""
    page = Visit(browser, pages / "report-hostile.html").page
    long = page.locator("#table-agents ~ .wide details").filter(has_text="xxx")
    assert len(long.locator("summary").inner_text()) == CLIPPED_AT
    long.locator("summary").click()
    assert long.locator("div").inner_text() == "x" * 10_000


def test_a_report_prints_on_a4(browser: Browser, pages: Path) -> None:
    """Cut columns, white on black, or a sheet of another size."""
    page = Visit(browser, pages / "report-hostile.html", color_scheme="dark").page
    printed = page.pdf(prefer_css_page_size=True)
    boxes = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", printed)
    assert {(round(float(width)), round(float(height))) for width, height in boxes} == {(842, 595)}
    page.emulate_media(media="print")
    page.set_viewport_size({"width": WIDTH_OF_A4, "height": 700})
    assert page.evaluate(WIDEST) <= WIDTH_OF_A4
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.querySelector('thead')).display") == "table-header-group"


WIDE_ID = "16b14ffe-1c2d-4e5f-8a9b-0c1d2e3f4a5b"
WIDE = {
    "source": "support_demo",
    "agent_name": "Uma van der Berg",
    "local_label": "2026-11-29 00:00:00+01:00",
    "state": "not_ready",
    "vendor_state": "assignment_off",
    "reason": "Training with the new team",
    "evidence": "reported",
    "team": "Team 1",
    "is_open": "yes",
}


@pytest.mark.parametrize("kind", REPORTS)
def test_the_tables_of_every_report_fit_on_a4(browser: Browser, tmp_path: Path, kind: str) -> None:
    """If this fails, the browser shrinks the whole report until nobody can read it, or leaves columns out."""
    values = {"number": 12.5, "seconds": 36_061.0, "ratio": 0.875, "count": 1_234, "date": DAY}
    tables = []
    for query in read_queries(sql_dir() / "reports", kind, REPORTS[kind].tables):
        rows = [
            [
                at(hour + (c.name == "interval_end"))
                if c.kind == "time"
                else values.get(c.kind, WIDE.get(c.name, WIDE_ID))
                for c in query.columns
            ]
            for hour in (-1, 9)
        ]
        tables.append(Table(query.table, query.title, query.columns, partial(iter, rows), len(rows), query.note))
    html.render(replace(report(title="Ann's day"), tables=tables), tmp_path / "report.html")
    page = Visit(browser, tmp_path / "report.html").page
    page.emulate_media(media="print")
    page.set_viewport_size({"width": WIDTH_OF_A4, "height": 700})
    assert page.evaluate(WIDEST) <= WIDTH_OF_A4
    lines = "Array.from(document.querySelectorAll('td:not(.two, .t, .id) bdi'), e => e.getClientRects().length)"
    assert set(page.evaluate(lines)) <= {0, 1}
    spaces = "Array.from(document.querySelectorAll('td.id'), e => getComputedStyle(e).whiteSpace)"
    assert set(page.evaluate(spaces)) <= {"nowrap"}
    margins = page.evaluate(
        "Array.from(document.styleSheets, s => Array.from(s.cssRules, r => r.cssText)).flat().join()"
    )
    assert 'content: "Ann\'s day"' in margins
    assert "counter(page)" in margins


def test_an_overview_that_nobody_writes_anew_says_that_it_is_stale(browser: Browser, tmp_path: Path) -> None:
    """A page left behind by a dead process would show this morning as now."""
    now = datetime.now(UTC)
    fresh = board(made=now)
    overview.render(replace(fresh, sources=fresh.sources[:1]), tmp_path / "index.html")
    visit = Visit(browser, tmp_path / "index.html")
    banner = visit.page.locator("#stale")
    assert not banner.is_visible()
    visit.page.clock.set_fixed_time(now + timedelta(minutes=20, seconds=30))
    visit.page.reload()
    assert banner.is_visible()
    assert "nothing new from cx" in banner.inner_text()
    assert visit.page.locator("td .age").first.inner_text() == "stale: 23 minutes ago"


def test_reading_the_overview_again_keeps_order_and_focus(browser: Browser, pages: Path) -> None:
    """If this fails, who compares teams, or goes through them by keyboard, begins anew each minute."""
    visit = Visit(browser, pages / "overview-plain.html")
    heads = visit.page.locator("section[aria-labelledby=agents] thead button")
    heads.nth(0).click()
    heads.nth(0).click()
    before = visit.column("section[aria-labelledby=agents] table", 1)
    heads.nth(2).focus()
    with visit.page.expect_navigation():
        visit.page.evaluate("again()")
    assert before == sorted(before, reverse=True)
    assert visit.column("section[aria-labelledby=agents] table", 1) == before
    assert visit.page.evaluate("document.activeElement.textContent") == "Source"
    assert visit.page.locator("[aria-sort]").get_attribute("aria-sort") == "descending"
    assert visit.page.locator("#said").inner_text() == ""
    assert visit.said == []


def test_the_browser_says_ages_as_the_page_does(browser: Browser, pages: Path) -> None:
    """Words that change when the script starts."""
    page = Visit(browser, pages / "overview-plain.html").page
    for seconds in (-5, 9.9, 10, 119, 120, 7199, 7200, 172_799, 172_800):
        assert page.evaluate("seconds => ago(seconds)", seconds) == ago(seconds)
