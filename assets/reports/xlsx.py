"""A report as an Excel workbook: what it is about, then a sheet per table with typed cells, written row by row.

Text is always a text cell, and marked as such where a spreadsheet would take it for a formula once it is edited.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from textwrap import wrap
from typing import Any

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from assets.reports.model import Column, Kind, Report, Table
from assets.reports.safe import is_formula, visible

_MOST_ROWS = 1_048_575  # of a sheet, without its head
_MOST_CHARACTERS = 32_767  # of a cell
_MOST_LINES = 27  # of a row, which is at most 409 points high
_FORMATS: Mapping[Kind, str] = {
    "text": "@",
    "number": "#,##0.00",
    "seconds": "[h]:mm:ss",
    "ratio": "0.0%",
    "count": "#,##0",
    "time": "yyyy-mm-dd hh:mm:ss",
    "date": "yyyy-mm-dd",
}
_WIDTHS: Mapping[Kind, int] = {
    "text": 22,
    "number": 11,
    "seconds": 12,
    "ratio": 11,
    "count": 11,
    "time": 20,
    "date": 12,
}
_ID_WIDTH = 38  # of a whole UUID
_SECONDS_A_DAY = 86_400
_ABOUT_WIDTHS = (30, 110)
_LINE = 15  # points
_OPTIONS = {
    "constant_memory": True,  # a row is on disk before the next one is written
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
    "nan_inf_to_errors": True,
}
_Write = Callable[[Worksheet, int, int, Any], object]


def render(report: Report, path: Path) -> None:
    """Write the workbook; the same report gives the same bytes."""
    with xlsxwriter.Workbook(str(path), _OPTIONS) as book:
        # Without it the file says when it was written.
        book.set_properties({"title": visible(report.title), "created": datetime(report.day.year, 1, 1, tzinfo=UTC)})
        formats = _Formats(book)
        _about(book, formats, report)
        for number, table in enumerate(report.tables, 1):
            _sheets(book, formats, table, number, report.zone)


class _Formats:
    """The formats of one workbook."""

    def __init__(self, book: xlsxwriter.Workbook) -> None:
        self.head: Format = book.add_format(
            {"bold": True, "bg_color": "#E7ECEF", "bottom": 1, "text_wrap": True, "valign": "top"}
        )
        self.figure_head: Format = book.add_format(
            {"bold": True, "bg_color": "#E7ECEF", "bottom": 1, "text_wrap": True, "valign": "top", "align": "right"}
        )
        self.title: Format = book.add_format({"bold": True, "font_size": 16})
        self.section: Format = book.add_format(
            {"bold": True, "bg_color": "#E7ECEF", "text_wrap": True, "valign": "top"}
        )
        self.key: Format = book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
        self.text: Format = book.add_format({"text_wrap": True, "valign": "top"})
        self.warning: Format = book.add_format(
            {"text_wrap": True, "valign": "top", "bold": True, "font_color": "#7A1F00", "bg_color": "#FDEBDD"}
        )
        self.quoted: Format = book.add_format({"quote_prefix": True})
        self.kinds: Mapping[Kind, Format] = {
            kind: book.add_format({"num_format": code}) for kind, code in _FORMATS.items()
        }


def _about(book: xlsxwriter.Workbook, formats: _Formats, report: Report) -> None:
    """The first sheet: all that the other formats say around their tables."""
    sheet = book.add_worksheet("About")
    for number, width in enumerate(_ABOUT_WIDTHS):
        sheet.set_column(number, number, width)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    lines: list[tuple[str, str, Format]] = [
        *(("Warning", text, formats.warning) for text in report.warnings),
        ("Edition", str(report.edition), formats.text),
        *(("Changed", text, formats.text) for text in report.changes),
        *((name, text, formats.text) for name, text in report.facts),
    ]
    sheet.write_string(0, 0, visible(report.title), formats.title)
    row = 2
    for name, text, style in lines:
        _said(sheet, row, (name, text), (formats.key, style))
        row += 1
    for table in report.tables:
        row += 1
        note = f"{table.note} {table.count:,} rows.".strip()
        _said(sheet, row, (table.title, note), (formats.section, formats.section))
        for column in table.columns:
            row += 1
            _said(sheet, row, (column.title, column.description), (formats.key, formats.text))
        row += 1


def _said(sheet: Worksheet, row: int, texts: tuple[str, str], styles: tuple[Format, Format]) -> None:
    """Two cells, and a row as high as their texts: not every program finds that out by itself."""
    lines = max(len(wrap(visible(text), width)) for text, width in zip(texts, _ABOUT_WIDTHS, strict=True))
    sheet.set_row(row, _LINE * min(max(lines, 1), _MOST_LINES))
    for number, (text, style) in enumerate(zip(texts, styles, strict=True)):
        sheet.write_string(row, number, _clipped(visible(text)), style)


def _sheets(book: xlsxwriter.Workbook, formats: _Formats, table: Table, number: int, zone: str) -> None:
    """The sheets of a table: one, or as many as its rows need."""
    writers = [_writer(formats, column) for column in table.columns]
    sheet = _sheet(book, formats, table, str(number), zone)
    row = 0
    for values in table.rows():
        if row == _MOST_ROWS:
            _finish(sheet, table, row)
            number_of_part = len(book.worksheets())
            sheet, row = _sheet(book, formats, table, f"{number}-{number_of_part}", zone), 0
        row += 1
        for column, (write, value) in enumerate(zip(writers, values, strict=True)):
            if value is not None:
                write(sheet, row, column, value)
    _finish(sheet, table, row)


def _sheet(book: xlsxwriter.Workbook, formats: _Formats, table: Table, mark: str, zone: str) -> Worksheet:
    # Excel allows 31 characters, and neither some of them nor the same name twice in any case of letters.
    sheet: Worksheet = book.add_worksheet(f"{mark} {table.title}"[:31])
    sheet.freeze_panes(1, 0)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)
    titles = [f"{column.title} ({zone})" if column.kind == "time" else column.title for column in table.columns]
    widths = [_width(column) for column in table.columns]
    for number, width in enumerate(widths):
        sheet.set_column(number, number, width)
    # Beside the letters of a head there is the button of its filter.
    lines = max(len(wrap(title, width - 3)) for title, width in zip(titles, widths, strict=True))
    sheet.set_row(0, _LINE * lines)
    for number, (column, title) in enumerate(zip(table.columns, titles, strict=True)):
        sheet.write_string(0, number, visible(title), formats.head if column.kind == "text" else formats.figure_head)
    return sheet


def _width(column: Column) -> int:
    if column.kind == "text" and column.name.endswith("_id"):
        return _ID_WIDTH
    longest_word = max(map(len, column.title.split()), default=0)
    return max(_WIDTHS[column.kind], min(longest_word + 4, 24))


def _finish(sheet: Worksheet, table: Table, rows: int) -> None:
    sheet.autofilter(0, 0, rows, len(table.columns) - 1)


def _writer(formats: _Formats, column: Column) -> _Write:
    style = formats.kinds[column.kind]
    if column.kind == "text":
        return lambda sheet, row, number, value: sheet.write_string(
            row, number, _clipped(visible(value)), formats.quoted if is_formula(value) else None
        )
    if column.kind == "seconds":
        return lambda sheet, row, number, value: sheet.write_number(row, number, value / _SECONDS_A_DAY, style)
    if column.kind in {"time", "date"}:
        # A spreadsheet knows no zones: the time on the wall there, its zone in the head.
        return lambda sheet, row, number, value: sheet.write_datetime(row, number, _local(value), style)
    return lambda sheet, row, number, value: sheet.write_number(row, number, value, style)


def _local(value: Any) -> Any:
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value


def _clipped(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - 1] + "…"
