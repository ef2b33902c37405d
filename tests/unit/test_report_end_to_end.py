"""From a vendor's reply to each file of each report: all figures are the warehouse's, and no name does anything."""

import csv
import html
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest

from assets.reports.catalogue import REPORTS
from assets.reports.config import ReportConfig
from assets.reports.model import Column
from assets.reports.queries import SCOPE, Query, bound, read_queries
from assets.reports.safe import visible
from orchestration.reporting import issue, snapshot
from orchestration.resources import Engine
from orchestration.settings import sql_dir
from tests.pages import Page
from tests.pipeline.site import day
from tests.pipeline.toy import built, engine_at, land, shift
from tests.reports import HOSTILE, sheets

ZONE = "Europe/Berlin"
# What no JSON that can be read holds.
SENT = [name for name in HOSTILE if name.isprintable() or not re.search("[\x00\ud800-\udfff\ufffe\uffff]", name)]
QUERIES = sql_dir() / "reports"
Rows = list[list[Any]]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """A day of agents with hostile names, who hand over to each other."""
    home = engine_at(tmp_path_factory.mktemp("end") / "home", report_timezone=ZONE)
    rows = []
    for number, name in enumerate(SENT):
        told = shift(f"a{number}", day(0), (8 + number / 10, 12, 13, 17))
        for row in told:
            row["agentName"] = name
            for transfer in row.get("transfers", []):
                transfer["toAgentId"] = f"a{(number + 1) % len(SENT)}"
        rows += told
    land(home, day(0), rows)
    built(home, 1)
    return home


def asked(engine: Engine, kind: str) -> Iterator[tuple[Query, Rows]]:
    """What the warehouse says to each query of a report, in the order of its rows; times in UTC."""
    zone = ZoneInfo(ZONE)
    start, end = (datetime.combine(d, datetime.min.time(), zone).astimezone(UTC) for d in (day(0), day(1)))
    given: dict[str, Any] = {"day": str(day(0)), "from_time": start, "to_time": end, "zone": ZONE, "grain_minutes": 30}
    given |= dict.fromkeys(("teams", "agents", "sources"))
    with snapshot(engine.settings) as connection:
        for statement in (QUERIES / SCOPE).read_text(encoding="utf-8").split(";\n"):
            connection.execute(statement, bound(statement, given))
        for query in read_queries(QUERIES, kind, REPORTS[kind].tables):
            rows = connection.execute(query.sql, bound(query.sql, given)).fetchall()
            yield query, [list(row) for row in rows]


def of_csv(path: Path, columns: Sequence[Column]) -> Rows:
    """The cells of a CSV by their kinds."""
    with path.open(encoding="utf-8", newline="") as file:
        head, *lines = csv.reader(file, strict=True)
    assert head == [column.name for column in columns]
    return [[_read(c, text) if text else None for c, text in zip(columns, line, strict=True)] for line in lines]


def _read(column: Column, text: str) -> object:
    if column.kind == "time":
        return datetime.fromisoformat(text).astimezone(UTC)
    if column.kind == "date":
        return date.fromisoformat(text)
    return text if column.kind == "text" else float(text)


def of_xlsx(cells: Rows, columns: Sequence[Column]) -> Rows:
    """The cells of a sheet by their kinds, without its head."""
    return [[_of_cell(c, v) for c, v in zip(columns, line + [None] * len(columns), strict=False)] for line in cells[1:]]


def _of_cell(column: Column, value: Any) -> object:
    if value is None or column.kind not in {"seconds", "time", "date"}:
        return value
    if column.kind == "seconds":
        return value * 86_400
    moment = datetime(1899, 12, 30) + timedelta(days=value)  # noqa: DTZ001 - on the wall
    return moment.date() if column.kind == "date" else moment.replace(tzinfo=ZoneInfo(ZONE)).astimezone(UTC)


def of_html(text: str, name: str, columns: Sequence[Column]) -> Rows:
    """The exact figures behind the cells of a table of a page."""
    section = text.partition(f'<h2 id="table-{name}">')[2].partition("</section>")[0]
    lines = re.findall(r"<tr>(.*?)</tr>", section.partition('<div class="wide"')[2].partition("<tbody>")[2], re.DOTALL)
    cells = [re.findall(r"<t[dh]([^>]*)>(.*?)</t[dh]>", line, re.DOTALL) for line in lines]
    return [[_of_page(c, *cell) for c, cell in zip(columns, line, strict=True)] for line in cells]


def _of_page(column: Column, attributes: str, inside: str) -> object:
    if re.search(r'class="(?:[a-z]+ )*u[ "]', attributes):
        return None
    if column.kind == "text":
        return html.unescape(re.sub(r"<summary>.*?</summary>|<[^>]*>", "", inside))
    value = float(re.findall(r'data-v="([^"]+)"', attributes)[0])
    if column.kind == "time":
        return datetime.fromtimestamp(value, UTC)
    return date.fromordinal(int(value)) if column.kind == "date" else value


def compared(found: Rows, truth: Rows, columns: Sequence[Column], text: Callable[[str], str]) -> list[object]:
    """The cells that differ: texts as the format shows them, times to a millisecond, figures to a millionth."""
    assert len(found) == len(truth)
    differences: list[object] = []
    for line, right in zip(found, truth, strict=True):
        for column, value, wanted in zip(columns, line, right, strict=True):
            if isinstance(wanted, str):
                same = value == text(wanted)
            elif isinstance(wanted, datetime):
                same = isinstance(value, datetime) and abs(value - wanted) < timedelta(milliseconds=1)
            elif isinstance(wanted, int | float):
                same = value == pytest.approx(wanted, abs=1e-6, rel=1e-12)
            else:
                same = value == wanted
            if not same:
                differences.append((column.name, value, wanted))
    return differences


@pytest.mark.parametrize("kind", REPORTS)
def test_every_figure_in_every_format_is_the_warehouses(engine: Engine, kind: str) -> None:
    """If this fails, two people with two files of one report have two figures."""
    issued = issue(engine.settings, ReportConfig(name=kind), day(0))
    files = {path.name.removeprefix(f"{kind}_{day(0)}").lstrip("_"): path for path in issued.paths}
    page, book = files[".html"].read_text(encoding="utf-8"), sheets(files[".xlsx"])
    filled = 0
    for number, (query, truth) in enumerate(asked(engine, kind), 1):
        columns = query.columns
        parquet = [list(row.values()) for row in pq.read_table(files[f"{query.table}.parquet"]).to_pylist()]
        assert compared(parquet, truth, columns, str) == []
        plain = of_csv(files[f"{query.table}.csv"], columns)
        assert compared([[_bare(v) for v in line] for line in plain], truth, columns, lambda t: _bare(visible(t))) == []
        sheet = of_xlsx(book[f"{number} {query.title}"[:31]], columns)
        assert compared(sheet, truth, columns, visible) == []
        if truth:
            assert compared(of_html(page, query.table, columns), truth, columns, visible) == []
            filled += 1
    assert filled


def _bare(value: Any) -> Any:
    """A text without the apostrophes that keep a spreadsheet from running it."""
    return value.replace("'", "") if isinstance(value, str) else value


def test_no_name_does_anything_in_any_format(engine: Engine) -> None:
    """If this fails, what somebody typed as a name runs, hides or breaks what stands beside it, in some file."""
    issued = issue(engine.settings, ReportConfig(name="agent_timeline"), day(0))
    [states] = [path for path in issued.paths if path.name.endswith("_states.csv")]
    text = states.read_text(encoding="utf-8")
    names = {row["agent_name"] for row in csv.DictReader(text.splitlines())}
    assert len(names) == len(SENT)
    for mark in ",;\t":
        for piece in (piece for line in text.splitlines() for piece in line.split(mark)):
            assert not re.match(r'[\s"]*[=@\uff1d\uff0b\uff0d\uff20]', piece), piece
            assert not re.match(r'[\s"]*[+-](?![\d.]+"?$)', piece), piece
    # Reading it fails on any formula.
    [book] = [path for path in issued.paths if path.suffix == ".xlsx"]
    assert {line[2] for line in sheets(book)["1 States"][1:]} == {visible(name) for name in SENT}
    [shown] = [path for path in issued.paths if path.suffix == ".html"]
    read = Page(shown.read_text(encoding="utf-8"))
    assert len(read.all("script")) == 1
    assert not [name for _, attributes in read.elements for name in attributes if name.startswith("on")]
    assert not set("\u202e\u200b\u2066\x00") & set(read.text)
