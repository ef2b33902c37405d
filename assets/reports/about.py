"""What a report says around its tables, as plain text: CSV and Parquet have no place for it."""

from collections.abc import Iterator
from pathlib import Path

from assets.reports.model import Report
from assets.reports.safe import visible


def render(report: Report, path: Path) -> None:
    """Write it in UTF-8: title, what is wrong, edition and changes, facts, and what each column means."""
    path.write_text("\n".join(map(visible, _lines(report))) + "\n", encoding="utf-8")


def _lines(report: Report) -> Iterator[str]:
    yield report.title
    yield "=" * len(report.title)
    yield ""
    yield from (f"WARNING: {text}" for text in report.warnings)
    yield f"Edition {report.edition}; the day is {'complete' if report.complete else 'not complete'}."
    yield from (f"Changed: {text}" for text in report.changes)
    yield ""
    yield from (f"{name}: {text}" for name, text in report.facts)
    for table in report.tables:
        yield ""
        yield f"{table.title} ({table.name}), {table.count:,} rows"
        yield f"  {table.note}"
        yield from (f"  {column.name} ({column.kind}): {column.description}" for column in table.columns)
