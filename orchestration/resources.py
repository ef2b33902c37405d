"""Everything that works on one ``$SHIFTBOOK_HOME``, put together: lake, builder, warehouse, checks.

Made from settings in one place, for Dagster and the command line alike. Knows no vendor.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any

import pyarrow.parquet as pq

from orchestration.builder import Builder, Outcome, Verdict
from orchestration.cache import Cache
from orchestration.constants import LakeConstants, read_people
from orchestration.forgotten import Forgotten
from orchestration.inputs import DELIVERED_AFTER, DELIVERED_BEFORE
from orchestration.lake import Lake
from orchestration.models import Check, Model, called_for, read_checks, read_models
from orchestration.settings import Settings, SettingsError, feed_rows, sql_dir
from orchestration.warehouse import Warehouse
from orchestration.watch import Watch


@dataclass
class Engine:
    """The tools on one home. Cheap to make: what costs is made when first used.

    Attributes:
        settings: The configuration.
        progress: Told of each window that was asked for and each partition that was built.
        touched: Days that captures by this engine brought new segments for.
    """

    settings: Settings
    progress: Callable[[str], None] = lambda _: None
    touched: set[date] = field(default_factory=set)

    @cached_property
    def lake(self) -> Lake:
        """The files."""
        return Lake(self.settings.lake_dir)

    @property
    def models(self) -> Mapping[str, Model]:
        """The SQL models that the configured feeds call for, each after what it reads."""
        return self.builder.models

    @cached_property
    def checks(self) -> Mapping[str, Sequence[Check]]:
        """All checks by table."""
        every = read_checks(sql_dir(), self.builder.every.values(), Cache(self.lake.cache_dir))
        return {table: every[table] for table in self.models}

    @cached_property
    def feeds(self) -> Sequence[Mapping[str, Any]]:
        """One row per configured feed."""
        return feed_rows(self.settings)

    @cached_property
    def builder(self) -> Builder:
        """What builds tables.

        Raises:
            SettingsError: The lake holds a source that the settings do not name.
            TableError: A CSV that the settings name has an error.
        """
        refuse_unnamed(self.lake, self.settings)
        maps = [path for path in (sql_dir() / "seeds" / "state_map.csv", self.settings.state_map) if path]
        models = read_models(sql_dir(), Cache(self.lake.cache_dir))
        raw = {f"raw.{feed['vendor']}_{feed['feed']}" for feed in self.feeds}
        constants = LakeConstants(self.lake, self.feeds, maps, read_people(self.settings))
        return Builder(self.lake, models, constants, wanted=called_for(models, raw))

    @cached_property
    def warehouse(self) -> Warehouse:
        """What publishes them."""
        return Warehouse(self.settings.warehouse_path, self.builder, sql_dir() / "macros")

    @cached_property
    def forgotten(self) -> Forgotten:
        """What says of which days vendors forgot something that is missing."""
        return Forgotten(self.lake)

    @cached_property
    def watch(self) -> Watch:
        """What says how each feed stands now; it remembers what it read."""
        return Watch(self.settings, self.lake)

    def build(self, table: str, days: Sequence[date]) -> list[Outcome]:
        """Build partitions of a table and tell of each."""
        return self.builder.build_days(table, days, lambda outcome: self.progress(f"{outcome.table} {outcome.day}"))

    def is_current(self, day: date) -> bool:
        """Whether all that is built of a day was built from what is there now, by the models as they are now."""
        return all(
            self.builder.is_current(model, day) if model.kind == "day" else self.builder.is_staged(model, day)
            for model in self.models.values()
            if model.kind in {"day", "segment"}
        )

    def stale_days(self, after: date) -> list[date]:
        """Days built before, up to 35 days behind ``after``, that what was built since has made out of date."""
        days = {
            day
            for model in self.models.values()
            if model.kind == "day"
            for day in self.builder.builds.days(model.table)
        }
        near = sorted(day for day in days if after < day <= after + timedelta(days=DELIVERED_AFTER))
        return [day for day in near if not self.is_current(day)]

    def out_of_date_days(self) -> list[date]:
        """All days that were built or delivered and are not as a build would make them now, oldest first.

        Takes 0.1 s a day: for people and for the night. Where staging changed, days that only their neighbours touch
        are found out when those are built.
        """
        held = {day for feed in self.feeds for day in self.lake.days(feed["vendor"], feed["feed"])}
        built = {
            day
            for model in self.models.values()
            if model.kind == "day"
            for day in self.builder.builds.days(model.table)
        }
        return [day for day in sorted(held | built) if not self.is_current(day)]

    def judge_all(self, days: Sequence[date]) -> list[Verdict]:
        """Run every check over some days."""
        return [self.builder.judge(check, days) for checks in self.checks.values() for check in checks]

    def suspects(self, source: str, since: date) -> list[tuple[datetime, datetime]]:
        """Stretches of broken chains of a source as of the last build, whose windows are to be fetched again."""
        builds = self.builder.builds
        found = []
        for day in builds.days("ops.broken_chains"):
            if day < since:
                continue
            end = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
            for path in builds.paths("ops.broken_chains", day):
                rows = pq.read_table(path, columns=["source", "missing_from", "missing_until"]).to_pylist()
                found += [(r["missing_from"], r["missing_until"] or end) for r in rows if r["source"] == source]
        return found

    def first_day(self) -> date:
        """The first day that anything could be about: the day before the oldest named, held, or still to be had.

        Days that can never be filled would make every picture of the partitions look bad.
        """
        named = [source.since for source in self.settings.sources if source.since]
        held = [day for feed in self.feeds for day in self.lake.days(feed["vendor"], feed["feed"])]
        kept = timedelta(seconds=max((feed["retention_seconds"] for feed in self.feeds), default=0.0))
        return min([*named, *held, (datetime.now(UTC) - kept).date()]) - timedelta(days=DELIVERED_BEFORE)


def refuse_unnamed(lake: Lake, settings: Settings) -> None:
    """See to it that every source of which the lake holds anything is configured.

    Without its row in the table of feeds, its days would stay in some tables and be gone from others.

    Raises:
        SettingsError: Some are not.
    """
    folders = (path for room in ("raw", ".capture") for path in lake.root.glob(f"{room}/*/*/source=*"))
    held = {(path.parts[-3], path.name.removeprefix("source=")) for path in folders}
    named = {(source.vendor, source.name) for source in settings.sources}
    file = settings.sources_file or "no sources.yaml"
    problems = [
        f"{lake.root} holds source {name} of {vendor}, which {file} does not name; name the right file by --sources "
        "or SHIFTBOOK_SOURCES, or keep the source in it with 'enabled: false', under its old name"
        for vendor, name in sorted(held - named)
    ]
    if problems:
        raise SettingsError(problems)
