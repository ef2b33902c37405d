"""Ctrl-C on a command that works for a long time, with a vendor that never answers: the worst moment there is."""

import signal

import dagster as dg

from orchestration.backfill import recorded
from orchestration.resources import Engine
from orchestration.settings import load_settings
from simulator.faults import Faults
from tests.pipeline.conftest import MakeSite
from tests.pipeline.running import until
from tests.pipeline.site import Site, after, day


def statuses(site: Site) -> list[dg.DagsterRunStatus]:
    """How the runs of a home stand, the newest first."""
    engine = Engine(load_settings(site.home, site.config, site.environ))
    with recorded(engine) as instance:
        return [run.status for run in instance.get_runs()]


def test_a_backfill_that_is_stopped_ends_at_once_and_says_how_to_go_on(make_site: MakeSite) -> None:
    """If this fails, Ctrl-C builds on for minutes, or leaves a traceback and a run that seems to go on for ever."""
    site = make_site(faults=Faults(hang_rate=1.0, hang_seconds=60.0))
    site.server.clock.set(after(1))
    process = site.start("backfill", "--from", str(day(0)), "--to", str(day(1)))
    until(lambda: statuses(site) == [dg.DagsterRunStatus.STARTED], 120)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=20)
    assert (process.returncode, said.strip().splitlines()[-1]) == (130, "stopped; run it again to go on")
    assert "Traceback" not in said
    assert statuses(site) == [dg.DagsterRunStatus.CANCELED]
