"""Removes a person from a home: raw replies, everything built of them, spool, exports, logs and Dagster's storage.

What is cut out of a reply is for ``assets/erasure.py``, how it is remembered without a name for ``tombstones.py``. Each
step can be done again: whoever was killed in the midst of it types the command once more.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
from assets.erasure import Person

from orchestration.aside import unreadable
from orchestration.leaves import Leaves
from orchestration.models import Model
from orchestration.overview import write_overview
from orchestration.rawcut import RawPartition, partitions
from orchestration.removed import feed_of, removed_days
from orchestration.resources import Engine
from orchestration.sealing import recover
from orchestration.spool import SUFFIX
from orchestration.stagedcut import Whom, count_staged, cut_staged, outdate
from orchestration.tombstones import Cutting, Deed, Tombstone, Tombstones


class ForgetError(ValueError):
    """Nobody can be forgotten like this; the message says what to do."""


@dataclass(slots=True)
class Survey:
    """Where somebody was found.

    Attributes:
        pages: Replies that name them; rows, of days whose replies were removed.
        days: UTC days of these, by feed.
        staged: UTC days of which staged rows name them, by feed; whether or not a reply does.
        names: Their names, as their own records gave them, which no other agent of the source bears.
        exports: Folders of reports that name them.
        texts: Logs and databases of Dagster that name them.
        aliases: Agents of other sources that bear the same name: the same person, perhaps.
        waiting: Files of the spool that a running recorder writes.
        unreadable: Files that were set aside, in which nobody can look for them.
    """

    pages: int = 0
    days: set[tuple[str, date]] = field(default_factory=set)
    staged: set[tuple[str, date]] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    exports: list[Path] = field(default_factory=list)
    texts: list[Path] = field(default_factory=list)
    aliases: list[tuple[str, str]] = field(default_factory=list)
    waiting: list[Path] = field(default_factory=list)
    unreadable: list[Path] = field(default_factory=list)

    @property
    def found(self) -> bool:
        """They are anywhere here."""
        return bool(self.pages or self.staged or self.exports or self.texts)


class Forgetting:
    """One agent of one source.

    Args:
        engine: The home.
        agent_id: The vendor's id.
        source: The source; where it is not given, the only one that knows the agent.

    Raises:
        ForgetError: The source is not configured or not clear, the user's own files name the agent, or a key of
            pseudonyms is missing.
    """

    def __init__(self, engine: Engine, agent_id: str, source: str | None = None) -> None:
        self.engine = engine
        self.agent_id = agent_id
        self.stones = Tombstones(engine.lake.root)
        self.source = source or self._only_source()
        vendors = {one.name: one.vendor for one in engine.settings.sources}
        if self.source not in vendors:
            raise ForgetError(f"there is no source {self.source}; there are: {', '.join(vendors) or 'none'}")
        self._vendor = vendors[self.source]
        self._pseudonyms = self._hidden()
        self._refuse_named()

    def survey(self) -> Survey:
        """Look everywhere, change nothing."""
        found = Survey()
        person = Person(self.agent_id.__eq__)
        for partition in self._partitions():
            if pages := partition.count(person, [self.agent_id]):
                found.pages += pages
                found.days.add((partition.feed, partition.day))
        whom = Whom(self.source, person, [self.agent_id])
        for model, day in self._staged_days():
            of_removed, of_others = count_staged(self.engine.builder.builds, model, day, whom)
            found.pages += of_removed
            if of_removed:
                found.days.add((feed_of(model)[1], day))
            if of_removed or of_others:
                found.staged.add((feed_of(model)[1], day))
        others = self._others(person.names)
        found.names = person.names - {name for source, _, name in others if source == self.source}
        found.aliases = sorted((source, agent) for source, agent, _ in others if source != self.source)
        leaves = self._leaves(found.names - {name for *_, name in others})
        found.exports, found.texts = leaves.exports(), leaves.texts()
        found.unreadable = unreadable(self.engine.lake.root)
        found.waiting = sorted(self.engine.settings.spool_dir.rglob(f"*{SUFFIX}"))
        return found

    def carry_out(self, found: Survey) -> tuple[Deed, Survey]:
        """Remove them; returns the line of the log, and what is still found, which should be nothing."""
        stone = self.stones.find(self.source, self.agent_id)
        stone = stone or Tombstone(self.source, self.stones.digest("agent", self.agent_id))
        stone = replace(stone, names=stone.names | {self.stones.digest("name", name) for name in found.names})
        # What was staged of a reply that was set aside since may name them, too.
        stone = replace(stone, pending=stone.pending | {(self._vendor, *staged) for staged in found.staged})
        # From here on nothing that lands brings them back.
        self.stones.put(stone)
        recover(self.engine.lake, self.engine.settings.spool_dir)
        others = {name for *_, name in self._others(found.names)}
        leaves = self._leaves(found.names - others)
        exports, texts = leaves.remove_exports(), leaves.clean_texts()
        pages, files, stone = self._cut(stone, found.names)
        pages += self._cut_staged(stone, found.names)
        self._build(stone)
        days = len({day for *_, day in stone.pending})
        self.stones.put(replace(stone, pending=frozenset()))
        deed = Deed(datetime.now(UTC), self.source, stone.agent, pages, files, days, exports, texts)
        self.stones.log(deed)
        return deed, self.survey()

    def _cut(self, stone: Tombstone, names: Collection[str]) -> tuple[int, int, Tombstone]:
        cutting = Cutting([self.stones.person(stone)])
        files = 0
        for partition in self._partitions():
            if not partition.count(self.stones.person(stone), [self.agent_id, *names]):
                continue
            # Noted before, so that a run after this one knows what to build anew.
            stone = replace(stone, pending=stone.pending | {(partition.vendor, partition.feed, partition.day)})
            self.stones.put(stone)
            files += partition.rewrite(self.engine.lake, cutting, [self.agent_id, *names])
            self.engine.progress(f"{partition.feed} {partition.day}")
        return cutting.touched, files, stone

    def _cut_staged(self, stone: Tombstone, names: Collection[str]) -> int:
        """Cut them out of what is left of raw segments that were removed; returns how many rows they were in."""
        builder = self.engine.builder
        whom = Whom(self.source, self.stones.person(stone), [self.agent_id, *names])
        return sum(
            cut_staged(builder.builds, model, day, builder.types[model.table], whom) for model, day in self._kept_days()
        )

    def _kept_days(self) -> list[tuple[Model, date]]:
        """Days of which raw segments were removed, so that what was staged of them counts for good."""
        lake = self.engine.lake
        return [(model, day) for model in self._staging() for day in sorted(removed_days(lake, *feed_of(model)))]

    def _staged_days(self) -> list[tuple[Model, date]]:
        """Days of which anything was staged."""
        builds = self.engine.builder.builds
        return [(model, day) for model in self._staging() for day in builds.days(model.table)]

    def _staging(self) -> list[Model]:
        """The models that parse this vendor's feeds, also those that are captured no more."""
        models = self.engine.builder.every.values()
        return [model for model in models if model.kind == "segment" and feed_of(model)[0] == self._vendor]

    def _build(self, stone: Tombstone) -> None:
        """Build all that was made of what was cut, publish it, and leave nothing of what was before."""
        engine = self.engine
        builds = engine.builder.builds
        for model in self._staging():
            for day in (day for *whose, day in stone.pending if tuple(whose) == feed_of(model)):
                outdate(builds, model, day)
                if model.table not in engine.models:
                    engine.builder.stage(model, day)
        days = {day for table in engine.models for day in builds.days(table)} | {day for *_, day in stone.pending}
        rebuild(engine, sorted(days))
        engine.warehouse.clean(grace=timedelta(0))

    def _partitions(self) -> Iterator[RawPartition]:
        return partitions(self.engine.lake.root, self._vendor, self.source)

    def _leaves(self, names: Collection[str]) -> Leaves:
        return Leaves(self.engine.settings.home, self.agent_id, names, self._pseudonyms)

    def _hidden(self) -> set[str]:
        """What stands for them in exports that hide people: without a key such a row could not be found."""
        settings = self.engine.settings
        try:
            made = [hiding.pseudonyms for hiding in (*settings.reports, settings.overview)]
        except ValueError as error:
            raise ForgetError(f"{error}; without it, exports with pseudonyms cannot be searched") from error
        return {names.agent(self.source, self.agent_id) for names in made if names}

    def _only_source(self) -> str:
        known = [source for source, agent, _ in self._agents() if agent == self.agent_id]
        # Of who was forgotten before only the tombstone is left.
        known += [s.name for s in self.engine.settings.sources if self.stones.find(s.name, self.agent_id)]
        if len(set(known)) == 1:
            return known[0]
        if known:
            raise ForgetError(f"{', '.join(sorted(set(known)))} each have an agent of this id; name one with --source")
        raise ForgetError("no source has an agent of this id; name the source with --source to look into its raw files")

    def _others(self, names: Collection[str]) -> list[tuple[str, str, str]]:
        """Other agents that bear one of these names."""
        return [row for row in self._agents() if row[2] in names and row[:2] != (self.source, self.agent_id)]

    def _agents(self) -> list[tuple[str, str, str]]:
        path = self.engine.settings.warehouse_path
        if not path.exists():
            return []
        with suppress(duckdb.Error), duckdb.connect(str(path), read_only=True) as connection:
            query = "select source, agent_id, agent_name from marts.dim_agents"
            return [(str(s), str(a), str(n)) for s, a, n in connection.execute(query).fetchall()]
        return []

    def _refuse_named(self) -> None:
        """The user's own tables are not ours to write, and each build would bring back whom they name."""
        settings = self.engine.settings
        for path in (settings.roster, settings.schedule):
            lines = path.read_text(encoding="utf-8-sig").splitlines() if path else []
            for number, line in enumerate(lines, start=1):
                cells = [cell.strip().strip('"') for cell in line.split(",")]
                if self.agent_id in cells and (self.source in cells or "source" not in lines[0].split(",")):
                    raise ForgetError(f"{path}, line {number} names this agent; remove such lines first")


def rebuild(engine: Engine, days: Sequence[date], done: Callable[[str], None] | None = None) -> None:
    """Build what is out of date of some days, of all models in order, publish, write the overview; no Dagster."""
    for model in engine.models.values():
        if model.kind in {"day", "segment"}:
            engine.build(model.table, days)
        elif model.kind == "whole" and not any(parent in engine.models for parent in model.parents):
            engine.builder.build(model, None)
        if done:
            done(model.table)
    engine.warehouse.publish()
    write_overview(engine.settings, engine.lake)
