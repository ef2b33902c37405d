"""Reports and boards made up by hand, and a reader of the pages made of them. No expectations here."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from assets.reports.board import AgentNow, Board, DayPart, SourceNow
from assets.reports.html import render
from assets.reports.model import Column, Kind, Report, Row, Stretch, Table

BERLIN = ZoneInfo("Europe/Berlin")
DAY = date(2026, 11, 21)
START = datetime(2026, 11, 21, tzinfo=BERLIN)
HOSTILE = [
    "=cmd|'/c calc'!A0",
    "<script>alert(1)</script>",
    "</title></style></svg><img src=x onerror=alert(1)>",
    "\u202egnirts\u202c dna \u05d0\u05d1\u05d2",
    "nul\x00bell\x07escape\x1b[31m",
    "\U0001f469\u200d\U0001f4bb \U0001f1ea\U0001f1fa",
    '" onmouseover="alert(1)" x=\'',
    "&lt;b&gt; &#0; ]]> --> javascript:alert(1)",
    "\ud800 lone surrogate",
    "x;=cmd|'/c calc'!A0",
    "zero\u200bwidth soft\u00adhyphen word\u2060joiner",
    "W" * 59,
    "\u6f22" * 29,
    "x" * 10_000,
]


def at(hour: float, start: datetime = START) -> datetime:
    """So many hours after the day's first instant, in the zone of the report."""
    return (start.astimezone(UTC) + timedelta(hours=hour)).astimezone(start.tzinfo)


def table(name: str, columns: dict[str, Kind], rows: Sequence[Row], title: str = "", note: str = "A note.") -> Table:
    """A table with these columns; titles and meanings are made of their names."""
    made = [Column(n, n.replace("_", " ").capitalize(), kind, f"meaning of {n}") for n, kind in columns.items()]
    return Table(name, title or name.capitalize(), made, lambda: iter(rows), len(rows), note)


def report(*tables: Table, start: datetime = START, hours: float = 24, **more: Any) -> Report:
    """A report on a day in Berlin."""
    made: dict[str, Any] = {"title": "Daily operations", "facts": [("Coverage", "cx 98.2 %")], **more}
    return Report(
        name="daily",
        kind="daily_operations",
        day=start.date(),
        zone="Europe/Berlin",
        period_start=start,
        period_end=at(hours, start),
        tables=tables,
        **made,
    )


TEAMS: dict[str, Kind] = {
    "team": "text",
    "source": "text",
    "occupancy": "ratio",
    "occupancy_low": "ratio",
    "occupancy_high": "ratio",
    "handling_seconds": "seconds",
    "transfers_out": "count",
}
INTERVALS: dict[str, Kind] = {
    "source": "text",
    "interval_start": "time",
    "interval_end": "time",
    "staffed_seconds": "seconds",
    "available_seconds": "seconds",
    "handling_seconds": "seconds",
    "wrap_up_seconds": "seconds",
    "not_ready_seconds": "seconds",
    "unobserved_seconds": "seconds",
}
AGENTS: dict[str, Kind] = {
    "agent_id": "text",
    "agent_name": "text",
    "logged_in_at": "time",
    "staffed_seconds": "seconds",
}
REASONS: dict[str, Kind] = {"source": "text", "reason": "text", "seconds": "seconds", "occurrences": "count"}
PAIRS: dict[str, Kind] = {
    "source": "text",
    "from_agent_id": "text",
    "from_agent_name": "text",
    "to_kind": "text",
    "to_id": "text",
    "to_agent_name": "text",
    "transfers": "count",
}
FEEDS: dict[str, Kind] = {"source": "text", "feed": "text", "coverage": "ratio", "observed_until": "time"}
GAPS: dict[str, Kind] = {"source": "text", "feed": "text", "gap_start": "time", "gap_end": "time", "status": "text"}


def full(names: Sequence[str] = ("Ann", "Bob")) -> Report:
    """A report with a table of each shape that has a picture, about agents with these names."""
    quarters = [
        (source, at(n / 4), at((n + 1) / 4), 900.0 * 3, 700.0, 1200.0, 100.0, 700.0, 60.0)
        for source in ("cx", "kore")
        for n in range(96)
    ]
    return report(
        table("teams", TEAMS, [("Sales", "cx", 0.6428, 0.58, 0.7, 3725.4, 12), ("Sales", "kore", *[None] * 5)]),
        table("agents", AGENTS, [(f"a{n}", name, at(8), 28_800.0 + n) for n, name in enumerate(names)]),
        table(
            "reasons",
            REASONS,
            [("cx", "Lunch", 3600.0, 2), ("cx", "(none)", 60.5, 1), *(("cx", name, 5.0, 1) for name in names)],
        ),
        table("intervals", INTERVALS, quarters),
        table(
            "pairs",
            PAIRS,
            [
                ("cx", f"a{n}", name, "agent", f"a{len(names) - n - 1}", names[-n - 1], n + 1)
                for n, name in enumerate(names)
            ],
        ),
        table("feeds", FEEDS, [("cx", "agent_states", 0.9, at(22)), ("kore", "agent_activity", None, None)]),
        table(
            "gaps",
            GAPS,
            [("cx", "agent_states", at(3), at(4), "lost"), ("cx", "agent_states", at(5), at(6), "missing")],
        ),
        timeline=lambda: stretches(names),
        warnings=["The day is not complete."],
        complete=False,
        edition=2,
        changes=["Agents: 3 rows changed."],
    )


def stretches(names: Sequence[str]) -> Iterator[Stretch]:
    """A morning of each."""
    for n, name in enumerate(names):
        yield Stretch("cx", f"a{n}", name, "Sales", at(8), at(10), "handling")
        yield Stretch("cx", f"a{n}", name, "Sales", at(10), at(12), "unobserved")


def board(names: Sequence[str] = ("Ann", "Bob"), seen: datetime | None = None, made: datetime | None = None) -> Board:
    """An overview of two sources, of which one does not tell handling and was never seen."""
    made = made or at(14)
    seen = seen or made - timedelta(minutes=3)
    day = {
        ("today", None, None, None): DayPart(0.75, 0.7, 0.8, 0.98, 1234),
        ("last_week", None, None, None): DayPart(0.7, 0.7, 0.7, 1.0, 1200),
        ("today", None, None, 9): DayPart(0.8, 0.8, 0.8, 1.0, 3),
        ("today", "cx", "Sales", None): DayPart(0.75, 0.7, 0.8, 0.98, 1234),
        ("last_week", "cx", "Sales", None): DayPart(0.8, 0.7, 0.9, 1.0, 1200),
    }
    told = frozenset({"available", "handling", "wrap_up"})
    return Board(
        made,
        "Europe/Berlin",
        [SourceNow("cx", seen, told), SourceNow("kore", None, frozenset({"available"}))],
        [
            AgentNow("cx", "Sales", f"a{n}", name, "handling" if n else "not_ready", "ready", at(13), 3540.0 + n)
            for n, name in enumerate(names)
        ],
        day,
    )


class Page(HTMLParser):
    """What stands in a page: elements with their attributes, texts, and the cells of each table."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[list[list[str]]] = []
        self.texts: list[str] = []
        self._quiet = ""
        self._in_cell = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element, and where a cell begins."""
        self.elements.append((tag, dict(attrs)))
        self._quiet = tag if tag in {"style", "script"} else ""
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in {"td", "th"}:
            self.tables[-1][-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        """Note where a style sheet or script ends."""
        self._quiet = "" if tag == self._quiet else self._quiet
        self._in_cell = self._in_cell and tag not in {"td", "th"}

    def handle_data(self, data: str) -> None:
        """Note what is to be read."""
        if self._quiet:
            return
        self.texts.append(data)
        if self._in_cell:
            self.tables[-1][-1][-1] += data

    @property
    def text(self) -> str:
        """All that is to be read."""
        return "".join(self.texts)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of all elements of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]


def page(made: Report, folder: Path) -> Page:
    """The report's page, read."""
    render(made, folder / "report.html")
    return Page((folder / "report.html").read_text(encoding="utf-8"))
