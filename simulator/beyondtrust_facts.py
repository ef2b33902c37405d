"""What happens to the rows of an appliance's state model, in order: one entry per instant.

What belongs here: turning sign-ins, presence, breaks and sessions into inserted, changed
and deleted rows with their routing flags.  What does not: row ids and lifetimes
(`beyondtrust_model.py`), and how any of it is told.
All times are integer milliseconds UTC; times inside rows are UNIX seconds, as the vendor's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from simulator.beyondtrust_dialect import Dialect
from simulator.beyondtrust_people import Representative
from simulator.beyondtrust_sessions import SupportSession, client_type
from simulator.facts import SECOND, Participation, Presence, Session, Transfer
from simulator.faults import share

Value = object
Row = dict[str, Value]
GENERAL: Final = "general"

# Reasons for which a person leaves the desk: nothing is typed, so the idle time-out runs.  Any
# other way of not being ready is taken as opting out of automatic session assignment.
LEAVES_DESK: Final = frozenset({"Break", "Lunch", "Personal"})
_NAMED_ATTRIBUTE: Final = 0.1


@dataclass(frozen=True, slots=True)
class Ref:
    """A reference to a row of a table by its lasting key; told as that row's id."""

    table: str
    key: str


@dataclass(slots=True)
class Entry:
    """All that changed in one instant, each row at most once; rows are never changed in place.

    `updates` are the changed columns of a row, `after` the same rows whole.
    """

    at: int
    inserts: dict[tuple[str, str], Row] = field(default_factory=dict)
    updates: dict[tuple[str, str], Row] = field(default_factory=dict)
    deletes: dict[tuple[str, str], None] = field(default_factory=dict)
    after: dict[tuple[str, str], Row] = field(default_factory=dict)


_NO_ROWS: Final[dict[tuple[str, str], Row]] = {}
_NO_PLACES: Final[dict[tuple[str, str], None]] = {}


Fact = tuple[int, int, int, Callable[[], None]]


@dataclass(slots=True)
class _Desk:
    """What is true of one signed-in representative."""

    person: Representative
    key: str
    limit: int
    enabled: bool = True
    idle: bool = False
    sessions: int = 0

    def flags(self) -> Row:
        busy = self.sessions >= self.limit
        return {
            "routing_available": int(self.enabled and not self.idle and not busy),
            "routing_idle": int(self.idle),
            "routing_busy": int(busy),
            "routing_enabled": int(self.enabled),
        }


def team_key(team: int) -> str:
    """Return the lasting key of a team's queue."""
    return f"team/{team}"


class Ledger:
    """Keeps the live rows while the centre's facts are read in order, and writes down the entries."""

    def __init__(self, dialect: Dialect) -> None:
        """Begin with an empty model."""
        self._dialect = dialect
        self._rows: dict[tuple[str, str], Row] = {}
        self._desks: dict[str, _Desk] = {}
        self._touched: dict[str, _Desk] = {}
        self._entry = Entry(0)

    def read(self, facts: Iterable[Fact]) -> Iterator[Entry]:
        """Play facts (instant, rank, number, action) in order; yield an entry for each instant of change."""
        for at, _, _, action in facts:
            if at != self._entry.at:
                yield from self._close()
                self._entry = Entry(at)
            action()
        yield from self._close()

    def _close(self) -> Iterator[Entry]:
        for desk in self._touched.values():
            self._update("representative", desk.key, desk.flags())
        self._touched.clear()
        entry = self._entry
        if entry.inserts or entry.updates or entry.deletes:
            # Most entries have one kind of change; for the rest one empty mapping will do.
            entry.inserts = entry.inserts or _NO_ROWS
            entry.updates = entry.updates or _NO_ROWS
            entry.after = entry.after or _NO_ROWS
            entry.deletes = entry.deletes or _NO_PLACES
            yield entry

    # -- rows ---------------------------------------------------------------------------

    def insert(self, table: str, key: str, row: Row) -> None:
        """Add a row."""
        self._rows[table, key] = self._entry.inserts[table, key] = row

    def _update(self, table: str, key: str, values: Row) -> None:
        place = table, key
        before = self._rows.get(place)
        if before is None:
            return
        changed = {name: value for name, value in values.items() if before[name] != value}
        if not changed:
            return
        self._rows[place] = after = before | changed
        if place in self._entry.inserts:
            self._entry.inserts[place] = after
        else:
            self._entry.updates[place] = self._entry.updates.get(place, {}) | changed
            self._entry.after[place] = after

    def _delete(self, table: str, key: str) -> None:
        place = table, key
        if self._rows.pop(place, None) is None:
            return
        self._entry.updates.pop(place, None)
        self._entry.after.pop(place, None)
        if self._entry.inserts.pop(place, None) is None:
            self._entry.deletes[place] = None

    # -- people -------------------------------------------------------------------------

    def sign_in(self, stay: Session, person: Representative) -> None:
        """Open a personal queue and a desk; the representative's row says since when."""
        key, now = stay.session_id, stay.started // SECOND
        desk = self._desks[stay.agent.agent_id] = _Desk(person, key, max(stay.agent.capacity, 1))
        self.insert("queue", key, queue_row(person.name, "rep", None, now, ""))
        row: Row = {
            "user_id": person.user_id,
            "username": person.username,
            "private_display_name": person.name,
            "public_display_name": person.public_name,
            **desk.flags(),
            "skill_code_names": "",
            "queue_id": Ref("queue", key),
            "created_timestamp": now,
            "hostname": person.hostname,
            "operating_system": person.operating_system,
            "private_ip": person.private_ip,
            "public_ip": person.public_ip,
        }
        self.insert("representative", key, row)
        for queue in (team_key(stay.agent.team), GENERAL):
            serving: Row = {
                "representative_id": Ref("representative", key),
                "queue_id": Ref("queue", queue),
                "created_timestamp": now,
            }
            self.insert("representative_queue", f"{key}/{queue}", serving)
        self._touched[stay.agent.agent_id] = desk

    def sign_out(self, stay: Session) -> None:
        """Take the representative's rows away."""
        key = stay.session_id
        self._desks.pop(stay.agent.agent_id, None)
        self._touched.pop(stay.agent.agent_id, None)
        for queue in (team_key(stay.agent.team), GENERAL):
            self._delete("representative_queue", f"{key}/{queue}")
        self._delete("representative", key)
        self._delete("queue", key)

    def present(self, said: Presence) -> None:
        """Take in what a person said about being ready; said or typed, it ends being idle."""
        desk = self._desk(said.session.agent.agent_id)
        if desk is not None:
            name = "" if said.reason is None else said.reason.name
            desk.enabled = said.ready or name in LEAVES_DESK
            desk.idle = False

    def idle(self, agent_id: str) -> None:
        """Note that nothing was typed for long enough."""
        desk = self._desk(agent_id)
        if desk is not None:
            desk.idle = True

    def _desk(self, agent_id: str) -> _Desk | None:
        desk = self._desks.get(agent_id)
        if desk is not None:
            self._touched[agent_id] = desk
        return desk

    # -- sessions -----------------------------------------------------------------------

    def create(self, session: SupportSession) -> None:
        """Put a session into its team's queue."""
        now = session.created // SECOND
        key = session.interaction_id
        row: Row = {
            "lsid": session.lsid,
            "queue_id": Ref("queue", team_key(session.team)),
            "queue_entry_timestamp": now,
            "customer_name": session.customer,
            "customer_company": "",
            "customer_company_code": "",
            "customer_description": "",
            "start_method": "session_key" if client_type(session) == "desktop" else "chat",
            "priority": 2,
            "estimated_pickup_timestamp": now + 60,
            "created_timestamp": now,
        }
        self.insert("support_session", key, row)
        if client_type(session) == "web_chat":
            self._connect(session, now)
        if share(f"{key}/attribute") < _NAMED_ATTRIBUTE:
            attribute: Row = {
                "support_session_id": Ref("support_session", key),
                "code_name": "order_number",
                "value": str(int(key[:8], 16)),
                "created_timestamp": now,
            }
            self.insert("support_session_attribute", key, attribute)

    def _connect(self, session: SupportSession, now: int) -> None:
        key = session.interaction_id
        if not session.has_client or ("customer_client", key) in self._rows:
            return
        number = int(key[:8], 16)
        row: Row = {
            "client_type": client_type(session),
            "created_timestamp": now,
            "elevated": 0,
            "hostname": f"PC-{number % 10_000:04d}",
            "operating_system": "Windows 11 (64-bit)",
            "support_session_id": Ref("support_session", key),
            "private_ip": f"192.168.{number % 250}.{number % 241 + 1}:{49_152 + number % 9_999}",
            "public_ip": f"[2001:db8::{number % 0xFFFF:x}]:{49_152 + number % 9_999}",
        }
        self.insert("customer_client", key, row)

    def elevate(self, session: SupportSession) -> None:
        """Note that the customer client runs as administrator."""
        self._update("customer_client", session.interaction_id, {"elevated": 1})

    def transfer(self, hand: Transfer, now: int) -> None:
        """Put a session into the queue it is handed to: a representative's, or everybody's."""
        receiver = self._desks.get(hand.receiver_id)
        queue = GENERAL if receiver is None else receiver.key
        self._move(hand.interaction_id, Ref("queue", queue), now // SECOND)

    def take_over(self, hand: Transfer) -> None:
        """Leave a session to a colleague who is in it; only where it lies in its holder's own queue does it move."""
        receiver = self._desks.get(hand.receiver_id)
        if receiver is not None and hand.completed is not None and self._dialect.held_queue == "representative":
            self._move(hand.interaction_id, Ref("queue", receiver.key), hand.completed // SECOND)

    def _move(self, session: str, queue: Ref | None, entered: int | None) -> None:
        """Put a session into a queue; when it is there already, it entered before."""
        row = self._rows.get(("support_session", session))
        if row is not None and row["queue_id"] != queue:
            self._update("support_session", session, {"queue_id": queue, "queue_entry_timestamp": entered})

    def join(self, part: Participation, session: SupportSession) -> None:
        """Let a representative into a session, which ends being idle."""
        desk = self._desk(part.agent.agent_id)
        if desk is None:
            return
        desk.sessions += 1
        desk.idle = False
        now = part.joined // SECOND
        self._connect(session, now)
        row: Row = {
            "support_session_id": Ref("support_session", part.interaction_id),
            "representative_id": Ref("representative", desk.key),
            "created_timestamp": now,
        }
        self.insert("representative_support_session", _stay(part), row)
        held = self._dialect.held_queue
        if held == "none":
            self._move(part.interaction_id, None, None)
        elif held == "representative" and session.owned_from(part) == part.joined:
            self._move(part.interaction_id, Ref("queue", desk.key), now)

    def leave(self, part: Participation) -> None:
        """Let a representative out of a session."""
        self._delete("representative_support_session", _stay(part))
        desk = self._desk(part.agent.agent_id)
        if desk is not None:
            desk.sessions -= 1

    def end(self, session: SupportSession) -> None:
        """Take a session's rows away."""
        for table in ("support_session_attribute", "customer_client", "support_session"):
            self._delete(table, session.interaction_id)


def _stay(part: Participation) -> str:
    return f"{part.interaction_id}/{part.agent.agent_id}/{part.joined}"


def queue_row(name: str, kind: str, team_id: int | None, now: int, code_name: str) -> Row:
    """Return a queue's row; `type` is known to be `team` for a team's, other words are a guess."""
    return {
        "name": name,
        "code_name": code_name,
        "type": kind,
        "support_team_id": team_id,
        "created_timestamp": now,
    }
