"""The warehouse as public.py promises it: columns, types, comments and macros."""

import re
from pathlib import Path

import duckdb
import pytest

from tests.pipeline.site import day, opened
from tests.pipeline.toy import filled
from tests.public import ANSWERS, COLUMNS

TIMES = ("_at", "_from", "_until", "_start", "_end", "_time")
COUNTS = {
    "work_items",
    "load",
    "capacity",
    "hop",
    "transfers_out",
    "transfers_in",
    "logins",
    "occurrences",
    "transfers",
    "completed",
    "returns",
    "rejects_7d",
    "records",
    "open_records",
    "sequence",
    "record",
    "agents",
    "staffed_agents",
}
MACROS = {
    "occupancy(60, 20, 20)": 0.8,
    "occupancy(60, null, 40)": 0.6,
    "occupancy(0, 0, 0)": None,
    "occupancy(null, 1, 1)": None,
    "occupancy_low(60, 0, 20, 20)": 0.6,
    "occupancy_high(60, 0, 20, 20)": 0.8,
    "occupancy_of_staffed(30, 10, 80)": 0.5,
    "load_ratio(1, 4)": 0.25,
    "average_concurrency(120, 60)": 2.0,
    "availability(20, 80)": 0.25,
    "not_ready_share(20, 80)": 0.25,
    "coverage(3, 1)": 0.75,
    "coverage(0, 0)": None,
    "transfer_rate(1, 4)": 0.25,
    "transfers_per_interaction(6, 4)": 1.5,
    "adherence(45, 15)": 0.75,
    "adherence(0, 0)": None,
    "conformance(60, 60)": 1.0,
    "conformance(60, 0)": None,
}
PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
QUERIES = re.findall(r"^```sql\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
NOON = f"timestamptz '{day(0)} 12:00:00+00'"
ASKED = {
    "agent_state_at": NOON,
    "agent_intervals": f"30, 'Asia/Kathmandu', {NOON} - interval 2 hours, {NOON}",
    "sessions_participated": f"4, {NOON}",
    "idle_time": f"4, {NOON}",
    "time_in_state": f"4, {NOON}",
    "time_with_sessions": f"1, 4, {NOON}",
    "current_state_age": NOON,
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days of two agents."""
    made = tmp_path_factory.mktemp("contract") / "home"
    filled(made)
    return made


def described(home: Path, table: str) -> dict[str, str]:
    """Columns and types of a table."""
    with opened(home) as connection:
        return {name: kind for name, kind, *_ in connection.execute(f"describe {table}").fetchall()}


def expected(name: str) -> set[str]:
    """The types that the contract allows a column of this name."""
    if name in {"date", "valid_from", "valid_to"}:
        return {"DATE"}
    if name.startswith("is_"):
        return {"BOOLEAN"}
    if name.endswith("seconds") or name in {"hours_to_loss", "gap_seconds_7d", "coverage"}:
        return {"DOUBLE"}
    if name.endswith(TIMES):
        return {"TIMESTAMP WITH TIME ZONE"}
    return {"BIGINT", "INTEGER"} if name in COUNTS else {"VARCHAR"}


@pytest.mark.parametrize("table", COLUMNS)
def test_each_public_table_has_its_columns_with_their_types(home: Path, table: str) -> None:
    """A column renamed or of another type breaks scripts that nobody here can see."""
    found = described(home, table)
    assert [name for name in COLUMNS[table].split() if name not in found] == []
    assert {name: kind for name, kind in found.items() if kind not in expected(name)} == {}


def test_every_table_and_column_has_a_comment(home: Path) -> None:
    """What is not described is guessed by whoever reads it."""
    schemas = "schema_name in ('staging', 'intermediate', 'marts', 'ops', 'raw') and not internal"
    with opened(home) as connection:
        views = connection.execute(
            f"select view_name from duckdb_views() where {schemas} and comment is null"
        ).fetchall()
        columns = connection.execute(
            f"select table_name, column_name from duckdb_columns() where {schemas} and comment is null"
        ).fetchall()
        count = connection.execute(f"select count(*) from duckdb_views() where {schemas}").fetchall()
    assert (views, columns) == ([], [])
    assert count[0][0] >= len(COLUMNS)


@pytest.mark.parametrize("query", QUERIES)
def test_the_queries_of_the_metrics_page_run(home: Path, query: str) -> None:
    """If this fails, whoever copies a definition from docs/metrics.md gets an error instead of a figure."""
    with opened(home) as connection:
        # The page asks about now; the home is about another day.
        assert connection.execute(query.replace("now()", NOON)).fetchall()


@pytest.mark.parametrize("call", MACROS)
def test_macros_need_no_prefix_and_give_ratios_of_sums(home: Path, call: str) -> None:
    """A macro in another schema, or NULL where there is a figure, breaks every report at once."""
    with opened(home) as connection:
        [value] = connection.execute(f"select {call}").fetchone() or ["nothing"]
        schema = connection.execute(
            "select distinct schema_name from duckdb_functions() where function_name = ?", [call.partition("(")[0]]
        ).fetchall()
    assert value == pytest.approx(MACROS[call]) if MACROS[call] is not None else value is None
    assert schema == [("main",)]


@pytest.mark.parametrize("macro", ANSWERS)
def test_table_macros_answer_the_same_in_every_zone(home: Path, macro: str) -> None:
    """A macro that is missing, lacks a column, or reads the session's clock breaks scripts that nobody here can see."""
    call = f"{macro}({ASKED[macro]})"
    with opened(home) as connection:
        result = connection.execute(f"from {call}")
        names = [column[0] for column in result.description]
        rows = result.fetchall()
        connection.execute("set timezone = 'Asia/Kathmandu'")
        there = connection.execute(f"from {call}").fetchall()
        known = connection.execute(
            "select schema_name, comment is not null from duckdb_functions() where function_name = ?", [macro]
        ).fetchall()
    assert names == ANSWERS[macro].split()
    assert rows == there != []
    assert known == [("main", True)]


@pytest.mark.parametrize("macro", ANSWERS)
def test_table_macros_read_only_the_days_they_need(home: Path, macro: str) -> None:
    """Over a year of history an answer about an hour would take as long as one about all of it."""
    with opened(home) as connection:
        plan = connection.execute(f"explain (analyze, format json) from {macro}({ASKED[macro]})").fetchall()[0][1]
    assert max(map(int, re.findall(r'"Total Files Read": "(\d+)"', plan))) == 1


def test_the_warehouse_cannot_be_written_by_those_who_read_it(home: Path) -> None:
    """The command line opens it read-only: a slip of the finger must not change it."""
    with opened(home) as connection, pytest.raises(duckdb.Error, match="read-only"):
        connection.execute("create table x as select 1")


def test_the_plain_tree_holds_the_same_rows_as_the_warehouse(home: Path) -> None:
    """Whoever reads Parquet instead of the warehouse must not get other figures."""
    with opened(home) as connection:
        for table in [table for table in COLUMNS if table != "ops.source_health"]:
            glob = home / "lake" / table.replace(".", "/") / "**" / "*.parquet"
            names = ", ".join(f'"{name}"' for name in COLUMNS[table].split())
            files = f"read_parquet('{glob}', hive_partitioning = true)"
            [there] = connection.execute(
                f"select count(*) from (select {names} from {files} except all select {names} from {table})"
            ).fetchone() or [-1]
            [back] = connection.execute(
                f"select count(*) from (select {names} from {table} except all select {names} from {files})"
            ).fetchone() or [-1]
            assert (there, back) == (0, 0), table
