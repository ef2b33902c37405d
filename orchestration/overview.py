"""Writes the overview anew from the warehouse that was just published: ``exports/overview/index.html``.

What it shows is in ``assets/reports/board.py``, how in ``assets/reports/overview.py``.
"""

from datetime import UTC, datetime
from pathlib import Path

import duckdb
from assets.reports.board import read_board
from assets.reports.overview import render

from orchestration.lake import Lake
from orchestration.settings import Settings, sql_dir


def overview_path(settings: Settings) -> Path:
    """Where the page is."""
    return settings.exports_dir / "overview" / "index.html"


def write_overview(settings: Settings, lake: Lake, now: datetime | None = None) -> Path:
    """Write the page, there whole or as it was before; sources that are disabled have no present.

    Raises:
        duckdb.Error: The warehouse is not there or lacks a table.
    """
    sources = {source.name for source in settings.sources if source.enabled}
    path = overview_path(settings)
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'; set enable_progress_bar = false")
        queries = sql_dir() / "reports"
        board = read_board(connection, queries, sources, settings.report_timezone, now or datetime.now(UTC))
    lake.place(path, lambda temporary: render(board, temporary))
    return path
