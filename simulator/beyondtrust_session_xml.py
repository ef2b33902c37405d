"""One support session as the Reporting API writes it: its people, its times, its events.

What belongs here: the `session` element and the `event` elements of it.  What does not:
which sessions a report holds.
All times are integer milliseconds UTC.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from simulator.beyondtrust_dialect import Dialect
from simulator.beyondtrust_people import Representative, Team, team_of
from simulator.beyondtrust_sessions import SupportSession
from simulator.beyondtrust_site import Site
from simulator.beyondtrust_xml import Markup, length_text, tag, time_tag
from simulator.facts import SECOND
from simulator.faults import share

_CUSTOMER: Final = 1
_FIRST_REP: Final = 2
_NOBODY: Final = "Pre-start Conference"
Event = tuple[int, int, Markup]


class SessionWriter:
    """Writes sessions as they are known at an instant."""

    def __init__(self, site: Site, dialect: Dialect) -> None:
        """Write a site's sessions; `lseq` is their order of creation, though the vendor promises none."""
        self._site = site
        self._dialect = dialect
        self._sequence = {session.lsid: number for number, session in enumerate(site.sessions, 1)}

    def write(self, session: SupportSession, now: int) -> Markup:
        """Return the element of one session, with nothing of what has not happened by now."""
        ended = session.ended if session.ended is not None and session.ended <= now else None
        told = None if ends_abnormally(session, self._dialect) else ended
        people = self._people(session, now)
        team = team_of(session.team)
        joined = [part.joined for part in session.parts if part.joined <= now]
        return tag(
            "session",
            tag("session_type", "support"),
            tag("lseq", self._sequence[session.lsid] // (2 if self._dialect.lseq == "repeated" else 1)),
            time_tag("start_time", session.created, self._dialect),
            time_tag("end_time", told, self._dialect),
            tag("duration", length_text((now if ended is None else ended) - session.created)),
            tag("external_key"),
            tag("custom_attributes"),
            tag("session_chat_view_url"),
            tag("session_chat_download_url"),
            tag("file_transfer_count", 0),
            tag("file_move_count", 0),
            tag("file_delete_count", 0),
            tag("public_site", "Default", id=1),
            tag("primary_customer", session.customer, gsnumber=_CUSTOMER),
            self._primary(session, people, now),
            tag("team_list", tag("team", team.name, id=team.team_id)),
            time_tag("rep_join_time", min(joined, default=None), self._dialect),
            tag("customer_list", self._customer(session)),
            tag("rep_list", *(self._rep(session, gs, person, now) for gs, person in people.values())),
            tag("session_details", *self._events(session, people, now)),
            lsid=session.lsid,
        )

    def _people(self, session: SupportSession, now: int) -> dict[str, tuple[int, Representative]]:
        """Return who has taken part by now, by agent id, with the person's number in the session."""
        found: dict[str, tuple[int, Representative]] = {}
        for part in session.parts:
            agent_id = part.agent.agent_id
            if part.joined <= now and agent_id not in found:
                found[agent_id] = (_FIRST_REP + len(found), self._site.people[agent_id])
        return found

    def _owner(self, session: SupportSession, now: int) -> str | None:
        """Return who has the session, or had it last."""
        owned = [(session.owned_from(part), part.agent.agent_id) for part in session.parts]
        owners = [name for since, name in owned if since is not None and since <= now]
        return owners[-1] if owners else None

    def _primary(self, session: SupportSession, people: Mapping[str, tuple[int, Representative]], now: int) -> Markup:
        owner = self._owner(session, now)
        if owner is None:
            return tag("primary_rep")
        number, person = people[owner]
        return tag("primary_rep", person.name, gsnumber=number, id=person.user_id)

    def _customer(self, session: SupportSession) -> Markup:
        known = session.has_client
        return tag(
            "customer",
            tag("username", session.customer),
            tag("public_ip", "[2001:db8::7]:50123" if known else "Unknown"),
            tag("private_ip", "192.168.1.7:50123" if known else "Unknown"),
            tag("hostname", "PC-0007" if known else "Unknown"),
            tag("os", "Windows 11 (64-bit)" if known else "Unknown"),
            gsnumber=_CUSTOMER,
        )

    def _rep(self, session: SupportSession, number: int, person: Representative, now: int) -> Markup:
        stays = [
            part for part in session.parts if self._site.people[part.agent.agent_id] is person and part.joined <= now
        ]
        spent = sum((now if part.left is None else min(part.left, now)) - part.joined for part in stays)
        owner = self._owner(session, now)
        owns = owner is not None and self._site.people[owner] is person
        return tag(
            "representative",
            tag("username", person.username),
            tag("display_name", person.name),
            tag("public_display_name", person.public_name),
            tag("private_display_name", person.name),
            tag("public_ip", person.public_ip),
            tag("private_ip", person.private_ip),
            tag("os", person.operating_system),
            tag("session_owner", int(owns)),
            tag("seconds_involved", spent // SECOND),
            gsnumber=number,
            id=person.user_id,
        )

    # -- events -------------------------------------------------------------------------

    def _events(
        self, session: SupportSession, people: Mapping[str, tuple[int, Representative]], now: int
    ) -> list[Markup]:
        events = [*self._own_events(session), *self._stays(session, people), *self._hands(session, people)]
        return [text for at, _, text in sorted(events, key=lambda event: event[:2]) if at <= now]

    def _own_events(self, session: SupportSession) -> Iterator[Event]:
        system = tag("performed_by", "System", type="system", gsnumber=0)
        customer = tag("performed_by", session.customer, type="customer", gsnumber=_CUSTOMER)
        queue = tag("destination", team_of(session.team).name, type="queue", gsnumber=0)
        yield session.created, 0, event_tag("Session Start", session.created, customer)
        yield session.created, 1, event_tag("Session Transferred to Queue", session.created, system, more=queue)
        if session.ended is not None and not ends_abnormally(session, self._dialect):
            yield session.ended, 9, event_tag("Session End", session.ended, system)

    def _stays(self, session: SupportSession, people: Mapping[str, tuple[int, Representative]]) -> Iterator[Event]:
        for part in session.parts:
            if part.agent.agent_id not in people:
                continue
            number, person = people[part.agent.agent_id]
            by = tag("performed_by", person.name, type="representative", gsnumber=number)
            team = team_of(person.team)
            at = part.joined
            yield at, 5, event_tag("Conference Member Added", at, by, member_data(person, team))
            yield at, 6, event_tag("Conference Member State Changed", at, by, {"state": "connected"})
            to = tag("destination", person.name, type="representative", gsnumber=number)
            if (since := session.owned_from(part)) is not None:
                yield since, 7, event_tag("Conference Owner Changed", since, by, {"owner": person.name}, more=to)
            lost = part.left == session.ended and ends_abnormally(session, self._dialect)
            if part.left is not None and not lost:
                yield part.left, 3, event_tag("Conference Member Departed", part.left, by)

    def _hands(self, session: SupportSession, people: Mapping[str, tuple[int, Representative]]) -> Iterator[Event]:
        for hand in session.transfers:
            if session.is_consult(hand):
                continue
            receiver = self._site.people.get(hand.receiver_id)
            name = "General" if receiver is None else receiver.name
            sender = people.get(hand.sender.agent_id)
            by = tag("performed_by", "System", type="system", gsnumber=0)
            if sender is not None:
                by = tag("performed_by", sender[1].name, type="representative", gsnumber=sender[0])
            to = tag("destination", name, type="queue", gsnumber=0)
            yield hand.started, 2, event_tag("Session Transferred to Queue", hand.started, by, more=to)
            if hand.completed is not None and receiver is not None:
                yield (
                    hand.completed,
                    4,
                    event_tag("Session Transferred Away from Queue", hand.completed, by, more=to),
                )
            if hand.completed is not None and receiver is None:
                data = {"owner": _NOBODY}
                nobody = tag("destination", _NOBODY, type="system", gsnumber=0)
                yield hand.completed, 4, event_tag("Conference Owner Changed", hand.completed, by, data, more=nobody)


def ends_abnormally(session: SupportSession, dialect: Dialect) -> bool:
    """Tell whether a session stops without an end: nobody is told to have left it, and it was never closed."""
    return session.ended is not None and share(f"{session.lsid}/abnormal") < dialect.abnormal_ends


def member_data(person: Representative, team: Team) -> dict[str, str]:
    """Return what an event says about a representative who comes in."""
    return {
        "private_name": person.name,
        "public_name": person.public_name,
        "username": person.username,
        "user_id": str(person.user_id),
        "private_ip": person.private_ip,
        "public_ip": person.public_ip,
        "hostname": person.hostname,
        "os": person.operating_system,
        "support_teams": team.name,
    }


def event_tag(
    kind: str, at: int, by: Markup, data: Mapping[str, str] | None = None, *, more: Markup | None = None
) -> Markup:
    """Return an event: who did it, to whom or what (`more`), and named values."""
    values = [tag("value", name=name, value=value) for name, value in (data or {}).items()]
    parts = [by, *(() if more is None else (more,)), *((tag("data", *values),) if values else ())]
    return tag("event", *parts, timestamp=at // SECOND, event_type=kind)
