"""Everything stood still for sixty hours; then somebody starts ``shiftbook up``, and nothing more is done by hand."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from orchestration.resources import Engine
from orchestration.settings import load_settings
from orchestration.watch import FeedNow, Stretch
from simulator.centre import Centre
from simulator.clock import SimClock
from simulator.cxengage import CxEngageServer
from simulator.kore import KoreServer
from simulator.kore_events import KoreDialect
from tests.pipeline.running import Up, until
from tests.pipeline.site import opened
from tests.unit.test_webhook import Receiver

HOURS = 60
DOWN = timedelta(hours=HOURS)
MINUTE = timedelta(minutes=1)
KEPT = timedelta(days=2)  # by Kore; CxEngage keeps three


class Account:
    """A home with two vendors, who know when it stopped and that it is later now."""

    def __init__(self, home: Path, cx: CxEngageServer, kore: KoreServer, receiver: Receiver, stopped: datetime) -> None:
        self.cx, self.kore, self.receiver, self.stopped = cx, kore, receiver, stopped
        home.mkdir(parents=True, exist_ok=True)
        self.sources = home.parent / "sources.yaml"
        self.environ = {
            "CX_USER": cx.username,
            "CX_PASS": cx.password,
            "APP": kore.app_id,
            "SECRET": kore.client_secret,
            "HOOK": receiver.address,
        }
        self.sources.write_text(yaml.safe_dump(self._configuration()))
        self.settings = load_settings(home, self.sources, self.environ)
        self.engine = Engine(self.settings)

    def _configuration(self) -> dict[str, object]:
        since = str(self.stopped.date())
        cx = {
            "name": "cx",
            "vendor": "cxengage",
            "base_url": self.cx.base_url,
            "tenant_id": self.cx.tenant_id,
            "username": "${CX_USER}",
            "password": "${CX_PASS}",
            "since": since,
        }
        kore = {
            "name": "kore",
            "vendor": "kore",
            "base_url": self.kore.base_url,
            "account_id": self.kore.account_id,
            "app_id": "${APP}",
            "client_secret": "${SECRET}",
            "retention_days": KEPT.days,
            "since": since,
        }
        return {"alarms": {"webhook": "${HOOK}"}, "sources": [cx, kore]}

    def then(self, *words: str) -> None:
        """A command as it was run when everything still ran."""
        command = [sys.executable, "-m", "tests.pipeline.back_then", str(HOURS), "--home", str(self.settings.home)]
        ended = subprocess.run([*command, "--sources", str(self.sources), *words], env=self.environ, check=False)
        assert ended.returncode == 0

    def feeds(self) -> dict[str, FeedNow]:
        """How the feeds stand."""
        return {feed.source.name: feed for feed in self.engine.watch.look(datetime.now(UTC))}


@pytest.fixture
def account(tmp_path: Path, cache_dir: Path) -> Iterator[Account]:
    """What was captured and recorded until sixty hours ago, by the clocks of all concerned."""
    now = datetime.now(UTC)
    stopped = now - DOWN
    centre = Centre.simulate(11, 6, stopped.date() - timedelta(days=1), 5)
    clocks = [SimClock(stopped, running=True), SimClock(stopped, running=True)]
    lake = tmp_path / "home" / "lake"
    lake.mkdir(parents=True)
    (lake / ".cache").symlink_to(cache_dir)
    with ExitStack() as stack:
        cx = stack.enter_context(CxEngageServer(centre, clocks[0]))
        kore = stack.enter_context(KoreServer(centre, clocks[1], dialect=KoreDialect(retention_days=KEPT.days)))
        receiver = Receiver()
        stack.callback(receiver.server_close)
        stack.callback(receiver.shutdown)
        made = Account(lake.parent, cx, kore, receiver, stopped)
        made.then("backfill", "--from", str(stopped.date()), "--to", str(stopped.date()))
        made.then("record", "--for", "3")
        for clock in clocks:
            clock.set(datetime.now(UTC))
        yield made


def recovered(feed: FeedNow) -> bool:
    """Whether nothing is missing but what nobody can have asked for yet."""
    return all(stretch.start > feed.at - feed.usual - 2 * MINUTE for stretch in feed.missing)


def test_what_still_exists_is_recovered_beside_the_present(account: Account) -> None:
    """If this fails, a weekend without power costs more than the vendors forgot, or today's figures as well."""
    levels: dict[str, list[str]] = {"cx": [], "kore": []}
    assert all(feed.level == "stale" for feed in account.feeds().values())
    up = Up(account.settings, account.environ)
    try:

        def all_is_there() -> bool:
            feeds = account.feeds()
            for name, feed in feeds.items():
                levels[name].append(feed.level)
            return all(recovered(feed) for feed in feeds.values())

        took = until(all_is_there)
        print("recovered", took)
        print({name: Counter(said) for name, said in levels.items()})
        took = until(lambda: "lost" in str(account.receiver.events()))
        print("told", took, account.receiver.events())
        for name, feed in account.feeds().items():
            print(name, feed.level, feed.lost, feed.missing, feed.at - DOWN)
        print(account.kore.stats(), account.cx.stats())

        def is_built():
            with opened(account.settings.home) as connection:
                return connection.execute("select source, status, min(window_start), max(window_end) from ops.feed_coverage group by all").fetchall()
        import time as time
        time.sleep(60)
        try:
            print(is_built())
        except Exception as e:
            print(e)
        print(account.receiver.events())
        print(up.said.read_text()[-3000:])
        assert 0
    finally:
        up.end()
