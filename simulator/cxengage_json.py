"""CxEngage's agent state records as JSON text, and the open questions about them.

What belongs here: what one record holds and how it is written at a given moment.  Every
reading that the vendor's documents leave open is a field of `Dialect`.  What does not:
which records a request selects (`cxengage_rows.py`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final, Literal

from simulator.centre import Centre
from simulator.cxengage_intervals import IntervalDialect
from simulator.facts import CHANNELS, SECOND, Agent, Change, Counts, Reason, Transfer, iso, time_uuid

# Later than any instant of a simulation, early enough to add a delay without overflow.
NEVER: Final = 2**62
_TYPES: Final = {
    "session-start": "agent-session-start",
    "capacity": "agent-capacity",
}


@dataclass(frozen=True)
class Dialect:
    """How to read what the vendor's documents leave open; the defaults are our best guess.

    delay_seconds: records and their changes are hidden until this old (documented as 15).
    retention_days, max_range_seconds: documented as 3 days and 10 minutes.
    range_error_status: what a request outside those limits gets.
    selection: a window picks records that start in it, overlap it, or end in it.
    end_inclusive: whether a record exactly at the window's end belongs to it.
    open_records: a record that has not ended is 'redelivered' (served open, then closed
        under the same eventId) or 'hidden' until it ends.
    missing: attributes without a value are 'absent' or 'null'.
    limit_missing: the same for the envelope's limit when none was asked for.
    chained: whether a closed record names its successor (`nextEventId`).
    busy_state: state is 'busy' while anything is handled, as in the realtime statistics.
    offline_records: a session's end has a record of its own, presence and state 'offline',
        which the session's last record names as its successor.
    entries: one capacity entry 'per_bucket' of the agent's rule, or one 'single' entry.
    entry_channels: an entry counts only its 'own' channels, or 'all' of the agent's.
    allocation: the top-level one is of the 'whole' agent, or the 'highest' of any entry.
    intervals: the same questions of the interval endpoint.
    """

    delay_seconds: float = 15.0
    retention_days: float = 3.0
    max_range_seconds: float = 600.0
    range_error_status: int = 400
    selection: Literal["start", "overlap", "end"] = "start"
    end_inclusive: bool = False
    open_records: Literal["redelivered", "hidden"] = "redelivered"
    missing: Literal["absent", "null"] = "absent"
    limit_missing: Literal["absent", "null"] = "null"
    chained: bool = True
    busy_state: bool = False
    offline_records: bool = False
    entries: Literal["per_bucket", "single"] = "per_bucket"
    entry_channels: Literal["own", "all"] = "own"
    allocation: Literal["whole", "highest"] = "whole"
    intervals: IntervalDialect = field(default_factory=IntervalDialect)


@dataclass(slots=True)
class Row:
    """One record: a change, until when it held, what came next, and the transfers in it."""

    change: Change
    end: int
    successor: int | None
    offline: bool = False
    transfers: list[Transfer] | None = None

    @property
    def settled(self) -> int:
        """Return from when on the record's text no longer changes (milliseconds UTC)."""
        if not self.transfers:
            return self.end
        done = [NEVER if t.completed is None else t.completed for t in self.transfers]
        return max(self.end, *done)


class Writer:
    """Writes records as JSON; the parts that repeat are written once and remembered."""

    def __init__(self, centre: Centre, dialect: Dialect) -> None:
        """Write records of one centre in one dialect."""
        self._dialect = dialect
        self._people = {agent.number: _person(agent) for agent in centre.agents}
        self._reasons: dict[Reason | None, str] = {}
        self._loads: dict[tuple[int, Counts], str] = {}

    def write(self, row: Row, seen: int) -> bytes:
        """Return a record as it was known at `seen` (milliseconds UTC)."""
        change = row.change
        session = change.session
        agent = session.agent
        closed = row.end <= seen
        event_id = time_uuid(change.at, agent.node, change.ordinal)
        parts = [
            f'{{"eventId":"{event_id}"',
            self._ending(row) if closed else self._still_open(),
            f',"sessionId":"{session.session_id}"',
            self._people[agent.number],
            self._state(row),
            self._reason(change.reason),
            f',"start":"{iso(change.at)}","loginTimestamp":"{iso(session.started)}"',
            self._direction(change),
            self._load(agent, change.counts),
        ]
        if row.transfers:
            parts.append(self._transfers(row.transfers, seen))
        parts.append("}")
        return "".join(parts).encode()

    def _ending(self, row: Row) -> str:
        change = row.change
        seconds = (row.end - change.at) / SECOND
        text = f',"end":"{iso(row.end)}","durationSeconds":{seconds:.3f}'
        if row.successor is None or not self._dialect.chained:
            return text + self._optional("nextEventId")
        successor = time_uuid(row.end, change.session.agent.node, row.successor)
        return f'{text},"nextEventId":"{successor}"'

    def _still_open(self) -> str:
        return "".join(map(self._optional, ("end", "durationSeconds", "nextEventId")))

    def _optional(self, name: str) -> str:
        """Write an attribute that has no value."""
        return f',"{name}":null' if self._dialect.missing == "null" else ""

    def _state(self, row: Row) -> str:
        change = row.change
        event = _TYPES.get(change.kind) or ("agent-ready" if change.ready else "agent-not-ready")
        presence = "ready" if change.ready else "not-ready"
        state = "idle" if change.ready else "away"
        if self._dialect.busy_state and any(change.counts):
            state = "busy"
        if row.offline:
            presence = state = "offline"
        return f',"eventType":"{event}","presence":"{presence}","state":"{state}"'

    def _reason(self, reason: Reason | None) -> str:
        text = self._reasons.get(reason)
        if text is None:
            names = ("reasonId", "reasonName", "reasonListId", "reasonListName")
            if reason is None:
                text = "".join(map(self._optional, names))
            else:
                values = (reason.reason_id, reason.name, reason.list_id, reason.list_name)
                pairs = zip(names, values, strict=True)
                text = "".join(f',"{name}":{json.dumps(value)}' for name, value in pairs)
            self._reasons[reason] = text
        return text

    def _direction(self, change: Change) -> str:
        if change.direction is None:
            return self._optional("direction")
        return f',"direction":"{change.direction}"'

    def _load(self, agent: Agent, counts: Counts) -> str:
        key = (id(agent.rule), counts)
        text = self._loads.get(key)
        if text is None:
            text = self._loads[key] = load_json(agent, counts, self._dialect)
        return text

    def _transfers(self, transfers: list[Transfer], seen: int) -> str:
        items = [
            f'{{"interactionId":"{transfer.interaction_id}","toAgentId":"{transfer.receiver_id}"'
            f',"transferStartTimestamp":"{iso(transfer.started)}"'
            + (
                f',"transferEndTimestamp":"{iso(transfer.completed)}"}}'
                if transfer.completed is not None and transfer.completed <= seen
                else self._optional("transferEndTimestamp") + "}"
            )
            for transfer in transfers
            if transfer.started <= seen
        ]
        if not items:
            return ""
        return f',"transfers":[{",".join(items)}]'


def _person(agent: Agent) -> str:
    name = json.dumps(agent.name, ensure_ascii=False)
    return (
        f',"agentId":"{agent.agent_id}","agentName":{name}'
        f',"platformAgentId":{agent.platform_agent_id},"tenantAgentId":{agent.tenant_agent_id}'
    )


def load_json(agent: Agent, counts: Counts, dialect: Dialect) -> str:
    """Return the top-level allocation and the capacity entries, with a leading comma."""
    buckets = [(bucket.channels, bucket.capacity) for bucket in agent.rule]
    if dialect.entries == "single":
        buckets = [(tuple(range(len(CHANNELS))), agent.capacity)]
    entries = []
    ratios = []
    for channels, capacity in buckets:
        active = sum(counts[channel] for channel in channels)
        ratios.append((active, capacity))
        shown = {
            name: counts[i] if i in channels or dialect.entry_channels == "all" else 0
            for i, name in enumerate(CHANNELS)
        }
        entries.append(
            {
                "channels": shown,
                "allocation": _allocation(active, capacity),
                "load": round(active / capacity, 4),
                "capacity": capacity,
            }
        )
    active, capacity = sum(counts), agent.capacity
    if dialect.allocation == "highest":
        active, capacity = max(ratios, key=lambda ratio: ratio[0] / ratio[1])
    text = json.dumps(entries, separators=(",", ":"))
    return f',"allocation":"{_allocation(active, capacity)}","capacity":{text}'


def _allocation(active: int, capacity: int) -> str:
    if active == 0:
        return "not-allocated"
    return "fully-allocated" if active >= capacity else "allocated"
