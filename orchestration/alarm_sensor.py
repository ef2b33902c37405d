"""The sensor of alarms: gathers what is wrong with feeds, files, builds and Dagster's own work, and has it told.

How feeds stand is judged in ``incidents.py``, what Dagster's records say in ``run_watch.py`` and ``check_watch.py``;
what was told already stands in the book of ``alarms.py``.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

import dagster as dg
import msgspec

from orchestration.alarms import Seen, ring
from orchestration.check_watch import Told, check_incidents, take_in
from orchestration.incidents import Incident, incidents_of, unreadable_files
from orchestration.overview import overview_failure
from orchestration.resources import Engine
from orchestration.run_watch import failed_runs, failing_ticks, long_runs
from orchestration.watch import FeedNow
from orchestration.webhook import Webhook
from orchestration.words import said

LOGGER = logging.getLogger(__name__)
BUILT_WITHIN = timedelta(hours=1)
"""How much later than what is observed the newest build may be."""

# After an outage a build needs a while, though what it is made from is hours newer than the last one.
_TO_BUILD = timedelta(minutes=30)
# Grows with each window that is observed, also at night when there is nobody whose time could be counted.
_ALWAYS_BUILT = "ops.feed_coverage"
_OF_FEEDS = frozenset(
    {"not_fresh", "loss_within_24h", "loss_within_6h", "lost", "refused", "no_recorder", "not_watched"}
)


@dg.sensor(
    minimum_interval_seconds=55,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Protects against silence: what is wrong is told to the log and the webhook, once, and its end, too.",
)
def alarms(context: dg.SensorEvaluationContext, engine: dg.ResourceParam[Engine]) -> dg.SensorResult:
    """Tell what began to be wrong and what is over; the reason of the tick is what goes on."""
    settings, now = engine.settings, datetime.now(UTC)
    before = msgspec.json.decode(context.cursor, type=Told) if context.cursor else Told()
    after = [before]
    look = _Look()
    repository = context.repository_def
    jobs = repository.job_names if repository else []
    own = [*repository.sensor_defs, *repository.schedule_defs] if repository else []
    names = {one.name for one in own if isinstance(one, dg.SensorDefinition | dg.ScheduleDefinition)}

    def of_checks() -> Iterator[Incident]:
        checks = [check for some in engine.checks.values() for check in some if not check.warn]
        after.append(take_in(context.instance, checks, before, now))
        yield from check_incidents(checks, after[-1])

    look.at("feeds", _OF_FEEDS, lambda: feed_incidents(engine, now))
    look.at("builds", {"built_late"}, lambda: late_builds(engine, engine.watch.look(now)))
    look.at("files", {"unreadable_file"}, lambda: unreadable_files(engine.lake.root))
    look.at("the overview", {"overview_not_written"}, lambda: overview_incidents(engine))
    look.at("failed runs", {"run_failed"}, lambda: failed_runs(context.instance, jobs, now))
    look.at("runs under way", {"run_too_long"}, lambda: long_runs(context.instance, now))
    look.at("sensors", {"tick_failed"}, lambda: failing_ticks(context.instance, names))
    look.at("checks", {"check_failed"}, of_checks)
    # A feed that cannot be looked at is neither well nor not, and so is what is told of several.
    undecided = look.undecided | (_OF_FEEDS - {"not_watched"} if engine.watch.failed else set())

    def of_which_nobody_knows(going_on: Mapping[str, Seen]) -> Collection[str]:
        return {key for key, seen in going_on.items() if seen.incident.kind in undecided}

    log = logging.Logger("alarms")  # noqa: LOG001 -- of this tick alone
    log.addHandler(_Telling(context))
    deliver = Webhook(settings.alarms, log).deliver if settings.alarms else None
    book = ring(engine.lake, settings.alarms_path, look.found, deliver, log, now, of_which_nobody_knows)
    told = [
        f"{seen.incident.kind} {seen.incident.subject} for {said(now - seen.since)}"
        for seen in book.open.values()
        if seen.is_told
    ]
    waiting = f"; {len(book.outbox)} messages wait to be delivered" if book.outbox else ""
    return dg.SensorResult(
        skip_reason=("; ".join(told) or "all is well") + waiting, cursor=msgspec.json.encode(after[-1]).decode()
    )


class _Telling(logging.Handler):
    """Tells Dagster what is said, and asks for its log no sooner: that leaves a file, even if nothing is written."""

    def __init__(self, context: dg.SensorEvaluationContext) -> None:
        super().__init__()
        self._context = context

    def emit(self, record: logging.LogRecord) -> None:
        """Hand it on."""
        self._context.log.log(record.levelno, record.getMessage())


class _Look:
    """Looks at one thing after the other; one that cannot be looked at is an incident itself.

    Attributes:
        found: What is wrong.
        undecided: Kinds of incidents of which nobody knows now whether they are over.
    """

    def __init__(self) -> None:
        self.found: list[Incident] = []
        self.undecided: set[str] = set()

    def at(self, what: str, kinds: Collection[str], look: Callable[[], Iterable[Incident]]) -> None:
        """Take in what a look finds."""
        try:
            self.found += list(look())
        # Whatever is wrong with one of them, the others are told of, and so is that.
        except Exception as error:
            LOGGER.exception("alarms cannot look at %s", what)
            self.undecided |= set(kinds)
            self.found.append(
                Incident(
                    key=f"look_failed:{what}",
                    kind="look_failed",
                    subject=what,
                    cause=f"Nobody knows how {what} stand: {type(error).__name__}: {error}",
                    next_step="logs/code.log has the whole error; mend what it names, or report it.",
                    patience=timedelta(minutes=2),
                )
            )


def overview_incidents(engine: Engine) -> Iterator[Incident]:
    """That the last build could not write the overview."""
    why = overview_failure(engine.settings)
    if why:
        yield Incident(
            key="overview_not_written",
            kind="overview_not_written",
            subject="overview",
            cause=f"{why} A page that is there is an older one; all else is built and published.",
            next_step="Mend what it names: the next build writes it.",
            patience=timedelta(minutes=2),
        )


def feed_incidents(engine: Engine, now: datetime) -> Iterator[Incident]:
    """What is wrong with feeds, recorder and disk, and which feeds nobody could look at."""
    yield from incidents_of(engine.watch.look(now), engine.settings.home, engine.settings.report_timezone)
    for name, why in engine.watch.failed.items():
        yield Incident(
            key=f"not_watched:{name}",
            kind="not_watched",
            subject=name,
            cause=f"Nobody knows how {name} stands: {why}",
            next_step="Mend what it names; capture goes on as far as it can.",
            patience=timedelta(minutes=2),
        )


def late_builds(engine: Engine, feeds: Iterable[FeedNow]) -> Iterator[Incident]:
    """Something is observed, and nothing is built of it."""
    observed = max((feed.observed_until for feed in feeds if feed.observed_until), default=None)
    builds = engine.builder.builds
    newest = [builds.manifest(_ALWAYS_BUILT, day) for day in builds.days(_ALWAYS_BUILT)[-1:]]
    built = next((manifest.built_at for manifest in newest if manifest), None)
    if observed is None or (built is not None and observed - built < BUILT_WITHIN):
        return
    since = f"The last build is {said(observed - built)} older than what is observed" if built else "Nothing is built"
    yield Incident(
        key="built_late",
        kind="built_late",
        subject="builds",
        cause=f"{since}: tables and reports show what was.",
        next_step="Look in Dagster whether build_what_came and capture are run and how they end, and whether "
        "new_segments and every_quarter_hour are switched on.",
        patience=_TO_BUILD,
    )
