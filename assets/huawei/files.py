"""Files of CC-FS (``cms_files``): the past of agents as the site's own export drops it into a folder, landed as raw.

CC-FS answers a query by a call back to an address of the site, so nothing is asked for here: whoever may ask lets the
files lie in a folder, plain or zipped. Reads of them only which stretch they tell of; rows are made by staging.
"""

import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from assets.capture import CaptureResult, Fetched, Probe, Store
from assets.huawei import CMS_HISTORY
from assets.huawei.config import HuaweiConfig
from assets.windows import Window, day_start
from orchestration.functions import ZIP, csv_lines
from orchestration.lake import Attempt, Page, Segment

LOGGER = logging.getLogger(__name__)
TYPES = {".csv": "text/csv", ".zip": "application/zip"}
# In the file's order (cec_07_4238, cec_07_0832).
COLUMNS = (
    *("id", "developer_id", "account_id", "agent_id", "service_no", "skill_id", "call_id", "begin_time", "end_time"),
    *("op_type", "op_object", "op_cause", "media_type", "vdn_id", "cc_id", "agent_type", "phone_no", "callIn_out"),
    *("location_id", "logon_sn", "skillInfo_sn"),
)
SETTLED = timedelta(minutes=1)
"""A file that changed more lately may still be under way."""

STALLED = timedelta(hours=1)
"""So long one is waited for that ends amid a line, or is a zip that cannot be opened; then it is taken as it is."""

REACH = timedelta(days=34)
"""How far before the day of its newest row, and before the days that are wanted, a file counts: builds look no further
back for what was delivered late."""

SECOND = timedelta(seconds=1)
YEARS = range(1970, 9000)
"""Others are no times of a call centre, and beyond what can be reckoned with."""


def files_in(folder: Path) -> list[Path]:
    """The files of a folder that may be of CC-FS, by name, without hidden ones.

    Raises:
        OSError: The folder cannot be read.
    """
    return sorted(
        path for path in folder.iterdir() if path.suffix.lower() in TYPES and path.name[0] != "." and path.is_file()
    )


def probe_files(config: HuaweiConfig) -> Iterator[Probe]:
    """Whether the folder, where one is named, and each file in it can be read."""
    if config.cms_files is None:
        return
    try:
        files = files_in(config.cms_files)
        for path in files:
            with path.open("rb"):
                pass
    except OSError as error:
        message = f"{error.filename}: {error.strerror}; correct cms_files, or let this user read what lies there"
        yield Probe("files", ok=False, message=message)
        return
    yield Probe("files", ok=True, message=f"{len(files)} files in {config.cms_files}")


def land_files(config: HuaweiConfig, store: Store, days: list[date], now: datetime | None = None) -> CaptureResult:
    """Land each file that lies in ``cms_files``, once; what it holds decides, and not what it is called.

    Files whose newest row lies more than 34 days before ``days`` wait until older days are wanted. What is wrong with a
    file is told as long as it lies there, also if it is landed. One without rows is passed over: its name says when it
    was made (cec_07_0832), and nothing which stretch it is of, so that it proves no quiet hour.

    Args:
        config: The source.
        store: The lake.
        days: UTC days that are wanted.
        now: Our clock.
    """
    errors: list[str] = []
    new: list[tuple[Segment, Window]] = []
    count, identical = 0, 0
    oldest = max(day_start(min(days)) - REACH, day_start(config.since or date.min))
    try:
        files = files_in(config.cms_files) if config.cms_files else []
    except OSError as error:
        files, errors = [], [f"{config.name}: cms_files: {error.filename}: {error.strerror}; see 'shiftbook doctor'"]
    for path in files:
        try:
            found = _read(config, path, now or datetime.now(UTC))
        except OSError as error:
            count += 1
            errors.append(f"{config.name}: {path.name}: {error.strerror}; let this user read it")
            continue
        if found is None or found[0].window_end <= oldest:
            continue
        count += 1
        segment, told, fetched = store.spared(found[0]), *found[1:]
        logged = store.attempts("huawei", config.name, CMS_HISTORY.name, segment.day)
        if any(attempt.segment == segment.name for attempt in logged):
            identical += 1
        else:
            store.land(segment)
            store.log("huawei", list(_attempts(segment, told, fetched)), CMS_HISTORY.delay)
            new.append((segment, told))
        if fetched.error:
            errors.append(fetched.error)
    LOGGER.info("%s: %d files of CC-FS, %d of them new", config.name, count, len(new))
    return CaptureResult(
        planned=count,
        landed=len(new),
        identical=identical,
        failed=len(errors),
        errors=tuple(errors),
        touched_days=tuple(sorted({day for _, told in new for day in _days(told) if day_start(day) >= oldest})),
        segments=tuple(sorted(segment.name for segment, _ in new)),
    )


def stretch(lines: list[dict[str, str]], latest: datetime) -> Window | None:
    """What a file tells of for sure, UTC; None when no row has times.

    Whether CC-FS picks operations by begin or by end is not known: between the first end and the last begin it holds
    all either way. Rows that begin after ``latest`` are not looked at.
    """
    times = [
        (begin, _time(line.get("end_time")) or begin)
        for line in lines
        if (begin := _time(line.get("begin_time"))) and begin <= latest
    ]
    if not times:
        return None
    last = max(begin for begin, _ in times)
    start = max(min(end for _, end in times), day_start(last.date()) - REACH)
    return Window(start, last) if start < last else Window(last, last + SECOND)


def _read(config: HuaweiConfig, path: Path, now: datetime) -> tuple[Segment, Window, Fetched] | None:
    """A file as a segment, what it tells of, and how it fared; None when it holds nothing, or may still be written."""
    written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    if written > now - SETTLED:
        return None
    payload = path.read_bytes()
    lines = csv_lines(payload, COLUMNS)
    is_whole = lines is not None and (payload.startswith(ZIP) or payload.endswith(b"\n"))
    if lines == [] or (not is_whole and written > now - STALLED):
        return None
    told = stretch(lines or [], written)
    error = None
    if told is None:
        error = "holds no row of 21 cells with a time before it was written; see ops.rejects"
        told = Window(written.replace(microsecond=0) - SECOND, written.replace(microsecond=0))
    elif any((begin := _time(line.get("begin_time"))) and begin > written for line in lines or []):
        error = "holds rows that begin after it was written; have CC-FS write UTC, and set this machine's clock"
    page = Page(
        requested_at=written,
        received_at=written,
        request=f"FILE {path.name}",
        status=200,
        content_type=TYPES[".zip" if payload.startswith(ZIP) else ".csv"],
        payload=payload,
    )
    # It lies under the day of its newest row, since a build looks for late deliveries and not for early ones.
    start = max(told.start, day_start((told.end - SECOND).date()))
    segment = Segment("huawei", config.name, CMS_HISTORY.name, start, told.end, (page,))
    said = f"{config.name}: {path.name}: {error}" if error else None
    return segment, told, Fetched((page,), len(lines or []), written, "failed" if error else "ok", said)


def _attempts(segment: Segment, told: Window, fetched: Fetched) -> Iterator[Attempt]:
    """An attempt for each UTC day that a file tells of; the last one, which is logged last, says that it is landed."""
    for day in _days(told):
        part = told.cut(day_start(day), day_start(day + timedelta(days=1))) or told
        yield Attempt(
            source=segment.source,
            feed=segment.feed,
            window_start=part.start,
            window_end=part.end,
            attempted_at=fetched.pages[0].received_at,
            status=fetched.status,
            records=fetched.records if part.end == told.end else None,
            vendor_time=fetched.vendor_time,
            error=fetched.error,
            segment=segment.name,
        )


def _days(told: Window) -> list[date]:
    first, last = told.start.date(), (told.end - timedelta(microseconds=1)).date()
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def _time(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat((text or "").strip())
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None and found.year in YEARS else None
