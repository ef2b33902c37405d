"""Kore.ai's agent activity events of a centre, and the open questions about them.

What belongs here: which events an account reports, how they are worded and found.
Every reading that the vendor's documents leave open is a field of `KoreDialect`.  What
does not: addresses, credentials, parameters and limits (`kore.py`, `kore_auth.py`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from simulator.centre import Centre
from simulator.facts import SECOND, Agent, Change, Reason, Session, millis
from simulator.faults import Faults, disturbed, lateness
from simulator.people import (
    AFTER_CALL_WORK,
    BREAK,
    COACHING,
    END_OF_SHIFT,
    LOGGED_IN,
    LUNCH,
    MEETING,
    PERSONAL,
    TRAINING,
)

# The account's own dictionary: the vendor documents none, and its one sample says "1".
REASON_CODES: Final[Mapping[str, str]] = {
    reason.name: str(number)
    for number, reason in enumerate(
        (LOGGED_IN, AFTER_CALL_WORK, BREAK, LUNCH, PERSONAL, END_OF_SHIFT, TRAINING, COACHING, MEETING), start=1
    )
}


@dataclass(frozen=True)
class KoreDialect:
    """How to read what the vendor's documents leave open; the defaults are our best guess.

    event_zone: IANA zone of EventTime, which carries none.
    padded: hours, months and days have two digits; the sample's hour has one.
    names: attributes as in the sample ('pascal') or as in the newer field table ('camel').
    empty: how a reply without events looks: an empty 'list', a 'null', the list 'absent'
        from the object, or 'no_content' (status 204 and no body).
    no_reason: ReasonCode of an event that has none: 'empty' text, 'null' or 'absent'.
    stack_seconds: changes become visible at the next multiple of this (documented as 30).
    end_inclusive: whether an event exactly at toTimeStamp belongs to the window.
    max_range_seconds, retention_days, window_status: limits of a window, if there are any
        (none is documented), and the status of a window that is refused or malformed.
    rate_per_minute, rate_status: requests per account in any 60 seconds (documented), and
        the status of the refusal (not documented).
    denied_status: status of a request whose token is not accepted.
    stream_id_required: whether header iId is enforced; subject_required: whether the
        token needs `sub` (only some samples have it).
    with_busy: the account reports conversations as an activity of their own; busy_at: from
        'any' on, or, as the console means the word, from as many on as an agent can take ('full').
    ready, not_ready, login, logout, busy: the account's words.
    custom: reasons that the account made activities of their own, by reason name.
    """

    event_zone: str = "UTC"
    padded: bool = False
    names: Literal["pascal", "camel"] = "pascal"
    empty: Literal["list", "null", "absent", "no_content"] = "list"
    no_reason: Literal["empty", "null", "absent"] = "empty"
    stack_seconds: float = 30.0
    end_inclusive: bool = False
    max_range_seconds: float | None = None
    retention_days: float | None = None
    window_status: int = 400
    rate_per_minute: int = 60
    rate_status: int = 429
    denied_status: int = 401
    stream_id_required: bool = False
    subject_required: bool = False
    with_busy: bool = False
    busy_at: Literal["any", "full"] = "any"
    ready: str = "ready"
    not_ready: str = "notready"
    login: str = "login"
    logout: str = "logout"
    busy: str = "busy"
    custom: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a zone that does not exist now, not at the first event.

        Raises:
            ValueError: `event_zone` is no IANA zone.
        """
        try:
            ZoneInfo(self.event_zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            message = f"event_zone: no zone {self.event_zone!r}"
            raise ValueError(message) from error


@dataclass(frozen=True, slots=True)
class Event:
    """One agent update: the instant (milliseconds UTC), who, the activity, and its reason code if any."""

    at: int
    agent: Agent
    activity: str
    code: str | None


def events_of(agents: tuple[Agent, ...], centre: Centre, dialect: KoreDialect) -> list[Event]:
    """Return all events of these agents as the account reports them, in order of time."""
    found = [event for agent in agents for event in _career(agent, centre.changes[agent.number], dialect)]
    # A stable sort keeps what one agent did within a millisecond in its order.
    found.sort(key=lambda event: event.at)
    return found


def _career(agent: Agent, changes: tuple[Change, ...], dialect: KoreDialect) -> Iterator[Event]:
    session: Session | None = None
    said: tuple[str, str | None] | None = None
    for change in changes:
        if change.session is not session:
            if session is not None and session.ended is not None:
                yield Event(session.ended, agent, dialect.logout, None)
            session, said = change.session, (dialect.login, None)
            yield Event(session.started, agent, dialect.login, None)
        words = _words(change, dialect)
        # Signing in says already that the agent is not ready and has not said why.
        known = change.kind == "session-start" and words == (dialect.not_ready, None)
        if words != said and not known:
            said = words
            yield Event(change.at, agent, *words)
    if session is not None and session.ended is not None:
        yield Event(session.ended, agent, dialect.logout, None)


def _words(change: Change, dialect: KoreDialect) -> tuple[str, str | None]:
    least = 1 if dialect.busy_at == "any" else change.session.agent.capacity
    if dialect.with_busy and sum(change.counts) >= least:
        return dialect.busy, None
    if change.ready:
        return dialect.ready, None
    return _away(change.reason, dialect)


def _away(reason: Reason | None, dialect: KoreDialect) -> tuple[str, str | None]:
    if reason is None:
        return dialect.not_ready, None
    return dialect.custom.get(reason.name, dialect.not_ready), REASON_CODES[reason.name]


class EventIndex:
    """All events of an account in order, found by window and by when they became visible."""

    def __init__(
        self, agents: tuple[Agent, ...], centre: Centre, names: Mapping[str, str], dialect: KoreDialect
    ) -> None:
        """Index the events of these agents in one dialect; `names` gives the vendor's id of each agent id."""
        self._names = names
        self._dialect = dialect
        self._zone = ZoneInfo(dialect.event_zone)
        self._events = events_of(agents, centre, dialect)
        self._times = [event.at for event in self._events]

    def select(self, start: int, end: int, now: int, faults: Faults) -> list[Event]:
        """Return the events of [start, end) (milliseconds UTC) as known at `now`, in the order of serving."""
        upto = end + 1 if self._dialect.end_inclusive else end
        chosen = self._events[bisect_left(self._times, start) : bisect_left(self._times, upto)]
        seen = [event for event in chosen if self._visible(event, faults) <= now]
        if faults.dropped_mode == "empty":
            gaps = [(millis(since), millis(until)) for since, until in faults.dropped]
            seen = [event for event in seen if not any(a <= event.at < b for a, b in gaps)]
        return disturbed(seen, faults, _name, f"{start}/{end}")

    def _visible(self, event: Event, faults: Faults) -> int:
        """Return from when on an event is told (milliseconds UTC): with the next stack, perhaps late."""
        stack = int(self._dialect.stack_seconds * SECOND)
        told = event.at if stack == 0 else (event.at // stack + 1) * stack
        return told + lateness(faults, _name(event))

    def page(self, account_id: str, events: list[Event]) -> bytes:
        """Return a reply's body; an empty one in the dialect's shape."""
        camel = self._dialect.names == "camel"
        name = "agentUpdates" if camel else "AgentUpdates"
        told: dict[str, object] = {"accountId": account_id}
        if events or self._dialect.empty == "list":
            told[name] = [self._told(event, camel=camel) for event in events]
        elif self._dialect.empty == "null":
            told[name] = None
        return msgspec.json.encode(told)

    def _told(self, event: Event, *, camel: bool) -> dict[str, str | None]:
        told: dict[str, str | None] = {
            "AgentId": self._names[event.agent.agent_id],
            "EventTime": self._time(event.at),
            "Activity": event.activity,
        }
        if event.code is not None or self._dialect.no_reason != "absent":
            told["ReasonCode"] = event.code or (None if self._dialect.no_reason == "null" else "")
        return {name[0].lower() + name[1:]: value for name, value in told.items()} if camel else told

    def _time(self, at: int) -> str:
        local = datetime.fromtimestamp(at // SECOND, UTC).astimezone(self._zone)
        if self._dialect.padded:
            return local.strftime("%m/%d/%Y %H:%M:%S")
        return f"{local.month}/{local.day}/{local.year} {local.hour}:{local.minute:02d}:{local.second:02d}"


def _name(event: Event) -> str:
    return f"{event.agent.agent_id}/{event.at}/{event.activity}"
