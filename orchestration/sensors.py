"""Sees what the recorder landed: reports it as materialised, and requests builds of the days that it touches.

Only looks at the lake's folders. What is built, and whether it is out of date, is found out by the builds themselves.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import msgspec

from orchestration.files import UnreadableFileError
from orchestration.inputs import DELIVERED_AFTER, DELIVERED_BEFORE
from orchestration.lake import logs_in, segments_of
from orchestration.outdated import NOT_EACH_TIME
from orchestration.partitions import LOCAL_DAYS
from orchestration.resources import Engine

BUILD_EVERY = timedelta(minutes=5)
"""A run costs seconds to start, whatever it does, and builds all that came since the last one."""

_LOOK_SECONDS = 30
_RAW, _LOG = "raw", ".capture"
UNDER_WAY = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING]
UNDER_WAY += [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
"""Of a run that has not ended."""

build_what_came = dg.define_asset_job(
    "build_what_came",
    selection=dg.AssetSelection.all()
    - dg.AssetSelection.key_prefixes("raw")
    - dg.AssetSelection.tag(*LOCAL_DAYS)
    - NOT_EACH_TIME,
    description="Builds the days that new segments touch; asks no vendor.",
)


class Folder(msgspec.Struct, frozen=True):
    """A raw partition, or a day's log of attempts, when last looked at: its time of change in ns, and what it held."""

    changed: int = 0
    held: int = 0


class Seen(msgspec.Struct):
    """The sensor's cursor.

    Attributes:
        folders: Raw partitions and logs by their place below the lake; of days that a new segment may still touch.
        waiting: Days with new segments or attempts that no build was requested for yet.
        requested_at: When the last build was requested.
        requested: The days that it was requested for, until it has ended.
    """

    folders: dict[str, Folder] = {}
    waiting: set[date] = set()
    requested_at: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    requested: set[date] = set()


@dg.sensor(
    job=build_what_came,
    minimum_interval_seconds=_LOOK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Protects against stale figures: what was recorded is seen within a minute and built within six.",
)
def new_segments(context: dg.SensorEvaluationContext, engine: dg.ResourceParam[Engine]) -> dg.SensorResult:
    """Report new segments; request one build every few minutes, and none while one is under way."""
    now = datetime.now(UTC)
    seen = msgspec.json.decode(context.cursor, type=Seen) if context.cursor else None
    folders = look(engine, now.date(), seen.folders if seen else {})
    before = seen.folders if seen else {}
    new = {place: folder.held - before.get(place, Folder()).held for place, folder in folders.items()}
    found = {place: count for place, count in new.items() if count > 0}
    # What was there before the sensor first looked was built by whoever captured it, or is by the schedule.
    waiting = seen.waiting | {_day(place) for place in found} if seen else set()
    requested = seen.requested if seen else set()
    filters = dg.RunsFilter(job_name=build_what_came.name, statuses=UNDER_WAY)
    is_free = not context.instance.get_runs_count(filters)
    if requested and is_free:
        waiting |= set() if _went_well(context.instance) else requested
        requested = set()
    after = Seen(folders, waiting, seen.requested_at if seen else now, requested)
    requests = []
    if waiting and now - after.requested_at >= BUILD_EVERY and is_free:
        requests.append(build_request(waiting, now))
        after = Seen(folders, set(), now, waiting)
    return dg.SensorResult(
        run_requests=requests,
        asset_events=[
            _landed(engine, place, count, folders[place].held)
            for place, count in found.items()
            if place.startswith(_RAW)
        ],
        cursor=msgspec.json.encode(after).decode(),
    )


def _went_well(instance: dg.DagsterInstance) -> bool:
    """Whether the last build did: what one that failed should have built is requested anew."""
    last = instance.get_runs(dg.RunsFilter(job_name=build_what_came.name), limit=1)
    return bool(last) and last[0].status is dg.DagsterRunStatus.SUCCESS


def look(engine: Engine, today: date, before: Mapping[str, Folder]) -> dict[str, Folder]:
    """Raw partitions and logs of configured feeds, of days that are still built; only changed ones are listed anew."""
    oldest = today - timedelta(days=DELIVERED_AFTER)
    found: dict[str, Folder] = {}
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
        tags={"dagster/asset_partition_range_start": str(first), "dagster/asset_partition_range_end": str(last)},
    )


def _landed(engine: Engine, place: str, new: int, held: int) -> dg.AssetMaterialization:
    _, _, feed, source, day = Path(place).parts
    return dg.AssetMaterialization(
        ["raw", source.removeprefix("source="), feed],
        description="Landed by the recorder or another capture; seen in the lake.",
        partition=day.removeprefix("date="),
        metadata={
            "new_segments": new,
            "segments": held,
            "folder": dg.MetadataValue.path(str(engine.lake.root / place)),
        },
    )


def _day(place: str) -> date:
    return date.fromisoformat(place.rpartition("date=")[2])
