"""A table as CSV: UTF-8, RFC 4180, ISO times with offset; text that a spreadsheet would run is made harmless.

No byte order mark: planning tools read these files. For spreadsheets there is ``xlsx.py``.
"""

import csv
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from assets.reports.model import Column, Report, Table
from assets.reports.safe import cell

_ROWS = 10_000
# They lie on whole minutes, and planning tools choke on fractions. Elsewhere all times of a column have six digits, so
# that one format reads them all.
_WHOLE_SECONDS = {"interval_start", "interval_end"}


def render(_report: Report, table: Table, path: Path) -> None:
    """Write a table: names of columns, then its rows; what is not known is an empty cell."""
    writers = [_writer(column) for column in table.columns]
    rows = table.rows()
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\r\n")
        lines.writerow(column.name for column in table.columns)
        while chunk := list(islice(rows, _ROWS)):
            # Column by column: a million rows take half as long as cell by cell.
            columns = map(_texts, writers, zip(*chunk, strict=True))
            lines.writerows(zip(*columns, strict=True))


def _texts(write: Callable[[Any], object] | None, values: Sequence[Any]) -> Sequence[object]:
    return [None if value is None else write(value) for value in values] if write else values


def _writer(column: Column) -> Callable[[Any], object] | None:
    """What makes a cell of a value; None where csv does it right: a float as the shortest text that is the same."""
    if column.kind == "text":
        # Names come again and again, one agent after the other.
        return lru_cache(1_000)(cell)
    if column.kind == "time":
        precision = "seconds" if column.name in _WHOLE_SECONDS else "microseconds"
        return lambda value: value.isoformat(timespec=precision)
    return None
