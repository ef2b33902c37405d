"""What the client of session reports asks for, and what it makes of answers: nothing, refusals, rubbish. No sockets."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from assets.beyondtrust.sessions import SessionsClient
from assets.http import PermanentError
from assets.windows import Window
from tests.unit.scripted_appliance import CONFIG, NOW, Scripted

WINDOW = Window(datetime(2026, 3, 4, 10, tzinfo=UTC), datetime(2026, 3, 4, 11, tzinfo=UTC))
SESSIONS = b'<session_list xmlns="urn:x"><session lsid="a"/><session lsid="b"><end_time/></session></session_list>'
TEAMS = b'<team_activity_list><team_activity id="1"><events><event/></events></team_activity></team_activity_list>'
NO_SESSIONS = b"<error>No Support report information matching your chosen criteria is available.</error>"
NO_TEAMS = (
    b'<error xmlns="urn:x">No Support Team report information matching your chosen criteria is available.</error>'
)
NICHTS = "<error>Keine Berichtsdaten für diese Kriterien vorhanden.</error>".encode()
GRANTED = b'<api_information><permission name="perm_reporting_support">1</permission></api_information>'
WITHHELD = b'<api_information><permission name="perm_reporting_support">0</permission></api_information>'


def answering(sessions: bytes = SESSIONS, teams: bytes = TEAMS, info: bytes = GRANTED) -> Scripted:
    """A site that gives these answers."""

    def respond(params: Mapping[str, str]) -> bytes:
        return (
            info
            if "action" in params
            else {"SupportSession": sessions, "SupportTeam": teams}[params["generate_report"]]
        )

    return Scripted(respond)


def test_a_window_is_asked_for_by_start_by_end_and_by_team() -> None:
    """A session of hours would stay as it was in its first minute, or one in progress not be seen at all."""
    site = answering()
    result = SessionsClient(CONFIG, site).fetch(WINDOW)
    start = str(int(WINDOW.start.timestamp()))
    assert site.asked == [
        {"generate_report": "SupportSession", "start_time": start, "duration": "3600"},
        {"generate_report": "SupportSession", "end_time": start, "duration": "3600"},
        {"generate_report": "SupportTeam", "start_time": start, "duration": "3600"},
    ]
    assert (result.status, result.records, result.vendor_time) == ("ok", 2 + 2 + 1, NOW)
    assert [page.payload for page in result.pages] == [SESSIONS, SESSIONS, TEAMS]


def test_a_window_is_never_asked_for_with_a_duration_of_nothing() -> None:
    """0 means up to now: a report of everything."""
    site = answering()
    SessionsClient(CONFIG, site).fetch(Window(WINDOW.start, WINDOW.start + timedelta(milliseconds=300)))
    assert {one["duration"] for one in site.asked} == {"1"}


def test_a_quiet_hour_is_complete() -> None:
    """Each night would be fetched again and again, and shown as a gap."""
    site = answering(NO_SESSIONS, NO_TEAMS)
    result = SessionsClient(CONFIG, site).fetch(WINDOW)
    assert (result.status, result.records, result.error) == ("ok", 0, None)
    assert [page.payload for page in result.pages] == [NO_SESSIONS, NO_SESSIONS, NO_TEAMS]
    assert len(site.asked) == 3


@pytest.mark.parametrize("info", [GRANTED, b"<error>no Command API</error>", b"rubbish"])
def test_a_quiet_hour_is_known_in_any_language(info: bytes) -> None:
    """A German site would have a gap in each quiet hour."""
    site = answering(NICHTS, NICHTS, info)
    client = SessionsClient(CONFIG, site)
    assert [client.fetch(WINDOW).status for _ in range(3)] == ["ok"] * 3
    assert len(site.asked) == 3 * 3 + 2 * 3


class Changing:
    """A site whose report of long ago, and then every report, says these words, each for ten seconds."""

    def __init__(self, *words: bytes, info: bytes = GRANTED) -> None:
        self.words, self.info, self.site = words, info, Scripted(self.respond)

    def respond(self, params: Mapping[str, str]) -> bytes:
        """An error."""
        if "action" in params:
            return self.info
        return self.words[min(int(self.site.clock.monotonic() // 10), len(self.words) - 1)]


BUSY = b"<error>Der Dienst startet neu.</error>"


@pytest.mark.parametrize("site", [Changing(BUSY, NICHTS), Changing(BUSY, info=BUSY)])
def test_an_error_that_passes_is_not_how_a_site_says_that_there_is_nothing(site: Changing) -> None:
    """An hour that was asked for while the site started anew would count as one without sessions."""
    result = SessionsClient(CONFIG, site.site).fetch(WINDOW)
    assert result.status == "failed"
    assert "Der Dienst startet neu" in str(result.error)


def test_words_for_nothing_that_were_wrong_are_found_out() -> None:
    """A site that once said the same error for ten seconds would have a gap in each quiet hour from then on."""
    site = Changing(BUSY, BUSY, NICHTS).site
    client = SessionsClient(CONFIG, site)
    client.fetch(WINDOW)
    site.clock.sleep(120)
    assert client.fetch(WINDOW).status == "ok"


def test_words_for_nothing_are_asked_for_again_each_hour() -> None:
    """A site whose language was changed, or whose words were wrong, would be believed until the process ends."""
    site = answering(NICHTS, NICHTS)
    client = SessionsClient(CONFIG, site)
    client.fetch(WINDOW)
    asked = len(site.asked)
    site.clock.sleep(3700)
    assert client.fetch(WINDOW).status == "ok"
    assert len(site.asked) == asked + 3 + 2 * 3


def test_an_error_that_depends_on_the_window_is_not_nothing() -> None:
    """A report that the site could not make would pass for a quiet hour."""

    def respond(params: Mapping[str, str]) -> bytes:
        if "action" in params:
            return GRANTED
        return NICHTS if params.get("start_time") == "1000000000" else b"<error>Zu viele Daten</error>"

    result = SessionsClient(CONFIG, Scripted(respond)).fetch(WINDOW)
    assert result.status == "failed"
    assert "Zu viele Daten" in str(result.error)
    assert "support_eu: sessions of 2026-03-04 10:00" in str(result.error)


def test_a_refusal_in_any_language_is_found_by_the_permission() -> None:
    """An account that may not read reports would have quiet hours for ever."""
    site = answering(NICHTS, NICHTS, WITHHELD)
    with pytest.raises(PermanentError, match="Allow Access to Support Session Reports"):
        SessionsClient(CONFIG, site).fetch(WINDOW)


def test_a_refusal_is_told_before_windows_are_planned() -> None:
    """Two thousand windows would each be refused."""
    site = answering(b"<error>You are not allowed to view this report.</error>")
    with pytest.raises(PermanentError, match="not allowed") as caught:
        SessionsClient(CONFIG, site).vendor_now()
    assert caught.value.source_wide
    assert caught.value.vendor_time == NOW


def test_the_vendors_clock_is_asked_for_with_a_second_of_sessions() -> None:
    """Asking for the time would be a report of everything."""
    site = answering(NO_SESSIONS)
    assert SessionsClient(CONFIG, site).vendor_now() == NOW
    assert site.asked == [
        {"generate_report": "SupportSession", "end_time": str(int(NOW.timestamp()) - 1), "duration": "1"}
    ]


MAINTENANCE = b"<html><body>Down for maintenance</body></html>"


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", MAINTENANCE, b"<session/>", b"\xff\xfe", b"{}", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'],
)
def test_a_report_that_cannot_be_read_is_kept(body: bytes) -> None:
    """What the site sent, however odd, would be gone."""
    result = SessionsClient(CONFIG, answering(teams=body)).fetch(WINDOW)
    assert (result.status, result.records) == ("unreadable", None)
    assert result.pages[2].payload == body
    assert "SupportTeam cannot be read" in str(result.error)
