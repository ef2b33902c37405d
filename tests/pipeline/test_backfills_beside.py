"""Backfills from the command line and from Dagster's pages while the day is recorded and read, within one limit.

With ``SHIFTBOOK_TEST_DAYS=30`` it is a month, of which the pages build every table as well; that takes five
minutes.
"""

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration.settings import load_settings
from simulator.centre import Centre
from simulator.clock import SimClock
from simulator.faults import Faults
from simulator.kore import KoreServer
from simulator.kore_events import KoreDialect
from tests.pipeline.running import Up, until
from tests.pipeline.watch import new_connection, onlookers

LIMIT = 300
DAYS = int(os.environ.get("SHIFTBOOK_TEST_DAYS", "4"))
RAW = "raw/kore/agent_activity"
PATIENCE = 300.0 + 60 * DAYS


class Counted(KoreServer):
    """The simulated vendor, which notes when it was asked."""

    def __init__(self, *words: Any, **options: Any) -> None:
        super().__init__(*words, **options)
        self.times: list[float] = []
        answer = self.api.answer

        def noted(request: Any) -> Any:
            self.times.append(time.monotonic())
            return answer(request)

        self.api.answer = noted  # type: ignore[method-assign]

    def most_within(self, seconds: float) -> int:
        """The most requests in any so many seconds."""
        times = sorted(self.times)
        return max((sum(0 <= other - one < seconds for other in times) for one in times), default=0)


@pytest.fixture
def vendor() -> Iterator[Counted]:
    """Six agents until now, at an account that refuses what is over the limit."""
    today = datetime.now(UTC).date()
    centre = Centre.simulate(7, 6, today - timedelta(days=DAYS), DAYS + 2)
    with Counted(centre, SimClock(running=True), dialect=KoreDialect(rate_per_minute=LIMIT)) as server:
        yield server


@pytest.fixture
def running(vendor: Counted, tmp_path: Path, cache_dir: Path) -> Iterator[Up]:
    """``shiftbook up`` on a home with that account."""
    lake = tmp_path / "home" / "lake"
    lake.mkdir(parents=True)
    (lake / ".cache").symlink_to(cache_dir)
    path = tmp_path / "sources.yaml"
    path.write_text(yaml.safe_dump({"sources": [source(vendor)]}))
    environ = {"APP": vendor.app_id, "SECRET": vendor.client_secret}
    up = Up(load_settings(lake.parent, path, environ), environ)
    yield up
    up.end()


def source(vendor: Counted) -> dict[str, Any]:
    """The account as a user would write it."""
    return {
        "name": "kore",
        "vendor": "kore",
        "base_url": vendor.base_url,
        "account_id": vendor.account_id,
        "app_id": "${APP}",
        "client_secret": "${SECRET}",
        "max_requests_per_minute": LIMIT,
        "retention_days": DAYS + 1,
        "since": str(datetime.now(UTC).date() - timedelta(days=DAYS)),
    }


def ago(days: int) -> date:
    """The UTC day so many days ago."""
    return datetime.now(UTC).date() - timedelta(days=days)


def test_many_backfills_keep_the_limit_and_disturb_nobody(running: Up, vendor: Counted) -> None:
    """If this fails, a backfill has the vendor refuse the recorder, or locks out who reads or who else writes."""
    path = running.home / "warehouse.duckdb"
    with ExitStack() as stack:
        [seen] = stack.enter_context(onlookers(new_connection(path)))
        until(lambda: running.address)
        middle = DAYS // 2
        days = [(ago(middle), ago(1)), (ago(1), ago(0))]
        commands = [running.start("backfill", "--from", str(first), "--to", str(last)) for first, last in days]
        selected = [RAW] if DAYS < 30 else tables(running)
        run = launched(running, selected, ago(DAYS), ago(middle + 1))
        said = [(command.communicate()[0], command.returncode) for command in commands]
        until(lambda: running.run_status(run) in {"SUCCESS", "FAILURE"}, PATIENCE)
    assert [(text[-2000:], code) for text, code in said if code] == []
    assert not [text for text, _ in said if "locked" in text.lower()]
    assert running.run_status(run) == "SUCCESS"
    assert seen.wrong == []
    assert seen.looks > 3
    assert vendor.stats()["by_status"] == {"200": len(vendor.times)}
    assert len(vendor.times) > 24 * DAYS
    # Ten at once, and then evenly, for the past and for the present each: unshared, all of it comes within seconds.
    assert vendor.most_within(10.0) <= 2 * 10 + LIMIT / 6

    vendor.set_faults(Faults(hang_rate=1.0, hang_seconds=5.0))
    asked = len(vendor.times)
    run = launched(running, [RAW], ago(0), ago(0))
    until(lambda: running.run_status(run) == "STARTED" and len(vendor.times) > asked)
    running.ask(f'mutation {{terminateRun(runId: "{run}") {{__typename}}}}')
    until(lambda: running.run_status(run) in {"CANCELED", "FAILURE", "SUCCESS"})
    assert running.run_status(run) == "CANCELED"
    vendor.set_faults(Faults())
    again = launched(running, [RAW], ago(0), ago(0))
    until(lambda: running.run_status(again) in {"CANCELED", "FAILURE", "SUCCESS"})
    assert running.run_status(again) == "SUCCESS"


def tables(running: Up) -> list[str]:
    """All assets that have days."""
    query = "{assetNodes {assetKey {path} isExecutable partitionDefinition {description}}}"
    until(lambda: (running.ask(query) or {}).get("assetNodes"))
    nodes = running.ask(query)["assetNodes"]
    return [
        "/".join(node["assetKey"]["path"]) for node in nodes if node["isExecutable"] and node["partitionDefinition"]
    ]


def launched(running: Up, selected: Sequence[str], first: date, last: date) -> str:
    """A run over some days of some assets, as the pages launch one."""
    keys = ", ".join(f"{{path: {json.dumps(key.split('/'))}}}" for key in selected)
    tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    told = ", ".join(f'{{key: "{key}", value: "{value}"}}' for key, value in tags.items())
    return running.launched(
        f"""mutation {{launchRun(executionParams: {{selector: {{repositoryLocationName: "shiftbook",
        repositoryName: "__repository__", jobName: "__ASSET_JOB", assetSelection: [{keys}]}},
        runConfigData: "{{}}", executionMetadata: {{tags: [{told}]}}}}) {{
        __typename ... on LaunchRunSuccess {{run {{runId}}}} ... on PythonError {{message}}}}}}"""
    )
