"""``reports.yaml``: which reports there are, and what is said of mistakes in it."""

from pathlib import Path

import pytest

from assets.reports.catalogue import REPORTS
from orchestration.settings import Settings, SettingsError, load_settings


def load(folder: Path, reports: str | None, sources: str = "sources: []\n") -> Settings:
    """Settings of a folder with these files."""
    (folder / "sources.yaml").write_text(sources, encoding="utf-8")
    if reports is not None:
        (folder / "reports.yaml").write_text(reports, encoding="utf-8")
    return load_settings(folder / "home", folder / "sources.yaml", {})


def test_without_a_file_every_report_is_issued(tmp_path: Path) -> None:
    """If this fails, who configures nothing gets nothing."""
    reports = load(tmp_path, None).reports
    assert [(report.name, report.report, report.enabled) for report in reports] == [(n, n, True) for n in REPORTS]
    assert all(report.formats == ("csv", "parquet", "xlsx", "html") for report in reports)


def test_the_overview_may_be_said_alone(tmp_path: Path) -> None:
    """If this fails, who wants to hide people on the wall has no reports any more, or names on the wall."""
    settings = load(tmp_path, "overview: {pseudonymise: true, pseudonym_key: '${KEY}'}")
    assert (settings.overview.enabled, settings.overview.pseudonymise) == (True, True)
    assert [report.name for report in settings.reports] == [*REPORTS]
    both = load(tmp_path, "reports: [{name: interval}]\noverview: {enabled: false}")
    assert (len(both.reports), both.overview.enabled) == (1, False)


def test_a_whole_entry(tmp_path: Path) -> None:
    """If this fails, a key of the page on reports does not arrive."""
    text = """\
reports:
  - name: wfm
    report: interval
    formats: [xlsx, csv]
    timezone: Asia/Kolkata
    teams: [Care]
    agents: [101]
    grain_minutes: 15
    hold_minutes: 90
    reissue_days: 14
    folder: out
  - {name: transfers, folder: "s3://bucket/reports", enabled: false}
"""
    first, second = load(tmp_path, text).reports
    assert (first.report, first.formats, first.timezone) == ("interval", ("csv", "xlsx"), "Asia/Kolkata")
    assert (first.teams, first.agents, first.grain_minutes) == (("Care",), ("101",), 15)
    assert (first.hold_minutes, first.reissue_days, first.folder) == (90, 14, str(tmp_path / "out"))
    assert (second.report, second.folder, second.enabled) == ("transfers", "s3://bucket/reports", False)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("colour: blue", "colour: unknown key; reports stand under `reports:`"),
        ("reports: interval", "reports: must be a list; begin each report with `- name:`"),
        ("reports: [7]", "report 1: must have keys, as `name:`"),
        (
            "reports: [{name: wfm}]",
            "report wfm: report: there is no report wfm; set report: to one of daily_operations",
        ),
        ("reports: [{name: Bad Name}]", "report 1: name: must be a-z, 0-9 and _"),
        ("reports: [{name: overview, report: interval}]", "report overview: name: is taken by the page that every"),
        ("reports: [{name: interval, formats: [pdf]}]", "report interval: formats: must be some of csv, parquet"),
        ("reports: [{name: interval, timezone: Mars}]", "report interval: timezone: must be an IANA time zone"),
        ("reports: [{name: interval, grain_minutes: 20}]", "report interval: grain_minutes: must be 15, 30 or 60"),
        ("reports: [{name: interval, colour: x}]", "report interval: colour: unknown key"),
        ("reports: [{name: interval, teams: []}]", "report interval: teams: must name at least one"),
        ("reports: [{name: interval, sources: [x]}]", "report interval: sources: there is no source x in sources.yaml"),
        ("reports: [{name: interval}, {name: interval}]", "report interval: name: there are two reports of this name"),
        ("overview: no", "overview: must have keys, as `pseudonymise:`"),
        ("overview: {colour: x}", "overview: colour: unknown key"),
        ("overview: {pseudonymise: true}", "overview: pseudonym_key: is required with pseudonymise: true"),
        ("reports: [", "not valid YAML at line 1"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_the_way_out(tmp_path: Path, text: str, problem: str) -> None:
    """If this fails, a slip makes another report than was meant, and nobody is told."""
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, text)
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].startswith(f"{tmp_path / 'reports.yaml'}: {problem}")
