"""Sees what the recorder landed: reports it as materialised, and requests builds of the days that it touches.

Only looks at the lake's folders. What is built, and whether it is out of date, is found out by the builds themselves.
"""

import uuid
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import dagster as dg
import msgspec

from orchestration.builds import fingerprint
from orchestration.coming import TELL_EVERY, build_what_came
from orchestration.files import UnreadableFileError
from orchestration.forgotten import HOUR
from orchestration.inputs import DELIVERED_AFTER, DELIVERED_BEFORE
from orchestration.lake import logs_in, segments_of
from orchestration.resources import Engine

BUILD_EVERY = timedelta(seconds=30)
"""A run costs seconds to start, whatever it does, and builds all that came since the last one.

What the recorder lands within 15 seconds, live feeds within 30, waits for the next run for so long and a look, at most,
and for its end. Kore.ai, asked each 15 seconds for what is 45 seconds old, is so within two minutes, too.
"""

AFTER_FAILURE = timedelta(minutes=5)
"""What made a run fail, a full disk say, is rarely mended within a minute."""

LAST_DAYS = timedelta(days=3)
"""What is built when this first looks, or models are others than before; older days are for the command line."""

_LOOK_SECONDS = 9  # the daemon looks each five seconds: this comes out as ten
_RAW, _LOG = "raw", ".capture"
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
UNDER_WAY = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING]
UNDER_WAY += [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
"""Of a run that has not ended."""


class Folder(msgspec.Struct, frozen=True):
    """A raw partition, or a day's log of attempts, when last looked at: its time of change in ns, and what it held."""

    changed: int = 0
    held: int = 0


Folders = dict[str, Folder]
"""By their place below the lake; of days that a new segment may still touch."""


class Seen(msgspec.Struct):
    """The sensor's cursor. Dagster keeps it with each tick, so that what is large is in a file beside.

    Attributes:
        look: Which look of that file it goes on from; none where nothing had landed.
        waiting: Days with new segments or attempts that no build was requested for yet.
        requested_at: When the last build was requested.
        requested: The days that it was requested for, until it has ended.
        failed: Whether the last one that ended did not go well.
        models: What the models were.
        landed: New segments that Dagster was not told of yet, by partition.
        told_at: When it was told of some.
        lost_at: When it last looked for what vendors forgot.
    """

    look: str = ""
    waiting: set[date] = set()
    requested_at: datetime = _NEVER
    requested: set[date] = set()
    failed: bool = False
    models: str = ""
    landed: dict[str, int] = {}
    told_at: datetime = _NEVER
    lost_at: datetime = _NEVER


@dg.sensor(
    job_name=build_what_came.name,  # by the job itself Dagster warns of a parameter of its own
    minimum_interval_seconds=_LOOK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Protects against stale figures: what a vendor shows is in the marts two minutes later.",
)
def new_segments(context: dg.SensorEvaluationContext, engine: dg.ResourceParam[Engine]) -> dg.SensorResult:
    """Request a build every 30 seconds at most, and none while one is under way; report new segments now and then."""
    now = datetime.now(UTC)
    seen = msgspec.json.decode(context.cursor, type=Seen) if context.cursor else Seen(requested_at=now, lost_at=now)
    looks = _looks(engine)
    before = looks.get(seen.look) if seen.look or not context.cursor else {}
    folders = look(engine, now.date(), before or {})
    if before is not None:
        new = {place: folder.held - before.get(place, Folder()).held for place, folder in folders.items()}
        found = {place: count for place, count in new.items() if count > 0}
        seen.waiting |= set(map(_day, found))
        for place, count in found.items():
            if place.startswith(_RAW):
                seen.landed[place] = seen.landed.get(place, 0) + count
    models = fingerprint([model.version for model in engine.models.values()])
    if before is None or seen.models != models:
        # What was there before was built by whoever captured it, by models that may have been others.
        seen.waiting |= {day for day in map(_day, folders) if day >= now.date() - LAST_DAYS}
        seen.models = models
    if now - seen.lost_at >= HOUR:
        # Nothing comes when a vendor forgets, and what was missing is lost from then on.
        since = min(now - seen.lost_at, LAST_DAYS)
        seen.waiting |= set(engine.forgotten.days(engine.feeds, since))
        seen.lost_at = now
    if folders != (before or {}):
        seen.look = _keep(engine, looks, seen.look, folders)
    requests = _requests(context.instance, seen, now)
    events = []
    if now - seen.told_at >= TELL_EVERY and seen.landed:
        events = [
            _landed(engine, place, count, folders.get(place, Folder()).held) for place, count in seen.landed.items()
        ]
        seen.landed, seen.told_at = {}, now
    return dg.SensorResult(run_requests=requests, asset_events=events, cursor=msgspec.json.encode(seen).decode())


def _requests(instance: dg.DagsterInstance, seen: Seen, now: datetime) -> list[dg.RunRequest]:
    """The build that is due, if one is; notes in the cursor what came of the one before."""
    if instance.get_runs_count(dg.RunsFilter(job_name=build_what_came.name, statuses=UNDER_WAY)):
        return []
    if seen.requested:
        seen.failed = not _went_well(instance)
        seen.waiting |= seen.requested if seen.failed else set()
        seen.requested = set()
    if not seen.waiting or now - seen.requested_at < (AFTER_FAILURE if seen.failed else BUILD_EVERY):
        return []
    request = build_request(seen.waiting, now)
    seen.requested, seen.waiting, seen.requested_at = seen.waiting, set(), now
    return [request]


def _looks(engine: Engine) -> dict[str, Folders]:
    try:
        return msgspec.json.decode(_file(engine).read_bytes(), type=dict[str, Folders])
    except (FileNotFoundError, msgspec.MsgspecError):
        return {}


def _keep(engine: Engine, looks: Mapping[str, Folders], last: str, folders: Folders) -> str:
    """Keep a look beside the one before, which the next one goes on from if the cursor is not kept."""
    name = uuid.uuid4().hex
    both = {name: folders} | ({last: looks[last]} if last in looks else {})
    engine.lake.place(_file(engine), partial(Path.write_bytes, data=msgspec.json.encode(both)))
    return name


def _file(engine: Engine) -> Path:
    return engine.settings.dagster_home / "seen.json"


def _went_well(instance: dg.DagsterInstance) -> bool:
    """Whether the last build did: what one that failed should have built is requested anew."""
    last = instance.get_runs(dg.RunsFilter(job_name=build_what_came.name), limit=1)
    return bool(last) and last[0].status is dg.DagsterRunStatus.SUCCESS


def look(engine: Engine, today: date, before: Folders) -> Folders:
    """Raw partitions and logs of configured feeds, of days that are still built; only changed ones are listed anew."""
    oldest = today - timedelta(days=DELIVERED_AFTER)
    found: Folders = {}
    for feed in engine.feeds:
        for room in (_RAW, _LOG):
            base = engine.lake.root / room / feed["vendor"] / feed["feed"] / f"source={feed['source']}"
            for path in sorted(base.glob("date=*")):
                place = path.relative_to(engine.lake.root).as_posix()
                if _day(place) >= oldest:
                    found[place] = _folder(room, path, before.get(place))
    return found


def _folder(room: str, path: Path, before: Folder | None) -> Folder:
    # The time is taken before the folder is listed: what lands in between changes it again.
    changed = path.stat().st_mtime_ns
    if before and before.changed == changed:
        return before
    try:
        return Folder(changed, len(segments_of(path) if room == _RAW else logs_in(path)))
    except UnreadableFileError:  # set aside by whoever reads it, and then the folder has changed again
        return Folder(changed)


def build_request(days: set[date], now: datetime) -> dg.RunRequest:
    """A run over all days that segments of some days may change.

    What was delivered on a day may have begun the day before, and changes what agents do when later days begin.
    """
    first, last = min(days) - timedelta(days=DELIVERED_BEFORE), max([*days, now.date()])
    return dg.RunRequest(
        run_key=now.isoformat(timespec="seconds"),
        tags={
            "dagster/asset_partition_range_start": str(first),
            "dagster/asset_partition_range_end": str(last),
            "dagster/priority": "10",
        },
    )


def _landed(engine: Engine, place: str, new: int, held: int) -> dg.AssetMaterialization:
    _, _, feed, source, day = Path(place).parts
    return dg.AssetMaterialization(
        ["raw", source.removeprefix("source="), feed],
        description="Landed by the recorder or a run since it was last told; seen in the lake.",
        partition=day.removeprefix("date="),
        metadata={
            "new_segments": new,
            "segments": held,
            "folder": dg.MetadataValue.path(str(engine.lake.root / place)),
        },
    )


def _day(place: str) -> date:
    return date.fromisoformat(place.rpartition("date=")[2])
