"""Huawei's operation records: what each agent did, as CC-CMS lists and CC-FS exports it.

What belongs here: the records of a centre, their operation types and causes, and their
two ways of writing.  What does not: who may ask for them and how (`huawei_cms.py`,
`huawei_files.py`).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from simulator.centre import Centre
from simulator.facts import CHANNELS, DAY, MINUTE, SECOND, Agent, Participation, Transfer
from simulator.faults import Faults, disturbed, lateness, share
from simulator.huawei_states import BUSY, IDLE, REST, WORKING, HuaweiDialect, StateBook

SIGN_OUT: Final = 0
SIGN_IN: Final = 1
TALK: Final = 4
INTERNAL_TRANSFER: Final = 45
TRANSFER_OUT: Final = 46
RELEASE_TRANSFER: Final = 54
_OPERATION: Final = {IDLE: 2, BUSY: 3, REST: 26, WORKING: 27}
_VOLUNTARY: Final = 258
_INTERIM: Final = 1
_FINAL: Final = 0
_MARK: Final = 5 * MINUTE
# What stands for no operand: one value at CC-CMS, another at CC-FS.
ABSENT_CMS: Final = 65535
ABSENT_FILES: Final = -1
# Media types are numbers that our sources do not list: voice, text, e-mail, text message, other.
TEXT_CHAT: Final = CHANNELS.index("messaging")
_MEDIA: Final = (5, 1, 2, 3, 9)

COLUMNS: Final = (
    "id", "developer_id", "account_id", "agent_id", "service_no", "skill_id", "call_id",
    "begin_time", "end_time", "op_type", "op_object", "op_cause", "media_type", "vdn_id", "cc_id",
    "agent_type", "phone_no", "callIn_out", "location_id", "logon_sn", "skillInfo_sn",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Operation:
    """One record: from when to when (milliseconds UTC), what, and on what."""

    begin: int
    end: int
    kind: int
    cause: int | None = None
    operand: str | None = None
    call_id: str | None = None
    channel: int | None = None
    signed_in: int = 0


class History:
    """Every agent's operation records, worked out when first asked for."""

    def __init__(
        self,
        centre: Centre,
        people: Mapping[int, Agent],
        book: StateBook,
        call_ids: Mapping[str, str],
        dialect: HuaweiDialect,
    ) -> None:
        """Keep the records of these people, given by work number; `call_ids` by interaction id."""
        self._centre = centre
        self._book = book
        self._call_ids = call_ids
        self._dialect = dialect
        self._people = people
        self._numbers = {agent.agent_id: number for number, agent in people.items()}
        self._parts: dict[int, list[Participation]] = {}
        for part in centre.participations:
            self._parts.setdefault(part.agent.number, []).append(part)
        self._sent: dict[int, list[Transfer]] = {}
        for transfer in centre.transfers:
            self._sent.setdefault(transfer.sender.number, []).append(transfer)
        self._found: dict[int, list[Operation]] = {}

    def select(
        self, number: int, start: int, end: int, now: int, faults: Faults, *, in_files: bool = False
    ) -> list[tuple[int, Operation]]:
        """Return an agent's records of [start, end) (milliseconds UTC) as known at `now`, numbered.

        A record is written when what it records has ended, perhaps late, and forgotten a day
        after that end; what is for files (`in_files`) is not forgotten, since nobody says so.
        """
        seen = now - int(self._dialect.state_lag_seconds * SECOND)
        by_end = self._dialect.history_by == "end"
        found = [
            (place, operation)
            for place, operation in enumerate(self._operations(number))
            if self._told(operation, in_files=in_files)
            and start <= (operation.end if by_end else operation.begin) < end
            and (in_files or now - DAY <= operation.end)
            and operation.end <= seen - lateness(faults, f"{number}/{place}")
        ]
        return disturbed(found, faults, lambda one: f"{number}/{one[0]}", f"{start}/{end}")

    def _told(self, operation: Operation, *, in_files: bool) -> bool:
        dialect = self._dialect
        if operation.kind == _OPERATION[IDLE]:
            return dialect.files_idle if in_files else dialect.idle_rows
        spoken = operation.kind == TALK and operation.channel != TEXT_CHAT
        return not (in_files and spoken and dialect.files_talks == "text")

    def _operations(self, number: int) -> list[Operation]:
        found = self._found.get(number)
        if found is None:
            agent = self._people[number]
            found = [*self._presence(agent), *self._talks(agent), *self._transfers(agent)]
            found.sort(key=lambda operation: (operation.begin, operation.end, operation.kind))
            self._found[number] = found
        return found

    def _presence(self, agent: Agent) -> Iterator[Operation]:
        stretches = self._book.stretches(agent)
        for session in self._centre.sessions[agent.number]:
            yield Operation(session.started, session.started, SIGN_IN, signed_in=session.started)
            if session.ended is not None:
                yield Operation(session.ended, session.ended, SIGN_OUT, _VOLUNTARY, signed_in=session.started)
        for stretch, after in pairwise(stretches):
            kind = _OPERATION.get(stretch.state)
            if kind is None or stretch.session is None:
                continue
            cause = None if stretch.state == IDLE else stretch.cause
            yield Operation(stretch.at, after.at, kind, cause, signed_in=stretch.session.started)

    def _talks(self, agent: Agent) -> Iterator[Operation]:
        """Yield each talk's records: an interim one at every 5-minute mark within it, then the final one."""
        for part in self._parts.get(agent.number, ()):
            last = self._centre.ends if part.left is None else part.left
            begin = part.joined
            for mark in range((part.joined // _MARK + 1) * _MARK, last, _MARK):
                yield self._talk(part, begin, mark, _INTERIM)
                begin = mark if self._dialect.interim_from == "mark" else begin
            if part.left is not None:
                yield self._talk(part, begin, part.left, _FINAL)

    def _talk(self, part: Participation, begin: int, end: int, cause: int) -> Operation:
        call_id = self._call_ids[part.interaction_id]
        return Operation(begin, end, TALK, cause, call_id=call_id, channel=part.channel, signed_in=self._since(part))

    def _since(self, part: Participation) -> int:
        session = self._book.at(part.agent, part.joined).session
        return part.joined if session is None else session.started

    def _transfers(self, agent: Agent) -> Iterator[Operation]:
        for transfer in self._sent.get(agent.number, ()):
            if transfer.completed is None:
                continue
            receiver = self._numbers.get(transfer.receiver_id)
            kind = INTERNAL_TRANSFER
            if receiver is None:
                kind = TRANSFER_OUT
            elif not transfer.consult and share(transfer.interaction_id) < self._dialect.release_transfers:
                kind = RELEASE_TRANSFER
            call_id = self._call_ids[transfer.interaction_id]
            # The vendor's tables of operation types name an operand, the work number, for internal transfers alone.
            operand = str(receiver) if kind == INTERNAL_TRANSFER else None
            yield Operation(transfer.started, transfer.completed, kind, operand=operand, call_id=call_id)

    # -- writing ------------------------------------------------------------------------

    def rows(self, number: int, found: Iterable[tuple[int, Operation]]) -> list[dict[str, object]]:
        """Return records as CC-CMS lists them: times UTC, attributes in the dialect's case."""
        names = [_cased(column, self._dialect) for column in COLUMNS]
        utc = ZoneInfo("UTC")
        return [dict(zip(names, self._values(number, one, ABSENT_CMS, utc), strict=True)) for one in found]

    def table(self, start: int, end: int, now: int) -> bytes:
        """Return everybody's records of a window as CC-FS exports them: CSV, mostly with a line of names."""
        text = io.StringIO()
        writer = csv.writer(text)
        if self._dialect.files_header:
            writer.writerow(COLUMNS)
        zone = ZoneInfo(self._dialect.files_zone)
        for number in self._people:
            for one in self.select(number, start, end, now, Faults(), in_files=True):
                writer.writerow(self._values(number, one, ABSENT_FILES, zone))
        return text.getvalue().encode()

    def _values(self, number: int, one: tuple[int, Operation], absent: int, zone: ZoneInfo) -> tuple[object, ...]:
        place, operation = one
        team = self._people[number].team
        return (
            f"{number}{place:08d}", 0, 0, number, absent, team + 1, operation.call_id or "",
            _written(operation.begin, zone), _written(operation.end, zone), operation.kind,
            operation.operand or absent, absent if operation.cause is None else operation.cause,
            absent if operation.channel is None else _MEDIA[operation.channel],
            1, 1, 4, f"88{number}", 0, 0, operation.signed_in // SECOND, 0,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of the vendor's documents, and what a centre looks like in it."""

    dialect: HuaweiDialect
    book: StateBook
    history: History

    @staticmethod
    def of(centre: Centre, people: Mapping[int, Agent], call_ids: Mapping[str, str], dialect: HuaweiDialect) -> Reading:
        """Read a centre's work of these people, given by work number."""
        book = StateBook(centre, tuple(people.values()), dialect)
        return Reading(dialect, book, History(centre, people, book, call_ids, dialect))


def call_ids(centre: Centre) -> dict[str, str]:
    """Return the vendor's call id, `<time>-<n>`, of every interaction by its id."""
    found: dict[str, str] = {}
    for part in centre.participations:
        if part.interaction_id not in found:
            found[part.interaction_id] = f"{part.joined // SECOND}-{len(found) + 1}"
    return found


def _cased(column: str, dialect: HuaweiDialect) -> str:
    words = column.split("_")
    if dialect.row_names == "lower":
        return "".join(words).lower()
    return words[0] + "".join(word[0].upper() + word[1:] for word in words[1:])


def _written(at: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(at // SECOND, UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
