"""What the archive client makes of listings and files: which belong to a window, whether that is all. No sockets."""

import gzip
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone

import pytest

from assets.beyondtrust import ARCHIVE
from assets.beyondtrust import archive as archive_client
from assets.beyondtrust.archive import ArchiveClient
from assets.capture import Fetched
from assets.http import PermanentError
from assets.windows import Window
from tests.unit.scripted_appliance import CONFIG, NOW, Scripted

MINUTE = timedelta(minutes=1)
NONE = b"<error>No archives found for the given search criteria.</error>"
SNAPSHOT = gzip.compress(b'{"queue":null}\n', mtime=0)
EVENTS = gzip.compress(b'{"insert":{}}\n{"update":{}}', mtime=0)
WINDOW = Window(datetime(2026, 3, 4, 10, 30, tzinfo=UTC), datetime(2026, 3, 4, 11, 0, tzinfo=UTC))


class Archive:
    """Archives of an appliance that runs from ``since`` on; a file is listed ``late`` after its end.

    Attributes:
        zone: In which the days of ``date`` are cut.
        without: Starts of files that do not exist.
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
        self.file: Mapping[str, bytes] = {"state": SNAPSHOT, "event": EVENTS}

    def starts(self, day: str, kind: str) -> Iterable[datetime]:
        """When the listed files of a day begin."""
        step = timedelta(minutes=30 if kind == "state" else 10)
        at = datetime.fromisoformat(day).replace(tzinfo=self.zone) + self.offset
        end = at + timedelta(days=1)
        while at < end:
            listed = at + (timedelta(0) if kind == "state" else step) + self.late
            if at >= self.since and listed <= self.now and (kind, at) not in self.without:
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
    monkeypatch.setattr(archive_client, "MOST_UNPACKED", 1 << 20)
    archive = Archive()
    archive.file = {"state": SNAPSHOT, "event": gzip.compress(bytes(2 << 20), mtime=0)}
    result, _ = fetched(archive)
    assert result.status == "unreadable"
    assert "gzip of more than 4 GB" in str(result.error)


def test_a_file_that_is_not_compressed_is_one_too() -> None:
    """A proxy that unpacks on the way would make every window unreadable."""
    archive = Archive()
    archive.file = {"state": b'{"queue":null}', "event": b"{}\n{}\n{}\n"}
    result, _ = fetched(archive)
    assert (result.status, result.records) == ("ok", 1 + 3 * 3)


def test_a_listing_that_is_no_xml_is_kept() -> None:
    """A maintenance page would pass for an empty archive, or end the capture."""
    result = ArchiveClient(CONFIG, Scripted(lambda _: b"<html>maintenance")).fetch(WINDOW)
    assert result.status == "unreadable"
    assert {page.payload for page in result.pages} == {b"<html>maintenance"}


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
