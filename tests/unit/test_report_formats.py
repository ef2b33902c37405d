"""A report as CSV, XLSX, Parquet and text: the same figures in each, and nothing that a name can do."""

import csv
import hashlib
import re
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from assets.reports import about, parquet, xlsx
from assets.reports import csv as report_csv
from assets.reports.model import Report
from assets.reports.safe import cell, is_formula, visible
from tests.reports import BERLIN, HOSTILE, report, row, sheets


def read_csv(made: Report, folder: Path) -> list[list[str]]:
    """The cells of its table as CSV."""
    path = folder / "t.csv"
    report_csv.render(made, made.tables[0], path)
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, strict=True))


def test_csv_is_rfc_4180_in_utf_8_with_times_that_carry_their_offset(tmp_path: Path) -> None:
    """If this fails, planning tools load other times or figures than were reported, or nothing."""
    made = report([row("Ann"), row("Ann", fold=1), row(None)])
    head, first, second, unknown = read_csv(made, tmp_path)
    assert head[:3] == ["agent_name", "agents", "staffed_seconds"]
    assert first == [
        *("Ann", "3", "36061.5", "0.6666666666666666", "-1.25"),
        *("2026-10-25T02:30:00+02:00", "2026-10-25T02:30:05.000017+02:00", "2026-01-31"),
    ]
    assert second[5] == "2026-10-25T02:30:00+01:00"
    assert unknown == [""] * 8
    raw = (tmp_path / "t.csv").read_bytes()
    assert raw.count(b"\r\n") == raw.count(b"\n") == 4
    assert not raw.startswith(b"\xef\xbb\xbf")


def test_hostile_names_do_nothing_in_a_csv(tmp_path: Path) -> None:
    """If this fails, opening a report runs what somebody wrote into the name of an agent."""
    lines = read_csv(report([row(name) for name in HOSTILE]), tmp_path)[1:]
    assert [line[4] for line in lines] == ["-1.25"] * len(HOSTILE)
    names = [line[0] for line in lines]
    assert names[:8] == [
        *("'=cmd|'/c calc'!A0", "'+1+1", "'-2+3", "'@SUM(A1)"),
        *("␉=1+1", "␍=1+1", "'  =1+1", "'\uff1d1+1"),
    ]
    assert names[9] == "⟨U+202E⟩gnp.exe"
    assert names[11] == "nul␀byte␛[31m"
    assert names[13:15] == ["👩🏽\u200d💻 émoji", "محمد"]
    assert names[15:17] == ["⟨U+D800⟩lone", "⟨U+FFFE⟩⟨U+FFFF⟩"]
    assert names[17] == "x" * 10_000
    assert names[18:20] == ["x;'=cmd|'/c calc'!A0", "x, '\uff0b1;-5;'@SUM(A1)"]
    assert names[20] == "zero⟨U+200B⟩width soft⟨U+00AD⟩hyphen word⟨U+2060⟩joiner"


def test_hostile_names_are_text_cells_in_a_workbook(tmp_path: Path) -> None:
    """If this fails, a workbook does not open, or a name in it is a formula once its cell is edited."""
    xlsx.render(report([row(name) for name in HOSTILE], warnings=[HOSTILE[0]]), tmp_path / "t.xlsx")
    found = sheets(tmp_path / "t.xlsx")["1 Teams"][1:]
    assert [line[0] for line in found] == [visible(name) for name in HOSTILE]
    assert found[0][4] == -1.25


def test_a_workbook_has_typed_cells_and_says_what_it_rests_on(tmp_path: Path) -> None:
    """If this fails, sums over durations and sorting by time do not work, or a reader takes half a day for a whole."""
    made = report([row("Ann"), row(None)], warnings=["This day is not complete."], edition=2, changes=["More."])
    xlsx.render(made, tmp_path / "t.xlsx")
    found = sheets(tmp_path / "t.xlsx")
    assert list(found) == ["About", "1 Teams"]
    said = [line[1] for line in found["About"] if len(line) > 1]
    assert said[:4] == ["This day is not complete.", "2", "More.", "cx: agent_states 98.0%"]
    head, cells = found["1 Teams"][:2]
    assert head[5] == "From (Europe/Berlin)"
    assert cells[:5] == ["Ann", 3, pytest.approx(36_061.5 / 86_400), pytest.approx(2 / 3), -1.25]
    # Days since 1900 on the wall of Berlin.
    wall = datetime(2026, 10, 25, 2, 30, tzinfo=UTC) - datetime(1899, 12, 30, tzinfo=UTC)
    assert cells[5] == pytest.approx(wall.total_seconds() / 86_400)


def test_a_workbook_can_be_read_as_it_opens(tmp_path: Path) -> None:
    """If this fails, long lines are printed over each other, ids are cut, and heads stand beside their figures."""
    made = report([row("Ann")], facts=[("Coverage", "cx: agent_states 98.0%; " * 20)])
    columns = [replace(made.tables[0].columns[0], name="agent_id"), *made.tables[0].columns[1:]]
    xlsx.render(replace(made, tables=[replace(made.tables[0], columns=columns)]), tmp_path / "t.xlsx")
    with zipfile.ZipFile(tmp_path / "t.xlsx") as book:
        about_, teams, styles = (
            book.read(f"xl/{name}.xml").decode() for name in ("worksheets/sheet1", "worksheets/sheet2", "styles")
        )
    [line] = [found for found in re.findall(r"<row .*?</row>", about_) if "agent_states" in found]
    assert float(re.findall(r' ht="([\d.]+)"', line)[0]) >= 5 * 15
    assert float(re.findall(r'<col min="1" max="1" width="([\d.]+)"', teams)[0]) >= 36
    xfs = re.findall(r"<xf .*?(?:</xf>|/>)", styles.partition("<cellXfs")[2])
    head = [xfs[int(style)] for style in re.findall(r'<c r="[A-H]1" s="(\d+)"', teams)]
    assert ['horizontal="right"' in style for style in head] == [False] + [True] * 7


def test_more_rows_than_a_sheet_holds_go_on_in_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, the end of a big report is missing from the workbook, and nobody is told."""
    monkeypatch.setattr(xlsx, "_MOST_ROWS", 2)
    xlsx.render(report([row(str(number)) for number in range(5)]), tmp_path / "t.xlsx")
    parts = [lines for name, lines in sheets(tmp_path / "t.xlsx").items() if name != "About"]
    assert [[line[0] for line in lines[1:]] for lines in parts] == [["0", "1"], ["2", "3"], ["4"]]


def test_text_beyond_what_a_cell_holds_is_cut_and_says_so(tmp_path: Path) -> None:
    """If this fails, the cell is left empty, or Excel calls the file broken."""
    xlsx.render(report([row("y" * 40_000)]), tmp_path / "t.xlsx")
    text = sheets(tmp_path / "t.xlsx")["1 Teams"][1][0]
    assert (len(text), text[-1]) == (32_767, "…")


def test_parquet_gives_back_what_it_was_given(tmp_path: Path) -> None:
    """If this fails, all formats differ from the warehouse, since all are made from it."""
    given = [row("=1"), row("Bob", fold=1), row(None)]
    made = report(given)
    parquet.render(made, made.tables[0], tmp_path / "t.parquet")
    back = list(parquet.rows(tmp_path / "t.parquet", "Europe/Berlin"))
    assert back == given
    assert [value[5].utcoffset() for value in back[:2]] == [value[5].utcoffset() for value in given[:2]]
    schema = pq.read_schema(tmp_path / "t.parquet")
    assert schema.field("agents").metadata == {b"comment": b"how many"}


def test_how_rows_were_cut_into_batches_does_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, the same report has another hash each time, and is issued for nothing."""
    monkeypatch.setattr(parquet, "BATCH", 4)
    made = report([row(str(number)) for number in range(10)])
    schema = parquet.schema_of(made.tables[0].columns)
    table = pq.read_table(_rendered(made, tmp_path / "a.parquet"))
    for size in (1, 3, 10):
        assert parquet.write(tmp_path / f"{size}.parquet", schema, table.to_batches(max_chunksize=size)) == 10
    assert len({hashlib.sha256(path.read_bytes()).digest() for path in tmp_path.glob("*.parquet")}) == 1


def _rendered(made: Report, path: Path) -> Path:
    parquet.render(made, made.tables[0], path)
    return path


def test_the_same_report_is_the_same_bytes(tmp_path: Path) -> None:
    """If this fails, nobody can tell by a hash whether a report changed."""
    made = report([row("Ann"), row("Bob", hour=5)])
    for name in ("one", "two"):
        xlsx.render(made, tmp_path / f"{name}.xlsx")
        about.render(made, tmp_path / f"{name}.txt")
    assert (tmp_path / "one.xlsx").read_bytes() == (tmp_path / "two.xlsx").read_bytes()
    assert (tmp_path / "one.txt").read_bytes() == (tmp_path / "two.txt").read_bytes()


def test_the_text_beside_csv_says_what_the_workbook_says(tmp_path: Path) -> None:
    """If this fails, who loads the CSV alone cannot know that half of the day is missing."""
    about.render(report([row(HOSTILE[9])], warnings=["Half of it."], complete=False), tmp_path / "about.txt")
    text = (tmp_path / "about.txt").read_text(encoding="utf-8")
    assert "WARNING: Half of it." in text
    assert "Edition 1; the day is not complete." in text
    assert "Coverage: cx: agent_states 98.0%" in text
    assert "staffed_seconds (seconds): signed in" in text


@pytest.mark.parametrize("number", ["-5", "+4930123", "-1.5", "-1,5", "0", "12"])
def test_a_number_is_no_formula(number: str) -> None:
    """If this fails, ids and numbers with a sign have apostrophes that no other system knows."""
    assert not is_formula(number)
    assert cell(number) == number


def test_times_are_the_instants_of_the_warehouse(tmp_path: Path) -> None:
    """If this fails, a report in another zone tells of other moments."""
    made = report([row("Ann")])
    parquet.render(made, made.tables[0], tmp_path / "t.parquet")
    assert pq.read_table(tmp_path / "t.parquet")["seen_at"].to_pylist() == [
        datetime(2026, 10, 25, 2, 30, 5, 17, tzinfo=BERLIN).astimezone(UTC)
    ]
