"""The simulated appliance's Reporting API: sessions and teams against the truth, archives against themselves."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from xml.etree.ElementTree import Element

import pytest

from simulator.beyondtrust import BeyondTrustServer
from simulator.beyondtrust_dialect import TABLES
from simulator.beyondtrust_sessions import lsid_of
from simulator.centre import Centre
from simulator.clock import SimClock
from simulator.facts import SECOND
from simulator.faults import Faults
from tests.contract.appliance import CALM, FIRST, NOON, archive, ask, at_noon, bare, dialect, follow, report

HOUR = 3600
NOON_SECONDS = int(NOON.timestamp())


@pytest.fixture(scope="module")
def running() -> Iterator[BeyondTrustServer]:
    """Serve one appliance to all tests of this file."""
    with BeyondTrustServer(Centre.simulate(6, 24, FIRST, 3), SimClock(NOON), dialect=CALM) as server:
        yield server


@pytest.fixture
def server(running: BeyondTrustServer) -> BeyondTrustServer:
    """Return the server as it is at noon with nothing wrong."""
    return at_noon(running)


def seconds(element: Element | None) -> int:
    """Return the UNIX seconds of a time element."""
    assert element is not None
    return int(element.get("timestamp", ""))


# -- sessions -------------------------------------------------------------------------------


def test_who_had_a_session_is_the_truth(server: BeyondTrustServer) -> None:
    """If this failed, the report would tell of people and seconds that never were."""
    now = server.clock.now_ms()
    involved: dict[tuple[str, str], int] = {}
    for part in server.centre.participations:
        if part.joined <= now:
            key = (lsid_of(part.interaction_id), server.agent_ids[part.agent.agent_id])
            left = now if part.left is None else min(part.left, now)
            involved[key] = involved.get(key, 0) + left - part.joined
    told = {
        (session.get("lsid"), rep.get("id")): int(rep.findtext("seconds_involved") or 0)
        for session in report(server, "SupportSession", start_date=FIRST, duration=0)
        for rep in session.iter("representative")
    }
    assert told == {key: spent // SECOND for key, spent in involved.items()}


def test_events_tell_who_joined_and_left_when(server: BeyondTrustServer) -> None:
    """If this failed, participation could not be rebuilt from the report."""
    now = server.clock.now_ms()
    parts = {
        (lsid_of(part.interaction_id), server.agent_ids[part.agent.agent_id], part.joined // SECOND)
        for part in server.centre.participations
        if part.joined <= now
    }
    gone = sum(part.left is not None and part.left <= now for part in server.centre.participations)
    joined, departed = set(), 0
    for session in report(server, "SupportSession", start_date=FIRST, duration=0):
        numbers = {rep.get("gsnumber"): rep.get("id") for rep in session.iter("representative")}
        for event in session.iter("event"):
            by = event.find("performed_by")
            assert by is not None
            if event.get("event_type") == "Conference Member Added":
                joined.add((session.get("lsid"), numbers[by.get("gsnumber")], seconds(event)))
            departed += event.get("event_type") == "Conference Member Departed"
    assert joined == parts
    assert departed == gone


def test_nothing_of_a_session_in_progress_is_foretold(server: BeyondTrustServer) -> None:
    """If this failed, the report would know what has not happened."""
    found = list(report(server, "SupportSession", start_time=NOON_SECONDS - 4 * HOUR, duration=0))
    running = [session for session in found if session.find("end_time[@timestamp]") is None]
    assert 0 < len(running) < len(found)
    for session in running:
        assert session.findtext("end_time") in {None, ""}
    for session in found:
        assert all(seconds(event) <= NOON_SECONDS for event in session.iter("event"))


def test_start_finds_what_began_and_end_what_closed(server: BeyondTrustServer) -> None:
    """If this failed, a cursor on the end would find sessions in progress, or one on the start miss them."""
    window = {"duration": HOUR}
    began = report(server, "SupportSession", start_time=NOON_SECONDS - HOUR, **window)
    closed = report(server, "SupportSession", end_time=NOON_SECONDS - HOUR, **window)
    assert all(NOON_SECONDS - HOUR <= seconds(session.find("start_time")) < NOON_SECONDS for session in began)
    assert all(NOON_SECONDS - HOUR <= seconds(session.find("end_time")) < NOON_SECONDS for session in closed)
    both = {session.get("lsid") for session in began} & {session.get("lsid") for session in closed}
    assert both < {session.get("lsid") for session in began}


def test_sessions_can_be_asked_for_by_id_and_limited(server: BeyondTrustServer) -> None:
    """If this failed, a single session could not be looked at again."""
    names = [row.get("lsid") for row in report(server, "SupportSessionListing", start_date=FIRST, limit=3, duration=0)]
    assert len(names) == 3
    told = report(server, "SupportSession", lsids=",".join(str(name) for name in names))
    assert [session.get("lsid") for session in told] == names
    assert len(report(server, "SupportSession", lsid=names[1])) == 1


def test_sequence_numbers_are_there_but_not_to_be_relied_on(server: BeyondTrustServer) -> None:
    """If this failed, the order of the report could not be disturbed."""
    plain = [session.findtext("lseq") for session in report(server, "SupportSession", start_date=FIRST, duration=0)]
    server.set_faults(Faults(seed=3, shuffled=True))
    mixed = [session.findtext("lseq") for session in report(server, "SupportSession", start_date=FIRST, duration=0)]
    assert plain != mixed
    assert sorted(plain, key=str) == sorted(mixed, key=str)


def test_sequence_numbers_can_repeat(server: BeyondTrustServer) -> None:
    """If this failed, a client that takes lseq for a key would not be caught."""
    server.set_dialect(dialect(lseq="repeated"))
    found = report(server, "SupportSession", start_date=FIRST, duration=0)
    assert len({session.findtext("lseq") for session in found}) < len({session.get("lsid") for session in found})


def test_a_session_can_end_without_an_end(server: BeyondTrustServer) -> None:
    """If this failed, a session that is over and never closed would not be met, or be found by its end."""
    window = {"start_time": NOON_SECONDS - 4 * HOUR, "duration": 3 * HOUR}
    plain = {session.get("lsid"): session for session in report(server, "SupportSession", **window)}
    server.set_dialect(dialect(abnormal_ends=0.3))
    told = {session.get("lsid"): session for session in report(server, "SupportSession", **window)}
    lost = {name for name in told if plain[name].findtext("end_time") and not told[name].findtext("end_time")}
    assert told.keys() == plain.keys()
    assert 0 < len(lost) < len(told)
    for name in lost:
        kinds = [event.get("event_type") for event in told[name].iter("event")]
        assert "Session End" not in kinds
        added, gone = (kinds.count(f"Conference Member {word}") for word in ("Added", "Departed"))
        assert gone < added or added == 0
    closed = report(server, "SupportSession", end_time=NOON_SECONDS - 4 * HOUR, duration=4 * HOUR)
    assert not lost & {session.get("lsid") for session in closed}


def test_sessions_can_come_late_or_twice(server: BeyondTrustServer) -> None:
    """If this failed, late and repeated deliveries would never be met."""

    def names() -> list[str | None]:
        found = report(server, "SupportSession", start_time=NOON_SECONDS - HOUR, duration=HOUR)
        return [session.get("lsid") for session in found]

    plain = names()
    server.set_faults(Faults(seed=1, late_rows=0.5, late_seconds=7200))
    assert set(names()) < set(plain)
    server.clock.advance(timedelta(hours=2))
    assert names() == plain
    server.set_faults(Faults(seed=1, duplicate_rows=0.3))
    assert len(plain) < len(names())
    assert set(names()) == set(plain)


def test_some_sessions_have_no_client_and_some_nobody(server: BeyondTrustServer) -> None:
    """If this failed, abandoned sessions and unknown machines would never be met."""
    found = list(report(server, "SupportSession", start_date=FIRST, duration=1))
    assert any(session.findtext(".//customer/hostname") == "Unknown" for session in found)
    abandoned = [session for session in found if not list(session.iter("representative"))]
    assert 0 < len(abandoned) < len(found)
    assert all(session.find("primary_rep[@id]") is None for session in abandoned)


def test_transfers_are_events(server: BeyondTrustServer) -> None:
    """If this failed, transfers could not be found in the history."""
    now = server.clock.now_ms()
    handed = {lsid_of(hand.interaction_id) for hand in server.centre.transfers if hand.started <= now}
    told = set()
    for session in report(server, "SupportSession", start_date=FIRST, duration=0):
        kinds = [event.get("event_type") for event in session.iter("event")]
        if kinds.count("Session Transferred to Queue") > 1:
            told.add(session.get("lsid"))
    assert told == handed


def test_no_data_is_an_error_at_200(server: BeyondTrustServer) -> None:
    """If this failed, an empty hour would look like an empty list, which the vendor never sends."""
    early = NOON_SECONDS - 30 * 24 * HOUR
    for language, word in (("en", "chosen criteria"), ("fr", "vos critères")):
        server.set_dialect(dialect(language=language))
        for name in ("SupportSession", "SupportSessionListing", "SupportSessionSummary", "SupportTeam"):
            root = report(server, name, start_time=early, duration=60)
            assert root.tag == "error"
            assert word in str(root.text)


def test_a_report_without_window_is_refused(server: BeyondTrustServer) -> None:
    """If this failed, a forgotten parameter would fetch the whole history."""
    for given in ({}, {"start_time": "noon"}, {"start_date": "2026-03-02", "limit": "many"}):
        assert report(server, "SupportSession", **given).tag == "error"
    assert report(server, "SupportSessionSummary", start_date=FIRST, report_type="dog").tag == "error"


def test_summaries_count_by_rep_team_or_site(server: BeyondTrustServer) -> None:
    """If this failed, the summary would not fit the sessions."""
    sessions = report(server, "SupportSession", start_date=FIRST, duration=1)
    for kind in ("team", "site"):
        told = report(server, "SupportSessionSummary", start_date=FIRST, duration=1, report_type=kind)
        assert sum(int(row.findtext("total_sessions") or 0) for row in told) == len(sessions)


# -- teams ----------------------------------------------------------------------------------


def test_team_activity_is_the_sign_ins_and_sign_outs(server: BeyondTrustServer) -> None:
    """If this failed, sign-ins could not be rebuilt from history."""
    now = server.clock.now_ms()
    stays = [stay for sessions in server.centre.sessions for stay in sessions if stay.started <= now]
    root = report(server, "SupportTeam", start_date=FIRST, duration=0)
    told = [
        (event.find(".//value[@name='user_id']"), seconds(event))
        for event in root.iter("event")
        if event.get("event_type") == "Conference Member Added"
    ]
    named = sorted((value.get("value"), at) for value, at in told if value is not None)
    assert named == sorted((server.agent_ids[stay.agent.agent_id], stay.started // SECOND) for stay in stays)
    kinds = [event.get("event_type") for event in root.iter("event")]
    assert kinds.count("Conference Member Departed") == sum(
        stay.ended is not None and stay.ended <= now for stay in stays
    )
    one = report(server, "SupportTeam", start_date=FIRST, duration=0, team_id=3)
    assert [team.get("id") for team in one] == ["3"]


# -- archives -------------------------------------------------------------------------------


def listed(server: BeyondTrustServer, day: date) -> dict[str, list[int]]:
    """Return the indices of a day's archives by kind."""
    root = report(server, "ArchiveListing", date=day)
    return {
        kind: [int(entry.findtext("index") or 0) for entry in root.iter(f"{kind}_archive")]
        for kind in ("state", "event")
    }


def test_archives_appear_some_minutes_after_their_time(server: BeyondTrustServer) -> None:
    """If this failed, a client could fetch an archive before it is complete."""
    assert listed(server, FIRST) == {"state": list(range(1, 49)), "event": list(range(1, 145))}
    assert listed(server, NOON.date()) == {"state": list(range(1, 25)), "event": list(range(1, 72))}
    server.clock.advance(timedelta(minutes=3))
    assert listed(server, NOON.date()) == {"state": list(range(1, 26)), "event": list(range(1, 73))}
    root = report(server, "ArchiveListing", date=NOON.date())
    first = root.find("state_archive/time")
    assert seconds(first) == NOON_SECONDS - 12 * HOUR


def test_seven_active_days_are_kept(server: BeyondTrustServer) -> None:
    """If this failed, history could be had later than there."""
    server.clock.advance(timedelta(days=5))
    assert listed(server, FIRST)["state"]
    server.clock.advance(timedelta(days=1))
    assert report(server, "ArchiveListing", date=FIRST).tag == "error"
    server.set_dialect(dialect(inactive_days=(date(2026, 3, 6),)))
    assert listed(server, FIRST)["state"]
    assert report(server, "ArchiveListing", date="2026-03-06").tag == "error"


@pytest.mark.parametrize("errors", ["plain", "gzip"])
def test_a_missing_archive_is_an_error_plain_or_gzipped(server: BeyondTrustServer, errors: str) -> None:
    """If this failed, a gzipped error would be taken for an archive."""
    server.set_dialect(dialect(archive_errors=errors))
    for given in ({"type": "state", "index": 40}, {"type": "event", "index": 0}, {"type": "state", "index": 9999}):
        reply = ask(server, "reporting", generate_report="Archive", date=NOON.date(), **given)
        text = gzip.decompress(reply.content) if errors == "gzip" else reply.content
        assert bare(text).tag == "error"
    assert report(server, "Archive", type="both", date=NOON.date(), index=1).tag == "error"
    assert report(server, "ArchiveListing", date="yesterday").tag == "error"


def test_snapshots_have_all_tables_and_null_for_empty_ones(server: BeyondTrustServer) -> None:
    """If this failed, an empty table would look like one that is not archived."""
    held = json.loads(archive(server, "state", NOON.date(), 23))
    assert set(held) == set(TABLES)
    assert held["attendee"] is held["support_session_skill"] is None
    assert {"hostname", "public_ip"} <= set(next(iter(held["representative"].values())))


@pytest.mark.parametrize("restarts", [False, True])
def test_events_replayed_over_a_snapshot_give_the_next(server: BeyondTrustServer, *, restarts: bool) -> None:
    """If this failed, the archive could not fill a gap, least of all one with a restart in it."""
    if restarts:
        server.clock.set(NOON - timedelta(minutes=47, seconds=11))
        server.restart()
        server.clock.set(NOON)
    tables = json.loads(archive(server, "state", NOON.date(), 23))
    tables = {table: rows or {} for table, rows in tables.items()}
    truncated, times = 0, []
    for index in range(67, 70):
        for line in archive(server, "event", NOON.date(), index).splitlines():
            message = json.loads(line)
            times.append(message["timestamp"])
            if message["type"] == "truncate_model":
                truncated += 1
                tables = {}
            follow(tables, message)
    after = json.loads(archive(server, "state", NOON.date(), 24))
    assert {table: rows for table, rows in tables.items() if rows} == {k: rows for k, rows in after.items() if rows}
    assert truncated == restarts
    assert times == sorted(times)
    assert NOON_SECONDS - HOUR <= times[0] <= times[-1] < NOON_SECONDS - HOUR // 2


@pytest.mark.parametrize(("form", "kind"), [("seconds", int), ("fraction", float), ("iso", str)])
def test_when_an_archived_event_was_can_be_said_in_many_ways(
    server: BeyondTrustServer, form: str, kind: type[object]
) -> None:
    """If this failed, a client could rely on a schema that nobody has seen."""
    server.set_dialect(dialect(archive_time=form, archive_time_key="when"))
    line = json.loads(archive(server, "event", NOON.date(), 60).splitlines()[0])
    assert isinstance(line["when"], kind)
    assert "timestamp" not in line


def test_archives_can_be_filed_under_the_sites_own_days(server: BeyondTrustServer) -> None:
    """If this failed, the open question of the date's zone could not be played through."""
    utc = archive(server, "state", NOON.date(), 1)
    server.set_dialect(dialect(site_minutes_east=60))
    assert archive(server, "state", NOON.date(), 3) == utc


@pytest.mark.parametrize("mode", ["empty", "error"])
def test_archives_and_sessions_of_a_dropped_stretch_are_missing(server: BeyondTrustServer, mode: Any) -> None:
    """If this failed, a hole in the history would go untested."""
    begin = NOON - timedelta(hours=2)
    server.set_faults(Faults(dropped=((begin, begin + timedelta(minutes=10)),), dropped_mode=mode))
    assert set(range(1, 72)) - set(listed(server, NOON.date())["event"]) == {61}
    assert set(range(1, 25)) - set(listed(server, NOON.date())["state"]) == {21}
    reply = ask(server, "reporting", generate_report="Archive", type="event", date=NOON.date(), index=61)
    assert reply.status_code == (500 if mode == "error" else 200)
    assert report(server, "SupportSession", start_time=int(begin.timestamp()), duration=600).tag == "error"


@pytest.mark.parametrize(("denial", "status"), [("error", 200), ("forbidden", 403)])
def test_archives_have_a_permission_of_their_own(server: BeyondTrustServer, denial: str, status: int) -> None:
    """If this failed, an account that may read reports would seem to have archives."""
    server.set_dialect(dialect(denied=("perm_reporting_archive",), denial=denial))
    for given in ({"generate_report": "ArchiveListing"}, {"generate_report": "Archive", "type": "state", "index": 1}):
        reply = ask(server, "reporting", date=NOON.date(), **given)
        assert reply.status_code == status
        assert status == 403 or bare(reply.content).tag == "error"
    assert report(server, "SupportSession", start_date=FIRST).tag == "session_list"
