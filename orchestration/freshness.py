"""Freshness by the time of the data, in Dagster: a check on each raw asset, and an asset that is fresh while it is.

Dagster's own freshness knows when something was last materialised, so that a backfill of last month would make a
stale feed fresh. So the sensor materialises one small asset per feed, and only while the feed's data is new. How a
feed stands is worked out in ``watch.py``.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import msgspec
from assets.config import SourceConfig
from assets.feeds import Feed

from orchestration.model_assets import OWNERS
from orchestration.resources import Engine
from orchestration.watch import FeedNow, Level, usual_lag
from orchestration.words import advice, said, sentence

CHECK = "data_is_fresh"
LOOK_SECONDS = 55
"""A minute with the daemon's own rhythm of five seconds."""

TELL_EVERY = timedelta(minutes=5)
"""How often Dagster hears the same answer again: each time is two rows in its storage."""

_SLACK = 2 * TELL_EVERY


class Told(msgspec.Struct, frozen=True):
    """What Dagster was told of a feed, and when: a row of the sensor's cursor."""

    level: Level
    at: datetime


def freshness_asset(source: SourceConfig, feed: Feed) -> dg.AssetSpec:
    """The asset whose freshness in Dagster is that of a feed's data, up to ten minutes later than the check."""
    limits = source.freshness
    beyond = timedelta(minutes=limits.fail_minutes - limits.warn_minutes)
    return dg.AssetSpec(
        asset_key(source.name, feed.name),
        deps=[raw_key(source.name, feed.name)],
        group_name="ops",
        kinds={"freshness"},
        owners=OWNERS,
        description=f"Materialised only while the data of {source.name}/{feed.name} is new, so that its freshness is "
        "that of the data: a backfill of last month changes nothing here. No run makes it but a sensor.",
        freshness_policy=dg.FreshnessPolicy.time_window(
            warn_window=_SLACK, fail_window=_SLACK + max(beyond, timedelta(minutes=1))
        ),
    )


def freshness_check(source: SourceConfig, feed: Feed) -> dg.AssetChecksDefinition:
    """The check that a feed's data is new."""
    name, limits = f"{source.name}/{feed.name}", source.freshness

    @dg.asset_check(
        asset=raw_key(source.name, feed.name),
        name=CHECK,
        description=f"Protects against a standstill: within open hours, data is less than "
        f"{limits.warn_minutes:g} minutes (warning) or {limits.fail_minutes:g} (failure) older than the usual "
        f"{said(usual_lag(feed))}.",
    )
    def check(engine: dg.ResourceParam[Engine]) -> dg.AssetCheckResult:
        [now] = [one for one in engine.watch.look() if one.name == name]
        return dg.AssetCheckResult(**_answer(now, engine))

    return check


@dg.sensor(
    minimum_interval_seconds=LOOK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Protects against a standstill that nobody sees: how new each feed's data is, every minute.",
)
def freshness(context: dg.SensorEvaluationContext, engine: dg.ResourceParam[Engine]) -> dg.SensorResult:
    """Tell Dagster how new the data of each feed is, when that changed or was not told for five minutes."""
    now = datetime.now(UTC)
    told = msgspec.json.decode(context.cursor, type=dict[str, Told]) if context.cursor else {}
    feeds = engine.watch.look(now)
    due = [feed for feed in feeds if _is_due(feed, told.get(feed.name), now)]
    after = {feed.name: told[feed.name] for feed in feeds if feed.name in told}
    after |= {feed.name: Told(feed.level, now) for feed in due}
    return dg.SensorResult(asset_events=events(due, engine), cursor=msgspec.json.encode(after).decode())


def _is_due(feed: FeedNow, told: Told | None, now: datetime) -> bool:
    return told is None or told.level != feed.level or now - told.at >= TELL_EVERY


def events(
    feeds: Sequence[FeedNow], engine: Engine
) -> list[dg.AssetMaterialization | dg.AssetObservation | dg.AssetCheckEvaluation]:
    """What Dagster is to be told of feeds: the check of each, and its figures, as news only where the data is new."""
    found: list[dg.AssetMaterialization | dg.AssetObservation | dg.AssetCheckEvaluation] = []
    for feed in feeds:
        key = raw_key(feed.source.name, feed.feed.name)
        found.append(dg.AssetCheckEvaluation(asset_key=key, check_name=CHECK, **_answer(feed, engine)))
        if feed.observed_until is None:
            continue
        # A materialisation is what makes the asset fresh; an observation has the same figures, so that plots go on.
        event = dg.AssetMaterialization if feed.level == "fresh" else dg.AssetObservation
        text = sentence(feed, engine.settings.report_timezone)
        found.append(event(asset_key(feed.source.name, feed.feed.name), description=text, metadata=_figures(feed)))
    return found


def raw_key(source: str, feed: str) -> dg.AssetKey:
    """The raw asset of a feed."""
    return dg.AssetKey(["raw", source, feed])


def asset_key(source: str, feed: str) -> dg.AssetKey:
    """The asset whose freshness is that of a feed's data."""
    return dg.AssetKey(["ops", "freshness", source, feed])


def _answer(feed: FeedNow, engine: Engine) -> dict[str, Any]:
    passed = feed.level == "fresh" and feed.observed_until is not None
    return {
        "passed": passed,
        "severity": dg.AssetCheckSeverity.ERROR if feed.level == "stale" else dg.AssetCheckSeverity.WARN,
        "description": sentence(feed, engine.settings.report_timezone) + ("" if passed else f" {advice(feed)}"),
        "metadata": _figures(feed),
    }


def _figures(feed: FeedNow) -> Mapping[str, Any]:
    behind = (feed.at - feed.observed_until).total_seconds() if feed.observed_until else None
    return {
        "late_minutes": round(feed.late / timedelta(minutes=1), 1),
        **({"lag_seconds": round(behind, 1)} if behind is not None else {}),
        **({"observed_until": dg.MetadataValue.timestamp(feed.observed_until)} if feed.observed_until else {}),
        **({"hours_to_loss": round(feed.to_loss / timedelta(hours=1), 1)} if feed.to_loss is not None else {}),
    }
