"""Everything stood still for sixty hours; then somebody starts ``shiftbook up``, and nothing more is done by hand."""

import subprocess
import sys
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
        self.first_day = stopped.date()
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
        since = str(self.first_day)
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
        # However long those two took.
        made.stopped = clocks[1].now()
        for clock in clocks:
            clock.set(datetime.now(UTC))
        yield made


def recovered(feed: FeedNow) -> bool:
    """Whether nothing is missing but what nobody can have asked for yet."""
    return all(stretch.start > feed.at - feed.usual - 2 * MINUTE for stretch in feed.missing)


def coverage(home: Path) -> dict[tuple[str, str], Stretch]:
    """From when until when the published tables say that a source was observed, or is lost."""
    sql = "select source, status, min(window_start), max(window_end) from ops.feed_coverage group by all"
    with opened(home) as connection:
        return {(source, status): Stretch(*times) for source, status, *times in connection.execute(sql).fetchall()}


def test_what_still_exists_is_recovered_beside_the_present(account: Account) -> None:
    """If this fails, a weekend without power costs more than the vendors forgot, or today's figures as well."""
    levels: dict[str, list[str]] = {"cx": [], "kore": []}
    home, stopped = account.settings.home, account.stopped
    assert {feed.level for feed in account.feeds().values()} == {"stale"}
    up = Up(account.settings, account.environ)
    try:

        def all_is_there() -> bool:
            feeds = account.feeds()
            for name, feed in feeds.items():
                levels[name].append(feed.level)
            return all(map(recovered, feeds.values()))

        def all_is_published() -> bool:
            held = coverage(home)
            # A loss is published in whole hours: what it is within the last one is still called missing.
            end = account.feeds()["kore"].lost[-1].end
            missing = held.get(("kore", "missing"), Stretch(end, end))
            lost = held.get(("kore", "lost"), missing)
            return ("cx", "missing") not in held and lost.end > end - timedelta(hours=1) and missing.end <= end

        until(all_is_there)
        until(account.receiver.events)
        until(all_is_published)
        feeds = account.feeds()
    finally:
        up.end()

    # The present came first and stayed; how long the past took makes no difference to it.
    for said in levels.values():
        assert said[said.index("fresh") :].count("fresh") == len(said) - said.index("fresh")
    assert feeds["cx"].lost == ()
    [lost] = feeds["kore"].lost
    began = stopped - feeds["kore"].usual
    assert began - MINUTE < lost.start < stopped
    assert DOWN - KEPT - MINUTE < lost.end - stopped < DOWN - KEPT + 10 * MINUTE
    held = coverage(home)
    assert held["kore", "lost"].start == lost.start
    assert lost.end - timedelta(hours=1) < held["kore", "lost"].end <= lost.end
    assert held["cx", "observed"].start == datetime.combine(account.first_day, datetime.min.time(), UTC)
    assert {name for name, _ in held} == {"cx", "kore"}
    incident = f"lost:kore/agent_activity:{lost.start:%Y-%m-%dT%H:%M}+00:00"
    told = account.receiver.events()
    assert [one for one in told if one[1].startswith("lost:")] == [("began", incident)]
    # While the past is being fetched, its loss may be near for long enough to be told, once.
    assert {one for one in told if not one[1].startswith("lost:")} <= {
        (what, "loss_within_24h:cx/agent_states") for what in ("began", "over")
    }
    assert len(set(told)) == len(told)
    for vendor in (account.cx, account.kore):
        stats = vendor.stats()
        assert stats["by_status"] == {"200": stats["requests"]}
