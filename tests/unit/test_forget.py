"""A person removed from a home: nothing of them is left, everybody else's figures are, and they do not come back."""

import fcntl
import shutil
import sqlite3
import threading
import zipfile
from contextlib import closing, suppress
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from assets.config import Secret
from assets.reports.config import OverviewConfig, ReportConfig
from assets.reports.pseudonyms import Pseudonyms
from orchestration.aside import set_aside
from orchestration.builds import Builds, Manifest
from orchestration.compaction import compact_closed_days
from orchestration.forget import ForgetError, Forgetting
from orchestration.forget_words import done, found
from orchestration.inputs import midnight
from orchestration.lake import segments_of
from orchestration.leaves import Leaves
from orchestration.removed import note
from orchestration.reporting import issue, narrowed
from orchestration.resources import Engine
from orchestration.tombstones import FOLDER, LOG, Deed, Tombstones
from tests.pipeline.site import day, opened
from tests.pipeline.toy import DELAY, built, engine_at, land, later, shift
from tests.traces import traces

GONE = ("annabel-1", "Annabel-1")
BOB = "select * exclude (transfers_in, transfers_out) from marts.agg_agent_days where agent_id = 'bob' order by date"


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of two days on which Annabel and Bob work, to be copied: building it takes seconds."""
    home = tmp_path_factory.mktemp("forget") / "home"
    engine = engine_at(home)
    for number in range(2):
        land(engine, day(number), rows(number))
    built(engine)
    return home


@pytest.fixture
def engine(full: Path, tmp_path: Path) -> Engine:
    """The product on a copy of it."""
    shutil.copytree(full, tmp_path / "home")
    copy = engine_at(tmp_path / "home")
    copy.warehouse.publish()
    return copy


def rows(number: int) -> list[dict[str, Any]]:
    """What the vendor says of a day."""
    said = shift(GONE[0], day(number)) + shift("bob", day(number), (9, 11, 12, 20))
    for row in said:
        for transfer in row.get("transfers", []):
            transfer["toAgentId"] = "bob" if row["agentId"] == GONE[0] else GONE[0]
            transfer["interactionId"] = f"i{number}"
    return said


def ask(engine: Engine, query: str) -> list[tuple[object, ...]]:
    """One query on the warehouse."""
    with opened(engine.settings.home) as connection:
        return connection.execute(query).fetchall()


def forget(engine: Engine) -> Forgetting:
    """Do it; what is still found afterwards is nothing."""
    forgetting = Forgetting(engine, GONE[0])
    _, left = forgetting.carry_out(forgetting.survey())
    assert not left.found
    return forgetting


def test_nothing_is_left_and_everybody_else_stays(engine: Engine) -> None:
    """One file with the name in it, in a folder that nobody thought of, and the person was not forgotten."""
    home = engine.settings.home
    before = ask(engine, BOB)
    assert len(traces(home, *GONE)) > 20
    forget(engine)
    assert traces(home, *GONE) == []
    assert ask(engine, BOB) == before != []
    handed = "select from_agent_id, to_kind, to_id, count(*) from marts.fct_transfers group by all"
    assert ask(engine, handed) == [("bob", "agent", "forgotten", 2)]
    # Who must prove it needs a record, and one with the name in it is none.
    [line] = (engine.lake.root / FOLDER / LOG).read_bytes().splitlines()
    deed = msgspec.json.decode(line, type=Deed)
    assert (deed.source, deed.pages, deed.files, deed.days) == ("cx", 4, 4, 2)
    assert deed.agent == Tombstones(engine.lake.root).digest("agent", GONE[0])


def test_exports_logs_and_dagsters_databases_are_cleaned(tmp_path: Path) -> None:
    """Check results and run logs repeat rows, reports are made of them."""
    home = tmp_path
    for name in ("daily/2026-11-02", "daily/2026-11-03"):
        (home / "exports" / name).mkdir(parents=True)
    with zipfile.ZipFile(home / "exports" / "daily" / "2026-11-02" / "daily.xlsx", "w") as book:
        book.writestr("xl/sharedStrings.xml", f"<t>{GONE[1]}</t>")
    (home / "exports" / "daily" / "2026-11-03" / "daily.csv").write_text("bob,1\n")
    (home / "dagster" / "history").mkdir(parents=True)
    (home / "dagster" / "stdout.log").write_text(f"row of {GONE[0]}\n")
    database = home / "dagster" / "history" / "runs.db"
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("create table event_logs (id integer, event text)")
        connection.execute("insert into event_logs values (1, ?), (2, 'bob')", [f'{{"sample": "{GONE[0]}"}}'])
    leaves = Leaves(home, GONE[0], [GONE[1]])
    assert (leaves.remove_exports(), leaves.clean_texts()) == (1, 2)
    assert traces(home, *GONE) == []
    assert [path.name for path in (home / "exports" / "daily").iterdir()] == ["2026-11-03"]
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("select event from event_logs order by id").fetchall() == [
            ('{"sample": "forgotten"}',),
            ("bob",),
        ]


def test_neither_a_report_of_them_nor_a_pseudonym_is_left(engine: Engine) -> None:
    """If this fails, a folder bears the name of who was forgotten, or whoever has the key finds them in an export."""
    settings = engine.settings
    key = Secret("KEY", {"KEY": "0123456789abcdef"})
    hidden = ReportConfig(name="hidden", report="agent_timeline", formats=("csv", "parquet"))
    hidden = hidden.model_copy(update={"pseudonymise": True, "pseudonym_key": key})
    plain = ReportConfig(name="agent_timeline", formats=("csv",))
    issue(replace(settings, reports=(hidden,)), hidden, day(1))
    one = narrowed(plain, [], [GONE[0]])
    issue(settings, one, day(1))
    pseudonym = Pseudonyms("0123456789abcdef").agent("cx", GONE[0])
    assert len(traces(settings.exports_dir, pseudonym)) >= 4
    other = Engine(replace(settings, reports=(hidden, plain)))
    forget(other)
    assert traces(settings.home, *GONE, pseudonym) == []
    assert not [path for path in settings.home.rglob("*") if GONE[0] in path.name]
    assert not (settings.exports_dir / one.name).exists()


def test_without_the_key_of_pseudonyms_nobody_is_forgotten_by_half(engine: Engine) -> None:
    """If this fails, a row of theirs stays in a pseudonymised export, and the command says that all is gone."""
    hidden = OverviewConfig().model_copy(update={"pseudonymise": True, "pseudonym_key": Secret("KEY", {})})
    with pytest.raises(ForgetError, match=r"KEY is not set.*exports with pseudonyms cannot be searched"):
        Forgetting(Engine(replace(engine.settings, overview=hidden)), GONE[0])


def test_who_is_still_at_work_is_so_afterwards(engine: Engine) -> None:
    """If this fails, nobody knows any more that a colleague's state was seen open: their time ends unobserved."""
    on = day(2)
    said = shift(GONE[0], on, (8, 12, 13, 14)) + shift("bob", on, (9, 11, 12, 20))
    said[-1] |= {"end": None, "transfers": []}
    land(engine, on, said, heard=midnight(on) + timedelta(hours=15))
    built(engine, 3)
    before = ask(engine, BOB)
    forget(engine)
    assert ask(engine, BOB) == before
    # What lands now is cut, too, and its attempt names what landed.
    land(engine, on, said, heard=midnight(on) + timedelta(hours=16))
    built(engine, 3)
    [(until,)] = ask(engine, f"select max(ended_at) from marts.fct_agent_timeline where date = '{on}' and is_open")
    assert until == midnight(on) + timedelta(hours=16) - DELAY


def test_a_later_capture_does_not_bring_them_back(engine: Engine) -> None:
    """The vendor still has them, and a backfill asks for what it has; an identical reply writes nothing."""
    forget(engine)
    files = sorted(engine.lake.root.glob("raw/**/*.parquet"))
    for number in range(2):
        land(engine, day(number), rows(number))
    assert sorted(engine.lake.root.glob("raw/**/*.parquet")) == files
    land(engine, day(2), rows(2))
    assert traces(engine.settings.home, *GONE) == []


@pytest.mark.parametrize("step", ["cut", "build"])
def test_who_is_killed_amid_it_does_it_again(engine: Engine, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a forgetting that cannot be finished leaves the other half for good."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(
            "orchestration.rawcut.RawPartition._put" if step == "cut" else "orchestration.forget.rebuild", killed
        )
        with pytest.raises(KeyboardInterrupt):
            forget(engine)
    forget(engine)
    assert traces(engine.settings.home, *GONE) == []


def test_merged_segments_are_cut_within(engine: Engine) -> None:
    """A closed day's segments lie in one file, which names them."""
    later(engine)
    assert compact_closed_days(engine.builder, engine.feeds) == 2
    before = ask(engine, BOB)
    forget(engine)
    assert traces(engine.settings.home, *GONE) == []
    assert ask(engine, BOB) == before
    assert len(list(engine.lake.root.glob("raw/**/*-merged.parquet"))) == 2


def test_what_was_staged_of_removed_segments_is_cut_too(engine: Engine) -> None:
    """With ``retain_raw_days`` staged rows are all there is of a day, and keep whoever is not cut out of them."""
    for folder in engine.lake.root.glob("raw/cxengage/agent_states/source=cx/date=*"):
        note(engine.lake, "cxengage", "agent_states", "cx", date.fromisoformat(folder.name[5:]), segments_of(folder))
        shutil.rmtree(folder)
    before = ask(engine, BOB)
    forget(engine)
    assert traces(engine.settings.home, *GONE) == []
    assert ask(engine, BOB) == before
    assert ask(engine, "select to_id, count(*) from marts.fct_transfers group by all") == [("forgotten", 2)]


def test_no_build_beside_it_puts_back_what_was_staged(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, a build that read what was staged before puts it back, and who was forgotten is published."""
    [kept, *_] = sorted(engine.lake.root.glob("raw/cxengage/agent_states/source=cx/date=*"))
    note(engine.lake, "cxengage", "agent_states", "cx", day(0), segments_of(kept))
    shutil.rmtree(kept)
    put, free = Builds.put, []

    def watched(builds: Builds, table: str, on: date | None, manifest: Manifest) -> None:
        with suppress(BlockingIOError), (builds.lake.root / ".locks" / f"{table}-{on}.lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            free.append((table, on))
        put(builds, table, on, manifest)

    with monkeypatch.context() as patch:
        patch.setattr(Builds, "put", watched)
        forget(engine)
    assert free == []
    assert traces(engine.settings.home, *GONE) == []


def test_what_was_staged_of_a_reply_that_is_gone_goes_too(engine: Engine) -> None:
    """If this fails, who stands in a file that was set aside and deleted, as told, is published for good."""
    for path in engine.lake.root.glob("raw/cxengage/agent_states/source=cx/date=*/*.parquet"):
        path.unlink()
    forget(engine)
    assert traces(engine.settings.home, *GONE) == []


def test_rows_that_are_left_are_told(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, the command says that all is gone while tables still name them."""
    monkeypatch.setattr("orchestration.forget.outdate", lambda *_: None)
    before = Forgetting(engine, GONE[0])
    survey = before.survey()
    deed, left = before.carry_out(survey)
    assert (left.found, left.pages) == (True, 0)
    assert "staged rows of 2 days name them; repeat this" in done(deed, survey, left)


def test_what_others_write_meanwhile_stays(engine: Engine) -> None:
    """If this fails, a file that another process is writing goes under it, and its build or capture ends in error."""
    waiting = engine.lake.root / ".tmp" / "another.tmp"
    waiting.parent.mkdir(exist_ok=True)
    waiting.write_bytes(b"half")
    forget(engine)
    assert waiting.exists()


def test_what_a_build_is_about_to_put_in_place_stays(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, a build beside it names files that are gone: of removed raw segments, rows are lost for good."""
    put, cleaning = Builds.put, []

    def amid(builds: Builds, table: str, on: date | None, manifest: Manifest) -> None:
        clean = threading.Thread(target=engine.warehouse.clean, kwargs={"grace": timedelta(seconds=-1)})
        clean.start()
        clean.join(0.5)  # it waits for this build
        cleaning.append(clean)
        put(builds, table, on, manifest)

    model = next(model for model in engine.models.values() if model.kind == "segment")
    land(engine, day(1), shift("cat", day(1)), windows=1)
    with monkeypatch.context() as patch:
        patch.setattr(Builds, "put", amid)
        engine.builder.stage(model, day(1))
    for clean in cleaning:
        clean.join()
    assert len(cleaning) == 1
    assert engine.builder.builds.is_whole(model.table, day(1))


def test_what_nobody_can_look_into_is_said(engine: Engine) -> None:
    """A file that could not be read may name them, and would be put back from a backup one day."""
    [path, *_] = sorted(engine.lake.root.glob("raw/cxengage/agent_states/source=cx/date=*/*.parquet"))
    set_aside(engine.lake.root, path)
    forgetting = Forgetting(engine, GONE[0])
    assert "1 files in lake/unreadable cannot be searched; delete them" in found(forgetting.survey(), "cx")


def test_without_yes_nothing_changes(engine: Engine) -> None:
    """A look that removes is no look."""
    home = engine.settings.home
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*.parquet")}
    survey = Forgetting(engine, GONE[0]).survey()
    assert (survey.pages, survey.names) == (4, {GONE[1]})
    assert {path: path.stat().st_mtime_ns for path in home.rglob("*.parquet")} == before
    assert not (engine.lake.root / ".forgotten" / "log.jsonl").exists()


def test_the_users_own_roster_comes_first(engine: Engine, tmp_path: Path) -> None:
    """What the roster names, each build would bring back."""
    roster = tmp_path / "roster.csv"
    roster.write_text(f"source,agent_id,person_id,display_name,team\ncx,bob,1,Bob,A\ncx,{GONE[0]},2,{GONE[1]},A\n")
    with pytest.raises(ForgetError, match=r"roster\.csv, line 3"):
        Forgetting(engine_at(engine.settings.home, roster=str(roster)), GONE[0])


def test_who_is_unknown_is_refused(engine: Engine) -> None:
    """A slip of the finger must not read as if somebody had been forgotten."""
    with pytest.raises(ForgetError, match="--source"):
        Forgetting(engine, "nobody")
    with pytest.raises(ForgetError, match="there are: cx"):
        Forgetting(engine, GONE[0], "cy")
