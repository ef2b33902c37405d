"""Writes the overview anew from the warehouse that was just published: ``exports/overview/index.html``.

What it shows is in ``assets/reports/board.py``, how in ``assets/reports/overview.py``.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from assets.reports.board import read_board
from assets.reports.overview import render

from orchestration.editions import FAILURE
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


def refresh_overview(settings: Settings, lake: Lake, warn: Callable[[str], object]) -> bool:
    """Write the page for a build, which goes on without it; whether it was.

    Else ``warn`` is told why, and so is whoever looks beside the page; the alarms look there, too.
    """
    note = overview_path(settings).with_name(FAILURE)
    try:
        write_overview(settings, lake)
        note.unlink(missing_ok=True)
    # Whatever it is: what was published counts, and Dagster has to be told of it.
    except Exception as error:  # noqa: BLE001
        why = f"The overview could not be written: {str(error) or type(error).__name__}"
        warn(why)
        with suppress(OSError):  # a full disk, say, has alarms of its own
            lake.place(note, lambda temporary: temporary.write_text(f"{why}\n", encoding="utf-8"))
        return False
    return True


def overview_failure(settings: Settings) -> str | None:
    """Why the last build could not write the page, if so."""
    try:
        return overview_path(settings).with_name(FAILURE).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
