"""A report as large as they come: each agent of a centre by quarters of an hour, in each format, and its memory.

A day is written straight into a file with the warehouse's tables and macros; nothing is captured or built.
"""

from pathlib import Path

import duckdb

from assets.reports.compose import Asked, compose
from assets.reports.config import ReportConfig
from assets.reports.model import EXTENSIONS
from benchmarks import data as made
from benchmarks.measure import Bar, Contender, race, show
from orchestration.editions import write
from orchestration.reporting import MEMORY
from orchestration.settings import sql_dir

_LIMIT = 1536.0  # MB, as docs/reports.md says
_SIGNAL = "intermediate.int_source_signals"
_TEAMS = 40
_FILLED = {
    "marts.dim_agents": "select $source as source, 'agent-' || lpad(a::varchar, 5, '0') as agent_id, "
    "'Agent Number ' || a as agent_name from range($agents) as t(a)",
    "marts.dim_agent_roster": "select $source as source, 'agent-' || lpad(a::varchar, 5, '0') as agent_id, "
    f"'Agent Number ' || a as display_name, 'Team ' || a % {_TEAMS} as team from range($agents) as t(a)",
    "marts.fct_agent_intervals": "select $day as date, $source as source, "
    "'agent-' || lpad(a::varchar, 5, '0') as agent_id, $start + to_minutes(15 * q) as interval_start, "
    "900.0 as staffed_seconds, h::double as handling_seconds, 600.0 - h as available_seconds, "
    "100.0 as wrap_up_seconds, 200.0 as not_ready_seconds, 0.0 as unobserved_seconds, 900.0 as observed_seconds, "
    "0.0 as uncertainty_seconds, 0 as transfers_out, 0 as transfers_in, 0 as logins "
    "from (select *, hash(a, q) % 600 as h from range($agents) as t(a), range(96) as u(q))",
    "ops.feed_clock": "select $source as source, $feed as feed, true as state_bearing",
    "ops.feed_coverage": "select $day as date, $source as source, $feed as feed, 'observed' as status, "
    "$start as window_start, $start + interval 1 day as window_end",
    _SIGNAL: "select $source as source, true as gives_available, true as gives_handling",
}


def make_warehouse(folder: Path, agents: int) -> None:
    """A file with the tables of ``marts`` and ``ops``, filled with one day of so many agents."""
    types = made.open_builder(folder).types
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        connection.execute("set timezone = 'UTC'")
        values = {"source": made.SOURCE, "feed": made.FEED, "day": made.DAY, "start": made.START, "agents": agents}
        for table, kinds in types.items():
            if table.split(".")[0] in {"marts", "ops"} or table == _SIGNAL:
                connection.execute(f"create schema if not exists {table.split('.')[0]}")
                columns = ", ".join(f'"{name}" {kind}' for name, kind in {**_day(kinds), **kinds}.items())
                connection.execute(f"create table {table} ({columns})")
            if query := _FILLED.get(table):
                given = {name: value for name, value in values.items() if f"${name}" in query}
                connection.execute(f"insert into {table} by name {query}", given)
        for path in sorted((sql_dir() / "macros").glob("*.sql")):
            connection.execute(path.read_text(encoding="utf-8"))


def _day(kinds: dict[str, str]) -> dict[str, str]:
    return {} if "date" in kinds else {"date": "DATE"}


def run(data: Path, rounds: int) -> list[Bar]:
    """Each format in a process of its own, then all in one; print seconds and megabytes, return what the last took."""
    contenders = [Contender(name, f"benchmarks.reports:{name}") for name in ("rows", *EXTENSIONS, "all_formats")]
    results = race(contenders, data, rounds)
    show("agents by quarters of an hour", results)
    whole = results["all_formats"]
    claim = f"all formats of one day of agents by quarters of an hour, MB of memory over {_LIMIT:.0f}"
    return [Bar("R1", claim, whole.median("rss") / _LIMIT, whole.least("rss") / _LIMIT, 1.0)]


def _report(data: Path, out: Path, formats: list[str]) -> None:
    rows = out / "rows"
    rows.mkdir()
    config = ReportConfig(name="interval", grain_minutes=15)
    with duckdb.connect(str(data / "report" / "warehouse.duckdb"), read_only=True) as connection:
        connection.execute(f"set timezone = 'UTC'; set memory_limit = '{MEMORY}'")
        report = compose(connection, Asked(config, made.DAY, "UTC", sql_dir() / "reports"), rows)
    write(report, formats, out / "edition")


def rows(data: Path, out: Path) -> None:
    """The query alone, and the text around it."""
    _report(data, out, [])


def csv(data: Path, out: Path) -> None:
    """The report as CSV."""
    _report(data, out, ["csv"])


def parquet(data: Path, out: Path) -> None:
    """The report as Parquet."""
    _report(data, out, ["parquet"])


def xlsx(data: Path, out: Path) -> None:
    """The report as XLSX."""
    _report(data, out, ["xlsx"])


def html(data: Path, out: Path) -> None:
    """The report as HTML."""
    _report(data, out, ["html"])


def all_formats(data: Path, out: Path) -> None:
    """The report in all formats, as they are issued."""
    _report(data, out, list(EXTENSIONS))
