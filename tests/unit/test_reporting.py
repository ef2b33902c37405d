"""Reports issued on a home: editions, what they are made from, what is said when they cannot be, and who gets them."""

import csv
import hashlib
import json
import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import msgspec
import pyarrow.parquet as pq
import pytest

from assets.config import Secret
from assets.reports.config import ReportConfig
from orchestration import editions, reporting
from orchestration.delivery import DeliveryError
from orchestration.editions import FAILURE, MANIFEST, Exports
from orchestration.files import exchange
from orchestration.inputs import midnight
from orchestration.report_dues import AGAIN_AFTER, Requested, dues
from orchestration.reporting import Issued, ReportError, issue, narrowed, report_named
from orchestration.resources import Engine
from orchestration.settings import Settings
from tests.pipeline.site import day
from tests.pipeline.toy import built, engine_at, filled, land, shift
from tests.reports import sheets

FORMATS = ("csv", "parquet", "xlsx")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Two agents over two days."""
    return filled(tmp_path_factory.mktemp("reporting") / "home")


@pytest.fixture
def settings(home: Engine, tmp_path: Path) -> Settings:
    """The settings of that home, with exports of the test's own."""

    class Elsewhere(Settings):
        exports_dir = tmp_path / "exports"

    return Elsewhere(home.settings.home, sources=home.settings.sources)


def config(report: str = "daily_operations", formats: Sequence[str] = FORMATS, **more: object) -> ReportConfig:
    """A report in formats that are quickly made."""
    return ReportConfig.model_validate({"name": report, "formats": formats, **more})


def named(issued: Issued, ending: str) -> Path:
    """The file of an edition with this ending."""
    [path] = [path for path in issued.paths if path.name.endswith(ending)]
    return path


def test_every_format_equals_the_warehouse(settings: Settings) -> None:
    """If this fails, two people with two files of one report have two figures."""
    issued = issue(settings, config(), day(1))
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as connection:
        query = f"select agent_id, staffed_seconds, handling_seconds from marts.agg_agent_days where date = '{day(1)}'"
        truth = sorted(connection.execute(query).fetchall())
    names = ["agent_id", "staffed_seconds", "handling_seconds"]
    assert [r[1] for r in truth] == [9 * 3600, 11 * 3600]
    table = pq.read_table(named(issued, "agents.parquet"))
    assert sorted(zip(*(table[name].to_pylist() for name in names), strict=True)) == truth
    with named(issued, "agents.csv").open(encoding="utf-8", newline="") as file:
        lines = [[line[name] for name in names] for line in csv.DictReader(file)]
    assert sorted((agent, float(staffed), float(handling)) for agent, staffed, handling in lines) == truth
    head, *cells = sheets(named(issued, ".xlsx"))["2 Agents"]
    places = [head.index(title) for title in ("Agent id", "Staffed", "Handling")]
    found = sorted((line[places[0]], *(round(line[place] * 86_400, 6) for place in places[1:])) for line in cells)
    assert found == truth


def test_a_manifest_lists_what_is_there_and_what_it_was_made_from(settings: Settings) -> None:
    """If this fails, a consumer cannot tell whether the files are whole, nor anybody what went in."""
    issued = issue(settings, config("interval"), day(1))
    manifest = json.loads((issued.folder / MANIFEST).read_bytes())
    listed = {file["name"]: file["sha256"] for file in manifest["files"]}
    there = {path.name for path in issued.folder.iterdir() if path.is_file()} - {MANIFEST}
    assert set(listed) == there
    assert all(hashlib.sha256((issued.folder / n).read_bytes()).hexdigest() == sha for n, sha in listed.items())
    timeline = manifest["inputs"]["marts.fct_agent_intervals"]
    assert len(timeline) == 1
    assert timeline[0].startswith(f"date={day(1)}/")
    assert (manifest["edition"], manifest["complete"], manifest["zone"]) == (1, True, "UTC")
    assert manifest["versions"].keys() >= {"shiftbook", "duckdb"}
    assert {file["rows"] for file in manifest["files"] if file["table"] == "agents"} == {2 * 48}
    newest = named(issued, "agents.csv")
    assert newest.samefile(issued.folder / "editions" / "1" / newest.name)


def test_the_same_builds_make_the_same_bytes_and_no_new_edition(settings: Settings) -> None:
    """If this fails, readers get the same report again and again, or a hash says nothing."""
    first = issue(settings, config(), day(1))
    hashes = {file.name: file.sha256 for file in first.edition.files}
    assert not issue(settings, config(), day(1)).is_new
    (settings.exports_dir / "daily_operations").rename(settings.exports_dir / "aside")
    again = issue(settings, config(), day(1))
    assert again.is_new
    assert {file.name: file.sha256 for file in again.edition.files} == hashes


def test_a_format_that_is_asked_for_takes_none_away(settings: Settings) -> None:
    """If this fails, somebody who asks for a CSV removes the workbook that others link to."""
    issue(settings, config(formats=["xlsx"]), day(1))
    both = issue(settings, config(formats=["csv"]), day(1))
    assert (both.edition.edition, both.edition.formats) == (2, {"csv", "xlsx"})
    assert not issue(settings, config(formats=["xlsx"]), day(1)).is_new


def test_a_day_that_completes_is_issued_again_with_what_changed(tmp_path: Path) -> None:
    """If this fails, readers keep half a day and do not know it."""
    engine = engine_at(tmp_path / "home")
    rows = shift("ann", day(0))
    land(engine, day(0), rows, heard=midnight(day(0)) + timedelta(hours=12, minutes=30))
    built(engine, 1)
    first = issue(engine.settings, config(formats=["csv"]), day(0))
    assert not first.edition.complete
    assert first.edition.warnings[0].startswith("This day is not complete: cx agent_states was seen up to")
    kept = named(first, "agents.csv").read_bytes()
    assert not issue(engine.settings, config(), day(0), patient=True).is_new
    land(engine, day(0), rows)
    built(engine, 1)
    second = issue(engine.settings, config(), day(0), patient=True)
    assert second.is_new
    assert (second.edition.edition, second.edition.complete, second.edition.warnings) == (2, True, [])
    assert second.edition.changes[0] == "The day is complete now."
    assert any(text.startswith("Agents: Staffed 9:00:00 h, before ") for text in second.edition.changes)
    assert (second.folder / "editions" / "1" / named(first, "agents.csv").name).read_bytes() == kept
    assert named(second, "agents.csv").read_bytes() != kept


def test_a_report_that_could_not_run_says_so(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, a missing report looks like one that nobody asked for."""
    issued = issue(settings, config("transfers"), day(1))
    with monkeypatch.context() as patch:
        patch.setattr(reporting, "compose", lambda *_: 1 / 0)
        with pytest.raises(ReportError, match="could not run: division by zero"):
            issue(settings, config("transfers"), day(1))
    note = issued.folder / FAILURE
    assert "division by zero" in note.read_text(encoding="utf-8")
    assert "The edition here is the one before." in note.read_text(encoding="utf-8")
    assert issue(settings, config("transfers"), day(1)).edition == issued.edition
    assert not note.exists()


@pytest.mark.parametrize("scheme", ["", "file://"], ids=["a folder", "an object store"])
def test_readers_elsewhere_are_told_that_a_report_could_not_run(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """If this fails, who reads a share finds nothing there, and waits."""
    (tmp_path / "share").mkdir()
    asked = config("transfers", formats=["csv"], folder=f"{scheme}{tmp_path / 'share'}")
    note = tmp_path / "share" / "transfers" / str(day(1)) / FAILURE

    def fail() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(reporting, "compose", lambda *_: 1 / 0)
            with pytest.raises(ReportError, match=r"division by zero$"):
                issue(settings, asked, day(1))

    for _ in range(2):  # before the first edition, and where the next says what that said
        fail()
        assert "division by zero" in note.read_text(encoding="utf-8")
        issue(settings, asked, day(1))
        assert not note.exists()
        assert (note.parent / MANIFEST).exists()


def test_a_day_that_has_not_begun_is_refused(settings: Settings) -> None:
    """If this fails, a slip of the finger issues an edition that says that nobody works in 2030."""
    tomorrow = (datetime.now(UTC) + timedelta(days=2)).date()
    with pytest.raises(ReportError, match=f"{tomorrow} has not begun in UTC"):
        issue(settings, config(), tomorrow)
    assert not settings.exports_dir.exists()


def test_without_a_warehouse_it_says_what_to_do(tmp_path: Path) -> None:
    """If this fails, the first thing that a new user types ends in a stack trace."""
    settings = Settings(tmp_path / "home")
    with pytest.raises(ReportError, match="run 'shiftbook backfill' first"):
        issue(settings, config(), day(0))
    assert (settings.exports_dir / "daily_operations" / str(day(0)) / FAILURE).exists()
    with pytest.raises(ReportError, match="there is no report nothing; there are: daily_operations, "):
        report_named(settings, "nothing")


@pytest.mark.parametrize("scheme", ["", "file://"], ids=["a folder", "an object store"])
def test_each_edition_is_copied_to_its_readers(settings: Settings, tmp_path: Path, scheme: str) -> None:
    """If this fails, planners load yesterday's file, or half of today's."""
    place = tmp_path / "share"
    place.mkdir()
    asked = config(formats=["csv"], folder=f"{scheme}{place}")
    issued = issue(settings, asked, day(1))
    target = place / "daily_operations" / str(day(1))
    files = target / "editions" / "1" if scheme else target
    assert {p.name for p in files.iterdir()} == {path.name for path in issued.paths} | {MANIFEST}
    assert (target / MANIFEST).read_bytes() == (issued.folder / MANIFEST).read_bytes()
    before = {p: p.stat().st_mtime_ns for p in files.iterdir()}
    issue(settings, asked, day(1))
    assert {p: p.stat().st_mtime_ns for p in files.iterdir()} == before
    issue(settings, config(formats=["csv", "xlsx"], folder=f"{scheme}{place}"), day(1))
    assert json.loads((target / MANIFEST).read_bytes())["edition"] == 2
    assert not [path for path in target.parent.iterdir() if path != target]


def test_a_share_that_is_not_mounted_is_told_and_the_edition_stays(settings: Settings, tmp_path: Path) -> None:
    """If this fails, a folder made in place of a share takes the reports, and nobody reads them."""
    with pytest.raises(DeliveryError, match="no such folder; make or mount it"):
        issue(settings, config(formats=["csv"], folder=str(tmp_path / "none")), day(1))
    assert not (tmp_path / "none").exists()
    assert (settings.exports_dir / "daily_operations" / str(day(1)) / MANIFEST).exists()


def whole(folder: Path) -> bool:
    """Whether all files that a folder's manifest lists are there with their hashes."""
    listed = json.loads((folder / MANIFEST).read_bytes())["files"]
    return all(hashlib.sha256((folder / f["name"]).read_bytes()).hexdigest() == f["sha256"] for f in listed)


def test_a_reader_never_finds_half_an_edition(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, who looks while a report is put in place loads files of two editions."""
    folder = issue(settings, config(formats=["csv"]), day(1)).folder
    seen: list[bool] = []

    def watched(one: Path, other: Path) -> None:
        seen.extend([whole(one), whole(other), whole(one / "editions" / "1"), whole(one / "editions" / "2")])
        exchange(one, other)
        seen.append(whole(other))

    monkeypatch.setattr(editions, "exchange", watched)
    assert issue(settings, config(formats=["csv", "parquet"]), day(1)).folder == folder
    assert seen == [True] * 5
    assert list((settings.exports_dir / ".tmp").iterdir()) == []


def test_one_agents_report_has_a_folder_of_its_own(settings: Settings, tmp_path: Path) -> None:
    """If this fails, one agent's day replaces everybody's, or is sent to everybody."""
    whole = config("agent_timeline", folder=str(tmp_path))
    one = narrowed(whole, ["csv"], ["../ann"])
    assert (one.formats, one.folder) == (("csv",), None)
    issued = issue(settings, narrowed(whole, ["csv"], ["ann"]), day(1))
    assert re.fullmatch("agent_timeline_[0-9a-f]{16}", issued.folder.parts[-2])
    assert issued.edition.title == f"Agent timeline of Ann {day(1)}"
    with named(issued, "states.csv").open(encoding="utf-8", newline="") as file:
        assert {line["agent_id"] for line in csv.DictReader(file)} == {"ann"}
    hostile = issue(settings, one, day(1))
    assert hostile.folder.parent.parent == settings.exports_dir


def test_with_pseudonyms_nobody_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, a report that was to hide people hands out their names."""
    monkeypatch.setenv("PSEUDONYM_KEY", "0123456789abcdef0123456789abcdef")
    key = Secret("PSEUDONYM_KEY", os.environ)
    hidden = config("agent_timeline").model_copy(update={"pseudonymise": True, "pseudonym_key": key})
    one = narrowed(hidden, [], ["ann"])
    issued, narrow = issue(settings, hidden, day(1)), issue(settings, one, day(1))
    assert {file.rows for file in issued.edition.files if file.table == "sessions"} == {2}
    assert {file.rows for file in narrow.edition.files if file.table == "sessions"} == {1}
    assert issued.edition.inputs
    said = [
        json.dumps(sheets(named(found, ".xlsx"))) + str(found.edition) + str(found.folder) for found in (issued, narrow)
    ]
    assert [re.findall(r"(?i)\b(?:ann|bob)\b", text) for text in said] == [[], []]


def test_what_is_due_is_what_was_never_issued_or_whose_builds_changed(settings: Settings) -> None:
    """If this fails, a report is issued every few minutes, or never after an outage."""
    asked = config(formats=["csv"])
    settings = type(settings)(settings.home, sources=settings.sources, reports=(asked,))
    now = midnight(day(2)) + timedelta(minutes=59)
    found, seen = dues(settings, Requested(), now, most=5)
    assert [due.day for due in found] == [day(0)]
    now += timedelta(minutes=1)
    again, _ = dues(settings, seen, now, most=5)
    assert again == []
    found, seen = dues(settings, Requested(), now, most=1)
    assert [due.day for due in found] == [day(1)]
    later, seen = dues(settings, seen, now, most=5)
    assert [due.day for due in later] == [day(0)]
    for number in range(2):
        issue(settings, asked, day(number))
    assert dues(settings, Requested(), now, most=5)[0] == []
    folder = settings.exports_dir / "daily_operations" / str(day(1))
    other = json.loads((folder / MANIFEST).read_bytes())
    other["inputs"]["marts.fct_transfers"] = [f"date={day(1)}/before.parquet"]
    (folder / MANIFEST).write_text(json.dumps(other))
    changed, seen = dues(settings, Requested(), now, most=5)
    assert [due.day for due in changed] == [day(1)]
    assert dues(settings, Requested.read(seen.text), now + 2 * AGAIN_AFTER, most=5)[0] == []


@pytest.mark.parametrize("wrong", ["makes none", "share away", "killed"])
def test_what_was_asked_for_in_vain_is_asked_for_again_each_hour(
    settings: Settings, tmp_path: Path, wrong: str
) -> None:
    """If this fails, a share that was away for a minute costs readers their report, or failing runs fill Dagster."""
    place = tmp_path / "share"
    asked = config(formats=["csv"], folder=str(place))
    settings = type(settings)(settings.home, sources=settings.sources, reports=(asked,))
    now = midnight(day(2)) + timedelta(hours=1)
    found, seen = dues(settings, Requested(), now, most=5)
    assert [due.day for due in found] == [day(1), day(0)]
    if wrong == "share away":
        for due in found:
            with pytest.raises(DeliveryError):
                issue(settings, asked, due.day)
    place.mkdir()
    if wrong == "killed":
        for due in found:
            issue(settings, asked, due.day)
            Exports(settings.exports_dir).begin(asked.name, due.day)
    tried = []
    for number in range(1, 10):
        fresh = msgspec.structs.replace(Requested.read(seen.text), warehouse=0)  # something was published meanwhile
        found, seen = dues(settings, fresh, now + number * AGAIN_AFTER / 2, most=5)
        tried += [due.day for due in found]
    assert tried == [day(1), day(0), day(1), day(0)]
    issue(settings, asked, day(1))
    found, seen = dues(settings, seen, now + 6 * AGAIN_AFTER, most=5)
    assert [due.day for due in found] == [day(0)]
    issue(settings, asked, day(0))
    assert dues(settings, seen, now + 9 * AGAIN_AFTER, most=5)[0] == []


def test_a_day_that_is_not_complete_stays_due_as_long_as_the_vendor_has_it(settings: Settings) -> None:
    """If this fails, "a new edition follows" is not true of a day that completes after a week."""
    asked = config(formats=["csv"], reissue_days=0)
    settings = type(settings)(settings.home, sources=settings.sources, reports=(asked,))
    issue(settings, asked, day(1))
    path = settings.exports_dir / "daily_operations" / str(day(1)) / MANIFEST
    said = json.loads(path.read_bytes())
    said["inputs"]["marts.fct_transfers"] = [f"date={day(1)}/before.parquet"]
    for complete, days, expected in ((True, 1, []), (False, 1, [day(1)]), (False, 30, [])):
        path.write_text(json.dumps({**said, "complete": complete}))
        found, _ = dues(settings, Requested(), midnight(day(2 + days)), most=5)
        assert [due.day for due in found] == expected


def test_nothing_is_due_before_there_is_a_warehouse(tmp_path: Path) -> None:
    """If this fails, a sensor fails every five minutes on a new home."""
    assert dues(Settings(tmp_path), Requested(), datetime.now(UTC), most=5) == ([], Requested())
