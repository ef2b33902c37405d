"""What the commands print: tables, JSON, and progress bars on standard error.

Knows rows, and nothing of what they are about; the commands are in ``cli.py``.
"""

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

# Into a pipe or a file a table is written as wide as it is, for people and greps alike.
OUT = Console(width=None if sys.stdout.isatty() else 240)
ERR = Console(stderr=True)


def show(rows: Sequence[Mapping[str, Any]], *, as_json: bool, title: str = "") -> None:
    """Print rows as a table, or as JSON."""
    if as_json:
        show_json(rows)
        return
    if not rows:
        OUT.print("no rows", style="dim")
        return
    table = Table(title=title or None, title_justify="left", header_style="bold")
    for name in rows[0]:
        number = any(isinstance(row[name], int | float) and not isinstance(row[name], bool) for row in rows)
        table.add_column(name, justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    OUT.print(table)


def show_json(document: object) -> None:
    """Print one document: times in ISO form, decimals as numbers, what JSON has no number for as null."""
    click.echo(json.dumps(_plain(document), ensure_ascii=False, indent=2, allow_nan=False))


@contextmanager
def progress_bar(title: str, total: int | None, *, quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """A progress bar on standard error; yields what to call after each step with its name."""
    columns = [
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    ]
    with Progress(*columns, console=ERR, disable=quiet or not ERR.is_terminal, transient=True) as progress:
        task = progress.add_task(title, total=total)

        def step(name: str) -> None:
            progress.update(task, advance=1, description=f"{title}: {name}"[:70].ljust(70))

        yield step


def _plain(value: object) -> object:
    match value:
        case None | bool() | int() | str():
            return value
        case float() | Decimal():
            whole = isinstance(value, Decimal) and value.is_finite() and value == int(value)
            return int(value) if whole else float(value) if math.isfinite(value) else None
        case date() | time():
            return value.isoformat()
        case Mapping():
            return {str(_plain(key)): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
    return str(value)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    return f"{value:,.3f}" if isinstance(value, float) else str(value)
