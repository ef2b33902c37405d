"""Whatever a name is, what stands in a report is visible, one line, and no formula."""

import csv
import io
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from assets.reports.safe import cell, visible

TEXT = st.text(st.characters(), max_size=40) | st.text(st.sampled_from("=+-@\t\r\n ',\"1a\u202e\x00\ufeff"), max_size=8)


@given(TEXT)
def test_nothing_is_dropped_and_nothing_is_obeyed(text: str) -> None:
    """If this fails, a name can hide, turn round or break what stands beside it."""
    shown = visible(text)
    assert len(shown) >= len(text)
    assert not [c for c in shown if unicodedata.category(c) in {"Cc", "Cs"} or unicodedata.bidirectional(c) in TURNING]
    assert visible(shown) == shown
    shown.encode("utf-8")


@given(TEXT)
def test_a_cell_is_no_formula_and_comes_back_from_csv_as_it_was(text: str) -> None:
    """If this fails, a spreadsheet runs a name, or a name makes two cells of one."""
    safe = cell(text)
    start = safe.lstrip()[:1]
    assert start not in {"=", "@"}
    assert start not in {"+", "-"} or float(safe.replace(",", ".")) is not None
    line = io.StringIO(newline="")
    csv.writer(line, lineterminator="\r\n").writerow([safe, "next"])
    assert next(csv.reader(io.StringIO(line.getvalue(), newline=""))) == [safe, "next"]


TURNING = {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}
