"""What a reader of each platform can know of the week, by brute force over what really happened; no SQL, no figures.

The simulator's truth comes from what people did. Here it is cut to what each vendor shows (its words, its seconds) and to
what was asked for, by the rules of docs/metrics.md. Times are whole microseconds since 1970.
"""

import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from simulator.facts import Agent, Change
from simulator.faults import share
from simulator.huawei_states import REASON_CAUSES, HuaweiDialect
from simulator.kore import REASON_CODES
from tests.pipeline.truth import DAY, Truth, micros, truth
from tests.pipeline.week_site import FIRST, FORGET, OUTAGE, UNTIL, WeekSite

SECOND = 1_000_000
MARK = 300 * SECOND
"""So often Huawei writes down a talk that lasts."""
SINCE = micros(datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC))
GAP = (micros(OUTAGE[0]), micros(OUTAGE[1]))
OBSERVED = {
    source: micros(UNTIL) - seconds * SECOND
    for source, seconds in {"cx": 15, "kore": 60, "aicc": 300, "support": 1200}.items()
}
"""Until when each source was observed: the last look less what its vendor holds back."""
AFTER_CALL_WORK = "After Call Work"
LEAVES_DESK = {"Break", "Lunch", "Personal"}


@dataclass(frozen=True)
class Piece:
    """A stretch of one agent's time: what is known of it, or ``unobserved``.

    Attributes:
        sign_in: When the session began; None when signed out, or not known.
        says: The reason, by the vendor's word; only of those not ready.
    """

    start: int
    end: int
    state: str
    says: str | None = None
    items: int | None = None
    load: int | None = None
    capacity: int | None = None
    sign_in: int | None = None

    @property
    def known(self) -> bool:
        """Whether somebody knows."""
        return self.state != "unobserved"

    @property
    def told(self) -> tuple[object, ...]:
        """All but when."""
        return self.state, self.says, self.items, self.load, self.capacity, self.sign_in


@dataclass(frozen=True)
class Moved:
    """A transfer as a vendor tells it."""

    interaction: str
    sender: str
    kind: str
    receiver: str | None
    start: int
    end: int | None


def unknown(start: int, end: int) -> Piece:
    """A stretch that nobody knows anything of."""
    return Piece(start, end, "unobserved")


def merged(pieces: Iterable[Piece]) -> list[Piece]:
    """The same without stretches of no length, neighbours that tell the same made one."""
    found: list[Piece] = []
    for one in pieces:
        if one.start >= one.end:
            continue
        if found and found[-1].end == one.start and found[-1].told == one.told:
            found[-1] = replace(found[-1], end=one.end)
        else:
            found.append(one)
    return found


@dataclass(frozen=True)
class Week:
    """What happened, and who is who where.

    Attributes:
        real: The simulator's truth.
        ids: By source, the vendor's id of each true id.
        starts: By true id, when the platform wrote the agent down anew.
    """

    real: Truth
    interactions: list[dict[str, Any]]
    ids: Mapping[str, Mapping[str, str]]
    starts: Mapping[str, list[int]]
    call_ids: Mapping[str, str]
    forgetful: frozenset[str]

    def known(self, source: str) -> dict[str, list[Piece]]:
        """Of each agent, by the vendor's id, all time from the first record on, up to the source's observed-until."""
        states: dict[str, list[dict[str, Any]]] = {}
        for row in self.real.states:
            states.setdefault(row["agent_id"], []).append(row)
        tell = {"cx": self._cxengage, "kore": self._kore, "aicc": self._huawei, "support": self._beyondtrust}[source]
        until = OBSERVED[source]
        found = {}
        for true_id, name in self.ids[source].items():
            pieces = merged(replace(one, end=min(one.end, until)) for one in tell(true_id, states.get(true_id, [])))
            if pieces:
                found[name] = pieces
        return found

    def _pieces(
        self, rows: list[dict[str, Any]], say: Callable[[dict[str, Any]], tuple[str, str | None]], grain: int
    ) -> list[Piece]:
        """A vendor's view of the truth, all of it."""
        sign_ins = {row["session_id"]: micros(row["logged_in_at"]) // grain * grain for row in self.real.sessions}
        found = []
        for row in rows:
            start, end = (micros(row[edge]) // grain * grain for edge in ("started_at", "ended_at"))
            state, says = say(row)
            items, load, capacity = (row[name] for name in ("work_items", "load", "capacity"))
            if state == "offline":
                found.append(Piece(start, end, state))
            else:
                found.append(Piece(start, end, state, says, items, load, capacity, sign_ins[row["session_id"]]))
        return merged(found)

    # -- CxEngage: records with an end, by when they begin ----------------------------------

    def _cxengage(self, true_id: str, rows: list[dict[str, Any]]) -> list[Piece]:
        told = self._pieces(rows, lambda row: (row["state"], row["reason"]), 1)
        begins = [one.start for one in told]
        starts = self.starts[true_id]
        ends = sorted(one.start for one in told if one.state == "offline")
        found: list[Piece] = []
        for number, start in enumerate(starts):
            if GAP[0] <= start < GAP[1] or start >= OBSERVED["cx"]:
                continue
            one = told[bisect_right(begins, start) - 1]
            end = starts[number + 1] if number + 1 < len(starts) else OBSERVED["cx"]
            signed_out = ends[bisect_right(ends, start)] if bisect_right(ends, start) < len(ends) else OBSERVED["cx"]
            record = replace(one, start=start, end=min(end, signed_out))
            if record.end >= OBSERVED["cx"]:
                # Never seen to end: it lasts as long as somebody looked.
                record = replace(record, end=watched(start, OBSERVED["cx"]))
            found.append(record)
            if signed_out <= end and signed_out < OBSERVED["cx"]:
                found.append(Piece(signed_out, watched(signed_out, end), "offline"))
        return filled(found, OBSERVED["cx"])

    # -- Kore.ai: updates, each of which lasts until the next --------------------------------

    def _kore(self, _: str, rows: list[dict[str, Any]]) -> list[Piece]:
        def say(row: dict[str, Any]) -> tuple[str, str | None]:
            code = None if row["reason"] is None else REASON_CODES[row["reason"]]
            if row["state"] == "offline":
                return "offline", None
            if row["is_ready"]:
                return "available", None
            return ("wrap_up" if row["reason"] == AFTER_CALL_WORK else "not_ready"), code

        told = [replace(one, items=None, load=None, capacity=None) for one in self._pieces(rows, say, SECOND)]
        # Each request reaches a second beyond both its ends.
        lost = GAP[0] + SECOND, GAP[1] - SECOND
        found = [
            replace(one, end=watched(one.start, one.end)) for one in merged(told) if not lost[0] <= one.start < lost[1]
        ]
        return filled(found, OBSERVED["kore"])

    # -- BeyondTrust: every half hour of the archive begins with a copy of all that is -------

    def _beyondtrust(self, _: str, rows: list[dict[str, Any]]) -> list[Piece]:
        def say(row: dict[str, Any]) -> tuple[str, str | None]:
            if row["state"] in {"not_ready", "wrap_up"}:
                return "not_ready", "Idle" if row["reason"] in LEAVES_DESK else "Assignment off"
            return row["state"], None

        told = [replace(one, capacity=None) for one in self._pieces(rows, say, SECOND)]
        found = []
        for one in merged(told):
            # Who is signed out has no row: that a copy lacks somebody after a gap says nothing.
            if one.state == "offline" or one.end <= GAP[1]:
                found += [] if GAP[0] <= one.start < GAP[1] else [replace(one, end=watched(one.start, one.end))]
                continue
            found += cut(one)
        return filled(found, OBSERVED["support"])

    # -- Huawei: operations with begin and end, by when they end; nothing is written of idle time ----

    def _huawei(self, true_id: str, rows: list[dict[str, Any]]) -> list[Piece]:
        def say(row: dict[str, Any]) -> tuple[str, str | None]:
            cause = str(REASON_CAUSES.get(row["reason"], 0))
            return row["state"], cause if row["state"] == "not_ready" else None

        told = [replace(one, items=None, load=None, capacity=None) for one in self._pieces(rows, say, SECOND)]
        told = merged(told)
        if not told:
            return []
        edges = sorted(self._operations(true_id, told))
        found = []
        # Before the first sign-in nobody was there: that is looked for on the day before.
        first = Piece(max(SINCE, (told[0].start // DAY - 1) * DAY), told[0].start, "offline")
        for one in [first, *told]:
            if one.state in {"available", "offline"}:
                found += list(_inferred(one, edges))
            elif one.state == "handling":
                found += [
                    replace(one, start=start, end=end) for start, end in edges if one.start <= start < end <= one.end
                ]
            elif arrives(one.end):
                found.append(one)
        return filled(found, OBSERVED["aicc"])

    def _operations(self, true_id: str, told: list[Piece]) -> set[tuple[int, int]]:
        """Begin and end of all operations that were delivered."""
        found = {(one.start, one.end) for one in told if one.state in {"not_ready", "wrap_up"}}
        for row in self.real.sessions:
            if row["agent_id"] == true_id:
                found |= {
                    (at, at) for at in (whole(row["logged_in_at"]), whole(row["logged_out_at"])) if at is not None
                }
        for row in self.interactions:
            if row["agent_id"] != true_id:
                continue
            begin, end = micros(row["joined_at"]), micros(row["left_at"] or UNTIL)
            marks = [begin, *range((begin // MARK + 1) * MARK, end, MARK), *([end] if row["left_at"] else [])]
            found |= {(start // SECOND * SECOND, stop // SECOND * SECOND) for start, stop in pairwise(marks)}
        return {one for one in found if arrives(one[1])}

    def truly(self, source: str, true_id: str) -> list[Piece]:
        """What an agent did, all of it, as the vendor would tell it."""
        rows = [row for row in self.real.states if row["agent_id"] == true_id]
        hidden = source == "support"
        return self._pieces(
            rows, lambda row: ("not_ready" if hidden and row["state"] == "wrap_up" else row["state"], None), 1
        )

    # -- what was worked on, and handed over ------------------------------------------------

    def parts(self, source: str) -> set[tuple[str, str, int, int | None]]:
        """Who took part in what: interaction, agent, from when to when; only of vendors that name interactions."""
        ids = self.ids[source]
        return {
            (
                self._interaction(source, row["interaction_id"]),
                ids[row["agent_id"]],
                whole(row["joined_at"]),
                whole(row["left_at"]),
            )
            for row in self.interactions
            if row["agent_id"] in ids
        }

    def moves(self, source: str) -> list[Moved]:
        """What a source's agents handed over, as its vendor tells it."""
        ids = self.ids[source]
        return [self._moved(source, row) for row in self.real.transfers if row["from_agent_id"] in ids]

    def ambiguous(self, source: str) -> set[str]:
        """What a stranger handed on to this platform within moments of a colleague's having handed it to the stranger.

        On the platform one act's messages lie a moment apart, too: whose act it was cannot be told.
        """
        ids, moment = self.ids[source], 3 * SECOND
        left = {
            (self._interaction(source, row["interaction_id"]), whole(row["left_at"]))
            for row in self.interactions
            if row["agent_id"] in ids
        }
        rows = [row for row in self.real.transfers if row["from_agent_id"] not in ids and row["to_agent_id"] in ids]
        handed = {(self._interaction(source, row["interaction_id"]), whole(row["started_at"]) or 0) for row in rows}
        return {
            name
            for name, at in handed
            for other, end in left
            if name == other and end is not None and 0 <= at - end < moment
        }

    def _moved(self, source: str, row: dict[str, Any]) -> Moved:
        grain = 1 if source == "cx" else SECOND
        start, end = (at and micros(at) // grain * grain for at in (row["started_at"], row["completed_at"]))
        kind, receiver = "agent", self.ids[source].get(row["to_agent_id"])
        if source == "cx":
            receiver = row["to_agent_id"]
        elif source == "support" and receiver is None:
            # Who is not on this platform is reached through everybody's queue, which has it at once.
            kind, receiver, end = "queue", "general", start
        elif receiver is None:
            kind, receiver = "external", f"8{zlib.crc32(row['to_agent_id'].encode()):010d}"
        elif source == "aicc" and share(row["interaction_id"]) < HuaweiDialect().release_transfers:
            # Of a call that was released nobody says to what kind of receiver.
            kind = "unknown"
        name = self._interaction(source, row["interaction_id"])
        return Moved(name, self.ids[source][row["from_agent_id"]], kind, receiver, start, end)

    def _interaction(self, source: str, name: str) -> str:
        if source == "aicc":
            return self.call_ids[name]
        return name.replace("-", "") if source == "support" else name


def arrives(end: int) -> bool:
    """Whether an operation that ended then was delivered."""
    return not GAP[0] <= end < GAP[1] and end < OBSERVED["aicc"]


def _inferred(one: Piece, edges: list[tuple[int, int]]) -> Iterator[Piece]:
    """What is known of a stretch of which nothing is written: where it was asked for up to the next operation.

    After a sign-out there is nothing but the next sign-in, which is an instant; idle time may have been a rest that was
    never told of, unless what ended it is known.
    """
    begun = one.start % DAY == 0 or any(one.start in edge for edge in edges)
    ended = any(edge[0] == one.end for edge in edges)
    if one.state == "available":
        if begun and ended and (one.end <= GAP[0] or one.start >= GAP[1]):
            yield one
        return
    before = replace(one, end=watched(one.start, one.end))
    # A sign-in is looked for as far as the next day.
    after = replace(one, start=max(one.start, GAP[1], (one.end // DAY - 1) * DAY))
    if begun and not GAP[0] <= one.start < GAP[1]:
        yield before
    if ended and one.start < GAP[1] < one.end:
        yield after


def watched(start: int, end: int) -> int:
    """Until when something that began then and was seen to begin may last: to its end, or until nobody looked."""
    if GAP[0] <= start < GAP[1]:
        return start
    return min(end, GAP[0]) if start < GAP[0] else end


def cut(one: Piece) -> list[Piece]:
    """What is left of a stretch around the outage."""
    return [replace(one, end=min(one.end, GAP[0])), replace(one, start=max(one.start, GAP[1]))]


def filled(pieces: Iterable[Piece], until: int) -> list[Piece]:
    """Pieces in order with what nobody knows between and after them."""
    found: list[Piece] = []
    for one in sorted((one for one in pieces if one.start < one.end), key=lambda one: one.start):
        if found and found[-1].end < one.start:
            found.append(unknown(found[-1].end, one.start))
        # Talks of one agent at once overlap.
        if not found or one.end > found[-1].end:
            found.append(replace(one, start=max(one.start, found[-1].end)) if found else one)
    if found and found[-1].end < until:
        found.append(unknown(found[-1].end, until))
    return merged(found)


def whole(moment: datetime | None) -> int | None:
    """Whole seconds."""
    return None if moment is None else micros(moment) // SECOND * SECOND


def day_of(at: int) -> date:
    """The UTC day of an instant."""
    return date(1970, 1, 1) + timedelta(days=at // DAY)


def read(site: WeekSite, folder: Path) -> Week:
    """What really happened up to the last look."""
    vendors = site.vendors
    real = truth(vendors.centre, folder, UNTIL)
    ids = {
        "cx": {agent.agent_id: agent.agent_id for agent in vendors.centre.agents},
        "kore": vendors.kore.agent_ids,
        "aicc": vendors.huawei.agent_ids,
        "support": vendors.beyondtrust.agent_ids,
    }
    agents = vendors.centre.agents
    starts = _starts(agents, vendors.centre.changes)
    forgetful = frozenset(agents[number].agent_id for number in FORGET)
    return Week(real, interactions(folder), ids, starts, vendors.huawei.call_ids, forgetful)


def interactions(folder: Path) -> list[dict[str, Any]]:
    """Who took part in what."""
    found: list[dict[str, Any]] = pq.read_table(folder / "interactions.parquet").to_pylist()
    return found


def _starts(agents: Iterable[Agent], changes: Iterable[Iterable[Change]]) -> dict[str, list[int]]:
    """When the platform wrote each agent down anew, up to the last look."""
    return {
        agent.agent_id: [change.at * 1000 for change in told if change.at * 1000 < micros(UNTIL)]
        for agent, told in zip(agents, changes, strict=True)
    }
