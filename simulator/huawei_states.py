"""What Huawei AICC says of each agent at any instant, in its two numberings.

What belongs here: turning a centre's changes into stretches of one state code, and every
reading that the vendor's documents leave open, as a field of `HuaweiDialect`.  What does
not: any address or envelope, and the operation records (`huawei_history.py`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from simulator.centre import Centre
from simulator.facts import SECOND, VOICE, WRAP_UP_REASON, Agent, Change, Session, day_start
from simulator.people import BREAK, COACHING, END_OF_SHIFT, LOGGED_IN, LUNCH, MEETING, PERSONAL, TRAINING

# CC-Gateway's agentState (official table); 0 is unknown, 1 and 6 are reserved.
SIGNED_OUT: Final = 2
BUSY: Final = 3
IDLE: Final = 4
WORKING: Final = 5
TALKING: Final = 7
REST: Final = 8
PRE_REST: Final = 9

# The CTI platform's numbering of the same states, as CC-CMS tells them: 7 is busy there.
_CTI: Final = {SIGNED_OUT: 0, BUSY: 7, IDLE: 1, WORKING: 6, TALKING: 5, REST: 8, PRE_REST: 5}
_CTI_ANSWERING: Final = 4

# Causes 200 to 250 are the tenant's own; 0 is none.
_FIRST_CAUSE: Final = 200
_QUARTER_MINUTES: Final = 15
REASON_CAUSES: Final[Mapping[str, int]] = {
    reason.name: _FIRST_CAUSE + number
    for number, reason in enumerate(
        (BREAK, LUNCH, LOGGED_IN, PERSONAL, END_OF_SHIFT, TRAINING, COACHING, MEETING),
    )
}


@dataclass(frozen=True)
class HuaweiDialect:
    """How to read what the vendor's documents leave open; the defaults are our best guess.

    CC-Gateway:
    guid_rotation: a GUID lives guid_timeout_seconds and is renewed after
        guid_interval_seconds (AUTHMODE=2), else it lasts as long as the session.
    bad_guid: retcode of a GUID that is not, or no longer, valid.
    signed_out: agentstatus of a signed-out agent is a retcode, or 'state' 2.
    result: agentstatus has one 'object', as in the sample, or an 'array', as its table says.
    pre_rest: a rest asked for while talking reads 9 until the talk ends, not 7.
    working: isWorking counts work of 'any' channel, or 'voice' alone.
    ring_seconds: so long before work begins the agent reads 7, isWorking false.
    poll_wait_seconds: real seconds that an event poll waits for something to tell.
    silence_seconds: simulated seconds without a poll after which a seat is signed out.
    empty_poll: the event of a poll without one is 'null' or 'absent'.
    event_gen_time: whether events carry eventGenTime (the newest documents have it).
    sticky: behind a cluster's balancer, requests of a seat that lack the sign-in's cookie reach
        a node where nobody is signed in.
    own_sign_out_event: whether signing out oneself is told by AgentOther_ShutdownService.

    CC-CMS and CC-FS:
    cti_36: the CTI platform is of release 3.6, which has no totalagentstate.
    envelope: data come in resultDesc and the legacy resultDatas ('both'), or in one.
    state_lag_seconds: states and operation records are that old.
    numeric_ids: agent ids are numbers, else strings; stringly_epochs: logonTime is a string.
    row_names: attributes of operation records are 'camel' case or 'lower' case.
    idle_rows, files_idle: idle stretches are among CC-CMS's records, whose table says that they
        are not written, and among those in files, whose table lists them.
    files_talks: files have 'all' talks, or those in 'text' alone, as their table says.
    interim_from: an interim talking record begins at the 5-minute 'mark' before, or at the talk's 'start'.
    history_by: a window picks records that 'begin' or that 'end' in it.
    retention: records older than a day are 'gone', or asking for them is an 'error'.
    release_transfers: share of transfers to agents that are release transfers (54), not internal ones (45); one
        whose receiver was consulted never is.
    files_zone: IANA zone of the times in downloaded files, which carry none.
    files_header: files begin with a line of the columns' names.
    export_minutes, export_as: a site's folder gets a file of so many minutes at a time, 'csv' or 'zip'.

    rest_reasons: not-ready reasons that this tenant's agents enter as a rest.
    """

    guid_rotation: bool = True
    guid_interval_seconds: int = 60
    guid_timeout_seconds: int = 120
    bad_guid: Literal["000-003", "100-006"] = "000-003"
    signed_out: Literal["100-006", "000-003", "state"] = "100-006"
    result: Literal["object", "array"] = "object"
    pre_rest: bool = False
    working: Literal["any", "voice"] = "any"
    ring_seconds: float = 0.0
    poll_wait_seconds: float = 10.0
    silence_seconds: int = 120
    empty_poll: Literal["null", "absent"] = "null"
    event_gen_time: bool = True
    sticky: bool = False
    own_sign_out_event: bool = False
    cti_36: bool = False
    envelope: Literal["both", "legacy", "new"] = "both"
    state_lag_seconds: float = 0.0
    numeric_ids: bool = True
    stringly_epochs: bool = False
    row_names: Literal["camel", "lower"] = "camel"
    idle_rows: bool = False
    files_idle: bool = False
    files_talks: Literal["all", "text"] = "all"
    interim_from: Literal["mark", "start"] = "mark"
    history_by: Literal["begin", "end"] = "begin"
    retention: Literal["gone", "error"] = "gone"
    release_transfers: float = 0.25
    files_zone: str = "UTC"
    files_header: bool = True
    export_minutes: int = 60
    export_as: Literal["csv", "zip"] = "csv"
    rest_reasons: tuple[str, ...] = (BREAK.name, LUNCH.name)

    def __post_init__(self) -> None:
        """Refuse what no file could be written with now, not at the first file.

        Raises:
            ValueError: `files_zone` is no IANA zone, or `export_minutes` no multiple of 15.
        """
        if self.export_minutes <= 0 or self.export_minutes % _QUARTER_MINUTES:
            message = f"export_minutes: {self.export_minutes} is no multiple of {_QUARTER_MINUTES}"
            raise ValueError(message)
        try:
            ZoneInfo(self.files_zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            message = f"files_zone: no zone {self.files_zone!r}"
            raise ValueError(message) from error


@dataclass(frozen=True, slots=True)
class Stretch:
    """An agent's state from `at` (milliseconds UTC) until the next stretch."""

    at: int
    session: Session | None
    state: int
    working: bool = False
    cause: int = 0

    @property
    def cti(self) -> int:
        """Return the state in the CTI platform's numbering."""
        return _CTI_ANSWERING if self.state == TALKING and not self.working else _CTI[self.state]


class StateBook:
    """Every agent's stretches, found by time."""

    def __init__(self, centre: Centre, agents: tuple[Agent, ...], dialect: HuaweiDialect) -> None:
        """Work out the stretches of these agents."""
        begin = day_start(centre.first_day)
        self._stretches = {
            agent.number: list(_rung(_merged(_career(centre.changes[agent.number], begin, dialect)), dialect))
            for agent in agents
        }
        self._times = {number: [stretch.at for stretch in found] for number, found in self._stretches.items()}

    def place(self, agent: Agent, now: int) -> int:
        """Return the index of the stretch that holds `now`; before everything, the first."""
        return max(bisect_right(self._times[agent.number], now) - 1, 0)

    def stretches(self, agent: Agent) -> list[Stretch]:
        """Return an agent's stretches in order; the first is signed out."""
        return self._stretches[agent.number]

    def at(self, agent: Agent, now: int) -> Stretch:
        """Return an agent's stretch at an instant."""
        return self._stretches[agent.number][self.place(agent, now)]


def _career(changes: tuple[Change, ...], begin: int, dialect: HuaweiDialect) -> Iterator[Stretch]:
    session: Session | None = None
    yield Stretch(begin, None, SIGNED_OUT)
    for change in changes:
        if change.session is not session:
            if session is not None and session.ended is not None and session.ended < change.at:
                yield Stretch(session.ended, None, SIGNED_OUT)
            session = change.session
        yield _worded(change, dialect)
    if session is not None and session.ended is not None:
        yield Stretch(session.ended, None, SIGNED_OUT)


def _worded(change: Change, dialect: HuaweiDialect) -> Stretch:
    reason = change.reason
    rests = not change.ready and reason is not None and reason.name in dialect.rest_reasons
    if any(change.counts):
        state = PRE_REST if rests and dialect.pre_rest else TALKING
        working = dialect.working == "any" or change.counts[VOICE] > 0
        return Stretch(change.at, change.session, state, working)
    if change.ready:
        return Stretch(change.at, change.session, IDLE)
    if reason is None:
        return Stretch(change.at, change.session, BUSY)
    if reason.name == WRAP_UP_REASON:
        return Stretch(change.at, change.session, WORKING)
    return Stretch(change.at, change.session, REST if rests else BUSY, cause=REASON_CAUSES[reason.name])


def _merged(stretches: Iterator[Stretch]) -> Iterator[Stretch]:
    """Leave out what repeats the state before it."""
    last: Stretch | None = None
    for stretch in stretches:
        if last is None or stretch.session is not last.session or replace(stretch, at=last.at) != last:
            yield stretch
            last = stretch


def _rung(stretches: Iterator[Stretch], dialect: HuaweiDialect) -> Iterator[Stretch]:
    """Let each talk be preceded by its ringing, within the stretch before."""
    ring = int(dialect.ring_seconds * SECOND)
    last: Stretch | None = None
    for stretch in stretches:
        rings = stretch.state == TALKING and stretch.working and ring > 0
        if rings and last is not None and last.session is stretch.session and last.state != TALKING:
            yield Stretch(max(stretch.at - ring, last.at), stretch.session, TALKING)
        yield stretch
        last = stretch
