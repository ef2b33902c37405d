"""A report as a page: honest on its face, typed figures, and nothing that asks anybody for anything."""

import base64
import hashlib
import re
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest

from assets.reports.html import MOST_ROWS, render
from assets.reports.page import UNKNOWN, duration, percent
from tests.pages import AGENTS, BERLIN, START, TEAMS, at, full, page, report, table


def test_a_page_says_what_it_rests_on(tmp_path: Path) -> None:
    """A figure without its zone, coverage and gaps is taken for more than it is."""
    text = page(full(), tmp_path).text
    for said in (
        "Saturday 21 November 2026",
        "Europe/Berlin (UTC+01:00)",
        "edition 2",
        "not complete yet",
        "The day is not complete.",
        "What changed since edition 1",
        "Agents: 3 rows changed.",
        "cx 98.2 %",
        "meaning of occupancy",
    ):
        assert said in text


def test_a_complete_first_edition_warns_of_nothing(tmp_path: Path) -> None:
    """A warning that is always there is read by nobody."""
    read = page(report(table("teams", TEAMS, [])), tmp_path)
    assert "edition 1 complete" in read.text
    assert not [attributes for attributes in read.all("section") if attributes.get("class") in {"warnings", "changes"}]
    assert "None." in read.text


def test_figures_are_shown_by_their_kind_and_sorted_by_what_they_are(tmp_path: Path) -> None:
    """A duration sorted as text puts ten hours before two; one that is rounded no longer equals the warehouse."""
    rows = [("Sales", "cx", 0.6428, 0.58, 1.25, 36_725.4, 12_345), ("Care", "kore", None, 0.0, float("nan"), None, 0)]
    read = page(report(table("teams", TEAMS, rows)), tmp_path)
    assert read.tables[0][1:] == [
        ["Sales", "cx", "64.3\xa0%", "58.0\xa0%", "125.0\xa0%", "10:12:05", "12,345"],
        ["Care", "kore", UNKNOWN, "0.0\xa0%", UNKNOWN, UNKNOWN, "0"],
    ]
    cells = [cell for cell in read.all("td") if "n" in (cell.get("class") or "").split()]
    assert [cell.get("data-v") for cell in cells[:5]] == ["0.6428", "0.58", "1.25", "36725.4", "12345"]
    unknown = [cell["title"] for cell in cells if "u" in (cell["class"] or "").split()]
    assert len(unknown) == 3
    assert all((reason or "").startswith("not known") for reason in unknown)


@pytest.mark.parametrize(
    ("start", "hours", "moment", "shown"),
    [
        (START, 24, at(8.5), "08:30:00"),
        (START, 24, at(24), "24:00:00"),
        (START, 24, at(-1), "2026-11-20 23:00:00+01:00"),
        (datetime(2026, 10, 25, tzinfo=BERLIN), 25, datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN), "02:30:00+02:00"),
        (
            datetime(2026, 10, 25, tzinfo=BERLIN),
            25,
            datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=BERLIN),
            "02:30:00+01:00",
        ),
    ],
)
def test_a_time_is_told_so_that_it_cannot_be_mistaken(
    tmp_path: Path, start: datetime, hours: float, moment: datetime, shown: str
) -> None:
    """The hour that the clocks show twice, or yesterday's, would be taken for another."""
    read = page(report(table("agents", AGENTS, [("1", "Ann", moment, None)]), start=start, hours=hours), tmp_path)
    assert read.tables[0][1][2] == shown
    assert read.all("time")[0]["datetime"] == moment.isoformat()


def test_a_long_table_is_cut_and_says_so(tmp_path: Path) -> None:
    """A browser hangs on a million rows, and a table cut in silence is taken for the whole."""
    rows = [(str(n), "Ann", None, float(n)) for n in range(MOST_ROWS + 5)]
    read = page(report(table("agents", AGENTS, rows)), tmp_path)
    assert len(read.tables[0]) == MOST_ROWS + 1
    assert f"The first {MOST_ROWS:,} of {MOST_ROWS + 5:,} rows; the other formats hold all of them." in read.text


def test_only_the_scripts_of_the_page_may_run_and_nothing_is_asked_for(tmp_path: Path) -> None:
    """A report that fetches anything tells others that it was opened, and breaks offline."""
    read = page(full(), tmp_path)
    [policy] = [a["content"] or "" for a in read.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    [script] = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy.startswith(
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; img-src data:;"
    )
    addresses = [a[name] or "" for _, a in read.elements for name in ("src", "href", "action") if name in a]
    assert all(address.startswith(("#", "data:")) for address in addresses)
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)


def test_a_page_can_be_walked_by_its_headings_and_tables(tmp_path: Path) -> None:
    """Who hears a page needs headings in order, heads of columns and rows, and names of pictures."""
    read = page(full(), tmp_path)
    assert read.all("html")[0]["lang"] == "en"
    levels = [int(tag[1]) for tag, _ in read.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert all(head["scope"] in {"col", "row"} for head in read.all("th"))
    assert len(read.all("caption")) == len(read.all("table"))
    ids = [a["id"] for _, a in read.elements if "id" in a]
    assert len(ids) == len(set(ids))
    named = [a.get("aria-labelledby") for a in read.all("svg")]
    assert named
    assert all(set((name or "?").split()) <= set(ids) for name in named)


def test_the_same_report_gives_the_same_bytes(tmp_path: Path) -> None:
    """A page that differs each time looks like a new edition."""
    for name in ("a.html", "b.html"):
        render(full(), tmp_path / name)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0:00:00"), (59.5, "0:01:00"), (3725.4, "1:02:05"), (360_000, "100:00:00"), (-61, "\N{MINUS SIGN}0:01:01")],
)
def test_durations_are_hours_minutes_and_seconds(seconds: float, shown: str) -> None:
    """Sixty seconds, or a day taken for zero hours, would be shown."""
    assert duration(seconds) == shown


def test_a_ratio_above_one_is_shown_as_it_is() -> None:
    """An error capped at 100 % is hidden."""
    assert percent(1.234) == "123.4\xa0%"
