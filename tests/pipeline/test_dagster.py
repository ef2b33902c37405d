"""The product through Dagster and its command line, on one home that the tests share in order."""

import dataclasses
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from orchestration.backfill import Runner, recorded
from orchestration.inputs import midnight
from orchestration.outdated import nothing_is_out_of_date
from orchestration.resources import Engine
from orchestration.settings import load_settings
from simulator.centre import Centre
from tests.pipeline.site import SHIFTBOOK, SOURCE, Site, after, day, site
from tests.pipeline.toy import ADDRESS

ROOT = Path(__file__).parent.parent.parent
TIMELINE = dg.AssetKey(["marts", "fct_agent_timeline"])


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, centre: Centre) -> Iterator[Site]:
    """Three days captured and built by one run through Dagster."""
    with site(tmp_path_factory.mktemp("dagster"), centre) as made:
        made.server.clock.set(after(2))
        report = Runner(made.engine, day(0), day(2)).backfill(day(0), day(2))
        assert report.ok, report
        yield made


def test_each_day_has_its_own_row_count_in_dagster(full: Site) -> None:
    """One figure for all days of a backfill would hide a day that came out empty."""
    with recorded(full.engine) as instance:
        for number in range(3):
            asked = dg.AssetRecordsFilter(TIMELINE, asset_partitions=[str(day(number))])
            [record] = instance.fetch_materializations(asked, limit=1).records
            materialisation = record.asset_materialization
            assert materialisation is not None
            found: dict[str, Any] = {name: value.value for name, value in materialisation.metadata.items()}
            [[rows]] = full.ask("select count(*) from marts.fct_agent_timeline where date = ?", day(number))
            assert found["dagster/row_count"] == rows > 0
            assert found["seconds"] > 0
            assert found["bytes"] > 0
            assert found["result"] == "built"
            assert found["picture"].startswith("![What each agent did on ")
            assert 1_000 < len(found["picture"]) < 100_000


def test_each_day_has_figures_that_the_pages_plot(full: Site) -> None:
    """If this fails, the pages show no occupancy and coverage over time, or other than the tables hold."""
    with recorded(full.engine) as instance:
        asked = dg.AssetRecordsFilter(dg.AssetKey(["marts", "agg_agent_days"]), asset_partitions=[str(day(1))])
        [record] = instance.fetch_materializations(asked, limit=1).records
    assert record.asset_materialization is not None
    found: dict[str, Any] = {name: value.value for name, value in record.asset_materialization.metadata.items()}
    occupancy = "occupancy(sum(handling_seconds), sum(wrap_up_seconds), sum(available_seconds))"
    query = f"select round(100 * {occupancy}, 2), count(distinct agent_id) from marts.agg_agent_days where date = ?"
    [[expected, agents]] = full.ask(query, day(1))
    assert (found["occupancy_percent"], found["agents"]) == (expected, agents)
    assert 0 < found["observed_percent"] <= 100


def test_days_that_a_new_model_made_out_of_date_are_found_and_built(full: Site) -> None:
    """If this fails, figures by an old definition stand beside those by the new one, and nobody can tell which."""
    engine = Engine(load_settings(full.home, full.config, full.environ))
    assert engine.out_of_date_days() == []
    model = engine.models["marts.agg_not_ready_reasons"]
    for number in (0, 2):
        builds = engine.builder.builds
        manifest = builds.manifest(model.table, day(number))
        assert manifest is not None
        builds.put(model.table, day(number), dataclasses.replace(manifest, inputs="by the model as it was"))
    assert engine.out_of_date_days() == [day(0), day(2)]
    checked = nothing_is_out_of_date(engine)
    assert isinstance(checked, dg.AssetCheckResult)
    assert not checked.passed
    assert "shiftbook backfill --stale" in (checked.description or "")
    done = full.run("backfill", "--stale")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 days built" in done.stderr
    assert engine.out_of_date_days() == []


def test_a_second_run_asks_for_nothing_and_builds_nothing(full: Site) -> None:
    """A run that is repeated every few minutes must cost nothing when nothing is new."""
    before = full.server.stats()["requests"]
    seen: list[str] = []
    engine = Engine(load_settings(full.home, full.config, full.environ), progress=seen.append)
    report = Runner(engine, day(0), day(2)).backfill(day(0), day(2))
    assert report.ok
    outcomes = {o.result for m in engine.models.values() if m.kind == "day" for o in engine.build(m.table, [day(1)])}
    assert outcomes == {"current"}
    # But for windows with rows that are still open.
    rows = "select event_id from staging.stg_cxengage__agent_states group by 1 having max(ended_at) is null"
    open_rows = full.ask(f"select count(*) from ({rows})")
    assert len([name for name in seen if name.startswith(SOURCE)]) <= open_rows[0][0]
    asked = full.server.stats()["requests"]
    assert isinstance(asked, int)
    assert isinstance(before, int)
    assert asked - before <= open_rows[0][0] + 1


def test_one_source_that_is_down_does_not_stop_the_other(tmp_path: Path) -> None:
    """A vendor's outage at night must not cost the figures of all others, nor go unnoticed."""
    # The days of our own clock: of a source that does not answer nobody knows another.
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    centre = Centre.simulate(5, 16, yesterday, 2)
    with closing(socket.socket()) as unused, site(tmp_path, centre) as made:
        made.server.clock.set(midnight(yesterday) + timedelta(days=1))
        unused.bind(("127.0.0.1", 0))  # bound and not listening: refused
        made.ports["down"] = unused.getsockname()[1]
        made.configure()
        done = made.run("backfill", "--from", str(yesterday), "--to", str(yesterday))
        assert done.returncode == 1
        assert "raw/down/agent_states" in done.stdout
        assert "Traceback" not in done.stdout + done.stderr
        assert made.ask("select count(distinct agent_id) > 5 from marts.agg_agent_days where source = ?", SOURCE) == [
            (True,)
        ]
        told = made.run("sources", "--json")
        assert told.returncode == 1
        rows = {row["source"]: row for row in json.loads(told.stdout)}
        assert rows[SOURCE]["last_error"] is None
        assert rows["down"]["observed_until"] is None
        assert "refused" in rows["down"]["last_error"].lower()


def test_dagsters_own_commands_load_the_code_location(tmp_path: Path) -> None:
    """Whoever starts with ``dagster dev -w workspace.yaml`` must find the same graph."""
    home = tmp_path / "dagster"
    home.mkdir()
    config = tmp_path / "sources.yaml"
    config.write_text(
        f"sources:\n  - {{name: cx, vendor: cxengage, base_url: '{ADDRESS}', "
        "tenant_id: 00000000-0000-0000-0000-000000000000, username: '${A}', password: '${B}'}\n"
    )
    done = subprocess.run(
        [str(SHIFTBOOK.parent / "dagster"), "definitions", "validate", "-w", str(ROOT / "workspace.yaml")],
        env={
            **os.environ,
            "DAGSTER_HOME": str(home),
            "SHIFTBOOK_SOURCES": str(config),
            "SHIFTBOOK_HOME": str(tmp_path / "home"),
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_full_home_answers_questions_from_the_command_line(full: Site) -> None:
    """What a person types first must work as the page says."""
    done = full.run("sql", "--json", "select count(*) as n, min(started_at) as first from marts.fct_agent_timeline")
    assert done.returncode == 0
    [row] = json.loads(done.stdout)
    assert row["n"] > 100
    assert row["first"].startswith(f"{day(0)}T00:00:00+00:00")
    wrong = full.run("sql", "select nonsense from marts.dim_agents")
    assert wrong.returncode == 1
    assert "nonsense" in wrong.stderr
    assert "Traceback" not in wrong.stderr
    assert full.run("sql", "drop view marts.dim_agents").returncode == 1
    told = full.run("sources")
    assert told.returncode == 0
    assert "agent_states" in told.stdout


def test_the_doctor_against_a_vendor_and_against_a_wrong_password(full: Site) -> None:
    """A refused password must be named as such before the vendor forgets three days."""
    # The simulated clock is far from ours; all else is well.
    done = full.run("doctor", "--json")
    rows = json.loads(done.stdout)
    assert [row for row in rows if not row["ok"] and "clock" not in row["check"]] == []
    assert {row["subject"] for row in rows} >= {"configuration", "home", SOURCE}
    refused = full.run("doctor", CX_PASS="wrong-secret-9")
    assert refused.returncode == 1
    assert "bad" in refused.stdout
    assert "password" in refused.stdout
    assert "wrong-secret-9" not in refused.stdout + refused.stderr
