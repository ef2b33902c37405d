"""What the command line says, and the exit codes that people's schedulers act on; no vendor, no run."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from orchestration import cli, demo, shell
from orchestration.resources import Engine
from tests.pipeline.site import day
from tests.pipeline.toy import engine_at, filled, later


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """A home with a warehouse."""
    return filled(tmp_path_factory.mktemp("cli") / "home", 1)


def run(engine: Engine, *words: str) -> Result:
    """Type a command."""
    settings = engine.settings
    return CliRunner().invoke(cli.main, ["--home", str(settings.home), "--sources", str(settings.sources_file), *words])


def said(result: Result) -> str:
    """All that was printed, on one line."""
    return " ".join((result.stdout + result.stderr).split())


def test_a_report_prints_where_it_is(engine: Engine) -> None:
    """If this fails, a script cannot find the file it asked for, or takes a failure for a report."""
    words = ["report", "interval", "--date", str(day(0)), "--format", "csv"]
    result = run(engine, *words)
    assert result.exit_code == 0, result.stderr
    paths = [Path(line) for line in result.stdout.splitlines()]
    assert [path.name for path in paths] == [f"interval_{day(0)}_{table}.csv" for table in ("teams", "agents")]
    assert all(
        path.is_file() and path.parent == engine.settings.exports_dir / "interval" / str(day(0)) for path in paths
    )
    rows = json.loads(run(engine, *words, "--json").stdout)
    assert [(row["format"], row["edition"]) for row in rows] == [("csv", 1)] * 2
    unknown = run(engine, "report", "nothing", "--date", str(day(0)))
    assert (unknown.exit_code, "there is no report nothing" in said(unknown)) == (1, True)
    assert run(engine, "report", "interval").exit_code == 2


def test_a_report_of_a_day_that_nobody_saw_says_so(engine: Engine) -> None:
    """If this fails, an empty file looks like a day without work."""
    result = run(engine, "report", "transfers", "--date", "2020-01-01", "--format", "csv", "--agent", "eve")
    assert result.exit_code == 0
    assert "Nothing was captured of this day." in said(result)


def test_help_is_everywhere(engine: Engine) -> None:
    """Someone who types --help must never start anything."""
    for name in ["", *cli.main.commands]:
        result = run(engine, *filter(None, [name]), "--help")
        assert result.exit_code == 0
        assert "Usage" in result.stdout


def test_a_range_the_wrong_way_round_is_refused(engine: Engine) -> None:
    """A typing error must not look like a day without data."""
    result = run(engine, "backfill", "--from", str(day(1)), "--to", str(day(0)))
    assert result.exit_code == 1
    assert "swap them" in said(result)


def test_what_is_no_day_is_a_usage_error(engine: Engine) -> None:
    """An unreadable day must not become today."""
    result = run(engine, "backfill", "--from", "yesterday", "--to", str(day(0)))
    assert result.exit_code == 2
    assert "--from" in said(result)


def test_an_unknown_source_is_refused_with_the_known_ones(engine: Engine) -> None:
    """A typing error in a name must not look like a source without data."""
    result = run(engine, "backfill", "--from", str(day(0)), "--to", str(day(0)), "--source", "cy")
    assert result.exit_code == 1
    assert "cy" in said(result)
    assert "there are: cx" in said(result)


def test_without_a_warehouse_the_way_to_one_is_told(tmp_path: Path) -> None:
    """The first query before the first backfill must say what to do."""
    result = run(engine_at(tmp_path / "home"), "sql", "select 1")
    assert result.exit_code == 1
    assert "shiftbook backfill" in said(result)


def test_a_wrong_query_is_told_without_a_trace(engine: Engine) -> None:
    """A misspelt column is no failure of ours."""
    result = run(engine, "sql", "select nonsense from marts.dim_agents")
    assert result.exit_code == 1
    assert "nonsense" in said(result)
    assert isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("command", ["publish", "housekeeping", "sources", "compact", "up"])
def test_a_file_that_forgets_a_source_is_told_without_a_trace(engine: Engine, tmp_path: Path, command: str) -> None:
    """If this fails, a wrong --sources empties tables with exit code 0, or shows a traceback."""
    empty = tmp_path / "sources.yaml"
    empty.write_text("sources: []\n")
    words = ["--home", str(engine.settings.home), "--sources", str(empty), command]
    result = CliRunner().invoke(cli.main, words)
    assert (result.exit_code, "holds source cx of cxengage" in said(result)) == (1, True)
    assert isinstance(result.exception, SystemExit)


def test_json_can_be_read_and_has_times_in_iso(engine: Engine) -> None:
    """Scripts read what people do not."""
    query = "select agent_id, first_seen_at, null as nothing, 1.5::double as x from marts.dim_agents order by 1"
    rows = json.loads(run(engine, "sql", "--json", query).stdout)
    assert [row["agent_id"] for row in rows] == ["ann", "bob"]
    assert datetime.fromisoformat(rows[0]["first_seen_at"]) == datetime(2026, 11, 2, 8, tzinfo=UTC)
    assert (rows[0]["nothing"], rows[0]["x"]) == (None, 1.5)


def test_json_is_one_document_that_every_parser_reads(engine: Engine) -> None:
    """Bare NaN, decimals in quotes or two documents in a row break the scripts that read them."""
    numbers = "'nan'::double as n, [1.5::double, 'infinity'] as l, 0.25::decimal(9, 2) as d"
    rows = f"select {numbers}, map {{date '2026-11-02': 7::decimal(9, 2)}} as m"
    whole = run(engine, "sql", "--json", f"set timezone = 'Asia/Kolkata'; {rows}").stdout
    found = json.loads(whole, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert found[1] == [{"n": None, "l": [1.5, None], "d": 0.25, "m": {"2026-11-02": 7}}]
    assert len(found) == 2


def test_a_table_is_printed_whole(engine: Engine) -> None:
    """Columns cut off in a pipe cannot be searched."""
    result = run(engine, "sql", "select * from marts.dim_agents")
    assert result.exit_code == 0
    assert "Ann" in result.stdout
    assert "no rows" in run(engine, "sql", "select 1 where false").stdout


def test_a_source_never_captured_is_listed_and_not_well(tmp_path: Path) -> None:
    """A source that nobody ever asked must not look healthy."""
    result = run(engine_at(tmp_path / "home"), "sources", "--json")
    assert result.exit_code == 1
    [row] = json.loads(result.stdout)
    assert (row["source"], row["feed"], row["last_error"]) == ("cx", "agent_states", "never captured")


def test_healthy_sources_exit_with_0(engine: Engine) -> None:
    """A monitor must be able to hang on the exit code."""
    result = run(engine, "sources", "--json")
    assert result.exit_code == 0, said(result)
    [row] = json.loads(result.stdout)
    assert row["observed_until"]


def test_publishing_prints_where_to(engine: Engine) -> None:
    """Scripts take the path from here."""
    result = run(engine, "publish")
    assert result.exit_code == 0
    assert result.stdout.strip() == str(engine.settings.warehouse_path)


def test_compacting_says_how_much(tmp_path: Path) -> None:
    """Whoever runs it at night wants to see that it did something, or nothing."""
    made = filled(tmp_path / "home", 1)
    later(made)
    for said in ("1 days merged", "0 days merged"):
        result = run(made, "compact")
        assert result.exit_code == 0
        assert result.stdout.strip() == said


def test_a_wrong_configuration_names_file_source_and_key(tmp_path: Path) -> None:
    """An error that does not say where it is costs an hour."""
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({"sources": [{"name": "cx", "vendor": "cxengage", "password": "hunter2"}]}))
    result = CliRunner().invoke(cli.main, ["--sources", str(path), "sources"])
    assert result.exit_code == 1
    for word in ("mine.yaml", "source cx", "tenant_id", "password"):
        assert word in said(result)
    assert "hunter2" not in said(result)


def test_a_sources_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A misspelt path must not read as a configuration without sources."""
    result = CliRunner().invoke(cli.main, ["--sources", str(tmp_path / "none.yaml"), "sources"])
    assert result.exit_code == 1
    assert "no such file" in said(result)


def test_nobody_writes_into_a_home_of_somebody_else(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, root types what an alarm says, and leaves locks that the service cannot open."""
    theirs = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: theirs)
    before = sorted(engine.settings.home.rglob("*"))
    days = ["--from", str(day(0)), "--to", str(day(0))]
    for words in (["backfill", *days], ["doctor"], ["housekeeping"], ["publish"], ["record"], ["up"], ["demo"]):
        result = run(engine, *words)
        assert (result.exit_code, f"{engine.settings.home} belongs to" in said(result)) == (1, True), words
        assert "systemd-run" in said(result)
    assert sorted(engine.settings.home.rglob("*")) == before
    assert run(engine, "sources").exit_code == 0
    assert run(engine, "sql", "select 1").exit_code == 0


def test_statements_come_from_standard_input_too(engine: Engine) -> None:
    """``shiftbook sql < question.sql`` must run all of it, and a script must see that one of them is wrong."""
    settings = engine.settings
    words = ["--home", str(settings.home), "--sources", str(settings.sources_file), "sql", "--csv"]
    done = CliRunner().invoke(cli.main, words, input="select\n41 + 1 as x; -- a remark;\nselect ';,' as y;")
    assert (done.exit_code, done.stdout) == (0, 'x\n42\ny\n";,"\n')
    wrong = CliRunner().invoke(cli.main, words, input="select 1 as x;\nselect nope;\nselect 3;")
    assert (wrong.exit_code, wrong.stdout) == (1, "x\n1\n")
    assert "nope" in wrong.stderr


def test_csv_has_a_heading_and_times_with_their_offset(engine: Engine) -> None:
    """What is loaded elsewhere must not depend on this terminal's width or zone."""
    result = run(engine, "sql", "--csv", "select agent_id, first_seen_at, null as n from marts.dim_agents order by 1")
    assert result.stdout.splitlines()[:2] == ["agent_id,first_seen_at,n", "ann,2026-11-02T08:00:00+00:00,"]


def test_the_shell_runs_queries_until_the_end(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The interactive shell must outlive a wrong query and a Ctrl-C, and tell what there is to ask."""
    typed = iter(
        [
            "select",
            "41 + 1;",
            "select nope;",
            "select",
            "",
            ".tables",
            ".describe marts.dim_agents",
            ".x",
            "select 'here';",
        ]
    )

    def typing(_: str) -> str:
        line = next(typed, None)
        if line == "":
            raise KeyboardInterrupt
        if line is None:
            raise EOFError
        return line

    monkeypatch.setattr("builtins.input", typing)
    shell.converse(engine.settings.warehouse_path, "csv")
    said = capsys.readouterr()
    assert "42" in said.out
    assert "here" in said.out
    assert "agent_state_at(at_time)" in said.out
    assert "marts.fct_agent_timeline" in said.out
    assert "first_seen_at,TIMESTAMP WITH TIME ZONE" in said.out


def test_forgetting_tells_first_and_then_does(tmp_path: Path) -> None:
    """Removal for good must not be the first thing that happens, nor fail in silence."""
    engine = filled(tmp_path / "home", 1)
    looked = run(engine, "forget", "ann")
    assert looked.exit_code == 0
    assert "repeat it with --yes" in said(looked)
    done = run(engine, "forget", "ann", "--yes")
    assert done.exit_code == 0, said(done)
    assert "2 raw replies cut" in said(done)
    unknown = run(engine, "forget", "nobody")
    assert unknown.exit_code == 1
    assert "--source" in said(unknown)


def test_the_simulator_is_told_where_to_lay_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, nobody can try files of CC-FS without a call centre of their own."""
    told: list[object] = []
    monkeypatch.setattr(demo, "serve_simulator", lambda **words: told.append(words["files"]))
    for words in (["--files", str(tmp_path / "new")], []):
        assert CliRunner().invoke(cli.main, ["serve-simulator", *words]).exit_code == 0
    assert told == [tmp_path / "new", None]


def test_ports_that_cannot_be_had_are_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, a mistyped port, or one in use, ends in a traceback."""

    def taken(**_: object) -> None:
        raise OSError(98, "Address already in use")

    monkeypatch.setattr(demo, "serve_simulator", taken)
    for command, port in (("serve-simulator", "65533"), ("up", "65536")):
        refused = CliRunner().invoke(cli.main, [command, "--port", port])
        assert (refused.exit_code, f"{port} is not in the range" in said(refused)) == (2, True)
    result = CliRunner().invoke(cli.main, ["serve-simulator"])
    assert (result.exit_code, "Address already in use" in said(result)) == (1, True)


def test_a_missing_variable_is_named_by_a_backfill(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commonest mistake must be found by its name, and not as a refused password."""
    monkeypatch.delenv("TOY_USER", raising=False)
    monkeypatch.delenv("TOY_PASSWORD", raising=False)
    result = run(engine, "backfill", "--from", str(day(0)), "--to", str(day(0)), "--select", 'key:"raw/*"')
    assert result.exit_code == 1
    assert "TOY_USER" in said(result) or "TOY_PASSWORD" in said(result)


def test_a_recording_says_what_is_not_recorded(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recorder that hears nothing must not end as if all were well."""
    monkeypatch.setenv("TOY_USER", "u")
    monkeypatch.setenv("TOY_PASSWORD", "p")
    result = run(engine, "record", "--for", "0.2")
    assert result.exit_code == 1
    assert "cx/agent_states is not recorded" in said(result)
    unknown = run(engine, "record", "--source", "cy", "--for", "1")
    assert unknown.exit_code == 1
    assert "there are: cx" in said(unknown)
