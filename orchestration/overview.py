"""Writes the overview anew from the warehouse that was just published: ``exports/overview/index.html``.

What it shows is in ``assets/reports/board.py``, how in ``assets/reports/overview.py``.
"""

from datetime import UTC, datetime
from pathlib import Path

from assets.reports.board import read_board
from assets.reports.overview import render

from orchestration.lake import Lake
from orchestration.reporting import snapshot
from orchestration.settings import Settings, sql_dir


def overview_path(settings: Settings) -> Path:
    """Where the page is."""
    return settings.exports_dir / "overview" / "index.html"


def write_overview(settings: Settings, lake: Lake, now: datetime | None = None) -> Path | None:
    """Write the page, there whole or as it was before; sources that are disabled have no present.

    Where ``reports.yaml`` wants none, one that is there is removed, since it would name people for ever.

    Raises:
        ReportError: The warehouse is not there.
        ValueError: The key of the pseudonyms is not set.
        duckdb.Error: The warehouse lacks a table.
    """
    sources = {source.name for source in settings.sources if source.enabled}
    path = overview_path(settings)
    if not settings.overview.enabled:
        path.unlink(missing_ok=True)
        return None
    with snapshot(settings, settings.overview) as connection:
        queries = sql_dir() / "reports"
        board = read_board(connection, queries, sources, settings.report_timezone, now or datetime.now(UTC))
    lake.place(path, lambda temporary: render(board, temporary))
    return path
