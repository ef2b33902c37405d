"""Logs of attempts written by hand, for tests of what is made of them at one moment."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from orchestration.inputs import midnight
from orchestration.lake import Attempt
from orchestration.resources import Engine
from orchestration.settings import load_settings
from orchestration.standing import Standing, tell
from orchestration.watch import FeedNow
from tests.pipeline.toy import ADDRESS

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)  # a Friday
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
CX = {
    "name": "cx",
    "vendor": "cxengage",
    "base_url": ADDRESS,
    "tenant_id": "00000000-0000-0000-0000-000000000000",
    "username": "${TOY_USER}",
    "password": "${TOY_PASSWORD}",
}
# An appliance has live feeds, feeds that are settled late, and one that is kept for months.
BT = {
    "name": "bt",
    "vendor": "beyondtrust",
    "base_url": ADDRESS,
    "client_id": "${BT_ID}",
    "client_secret": "${BT_SECRET}",
}


def home_with(home: Path, *sources: dict[str, Any], environ: dict[str, str] | None = None, **top: Any) -> Engine:
    """The product on a home with these sources, which nobody serves."""
    config = home.parent / f"{home.name}.yaml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(yaml.safe_dump({"sources": list(sources or [CX]), **top}))
    return Engine(load_settings(home, config, environ or {}))


def watched(
    engine: Engine,
    start: datetime,
    end: datetime,
    heard: datetime | None = None,
    name: str = "cx/agent_states",
    error: str | None = None,
) -> None:
    """Log an attempt at a window a day, heard a minute after its end unless said otherwise, by both clocks."""
    source, feed = name.split("/")
    vendor = {"cx": "cxengage", "bt": "beyondtrust"}[source]
    while start < end:
        until = min(end, midnight(start.date() + timedelta(days=1)))
        at = heard or until + MINUTE
        status = "failed" if error else "ok"
        told = None if error else at
        engine.lake.log(vendor, [Attempt(source, feed, start, until, at, status, None, told, error)])
        start = until


def recorded(engine: Engine, name: str, now: datetime, trouble: str | None = None) -> None:
    """Let a recorder say that it has a feed, and observes it now."""
    tell(engine.settings.spool_dir, name, Standing(now, None if trouble else now, trouble))


def look(engine: Engine, now: datetime = NOW, name: str = "cx/agent_states") -> FeedNow:
    """How one feed stands."""
    return next(feed for feed in engine.watch.look(now) if feed.name == name)
