"""What really happened in the demo's centre, as much of it as each vendor shows, by plain Python.

The simulator writes its truth from what people did, not from what its vendors' APIs said; none of the product's SQL is
used here. What we found stands beside it in ``demo_compare.py``.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from operator import itemgetter
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

SECOND = 1_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
_EPOCH = date(1970, 1, 1)
_AFTER_CALL_WORK = "After Call Work"


@dataclass(frozen=True, slots=True)
class Stretch:
    """An agent's state from ``start`` to ``end``, microseconds since 1970, with so many interactions at once."""

    agent_id: str
    start: int
    end: int
    state: str
    items: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """Work handed over; microseconds since 1970. What a vendor does not say is None."""

    sender: str
    receiver: str | None
    start: int
    end: int | None
    interaction: str | None = None
    hop: int | None = None
    is_return: bool | None = None


@dataclass(frozen=True, slots=True)
class Stay:
    """An agent's part in an interaction; microseconds since 1970. What a vendor does not say is None."""

    agent_id: str
    interaction: str | None
    start: int
    end: int | None


@dataclass(frozen=True, slots=True)
class View:
    """How much of the truth a vendor shows.

    Attributes:
        state: The state that it shows, by the row of the truth.
        grain: The unit of its times, in microseconds; they are rounded down.
        tells_handling: Whether handling differs from waiting.
        tells_items: Whether interactions are counted.
        tells_transfers: Whether transfers are told.
        tells_stays: Whether it is told who took part in which interaction.
        interaction: The vendor's id of an interaction, by the true one; None where it has one that we do not know.
        tells_hops: Whether everybody who could have had an interaction is on this platform.
        queues_strangers: What goes to somebody on another platform goes to a queue, which has it at once.
        memory: How long after its beginning a state is told of, which is not before its end, in microseconds;
            None where nothing is forgotten before it is asked for.
    """

    state: Callable[[Mapping[str, Any]], str] = itemgetter("state")
    grain: int = SECOND
    tells_handling: bool = True
    tells_items: bool = False
    tells_transfers: bool = True
    tells_stays: bool = False
    interaction: Callable[[str], str | None] = lambda _: None
    tells_hops: bool = False
    queues_strangers: bool = False
    memory: int | None = None


def _presence(row: Mapping[str, Any]) -> str:
    """Kore.ai tells of presence alone: who works is ready, unless they have said otherwise meanwhile."""
    state: str = row["state"]
    if state != "handling":
        return state
    if row["is_ready"]:
        return "available"
    return "wrap_up" if row["reason"] == _AFTER_CALL_WORK else "not_ready"


def _flags(row: Mapping[str, Any]) -> str:
    """BeyondTrust knows no after-contact work: it is one of several ways of not wanting sessions."""
    return "not_ready" if row["state"] == "wrap_up" else str(row["state"])


VIEWS: Mapping[str, View] = MappingProxyType(
    {
        "cxengage": View(grain=1, tells_items=True, interaction=str, tells_hops=True),
        "kore": View(_presence, tells_handling=False, tells_transfers=False),
        # A day, less the hour that is asked for at once and the time that the last request for it takes.
        "huawei": View(tells_stays=True, memory=DAY - 3 * HOUR // 2),
        "beyondtrust": View(
            _flags,
            tells_items=True,
            tells_stays=True,
            interaction=lambda name: name.replace("-", ""),
            queues_strangers=True,
        ),
    }
)

Sums = dict[tuple[date, str, str], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Truth:
    """What happened at one vendor's desks, by the vendor's ids, as far as the vendor shows it.

    Attributes:
        view: How much that is.
        stretches: Everybody's states in order, by agent.
        transfers: What was handed over by the vendor's agents.
        stays: Who of them took part in what.
    """

    view: View
    stretches: Mapping[str, list[Stretch]]
    transfers: list[Transfer]
    stays: list[Stay] = field(default_factory=list)

    @staticmethod
    def read(folder: Path, view: View, agent_ids: Mapping[str, str] | None) -> "Truth":
        """Read the truth's Parquet; ``agent_ids`` are the vendor's ids by the true ones, None for all and the same."""
        stretches: dict[str, list[Stretch]] = defaultdict(list)
        for row in rows_of(folder, "agent_states", agent_ids):
            name = row["agent_id"]
            start, end = (row[edge] // view.grain * view.grain for edge in ("started_at", "ended_at"))
            if start < end:
                state = view.state(row)
                stretches[name].append(Stretch(name, start, end, state, row["work_items"]))
        moved = [_transfer(row, view, agent_ids) for row in _rows(folder / "transfers.parquet")]
        joined = rows_of(folder, "interactions", agent_ids) if view.tells_stays else ()
        return Truth(
            view, dict(stretches), [one for one in moved if one is not None], [_stay(row, view) for row in joined]
        )

    def sums(self, days: Iterable[date]) -> Sums:
        """Microseconds, and these times interactions, by day, agent and state; signed out is left out."""
        wanted = set(days)
        sums: defaultdict[tuple[date, str, str], list[int]] = defaultdict(lambda: [0, 0])
        for stretch in (one for found in self.stretches.values() for one in found if one.state != "offline"):
            for day, length in _by_day(stretch.start, stretch.end):
                if day in wanted:
                    one = sums[day, stretch.agent_id, stretch.state]
                    one[0] += length
                    one[1] += length * stretch.items
        return {key: (us, item_us) for key, (us, item_us) in sums.items()}

    def told(self, looks: Sequence[int], unseen: Iterable[tuple[str, int, int]]) -> "Truth":
        """The truth without what is called unobserved and was never told: no look found it ended, and yet remembered.

        Args:
            looks: When the vendor was asked, microseconds since 1970.
            unseen: What is called unobserved: agent, start and end.
        """
        memory = self.view.memory
        if memory is None:
            return self
        stretches = dict(self.stretches)
        for agent_id, start, end in unseen:
            stretches[agent_id] = [
                part
                for one in stretches.get(agent_id, [])
                for part in (
                    [one] if any(one.end <= look <= one.start + memory for look in looks) else _outside(one, start, end)
                )
            ]
        return replace(self, stretches=stretches)

    def holds(self, agent_id: str, state: str, start: int, end: int, slack: int) -> bool:
        """Whether at each instant of [start, end) the state was true at some time at most ``slack`` away."""
        reached = start
        for stretch in self.around(agent_id, start - slack, end + slack):
            if stretch.state == state and stretch.start - slack <= reached:
                reached = max(reached, stretch.end + slack)
        return reached >= end

    def signed_in(self, start: int, end: int) -> set[str]:
        """Who was signed in all through [start, end)."""
        return {
            agent_id
            for agent_id in self.stretches
            if all(stretch.state != "offline" for stretch in self.around(agent_id, start, end))
        }

    def around(self, agent_id: str, start: int, end: int) -> Iterator[Stretch]:
        """What an agent did in [start, end); before the first sign-in they are signed out."""
        found = self.stretches.get(agent_id, [])
        begun = found[0].start if found else end
        if start < begun:
            yield Stretch(agent_id, start, begun, "offline", 0)
        place = max(bisect_right(found, start, key=lambda one: one.start) - 1, 0)
        for stretch in found[place:]:
            if stretch.start >= end:
                return
            yield stretch


def _outside(one: Stretch, start: int, end: int) -> list[Stretch]:
    """What of a stretch lies outside of [start, end)."""
    parts = replace(one, end=min(one.end, start)), replace(one, start=max(one.start, end))
    return [part for part in parts if part.start < part.end]


def rows_of(folder: Path, table: str, agent_ids: Mapping[str, str] | None) -> Iterator[dict[str, Any]]:
    """The rows of a table of the truth that are about a vendor's agents, by the vendor's ids; instants as whole µs."""
    for row in _rows(folder / f"{table}.parquet"):
        name = _named(row["agent_id"], agent_ids)
        if name is not None:
            yield {**row, "agent_id": name}


def _named(name: str, agent_ids: Mapping[str, str] | None) -> str | None:
    return name if agent_ids is None else agent_ids.get(name)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file; instants as microseconds since 1970."""
    table = pq.read_table(path)
    for place, column in enumerate(table.schema):
        if pa.types.is_timestamp(column.type):
            table = table.set_column(place, column.name, table.column(place).cast(pa.int64()))
    yield from table.to_pylist()


def _transfer(row: Mapping[str, Any], view: View, agent_ids: Mapping[str, str] | None) -> Transfer | None:
    """A transfer as the vendor tells it; None when it does not know the sender, or tells of none."""
    sender = _named(row["from_agent_id"], agent_ids)
    if sender is None or not view.tells_transfers:
        return None
    receiver = _named(row["to_agent_id"], agent_ids)
    end = row["started_at"] if view.queues_strangers and receiver is None else row["completed_at"]
    return Transfer(
        sender,
        receiver,
        row["started_at"] // view.grain * view.grain,
        None if end is None else end // view.grain * view.grain,
        view.interaction(row["interaction_id"]),
        row["hop"] if view.tells_hops else None,
        row["is_return"] if view.tells_hops else None,
    )


def _stay(row: Mapping[str, Any], view: View) -> Stay:
    left = row["left_at"]
    end = None if left is None else left // view.grain * view.grain
    return Stay(
        row["agent_id"], view.interaction(row["interaction_id"]), row["joined_at"] // view.grain * view.grain, end
    )


def _by_day(start: int, end: int) -> Iterator[tuple[date, int]]:
    while start < end:
        until = min(end, (start // DAY + 1) * DAY)
        yield _EPOCH + timedelta(days=start // DAY), until - start
        start = until
