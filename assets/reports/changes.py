"""What is not as in the edition before: the sums of a report's tables beside those it had, in sentences."""

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from assets.reports.model import Column, Report, Table

Totals = Mapping[str, float]
"""Sums of columns by name, and ``rows``."""

# Sums of other durations and counts, as of a longest or a hop, mean nothing.
_SUMMED = {
    *(f"{kind}_seconds" for kind in ("staffed", "available", "handling", "wrap_up", "not_ready", "unobserved")),
    *("seconds", "observed_seconds", "missing_seconds", "lost_seconds"),
    *(
        "occurrences",
        "transfers",
        "completed",
        "returns",
        "transfers_out",
        "transfers_in",
        "logins",
        "rejects",
        "failed",
    ),
}
_TOLD = ("Period", "Who", "Coverage", "Missing")


def totals(table: Table) -> dict[str, float]:
    """What is compared between editions; a column in which anything is not known is left out."""
    found: dict[str, float] = {"rows": table.count}
    for column in table.columns:
        if column.name in _SUMMED and table.file is not None:
            values: pa.ChunkedArray = pq.read_table(table.file, columns=[column.name])[column.name]
            if not values.null_count and len(values):
                found[column.name] = round(pc.sum(values).as_py(), 6)
    return found


def changes(
    report: Report, facts: Sequence[tuple[str, str]], before: Mapping[str, Totals], *, was_complete: bool
) -> list[str]:
    """Sentences on what changed.

    Args:
        report: As it is now.
        facts: What the edition before said around its tables.
        before: Its totals by table.
        was_complete: Whether its day was complete.
    """
    said = dict(facts)
    found = ["The day is complete now."] if report.complete and not was_complete else []
    found += [
        f"{name} was: {said[name]}" for name, text in report.facts if name in _TOLD and said.get(name, text) != text
    ]
    for table in report.tables:
        found += _of_table(table, totals(table), before.get(table.name, {}))
    return found


def _of_table(table: Table, now: Totals, before: Totals) -> Iterator[str]:
    columns = {column.name: column for column in table.columns}
    for name, value in now.items():
        was = before.get(name)
        if was is not None and was != value:
            column = columns.get(name)
            title = column.title if column else "rows"
            yield f"{table.title}: {title} {_shown(column, value)}, before {_shown(column, was)}."


def _shown(column: Column | None, value: float) -> str:
    if column is None or column.kind == "count":
        return f"{value:,.0f}"
    whole = round(value)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02} h"
