"""Pseudonyms of exports, over a home of two agents: nobody's id or name comes through, and figures stay."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.reports.pseudonyms import _HARMLESS, _HIDDEN, MARK, Pseudonyms, open_pseudonymous
from orchestration.settings import sql_dir
from tests.pipeline.site import day, opened
from tests.pipeline.toy import filled

KEY = "0123456789abcdef"
THEM = Pseudonyms(KEY)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days of two agents."""
    made = tmp_path_factory.mktemp("pseudonyms") / "home"
    filled(made)
    return made


@pytest.fixture(scope="module")
def hidden(home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The same warehouse with nobody in it."""
    with open_pseudonymous(home / "warehouse.duckdb", sql_dir() / "macros", THEM) as connection:
        yield connection


def tables(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Every table that it shows."""
    found = "select schema_name || '.' || view_name from duckdb_views() where database_name = current_database()"
    return [name for [name] in connection.execute(f"{found} and not internal").fetchall()]


def test_no_table_shows_anybody(hidden: duckdb.DuckDBPyConnection) -> None:
    """One column left as it is gives everybody away in a report that says that it does not."""
    for table in tables(hidden):
        for row in hidden.execute(f"from {table}").fetchall():
            # This home's interactions are named for their agents; a vendor's are numbers.
            texts = [value.lower() for value in row if isinstance(value, str) and not value.startswith("i-")]
            assert [text for text in texts if "ann" in text or "bob" in text] == [], table


def test_every_text_column_was_judged(hidden: duckdb.DuckDBPyConnection) -> None:
    """A new column would be withheld for no reason, or, if it names people, only by luck."""
    found = hidden.execute(
        "select distinct column_name from duckdb_columns() "
        "where database_name = current_database() and schema_name in ('marts', 'ops') and data_type = 'VARCHAR'"
    ).fetchall()
    withheld = {"error", "last_error", "payload"}
    assert {name for [name] in found} - _HIDDEN.keys() - _HARMLESS == withheld


def test_figures_stay_and_join_by_pseudonym(home: Path, hidden: duckdb.DuckDBPyConnection) -> None:
    """A report under pseudonyms must show the same seconds, per agent, whatever tables it joins."""
    query = (
        "select source, agent_id, agent_name, sum(handling_seconds), sum(transfers_in), count(t.transfer_id) "
        "from marts.agg_agent_days join marts.dim_agents using (source, agent_id) "
        "left join marts.fct_transfers as t using (source, date) where t.to_id = agent_id group by all order by all"
    )
    with opened(home) as connection:
        real = connection.execute(query).fetchall()
    expected = sorted(((s, THEM.agent(s, a), THEM.agent(s, a), *figures) for s, a, _, *figures in real), key=str)
    assert hidden.execute(query).fetchall() == expected != []


def test_macros_answer_under_pseudonyms(hidden: duckdb.DuckDBPyConnection) -> None:
    """A report that asks a macro would fail, or ask the real names behind the back of the option."""
    noon = f"timestamptz '{day(0)} 11:30:00+00'"
    found = hidden.execute(f"select agent_id, agent_name, state from agent_state_at({noon})").fetchall()
    assert {row[:2] for row in found} == {(THEM.agent("cx", name),) * 2 for name in ("ann", "bob")}


def test_what_may_say_anything_is_withheld(hidden: duckdb.DuckDBPyConnection) -> None:
    """A payload, or an error that repeats a request, may name anybody; raw and staged rows are not there at all."""
    described = hidden.execute("select sql from duckdb_views() where view_name = 'rejects'").fetchall()
    assert MARK in described[0][0]
    with pytest.raises(duckdb.Error, match="does not exist"):
        hidden.execute("from staging.stg_cxengage__agent_states")


@given(st.lists(st.tuples(st.text(max_size=3), st.text(max_size=3)), unique=True, max_size=8))
def test_pseudonyms_are_stable_per_key_and_tell_agents_apart(agents: list[tuple[str, str]]) -> None:
    """Two agents under one pseudonym add up to one busy nobody; one under two falls apart between two reports."""
    first = [Pseudonyms(KEY).agent(*agent) for agent in agents]
    assert first == [THEM.agent(*agent) for agent in agents]
    assert len(set(first)) == len(agents)
    assert not set(first) & {Pseudonyms(KEY[::-1]).agent(*agent) for agent in agents}


def test_a_short_key_is_refused() -> None:
    """A key that is guessed turns every pseudonym back into a name."""
    with pytest.raises(ValueError, match="openssl rand"):
        Pseudonyms("secret")
