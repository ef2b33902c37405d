"""A table as CSV: UTF-8, RFC 4180, ISO times with offset; text that a spreadsheet would run is made harmless.

No byte order mark: planning tools read these files. For spreadsheets there is ``xlsx.py``.
"""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

from assets.reports.model import Column, Report, Table
from assets.reports.safe import cell

# They lie on whole minutes, and planning tools choke on fractions. Elsewhere all times of a column have six digits, so
# that one format reads them all.
_WHOLE_SECONDS = {"interval_start", "interval_end"}


def render(_report: Report, table: Table, path: Path) -> None:
    """Write a table: names of columns, then its rows; what is not known is an empty cell."""
    writers = [_writer(column) for column in table.columns]
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\r\n")
        lines.writerow(column.name for column in table.columns)
        lines.writerows(
            [None if value is None else write(value) for write, value in zip(writers, row, strict=True)]
            for row in table.rows()
        )


def _writer(column: Column) -> Callable[[Any], object]:
    if column.kind == "text":
        return cell
    if column.kind == "time":
        precision = "seconds" if column.name in _WHOLE_SECONDS else "microseconds"
        return lambda value: value.isoformat(timespec=precision)
    # A float is written as the shortest text that is read as the same float.
    return repr if column.kind in {"number", "seconds", "ratio"} else str
