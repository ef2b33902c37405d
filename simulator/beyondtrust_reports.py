"""The Reporting API of a simulated appliance: sessions, team activity, and the way to the archives.

What belongs here: the reports of `/api/reporting`, their windows and filters.  What does
not: one session's XML (`beyondtrust_session_xml.py`), and the archives themselves.
All times are integer milliseconds UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial

from simulator.beyondtrust_archive import Archives
from simulator.beyondtrust_model import Model, Restarts
from simulator.beyondtrust_people import Representative, Team
from simulator.beyondtrust_session_xml import SessionWriter, ends_abnormally, event_tag, member_data
from simulator.beyondtrust_sessions import SupportSession
from simulator.beyondtrust_site import Site
from simulator.beyondtrust_xml import Markup, document, error, forbidden, length_text, nothing, tag
from simulator.facts import DAY, MINUTE, SECOND, day_start
from simulator.faults import Faults, share
from simulator.wire import Reply

Given = dict[str, str]


@dataclass(frozen=True)
class Window:
    """Which stretch [begin, end) a report is about, of sessions that started or that ended in it."""

    begin: int
    end: int
    ended: bool


class BadWindowError(ValueError):
    """A request that names no window, or one that cannot be read."""


class ReportingApi:
    """Answers `/api/reporting` as of the simulated clock."""

    def __init__(self, site: Site, model: Model, restarts: Restarts, faults: Faults) -> None:
        """Serve a site's history."""
        self._site = site
        self._model = model
        self._dialect = model.dialect
        self._restarts = restarts
        self._faults = faults
        self._writer = SessionWriter(site, model.dialect)
        self._reports: dict[str, Callable[[Given, int], Reply]] = {
            "SupportSession": self._sessions,
            "SupportSessionListing": self._session_listing,
            "SupportSessionSummary": self._summary,
            "SupportTeam": self._teams,
        }

    def answer(self, given: Given, now: int) -> Reply:
        """Answer one report."""
        name = given.get("generate_report", "")
        archives = Archives(self._model, self._restarts, self._site.opened, self._faults, now)
        if name == "ArchiveListing":
            return archives.listing(given)
        if name == "Archive":
            return archives.archive(given)
        report = self._reports.get(name)
        if report is None:
            return error("reporting", self._dialect, "Unknown or missing report type.")
        if "perm_reporting_support" in self._dialect.denied:
            return forbidden("reporting", self._dialect)
        try:
            return report(given, now)
        except ValueError:
            return error("reporting", self._dialect, "Invalid or missing parameters.")

    # -- sessions -----------------------------------------------------------------------

    def _sessions(self, given: Given, now: int) -> Reply:
        found = self._chosen(given, now)
        if not found:
            return nothing(self._dialect, "support")
        told = [self._writer.write(session, now) for session in found]
        return document("reporting", self._dialect, "session_list", *told)

    def _session_listing(self, given: Given, now: int) -> Reply:
        found = self._chosen(given, now)
        if not found:
            return nothing(self._dialect, "support")
        told = [tag("session_summary", lsid=session.lsid, has_recording=0) for session in found]
        return document("reporting", self._dialect, "session_summary_list", *told)

    def _chosen(self, given: Given, now: int) -> list[SupportSession]:
        """Return the sessions asked for, as far as they had begun by now."""
        lsids = [name for name in f"{given.get('lsid', '')},{given.get('lsids', '')}".split(",") if name]
        window = None if lsids else window_of(given, now, self._dialect.site_minutes_east)
        found = [
            session
            for session in self._site.sessions
            if session.created + self._late(session) <= now
            and (session.lsid in lsids if window is None else within(session, window, now))
            and not (window is not None and window.ended and ends_abnormally(session, self._dialect))
            and not self._dropped(session)
        ]
        found += [session for session in found if self._throw("twice", session) < self._faults.duplicate_rows]
        if self._faults.shuffled:
            found.sort(key=partial(self._throw, "order"))
        return found[: int(given["limit"])] if given.get("limit") else found

    def _throw(self, what: str, session: SupportSession) -> float:
        return share(f"{self._faults.seed}/{what}/{session.lsid}")

    def _late(self, session: SupportSession) -> float:
        """Return how many milliseconds after its start a session comes to be reported."""
        if self._throw("late", session) >= self._faults.late_rows:
            return 0.0
        return self._throw("how late", session) * self._faults.late_seconds * SECOND

    def _dropped(self, session: SupportSession) -> bool:
        return any(
            since.timestamp() * SECOND <= session.created < until.timestamp() * SECOND
            for since, until in self._faults.dropped
        )

    def _summary(self, given: Given, now: int) -> Reply:
        """Answer with totals; beyond `summary_list` and `summary` the vendor's elements are not known."""
        kinds: dict[str, Callable[[SupportSession], list[tuple[int, str]]]] = {
            "rep": self._reps_of,
            "team": lambda session: [(team.team_id, team.name) for team in self._teams_of(session)],
            "site": lambda _: [(1, "Default")],
        }
        names = kinds.get(given.get("report_type", "rep"))
        if names is None:
            raise BadWindowError
        totals: dict[tuple[int, str], list[int]] = {}
        for session in self._chosen(given, now):
            for name in names(session):
                totals.setdefault(name, []).append(min(session.ended or now, now) - session.created)
        if not totals:
            return nothing(self._dialect, "support")
        told = [
            tag(
                "summary",
                tag("total_sessions", len(lengths)),
                tag("total_duration", length_text(sum(lengths))),
                id=number,
                name=name,
            )
            for (number, name), lengths in sorted(totals.items())
        ]
        return document("reporting", self._dialect, "summary_list", *told)

    def _reps_of(self, session: SupportSession) -> list[tuple[int, str]]:
        people = {part.agent.agent_id: self._site.people[part.agent.agent_id] for part in session.parts}
        return [(person.user_id, person.name) for person in people.values()]

    def _teams_of(self, session: SupportSession) -> Iterator[Team]:
        return (team for team in self._site.teams if team.number == session.team)

    # -- teams --------------------------------------------------------------------------

    def _teams(self, given: Given, now: int) -> Reply:
        window = window_of(given, now, self._dialect.site_minutes_east)
        told = []
        for team in self._site.teams:
            if given.get("team_id") not in {None, str(team.team_id)}:
                continue
            events = [text for _, text in sorted(self._activity(team, window, now), key=lambda event: event[0])]
            if events:
                told.append(tag("team_activity", tag("events", *events), id=team.team_id, name=team.name))
        if not told:
            return nothing(self._dialect, "team")
        return document("reporting", self._dialect, "team_activity_list", *told)

    def _activity(self, team: Team, window: Window, now: int) -> Iterator[tuple[int, Markup]]:
        """Yield who came into a team's conference and left it: the console's sign-ins and sign-outs."""
        for agent_id, person in self._site.people.items():
            if person.team != team.number:
                continue
            for stay in self._site.stays[agent_id]:
                for at, kinds in (
                    (stay.started, ("Conference Member Added", "Conference Member State Changed")),
                    (stay.ended, ("Conference Member Departed",)),
                ):
                    if at is not None and window.begin <= at < window.end and at <= now:
                        for kind in kinds:
                            yield at, _team_event(kind, at, person, team)


def _team_event(kind: str, at: int, person: Representative, team: Team) -> Markup:
    by = tag("performed_by", person.name, type="representative")
    data = {
        "Conference Member Added": member_data(person, team),
        "Conference Member State Changed": {"state": "connected"},
    }.get(kind, {})
    return event_tag(kind, at, by, data)


def window_of(given: Given, now: int, minutes_east: int) -> Window:
    """Return the window of a report's parameters; `duration` 0 reaches to now.

    Raises:
        ValueError: None of the four starts is given, or one cannot be read.
    """
    duration = int(given.get("duration", "0"))
    for name in ("start_time", "end_time", "start_date", "end_date"):
        if name not in given:
            continue
        if name.endswith("_time"):
            begin, span = int(given[name]) * SECOND, duration * SECOND
        else:
            begin = day_start(date.fromisoformat(given[name])) - minutes_east * MINUTE
            span = duration * DAY
        return Window(begin, begin + span if span > 0 else now + 1, ended=name.startswith("end"))
    raise BadWindowError


def within(session: SupportSession, window: Window, now: int) -> bool:
    """Tell whether a session belongs in a window: begun in it, or closed by now and ended in it."""
    if not window.ended:
        return window.begin <= session.created < window.end
    return session.ended is not None and session.ended <= now and window.begin <= session.ended < window.end
