"""What is wrong at this moment with feeds, recorder, files and disk: each with its cause and what to do next.

Pure judgement of what ``watch.py`` and ``aside.py`` saw. What Dagster knows is added in ``alarm_sensor.py``; who is
told, and when, is the affair of ``alarms.py``.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import msgspec

from orchestration.aside import FOLDER, unreadable, what_to_do
from orchestration.room import room
from orchestration.watch import FeedNow, Stretch
from orchestration.words import advice, moment, said, sentence

LONG_ENOUGH = timedelta(minutes=5)
"""Shorter losses, in open hours, are in ``ops.feed_coverage`` and in no alarm: a live feed that reconnects has some."""

_SETTLING_IN = timedelta(hours=1)
_RECORDER_PATIENCE = timedelta(minutes=2)
_LEAST_BYTES = 2 * 1024**3
# The words of HTTP's refusals, and of the vendors' own that come with other statuses.
_REFUSED = re.compile(
    r"\banswered 40[13]\b|\bcredentials?\b|\brefused with\b|\b(is|was) refused\b|environment variable \w+ is not set",
    re.IGNORECASE,
)
_DOCTOR = "run 'shiftbook doctor', correct what it names, and give the environment to the service anew"


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong.

    Attributes:
        key: What it is known by as long as it lasts.
        kind: Its row in docs/operations.md.
        subject: The feed, source, job, check or place that it is about.
        cause: What was found.
        next_step: What to do.
        patience: How long it must last before anybody is told.
        ends: Whether it can be over. What is lost stays so: it is told of once, and its end is not.
    """

    key: str
    kind: str
    subject: str
    cause: str
    next_step: str
    patience: timedelta = timedelta(0)
    ends: bool = True


def incidents_of(feeds: Sequence[FeedNow], home: Path, zone: str) -> list[Incident]:
    """All that is wrong with feeds, recorder and disk.

    Args:
        feeds: How they stand.
        home: Where everything is kept.
        zone: In which times are told.
    """
    found = [incident for feed in feeds for incident in _of_feed(feed, zone)]
    return [*found, *_refusals(feeds), *_recorder(feeds), *_disk(home)]


def unreadable_files(lake: Path) -> Iterator[Incident]:
    """One for each folder of the lake of which files were set aside: a broken disk has many."""
    by_folder: dict[Path, list[Path]] = {}
    for path in unreadable(lake):
        by_folder.setdefault(path.parent, []).append(path)
    for folder, paths in by_folder.items():
        where = folder.relative_to(lake / FOLDER).as_posix()
        others = f" and {len(paths) - 1} more there" if len(paths) > 1 else ""
        yield Incident(
            key=f"unreadable_file:{where}",
            kind="unreadable_file",
            subject=where,
            cause=f"{paths[0]}{others} could not be read and was set aside.",
            next_step=what_to_do(lake, paths[0]),
        )


def _of_feed(feed: FeedNow, zone: str) -> Iterator[Incident]:
    if feed.level == "stale":
        yield Incident(
            key=f"not_fresh:{feed.name}",
            kind="not_fresh",
            subject=feed.name,
            cause=sentence(feed, zone),
            next_step=advice(feed),
        )
    yield from _soon_lost(feed, zone)
    yield from (_lost(feed, stretch, zone) for stretch in feed.lost if _counts(feed, stretch, zone))


def _soon_lost(feed: FeedNow, zone: str) -> Iterator[Incident]:
    """What is lost within a day, and within hours; half and a quarter of the retention where that is less.

    Not while a feed that was never captured before is being captured: its oldest hours are always about to be lost.
    """
    left, retention = feed.to_loss, feed.feed.retention
    if left is None or feed.asked_since is None or feed.at - feed.asked_since < _SETTLING_IN:
        return
    for hours, limit in ((24, retention / 2), (6, retention / 4)):
        if left <= min(timedelta(hours=hours), limit):
            oldest = feed.missing[0]
            yield Incident(
                key=f"loss_within_{hours}h:{feed.name}",
                kind=f"loss_within_{hours}h",
                subject=feed.name,
                cause=f"{feed.name}: {_span(oldest, zone)} was not fetched, "
                f"and the vendor begins to forget it in {said(left)}."
                + (f" The last attempt failed: {feed.error}" if feed.error else ""),
                next_step="The guard asks for it again and again; if it fails, mend the cause ('shiftbook doctor'), "
                f"or run 'shiftbook backfill --source {feed.source.name} --from {oldest.start.date()} "
                f"--to {oldest.end.date()}'.",
                patience=_RECORDER_PATIENCE,
            )


def _counts(feed: FeedNow, stretch: Stretch, zone: str) -> bool:
    return feed.source.open_hours.within(stretch.start, stretch.end, zone) >= LONG_ENOUGH


def _lost(feed: FeedNow, stretch: Stretch, zone: str) -> Incident:
    why = "it cannot be fetched later" if feed.feed.live else "the vendor has forgotten it"
    return Incident(
        key=f"lost:{feed.name}:{stretch.start.isoformat(timespec='minutes')}",
        kind="lost",
        subject=feed.name,
        cause=f"{feed.name}: {_span(stretch, zone)} was not captured, and {why}.",
        next_step="Nothing brings it back: it counts as unobserved in every figure (ops.feed_coverage). See to it that "
        "'shiftbook up' runs all the time.",
        ends=False,
    )


def _refusals(feeds: Sequence[FeedNow]) -> Iterator[Incident]:
    """One for each source: its feeds share an account."""
    for source in dict.fromkeys(feed.source.name for feed in feeds):
        errors = [feed.error for feed in feeds if feed.source.name == source and feed.error]
        refused = [error for error in errors if _REFUSED.search(error)]
        if refused:
            yield Incident(
                key=f"refused:{source}",
                kind="refused",
                subject=source,
                cause=f"{source} refuses us: {refused[0]}",
                next_step=f"Look at the account and its permissions: {_DOCTOR}.",
            )


def _recorder(feeds: Sequence[FeedNow]) -> Iterator[Incident]:
    absent = [feed for feed in feeds if feed.recorder == "absent"]
    live = ", ".join(feed.name for feed in absent if feed.feed.live)
    if absent:
        yield Incident(
            key="no_recorder",
            kind="no_recorder",
            subject="recorder",
            cause=f"No recorder runs for {', '.join(feed.name for feed in absent)}."
            + (f" What {live} would tell meanwhile is lost." if live else ""),
            next_step="Start 'shiftbook up' or 'shiftbook record'; if it runs, its log says why it ends.",
            patience=_RECORDER_PATIENCE,
        )


def _disk(home: Path) -> Iterator[Incident]:
    free, files = room(home) if home.exists() else (_LEAST_BYTES, 1)
    if free < _LEAST_BYTES or not files:
        yield Incident(
            key="disk_full",
            kind="disk_full",
            subject=str(home),
            cause=f"{home}: {free / 1024**3:.1f} GiB are free"
            + ("." if files else ", and no files can be added, whatever their size."),
            next_step="Make room, at least 2 GiB: what cannot be written is lost. 'shiftbook housekeeping' helps.",
        )


def _span(stretch: Stretch, zone: str) -> str:
    return f"{moment(stretch.start, zone)} to {moment(stretch.end, zone)} ({said(stretch.end - stretch.start)})"
