"""What a reader of each platform can know of the week, by brute force over what really happened; no SQL, no figures.

The simulator's truth comes from what people did. Here it is cut to what each vendor shows (its words, its seconds) and
to what was asked for, by the rules of docs/metrics.md. Times are whole microseconds since 1970.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from simulator.calls import contacts
from simulator.centre import Centre
from simulator.facts import Agent, Change
from tests.pipeline.truth import DAY, Truth, micros, truth
from tests.pipeline.week_days import DAYS, FIRST, FORGOTTEN, OUTAGE, SPOILT, UNTIL
from tests.pipeline.week_pieces import SECOND, Piece, filled, merged, whole
from tests.pipeline.week_site import WeekSite
from tests.pipeline.week_words import Say, by_beyondtrust, by_cxengage, by_huawei, by_kore

MARK = 300 * SECOND
"""So often Huawei writes down a talk that lasts."""
SINCE = micros(datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC))
GAP = (micros(OUTAGE[0]), micros(OUTAGE[1]))
OBSERVED = {
    source: micros(UNTIL) - seconds * SECOND
    for source, seconds in {"cx": 15, "kore": 45, "aicc": 300, "support": 1200}.items()
}
"""Until when each source was observed: the last look less what its vendor holds back."""
UNREAD = tuple((micros(since), micros(until)) for since, until in (*FORGOTTEN, SPOILT))
"""What began then CxEngage did not give, or so that nobody can read it."""


@dataclass(frozen=True)
class Week:
    """What happened, and who is who where.

    Attributes:
        real: The simulator's truth.
        ids: By source, the vendor's id of each true id.
        starts: By true id, when the platform wrote the agent down anew.
        agents: By true id, who that is.
        changes: By true id, what the platform wrote down.
        directions: Of each interaction by voice, who called whom.
        looked: Between which instants of our clock the vendors were asked for the last time.
    """

    real: Truth
    interactions: list[dict[str, Any]]
    ids: Mapping[str, Mapping[str, str]]
    starts: Mapping[str, list[int]]
    call_ids: Mapping[str, str]
    numbers: Mapping[str, int]
    agents: Mapping[str, Agent]
    changes: Mapping[str, Sequence[Change]]
    directions: Mapping[str, str | None]
    looked: tuple[datetime, ...]

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

    def told(self, rows: list[dict[str, Any]], say: Say, grain: int = 1) -> list[Piece]:
        """A vendor's view of the truth, all of it."""
        sign_ins = {row["session_id"]: micros(row["logged_in_at"]) // grain * grain for row in self.real.sessions}
        found = []
        for row in rows:
            start, end = (micros(row[edge]) // grain * grain for edge in ("started_at", "ended_at"))
            state, says, word, code = say(row)
            items, load, capacity = (row[name] for name in ("work_items", "load", "capacity"))
            if state == "offline":
                found.append(Piece(start, end, state, says, word=word, code=code))
                continue
            sign_in = sign_ins[row["session_id"]]
            found.append(Piece(start, end, state, says, items, load, capacity, sign_in, word, code))
        return merged(found)

    # -- CxEngage: records with an end, by when they begin ----------------------------------

    def _cxengage(self, true_id: str, rows: list[dict[str, Any]]) -> list[Piece]:
        told = self.told(rows, by_cxengage, 1)
        begins = [one.start for one in told]
        starts = self.starts[true_id]
        ends = sorted(one.start for one in told if one.state == "offline")
        calls = [
            (micros(row["joined_at"]), micros(row["left_at"] or UNTIL), self.directions[row["interaction_id"]])
            for row in self.interactions
            if row["agent_id"] == true_id and row["channel"] == "voice"
        ]
        found: list[Piece] = []
        for number, start in enumerate(starts):
            if GAP[0] <= start < GAP[1] or start >= OBSERVED["cx"] or unread(start):
                continue
            one = told[bisect_right(begins, start) - 1]
            end = starts[number + 1] if number + 1 < len(starts) else OBSERVED["cx"]
            signed_out = ends[bisect_right(ends, start)] if bisect_right(ends, start) < len(ends) else OBSERVED["cx"]
            # Of several calls the first counts.
            direction = next((way for joined, left, way in calls if joined <= start < left), None)
            record = replace(one, start=start, end=min(end, signed_out), direction=direction)
            if record.end >= OBSERVED["cx"]:
                # Never seen to end: it lasts as long as somebody looked.
                record = replace(record, end=watched(start, OBSERVED["cx"]))
            found.append(record)
            if signed_out <= end and signed_out < OBSERVED["cx"]:
                found.append(Piece(signed_out, watched(signed_out, end), "offline"))
        return filled(found, OBSERVED["cx"])

    # -- Kore.ai: updates, each of which lasts until the next --------------------------------

    def _kore(self, _: str, rows: list[dict[str, Any]]) -> list[Piece]:
        told = [replace(one, items=None, load=None, capacity=None) for one in self.told(rows, by_kore, SECOND)]
        # Signing in has a word of its own, which says that the agent is not ready.
        told = [
            replace(one, word="login")
            if (one.start, one.says) == (one.sign_in, None) and one.state == "not_ready"
            else one
            for one in told
        ]
        # Each request reaches a second beyond both its ends.
        lost = GAP[0] + SECOND, GAP[1] - SECOND
        found = [
            replace(one, end=watched(one.start, one.end)) for one in merged(told) if not lost[0] <= one.start < lost[1]
        ]
        return filled(found, OBSERVED["kore"])

    # -- BeyondTrust: every half hour of the archive begins with a copy of all that is -------

    def _beyondtrust(self, _: str, rows: list[dict[str, Any]]) -> list[Piece]:
        told = [replace(one, capacity=None) for one in self.told(rows, by_beyondtrust, SECOND)]
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
        told = [replace(one, items=None, load=None, capacity=None) for one in self.told(rows, by_huawei, SECOND)]
        told = merged(told)
        if not told:
            return []
        edges = sorted(one for one in self._operations(true_id, told) if arrives(one[1]))
        found = []
        # Before the first sign-in nobody was there: that is looked for on the day before.
        first = inferred_offline(max(SINCE, (told[0].start // DAY - 1) * DAY), told[0].start)
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
        """Begin and end of all operations."""
        found = {(one.start, one.end) for one in told if one.state in {"not_ready", "wrap_up"}}
        for row in self.real.sessions:
            if row["agent_id"] == true_id:
                found |= {(whole(at), whole(at)) for at in (row["logged_in_at"], row["logged_out_at"]) if at}
        for row in self.interactions:
            if row["agent_id"] != true_id:
                continue
            begin, end = micros(row["joined_at"]), micros(row["left_at"] or UNTIL)
            marks = [begin, *range((begin // MARK + 1) * MARK, end, MARK), *([end] if row["left_at"] else [])]
            found |= {(start // SECOND * SECOND, stop // SECOND * SECOND) for start, stop in pairwise(marks)}
        return found

    def operations_ended(self, true_id: str) -> list[int]:
        """When each of an agent's operations at Huawei ended, up to the last look, that of the outage left out."""
        rows = [row for row in self.real.states if row["agent_id"] == true_id]
        told = merged(self.told(rows, by_huawei, SECOND))
        ends = sorted(end for _, end in self._operations(true_id, told))
        return [end for end in ends if end < micros(UNTIL) and not GAP[0] <= end < GAP[1]]

    def truly(self, source: str, true_id: str) -> list[Piece]:
        """What an agent did, all of it, as the vendor would tell it."""
        rows = [row for row in self.real.states if row["agent_id"] == true_id]
        return self.told(rows, {"support": by_beyondtrust}.get(source, by_cxengage), 1)


def outside(*instants: int | None, until: int) -> bool:
    """Whether all of these lie in time that was looked at and is over."""
    return all(at is not None and at < until and not GAP[0] <= at < GAP[1] for at in instants)


def unread(at: int) -> bool:
    """Whether CxEngage kept to itself, or garbled, what began then."""
    return any(since <= at < until for since, until in UNREAD)


def inferred_offline(start: int, end: int) -> Piece:
    """Time before a sign-in at Huawei, of which no operation tells."""
    return Piece(start, end, "offline", word="0")


def is_inferred_offline(source: str, one: Piece) -> bool:
    """Whether that is such time; each day finds it out for itself, from its own midnight on."""
    return source == "aicc" and one.state == "offline" and one.says is None


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
    is_cut = one.start < GAP[1] < one.end
    again = _again(one) if ended and not is_cut else one.end
    if one.state == "available":
        if begun and ended and (one.end <= GAP[0] or one.start >= GAP[1]):
            yield one
        return
    before = replace(one, end=min(watched(one.start, one.end), again))
    # A sign-in is looked for as far as the next day.
    after = inferred_offline(max(one.start, GAP[1], (one.end // DAY - 1) * DAY), one.end)
    if begun and not GAP[0] <= one.start < GAP[1]:
        yield before
    if ended and is_cut:
        yield after
    elif again < one.end:
        yield inferred_offline(again, one.end)


def _again(one: Piece) -> int:
    """From when on somebody is signed out because they sign in then, or on the day after; the sign-out is long past.

    A day is told from its own operations and those of the days beside it.
    """
    day = one.end // DAY
    return next((at * DAY for at in (day - 1, day) if one.start // DAY < at - 1), one.end)


def watched(start: int, end: int) -> int:
    """Until when something that began then and was seen to begin may last: to its end, or until nobody looked."""
    if GAP[0] <= start < GAP[1]:
        return start
    return min(end, GAP[0]) if start < GAP[0] else end


def cut(one: Piece) -> list[Piece]:
    """What is left of a stretch around the outage."""
    return [replace(one, end=min(one.end, GAP[0])), replace(one, start=max(one.start, GAP[1]))]


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
    numbers = {agent.agent_id: agent.number for agent in agents}
    changes = {agent.agent_id: told for agent, told in zip(agents, vendors.centre.changes, strict=True)}
    return Week(
        real,
        interactions(folder),
        ids,
        starts,
        vendors.huawei.call_ids,
        numbers,
        {agent.agent_id: agent for agent in agents},
        changes,
        _directions(vendors.centre),
        site.looked,
    )


def _directions(centre: Centre) -> dict[str, str | None]:
    sizes = Counter(agent.team for agent in centre.agents)
    return {
        contact.interaction_id: contact.direction
        for team, size in sizes.items()
        for day in DAYS
        for contact in contacts(centre.seed, team, size, day)
    }


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
