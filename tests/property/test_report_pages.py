"""Whatever somebody called themselves, a page shows it as text."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from assets.reports.overview import render as render_board
from assets.reports.page import escape, isolated
from assets.reports.safe import visible
from tests.pages import HOSTILE, Page, board, full, page

TEXTS = (
    st.text(max_size=80) | st.text(alphabet="<>&\"'/=!-[];#x0\x00\u202e\ud800", max_size=80) | st.sampled_from(HOSTILE)
)

LONG = {"details", "summary", "div", "bdi"}  # a long name opens, and is there twice


@given(TEXTS)
def test_a_text_is_read_back_as_text_and_nothing_else(text: str) -> None:
    """A name that closes an element or an attribute becomes part of the page."""
    read = Page(f'<p title="{escape(text)}">{escape(text)}</p>{isolated(text)}')
    shown = visible(text)
    assert read.all("p") == [{"title": shown}]
    assert read.text.startswith(shown)
    assert read.text.endswith(shown)
    assert {tag for tag, _ in read.elements} <= {"p", "bdi", "details", "summary", "div"}
    assert all(not attributes for tag, attributes in read.elements if tag != "p")


def test_hostile_names_do_not_change_what_a_page_is_made_of(tmp_path: Path) -> None:
    """Names go into tables, pictures, matrices and titles; one place that forgets to make them safe is enough."""
    plain = page(full([f"Agent {n}" for n in range(len(HOSTILE))]), tmp_path)
    read = page(full(HOSTILE), tmp_path)
    assert [e for e, _ in read.elements if e not in LONG] == [e for e, _ in plain.elements if e not in LONG]
    assert {name for _, a in read.elements for name in a} == {name for _, a in plain.elements for name in a}
    agents = [row[1] for row in read.tables[1][1:]]
    assert all(visible(name) in cell for name, cell in zip(HOSTILE, agents, strict=True))
    assert (tmp_path / "report.html").stat().st_size < 400_000


def test_hostile_names_do_not_change_the_overview(tmp_path: Path) -> None:
    """The wall screen shows the same names."""
    found = []
    for names in ([f"Agent {n}" for n in range(len(HOSTILE))], HOSTILE):
        path = tmp_path / "index.html"
        render_board(board(names), path)
        read = Page(path.read_text(encoding="utf-8"))
        found.append([e for e, _ in read.elements if e not in LONG])
    assert found[0] == found[1]
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert not any(ord(c) < 32 and c != "\n" for c in text)
