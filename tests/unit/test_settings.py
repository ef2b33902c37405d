"""From a file and an environment to settings, or to every error at once. Single keys are tested in test_config."""

import os
from pathlib import Path

import pytest

from assets.cxengage import AGENT_STATES
from assets.cxengage.config import CxEngageConfig
from assets.registry import VENDORS
from orchestration import settings as settings_module
from orchestration.settings import Settings, SettingsError, feed_rows, feeds_of, load_settings, sql_dir

KNOWN = ", ".join(VENDORS)
SOURCE = """
  - name: {name}
    vendor: cxengage
    base_url: https://api.cxengage.net
    tenant_id: 0b8a7c1e-5a3f-11e7-9f5c-0242ac110002
    username: ${{CX_USER}}
    password: ${{CX_PASSWORD}}
"""
ONE = "sources:" + SOURCE.format(name="cx_us")


def write(folder: Path, text: str) -> Path:
    """A file of sources."""
    file = folder / "sources.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def load(folder: Path, text: str, environ: dict[str, str] | None = None) -> Settings:
    """Settings from a text."""
    return load_settings(folder / "home", write(folder, text), environ or {})


def problems(folder: Path, text: str) -> list[str]:
    """The problems of a text, without the file, with which each must begin."""
    with pytest.raises(SettingsError) as caught:
        load(folder, text)
    assert str(caught.value) == "\n".join(caught.value.problems)
    file = f"{folder / 'sources.yaml'}: "
    assert all(problem.startswith(file) and "\n" not in problem for problem in caught.value.problems)
    return [problem.removeprefix(file) for problem in caught.value.problems]


def test_a_whole_file(tmp_path: Path) -> None:
    """A key of the contract would not arrive in the settings."""
    (tmp_path / "roster.csv").touch()
    for name in ("states.csv", "plan.csv", "map.csv"):
        (tmp_path / name).touch()
    top = "report_timezone: Asia/Kolkata\nroster: roster.csv\nstate_map: states.csv\n"
    top += "schedule: plan.csv\nadherence_map: map.csv\nadherence_threshold_seconds: 300\n"
    settings = load(tmp_path, top + ONE + "    enabled: no\n    since: 2026-01-31\n")
    assert settings.report_timezone == "Asia/Kolkata"
    assert (settings.roster, settings.state_map) == (tmp_path / "roster.csv", tmp_path / "states.csv")
    assert (settings.schedule, settings.adherence_map) == (tmp_path / "plan.csv", tmp_path / "map.csv")
    assert settings.adherence_threshold_seconds == 300
    assert settings.sources_file == tmp_path / "sources.yaml"
    [source] = settings.sources
    assert (source.name, source.vendor, source.enabled, str(source.since)) == ("cx_us", "cxengage", False, "2026-01-31")


def test_folders_of_the_home(tmp_path: Path) -> None:
    """Two parts of the product would look in different places, or a user's scripts would find nothing."""
    settings = Settings(tmp_path)
    found = {path.relative_to(tmp_path).as_posix() for path in (settings.lake_dir, settings.spool_dir)}
    assert found == {"lake", "spool"}
    assert settings.warehouse_path == tmp_path / "warehouse.duckdb"
    assert settings.exports_dir == tmp_path / "exports"
    assert settings.dagster_home == tmp_path / "dagster"


def test_defaults_without_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first command on a new machine would fail for want of a file, or leave folders behind."""
    monkeypatch.chdir(tmp_path)
    assert load_settings(environ={}) == Settings(tmp_path / "data")
    assert not list(tmp_path.iterdir())


def test_default_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``./sources.yaml`` would be ignored unless named."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, ONE)
    assert [source.name for source in load_settings(environ={}).sources] == ["cx_us"]


def test_environment_names_home_and_file(tmp_path: Path) -> None:
    """A service configured by environment alone would work in the wrong folder."""
    file = write(tmp_path, ONE)
    environ = {"SHIFTBOOK_HOME": str(tmp_path / "h"), "SHIFTBOOK_SOURCES": str(file)}
    settings = load_settings(environ=environ)
    assert (settings.home, settings.sources_file) == (tmp_path / "h", file)


def test_arguments_win_over_the_environment(tmp_path: Path) -> None:
    """``--home`` and ``--sources`` would be ignored where the variables are set."""
    environ = {"SHIFTBOOK_HOME": "/nowhere", "SHIFTBOOK_SOURCES": "/nowhere.yaml"}
    settings = load_settings(tmp_path / "h", write(tmp_path, ONE), environ)
    assert (settings.home, settings.sources_file) == (tmp_path / "h", tmp_path / "sources.yaml")


def test_empty_variables_are_unset_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``SHIFTBOOK_HOME=`` in a unit file would put the lake into the working directory."""
    monkeypatch.chdir(tmp_path)
    assert load_settings(environ={"SHIFTBOOK_HOME": "", "SHIFTBOOK_SOURCES": ""}).home == tmp_path / "data"


def test_paths_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The views of the warehouse would depend on where a reader was started."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "roster.csv").touch()
    write(tmp_path / "conf", "roster: roster.csv\n" + ONE)
    settings = load_settings(Path("h"), Path("conf/sources.yaml"), {})
    assert settings.home == tmp_path / "h"
    assert settings.roster == tmp_path / "conf" / "roster.csv"


@pytest.mark.parametrize("asked", ["argument", "variable"])
def test_a_file_that_was_asked_for_must_exist(tmp_path: Path, asked: str) -> None:
    """A mistyped path would look like an installation that captures nothing."""
    file = tmp_path / "absent.yaml"
    environ = {"SHIFTBOOK_SOURCES": str(file)} if asked == "variable" else {}
    with pytest.raises(SettingsError, match="no such file") as caught:
        load_settings(sources=file if asked == "argument" else None, environ=environ)
    assert str(caught.value).startswith(f"{file}: ")


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    """A path to a folder would end in a traceback."""
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(sources=tmp_path, environ={})


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "sources:\n", "sources: []\n", "---\n...\n"])
def test_a_file_without_sources(tmp_path: Path, text: str) -> None:
    """Sources that are all commented out would be an error."""
    assert load(tmp_path, text).sources == ()


def test_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    """A file saved by a Windows editor would have an unknown first key."""
    assert load(tmp_path, "\ufeff" + ONE).sources[0].name == "cx_us"


def test_the_live_environment_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets would be frozen at load, or not read from the process's environment at all."""
    monkeypatch.delenv("CX_PASSWORD", raising=False)
    [source] = load_settings(tmp_path, write(tmp_path, ONE)).sources
    monkeypatch.setitem(os.environ, "CX_PASSWORD", "later")
    assert isinstance(source, CxEngageConfig)
    assert source.password.reveal() == "later"


def test_missing_secrets_do_not_stop_loading(tmp_path: Path) -> None:
    """The Dagster UI would not start on a machine that only reads."""
    assert len(load(tmp_path, ONE).sources) == 1


def test_references_within_braces_need_no_quotes(tmp_path: Path) -> None:
    """The contract's own example, ``{secret_key: ${SK}}``, would be a syntax error."""
    keys = "name: cx, vendor: cxengage, base_url: https://a.example, username: ${U}, password: ${P}, tenant_id: ${T}"
    tenant = "0b8a7c1e-5a3f-11e7-9f5c-0242ac110002"
    [source] = load(tmp_path, f"sources: [{{{keys}}}]", {"T": tenant}).sources
    assert source.model_dump()["tenant_id"] == tenant
    assert source.model_dump()["username"] == "${U}"


def test_every_problem_is_reported_at_once(tmp_path: Path) -> None:
    """An operator would mend one line, start again, and meet the next."""
    text = (
        "report_timezone: Europe/Belin\nroster: absent.csv\nsurces: 1\n"
        + ONE.replace("https:", "http:")
        + "    passwrd: x\n"
        + SOURCE.format(name="cx_us")
        + "  - {name: acme, vendor: acme}\n  - text\n  - {vendor: cxengag}\n"
    )
    assert problems(tmp_path, text) == [
        "report_timezone: must be an IANA time zone, as Europe/Berlin; did you mean Europe/Berlin?",
        "roster: no such file; a relative path begins at the folder of sources.yaml",
        "surces: unknown key; did you mean sources?",
        "source cx_us: base_url: plain http would show credentials to the network; use https, or set allow_http: true",
        "source cx_us: passwrd: unknown key; did you mean password?",
        "source cx_us: name: sources 1 and 2 have the same name; rename one",
        f"source acme: vendor: unknown vendor; known vendors: {KNOWN}",
        "source 4: must have keys, as `name:` and `vendor:`",
        f"source 5: vendor: unknown vendor; known vendors: {KNOWN}; did you mean cxengage?",
    ]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            "feeds: [agent_stats]",
            "feeds: unknown feed; cxengage has agent_states, agent_intervals; did you mean agent_states?",
        ),
        ("feeds: agent_states", "feeds: must be a list, as [one, two]"),
        ("verify_tls: perhaps", "verify_tls: must be true or false"),
        ("verify_tls: [1]", "verify_tls: must be true or false"),
        ("ca_bundle: 3", "ca_bundle: must be a path"),
        ("since: 2026-02-30", "since: must be a day, as 2026-01-31"),
        ("retain_raw_days: 0", "retain_raw_days: must be greater than 0"),
        ("zzz: 1", "zzz: unknown key; remove it"),
        ("1: 2", "[1]: a key must be a text; put it in quotes or remove it"),
        ("feeds: []", "feeds: must name a feed; to capture nothing, set enabled: false"),
        ("feeds: [1]", "feeds[0]: must be a text; put it in quotes"),
    ],
)
def test_problems_are_worded_for_the_file(tmp_path: Path, line: str, problem: str) -> None:
    """An operator would read about Python's types instead of what to write."""
    assert problems(tmp_path, f"{ONE}    {line}\n") == [f"source cx_us: {problem}"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{}", [f"source 1: vendor: is required; known vendors: {KNOWN}"]),
        ("{vendor: [cxengage]}", [f"source 1: vendor: unknown vendor; known vendors: {KNOWN}"]),
        (
            "{vendor: cxengage, name: CX, username: null}",
            [
                "source 1: name: must be a-z, 0-9 and _, begin with a letter, and have at most 100 characters",
                "source 1: base_url: is required; add it",
                "source 1: tenant_id: is required; add it",
                "source 1: username: is required; write ${NAME} and set the environment variable NAME",
                "source 1: password: is required; add it",
            ],
        ),
    ],
)
def test_sources_without_a_good_name_have_a_position(tmp_path: Path, source: str, expected: list[str]) -> None:
    """With many sources, nobody would know which one is meant."""
    assert problems(tmp_path, f"sources: [{source}]") == expected


@pytest.mark.parametrize("text", ["sources: {name: cx}", "sources: cx", "sources: 1"])
def test_sources_must_be_a_list(tmp_path: Path, text: str) -> None:
    """A mapping of sources would be read as none, or end in a traceback."""
    assert problems(tmp_path, text) == ["sources: must be a list; begin each source with `- name:`"]


@pytest.mark.parametrize("text", ["[1]", "text", "1"])
def test_the_file_must_hold_keys(tmp_path: Path, text: str) -> None:
    """A list at the top level would end in a traceback."""
    assert problems(tmp_path, text) == ["must hold keys at its top level, as `sources:`"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: [", 2),
        ("a: 1\n\tb: 2", 2),
        ("sources:\n  - name: x\n   vendor: y", 3),
        ("a: 1\nb: 2\na: 3", 3),
        ("sources:\n  - name: a\n    name: b", 3),
        ("password: *hunter2", 1),
        ("password: !hunter2 x", 1),
        ("password: %hunter2", 1),
        ("password: 'hunter2", 1),
        ("a: &x [*x]", 1),
        ("? [a]\n: 1", 1),
    ],
)
def test_syntax_errors_name_the_line_and_quote_nothing(tmp_path: Path, text: str, line: int) -> None:
    """A key that stands twice would silently win, or an unquoted password would be in the message."""
    [problem] = problems(tmp_path, text)
    assert problem.startswith(f"not valid YAML at line {line}, ")
    assert "hunter2" not in problem


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"a: \x01", b"a: \xe4", b"a: " + b"9" * 5000])
def test_files_that_are_no_text(tmp_path: Path, content: bytes) -> None:
    """A file in another encoding would end in a traceback."""
    file = tmp_path / "sources.yaml"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match="is not YAML in UTF-8") as caught:
        load_settings(sources=file, environ={})
    assert str(caught.value).startswith(f"{file}: ")


def test_a_secret_that_became_a_key_is_not_repeated(tmp_path: Path) -> None:
    """``{password:x}``, without a space, is a key to YAML, and the message would name it."""
    *_, problem = problems(tmp_path, "sources: [{vendor: cxengage, password:hunter2}]")
    assert problem.startswith("source 1: (a key that is no name): unknown key")
    assert "hunter2" not in problem


def test_feeds_of_a_source(tmp_path: Path) -> None:
    """A source would capture feeds it does not name, or none where it names none."""
    every, named = load(tmp_path, ONE + SOURCE.format(name="b") + "    feeds: [agent_states, agent_states]\n").sources
    assert feeds_of(every) == feeds_of(named) == (AGENT_STATES,)
    assert feeds_of(every.model_copy(update={"feeds": ("other",)})) == ()


def test_a_feed_with_a_permission_of_its_own_must_be_named(tmp_path: Path) -> None:
    """A user without it would see a source fail that worked until yesterday; one with it could not ask for it."""
    plain, named = load(
        tmp_path,
        ONE + SOURCE.format(name="b") + "    feeds: [agent_intervals, agent_states]\n    interval_unit: milliseconds\n",
    ).sources
    assert [feed.name for feed in feeds_of(plain)] == ["agent_states"]
    assert [feed.name for feed in feeds_of(named)] == ["agent_states", "agent_intervals"]
    assert (plain.sums_unit_seconds(), named.sums_unit_seconds()) == (1.0, 0.001)


def test_feed_rows(tmp_path: Path) -> None:
    """SQL would reckon coverage with other promises than capture, or forget a disabled source's history."""
    text = ONE + SOURCE.format(name="cx_old") + "    enabled: false\n"
    rows = feed_rows(load(tmp_path, text))
    assert [row["source"] for row in rows] == ["cx_us", "cx_old"]
    assert rows[0] == {
        "source": "cx_us",
        "vendor": "cxengage",
        "feed": "agent_states",
        "delay_seconds": 15.0,
        "retention_seconds": 259_200.0,
        "window_seconds": 600.0,
        "state_bearing": True,
        "uncertainty_seconds": 0.0,
        "event_timezone": "UTC",
        "sample_seconds": None,
        "hold_seconds": None,
        "tolerance_seconds": 2.0,
        "sums_unit_seconds": 1.0,
        "stuck_after_hours": 24.0,
    }


def test_sql_folder_of_a_checkout_and_of_a_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed Shiftbook would find no models."""
    package = tmp_path / "orchestration"
    package.mkdir()
    monkeypatch.setattr(settings_module, "__file__", str(package / "settings.py"))
    assert sql_dir() == tmp_path / "sql"
    (package / "_sql").mkdir()
    assert sql_dir() == package / "_sql"


def test_the_example_loads() -> None:
    """The first file that a user edits would be wrong before they touch it."""
    root = Path(settings_module.__file__).parents[1]
    settings = load_settings(sources=root / "sources.yaml", environ={})
    assert [source.vendor for source in settings.sources] == ["cxengage"]


def test_the_commented_keys_of_the_example_load_too(tmp_path: Path) -> None:
    """A user who takes a comment's word for a key would get an error."""
    root = Path(settings_module.__file__).parents[1]
    text = (root / "sources.yaml").read_text(encoding="utf-8")
    lines = text.splitlines()
    keys = [line.replace("# ", "", 1) if line.strip().startswith("# ") and ": " in line else line for line in lines[2:]]
    for name in ("roster.csv", "state_map.csv", "schedule.csv", "adherence_map.csv", "company-ca.pem"):
        (tmp_path / name).touch()
    settings = load(tmp_path, "\n".join(keys))
    assert settings.report_timezone == "Europe/Berlin"
    assert settings.sources[0].retain_raw_days == 400
    assert {source.vendor for source in settings.sources} == VENDORS.keys()
