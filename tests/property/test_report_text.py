"""Whatever a name is, what stands in a report is visible, one line, and no formula."""

import csv
import io
import re
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from assets.reports.safe import cell, shortened, visible

HOSTILE = "=+-@\t\r\n ';,\"1a\u202e\x00\ufeff\u200b\u200d\ufe0f\U0001f4bb\U0001f3f4\U000e0067\u0301"
TEXT = st.text(st.characters(), max_size=40) | st.text(st.sampled_from(HOSTILE), max_size=8)


@given(TEXT)
def test_nothing_is_dropped_and_nothing_is_obeyed(text: str) -> None:
    """If this fails, a name can hide, turn round or break what stands beside it."""
    shown = visible(text)
    assert len(shown) >= len(text)
    assert not [c for c in shown if unicodedata.category(c) in {"Cc", "Cs"} or unicodedata.bidirectional(c) in TURNING]
    assert not [c for c in shown if unicodedata.category(c) == "Cf" and c not in SPELT]
    assert visible(shown) == shown
    shown.encode("utf-8")


@given(TEXT)
def test_a_cell_is_no_formula_and_comes_back_from_csv_as_it_was(text: str) -> None:
    """If this fails, a spreadsheet runs a name, or a name makes two cells of one."""
    safe = cell(text)
    # Whichever separator the spreadsheet of the reader divides at.
    for part in [safe, *(part for mark in ";,\t" for part in safe.split(mark)[1:])]:
        start = part.lstrip(' "')[:1] if part is not safe else part.lstrip()[:1]
        assert start not in {"=", "@"}
        assert start not in {"+", "-"} or float(re.split("[;\t]|,(?=[^0-9])", part)[0].replace(",", ".")) is not None
    line = io.StringIO(newline="")
    csv.writer(line, lineterminator="\r\n").writerow([safe, "next"])
    assert next(csv.reader(io.StringIO(line.getvalue(), newline=""))) == [safe, "next"]


@given(TEXT, st.integers(1, 12))
def test_a_cut_text_is_its_beginning_and_no_wider_than_it_may_be(text: str, most: int) -> None:
    """If this fails, a name is another's, or pushes what stands beside it away."""
    cut = shortened(text, most)
    assert cut == text or (cut.endswith("…") and text.startswith(cut[:-1]))
    assert len(cut) <= 8 * most + 1


SPELT = {"\u200c", "\u200d", *map(chr, [*range(0xE0020, 0xE0080), *range(0x600, 0x606)])}
SPELT |= set(map(chr, [0x06DD, 0x070F, 0x0890, 0x0891, 0x08E2, 0x110BD, 0x110CD]))
TURNING = {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}
