"""Runs from the command line: capture some days, then build them and what they touch, in this process.

The same assets as Dagster's own runs, recorded in the same instance, so that the UI shows them. What the runs do
belongs to the assets; how a person starts them in ``cli.py``.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path

import dagster as dg

from orchestration.definitions import build_defs
from orchestration.inputs import DELIVERED_AFTER
from orchestration.leftovers import PROCESS_TAG, this_process
from orchestration.partitions import LOCAL_DAYS
from orchestration.resources import Engine

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_DAGSTER_YAML = """\
# Written by shiftbook; change what you like, it is not written again.
telemetry:
  enabled: false
nux:
  enabled: false
concurrency:
  runs:
    # Backfills from the command line count, too, and must not keep what was just recorded from being built.
    max_concurrent_runs: 6
    tag_concurrency_limits:
      - {key: dagster/backfill, limit: 2}
# What sensors and schedules did; runs and their events are removed by 'shiftbook housekeeping'.
retention:
  schedule:
    purge_after_days: 30
  sensor:
    purge_after_days: {skipped: 2, success: 30, failure: 30, started: 30}
"""


class BackfillError(Exception):
    """A wish that cannot be carried out; the message says what to write instead."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A check that rows did not pass."""

    asset: str
    check: str
    error: bool
    message: str


@dataclass(slots=True)
class Report:
    """What came of a backfill. ``ok``: every step ran, nothing failed, and no check of severity ERROR."""

    ran: bool = True
    days: list[date] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether all is well."""
        return self.ran and not self.failures and not any(finding.error for finding in self.findings)


class Runner:
    """Runs assets of one engine in this process, over days between ``first`` and ``last`` and what they touch.

    Raises:
        BackfillError: The range is empty.
    """

    def __init__(self, engine: Engine, first: date, last: date) -> None:
        if last < first:
            raise BackfillError(f"--to {last} lies before --from {first}; swap them")
        self.engine = engine
        # What a capture touches lies at most as far before as any vendor keeps records.
        today = datetime.now(UTC).date()
        self.defs = build_defs(
            engine=engine,
            first_day=first - timedelta(days=DELIVERED_AFTER),
            last_day=max(last, today),
            lineage=False,
            watched=False,
        )
        self.graph = self.defs.resolve_asset_graph()
        self.job = self.defs.resolve_implicit_global_asset_job_def()

    def backfill(self, first: date, last: date, sources: Sequence[str] = (), select: str | None = None) -> Report:
        """Capture what is missing from ``first`` to ``last`` and build these days and those that this changes.

        Raises:
            BackfillError: A source is not configured, or nothing is selected.
        """
        engine = self.engine
        known = {source.name for source in engine.settings.sources if source.enabled}
        if unknown := sorted(set(sources) - known):
            raise BackfillError(
                f"no enabled source {', '.join(unknown)} in {engine.settings.sources_file}; "
                f"there are: {', '.join(sorted(known)) or 'none'}"
            )
        report = Report()
        wanted = self._selected(select) if select else dg.AssetSelection.all()
        raw = raw_keys(engine, sources or sorted(known))
        # Reports have days of their own zones, and an asset each that is run by itself.
        others = dg.AssetSelection.key_prefixes("raw") | dg.AssetSelection.tag(*LOCAL_DAYS)
        models = (wanted - others).required_multi_asset_neighbors()
        with recorded(engine) as instance:
            if raw:
                self._run(instance, report, dg.AssetSelection.assets(*raw) & wanted, first, last)
            if select:
                self._run(instance, report, models, first, last)
                return report
            first, last = min([first, *engine.touched]), max([last, *engine.touched])
            if self._nothing_to_do(report, first, last):
                return report
            self._run(instance, report, models, first, last)
            engine.touched.clear()
            # A late record can change what an agent was doing when later days began.
            while stale := engine.stale_days(last):
                last = stale[-1]
                self._run(instance, report, models, stale[0], last)
        return report

    def _selected(self, text: str) -> dg.AssetSelection:
        try:
            found = dg.AssetSelection.from_string(text)
            is_empty = not found.resolve(self.graph)
        except dg.DagsterError:
            is_empty = True
        if is_empty:
            known = sorted(key.to_user_string() for key in self.graph.get_all_asset_keys())
            words = [word.replace(".", "/") for word in re.findall(r"[\w./]+", text)]
            near = [name for word in words for name in get_close_matches(word, known, 3)]
            some = f"the nearest are {', '.join(near)}" if near else f"there are, for instance, {', '.join(known[:3])}"
            raise BackfillError(
                f"--select '{text}' selects no asset; write a key, with + for what is made of it; {some}"
            )
        return found

    def rebuild(self, days: Sequence[date]) -> Report:
        """Build these days anew, and those that this makes out of date; asks no vendor.

        Each day is built at most once more after its neighbours changed: a model that never agrees with itself ends.
        """
        report = Report()
        others = dg.AssetSelection.key_prefixes("raw", "reports")
        models = (dg.AssetSelection.all() - others).required_multi_asset_neighbors()
        with recorded(self.engine) as instance:
            before: Sequence[date] = ()
            while days and list(days) != list(before):
                for first, last in stretches(days):
                    self._run(instance, report, models, first, last)
                before, days = days, self.engine.out_of_date_days()
        if days:
            report.failures.append(f"{days[0]} to {days[-1]}: still out of date after a build; see what failed above")
        return report

    def _nothing_to_do(self, report: Report, first: date, last: date) -> bool:
        """Whether all is built and published; then only the checks are run: a run of Dagster's takes seconds."""
        days = _between(first, last)
        if not all(self.engine.is_current(day) for day in days) or not self.engine.warehouse.shows(days):
            return False
        report.days = days
        report.findings += [
            Finding(v.check.table.replace(".", "/"), v.check.name, not v.check.warn, f"{v.failing} rows break this")
            for v in self.engine.judge_all(days)
            if v.failing
        ]
        return True

    def _run(
        self, instance: dg.DagsterInstance, report: Report, selection: dg.AssetSelection, first: date, last: date
    ) -> None:
        # What is only recorded, or switched off, cannot be run for.
        keys = selection.resolve(self.graph) & self.graph.executable_asset_keys
        if not keys:
            return
        tags = {
            "dagster/asset_partition_range_start": str(first),
            "dagster/asset_partition_range_end": str(last),
            PROCESS_TAG: this_process(),
        }
        result = self.job.execute_in_process(
            run_config=_QUIET, instance=instance, raise_on_error=False, tags=tags, asset_selection=sorted(keys)
        )
        report.ran = report.ran and result.success
        report.days = sorted({*report.days, *_between(first, last)})
        for event in result.all_node_events:
            if event.is_step_failure:
                report.failures.append(f"{event.step_key}: {event.step_failure_data.error_display_string}")
        newest = {(e.asset_key.to_user_string(), e.check_name): e for e in result.get_asset_check_evaluations()}
        report.findings = [f for f in report.findings if (f.asset, f.check) not in newest] + [
            Finding(asset, check, e.severity == dg.AssetCheckSeverity.ERROR, _message(e))
            for (asset, check), e in newest.items()
            if not e.passed
        ]


def stretches(days: Sequence[date]) -> list[tuple[date, date]]:
    """First and last of each run of days without a gap: one run of Dagster's builds each."""
    found: list[tuple[date, date]] = []
    for day in sorted(days):
        if found and day - found[-1][1] == timedelta(days=1):
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found


def raw_keys(engine: Engine, sources: Sequence[str]) -> list[dg.AssetKey]:
    """The raw assets of some sources."""
    return [dg.AssetKey(["raw", row["source"], row["feed"]]) for row in engine.feeds if row["source"] in sources]


@contextmanager
def recorded(engine: Engine) -> Iterator[dg.DagsterInstance]:
    """Dagster's own storage below the home, without telemetry."""
    # Several processes that create Dagster's SQLite tables at once leave them with two migration heads, for good.
    with engine.lake.lock("dagster"):
        home = prepare_dagster_home(engine)
        instance = dg.DagsterInstance.from_config(str(home))
    with instance:
        yield instance


def prepare_dagster_home(engine: Engine) -> Path:
    """Make ``$SHIFTBOOK_HOME/dagster`` with a configuration, unless it is there; returns its absolute path.

    Raises:
        DiskFullError: There is no room for it.
    """
    home = engine.settings.dagster_home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    path = home / "dagster.yaml"
    if not path.exists() or not path.stat().st_size:  # as a full disk left it
        engine.lake.place(path, lambda temporary: temporary.write_text(_DAGSTER_YAML, encoding="utf-8"))
    return home


def _between(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def _message(evaluation: dg.AssetCheckEvaluation) -> str:
    errors = evaluation.metadata.get("errors")
    text = str(errors.value).strip() if errors is not None else ""
    return text or evaluation.description or "failed"
