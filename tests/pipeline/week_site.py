"""A week of one centre on all four platforms, captured as it passes and built once: what the tests of a week read.

No expectations here: what really happened is in ``week_truth.py``, what follows from it in ``week_figures.py``.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

from assets.beyondtrust import ARCHIVE, SESSIONS
from assets.capture import Fetched, PullClient, capture
from assets.config import SourceConfig
from assets.cxengage import AGENT_INTERVALS, AGENT_STATES
from assets.feeds import Feed
from assets.http import TransientError
from assets.huawei import CMS_HISTORY
from assets.kore import AGENT_ACTIVITY
from assets.registry import connect
from assets.windows import Window
from orchestration.inputs import midnight
from orchestration.resources import Engine
from orchestration.settings import load_settings
from simulator import beyondtrust_sessions, cxengage_json
from simulator import centre as centre_module
from simulator.beyondtrust import BeyondTrustServer
from simulator.beyondtrust_dialect import Dialect as BeyondTrustDialect
from simulator.calls import Contact, contacts
from simulator.centre import Centre
from simulator.clock import SimClock
from simulator.cxengage import CxEngageServer
from simulator.facts import HOUR, Agent
from simulator.faults import Faults
from simulator.floor import Habits
from simulator.huawei import HuaweiServer
from simulator.huawei_states import HuaweiDialect
from simulator.kore import KoreServer
from simulator.kore_events import REASON_CODES, KoreDialect
from simulator.plan import Shift, shifts
from simulator.server import Vendors
from tests.pipeline.week_days import COMPARED, DAYS, FIRST, FORGOTTEN, OUTAGE, SPOILT, UNTIL
from tests.pipeline.week_people import write_files

PEOPLE = {
    "kore": (0, 1, 2, 3, 7, 8, 9, 14, 15, 17),
    "huawei": (0, 3, 4, 5, 6, 7, 8, 16, 17, 18),
    "beyondtrust": (3, 7, 8, 10, 11, 12, 13, 17, 19),
}
"""Who works on which platform, by number; CxEngage sees everybody. Some are seen by all four."""
FORGET: Mapping[int, tuple[int, Literal["away", "ready"]]] = {3: (1, "away"), 8: (2, "ready")}
"""Who forgets to sign out on which day, away or ready, and comes back three days later."""
FEEDS = {
    "cx": replace(AGENT_STATES, window=timedelta(hours=1)),
    "kore": AGENT_ACTIVITY,
    "aicc": replace(CMS_HISTORY, window=timedelta(hours=1)),
    "support": ARCHIVE,
}
"""The feeds that tell what agents do, by source."""
FAULTS = Faults(dropped=FORGOTTEN, spoilt=(SPOILT,), altered_figures=0.05)
"""What is wrong with CxEngage."""
CONSULTS = 0.3
"""Of the transfers to colleagues so many are talked over first."""
_BETWEEN_LOOKS = timedelta(hours=22)
"""Huawei forgets after a day."""


@dataclass(frozen=True)
class Deaf:
    """A vendor that does not answer for a window of the outage, over no connection."""

    client: PullClient
    feed: str

    def vendor_now(self) -> datetime:
        """The vendor's time."""
        return self.client.vendor_now()

    def fetch(self, window: Window) -> Fetched:
        """Ask the vendor.

        Raises:
            TransientError: The window touches the outage.
        """
        if window.start < OUTAGE[1] and window.end > OUTAGE[0]:
            raise TransientError(f"{self.feed}: no answer")
        return self.client.fetch(window)

    def probe(self) -> Iterator[Any]:
        """Nothing to look at."""
        return iter(())


@dataclass
class WeekSite:
    """One home and what stands behind it.

    Attributes:
        looked: Between which instants of our clock the vendors were asked for the last time.
    """

    home: Path
    vendors: Vendors
    engine: Engine
    looked: tuple[datetime, ...] = ()

    def capture(self) -> None:
        """Let the week pass, asking all vendors often enough that none forgets."""
        now = midnight(FIRST)
        while now < UNTIL:
            now = min(now + _BETWEEN_LOOKS, UNTIL)
            self.vendors.clock.set(now)
            began = datetime.now(UTC)
            days = [
                day
                for day in DAYS
                if now - timedelta(days=1) <= midnight(day) + timedelta(days=1) and midnight(day) < now
            ]
            for source in self.engine.settings.sources:
                self._ask(source, FEEDS[source.name], days)
                if source.name == "support":
                    # Their second look a day later would cost as much again.
                    self._ask(source, replace(SESSIONS, recheck_after=timedelta(0)), days)
                if source.name == "cx" and now == UNTIL:
                    self._ask(source, AGENT_INTERVALS, [COMPARED])
            self.looked = began, datetime.now(UTC)

    def _ask(self, source: SourceConfig, feed: Feed, days: list[date]) -> None:
        lake, since = self.engine.lake, midnight(COMPARED if feed is AGENT_INTERVALS else FIRST)
        lake.request(source.vendor, feed.name, source.name, since)
        client = Deaf(connect(source, feed), feed.name)
        capture(client, lake, vendor=source.vendor, source=source.name, feed=feed, days=days, since=since)


def forgetful(seed: int, agent: Agent, day: date) -> list[Shift]:
    """The simulator's plan of a day, but that some forget to sign out, for two days and more."""
    if agent.number not in FORGET:
        return shifts(seed, agent, day)
    since, how = FORGET[agent.number]
    number = (day - FIRST).days
    if number in {since + 1, since + 2}:
        return []
    found = shifts(seed, agent, day)
    if number == since:
        last = found[-1] if found else shifts(seed, agent, day + timedelta(days=1))[-1]
        found = [*found[:-1], replace(last, forgets=how, dropped_at=last.ends + 100 * HOUR)]
    return found


def few(seed: int, team: int, size: int, day: date) -> Iterator[Contact]:
    """A third of the work that the simulator would bring: enough for chats at once and transfers of transfers."""
    return (contact for contact in contacts(seed, team, size, day) if contact.pick % 3 == 0)


@contextmanager
def week_site(folder: Path, seed: int = 5, agents: int = 20) -> Iterator[WeekSite]:
    """The vendors of a week and an empty home beside them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(centre_module, "shifts", forgetful)
        patch.setattr(centre_module, "contacts", few)
        patch.setattr(beyondtrust_sessions, "contacts", few)
        centre = Centre.simulate(seed, agents, FIRST, len(DAYS) + 1, Habits(consults=CONSULTS))
        with _vendors(centre) as vendors:
            yield WeekSite(folder / "home", vendors, Engine(_settings(folder, vendors)))


def _vendors(centre: Centre) -> Vendors:
    clock = SimClock(midnight(FIRST))
    ids = {vendor: [centre.agents[n].agent_id for n in numbers] for vendor, numbers in PEOPLE.items()}
    cxengage = cxengage_json.Dialect(max_range_seconds=3600)
    beyondtrust = BeyondTrustDialect(idle_seconds=0, requests_per_second=10_000, requests_per_hour=1_000_000)
    return Vendors(
        centre,
        clock,
        CxEngageServer(centre, clock, dialect=cxengage, faults=FAULTS),
        KoreServer(centre, clock, dialect=KoreDialect(rate_per_minute=100_000), agents=ids["kore"]),
        HuaweiServer(centre, clock, dialect=HuaweiDialect(history_by="end"), agents=ids["huawei"]),
        BeyondTrustServer(centre, clock, dialect=beyondtrust, agents=ids["beyondtrust"]),
    )


def _settings(folder: Path, vendors: Vendors) -> Any:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "states.csv").write_text(
        "vendor,vendor_state,reason,state\ncxengage,not-ready,After Call Work,wrap_up\nkore,login,,not_ready\n"
        f"kore,notready,{REASON_CODES['After Call Work']},wrap_up\n"
    )
    cx, kore, huawei, support = vendors.cxengage, vendors.kore, vendors.huawei, vendors.beyondtrust
    account = huawei.account
    keys = {"access_key": "${HUAWEI_AK}", "secret_key": "${HUAWEI_SK}"}
    fast: dict[str, Any] = {"max_requests_per_minute": 600_000, "since": FIRST}
    told: list[dict[str, Any]] = [
        {"name": "cx", "vendor": "cxengage", "base_url": cx.base_url, "tenant_id": cx.tenant_id}
        | {"username": "${CX_USER}", "password": "${CX_PASS}", "feeds": ["agent_states", "agent_intervals"]},
        {"name": "kore", "vendor": "kore", "base_url": kore.base_url, "account_id": kore.account_id}
        | {"app_id": "${KORE_ID}", "client_secret": "${KORE_SECRET}"},
        {"name": "aicc", "vendor": "huawei", "base_url": huawei.base_url, "feeds": ["cms_history"]}
        | {"cms": {"cc_id": account.cc_id, "vdn": account.vdn, **keys}},
        {"name": "support", "vendor": "beyondtrust", "base_url": support.base_url, "feeds": ["archive", "sessions"]}
        | {"client_id": "${BT_ID}", "client_secret": "${BT_SECRET}"},
    ]
    config = folder / "sources.yaml"
    ids = {
        "cx": {agent.agent_id: agent.agent_id for agent in vendors.centre.agents},
        "kore": kore.agent_ids,
        "aicc": huawei.agent_ids,
        "support": support.agent_ids,
    }
    people = write_files(folder, ids, {agent.agent_id: agent.number for agent in vendors.centre.agents})
    config.write_text(yaml.safe_dump({"state_map": "states.csv", **people, "sources": [fast | one for one in told]}))
    environ = {"CX_USER": cx.username, "CX_PASS": cx.password, "KORE_ID": kore.app_id}
    environ |= {"KORE_SECRET": kore.client_secret, "HUAWEI_AK": account.access_key, "HUAWEI_SK": account.secret_key}
    environ |= {"BT_ID": support.client_id, "BT_SECRET": support.client_secret}
    return load_settings(folder / "home", config, environ)
