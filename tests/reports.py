"""Reports made by hand, and workbooks read back: for tests of formats. No expectations here."""

import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from defusedxml.ElementTree import fromstring

from assets.reports.model import Column, Report, Row, Table

BERLIN = ZoneInfo("Europe/Berlin")
DAY = date(2026, 10, 25)  # the clocks go back
COLUMNS = [
    Column("agent_name", "Agent", "text", "name"),
    Column("agents", "Agents", "count", "how many"),
    Column("staffed_seconds", "Staffed", "seconds", "signed in"),
    Column("occupancy", "Occupancy", "ratio", "share"),
    Column("per_call", "Per call", "number", "transfers"),
    Column("interval_start", "From", "time", "start"),
    Column("seen_at", "Seen", "time", "an instant"),
    Column("valid_from", "Valid from", "date", "first day"),
]
HOSTILE = [
    "=cmd|'/c calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    "  =1+1",
    "\uff1d1+1",
    "<script>alert(1)</script>",
    "\u202egnp.exe",
    "a\u200fb\u2066c",
    "nul\x00byte\x1b[31m",
    'quoted "name", with\r\nlines',
    "👩🏽\u200d💻 émoji",
    "محمد",
    "\ud800lone",
    "\ufffe\uffff",
    "x" * 10_000,
    "x;=cmd|'/c calc'!A0",
    "x, \uff0b1;-5;@SUM(A1)",
    "zero\u200bwidth soft\u00adhyphen word\u2060joiner",
]


def row(name: str | None, hour: int = 2, fold: int = 0) -> Row:
    """A row of ``COLUMNS``; a name of None makes a row of which nothing is known."""
    if name is None:
        return (None,) * len(COLUMNS)
    start = datetime(2026, 10, 25, hour, 30, tzinfo=BERLIN, fold=fold)
    return name, 3, 36_061.5, 2 / 3, -1.25, start, start.replace(second=5, microsecond=17), date(2026, 1, 31)


def report(rows: Sequence[Row], **more: Any) -> Report:
    """A report of one table."""
    table = Table("teams", "Teams", COLUMNS, lambda: iter(rows), len(rows), "A note.")
    return Report(
        **{
            "name": "daily_operations",
            "kind": "daily_operations",
            "title": "Daily operations",
            "day": DAY,
            "zone": "Europe/Berlin",
            "period_start": datetime(2026, 10, 25, tzinfo=BERLIN),
            "period_end": datetime(2026, 10, 26, tzinfo=BERLIN),
            "tables": [table],
            "facts": [("Coverage", "cx: agent_states 98.0%")],
            **more,
        }
    )


def sheets(path: Path) -> dict[str, list[list[Any]]]:
    """The cells of a workbook by sheet: numbers as floats, texts as texts, empty cells as None."""
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as book:
        names = [sheet.get("name") for sheet in _elements(book.read("xl/workbook.xml"), "sheet")]
        parts = [f"xl/worksheets/sheet{number}.xml" for number in range(1, len(names) + 1)]
        shared = _shared(book)
        return {name: _cells(book.read(part), shared) for name, part in zip(names, parts, strict=True)}


def _elements(xml: bytes, name: str) -> Iterator[Any]:
    return (element for element in fromstring(xml).iter() if _is(element, name))


def _shared(book: zipfile.ZipFile) -> list[str]:
    if "xl/sharedStrings.xml" not in book.namelist():
        return []
    items = _elements(book.read("xl/sharedStrings.xml"), "si")
    return ["".join(part.text or "" for part in item.iter() if _is(part, "t")) for item in items]


def _cells(xml: bytes, shared: Sequence[str]) -> list[list[Any]]:
    found: list[list[Any]] = []
    for line in _elements(xml, "row"):
        cells: list[Any] = []
        for cell in line:
            column = _number(cell.get("r"))
            cells += [None] * (column - len(cells))
            cells.append(_value(cell, shared))
        found += [[] for _ in range(int(line.get("r")) - 1 - len(found))]
        found.append(cells)
    return found


def _value(cell: Any, shared: Sequence[str]) -> Any:
    if any(_is(part, "f") for part in cell):
        raise AssertionError("a cell holds a formula")
    texts = "".join(part.text or "" for part in cell.iter() if _is(part, "t"))
    value = next((part.text for part in cell if _is(part, "v")), None)
    kind = cell.get("t")
    if kind == "s":
        return shared[int(value or 0)]
    return texts if kind == "inlineStr" else (float(value) if value is not None else None)


def _number(reference: str) -> int:
    letters = re.match(r"[A-Z]+", reference)
    number = 0
    for letter in letters[0] if letters else "":
        number = number * 26 + ord(letter) - 64
    return number - 1


def _is(element: Any, name: str) -> bool:
    return bool(element.tag.endswith(f"}}{name}"))
