"""A .sql file into a Model: what the header says, what the text must not say, and what counts as a change."""

from pathlib import Path

import pytest

from orchestration.lineage import QueryError
from orchestration.models import ModelError, called_for, read_checks, read_model, read_models

GOOD = """-- What happened,
-- in two lines.
-- grain: source, id
-- window: -3 days .. +1 day
-- window int_other: -35 days .. 0 days
-- check has_id: id is not null
-- warn is_small: n < 10
select
    source,      -- name of the source
    id,          -- its id
    n + 1 as n   -- how many
from intermediate.int_things
where t >= $partition_start and t < $partition_end
"""


def write(folder: Path, text: str, name: str = "marts/fct_things.sql") -> Path:
    """A model's file."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def refused(folder: Path, text: str) -> str:
    """What is said of a text that breaks a rule."""
    path = write(folder, text)
    with pytest.raises((ModelError, QueryError)) as caught:
        read_model(path, "marts")
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_the_header_is_the_contract(tmp_path: Path) -> None:
    """If this fails, a line of the header has no effect."""
    model = read_model(write(tmp_path, GOOD), "marts")
    assert (model.table, model.schema, model.name, model.kind) == ("marts.fct_things", "marts", "fct_things", "day")
    assert model.description == "What happened, in two lines."
    assert model.grain == ("source", "id")
    assert model.columns == {"source": "name of the source", "id": "its id", "n": "how many"}
    assert model.parents == ("intermediate.int_things",)
    assert model.params == {"partition_start", "partition_end"}
    assert model.window("intermediate.int_things") == (-3, 1)
    assert model.window("intermediate.int_other") == (-35, 0)


def test_checks_of_the_header_select_the_rows_that_break_them(tmp_path: Path) -> None:
    """A claim that is NULL is broken, too; if this fails, it passes, or a warning stops a build."""
    checks = {check.name: check for check in read_model(write(tmp_path, GOOD), "marts").checks}
    assert checks["has_id"].sql == "select * from marts.fct_things where (id is not null) is not true"
    assert {name: check.warn for name, check in checks.items()} == {
        "has_id": False,
        "is_small": True,
        "one_row_per_grain": False,
    }
    assert all(check.description for check in checks.values())


def test_kinds_follow_from_schema_and_header(tmp_path: Path) -> None:
    """If this fails, a whole table is built per day or a day's table once."""
    plain = "-- Things.\n-- grain: id\nselect id -- its id\nfrom staging.stg_x__things\n"
    assert read_model(write(tmp_path, plain, "a.sql"), "marts").kind == "whole"
    assert read_model(write(tmp_path, plain.replace("stg_x__things", "x"), "b.sql"), "staging").kind == "segment"
    assert (
        read_model(write(tmp_path, "-- V.\n-- kind: view\nselect now() as t -- now\n", "c.sql"), "ops").kind == "view"
    )
    by_day = plain.replace("-- grain", "-- window: 0 days .. 0 days\n-- day: delivery\n-- grain")
    model = read_model(write(tmp_path, by_day, "d.sql"), "ops")
    assert (model.kind, model.by_delivery) == ("day", True)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("-- grain: source, id", "-- grian: source, id", "header line 'grian: source, id'"),
        ("-- check has_id:", "-- check:", "header line"),
        ("-- grain: source, id", "-- grain: source, id\n-- partition: day", "header line 'partition: day'"),
        ("-- grain: source, id", "-- grain: source, id\n-- owner: bob", "header line 'owner: bob'"),
        ("-- grain: source, id\n", "", "names no grain"),
        ("-3 days .. +1 day", "3 days", "window '3 days' is not of the form"),
        ("-- What happened,\n-- in two lines.\n", "", "first comment must say"),
        ("-- how many", "", "describe the columns n"),
        ("intermediate.int_things", "int_things", "write the schema before int_things"),
        ("n + 1 as n   -- how many", "now() as n -- when", "'now' makes the same input give different rows"),
        ("n + 1 as n   -- how many", "random() as n -- luck", "'random' makes"),
        ("n + 1 as n   -- how many", "{{ n }} as n -- how", "Jinja"),
        ("select\n", "select *,\n", "name the columns"),
        ("select\n", "selekt\n", ""),
        ("$partition_end\n", "$partition_end;\nselect 1 -- one\n", "exactly one select"),
        ("select\n", "drop table x;\nselect\n", "exactly one select"),
    ],
)
def test_a_text_that_breaks_a_rule_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    """If this fails, a mistake in a model is found by an analyst."""
    assert said in refused(tmp_path, GOOD.replace(old, new, 1))


def test_words_in_comments_and_strings_are_no_calls(tmp_path: Path) -> None:
    """If this fails, a comment about now() makes a model unreadable."""
    text = GOOD.replace("n + 1 as n   -- how many", "'now()' as n -- not now() but a word")
    assert read_model(write(tmp_path, text), "marts").columns["n"] == "not now() but a word"


def test_the_version_changes_with_the_query_alone(tmp_path: Path) -> None:
    """If this fails, a comment rebuilds everything, or a changed query nothing."""
    version = read_model(write(tmp_path, GOOD), "marts").version
    assert read_model(write(tmp_path, GOOD.replace("in two", "in 2").replace("  ", " ")), "marts").version == version
    assert read_model(write(tmp_path, GOOD.replace("n + 1", "n + 2")), "marts").version != version


def test_models_come_after_what_they_read(tmp_path: Path) -> None:
    """If this fails, a table is built from yesterday's parents."""
    write(tmp_path, GOOD, "marts/fct_a.sql")
    write(tmp_path, GOOD.replace("int_things", "int_z"), "intermediate/int_things.sql")
    write(tmp_path, GOOD.replace("intermediate.int_things", "raw.x"), "intermediate/int_z.sql")
    assert list(read_models(tmp_path)) == ["intermediate.int_z", "intermediate.int_things", "marts.fct_a"]


def test_two_files_cannot_make_one_table(tmp_path: Path) -> None:
    """If this fails, one of them silently wins."""
    write(tmp_path, GOOD, "staging/a/stg_x.sql")
    write(tmp_path, GOOD, "staging/b/stg_x.sql")
    with pytest.raises(ModelError, match=r"makes staging\.stg_x already"):
        read_models(tmp_path)


CHECK = "-- Nothing is negative.\n-- severity: warn\nselect * from marts.fct_things where n < 0\n"


def test_checks_in_files_belong_to_the_model_they_name(tmp_path: Path) -> None:
    """If this fails, a file in sql/checks is never run."""
    write(tmp_path, GOOD)
    write(tmp_path, CHECK, "checks/fct_things__positive.sql")
    found = read_checks(tmp_path, read_models(tmp_path).values())["marts.fct_things"]
    check = next(check for check in found if check.name == "positive")
    assert (check.warn, check.tables, check.description) == (True, ("marts.fct_things",), "Nothing is negative.")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("fct_things.sql", CHECK),
        ("fct_other__positive.sql", CHECK),
        ("fct_things__positive.sql", CHECK.replace("warn", "loud")),
        ("fct_things__positive.sql", CHECK.replace("marts", "ops")),
    ],
)
def test_a_check_that_belongs_nowhere_is_refused(tmp_path: Path, name: str, text: str) -> None:
    """If this fails, a misnamed check looks as if it passed."""
    write(tmp_path, GOOD)
    write(tmp_path, text, f"checks/{name}")
    with pytest.raises(ModelError):
        read_checks(tmp_path, read_models(tmp_path).values())


def test_what_descends_from_unconfigured_feeds_alone_is_left_out(tmp_path: Path) -> None:
    """A site with one vendor would build, store and look at the empty tables of all others, every few minutes."""
    head = "-- Things.\n-- grain: id\nselect id -- its id\nfrom "
    texts = {
        "staging/a/stg_a__x.sql": "raw.a_x",
        "staging/b/stg_b__y.sql": "raw.b_y",
        "intermediate/int_b.sql": "staging.stg_b__y",
        "intermediate/int_all.sql": "staging.stg_a__x union all select id from intermediate.int_b",
        "intermediate/int_windows.sql": "raw.capture_attempts",
        "marts/fct_b.sql": "intermediate.int_b",
    }
    for name, tables in texts.items():
        write(tmp_path, head + tables, name)
    models = read_models(tmp_path)
    assert set(models) - called_for(models, {"raw.a_x"}) == {"staging.stg_b__y", "intermediate.int_b"}
    assert set(models) - called_for(models, {"raw.b_y"}) == {"staging.stg_a__x"}
    assert called_for(models, set()) == set(models)
