"""What a query reads and where its columns come from."""

import pytest

from orchestration.lineage import QueryError, column_lineage, parse

SCHEMA = {
    "staging.stg_a": {"id": "VARCHAR", "n": "BIGINT", "items": "STRUCT(x BIGINT)[]"},
    "ops.clock": {"id": "VARCHAR", "until": "TIMESTAMPTZ"},
}


def test_tables_are_those_of_ctes_and_subqueries_but_not_their_names() -> None:
    """If this fails, a table is not built before it is read, or a common table expression is looked for in the lake."""
    sql = """with a as (select * from staging.stg_a), clock as (select * from ops.clock)
        select a.id from a join clock using (id) where exists (select 1 from marts.m)"""
    assert parse(sql, "x.sql").tables == ("marts.m", "ops.clock", "staging.stg_a")


def test_table_functions_are_no_tables() -> None:
    """If this fails, range() or unnest() needs a schema."""
    assert parse("select unnest(range(3)) as n from generate_series(1, 2)", "x.sql").tables == ()


def test_parameters_and_comments_are_found() -> None:
    """If this fails, a day is not bound, or a column has no description."""
    sql = "select id as i, -- the id\n    $partition_start as s -- start\nfrom ops.clock"
    parsed = parse(sql, "x.sql")
    assert parsed.params == {"partition_start"}
    assert parsed.columns == {"i": "the id", "s": "start"}


@pytest.mark.parametrize("sql", ["select from from", "select 1; select 2", "delete from ops.clock", ""])
def test_what_is_not_one_select_is_refused_by_name(sql: str) -> None:
    """If this fails, an error does not say which file to mend."""
    with pytest.raises(QueryError, match=r"x\.sql"):
        parse(sql, "x.sql")


def test_a_table_without_schema_is_refused() -> None:
    """If this fails, a model reads whatever happens to have that name."""
    with pytest.raises(QueryError, match="write the schema before clock"):
        parse("select 1 as n from clock", "x.sql")


def test_columns_descend_through_ctes_and_expressions() -> None:
    """If this fails, the lineage shown in Dagster is wrong."""
    sql = """with a as (select id, n * 2 as twice from staging.stg_a)
        select a.id, twice + 1 as more, c.until, 7 as seven from a join ops.clock as c on a.id = c.id"""
    assert column_lineage(sql, SCHEMA) == {
        "id": {("staging.stg_a", "id")},
        "more": {("staging.stg_a", "n")},
        "until": {("ops.clock", "until")},
        "seven": set(),
    }


def test_columns_descend_from_both_sides_of_a_union() -> None:
    """If this fails, a vendor that is added by a union has no lineage."""
    found = column_lineage("select id from staging.stg_a union all select id from ops.clock", SCHEMA)
    assert found == {"id": {("staging.stg_a", "id"), ("ops.clock", "id")}}
