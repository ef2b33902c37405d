"""What the archive client makes of listings and files: which belong to a window, whether that is all. No sockets."""

import gzip
import random
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from assets.beyondtrust import ARCHIVE, archive_files
from assets.beyondtrust.archive import ArchiveClient
from assets.beyondtrust.archive_files import CHUNK, Measured, measure
from assets.capture import Fetched, capture
from assets.http import PermanentError, TransientError
from assets.windows import Window
from orchestration.compaction import closed_before
from orchestration.constants import LakeConstants
from orchestration.lake import Lake
from tests.unit.scripted_appliance import CONFIG, NOW, Scripted
from tests.unit.test_constants import FEED

MINUTE = timedelta(minutes=1)
NONE = b"<error>No archives found for the given search criteria.</error>"
SNAPSHOT = gzip.compress(b'{"queue":null}\n', mtime=0)
EVENTS = gzip.compress(b'{"timestamp":1,"insert":{}}\n{"timestamp":2,"update":{}}', mtime=0)
WINDOW = Window(datetime(2026, 3, 4, 10, 30, tzinfo=UTC), datetime(2026, 3, 4, 11, 0, tzinfo=UTC))


class Archive:
    """Archives of an appliance that runs from ``since`` on; a file is listed ``late`` after its end.

    Attributes:
        zone: In which the days of ``date`` are cut.
        without: Starts of files that do not exist.
        inactive: Days on which it did not run.
    """

    def __init__(
        self,
        now: datetime = NOW,
        since: datetime = NOW - timedelta(days=2),
        late: timedelta = 5 * MINUTE,
        zone: timezone = UTC,
        offset: timedelta = timedelta(0),
    ) -> None:
        self.now, self.since, self.late, self.zone, self.offset = now, since, late, zone, offset
        self.without: set[tuple[str, datetime]] = set()
        self.inactive: set[date] = set()
        self.file: Mapping[str, bytes] = {"state": SNAPSHOT, "event": EVENTS}

    def starts(self, day: str, kind: str) -> Iterable[datetime]:
        """When the listed files of a day begin."""
        step = timedelta(minutes=30 if kind == "state" else 10)
        at = datetime.fromisoformat(day).replace(tzinfo=self.zone) + self.offset
        end = at + timedelta(days=1)
        while at < end:
            listed = at + (timedelta(0) if kind == "state" else step) + self.late
            is_there = (kind, at) not in self.without and at.date() not in self.inactive
            if at >= self.since and listed <= self.now and is_there:
                yield at
            at += step

    def __call__(self, params: Mapping[str, str]) -> bytes:
        """Answer a request."""
        if params["generate_report"] == "Archive":
            return self.file[params["type"]]
        tags = {"state": "time", "event": "start_time"}
        entries = [
            f'<{kind}_archive><{tag} timestamp="{at.timestamp():.0f}">{at.isoformat()}</{tag}>'
            f"<index>{number}</index></{kind}_archive>"
            for kind, tag in tags.items()
            for number, at in enumerate(self.starts(params["date"], kind), 1)
        ]
        listed = f'<archives xmlns="http://www.bomgar.com/namespaces/API/reporting">{"".join(entries)}</archives>'
        return listed.encode() if entries else NONE


def fetched(archive: Archive, window: Window = WINDOW) -> tuple[Fetched, list[Mapping[str, str]]]:
    """What comes of a window, and what was asked for it."""
    scripted = Scripted(archive, archive.now)
    return ArchiveClient(CONFIG, scripted).fetch(window), scripted.asked


def files(asked: list[Mapping[str, str]]) -> list[tuple[str, str, int]]:
    """Type, date and index of the files that were asked for."""
    return sorted((one["type"], one["date"], int(one["index"])) for one in asked if one["generate_report"] == "Archive")


def test_a_window_is_its_listing_its_snapshot_and_its_events() -> None:
    """A day could not be replayed, or a segment not say what there was."""
    result, asked = fetched(Archive())
    assert (result.status, result.error, result.records) == ("ok", None, 1 + 3 * 2)
    events = [("event", "2026-03-04", number) for number in (64, 65, 66)]
    assert files(asked) == [*events, ("state", "2026-03-04", 22)]
    assert [page.payload for page in result.pages[1:]] == [SNAPSHOT, EVENTS, EVENTS, EVENTS]
    assert b"state_archive" in result.pages[0].payload
    assert result.vendor_time == NOW


def test_event_files_are_asked_for_as_event_files() -> None:
    """The one public client asks for snapshots under the indexes of event files."""
    _, asked = fetched(Archive())
    assert {one["type"] for one in asked if "type" in one} == {"state", "event"}


@pytest.mark.parametrize("minutes", [5, 8, 19])
def test_a_part_of_a_window_has_all_files_that_touch_it(minutes: int) -> None:
    """A window cut at the newest moment would miss the file that it ends in."""
    part = Window(WINDOW.start, WINDOW.start + minutes * MINUTE)
    now = part.end + ARCHIVE.delay
    result, asked = fetched(Archive(now), part)
    assert result.status == "ok"
    assert len(files(asked)) == 1 + -(-minutes // 10)


def test_a_file_that_is_not_listed_yet_leaves_the_window_open() -> None:
    """Ten minutes would be missing for ever, and nobody know."""
    archive = Archive(late=timedelta(minutes=65))
    result, _ = fetched(archive)
    assert result.status == "failed"
    assert "not all event files are listed yet" in str(result.error)
    assert len(result.pages) > 1


@pytest.mark.parametrize(("hours", "status"), [(1, "failed"), (2, "ok")])
def test_a_hole_in_the_middle_is_waited_for_two_hours(hours: int, status: str) -> None:
    """A file that came late would be lost, or one that never comes be waited for until the archive ends."""
    archive = Archive(WINDOW.end + timedelta(hours=hours))
    archive.without = {("event", WINDOW.start + 10 * MINUTE)}
    assert fetched(archive)[0].status == status


def test_a_missing_snapshot_is_waited_for() -> None:
    """Events would be kept that nobody can apply to anything."""
    archive = Archive()
    archive.without = {("state", WINDOW.start)}
    assert "snapshot is not listed yet" in str(fetched(archive)[0].error)


def test_a_window_of_which_nothing_is_listed_is_never_complete() -> None:
    """An archive that is switched off would pass for days on which nothing happened."""
    result, _ = fetched(Archive(since=NOW), Window(WINDOW.start - timedelta(days=3), WINDOW.end - timedelta(days=3)))
    assert result.status == "failed"
    assert "Enable Archive API" in str(result.error)
    assert "No archives found" in str(result.error)
    assert NONE in {page.payload for page in result.pages}


def test_windows_without_anything_are_one_error_a_day() -> None:
    """A week before the site was set up would be told of 336 times."""
    client = ArchiveClient(CONFIG, Scripted(Archive(since=NOW)))
    errors = {
        client.fetch(Window(WINDOW.start - n * 30 * MINUTE, WINDOW.end - n * 30 * MINUTE)).error for n in range(20)
    }
    assert len(errors) == 1


@pytest.mark.parametrize("hours", [-11, -3, 2, 5, 13])
@pytest.mark.parametrize("hour", [0, 1, 10, 22, 23])
def test_the_zone_of_dates_does_not_matter(hours: int, hour: int) -> None:
    """A site in Sydney would lose half of each day."""
    start = datetime(2026, 3, 3, hour, 30, tzinfo=UTC)
    archive = Archive(NOW, NOW - timedelta(days=4), zone=timezone(timedelta(hours=hours)))
    result, asked = fetched(archive, Window(start, start + 30 * MINUTE))
    assert result.status == "ok"
    assert [kind for kind, _, _ in files(asked)] == ["event"] * 3 + ["state"]


@pytest.mark.parametrize("seconds", [7, 59])
def test_files_that_begin_some_seconds_late_are_no_hole(seconds: int) -> None:
    """Windows would fail on every appliance whose clock does not tick on the minute."""
    result, asked = fetched(Archive(offset=timedelta(seconds=seconds)))
    assert result.status == "ok"
    assert [kind for kind, _, _ in files(asked)] == ["event"] * 4 + ["state"] * 2


def test_the_first_window_of_a_day_has_the_snapshot_before_it() -> None:
    """The first seconds of a day would have nothing to begin with."""
    midnight = datetime(2026, 3, 4, tzinfo=UTC)
    _, asked = fetched(Archive(offset=timedelta(seconds=7)), Window(midnight, midnight + 30 * MINUTE))
    assert ("state", "2026-03-03", 48) in files(asked)


def ago(days: int) -> datetime:
    """The beginning of the day so many days before."""
    return NOW.replace(hour=0) - timedelta(days=days)


@pytest.mark.parametrize(
    ("since", "inactive", "kept"),
    [
        (30, [], ago(7)),
        (30, [1, 4, 5], ago(10)),
        (9, [1, 4, 5], ago(9)),
        (3, [], ago(3)),
        (30, [*range(1, 25)], ago(30)),
        (-1, [], None),
    ],
)
def test_days_without_the_appliance_make_the_archive_reach_further_back(
    since: int, inactive: list[int], kept: datetime | None
) -> None:
    """The vendor keeps seven days that it ran: after a quiet week files would go that could have been had."""
    archive = Archive(since=ago(since))
    archive.inactive = {ago(days).date() for days in inactive}
    assert ArchiveClient(CONFIG, Scripted(archive)).kept_since(NOW) == kept


def test_how_far_back_the_archive_reaches_is_not_guessed() -> None:
    """A listing that fails for a moment would make a week look lost, or end the capture."""

    def respond(params: Mapping[str, str]) -> bytes:
        if params["date"] < "2026-03-02":
            raise TransientError("busy")
        return Archive()(params)

    assert ArchiveClient(CONFIG, Scripted(respond)).kept_since(NOW) is None


def test_what_is_kept_for_longer_is_captured_and_not_called_lost(tmp_path: Path) -> None:
    """After a week in which the site stood still for two days, two days would be given up that are still listed."""
    archive, lake = Archive(since=ago(30)), Lake(tmp_path)
    archive.inactive = {ago(2).date(), ago(3).date()}
    client, day = ArchiveClient(CONFIG, Scripted(archive)), ago(9).date()
    result = capture(client, lake, vendor="beyondtrust", source="eu", feed=ARCHIVE, days=[day], workers=1)
    assert (result.planned, result.failed) == (48, 0)
    known = {"source": "eu", "vendor": "beyondtrust", "feed": "archive", "retention_seconds": 7 * 86_400.0}
    [clock] = LakeConstants(lake, [{**FEED, **known}], []).input("ops.feed_clock", None).rows or ()
    assert clock["lost_before"] == ago(9)
    closed = closed_before(lake.clock("beyondtrust", "archive", "eu"), ARCHIVE.retention, NOW)
    assert closed == ago(10)


def test_a_listing_is_asked_for_once_a_minute() -> None:
    """A backfill of a week would ask for the same listing 336 times."""
    scripted = Scripted(Archive())
    client = ArchiveClient(CONFIG, scripted)
    for _ in range(3):
        assert client.fetch(WINDOW).status == "ok"
    assert client.vendor_now() == NOW
    assert sum(one["generate_report"] == "ArchiveListing" for one in scripted.asked) == 1
    scripted.clock.sleep(61)
    client.fetch(WINDOW)
    assert sum(one["generate_report"] == "ArchiveListing" for one in scripted.asked) == 2


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (NONE, "error came in its place: No archives found"),
        (gzip.compress(NONE, mtime=0), "error came in its place: No archives found"),
        (EVENTS[:-9], "gzip that ends too early"),
        (b"\x1f\x8b" + b"rubbish" * 9, "broken gzip"),
    ],
)
def test_a_file_that_is_no_archive_is_kept_and_told(body: bytes, what: str) -> None:
    """An error in place of a file would pass for ten quiet minutes."""
    archive = Archive()
    archive.file = {"state": SNAPSHOT, "event": body}
    result, _ = fetched(archive)
    assert (result.status, result.records) == ("unreadable", None)
    assert what in str(result.error)
    assert body in {page.payload for page in result.pages}


def test_a_file_that_unpacks_to_more_than_there_can_be_is_no_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, a quarter of a gigabyte of gzip holds a run for as long as it takes to unpack a thousandfold."""
    monkeypatch.setattr(archive_files, "MOST_UNPACKED", 1 << 20)
    archive = Archive()
    archive.file = {"state": SNAPSHOT, "event": gzip.compress(bytes(2 << 20), mtime=0)}
    result, _ = fetched(archive)
    assert result.status == "unreadable"
    assert "gzip of more than 4 GB" in str(result.error)


@pytest.mark.parametrize(
    "lines",
    [
        b'{"occurred_at":1772620200,"update":{"representative":{"5":{"routing_idle":1}}}}\n',
        b'{"error":"internal"}',
        b'{"timestamp":null}\n[1]\nrubbish\n"timestamp"\n',
        b"\xff\x00",
    ],
)
@pytest.mark.parametrize("pack", [bytes, lambda lines: gzip.compress(lines, mtime=0)])
def test_events_without_a_time_that_is_known_are_not_read(lines: bytes, pack: Callable[[bytes], bytes]) -> None:
    """How events are written is not established; if this fails, ten minutes of changes pass for quiet ones."""
    archive = Archive()
    archive.file = {"state": SNAPSHOT, "event": pack(lines)}
    result, _ = fetched(archive)
    assert (result.status, result.records) == ("unreadable", None)
    assert "no line of it is a JSON object with a time" in str(result.error)


@pytest.mark.parametrize("lines", [b"", b"\n \n", b'{"type":"begin"}\n{"when":"2026-03-04T10:31:00Z","delete":{}}'])
def test_a_quiet_file_and_one_of_which_a_line_is_known_are_read(lines: bytes) -> None:
    """A night without a change would be asked for again and again, and one odd line cost ten minutes of the others."""
    archive = Archive()
    archive.file = {"state": SNAPSHOT, "event": gzip.compress(lines, mtime=0)}
    assert fetched(archive)[0].status == "ok"


def test_a_long_file_is_looked_through_piece_by_piece() -> None:
    """A line that is cut between two pieces would not be known, and a file of gigabytes fill the memory."""
    noise = random.Random(1).randbytes(3 * CHUNK).replace(b"\n", b"x")
    body = noise + b'\n{"when":1}\n'
    assert measure(body) == Measured(2, body[:64], has_text=True, is_timed=True)
    packed = gzip.compress(body, mtime=0)
    assert measure(packed) == measure(body)


def test_a_file_that_is_not_compressed_is_one_too() -> None:
    """A proxy that unpacks on the way would make every window unreadable."""
    archive = Archive()
    archive.file = {"state": b'{"queue":null}', "event": b'{"ts":1}\n{"ts":2}\n{"ts":3}\n'}
    result, _ = fetched(archive)
    assert (result.status, result.records) == ("ok", 1 + 3 * 3)


@pytest.mark.parametrize("body", [b"<html>maintenance", b"<html>maintenance</html>"])
def test_a_listing_that_is_none_is_kept(body: bytes) -> None:
    """A maintenance page would pass for an empty archive, or end the capture."""
    result = ArchiveClient(CONFIG, Scripted(lambda _: body)).fetch(WINDOW)
    assert result.status == "unreadable"
    assert {page.payload for page in result.pages} == {body}


@pytest.mark.parametrize("says", ["Permission denied.", "You do not have permission to use this report"])
def test_an_account_that_may_not_read_archives_is_told_at_once(says: str) -> None:
    """Each window of a week would be refused, and the error be mistaken for no data."""
    client = ArchiveClient(CONFIG, Scripted(lambda _: f"<error>{says}</error>".encode()))
    for ask in (client.vendor_now, lambda: client.fetch(WINDOW)):
        with pytest.raises(PermanentError, match="Allow Access to Archive Reports") as caught:
            ask()
        assert caught.value.source_wide


@pytest.mark.parametrize(
    "listing",
    [
        '<archives><state_archive><time timestamp="1772620200"/><index>1</index></state_archive></archives>',
        "<archives><state_archive><time>2026-03-04T11:30:00+01:00</time><index>1</index></state_archive></archives>",
        '<archives><state_archive><time ts="1772620200"/><index> 1 </index><time ts="1"/></state_archive></archives>',
        '<a:x xmlns:a="urn:x"><a:state_archive><a:time ts="1772620200"/><a:index>1</a:index></a:state_archive></a:x>',
    ],
)
def test_a_listing_is_read_however_it_nests(listing: str) -> None:
    """An appliance of another age would seem to have no archive."""
    scripted = Scripted(lambda params: SNAPSHOT if "type" in params else listing.encode())
    ArchiveClient(CONFIG, scripted).fetch(WINDOW)
    assert {(kind, index) for kind, _, index in files(scripted.asked)} == {("state", 1)}


def test_a_listing_without_times_or_with_rubbish_has_no_files() -> None:
    """One odd entry would end the capture."""
    odd = "<time timestamp='x'/><index>1</index><time timestamp='1e99'/><index>2</index><time/><index>3</index>"
    scripted = Scripted(lambda _: f"<archives><state_archive>{odd}</state_archive></archives>".encode())
    assert ArchiveClient(CONFIG, scripted).fetch(WINDOW).status == "failed"
    assert files(scripted.asked) == []
