"""What a report is, whatever the format: tables with typed columns, facts about them, and what is wrong with them.

Renderers (``csv``, ``parquet``, ``xlsx``, ``html``) know this module and nothing of where the rows come from.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

Kind = Literal["text", "number", "seconds", "ratio", "count", "time", "date"]
"""What a column holds, and so how it is shown; any value may be None: not known, which is never 0.

- ``text``: ``str``, verbatim as the vendor sent it, hostile characters and all: every renderer makes it safe itself.
- ``number``, ``seconds`` (a duration), ``ratio`` (1.0 is 100 %; may be above): ``float``.
- ``count``: ``int``.
- ``time``: an aware ``datetime`` in the report's zone. ``date``: a calendar day.
"""

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        name: For programs; unique in its table, ``[a-z][a-z0-9_]*``.
        title: For people.
        kind: What it holds.
        description: What it means, with its unit and when it is unknown.
    """

    name: str
    title: str
    kind: Kind
    description: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a report.

    Attributes:
        name: For programs, part of file names; unique in its report, ``[a-z][a-z0-9_]*``.
        title: For people.
        columns: In order.
        rows: Starts from the first row at each call and reads in batches: a million rows need little memory.
        count: How many rows there are.
        note: How to read it: one or two sentences, or empty.
        file: A Parquet file that holds the same rows, if there is one.
    """

    name: str
    title: str
    columns: Sequence[Column]
    rows: Callable[[], Iterator[Row]]
    count: int
    note: str = ""
    file: Path | None = None


@dataclass(frozen=True, slots=True)
class Stretch:
    """An unbroken stretch of one agent in one state, cut at the period's ends; both times in the report's zone."""

    source: str
    agent_id: str
    agent_name: str | None
    team: str | None
    started_at: datetime
    ended_at: datetime
    state: str


@dataclass(frozen=True, slots=True)
class Report:
    """A report over one local calendar day, as it is rendered.

    Attributes:
        name: As in ``reports.yaml``; the folder's name below ``exports``.
        kind: Which of the built-in reports it is, as ``daily_operations``.
        title: For people.
        day: The calendar day in ``zone``.
        zone: IANA zone of the report.
        period_start: The day's first instant, in ``zone``.
        period_end: The first instant after it, in ``zone``; 23 to 25 hours later.
        tables: In order; the first is the one to look at first.
        facts: What a reader must know to judge the figures, as (what, text): period, zone with its offsets,
            definitions used, coverage, what is missing, teams chosen.
        warnings: What is wrong with it, in full sentences; above all that the day is not complete. Empty: nothing.
        complete: Nothing more is expected for the period; what the vendor has forgotten is not expected.
        edition: 1, 2, …
        changes: What is not as in the edition before, in full sentences; empty for the first.
        ready: Sources that do not tell handling from waiting: who is available there is ready, working or not.
        timeline: The day's stretches by team, source, agent and time for a picture; none where there is no picture.
    """

    name: str
    kind: str
    title: str
    day: date
    zone: str
    period_start: datetime
    period_end: datetime
    tables: Sequence[Table]
    facts: Sequence[tuple[str, str]] = ()
    warnings: Sequence[str] = ()
    complete: bool = True
    edition: int = 1
    changes: Sequence[str] = ()
    ready: Sequence[str] = ()
    timeline: Callable[[], Iterator[Stretch]] | None = None


EXTENSIONS: Mapping[str, str] = {"csv": ".csv", "parquet": ".parquet", "xlsx": ".xlsx", "html": ".html"}
"""Formats and the endings of their files."""
